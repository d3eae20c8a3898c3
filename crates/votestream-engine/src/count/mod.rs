//! Counting: threads that decide, one thread that commits. Deltas travel through a bounded channel; a sealed delta is never decided
//! again. Opening log and store, and everything shown, is the caller's.

mod commit;
mod decide;
mod latency;
mod load;

use crate::{EngineError, Shutdown};
use std::sync::Arc;
use std::time::Duration;
use votestream_election::delta::{Engine, PartitionDelta, Pin};
use votestream_election::fold::{Misrouted, PartitionCount};
use votestream_election::health::EngineHealth;
use votestream_election::partitioner::PartitionerSet;
use votestream_election::protocol::{FlushPolicy, LogFacts, check_log};
use votestream_election::{Election, Millis, Offset, PartitionId};
use votestream_log::LogReader;
use votestream_store::WriterStore;

/// A wall clock, passed in so that tests can hold it.
pub type Clock = fn() -> Millis;

/// How to count.
#[derive(Clone)]
pub struct CountOptions {
    /// Threads that decide; each has some of the partitions.
    pub threads: usize,
    /// Stop at the log's end as it is at start.
    pub until_end: bool,
    /// Count a log whose beginning is gone.
    pub from_log_start: bool,
    /// What to do with misrouted votes.
    pub misrouted: Misrouted,
    /// When to flush.
    pub flush: FlushPolicy,
    /// The wall clock.
    pub clock: Clock,
    /// Spreads slots of the voter table; no result depends on it.
    pub seed: u64,
    /// Voters to make room for, when more are to come than the log holds now; 0: unknown.
    pub voters_expected: u64,
}

/// What a caller is told after each commit, in commit order.
#[derive(Clone, Debug, Default)]
pub struct Committed {
    /// The store's sequence.
    pub sequence: u64,
    /// Records committed so far by this run.
    pub records: u64,
    /// First offset of each partition that is not committed, in partition order.
    pub next: Vec<Offset>,
    /// How the engine is doing.
    pub health: EngineHealth,
}

/// Receives a notice after each commit; it must not block.
pub type OnCommit = Arc<dyn Fn(&Committed) + Send + Sync>;

/// What a finished run did.
#[derive(Clone, Debug, Default)]
pub struct CountSummary {
    /// Records committed by this run.
    pub records: u64,
    /// Time from the start of reading to the last commit.
    pub elapsed: Duration,
    /// Time spent taking the partitions over and reading voters back.
    pub loaded_in: Duration,
    /// Voters read back.
    pub voters_loaded: u64,
    /// Flushes committed.
    pub flushes: u64,
    /// From a record's reading to its commit.
    pub latency: LatencySummary,
}

pub(crate) use decide::fold_batch;
pub use latency::LatencySummary;

/// Counts until the end (with `until_end`) or until told to stop.
pub fn run(
    election: &Election,
    log: &LogReader,
    store: &mut WriterStore,
    options: &CountOptions,
    shutdown: &Shutdown,
    on_commit: &OnCommit,
) -> Result<CountSummary, EngineError> {
    let ends = log.end_offsets()?;
    let pin = prepare(election, log, store, options)?;
    let began = std::time::Instant::now();
    let partitions: Vec<PartitionId> = (0..pin.partitions).map(PartitionId).collect();
    let states = store.take_over(&election.id, &partitions, Engine::Native)?;
    let next = states.iter().map(|state| state.progress.next_offset).collect();
    let counts = load::load(election, log, store, &pin, states, options)?;
    let mut summary = CountSummary {
        loaded_in: began.elapsed(),
        voters_loaded: counts.iter().map(|c| c.seen().len()).sum(),
        ..CountSummary::default()
    };
    tracing::info!(
        voters = summary.voters_loaded,
        ms = summary.loaded_in.as_millis(),
        "partitions taken over"
    );
    let until = options.until_end.then_some(ends);
    let stopped = Shutdown::new();
    let (sender, sealed) = std::sync::mpsc::sync_channel(options.threads);
    std::thread::scope(|scope| {
        let deciders: Vec<_> = share(counts, options.threads)
            .into_iter()
            .map(|share| {
                let (sender, stopped, until) = (sender.clone(), stopped.clone(), until.clone());
                let worker = decide::Decider::new(election, log, options, share, until);
                scope.spawn(move || worker.run(&sender, shutdown, &stopped))
            })
            .collect();
        drop(sender);
        let committed = commit::Committer::new(election, store, options, (on_commit, shutdown), next)
            .run(&sealed, &mut summary);
        // Deciders that wait for room must see that nobody will take more.
        stopped.raise();
        drop(sealed);
        let decided: Vec<_> =
            deciders.into_iter().map(|d| d.join().unwrap_or(Err(EngineError::Thread("deciding")))).collect();
        committed?;
        decided.into_iter().collect::<Result<Vec<()>, _>>()
    })?;
    Ok(summary)
}

/// Creates the election in the store, or finds it there, and checks that it was counted from this log.
pub fn prepare(
    election: &Election,
    log: &LogReader,
    store: &mut WriterStore,
    options: &CountOptions,
) -> Result<Pin, EngineError> {
    let pin = first_pin(log, options)?;
    store.create_or_resume(election, &pin, (options.clock)())?;
    let pin = store.pin(&election.id)?;
    check_log(
        &pin,
        &LogFacts { log_id: log.log_id(), partitions: log.partitions(), ends: log.end_offsets()? },
    )?;
    Ok(pin)
}

/// What a first run pins: this log, from its start.
pub fn first_pin(log: &LogReader, options: &CountOptions) -> Result<Pin, EngineError> {
    let start_offsets = log.start_offsets()?;
    if !options.from_log_start
        && let Some(late) = start_offsets.iter().position(|start| start.0 > 0)
    {
        return Err(EngineError::StartsLate {
            partition: PartitionId(late as u32),
            start: start_offsets[late],
        });
    }
    Ok(Pin {
        log_kind: "dir".to_owned(),
        log_id: log.log_id(),
        partitions: log.partitions(),
        start_offsets,
        partitioners: PartitionerSet::MURMUR2,
    })
}

/// Deals partitions out to threads.
fn share(counts: Vec<PartitionCount>, threads: usize) -> Vec<Vec<PartitionCount>> {
    let threads = threads.clamp(1, counts.len().max(1));
    let mut shares: Vec<Vec<PartitionCount>> = (0..threads).map(|_| Vec::new()).collect();
    for (i, count) in counts.into_iter().enumerate() {
        shares[i % threads].push(count);
    }
    shares
}

/// Sealed deltas of one deciding thread, on their way to the store.
struct Sealed {
    thread: usize,
    deltas: Vec<PartitionDelta>,
    /// When the oldest record in it was read.
    oldest: std::time::Instant,
    /// Voters remembered by this thread, and the bytes that takes.
    voters: (u64, u64),
}

/// Where each partition ends for `until_end`.
type Until = Option<Vec<Offset>>;
