//! `doctor`: looks at a set-up and says line by line what is well and what is not, and what to do. It changes nothing.
//!
//! Facts are gathered here, in `log`, `store`, `archive` and `server`; what they mean is judged by pure functions, most of them in files of their
//! own (`topic`, `sample`, `lag`).

#[cfg_attr(not(feature = "archive"), path = "no_archive.rs")]
mod archive;
mod lag;
mod lines;
mod log;
mod machine;
mod sample;
mod server;
#[cfg(feature = "spark")]
mod spark;
mod store;
#[cfg(feature = "kafka")]
mod topic;

pub use machine::free_bytes;

use crate::args::Doctor;
use crate::commands::now;
use crate::{Outcome, contest};
use anyhow::Result;
use lines::Lines;
use std::path::{Path, PathBuf};
use votestream_election::Election;
use votestream_log::{DirLogUrl, LogUrl};
use votestream_store::{ReaderStore, StoreUrl};

/// Runs the command.
pub fn run(args: &Doctor) -> Result<Outcome> {
    let mut lines = Lines::default();
    let targets = Targets::of(args)?;
    if args.quick {
        quick(args, &targets, &mut lines);
    } else {
        thorough(args, &targets, &mut lines)?;
    }
    let faults = lines.print(&mut std::io::stdout().lock())?;
    Ok(if faults == 0 { Outcome::Done } else { Outcome::No })
}

/// What is looked at.
struct Targets {
    data: PathBuf,
    log: Option<LogUrl>,
    store: Option<StoreUrl>,
    server: Option<String>,
    archive: Option<String>,
}

impl Targets {
    fn of(args: &Doctor) -> Result<Self> {
        let data = args.data.clone().unwrap_or_else(|| PathBuf::from("votestream-data"));
        let named = args.log.is_some()
            || args.store.is_some()
            || args.server.is_some()
            || args.archive.is_some()
            || args.remote.is_some();
        let made = !named && data.exists();
        let log = match &args.log {
            Some(url) => Some(url.parse()?),
            None => made.then(|| LogUrl::Dir(DirLogUrl::new(data.join("log")))),
        };
        let store = match &args.store {
            Some(url) => Some(url.parse()?),
            None => made.then(|| StoreUrl::sqlite(data.join("results.db"))),
        };
        Ok(Self { data, log, store, server: args.server.clone(), archive: args.archive.clone() })
    }

    fn nothing(&self) -> bool {
        self.log.is_none() && self.store.is_none() && self.server.is_none() && self.archive.is_none()
    }
}

/// Only whether what is named answers.
fn quick(args: &Doctor, targets: &Targets, lines: &mut Lines) {
    if let Some(url) = &targets.log {
        log::open(url, true, lines);
    }
    if let Some(url) = &targets.store
        && store::open(url, lines).is_some()
    {
        lines.well(format!("store {url}: answers"));
    }
    if let Some(url) = &targets.archive {
        archive::check(url, None, true, lines);
    }
    if let Some(url) = &targets.server {
        server::check(url, lines);
    }
    if let Some(remote) = &args.remote {
        check_spark(remote, args, targets, lines);
    }
}

fn thorough(args: &Doctor, targets: &Targets, lines: &mut Lines) -> Result<()> {
    if targets.nothing() {
        lines.well(format!("no data at '{}' yet: `votestream up` will make it", targets.data.display()));
    }
    let log = targets.log.as_ref().and_then(|url| log::open(url, false, lines));
    let store = targets.store.as_ref().and_then(|url| store::open(url, lines).map(|store| (url, store)));
    let mut elections = Vec::new();
    if let Some((url, store)) = &store {
        elections = store::check((url, args.read_only), store, now, lines);
    }
    let election = election(args, store.as_ref().map(|(_, store)| store))?;
    if let Some(log) = &log {
        let url = args.log.clone().unwrap_or_else(|| format!("dir:{}", targets.data.join("log").display()));
        log::sample(log, &url, &election, lines);
        if let Some((_, store)) = &store {
            for id in &elections {
                store::lag_of(store, id, log, lines);
            }
        }
    }
    if let Some(url) = &targets.archive {
        archive::check(url, log.as_ref(), false, lines);
    }
    if let Some(url) = &targets.server {
        server::check(url, lines);
    }
    if let Some(remote) = &args.remote {
        check_spark(remote, args, targets, lines);
    }
    let place = match &targets.log {
        Some(LogUrl::Dir(dir)) => &dir.path,
        _ => Path::new("."),
    };
    machine::disk(place, lines);
    machine::memory(store.is_some().then(|| voters(&election)).flatten(), lines);
    machine::ports(lines);
    Ok(())
}

#[cfg(feature = "spark")]
fn check_spark(remote: &str, args: &Doctor, targets: &Targets, lines: &mut Lines) {
    if args.quick {
        return spark::answers(remote, lines);
    }
    spark::check(remote, args.seen.as_deref(), (targets.log.as_ref(), targets.store.as_ref()), lines);
}

#[cfg(not(feature = "spark"))]
fn check_spark(remote: &str, args: &Doctor, _: &Targets, lines: &mut Lines) {
    let seen = args.seen.as_deref().unwrap_or("beside the store");
    lines.fault(
        format!("Apache Spark at {remote}, seen voters {seen}: this build leaves it out"),
        "build one that has it with `make build FEATURES=spark`",
    );
}

/// The election by which records are judged: the one that is named, the store's only one, or the default preset.
fn election(args: &Doctor, store: Option<&ReaderStore>) -> Result<Election> {
    if let Some(store) = store
        && let Ok(election) = contest::stored(&args.election, store)
    {
        return Ok(election);
    }
    contest::defined(&args.election)
}

/// How many are expected to vote, where the definition says so.
fn voters(election: &Election) -> Option<u64> {
    let regions: u64 = election.regions.iter().filter_map(|region| region.expected).sum();
    election.expected.or(Some(regions).filter(|sum| *sum > 0))
}
