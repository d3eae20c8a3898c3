//! `simulate`: generated votes into a log or onto standard output, with the right answer in a file.

use crate::args::{Order as OrderArg, Simulate, SimulationArgs};
use crate::commands::writing;
use crate::{Outcome, contest, progress, signals};
use anyhow::{Context, Result, bail};
use std::io::{BufWriter, Write};
use std::time::Duration;
use votestream_election::Election;
use votestream_election::results::Results;
use votestream_engine::produce::{Batcher, Pace, simulate_into_log, simulate_ndjson};
use votestream_sim::{Faults, Order, SimOptions, Simulation, Votes};

/// How long a night takes when nothing else is asked for.
pub const NIGHT: Duration = Duration::from_mins(10);

/// Runs the command.
pub fn run(args: &Simulate) -> Result<Outcome> {
    let election = contest::defined(&args.election)?;
    let faults: Faults = args.faults.as_deref().map_or(Ok(Faults::NONE), str::parse)?;
    let to_log = args.to != "-";
    let order = order(&args.simulation);
    let simulation = Simulation::new(
        &election,
        &SimOptions {
            votes: args.votes.parse::<Votes>()?,
            seed: args.simulation.seed.unwrap_or(1),
            order,
            faults,
            time_field: !to_log && order == Order::Night,
            ..SimOptions::default()
        },
    )?;
    if let Some(path) = &args.expected {
        let text = expected(&election, &simulation)?;
        std::fs::write(path, text).with_context(|| format!("cannot write '{}'", path.display()))?;
    }
    let (shutdown, starting) = signals::listen_while_starting()?;
    // Without a rate a night takes its time where somebody watches it being counted; written out or filled in, it need not.
    let pace = pace(args.simulation.rate.as_deref(), Pace::Max)?;
    let bar = progress::records(Some(simulation.records()), "simulating");
    let tell = |at: u64| bar.set_position(at);
    let summary = if to_log {
        let writer = writing::open(&args.to, args.create_topic)?;
        let durable = writer.resume(simulation.id())?;
        let mut batcher =
            Batcher::new(writer.handle(), writer.partitions(), Some((simulation.id(), durable)));
        starting.over();
        let summary = writing::bounded(&writer, &shutdown, || {
            simulate_into_log(&simulation, &mut batcher, pace, (&shutdown, &tell))
        })?;
        writer.close()?;
        summary
    } else {
        starting.over();
        let mut out = BufWriter::with_capacity(1 << 20, std::io::stdout().lock());
        let summary = simulate_ndjson(&simulation, ("standard output", &mut out), pace, (&shutdown, &tell))?;
        out.flush()?;
        summary
    };
    bar.finish_and_clear();
    if to_log {
        let passed = match summary.passed {
            0 => String::new(),
            n => format!(", {} were there from an earlier run", progress::grouped(n)),
        };
        tracing::info!("{} records appended to {}{passed}", progress::grouped(summary.appended), args.to);
    }
    Ok(Outcome::Done)
}

/// The right answer in the JSON shape of results.
fn expected(election: &Election, simulation: &Simulation) -> Result<String> {
    let results = Results::of(election, &simulation.expected().snapshot());
    Ok(serde_json::to_string_pretty(&results)? + "\n")
}

/// The order asked for; night by default.
pub fn order(args: &SimulationArgs) -> Order {
    match args.order {
        Some(OrderArg::Shuffled) => Order::Shuffled,
        Some(OrderArg::Night) | None => Order::Night,
    }
}

/// Reads `--rate`.
pub fn pace(rate: Option<&str>, default: Pace) -> Result<Pace> {
    match rate {
        None => Ok(default),
        Some("max") => Ok(Pace::Max),
        Some(text) => match text.parse::<f64>() {
            Ok(rate) if rate >= 0.01 && rate.is_finite() => Ok(Pace::Rate(rate)),
            _ => bail!("rate '{text}' is neither a number of records a second nor max"),
        },
    }
}
