//! What producers and the writer's threads share: the bounded queue, the partitions' lanes, who we are to the brokers, the failure.
//!
//! ```text
//! producers ─queue→ encoding thread ─lanes→ a sending thread a broker ─answers→ acknowledgements
//!                                      └─ in a source's transactions: once the committing thread has committed
//! ```

use super::lane::{Lane, Parcel, Stage, Where};
use crate::batch::{RECORDS_BYTES_MAX, SealedBatch, Stamp};
use crate::error::LogError;
use crate::kafka::NodeId;
use crate::watch::LogWatch;
use crate::writer::{Ack, QUEUE_BATCHES_MAX, QUEUE_BYTES_MAX, TryAppendError};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use votestream_election::{PartitionId, SourceId};

/// Most bytes (encoded) that are encoded and not acknowledged; the encoding thread then waits for the brokers.
pub(super) const ENCODED_BYTES_MAX: usize = 32 << 20;

pub(super) struct Shared {
    state: Mutex<State>,
    /// The encoding thread waits here.
    pub(super) work: Condvar,
    /// Producers wait here for room in the queue.
    room: Condvar,
    /// The sending, committing and metadata threads wait here.
    pub(super) moved: Condvar,
    /// Those who flush wait here.
    settled: Condvar,
    pub(super) watch: LogWatch,
    pub(super) topic: String,
}

pub(super) struct State {
    queue: VecDeque<Item>,
    queue_bytes: usize,
    /// Batches ever queued.
    queued: u64,
    /// The number of the batch that is being encoded.
    encoding: Option<u64>,
    /// Bytes in lanes.
    encoded_bytes: usize,
    pub(super) lanes: Vec<Lane>,
    /// Who leads each partition, as last told.
    pub(super) leaders: Vec<Option<NodeId>>,
    /// The metadata are to be read anew.
    pub(super) refresh: bool,
    /// Who we are to the brokers; the sequence number is each batch's own.
    pub(super) identity: Stamp,
    /// Counts the identities.
    pub(super) generation: u64,
    pub(super) transaction: Transaction,
    /// Those who wait in flush.
    pub(super) flushing: usize,
    /// After this nobody waits any more.
    deadline: Option<Instant>,
    pub(super) closing: bool,
    failure: Option<LogError>,
}

/// How the source's transaction stands.
#[derive(Default)]
pub(super) struct Transaction {
    pub(super) source: Option<SourceId>,
    pub(super) id: Option<Arc<str>>,
    pub(super) gate: Gate,
    /// The partitions that are part of it.
    pub(super) partitions: Vec<bool>,
    /// Bytes sent in it.
    pub(super) bytes: usize,
    /// When it began.
    pub(super) began: Option<Instant>,
    /// Why it cannot go on; the committing thread finds out what became of it.
    pub(super) broken: Option<LogError>,
}

impl Transaction {
    /// None is open.
    pub(super) fn end(&mut self) {
        self.gate = Gate::Shut;
        self.partitions.fill(false);
        self.bytes = 0;
        self.began = None;
    }
}

/// Whether batches may be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Gate {
    /// At any time: there are no transactions.
    #[default]
    Free,
    /// Those of the open transaction's partitions.
    Open,
    /// Only those that were sent in this transaction before.
    Closing,
    /// None.
    Shut,
}

struct Item {
    partition: PartitionId,
    batch: SealedBatch,
    ack: Option<Ack>,
}

/// A batch to be encoded.
pub(super) struct Job {
    pub(super) partition: PartitionId,
    pub(super) batch: SealedBatch,
    pub(super) ack: Option<Ack>,
    pub(super) number: u64,
}

impl Shared {
    pub(super) fn new(topic: String, watch: LogWatch, leaders: Vec<Option<NodeId>>, identity: Stamp) -> Self {
        let lanes: Vec<_> = watch.ends().into_iter().map(Lane::new).collect();
        let state = State {
            queue: VecDeque::new(),
            queue_bytes: 0,
            queued: 0,
            encoding: None,
            encoded_bytes: 0,
            lanes,
            leaders,
            refresh: false,
            identity,
            generation: 0,
            transaction: Transaction::default(),
            flushing: 0,
            deadline: None,
            closing: false,
            failure: None,
        };
        Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            room: Condvar::new(),
            moved: Condvar::new(),
            settled: Condvar::new(),
            watch,
            topic,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a batch, waiting for room.
    pub(super) fn push(
        &self,
        partition: PartitionId,
        batch: SealedBatch,
        ack: Option<Ack>,
    ) -> Result<(), LogError> {
        self.admit(partition, &batch)?;
        let mut state = self.lock();
        loop {
            state.check()?;
            if state.has_room_for(batch.bytes()) {
                break;
            }
            state = self.wait_bounded(&self.room, state)?;
        }
        self.enqueue(state, Item { partition, batch, ack });
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
        self.admit(partition, &batch).map_err(TryAppendError::Refused)?;
        let until = Instant::now() + time;
        let mut state = self.lock();
        loop {
            state.check().map_err(TryAppendError::Refused)?;
            if state.has_room_for(batch.bytes()) {
                break;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(TryAppendError::Full(batch, ack));
            }
            state = self.room.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        self.enqueue(state, Item { partition, batch, ack: Some(ack) });
        Ok(())
    }

    fn admit(&self, partition: PartitionId, batch: &SealedBatch) -> Result<(), LogError> {
        let (bytes, partitions) = (batch.bytes(), self.watch.ends().len() as u32);
        if partition.0 >= partitions {
            return Err(LogError::NoSuchPartition { partition, partitions });
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

    /// The next batch to encode; `None` when the log is closing and all is encoded, or has failed.
    pub(super) fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.failure.is_some() {
                return None;
            }
            if state.encoded_bytes < ENCODED_BYTES_MAX {
                if let Some(Item { partition, batch, ack }) = state.queue.pop_front() {
                    state.queue_bytes -= batch.bytes();
                    let number = state.queued - state.queue.len() as u64 - 1;
                    state.encoding = Some(number);
                    drop(state);
                    self.room.notify_all();
                    return Some(Job { partition, batch, ack, number });
                }
                if state.closing {
                    return None;
                }
            }
            state = wait(&self.work, state);
        }
    }

    /// Numbers and stamps an encoded batch and puts it into its lane.
    pub(super) fn encoded(&self, job: Job, mut bytes: Vec<u8>) {
        let Job { partition, batch, ack, number } = job;
        let (records, source) = (batch.records(), batch.source());
        drop(batch);
        let mut state = self.lock();
        let p = partition.0 as usize;
        let mut reserved = None;
        let sequence = loop {
            let generation = state.generation;
            match reserved {
                Some((stamped, sequence)) if stamped == generation => break sequence,
                _ => {}
            }
            let base_sequence = state.lanes[p].reserve(records);
            let stamp = Stamp { base_sequence, ..state.identity };
            drop(state);
            stamp.put(&mut bytes);
            reserved = Some((generation, base_sequence));
            state = self.lock();
        };
        state.encoding = None;
        if let Some(first) = state.failure.clone() {
            drop(state);
            if let Some(ack) = ack {
                ack(Err(first));
            }
            return;
        }
        state.encoded_bytes += bytes.len();
        state.lanes[p].parcels.push_back(Parcel {
            number,
            records,
            bytes: bytes.into(),
            sequence,
            source,
            ack,
            stage: Stage::Waiting,
            in_transaction: false,
        });
        drop(state);
        self.moved.notify_all();
    }

    /// Acknowledges what is done: in a transaction only once it is committed.
    pub(super) fn settle(&self, mut state: MutexGuard<'_, State>, committed: bool) {
        if state.transaction.gate != Gate::Free && !committed {
            drop(state);
            self.moved.notify_all();
            return;
        }
        let mut done = Vec::new();
        let mut freed = 0;
        for (p, lane) in state.lanes.iter_mut().enumerate() {
            for (parcel, place) in lane.take_done() {
                freed += parcel.bytes.len();
                lane.settled_index = parcel.source.map(|(_, index)| index).or(lane.settled_index);
                if let Where::At(range) = &place {
                    self.watch.advance(PartitionId(p as u32), range.end);
                }
                done.extend(parcel.ack.map(|ack| (ack, place)));
            }
        }
        state.encoded_bytes = state.encoded_bytes.saturating_sub(freed);
        drop(state);
        self.watch.wake();
        for (ack, place) in done {
            ack(match place {
                Where::At(range) => Ok(range),
                Where::Before => Err(LogError::PlaceUnknown),
            });
        }
        for waiting in [&self.moved, &self.work, &self.settled] {
            waiting.notify_all();
        }
    }

    /// Waits until all that is queued now is acknowledged.
    pub(super) fn flush(&self) -> Result<(), LogError> {
        let mut state = self.lock();
        let upto = state.queued;
        state.flushing += 1;
        self.moved.notify_all();
        let flushed = loop {
            if state.failure.is_some() || state.unsettled_from() >= upto {
                break state.failed();
            }
            match self.wait_bounded(&self.settled, state) {
                Ok(on) => state = on,
                Err(error) => {
                    state = self.lock();
                    break Err(error);
                }
            }
        };
        state.flushing -= 1;
        flushed
    }

    /// Rests, unless the writer ends meanwhile.
    pub(super) fn rest(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut state = self.lock();
        while !state.ended() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.moved.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Stops the writer for good: later calls are refused, and whoever waits is told `first`. The first failure counts.
    pub(super) fn fail(&self, first: &LogError) {
        let mut state = self.lock();
        if state.failure.is_some() {
            return;
        }
        tracing::error!(error = %first, topic = self.topic, "the writer to Kafka stops");
        state.failure = Some(first.clone());
        let mut acks: Vec<Ack> = state.queue.drain(..).filter_map(|item| item.ack).collect();
        state.queue_bytes = 0;
        for lane in &mut state.lanes {
            acks.extend(lane.parcels.drain(..).filter_map(|parcel| parcel.ack));
        }
        state.encoded_bytes = 0;
        drop(state);
        self.wake_all();
        for ack in acks {
            ack(Err(first.clone()));
        }
    }

    /// From now on nobody waits for the brokers beyond `deadline`: what is not acknowledged by then has failed.
    pub(super) fn give_up_at(&self, deadline: Instant) {
        let mut state = self.lock();
        state.deadline = Some(state.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
        drop(state);
        self.wake_all();
    }

    /// Refuses new batches; what is queued is still sent.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.wake_all();
    }

    fn wake_all(&self) {
        for waiting in [&self.work, &self.room, &self.moved, &self.settled] {
            waiting.notify_all();
        }
    }

    /// Waits on, but not beyond the deadline, at which the writer fails.
    fn wait_bounded<'a>(
        &self,
        condvar: &Condvar,
        state: MutexGuard<'a, State>,
    ) -> Result<MutexGuard<'a, State>, LogError> {
        let Some(deadline) = state.deadline else { return Ok(wait(condvar, state)) };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let (batches, records) = state.unacknowledged();
            drop(state);
            let error = LogError::NotAcknowledged { topic: self.topic.clone(), batches, records };
            self.fail(&error);
            return Err(error);
        }
        Ok(condvar.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0)
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

    /// The writer is done: it has failed, or is closed and all is acknowledged.
    pub(super) fn ended(&self) -> bool {
        self.failure.is_some() || (self.closing && self.unsettled_from() >= self.queued)
    }

    /// The metadata are to be read: someone says so, or a partition that has something to send has no leader.
    pub(super) fn wants_refresh(&self) -> bool {
        let mut lanes = self.lanes.iter().zip(&self.leaders);
        self.refresh || lanes.any(|(lane, leader)| leader.is_none() && lane.is_waiting())
    }

    /// Notes that a batch was put in other pieces.
    pub(super) fn resized(&mut self, before: usize, after: usize) {
        self.encoded_bytes = (self.encoded_bytes + after).saturating_sub(before);
    }

    /// Nothing waits to be encoded.
    pub(super) fn all_encoded(&self) -> bool {
        self.queue.is_empty() && self.encoding.is_none()
    }

    /// The number of the first batch that is not acknowledged.
    fn unsettled_from(&self) -> u64 {
        let in_lanes = self.lanes.iter().filter_map(|lane| lane.parcels.front()).map(|parcel| parcel.number);
        let queued = self.queued - self.queue.len() as u64;
        in_lanes.chain(self.encoding).chain([queued]).min().unwrap_or(queued)
    }

    fn unacknowledged(&self) -> (u64, u64) {
        let queued = self.queue.iter().map(|item| item.batch.records());
        let sent = self.lanes.iter().flat_map(|lane| &lane.parcels).map(|parcel| parcel.records);
        queued.chain(sent).fold((0, 0), |(batches, records), more| (batches + 1, records + u64::from(more)))
    }

    fn has_room_for(&self, bytes: usize) -> bool {
        self.queue.is_empty()
            || (self.queue_bytes + bytes <= QUEUE_BYTES_MAX && self.queue.len() < QUEUE_BATCHES_MAX)
    }
}

pub(super) fn wait<'a>(condvar: &Condvar, guard: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    condvar.wait(guard).unwrap_or_else(PoisonError::into_inner)
}
