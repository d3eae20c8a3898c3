//! Waits at a steady rate: votes come as `up --rate` has them come, and are counted as it counts them. Measured is each vote's wait from
//! its being durable in the log, which is when it is acknowledged, to its being committed in the results; and what all of it costs.

use super::clock::Watch;
use super::path::{log_url, store_url};
use super::report::{LatencyReport, Wait};
use super::room::Room;
use crate::commands::{count, threads};
use crate::progress;
use anyhow::{Context, Result, bail};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use votestream_election::definition::US_PRESIDENT_2024;
use votestream_election::{Election, Offset};
use votestream_engine::Shutdown;
use votestream_engine::count::{Committed, CountOptions, Everything, OnCommit, run as run_count};
use votestream_engine::produce::{Batcher, Pace, simulate_into_log};
use votestream_log::{LogReader, LogWatch, LogWriter, WriterOptions};
use votestream_sim::{SimOptions, Simulation, Votes};
use votestream_store::WriterStore;

/// Its directory in the room.
pub const DIR: &str = "latency";
/// How long votes come.
const COME_FOR: Duration = Duration::from_secs(6);
/// Of that, how long what is measured does not count: first pages, first statements.
const WARM_UP: Duration = Duration::from_secs(1);
/// Longest that the last votes are waited for.
const DONE_MAX: Duration = Duration::from_secs(30);
/// Longest between two looks at whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The partitions' ends as they moved.
type Moves = Vec<(Instant, Vec<Offset>)>;

/// Measures it at `rate` votes a second.
pub fn measure(room: &Room, rate: u64, shutdown: &Shutdown) -> Result<LatencyReport> {
    let dir = room.sub(DIR)?;
    let election = Election::preset(US_PRESIDENT_2024).context("the default preset is gone")?;
    let votes = Votes::Count(rate * COME_FOR.as_secs());
    let simulation = Simulation::new(&election, &SimOptions { votes, ..SimOptions::default() })?;
    let writer = LogWriter::open(&log_url(&dir), WriterOptions::default())?;
    let log = LogReader::open(&log_url(&dir), Some(writer.watch()))?;
    let mut store = WriterStore::open(&store_url(&dir))?;
    let options = CountOptions {
        voters_expected: simulation.votes(),
        ..count::options(threads(None).min(writer.partitions() as usize))
    };
    let commits = Arc::new(Mutex::new(Moves::new()));
    let noted = Arc::clone(&commits);
    let on_commit: OnCommit = Arc::new(move |committed: &Committed| {
        lock(&noted).push((Instant::now(), committed.next.clone()));
    });
    let (end, election) = (Shutdown::new(), simulation.election());
    let (began, cost, durable) = std::thread::scope(|scope| {
        let counting = scope.spawn(|| {
            let counted =
                run_count(&election, &log, &mut store, &options, (&Everything::of(&log), &end), &on_commit);
            end.raise();
            counted
        });
        let (began, watch) = (Instant::now(), Watch::start());
        let following = scope.spawn(|| follow(&writer.watch(), simulation.records(), &end, shutdown));
        let mut batcher = Batcher::new(writer.handle(), writer.partitions(), None);
        let bar = progress::records(Some(simulation.records()), "waits at a steady rate");
        let tell = |at| bar.set_position(at);
        let played = simulate_into_log(&simulation, &mut batcher, Pace::Rate(rate as f64), (&end, &tell));
        let cost = watch.cost();
        bar.finish_and_clear();
        wait_until_committed(&writer.end_offsets(), &commits, &end);
        end.raise();
        let durable = following.join().map_err(|_| anyhow::anyhow!("the following thread failed"))?;
        counting.join().map_err(|_| anyhow::anyhow!("the counting thread failed"))??;
        played?;
        anyhow::Ok((began, cost, durable))
    })?;
    super::check(shutdown)?;
    writer.close()?;
    let commits = lock(&commits);
    Ok(LatencyReport {
        votes_per_s: rate,
        seconds: COME_FOR.as_secs_f64(),
        commits: commits.len() as u64,
        acknowledged_to_committed: percentiles(waits(&durable, &commits, began + WARM_UP)?),
        cpu_share_of_a_core: cost.cpu.as_secs_f64() / cost.wall.as_secs_f64(),
    })
}

/// Notes when which records were durable, until all are or somebody wants it to end.
fn follow(watch: &LogWatch, records: u64, end: &Shutdown, shutdown: &Shutdown) -> Moves {
    let mut moves = Moves::new();
    let mut ends = vec![Offset(0); watch.ends().len()];
    while ends.iter().map(|end| end.0).sum::<u64>() < records && !end.is_raised() {
        if shutdown.is_raised() {
            end.raise();
        }
        if watch.wait_past(&ends, LOOK_EVERY) {
            ends = watch.ends();
            moves.push((Instant::now(), ends.clone()));
        }
    }
    moves
}

fn wait_until_committed(ends: &[Offset], commits: &Mutex<Moves>, end: &Shutdown) {
    let began = Instant::now();
    let done = || lock(commits).last().is_some_and(|(_, next)| next == ends);
    while !done() && began.elapsed() < DONE_MAX && !end.wait(LOOK_EVERY) {}
}

/// How long records waited from the first move to the second, and how many did; those of before `from` left out.
fn waits(durable: &Moves, committed: &Moves, from: Instant) -> Result<Vec<(Duration, u64)>> {
    let mut waits = Vec::new();
    let partitions = durable.first().map_or(0, |(_, ends)| ends.len());
    for partition in 0..partitions {
        let mut next = Offset(0);
        let mut commits = committed.iter().peekable();
        for (at, ends) in durable {
            while next < ends[partition] {
                let Some((committed_at, committed)) = commits.peek() else {
                    bail!("a vote was acknowledged and not committed within {} s", DONE_MAX.as_secs());
                };
                if committed[partition] <= next {
                    commits.next();
                    continue;
                }
                let to = committed[partition].min(ends[partition]);
                if *at >= from {
                    waits.push((committed_at.saturating_duration_since(*at), to.0 - next.0));
                }
                next = to;
            }
        }
    }
    Ok(waits)
}

/// Percentiles of waits, each so many votes'.
fn percentiles(mut waits: Vec<(Duration, u64)>) -> Wait {
    waits.sort_unstable();
    let votes: u64 = waits.iter().map(|(_, votes)| votes).sum();
    let at = |share: f64| {
        let rank = (votes as f64 * share) as u64;
        let mut passed = 0;
        let wait = waits.iter().find(|(_, votes)| {
            passed += votes;
            passed > rank
        });
        wait.or(waits.last()).map_or(0.0, |(wait, _)| wait.as_secs_f64() * 1e3)
    };
    Wait { votes, p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1.0) }
}

fn lock(moves: &Mutex<Moves>) -> std::sync::MutexGuard<'_, Moves> {
    moves.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_across_two_commits_waits_twice() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let at = |after, ends: [u64; 2]| (start + ms(after), ends.map(Offset).to_vec());
        let durable = vec![at(5, [0, 10]), at(8, [3, 14])];
        let committed = vec![at(7, [0, 4]), at(20, [3, 14])];
        let mut found = waits(&durable, &committed, start).unwrap();
        found.sort();
        assert_eq!(found, [(ms(2), 4), (ms(12), 3), (ms(12), 4), (ms(15), 6)]);
        let wait = percentiles(found);
        assert_eq!(wait.votes, 17);
        assert!((wait.p50_ms - 12.0).abs() < 1e-9 && (wait.max_ms - 15.0).abs() < 1e-9, "{wait:?}");
        assert!(waits(&durable, &committed[..1].to_vec(), start).is_err());
    }
}
