//! A topic read by librdkafka (`?reader=librdkafka`): slower than our own reader, with its ways to prove who we are.
//!
//! Each reader of a partition has a consumer and a thread that empties it into blocks; group, offsets and ends are asked as ever.
//! librdkafka tells neither the topic's id nor epochs, so a block is given out only after the metadata, read when all of it had come,
//! showed the same topic and the same leader as before; otherwise it is thrown away and read again.
//!
//! **Invariant:** what waits to be read is bounded, by reader, in librdkafka's queue and in ours.

mod look;

mod pump;

use super::fetch::KafkaLog;
use crate::batch::Block;
use crate::error::LogError;
use crate::kafka_url::KafkaUrl;
use crate::reader::{Batch, Place};
use look::Look;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};
use votestream_election::{Offset, PartitionId};

/// Most bytes of blocks that wait for one reader, beyond the one being filled.
const WAITING_BYTES_MAX: usize = 8 << 20;
/// How often the ends of partitions are asked for that somebody waits for and nobody reads.
const UNREAD_PERIOD: Duration = Duration::from_millis(500);

/// A topic open for reading. Clones share what they know.
#[derive(Clone, Debug)]
pub(crate) struct RdLog {
    /// Asked for all but records; it fetches nothing.
    log: KafkaLog,
    shared: Arc<Shared>,
}

/// What readers and their threads share.
#[derive(Debug)]
struct Shared {
    url: KafkaUrl,
    partitions: usize,
    look: Mutex<Look>,
    state: Mutex<State>,
    /// A block came, or a reader failed.
    news: Condvar,
    /// A block was read, or a reader is gone.
    room: Condvar,
}

#[derive(Debug, Default)]
struct State {
    feeds: Vec<Feed>,
    feeds_ever: u64,
    /// The ends that the readers have come to.
    ends: Vec<Offset>,
    /// What ended a reader and ends every other one as well.
    failed: Option<LogError>,
}

/// What a thread has for its reader.
#[derive(Debug)]
struct Feed {
    id: u64,
    partition: PartitionId,
    blocks: VecDeque<Block>,
    bytes: usize,
    failed: Option<LogError>,
    /// What keeps it from reading, but may pass.
    trouble: Option<String>,
    spare: Vec<Vec<u8>>,
}

/// Reads one partition of a topic.
#[derive(Debug)]
pub(crate) struct RdPartition {
    shared: Arc<Shared>,
    feed: u64,
    partition: PartitionId,
    /// Records before it are dropped.
    from: Offset,
    position: Offset,
    /// The block that was last given out.
    given: Option<Block>,
    pump: Option<Thread>,
}

impl RdLog {
    pub(crate) fn open(url: &KafkaUrl) -> Result<Self, LogError> {
        let log = KafkaLog::open(url)?;
        let ends = log.end_offsets();
        let shared = Shared {
            url: url.clone(),
            partitions: ends.len(),
            look: Mutex::new(Look::new(log.log_id())),
            state: Mutex::new(State { ends, ..State::default() }),
            news: Condvar::new(),
            room: Condvar::new(),
        };
        Ok(Self { log, shared: Arc::new(shared) })
    }

    /// The same topic, to be asked for all but records.
    pub(crate) fn log(&self) -> &KafkaLog {
        &self.log
    }

    pub(crate) fn end_offsets(&self) -> Vec<Offset> {
        let state = self.shared.lock();
        self.log.end_offsets().into_iter().zip(&state.ends).map(|(told, come)| told.max(*come)).collect()
    }

    pub(crate) fn wait_past(&self, past: &[Offset], timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = self.shared.lock();
        loop {
            let (found, unread) = state.has_past(past);
            if found {
                return true;
            }
            let mut left = deadline.saturating_duration_since(Instant::now());
            if !unread.is_empty() {
                drop(state);
                let ends = self.log.end_offsets();
                if unread.iter().any(|at| ends.get(*at) > past.get(*at)) {
                    return true;
                }
                left = left.min(UNREAD_PERIOD);
                state = self.shared.lock();
            }
            if left.is_zero() {
                return false;
            }
            state = self.shared.news.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            if !unread.is_empty() {
                drop(state);
                // What fails is asked again after the next wait, and told by whoever reads.
                let _ = self.log.refresh_ends();
                state = self.shared.lock();
            }
        }
    }

    pub(crate) fn partition(&self, partition: PartitionId, from: Offset) -> RdPartition {
        let feed = self.shared.open(partition);
        let started = pump::start(&self.shared, feed, partition, from);
        let pump = match started {
            Ok(pump) => Some(pump),
            Err(error) => {
                self.shared.fail(feed, error);
                None
            }
        };
        RdPartition {
            shared: Arc::clone(&self.shared),
            feed,
            partition,
            from,
            position: from,
            given: None,
            pump,
        }
    }

    pub(crate) fn trouble(&self) -> Option<String> {
        self.shared.lock().feeds.iter().find_map(|feed| feed.trouble.clone())
    }
}

impl RdPartition {
    /// The next block as a batch; `None` when none is there yet.
    pub(crate) fn next_batch(&mut self) -> Result<Option<Batch<'_>>, LogError> {
        let last = self.given.take();
        self.given = self.shared.take(self.feed, last)?;
        let Some(block) = &self.given else { return Ok(None) };
        self.position = block.next_offset();
        let batch = block.batch();
        let base = batch.header().base_offset;
        let place = Place::Topic { topic: &self.shared.url.topic, partition: self.partition, base };
        Ok(Some(Batch::new(batch, self.from, false, place)))
    }

    /// The offset of the next record.
    pub(crate) fn position(&self) -> Offset {
        self.position
    }

    /// The partition.
    pub(crate) fn partition(&self) -> PartitionId {
        self.partition
    }
}

impl Drop for RdPartition {
    fn drop(&mut self) {
        self.shared.lock().feeds.retain(|feed| feed.id != self.feed);
        self.shared.room.notify_all();
        // The thread finds its feed gone, and closes its consumer by itself.
        if let Some(pump) = &self.pump {
            pump.unpark();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, partition: PartitionId) -> u64 {
        let mut state = self.lock();
        state.feeds_ever += 1;
        let id = state.feeds_ever;
        let (blocks, spare, failed) = (VecDeque::new(), Vec::new(), state.failed.clone());
        state.feeds.push(Feed { id, partition, blocks, bytes: 0, failed, trouble: None, spare });
        id
    }

    fn fail(&self, feed: u64, error: LogError) {
        let mut state = self.lock();
        if let Some(feed) = state.feed(feed) {
            feed.failed = Some(error.clone());
        }
        // What is wrong with one partition's log is not wrong with another's.
        if !matches!(error, LogError::Truncated { .. } | LogError::BeforeStart { .. }) {
            state.failed = Some(error);
        }
        drop(state);
        self.news.notify_all();
    }

    fn set_trouble(&self, feed: u64, trouble: Option<String>) {
        if let Some(feed) = self.lock().feed(feed) {
            feed.trouble = trouble;
        }
    }

    /// The next block. `last`, which was given before, is taken back.
    fn take(&self, feed: u64, last: Option<Block>) -> Result<Option<Block>, LogError> {
        let mut state = self.lock();
        let Some(feed) = state.feed(feed) else { return Ok(None) };
        if let Some(last) = last.filter(|last| last.bytes() > 0 && feed.spare.len() < 2) {
            feed.spare.push(last.into_buffer());
        }
        let Some(block) = feed.blocks.pop_front() else {
            return feed.failed.clone().map_or(Ok(None), Err);
        };
        feed.bytes -= block.bytes();
        drop(state);
        self.room.notify_all();
        Ok(Some(block))
    }

    /// Hands a block to its reader once there is room. `false`: the reader is gone.
    fn push(&self, id: u64, block: Block) -> bool {
        let mut state = self.lock();
        loop {
            let Some(feed) = state.feed(id) else { return false };
            if feed.bytes < WAITING_BYTES_MAX {
                break;
            }
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let next = block.next_offset();
        let Some(feed) = state.feed(id) else { return false };
        feed.bytes += block.bytes();
        feed.blocks.push_back(block);
        let at = feed.partition.0 as usize;
        if let Some(end) = state.ends.get_mut(at) {
            *end = next.max(*end);
        }
        drop(state);
        self.news.notify_all();
        true
    }

    /// An empty buffer for a feed's next block; `None`: its reader is gone.
    fn buffer(&self, feed: u64) -> Option<Vec<u8>> {
        self.lock().feed(feed).map(|feed| feed.spare.pop().unwrap_or_default())
    }

    fn is_open(&self, feed: u64) -> bool {
        self.lock().feed(feed).is_some()
    }
}

impl State {
    fn feed(&mut self, id: u64) -> Option<&mut Feed> {
        self.feeds.iter_mut().find(|feed| feed.id == id)
    }

    /// Whether a reader has something past a place, or failed; and the wanted partitions that nobody reads.
    fn has_past(&self, past: &[Offset]) -> (bool, Vec<usize>) {
        let mut unread = Vec::new();
        for (at, past) in past.iter().enumerate().filter(|(_, past)| past.0 != u64::MAX) {
            let mut feeds = self.feeds.iter().filter(|feed| feed.partition.0 as usize == at).peekable();
            if feeds.peek().is_none() {
                unread.push(at);
            }
            for feed in feeds {
                let block = feed.blocks.back();
                if feed.failed.is_some() || block.is_some_and(|block| block.next_offset() > *past) {
                    return (true, unread);
                }
            }
        }
        (false, unread)
    }
}
