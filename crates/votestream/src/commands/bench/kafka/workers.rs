//! Several processes on one topic: what more of them cost, and how soon one takes over from another that was killed.

use super::report::{Takeover, Workers};
use super::{PARTITIONS, Place};
use anyhow::{Context, Result, bail};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use votestream_engine::count::first_pin;
use votestream_engine::produce::{Batcher, Pace, simulate_into_log};
use votestream_log::{LogReader, LogUrl};
use votestream_sim::{SimOptions, Simulation, Votes};
use votestream_store::{ReaderStore, WriterStore};

/// How long anything may take before it is given up.
const PATIENCE: Duration = Duration::from_mins(3);
/// How often the store is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Votes that come after the kill; enough for every partition to get some.
const LATE_VOTES: u64 = 1_000;

/// One worker, then as many as there are partitions.
pub fn scaling(place: &Place<'_>) -> Result<Vec<Workers>> {
    [1, PARTITIONS as usize].into_iter().map(|workers| scale(place, workers)).collect()
}

fn scale(place: &Place<'_>, workers: usize) -> Result<Workers> {
    start_over(place)?;
    let (before, began) = (children_cpu()?, Instant::now());
    let mut running = (0..workers).map(|_| worker(place, true)).collect::<Result<Vec<Running>>>()?;
    for worker in &mut running {
        worker.finish(place)?;
    }
    crate::commands::bench::prove(&place.store, place.simulation)?;
    let cpu = children_cpu()?.saturating_sub(before).as_secs_f64();
    Ok(Workers {
        processes: workers,
        cpu_s_per_million: cpu * 1e6 / place.simulation.records() as f64,
        seconds: began.elapsed().as_secs_f64(),
    })
}

/// Kills a worker that has counted all, while another stands by, and waits until votes that come then are counted.
pub fn takeover(place: &Place<'_>) -> Result<Takeover> {
    start_over(place)?;
    let first = worker(place, false)?;
    let counted = |records: u64| move |found: u64| found >= records;
    await_records(place, counted(place.simulation.records()))?;
    // The group gives some partitions to the second as it joins: the first keeps the others, with their voters.
    let second = worker(place, false)?;
    drop(first);
    let killed = Instant::now();
    let options = SimOptions { votes: Votes::Count(LATE_VOTES), seed: 2, ..SimOptions::default() };
    let late = Simulation::new(&place.election, &options)?;
    let writer = crate::commands::writing::open(&place.topic.to_string(), None)?;
    let durable = writer.resume(late.id())?;
    let mut batcher = Batcher::new(writer.handle(), writer.partitions(), Some((late.id(), durable)));
    simulate_into_log(&late, &mut batcher, Pace::Max, (place.shutdown, &|_| ()))?;
    writer.close()?;
    await_records(place, counted(place.simulation.records() + late.records()))?;
    let seconds = killed.elapsed().as_secs_f64();
    drop(second);
    Ok(Takeover { voters: place.simulation.votes(), seconds })
}

fn start_over(place: &Place<'_>) -> Result<()> {
    let log = LogReader::open_url(&LogUrl::Kafka(place.topic.clone()))?;
    let pin = first_pin(&log, &crate::commands::count::options(1))?;
    WriterStore::open(&place.store)?.start_over(&place.election, &pin, crate::commands::now())?;
    Ok(())
}

fn await_records(place: &Place<'_>, enough: impl Fn(u64) -> bool) -> Result<()> {
    let (store, began) = (ReaderStore::open(&place.store)?, Instant::now());
    loop {
        let snapshot = store.snapshot(&place.election.id)?;
        if enough(snapshot.progress.iter().map(votestream_election::delta::Progress::records).sum()) {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            bail!("the workers have not counted what was there within {} s", PATIENCE.as_secs());
        }
        if place.shutdown.wait(LOOK_EVERY) {
            bail!("stopped before all was measured");
        }
    }
}

/// A worker's process; killed where it is dropped.
struct Running(Child);

fn worker(place: &Place<'_>, until_end: bool) -> Result<Running> {
    let mut command = Command::new(std::env::current_exe().context("cannot find this program")?);
    command.args(["count", "-q", "--log", &place.topic.to_string()]);
    // In the environment: a password, where the URL has one, is not for the list of processes.
    command.env("VOTESTREAM_STORE", &place.store_text);
    if until_end {
        command.arg("--until-end");
    }
    let child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().context("cannot start a worker")?;
    Ok(Running(child))
}

impl Running {
    fn finish(&mut self, place: &Place<'_>) -> Result<()> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait()? {
                if status.success() {
                    return Ok(());
                }
                bail!("a worker ended with {status}");
            }
            if began.elapsed() > PATIENCE || place.shutdown.wait(LOOK_EVERY) {
                bail!("a worker did not come to an end");
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Processor time of the processes that were started here and have ended.
fn children_cpu() -> Result<Duration> {
    // The system's unit of these numbers, the same on every Linux that this runs on.
    const TICKS_A_SECOND: u64 = 100;
    let stat = std::fs::read_to_string("/proc/self/stat").context("cannot read /proc/self/stat")?;
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    // Fields 16 and 17 of proc(5), of which two stand before this text.
    let ticks: u64 =
        after_name.split_whitespace().skip(13).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 1_000 / TICKS_A_SECOND))
}
