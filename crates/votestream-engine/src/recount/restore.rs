//! A store built anew from an archive alone: its rows through the same fold as records, flush by flush. Counting goes on from the log
//! afterwards, where that is still there.

use super::archive::{pin_of, pseudonymous};
use crate::count::Clock;
use crate::{EngineError, Shutdown};
use std::sync::Mutex;
use std::sync::mpsc::{SyncSender, sync_channel};
use votestream_archive::Archive;
use votestream_election::delta::{Engine, FlushOutcome, PartitionDelta, PartitionState};
use votestream_election::fold::{Misrouted, PartitionCount};
use votestream_election::partitioner::PartitionerSet;
use votestream_election::releases;
use votestream_election::results::is_complete;
use votestream_election::seen::SeenVoters;
use votestream_election::{Election, Minute};
use votestream_store::WriterStore;

/// Records folded before they are flushed.
const FLUSH_RECORDS: u64 = 1_000_000;
/// Sealed deltas that wait for the store, for each thread.
const DELTAS_A_THREAD: usize = 1;

/// How to build a store from an archive.
pub struct RestoreOptions {
    /// Threads that fold, each a partition at a time.
    pub threads: usize,
    /// What becomes of misrouted votes.
    pub misrouted: Misrouted,
    /// The wall clock.
    pub clock: Clock,
    /// Spreads slots of the voter table; no result depends on it.
    pub seed: u64,
}

/// Counts the whole archive into a store that holds nothing of the election, or that is to forget what it holds; answers the records.
/// `progress` is told the records committed.
pub fn restore_store(
    election: &Election,
    archive: &Archive,
    store: &mut WriterStore,
    options: &RestoreOptions,
    (shutdown, progress): (&Shutdown, &dyn Fn(u64)),
) -> Result<u64, EngineError> {
    refuse_pseudonyms(archive)?;
    archive.refuse_pruned("no store can be built from what is left")?;
    // Narrowed anew, vote by vote, as counting the log does.
    let log = &archive.manifest().identity.log;
    let partitioners = PartitionerSet::from_text(&log.partitioners).unwrap_or(PartitionerSet::ALL);
    let pin = votestream_election::delta::Pin { partitioners, ..pin_of(archive) };
    store.start_over(election, &pin, (options.clock)())?;
    let states = store.take_over(&election.id, &pin.all(), Engine::Native)?;
    let todo = Mutex::new(states.into_iter().rev().collect::<Vec<_>>());
    let next = || todo.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
    let (sender, receiver) = sync_channel::<PartitionDelta>(options.threads.max(1) * DELTAS_A_THREAD);
    std::thread::scope(|scope| {
        let fold = |sender: SyncSender<PartitionDelta>| -> Result<(), EngineError> {
            while let Some(state) = next() {
                let place = (pin.partitions, partitioners);
                if !fold_partition(election, archive, (state, place), options, (shutdown, &sender))? {
                    break;
                }
            }
            Ok(())
        };
        let workers: Vec<_> = (0..options.threads.max(1))
            .map(|_| {
                let sender = sender.clone();
                scope.spawn(move || fold(sender))
            })
            .collect();
        drop(sender);
        let (mut records, mut minute) = (0, None);
        // Leaving early drops the receiver, on which every worker ends.
        let committed = receiver.into_iter().try_for_each(|delta| {
            let (partition, more) = (delta.partition, delta.counts.records());
            minute = minute.max(delta.minute);
            match store.flush(&election.id, &[delta], (options.clock)())? {
                FlushOutcome::Committed { .. } => records += more,
                FlushOutcome::Fenced(_) => return Err(EngineError::Fenced(partition)),
            }
            progress(records);
            Ok(())
        });
        for worker in workers {
            worker.join().unwrap_or(Err(EngineError::Thread("recounting")))?;
        }
        committed?;
        if let Some(minute) = minute.filter(|_| !shutdown.is_raised()) {
            finish(election, store, minute, options.clock)?;
        }
        Ok(records)
    })
}

fn refuse_pseudonyms(archive: &Archive) -> Result<(), EngineError> {
    if !pseudonymous(archive) {
        return Ok(());
    }
    let what = "holds pseudonyms in place of voters, so that no store built from it could tell who has voted; build it from the log";
    Err(EngineError::OtherArchive { url: archive.url(), what: what.to_owned() })
}

/// What a count does beside counting: small rows of voters put together, and what may be published of the demographics released.
fn finish(
    election: &Election,
    store: &mut WriterStore,
    minute: Minute,
    clock: Clock,
) -> Result<(), EngineError> {
    for partition in store.compaction_due(&election.id)? {
        store.compact_seen(&election.id, partition)?;
    }
    let complete = is_complete(election, &store.snapshot(&election.id)?);
    let (live, previous) = (store.full_cells(&election.id)?, store.demographics(&election.id)?);
    let blocks = releases::plan(&previous, &live, election, complete);
    let layout = election.layout();
    if layout.genders * layout.bands > 1 && !blocks.is_empty() {
        store.release(&election.id, &blocks, minute, clock())?;
    }
    Ok(())
}

/// Folds one partition into deltas; false where nobody takes them any more.
fn fold_partition(
    election: &Election,
    archive: &Archive,
    (state, place): (PartitionState, (u32, PartitionerSet)),
    options: &RestoreOptions,
    (shutdown, sender): (&Shutdown, &SyncSender<PartitionDelta>),
) -> Result<bool, EngineError> {
    let partition = state.progress.partition;
    let archived = archive.partition(partition);
    let (start, end) = (state.progress.start_offset, archived.next);
    let votes: u64 = archived.files.iter().map(|file| file.votes).sum();
    let seen = SeenVoters::new(election.duplicate, votes, options.seed);
    let mut fold = PartitionCount::new(election, state, seen, place, options.misrouted);
    fold.set_clock((options.clock)());
    let mut rows = archive.rows(partition, start);
    while let Some(batch) = rows.next_batch()? {
        for row in batch.rows() {
            fold.archived(election, row)?;
        }
        if fold.open_records() >= FLUSH_RECORDS || fold.crowded() {
            if shutdown.is_raised() {
                return Ok(false);
            }
            if let Some(delta) = fold.seal(end)
                && sender.send(delta).is_err()
            {
                return Ok(false);
            }
        }
    }
    fold.end_batch(end, archived.leader_epoch)?;
    Ok(fold.seal(end).is_none_or(|delta| sender.send(delta).is_ok()))
}
