//! Counting: threads that decide, one thread that commits. Deltas travel through a bounded channel; a sealed delta is never decided
//! again. Opening log and store, and everything shown, is the caller's.

mod assignment;
mod commit;
mod decide;
mod latency;
mod load;
mod patience;
pub(crate) mod release;
mod session;

pub use assignment::{Assigned, Assignment, Everything};

use crate::{EngineError, Shutdown};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use votestream_election::delta::{Engine, PartitionDelta, Pin};
use votestream_election::fold::{Misrouted, PartitionCount};
use votestream_election::framing::registry;
use votestream_election::health::EngineHealth;
use votestream_election::partitioner::PartitionerSet;
use votestream_election::protocol::{FlushPolicy, LogFacts, check_log};
use votestream_election::{Election, Millis, Offset, PartitionId};
use votestream_log::LogReader;
use votestream_store::{StoreError, WriterStore};

/// A wall clock, passed in so that tests can hold it.
pub type Clock = fn() -> Millis;

/// How long a worker with nothing to count waits before it looks again.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a worker whose flush was fenced waits to hear that the partition is another's: a heartbeat of the group.
const FENCED_PATIENCE: Duration = Duration::from_secs(3);

/// How long the first record of a partition is waited for, when looking at what a log holds.
const SAMPLE_PATIENCE: Duration = Duration::from_secs(5);

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

/// What a caller is told after each commit, in commit order, and where who publishes changes.
#[derive(Clone, Debug, Default)]
pub struct Committed {
    /// The store's sequence.
    pub sequence: u64,
    /// Records committed so far by this run.
    pub records: u64,
    /// First offset of each partition that is not committed, in partition order.
    pub next: Vec<Offset>,
    /// Whether this worker has the partition whose owner publishes for all.
    pub leads: bool,
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
    /// Time from taking the first partitions over to the last commit.
    pub elapsed: Duration,
    /// Time spent taking the partitions over and reading voters back.
    pub loaded_in: Duration,
    /// Voters read back.
    pub voters_loaded: u64,
    /// Flushes committed.
    pub flushes: u64,
    /// Processor time that flushing took here, in this process.
    pub flush_cpu: Duration,
    /// From a record's reading to its commit.
    pub latency: LatencySummary,
}

pub(crate) use decide::as_folded;
#[cfg(feature = "spark")]
pub(crate) use latency::Latency;
pub use latency::LatencySummary;
pub(crate) use load::{check_history, only};
pub(crate) use patience::may_pass;
pub use patience::{chain, patiently};

/// Counts until the end (with `until_end`) or until told to stop. Where the assignment is shared, until the end means that all of the
/// log's partitions are counted up to it, by whomever.
pub fn run(
    election: &Election,
    log: &LogReader,
    store: &mut WriterStore,
    options: &CountOptions,
    (assignment, shutdown): (&dyn Assignment, &Shutdown),
    on_commit: &OnCommit,
) -> Result<CountSummary, EngineError> {
    let patience = if assignment.shared() { Duration::MAX } else { Duration::ZERO };
    let prepared = patiently(shutdown, patience, may_pass, || {
        let ends = log.refresh_ends()?;
        prepare(election, log, store, options)?;
        counted_natively(election, store)?;
        Ok(ends)
    })?;
    let Some(ends) = prepared else { return Ok(CountSummary::default()) };
    if options.until_end {
        report_held_back(&ends, &log.high_watermarks()?);
    }
    let until = options.until_end.then_some(ends);
    let session = session::Session { election, log, options, assignment, shutdown, until: &until };
    let mut committer = commit::Committer::new(&session, store, on_commit);
    let mut summary = CountSummary::default();
    let mut held: Vec<PartitionCount> = Vec::new();
    // Whoever watches learns at once how far counting had come.
    if patiently(shutdown, patience, may_pass, || committer.begin())?.is_none() {
        return Ok(summary);
    }
    let mut pause = commit::Pause::default();
    loop {
        let assigned = assignment.now();
        held.retain(|count| assigned.partitions.contains(&count.partition()));
        let missing = |p: &PartitionId| !held.iter().any(|count| count.partition() == *p);
        let new: Vec<PartitionId> = assigned.partitions.iter().copied().filter(missing).collect();
        if !new.is_empty() {
            match take_over(&session, &mut committer, &new, &mut summary) {
                Ok(counts) => held.extend(counts),
                // Waited for here, and looked at anew: meanwhile the partitions may become another worker's.
                Err(error) if may_pass(&error).is_some() && assignment.shared() => {
                    if shutdown.is_raised() {
                        break;
                    }
                    committer.wait(&mut pause, error)?;
                    continue;
                }
                Err(error) => return Err(error),
            }
            pause = commit::Pause::default();
            held.sort_by_key(PartitionCount::partition);
        }
        committer.lead(&held);
        let mut lost = BTreeSet::new();
        // At the end asked for there is nothing to read, though others may still be counting theirs.
        if held.iter().any(|count| !decide::reached(&until, count)) {
            let stretch = session.stretch(
                std::mem::take(&mut held),
                assigned.generation,
                &mut committer,
                &mut summary,
            )?;
            (held, lost) = (stretch.counts, stretch.lost);
            held.retain(|count| !lost.contains(&count.partition()));
        }
        if shutdown.is_raised() || committer.all_counted(&until)? {
            break;
        }
        if committer.stand_up()? {
            continue;
        }
        // What somebody else has moved is usually theirs by now; this worker learns of it with the next answer of the group.
        let patience = if lost.is_empty() { LOOK_EVERY } else { FENCED_PATIENCE };
        assignment.wait_change(assigned.generation, patience)?;
    }
    committer.finish(&mut summary)?;
    Ok(summary)
}

/// Says where records are written that no reader may see yet, so that the end of the log is not where one would look for it.
pub(crate) fn report_held_back(ends: &[Offset], written: &[Offset]) {
    for (partition, (end, written)) in ends.iter().zip(written).enumerate().filter(|(_, (end, w))| w > end) {
        tracing::warn!(
            "an open transaction holds partition {partition} back at offset {end}: {} offsets above it are written and not counted; count again when its producer has committed, or after its timeout",
            written.0 - end.0
        );
    }
}

/// Takes partitions over and reads their voters back.
fn take_over(
    session: &session::Session<'_>,
    committer: &mut commit::Committer<'_>,
    partitions: &[PartitionId],
    summary: &mut CountSummary,
) -> Result<Vec<PartitionCount>, EngineError> {
    let began = std::time::Instant::now();
    let states = committer.take_over(partitions)?;
    // Its partitioners are those left by all who have counted so far.
    let pin = committer.store().pin(&session.election.id)?;
    let counts = load::load(session, committer.store(), &pin, states)?;
    let voters: u64 = counts.iter().map(|c| c.seen().len()).sum();
    summary.loaded_in += began.elapsed();
    summary.voters_loaded += voters;
    let taken = partitions.len();
    tracing::info!(partitions = taken, voters, ms = began.elapsed().as_millis(), "partitions taken over");
    Ok(counts)
}

/// Creates the election in the store, or finds it there, and checks that it was counted from this log.
pub fn prepare(
    election: &Election,
    log: &LogReader,
    store: &mut WriterStore,
    options: &CountOptions,
) -> Result<Pin, EngineError> {
    // A log whose beginning has gone since is no obstacle: it was counted.
    let pin = match store.pin(&election.id) {
        Ok(_) => pin_of(log)?,
        Err(StoreError::UnknownElection { .. } | StoreError::NoElection { .. }) => first_pin(log, options)?,
        Err(error) => return Err(error.into()),
    };
    store.create_or_resume(election, &pin, (options.clock)())?;
    let pin = store.pin(&election.id)?;
    check_log(
        &pin,
        &LogFacts { log_id: log.log_id(), partitions: log.partitions(), ends: log.end_offsets()? },
    )?;
    Ok(pin)
}

/// Refuses an election whose voters this engine does not have.
fn counted_natively(election: &Election, store: &WriterStore) -> Result<(), EngineError> {
    if store.snapshot(&election.id)?.is_inside() {
        return Ok(());
    }
    Err(StoreError::OtherEngine { election: election.id.clone(), asked: Engine::Native }.into())
}

/// What a first run pins: this log, from its start. Refuses one from which votes may be missing, unless that was asked for.
pub fn first_pin(log: &LogReader, options: &CountOptions) -> Result<Pin, EngineError> {
    let pin = pin_of(log)?;
    if options.from_log_start {
        return Ok(pin);
    }
    if log.cleanup_compacts()? {
        return Err(EngineError::Compacted);
    }
    if let Some(late) = pin.start_offsets.iter().position(|start| start.0 > 0) {
        let (partition, start) = (PartitionId(late as u32), pin.start_offsets[late]);
        return Err(EngineError::StartsLate { partition, start });
    }
    refuse_binary(log)?;
    Ok(pin)
}

fn pin_of(log: &LogReader) -> Result<Pin, EngineError> {
    Ok(Pin {
        log_kind: log.kind().to_owned(),
        log_id: log.log_id(),
        partitions: log.partitions(),
        start_offsets: log.start_offsets()?,
        partitioners: possible_partitioners(log),
    })
}

/// A topic whose first records are all Avro or Protobuf holds no vote that could be read: better said at once than in a million
/// rejects.
fn refuse_binary(log: &LogReader) -> Result<(), EngineError> {
    let (starts, ends) = (log.start_offsets()?, log.end_offsets()?);
    let mut schema = None;
    for (p, (start, end)) in starts.iter().zip(&ends).enumerate().filter(|(_, (start, end))| start < end) {
        let mut reader = log.partition(PartitionId(p as u32), *start)?;
        let began = std::time::Instant::now();
        while began.elapsed() < SAMPLE_PATIENCE {
            let Some(batch) = reader.next_batch()? else {
                log.wait_past(&only(log.partitions(), PartitionId(p as u32), reader.position()), LOOK_EVERY)?;
                continue;
            };
            let Some(record) = batch.records().next().filter(|_| !batch.is_skipped()) else {
                if batch.next_offset() >= *end {
                    break;
                }
                continue;
            };
            match registry::unframe(record?.value.unwrap_or_default()) {
                registry::Framing::Binary { schema_id } => schema = Some(schema_id),
                registry::Framing::Plain | registry::Framing::Json(_) => return Ok(()),
            }
            break;
        }
    }
    schema.map_or(Ok(()), |schema| Err(EngineError::Binary { schema }))
}

/// Our own log is dealt out by murmur2; who wrote a topic, and how, is found out from its votes.
pub(crate) fn possible_partitioners(log: &LogReader) -> PartitionerSet {
    if log.kind() == "dir" { PartitionerSet::MURMUR2 } else { PartitionerSet::ALL }
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
