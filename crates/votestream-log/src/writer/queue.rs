//! What producers, the writing thread and the syncing thread share: the bounded queue, what is written, what is synced, the failure.
//!
//! ```text
//! producers ─queue→ writing thread ─written→ syncing thread ─→ marks, watch, acknowledgements
//! ```

use super::sources::Sources;
use super::{Ack, TryAppendError};
use crate::batch::{RECORDS_BYTES_MAX, SealedBatch};
use crate::disk::DiskFile;
use crate::error::LogError;
use crate::watch::LogWatch;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use votestream_election::{Offset, PartitionId};

/// Most bytes (uncompressed) that wait to be written. A single batch may pass it when nothing else waits.
pub const QUEUE_BYTES_MAX: usize = 32 << 20;
/// Most batches that wait to be written.
pub const QUEUE_BATCHES_MAX: usize = 4096;
/// Most bytes that are written and not synced; the writing thread then waits for the disk.
pub const UNSYNCED_BYTES_MAX: u64 = 64 << 20;
/// Most batches that are written and wait for their acknowledgement.
pub const ACKS_WAITING_MAX: usize = 16_384;

pub(super) struct Shared {
    state: Mutex<State>,
    /// The writing thread waits here for batches, and for room among the unsynced.
    pub(super) work: Condvar,
    /// Producers wait here for room in the queue.
    room: Condvar,
    /// The syncing thread waits here.
    pub(super) dirty: Condvar,
    /// Those who flush wait here.
    synced: Condvar,
    pub(super) watch: LogWatch,
    pub(super) sources: Mutex<Vec<Sources>>,
    partitions: u32,
}

pub(super) struct State {
    queue: VecDeque<Item>,
    queue_bytes: usize,
    /// Batches ever queued, written, synced: they pass each stage in this order.
    queued: u64,
    pub(super) written: u64,
    pub(super) synced: u64,
    /// Someone waits until this many are synced.
    pub(super) flush_to: u64,
    pub(super) unsynced: Vec<Option<Unsynced>>,
    pub(super) unsynced_bytes: u64,
    pub(super) unsynced_since: Option<Instant>,
    pub(super) acks: Vec<(Range<Offset>, Ack)>,
    pub(super) closing: bool,
    pub(super) writing_ended: bool,
    failure: Option<LogError>,
}

/// A partition's end that is written and not synced: syncing `file` makes it durable, earlier segments being durable already.
#[derive(Clone)]
pub(super) struct Unsynced {
    pub(super) file: Arc<DiskFile>,
    pub(super) end: Offset,
}

pub(super) struct Item {
    pub(super) partition: PartitionId,
    pub(super) batch: SealedBatch,
    pub(super) ack: Option<Ack>,
}

/// A batch that was written.
pub(super) struct Written {
    pub(super) partition: PartitionId,
    pub(super) file: Arc<DiskFile>,
    pub(super) range: Range<Offset>,
    pub(super) bytes: u64,
    pub(super) ack: Option<Ack>,
}

impl Shared {
    pub(super) fn new(watch: LogWatch, sources: Vec<Sources>) -> Self {
        let partitions = sources.len();
        let state = State {
            queue: VecDeque::new(),
            queue_bytes: 0,
            queued: 0,
            written: 0,
            synced: 0,
            flush_to: 0,
            unsynced: vec![None; partitions],
            unsynced_bytes: 0,
            unsynced_since: None,
            acks: Vec::new(),
            closing: false,
            writing_ended: false,
            failure: None,
        };
        Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            room: Condvar::new(),
            dirty: Condvar::new(),
            synced: Condvar::new(),
            watch,
            sources: Mutex::new(sources),
            partitions: partitions as u32,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a batch, waiting for room.
    pub(super) fn push(&self, item: Item) -> Result<(), LogError> {
        self.admit(&item)?;
        let mut state = self.lock();
        loop {
            state.check()?;
            if state.has_room_for(item.batch.bytes()) {
                break;
            }
            state = wait(&self.room, state);
        }
        self.enqueue(state, item);
        Ok(())
    }

    /// Queues a batch, or gives it back when there is no room within `time`.
    pub(super) fn push_within(
        &self,
        partition: PartitionId,
        batch: SealedBatch,
        ack: Ack,
        time: Duration,
    ) -> Result<(), TryAppendError> {
        let item = Item { partition, batch, ack: None };
        self.admit(&item).map_err(TryAppendError::Refused)?;
        let until = Instant::now() + time;
        let mut state = self.lock();
        loop {
            state.check().map_err(TryAppendError::Refused)?;
            if state.has_room_for(item.batch.bytes()) {
                break;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(TryAppendError::Full(item.batch, ack));
            }
            state = self.room.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        self.enqueue(state, Item { ack: Some(ack), ..item });
        Ok(())
    }

    fn admit(&self, item: &Item) -> Result<(), LogError> {
        let bytes = item.batch.bytes();
        if item.partition.0 >= self.partitions {
            return Err(LogError::NoSuchPartition { partition: item.partition, partitions: self.partitions });
        }
        if bytes > RECORDS_BYTES_MAX {
            return Err(LogError::BatchTooLarge { bytes, bound: RECORDS_BYTES_MAX });
        }
        Ok(())
    }

    fn enqueue(&self, mut state: MutexGuard<'_, State>, item: Item) {
        state.queue_bytes += item.batch.bytes();
        state.queue.push_back(item);
        state.queued += 1;
        drop(state);
        self.work.notify_one();
    }

    /// The next batch to write; `None` when the log is closing and all is written, or has failed.
    pub(super) fn next(&self) -> Option<Item> {
        let mut state = self.lock();
        loop {
            if state.failure.is_some() {
                return None;
            }
            if state.may_write() {
                if let Some(item) = state.queue.pop_front() {
                    state.queue_bytes -= item.batch.bytes();
                    drop(state);
                    self.room.notify_all();
                    return Some(item);
                }
                if state.closing {
                    return None;
                }
            }
            state = wait(&self.work, state);
        }
    }

    /// Notes that a batch is written.
    pub(super) fn wrote(&self, written: Written) {
        let mut state = self.lock();
        if let Some(first) = &state.failure {
            // The syncing thread failed meanwhile: nobody will acknowledge this batch any more.
            let first = first.clone();
            drop(state);
            if let Some(ack) = written.ack {
                ack(Err(first));
            }
            return;
        }
        let end = written.range.end;
        state.unsynced[written.partition.0 as usize] = Some(Unsynced { file: written.file, end });
        state.unsynced_bytes += written.bytes;
        state.unsynced_since.get_or_insert_with(Instant::now);
        state.written += 1;
        state.acks.extend(written.ack.map(|ack| (written.range, ack)));
        drop(state);
        self.dirty.notify_one();
    }

    /// Notes that `written` batches are synced and marked.
    pub(super) fn all_synced(&self, written: u64) {
        self.lock().synced = written;
        self.synced.notify_all();
        self.work.notify_all();
    }

    /// Waits until all that is queued now is synced.
    pub(super) fn flush(&self) -> Result<(), LogError> {
        let mut state = self.lock();
        let upto = state.queued;
        while state.synced < upto {
            state.failed()?;
            state.flush_to = state.flush_to.max(upto);
            self.dirty.notify_one();
            state = wait(&self.synced, state);
        }
        state.failed()
    }

    /// Stops the writer for good: later calls are refused, and whoever waits is told `first`. The first failure counts.
    pub(super) fn fail(&self, first: &LogError) {
        let mut state = self.lock();
        if state.failure.is_some() {
            return;
        }
        tracing::error!(error = %first, "the vote log's writer stops");
        state.failure = Some(first.clone());
        let queued: Vec<Item> = state.queue.drain(..).collect();
        state.queue_bytes = 0;
        let mut acks: Vec<Ack> = state.acks.drain(..).map(|(_, ack)| ack).collect();
        drop(state);
        for waiting in [&self.work, &self.room, &self.dirty, &self.synced] {
            waiting.notify_all();
        }
        acks.extend(queued.into_iter().filter_map(|item| item.ack));
        for ack in acks {
            ack(Err(first.clone()));
        }
    }

    /// Refuses new batches; what is queued is still written and synced.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        for waiting in [&self.work, &self.room, &self.dirty] {
            waiting.notify_all();
        }
    }
}

impl State {
    /// Whether batches are taken.
    fn check(&self) -> Result<(), LogError> {
        self.failed()?;
        if self.closing { Err(LogError::Closed) } else { Ok(()) }
    }

    /// The failure that stopped the writer.
    pub(super) fn failed(&self) -> Result<(), LogError> {
        match &self.failure {
            Some(first) => Err(LogError::Poisoned { first: Arc::new(first.clone()) }),
            None => Ok(()),
        }
    }

    fn has_room_for(&self, bytes: usize) -> bool {
        self.queue.is_empty()
            || (self.queue_bytes + bytes <= QUEUE_BYTES_MAX && self.queue.len() < QUEUE_BATCHES_MAX)
    }

    fn may_write(&self) -> bool {
        self.unsynced_bytes < UNSYNCED_BYTES_MAX && self.acks.len() < ACKS_WAITING_MAX
    }
}

pub(super) fn wait<'a>(condvar: &Condvar, guard: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    condvar.wait(guard).unwrap_or_else(PoisonError::into_inner)
}
