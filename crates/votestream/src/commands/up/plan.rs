//! What a data directory is a run of: written once when it is made, read when it is resumed, compared with what is typed.

use crate::args::Up;
use crate::commands::simulate::order;
use crate::contest;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::Path;
use votestream_election::{Election, electorate};
use votestream_sim::{Order, SimOptions, Simulation, Votes};

/// The file in the data directory.
const FILE: &str = "up.json";
/// What it is called until it is whole. One that a kill left behind is nothing, and is written over.
const UNFINISHED: &str = "up.json.new";
/// Raised when the file's meaning changes.
const FORMAT: u32 = 1;

/// What is simulated, and of which election.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    format: u32,
    /// Voters that vote; `None`: all.
    votes: Option<u64>,
    seed: u64,
    order: String,
    /// The definition before it is scaled to the votes.
    election: serde_json::Value,
}

impl Plan {
    /// Reads the directory's plan, or makes one for a new directory.
    pub fn resume_or_make(args: &Up) -> Result<Self> {
        let path = args.data.join(FILE);
        if path.exists() {
            let plan = Self::read(&path)?;
            plan.agrees(args)?;
            return Ok(plan);
        }
        let mut files = std::fs::read_dir(&args.data).into_iter().flatten().filter_map(Result::ok);
        if let Some(file) = files.find(|file| file.file_name() != UNFINISHED) {
            bail!(
                "'{}' is no data directory of votestream: it holds '{}' but no {FILE}; name an empty or a new directory with --data",
                args.data.display(),
                file.file_name().to_string_lossy()
            );
        }
        let plan = Self::make(args)?;
        // Nothing is left behind by options that cannot be simulated.
        plan.simulation()?;
        plan.write(&args.data)?;
        Ok(plan)
    }

    /// The plan of the data directory that a store's file lies in; `None`: it lies in none.
    pub fn beside(store: &Path) -> Result<Option<Self>> {
        let path = store.parent().unwrap_or(Path::new("")).join(FILE);
        if path.exists() { Self::read(&path).map(Some) } else { Ok(None) }
    }

    fn make(args: &Up) -> Result<Self> {
        let election = contest::defined(&args.election)?;
        let votes = match args.votes.as_deref().map(str::parse::<Votes>).transpose()? {
            Some(Votes::Count(votes)) => Some(votes),
            Some(Votes::All) => None,
            // One ballot in ten where there are certified figures.
            None => electorate::certified(&election).map(|certified| (certified.total() + 5) / 10),
        };
        Ok(Self {
            format: FORMAT,
            votes,
            seed: args.simulation.seed.unwrap_or(1),
            order: order(&args.simulation).to_string(),
            election: serde_json::from_str(&election.to_json())?,
        })
    }

    fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read '{}'", path.display()))?;
        let raw: serde_json::Value =
            serde_json::from_str(&text).with_context(|| format!("'{}' is damaged", path.display()))?;
        let format = raw.get("format").and_then(serde_json::Value::as_u64).unwrap_or(0);
        if format > u64::from(FORMAT) {
            bail!(
                "'{}' has format {format}, and this votestream reads up to {FORMAT}; use the newer one that made it",
                path.display()
            );
        }
        serde_json::from_value(raw).with_context(|| format!("'{}' is damaged", path.display()))
    }

    /// What is typed must be what the directory was made for.
    fn agrees(&self, args: &Up) -> Result<()> {
        let made = |flag: &str, was: &str| {
            anyhow::anyhow!(
                "'{}' holds a run with {flag} {was}; leave {flag} out to go on with it, or start another with --data",
                args.data.display()
            )
        };
        if let Some(votes) = args.votes.as_deref().map(str::parse::<Votes>).transpose()? {
            let votes = if let Votes::Count(votes) = votes { Some(votes) } else { None };
            if votes != self.votes {
                return Err(made("--votes", &self.votes.map_or("all".to_owned(), |v| v.to_string())));
            }
        }
        if args.simulation.seed.is_some_and(|seed| seed != self.seed) {
            return Err(made("--seed", &self.seed.to_string()));
        }
        if args.simulation.order.is_some() && order(&args.simulation).to_string() != self.order {
            return Err(made("--order", &self.order));
        }
        let stored = Election::from_json(&self.election.to_string())?;
        let typed = &args.election;
        if contest::overridden(stored.clone(), typed)? != stored {
            let was = format!("as {} and {:?}", stored.mapping.name, stored.duplicate).to_lowercase();
            return Err(made("--mapping and --duplicate", &was));
        }
        if typed.election.is_some() && contest::defined(typed)? != stored {
            return Err(made("--election", &stored.id));
        }
        Ok(())
    }

    fn write(&self, data: &Path) -> Result<()> {
        let cannot = || {
            format!(
                "cannot write the data directory '{}'; name one that may be written to with --data",
                data.display()
            )
        };
        std::fs::create_dir_all(data).with_context(cannot)?;
        let temporary = data.join(UNFINISHED);
        let mut file = std::fs::File::create(&temporary).with_context(cannot)?;
        file.write_all(serde_json::to_string_pretty(self)?.as_bytes()).with_context(cannot)?;
        file.sync_all().with_context(cannot)?;
        std::fs::rename(&temporary, data.join(FILE)).with_context(cannot)?;
        std::fs::File::open(data).and_then(|dir| dir.sync_all()).with_context(cannot)
    }

    /// The simulation that it describes.
    pub fn simulation(&self) -> Result<Simulation> {
        let election = Election::from_json(&self.election.to_string())?;
        let options = SimOptions {
            votes: self.votes.map_or(Votes::All, Votes::Count),
            seed: self.seed,
            order: self.order.parse::<Order>()?,
            ..SimOptions::default()
        };
        Ok(Simulation::new(&election, &options)?)
    }
}

/// Bytes of all files under a directory; 0 where there is none.
pub fn bytes_under(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else { return 0 };
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => bytes_under(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}
