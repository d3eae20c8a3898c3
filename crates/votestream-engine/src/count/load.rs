//! Taking over: voters read back from the store and the open leaf from the log, partitions side by side, before counting goes on.

use super::CountOptions;
use super::decide::as_folded;
use crate::EngineError;
use std::sync::Mutex;
use votestream_election::Election;
use votestream_election::delta::{PartitionState, Pin};
use votestream_election::event::EventParser;
use votestream_election::fold::PartitionCount;
use votestream_election::protocol::check_partition;
use votestream_election::seen::{SeenVoters, Unpacked, unpack};
use votestream_log::LogReader;
use votestream_store::{SeenReader, WriterStore};

/// Loads every partition, `options.threads` at a time.
pub(super) fn load(
    election: &Election,
    log: &LogReader,
    store: &WriterStore,
    pin: &Pin,
    states: Vec<PartitionState>,
    options: &CountOptions,
) -> Result<Vec<PartitionCount>, EngineError> {
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
            done.push(load_partition(election, log, &reader, pin, state, options)?);
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
    election: &Election,
    log: &LogReader,
    store: &SeenReader,
    pin: &Pin,
    state: PartitionState,
    options: &CountOptions,
) -> Result<PartitionCount, EngineError> {
    let progress = state.progress.clone();
    let partition = progress.partition;
    let (start, next) = (progress.start_offset, progress.next_offset);
    let end = log.end_offsets()?[partition.0 as usize];
    let epoch = if next > start && end >= next {
        log.epoch_ending_at(partition, next, progress.leader_epoch)?
    } else {
        None
    };
    check_partition(partition, (start, next), progress.leader_epoch, end, epoch)?;
    let waiting = end.0.saturating_sub(next.0);
    let expected = (options.voters_expected / u64::from(pin.partitions)).max(progress.counted + waiting);
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
    rebuild(election, log, &mut count, (start, next))?;
    if next > start {
        count.rebuilt(&open_leaf)?;
    }
    Ok(count)
}

/// Feeds the open leaf's records to the ledger again.
fn rebuild(
    election: &Election,
    log: &LogReader,
    count: &mut PartitionCount,
    (start, next): (votestream_election::Offset, votestream_election::Offset),
) -> Result<(), EngineError> {
    let from = PartitionCount::rebuild_from(start, next);
    if from >= next {
        return Ok(());
    }
    let mut parser = EventParser::new(election);
    let mut reader = log.partition(count.partition(), from)?;
    while let Some(batch) = reader.next_batch()? {
        if !batch.is_skipped() {
            for record in batch.records() {
                let record = record?;
                if record.offset >= next {
                    return Ok(());
                }
                count.rebuild(&mut parser, &as_folded(&record));
            }
        }
        if batch.next_offset() >= next {
            break;
        }
    }
    Ok(())
}
