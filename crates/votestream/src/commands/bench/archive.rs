//! `bench archive`: one log, counted, archived to files, and read back from there, in one run, so that the ratios hold where absolute
//! numbers drift.

use super::clock::{Cost, Watch};
use super::room::Room;
use super::{check, simulation};
use crate::args::Bench;
use crate::commands::{archive, count, threads};
use crate::progress::grouped;
use crate::{Outcome, signals};
use anyhow::{Context, Result, bail};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use votestream_archive::place::{self, Place};
use votestream_archive::{Archive, ArchiveUrl, Kept};
use votestream_election::{Offset, PartitionId};
use votestream_engine::Shutdown;
use votestream_engine::archive::{ArchiveOptions, OnArchived, run as run_archive};
use votestream_engine::count::{CountOptions, Everything, OnCommit, run as run_count};
use votestream_engine::produce::{Batcher, Pace, simulate_into_log};
use votestream_log::{DirLogUrl, LogReader, LogWriter, WriterOptions};
use votestream_sim::{Order, Simulation};
use votestream_store::{StoreUrl, WriterStore};

/// What was measured.
#[derive(Serialize)]
struct ArchiveReport {
    votes: u64,
    cores: usize,
    bytes_a_vote: f64,
    counted: Speed,
    archived: Speed,
    read: Speed,
    /// Votes archived in the processor time in which one is counted.
    archived_to_counted: f64,
}

#[derive(Serialize)]
struct Speed {
    votes_per_s: f64,
    cpu_ns_a_vote: f64,
    votes_per_s_a_core: f64,
}

impl Speed {
    fn new(votes: u64, cost: Cost) -> Self {
        let votes = votes as f64;
        Self {
            votes_per_s: votes / cost.wall.as_secs_f64().max(1e-9),
            cpu_ns_a_vote: cost.cpu.as_nanos() as f64 / votes.max(1.0),
            votes_per_s_a_core: votes / cost.cpu.as_secs_f64().max(1e-9),
        }
    }
}

/// Runs it.
pub fn run(args: &Bench) -> Result<Outcome> {
    let simulation = simulation(args.votes.parse()?, Order::Shuffled)?;
    let shutdown = signals::listen()?;
    let room = Room::make(args.dir.as_deref(), &simulation)?;
    let dir = room.sub("archive")?;
    let url = DirLogUrl::new(dir.join("log"));
    write(&simulation, &url, &shutdown)?;
    let log = LogReader::open(&url, None)?;
    let votes: u64 = log.end_offsets()?.iter().map(|end| end.0).sum();
    let counted = counted(&simulation, &log, &dir, &shutdown)?;
    check(&shutdown)?;
    let place = place::open(&ArchiveUrl::File(dir.join("files")))?;
    let archived = archived(&simulation, &log, &place, &shutdown)?;
    check(&shutdown)?;
    let archive = Archive::open(Arc::clone(&place))?;
    if archive.manifest().rows() != votes {
        bail!("not every record was archived: this is a fault of the program, please report it");
    }
    let read = read(&archive, votes)?;
    let report = ArchiveReport {
        votes,
        cores: threads(None),
        bytes_a_vote: archive.manifest().bytes() as f64 / votes.max(1) as f64,
        counted: Speed::new(votes, counted),
        archived: Speed::new(votes, archived),
        read: Speed::new(votes, read),
        archived_to_counted: counted.cpu.as_secs_f64() / archived.cpu.as_secs_f64().max(1e-9),
    };
    super::print(args.format, &report, || table(&report))?;
    Ok(Outcome::Done)
}

/// Writes the log that all is measured on.
fn write(simulation: &Simulation, url: &DirLogUrl, shutdown: &Shutdown) -> Result<()> {
    let writer = LogWriter::open(url, WriterOptions::default())?;
    let mut batcher = Batcher::new(writer.handle(), writer.partitions(), None);
    simulate_into_log(simulation, &mut batcher, Pace::Max, (shutdown, &|_| ()))?;
    writer.close()?;
    check(shutdown)
}

fn counted(simulation: &Simulation, log: &LogReader, dir: &Path, shutdown: &Shutdown) -> Result<Cost> {
    let mut store = WriterStore::open(&StoreUrl::sqlite(dir.join("results.db")))?;
    let options =
        CountOptions { until_end: true, ..count::options(threads(None).min(log.partitions() as usize)) };
    let on_commit: OnCommit = Arc::new(|_| ());
    let watch = Watch::start();
    let everything = Everything::of(log);
    run_count(&simulation.election(), log, &mut store, &options, (&everything, shutdown), &on_commit)?;
    Ok(watch.cost())
}

fn archived(
    simulation: &Simulation,
    log: &LogReader,
    place: &Arc<dyn Place>,
    shutdown: &Shutdown,
) -> Result<Cost> {
    let kept = Kept { every_value: false, pseudonyms: None };
    let options = ArchiveOptions {
        until_end: true,
        ..archive::options(threads(None).min(log.partitions() as usize), kept)
    };
    let on_archived: OnArchived = Arc::new(|_| ());
    let watch = Watch::start();
    run_archive(&simulation.election(), log, place, &options, shutdown, &on_archived)?;
    Ok(watch.cost())
}

/// Reads every row, on all cores.
fn read(archive: &Archive, votes: u64) -> Result<Cost> {
    let next = AtomicU32::new(0);
    let work = || -> Result<u64> {
        let mut read = 0;
        loop {
            let partition = next.fetch_add(1, Ordering::Relaxed);
            if partition >= archive.manifest().identity.log.partitions {
                return Ok(read);
            }
            let mut rows = archive.rows(PartitionId(partition), Offset(0));
            while let Some(batch) = rows.next_batch()? {
                read += std::hint::black_box(batch.rows()).len() as u64;
            }
        }
    };
    let watch = Watch::start();
    let read = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..threads(None)).map(|_| scope.spawn(work)).collect();
        readers.into_iter().try_fold(0, |sum, reader| {
            Ok::<_, anyhow::Error>(sum + reader.join().ok().context("a reading thread failed")??)
        })
    })?;
    if read != votes {
        bail!("{read} rows were read of {votes}: this is a fault of the program, please report it");
    }
    Ok(watch.cost())
}

fn table(report: &ArchiveReport) -> String {
    let mut text = format!(
        "{} votes, {} cores; {:.1} bytes a vote in the archive\n{:<24} {:>14} {:>16} {:>18}\n",
        grouped(report.votes),
        report.cores,
        report.bytes_a_vote,
        "",
        "votes/s",
        "CPU ns a vote",
        "votes/s a core"
    );
    let lines = [
        ("counted (reference)", &report.counted),
        ("archived to files", &report.archived),
        ("read from the archive", &report.read),
    ];
    for (name, speed) in lines {
        let _ = writeln!(
            text,
            "{name:<24} {:>14} {:>16.0} {:>18}",
            grouped(speed.votes_per_s as u64),
            speed.cpu_ns_a_vote,
            grouped(speed.votes_per_s_a_core as u64)
        );
    }
    let _ = writeln!(text, "archived to counted, by processor time: {:.2}", report.archived_to_counted);
    text
}
