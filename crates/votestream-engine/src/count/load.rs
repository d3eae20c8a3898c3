//! Taking over: voters read back from the store and the open leaf from the log, partitions side by side, before counting goes on.

use super::decide::as_folded;
use super::session::Session;
use crate::EngineError;
use std::sync::Mutex;
use std::time::Duration;
use votestream_election::delta::{PartitionState, Pin, Progress};
use votestream_election::event::EventParser;
use votestream_election::fold::PartitionCount;
use votestream_election::protocol::check_partition;
use votestream_election::seen::{SeenVoters, Unpacked, unpack};
use votestream_election::{Offset, PartitionId};
use votestream_log::LogReader;
use votestream_store::{SeenReader, WriterStore};

/// How long one wait for records of the log lasts.
const PATIENCE: Duration = Duration::from_millis(200);

/// Loads every partition, `options.threads` at a time; when told to stop meanwhile, some of them.
pub(super) fn load(
    session: &Session<'_>,
    store: &WriterStore,
    pin: &Pin,
    states: Vec<PartitionState>,
) -> Result<Vec<PartitionCount>, EngineError> {
    let options = session.options;
    // Asked for anew: whoever counted these partitions before may have read further than this worker has.
    let ends = session.log.refresh_ends()?;
    let todo = Mutex::new(states.into_iter().rev().collect::<Vec<_>>());
    let next = || todo.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
    let spare =
        Mutex::new((0..options.threads.max(1)).map(|_| store.seen_reader()).collect::<Result<Vec<_>, _>>()?);
    let work = || -> Result<Vec<PartitionCount>, EngineError> {
        let Some(reader) = spare.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop() else {
            return Ok(Vec::new());
        };
        let mut done = Vec::new();
        while let Some(state) = next() {
            done.extend(load_partition(session, &reader, (pin, &ends), state)?);
        }
        Ok(done)
    };
    let mut counts = Vec::new();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..options.threads.max(1)).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            counts.extend(worker.join().unwrap_or(Err(EngineError::Thread("loading")))?);
        }
        Ok::<_, EngineError>(())
    })?;
    counts.sort_by_key(PartitionCount::partition);
    Ok(counts)
}

fn load_partition(
    session: &Session<'_>,
    store: &SeenReader,
    (pin, ends): (&Pin, &[Offset]),
    state: PartitionState,
) -> Result<Option<PartitionCount>, EngineError> {
    let Session { election, log, options, .. } = *session;
    let progress = &state.progress;
    let (partition, counted) = (progress.partition, progress.counted);
    let (start, next) = (progress.start_offset, progress.next_offset);
    let end = ends[partition.0 as usize];
    check_history(log, progress, end)?;
    let waiting = end.0.saturating_sub(next.0);
    let expected = (options.voters_expected / u64::from(pin.partitions)).max(counted + waiting);
    let mut seen = SeenVoters::new(election.duplicate, expected + expected / 50, options.seed);
    let mut rows = Unpacked::default();
    store.for_each_seen(&election.id, partition, &mut |row| {
        rows.clear();
        unpack(&row.seen.bytes, &mut rows).map_err(|source| EngineError::Seen { partition, source })?;
        seen.load(&rows);
        Ok::<_, EngineError>(())
    })?;
    let open_leaf = state.open_leaf.clone();
    let mut count =
        PartitionCount::new(election, state, seen, (pin.partitions, pin.partitioners), options.misrouted);
    if !rebuild(session, &mut count, (start, next))? {
        return Ok(None);
    }
    if next > start {
        count.rebuilt(&open_leaf)?;
    }
    Ok(Some(count))
}

/// Whether the log still holds what was counted of a partition.
pub(crate) fn check_history(log: &LogReader, progress: &Progress, end: Offset) -> Result<(), EngineError> {
    let (start, next, counted_in) = (progress.start_offset, progress.next_offset, progress.leader_epoch);
    // Without an epoch to compare, only the end can tell.
    let epoch = match counted_in {
        0.. if next > start && end >= next => log.epoch_ending_at(progress.partition, next, counted_in)?,
        0.. => None,
        _ => Some(counted_in),
    };
    Ok(check_partition(progress.partition, (start, next), counted_in, end, epoch)?)
}

/// Feeds the open leaf's records to the ledger again; false when told to stop meanwhile.
fn rebuild(
    session: &Session<'_>,
    count: &mut PartitionCount,
    (start, next): (Offset, Offset),
) -> Result<bool, EngineError> {
    let (log, from) = (session.log, PartitionCount::rebuild_from(start, next));
    if from >= next {
        return Ok(true);
    }
    let mut parser = EventParser::new(session.election);
    let mut reader = log.partition(count.partition(), from)?;
    while !session.shutdown.is_raised() {
        let Some(batch) = reader.next_batch()? else {
            // Over a network what was counted before may still be on its way.
            log.wait_past(&only(log.partitions(), count.partition(), reader.position()), PATIENCE)?;
            continue;
        };
        if !batch.is_skipped() {
            for record in batch.records() {
                let record = record?;
                if record.offset >= next {
                    return Ok(true);
                }
                count.rebuild(&mut parser, &as_folded(&record));
            }
        }
        if batch.next_offset() >= next {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Places to wait past: one partition's, and none of the others.
pub(crate) fn only(partitions: u32, partition: PartitionId, at: Offset) -> Vec<Offset> {
    let mut past = vec![Offset(u64::MAX); partitions as usize];
    past[partition.0 as usize] = at;
    past
}
