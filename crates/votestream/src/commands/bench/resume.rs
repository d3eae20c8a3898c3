//! A start after a kill: opening the store, taking the partitions over, and every counted voter back in memory, as
//! `count --until-end` does it on a log that is counted to its end.

use super::clock::{self, Watch};
use super::path;
use super::report::ResumeReport;
use super::room::Room;
use crate::commands::{count, threads};
use anyhow::Result;
use std::sync::Arc;
use votestream_engine::Shutdown;
use votestream_engine::count::{CountOptions, Everything, OnCommit, run as run_count};
use votestream_log::LogReader;
use votestream_sim::Simulation;
use votestream_store::WriterStore;

/// Measures it on what the path has left.
pub fn measure(room: &Room, simulation: &Simulation, shutdown: &Shutdown) -> Result<ResumeReport> {
    super::check(shutdown)?;
    let dir = room.path().join(path::DIR);
    clock::forget_peak_memory();
    let watch = Watch::start();
    let log = LogReader::open(&path::log_url(&dir), None)?;
    let mut store = WriterStore::open(&path::store_url(&dir))?;
    let options =
        CountOptions { until_end: true, ..count::options(threads(None).min(log.partitions() as usize)) };
    let on_commit: OnCommit = Arc::new(|_| ());
    let summary = run_count(
        &simulation.election(),
        &log,
        &mut store,
        &options,
        (&Everything::of(&log), shutdown),
        &on_commit,
    )?;
    let cost = watch.cost();
    super::check(shutdown)?;
    let voters = summary.voters_loaded;
    Ok(ResumeReport {
        voters,
        seconds: cost.wall.as_secs_f64(),
        voters_per_s: voters as f64 / cost.wall.as_secs_f64(),
        cpu_ns_a_voter: cost.cpu.as_nanos() as f64 / voters.max(1) as f64,
        memory_peak_bytes: clock::peak_memory_bytes(),
    })
}
