//! The whole path as `up --rate max` takes it, without servers: generated, logged durably, counted, committed, on all cores; then the
//! recount. What is counted must be right, or there is no measurement.

use super::clock::{self, Watch};
use super::naive;
use super::report::PathReport;
use super::room::{Room, bytes_under};
use crate::commands::{count, recount, threads};
use crate::progress;
use anyhow::{Result, bail};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use votestream_engine::Shutdown;
use votestream_engine::count::{
    Committed, CountOptions, CountSummary, Everything, OnCommit, run as run_count,
};
use votestream_engine::produce::{Batcher, Pace, simulate_into_log};
use votestream_log::{DirLogUrl, LogReader, LogWriter, WriterOptions};
use votestream_sim::Simulation;
use votestream_store::{ReaderStore, StoreUrl, WriterStore};

/// Its directory in the room.
pub const DIR: &str = "path";
/// How often the progress is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Where the path's log is.
pub fn log_url(dir: &Path) -> DirLogUrl {
    DirLogUrl::new(dir.join("log"))
}

/// Where its results are.
pub fn store_url(dir: &Path) -> StoreUrl {
    StoreUrl::sqlite(dir.join("results.db"))
}

/// Measures it. Log and store stay until the caller removes [`DIR`].
pub fn measure(room: &Room, simulation: &Simulation, shutdown: &Shutdown) -> Result<PathReport> {
    let dir = room.sub(DIR)?;
    let (url, store_url) = (log_url(&dir), store_url(&dir));
    let writer = LogWriter::open(&url, WriterOptions::default())?;
    let log = LogReader::open(&url, Some(writer.watch()))?;
    let mut store = WriterStore::open(&store_url)?;
    clock::forget_peak_memory();
    let watch = Watch::start();
    let (summary, took) = play(simulation, &writer, &log, &mut store, shutdown)?;
    let cost = watch.cost();
    let memory_peak_bytes = clock::peak_memory_bytes();
    super::check(shutdown)?;
    writer.close()?;
    drop(store);
    let votes = simulation.votes();
    let each = |bytes: u64| bytes as f64 / votes as f64;
    let (log_bytes, store_bytes) = (bytes_under(&url.path), bytes_under(&dir) - bytes_under(&url.path));
    let recounted = prove(simulation, &url, &store_url, shutdown)?;
    super::check(shutdown)?;
    let (naive_votes, naive_cost) = naive::count(simulation);
    let naive_votes_per_s = naive_votes as f64 / naive_cost.wall.as_secs_f64();
    Ok(PathReport {
        votes,
        cores: threads(None),
        seconds: took.as_secs_f64(),
        votes_per_s: votes as f64 / took.as_secs_f64(),
        cpu_ns_a_vote: cost.cpu.as_nanos() as f64 / votes as f64,
        flushes: summary.flushes,
        memory_peak_bytes,
        log_bytes_a_vote: each(log_bytes),
        store_bytes_a_vote: each(store_bytes),
        recount_seconds: recounted.as_secs_f64(),
        recount_votes_per_s: votes as f64 / recounted.as_secs_f64(),
        naive_votes,
        naive_votes_per_s,
        ratio_to_naive: votes as f64 / took.as_secs_f64() / naive_votes_per_s,
    })
}

/// What the counting side has said last.
#[derive(Default)]
struct Notice {
    records: u64,
    /// When the last record was committed.
    done: Option<Instant>,
    paused: Option<String>,
}

/// Generates, logs and counts until all is committed; how long that took, from the first vote's making to the last one's commit.
fn play(
    simulation: &Simulation,
    writer: &LogWriter,
    log: &LogReader,
    store: &mut WriterStore,
    shutdown: &Shutdown,
) -> Result<(CountSummary, Duration)> {
    let (election, records) = (simulation.election(), simulation.records());
    let options = CountOptions {
        voters_expected: simulation.votes(),
        ..count::options(threads(None).min(writer.partitions() as usize))
    };
    // Raised when all is committed, when a side fails, or when somebody wants it to end.
    let end = Shutdown::new();
    let notice = Arc::new(Mutex::new(Notice::default()));
    let on_commit: OnCommit = {
        let (notice, end) = (Arc::clone(&notice), end.clone());
        Arc::new(move |committed: &Committed| {
            let mut notice = notice.lock().unwrap_or_else(PoisonError::into_inner);
            notice.records = committed.records;
            notice.paused.clone_from(&committed.health.paused);
            if committed.records == records && notice.done.is_none() {
                notice.done = Some(Instant::now());
                end.raise();
            }
        })
    };
    let began = Instant::now();
    let summary = std::thread::scope(|scope| {
        let counting = scope.spawn(|| {
            let counted =
                run_count(&election, log, store, &options, (&Everything::of(log), &end), &on_commit);
            end.raise();
            counted
        });
        let producing = scope.spawn(|| {
            let mut batcher = Batcher::new(writer.handle(), writer.partitions(), None);
            let played = simulate_into_log(simulation, &mut batcher, Pace::Max, (&end, &|_| ()));
            if played.is_err() {
                end.raise();
            }
            played
        });
        let paused = watch(&notice, records, &end, shutdown);
        producing.join().map_err(|_| anyhow::anyhow!("the simulating thread failed"))??;
        let summary = counting.join().map_err(|_| anyhow::anyhow!("the counting thread failed"))??;
        if let Some(reason) = paused {
            bail!(
                "the results store could not take a commit ({reason}); free disk or name another with --dir"
            );
        }
        anyhow::Ok(summary)
    })?;
    super::check(shutdown)?;
    let done = notice.lock().unwrap_or_else(PoisonError::into_inner).done;
    let Some(done) = done else {
        bail!("not every record was counted: this is a fault of the program, please report it")
    };
    Ok((summary, done - began))
}

/// Shows progress until the end, and brings it about where it would else not come: on a signal, or when the store pauses.
fn watch(notice: &Mutex<Notice>, records: u64, end: &Shutdown, shutdown: &Shutdown) -> Option<String> {
    let bar = progress::records(Some(records), "the whole path");
    let mut paused = None;
    while !end.wait(LOOK_EVERY) {
        let notice = notice.lock().unwrap_or_else(PoisonError::into_inner);
        bar.set_position(notice.records);
        paused.clone_from(&notice.paused);
        if shutdown.is_raised() || paused.is_some() {
            end.raise();
        }
    }
    bar.finish_and_clear();
    paused
}

/// Recounts, and compares with the store and with what the simulation must come to; how long the recount took.
fn prove(
    simulation: &Simulation,
    log: &DirLogUrl,
    store: &StoreUrl,
    shutdown: &Shutdown,
) -> Result<Duration> {
    let election = simulation.election();
    let reader = ReaderStore::open(store)?;
    if reader.snapshot(&election.id)?.totals != simulation.expected().totals {
        bail!("the count is not what was simulated: this is a fault of the program, please report it");
    }
    let log = LogReader::open(log, None)?;
    let options = recount::default_options();
    let report = recount::compare(&election, &log, (store, &reader), &options, shutdown)?;
    if let Some(first) = report.differences.first().filter(|_| !shutdown.is_raised()) {
        bail!("the recount differs ({first}): this is a fault of the program, please report it");
    }
    Ok(report.elapsed)
}
