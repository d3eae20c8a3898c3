//! `bench`: what this machine makes of it: the whole path, a start after a kill, waits at a steady rate, and each stage beside a
//! reference on the same data in the same run, so that ratios hold where absolute numbers drift. Nothing here is kept.

#[cfg(feature = "archive")]
mod archive;

mod clock;

#[cfg(feature = "kafka")]
mod kafka;

mod room;

#[cfg(feature = "spark")]
mod spark;

mod report;

mod path;

mod naive;

mod resume;

mod latency;

mod sample;

mod stages;

mod write_side;

mod count_side;

mod viewers;

use crate::args::{Bench, BenchFormat, BenchPart, BenchWhat};
#[cfg(feature = "kafka")]
use crate::commands::random;
use crate::{Outcome, signals};
use anyhow::{Result, bail};
use report::{Machine, Report};
use room::Room;
use serde::Serialize;
use std::io::Write;
use votestream_election::Election;
use votestream_election::definition::US_PRESIDENT_2024;
use votestream_engine::Shutdown;
#[cfg(feature = "kafka")]
use votestream_log::{KafkaUrl, LogUrl};
use votestream_sim::{Faults, Order, SimOptions, Simulation, Votes};
#[cfg(feature = "kafka")]
use votestream_store::{ReaderStore, StoreUrl};

/// Runs the command.
pub fn run(args: &Bench) -> Result<Outcome> {
    match args.what {
        Some(BenchWhat::Kafka) => return kafka(args),
        #[cfg(feature = "spark")]
        Some(BenchWhat::Spark) => return spark::run(args),
        #[cfg(not(feature = "spark"))]
        Some(BenchWhat::Spark) => {
            bail!(
                "Apache Spark is left out of this build; build one that has it with `make build FEATURES=spark`"
            )
        }
        Some(BenchWhat::Viewers) => return viewers::run(args),
        #[cfg(feature = "archive")]
        Some(BenchWhat::Archive) => return archive::run(args),
        #[cfg(not(feature = "archive"))]
        Some(BenchWhat::Archive) => {
            bail!("this small build has no archive; build the whole one with `make build`")
        }
        None => {}
    }
    let simulation = simulation(args.votes.parse()?, Order::Night)?;
    let shutdown = signals::listen()?;
    // Gone with everything in it when this function ends, however it ends.
    let room = Room::make(args.dir.as_deref(), &simulation)?;
    let asked = |part| args.only.is_empty() || args.only.contains(&part);
    let mut report = Report::new(Machine::look(room.path()), simulation.votes());
    // The path first: its peak of memory is then its own.
    if asked(BenchPart::Path) || asked(BenchPart::Resume) {
        report.path = Some(path::measure(&room, &simulation, &shutdown)?);
        if asked(BenchPart::Resume) {
            report.resume = Some(resume::measure(&room, &simulation, &shutdown)?);
        }
        room.remove(path::DIR)?;
    }
    if asked(BenchPart::Latency) {
        report.latency = Some(latency::measure(&room, args.rate, &shutdown)?);
        room.remove(latency::DIR)?;
    }
    if asked(BenchPart::Stages) {
        report.stages = Some(stages::measure(&room, &simulation, &shutdown)?);
    }
    drop(room);
    print(args.format, &report, || report.to_string())?;
    Ok(Outcome::Done)
}

/// Prints what was measured: as numbers, or as a table for people.
fn print(format: BenchFormat, report: &impl Serialize, table: impl FnOnce() -> String) -> Result<()> {
    let text = match format {
        BenchFormat::Table => table(),
        BenchFormat::Json => serde_json::to_string_pretty(report)? + "\n",
    };
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

/// A topic's URL, NAME with something random behind it, so that each measurement makes its own.
#[cfg(feature = "kafka")]
fn fresh_topic(log: &str) -> Result<KafkaUrl> {
    let LogUrl::Kafka(url) = log.parse()? else { bail!("'{log}' is no topic; write kafka://host:port/NAME") };
    Ok(url.with_topic(format!("{}-{:08x}", url.topic, random() as u32)))
}

/// What was counted must be what was simulated, or nothing was measured.
#[cfg(feature = "kafka")]
fn prove(store: &StoreUrl, simulation: &Simulation) -> Result<()> {
    let snapshot = ReaderStore::open(store)?.snapshot(&simulation.election().id)?;
    if snapshot.totals != simulation.expected().totals {
        bail!("the count is not what was simulated: this is a fault of the program, please report it");
    }
    Ok(())
}

#[cfg(feature = "kafka")]
fn kafka(args: &Bench) -> Result<Outcome> {
    kafka::run(args)
}

#[cfg(not(feature = "kafka"))]
fn kafka(_: &Bench) -> Result<Outcome> {
    bail!("this small build has no Kafka; build the whole one with `make build`")
}

/// The election night that is measured: the default preset, the default seed.
fn simulation(votes: Votes, order: Order) -> Result<Simulation> {
    simulation_with(votes, order, Faults::default())
}

/// The same with records that are no first vote of anybody.
fn simulation_with(votes: Votes, order: Order, faults: Faults) -> Result<Simulation> {
    let election = Election::preset(US_PRESIDENT_2024)
        .ok_or_else(|| anyhow::anyhow!("no preset '{US_PRESIDENT_2024}'"))?;
    Ok(Simulation::new(&election, &SimOptions { votes, order, faults, ..SimOptions::default() })?)
}

/// Ends the measurement where somebody wants it to end.
fn check(shutdown: &Shutdown) -> Result<()> {
    if shutdown.is_raised() {
        bail!("stopped before all was measured; the directory is removed");
    }
    Ok(())
}
