//! What the fetch threads share: who leads each partition, how far each reader has been fetched, and its answers that wait to be read.
//!
//! Decisions only: no sockets and no waiting. Times are passed in.

use super::aborted::AbortedTransaction;
use super::feed::{Chunk, Feed};
use super::plan::{Ask, Check, QUEUE_BYTES_MAX, WAITING_BYTES_MAX};
use super::walk::walk;
use crate::batch::BatchError;
use crate::error::LogError;
use crate::kafka::NodeId;
use crate::kafka::backoff::Backoff;
use crate::kafka::client::Leader;
use crate::kafka::error::{self, Sort};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use votestream_election::{Offset, PartitionId};

/// Kafka's code of an offset that a partition does not have.
const OFFSET_OUT_OF_RANGE: i16 = 1;
/// Kafka's code of a damaged batch.
const CORRUPT_MESSAGE: i16 = 2;

/// A reader's number.
pub(super) type FeedId = u64;

/// One topic being fetched.
#[derive(Debug)]
pub(super) struct State {
    pub(super) topic: String,
    pub(super) stopped: bool,
    pub(super) parts: Vec<Part>,
    pub(super) feeds: BTreeMap<FeedId, Feed>,
    pub(super) places: HashMap<NodeId, String>,
    /// The metadata should be read anew.
    pub(super) refresh: bool,
    /// The topic is not what it was, or is refused to us.
    fatal: Option<LogError>,
    pub(super) metadata_trouble: Option<String>,
    pub(super) node_trouble: BTreeMap<NodeId, String>,
    next_feed: FeedId,
    pub(super) clock: u64,
    /// Bytes of answers that are still held.
    held: Arc<AtomicUsize>,
}

/// One partition.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) leader: Option<Leader>,
    /// The greatest epoch of a leader that was heard of.
    epoch: i32,
    /// Its leader answered that it is not the leader (any more); who is comes with the metadata.
    pub(super) stale: bool,
    pub(super) stable: Offset,
    /// The last stable offset that a waiting reader was woken for.
    pub(super) told: Offset,
    pub(super) not_before: Option<Instant>,
    backoff: Backoff,
    pub(super) trouble: Option<String>,
}

/// A broker's answer for one partition.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) code: i16,
    /// The last stable offset; −1: not told.
    pub(super) stable: i64,
    pub(super) aborted: Vec<AbortedTransaction>,
    pub(super) records: Bytes,
}

/// What an answer leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing new.
    Nothing,
    /// Records, a new last stable offset, or a failure: whoever waits is woken.
    News,
    /// The partition does not have the offset; its bounds must be asked for.
    OutOfRange,
}

/// Counts an answer's bytes until nobody holds a part of it any more.
#[derive(Debug)]
pub(super) struct Ticket {
    bytes: usize,
    held: Arc<AtomicUsize>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl State {
    pub(super) fn new(topic: &str, partitions: usize) -> Self {
        let part = || Part {
            leader: None,
            epoch: -1,
            stale: false,
            stable: Offset(0),
            told: Offset(0),
            not_before: None,
            backoff: Backoff::new(),
            trouble: None,
        };
        Self {
            topic: topic.to_owned(),
            stopped: false,
            parts: (0..partitions).map(|_| part()).collect(),
            feeds: BTreeMap::new(),
            places: HashMap::new(),
            refresh: false,
            fatal: None,
            metadata_trouble: None,
            node_trouble: BTreeMap::new(),
            next_feed: 0,
            clock: 0,
            held: Arc::default(),
        }
    }

    pub(super) fn open(&mut self, partition: PartitionId, from: Offset) -> FeedId {
        let id = self.next_feed;
        self.next_feed += 1;
        let mut feed = Feed::new(partition, from);
        feed.failed.clone_from(&self.fatal);
        self.feeds.insert(id, feed);
        id
    }

    pub(super) fn ticket(&self, bytes: usize) -> Arc<Ticket> {
        self.held.fetch_add(bytes, Ordering::Relaxed);
        Arc::new(Ticket { bytes, held: Arc::clone(&self.held) })
    }

    /// Whether more waits to be read than should.
    pub(super) fn is_crowded(&self) -> bool {
        self.held.load(Ordering::Relaxed) >= WAITING_BYTES_MAX
    }

    /// What a reader reads next, and whether a fetch thread may have waited for the room that this makes.
    pub(super) fn take(&mut self, id: FeedId, now: Instant) -> (Result<Option<Chunk>, LogError>, bool) {
        let crowded = self.is_crowded();
        let Some(feed) = self.feeds.get_mut(&id) else { return (Ok(None), false) };
        let full = feed.queued >= QUEUE_BYTES_MAX;
        (feed.take(now), full || crowded)
    }

    /// Takes in a broker's answer for one partition.
    pub(super) fn deliver(
        &mut self,
        ask: &Ask,
        answer: Answer,
        ticket: &Arc<Ticket>,
        now: Instant,
    ) -> Outcome {
        let Some(part) = self.parts.get_mut(ask.partition.0 as usize) else { return Outcome::Nothing };
        if answer.code != 0 && answer.code != OFFSET_OUT_OF_RANGE {
            return self.refused(ask, answer.code, now);
        }
        let mut news = part.learn_stable(answer.stable);
        let Some(feed) = self.feeds.get_mut(&ask.feed) else { return Outcome::Nothing };
        feed.busy = false;
        if feed.position != ask.position || feed.failed.is_some() {
            return Outcome::Nothing;
        }
        if answer.code == OFFSET_OUT_OF_RANGE {
            return Outcome::OutOfRange;
        }
        let walked = walk(&answer.records, feed.position);
        if walked.next > feed.position {
            self.clock += 1;
            feed.turn = self.clock;
            let bytes = answer.records.slice(..walked.bytes);
            let ticket = Arc::clone(ticket);
            let (start, next, epoch) = (feed.position, walked.next, walked.epoch.max(feed.epoch));
            feed.push(Chunk { bytes, start, next, epoch, aborted: answer.aborted, ticket });
            news = true;
        } else if let Some(flaw) = walked.flaw {
            let (topic, partition, offset) = (self.topic.clone(), ask.partition, ask.position);
            let what = old_format(flaw).unwrap_or_else(|| flaw.to_string());
            feed.failed = Some(LogError::CorruptTopic { topic, partition, offset, what });
            news = true;
        } else if !answer.records.is_empty() {
            // A batch over the size asked for, from a broker that does not send it whole.
            feed.grow();
            if walked.bytes > 0 {
                part.pause(now, "the broker answers with records that were read already".to_owned());
                return Outcome::Nothing;
            }
        }
        part.works();
        if news { Outcome::News } else { Outcome::Nothing }
    }

    /// A broker refuses what was asked of one partition: sorted by whether waiting helps.
    pub(super) fn refused(&mut self, ask: &Ask, code: i16, now: Instant) -> Outcome {
        let place = format!("topic \"{}\", partition {}", self.topic, ask.partition);
        let said = if code == CORRUPT_MESSAGE {
            let what = "the broker finds its own copy damaged (CORRUPT_MESSAGE)".to_owned();
            let (topic, partition, offset) = (self.topic.clone(), ask.partition, ask.position);
            LogError::CorruptTopic { topic, partition, offset, what }
        } else {
            error::refused(&place, "Fetch", code, None)
        };
        let fatal = code == CORRUPT_MESSAGE || error::sort(code) == Sort::Fatal;
        if let Some(feed) = self.feeds.get_mut(&ask.feed) {
            feed.busy = false;
            feed.must_check();
            if fatal {
                feed.failed = Some(said);
                return Outcome::News;
            }
        }
        if let Some(part) = self.parts.get_mut(ask.partition.0 as usize) {
            part.pause(now, said.to_string());
            part.stale = error::sort(code) == Sort::Refresh;
            self.refresh |= part.stale;
        }
        Outcome::Nothing
    }

    /// The broker tells that the epoch of a reader's last batch ends at `end` (as `epoch`); −1 for both: it does not know it.
    pub(super) fn checked(&mut self, check: &Check, epoch: i32, end: i64) -> Outcome {
        let Some(feed) = self.feeds.get_mut(&check.feed) else { return Outcome::Nothing };
        if (feed.position, feed.epoch) != (check.position, check.epoch) {
            return Outcome::Nothing;
        }
        let Ok(end) = u64::try_from(end).map(Offset) else {
            feed.check = false;
            return Outcome::Nothing;
        };
        if end >= check.position && (epoch < 0 || epoch >= check.epoch) {
            feed.check = false;
            return Outcome::Nothing;
        }
        // An earlier epoch in the place of the one that was read: the records before the place are others now.
        let end = if epoch < check.epoch { end.min(Offset(check.position.0.saturating_sub(1))) } else { end };
        self.cut(check.feed, end)
    }

    /// A partition does not have the offset that a reader wants next, and has those from `start` to `end`.
    pub(super) fn out_of_range(&mut self, ask: &Ask, start: Offset, end: Offset, now: Instant) -> Outcome {
        let Some(feed) = self.feeds.get_mut(&ask.feed) else { return Outcome::Nothing };
        if feed.position != ask.position {
            return Outcome::Nothing;
        }
        if ask.position < start {
            let (log, partition, wanted) = (log_named(&self.topic), ask.partition, ask.position);
            feed.failed = Some(LogError::BeforeStart { log, partition, wanted, start });
            return Outcome::News;
        }
        if ask.position > end {
            return self.cut(ask.feed, end);
        }
        feed.must_check();
        if let Some(part) = self.parts.get_mut(ask.partition.0 as usize) {
            part.pause(
                now,
                format!("partition {} has no offset {} at the moment", ask.partition, ask.position),
            );
        }
        Outcome::Nothing
    }

    /// The partition ends at `end`, before where a reader was fetched to. What was fetched and not read yet is dropped; a reader that
    /// has read beyond is told.
    fn cut(&mut self, id: FeedId, end: Offset) -> Outcome {
        let Some(feed) = self.feeds.get_mut(&id) else { return Outcome::Nothing };
        feed.roll_back(end);
        if feed.position > end {
            let (log, partition, wanted) = (log_named(&self.topic), feed.partition, feed.position);
            feed.fail_at_once(LogError::Truncated { log, partition, wanted, end });
        }
        Outcome::News
    }

    /// Whom the asks were for may be asked for again.
    pub(super) fn release(&mut self, asks: &[Ask]) {
        for ask in asks {
            if let Some(feed) = self.feeds.get_mut(&ask.feed) {
                feed.busy = false;
            }
        }
    }

    /// A broker is away or talks nonsense: its readers' places are checked before they are fetched for again.
    pub(super) fn node_failed(&mut self, node: NodeId, asks: &[Ask], why: &LogError) {
        self.release(asks);
        self.node_trouble.insert(node, why.to_string());
        self.refresh = true;
        for feed in self.feeds.values_mut() {
            let leader = self.parts.get(feed.partition.0 as usize).and_then(|part| part.leader);
            if leader.is_some_and(|leader| leader.node == node) {
                feed.must_check();
            }
        }
    }

    pub(super) fn node_silent(&mut self, node: NodeId, why: &LogError) {
        self.node_trouble.insert(node, why.to_string());
        self.refresh = true;
    }

    /// Takes in last stable offsets that were asked for.
    pub(super) fn learn_stable(&mut self, ends: &[Offset]) {
        for (part, end) in self.parts.iter_mut().zip(ends) {
            part.stable = part.stable.max(*end);
        }
    }

    pub(super) fn node_works(&mut self, node: NodeId) {
        self.node_trouble.remove(&node);
    }

    /// Whether `node` leads any of the partitions asked for.
    pub(super) fn leads_any(&self, node: NodeId, asks: &[Ask]) -> bool {
        let leader = |ask: &Ask| self.parts.get(ask.partition.0 as usize).and_then(|part| part.leader);
        asks.iter().any(|ask| leader(ask).is_some_and(|leader| leader.node == node))
    }

    /// Takes in who leads the partitions. An older epoch than one that was heard of is old news.
    pub(super) fn learn_leaders(
        &mut self,
        leaders: &[(PartitionId, Option<Leader>)],
        places: HashMap<NodeId, String>,
    ) {
        for (partition, leader) in leaders {
            let Some(part) = self.parts.get_mut(partition.0 as usize) else { continue };
            if leader.is_some_and(|leader| leader.epoch >= 0 && leader.epoch < part.epoch) {
                continue;
            }
            part.stale = false;
            if part.leader == *leader {
                continue;
            }
            part.leader = *leader;
            if let Some(leader) = leader {
                part.epoch = leader.epoch;
                part.not_before = None;
                let feeds = self.feeds.values_mut().filter(|feed| feed.partition == *partition);
                feeds.for_each(Feed::must_check);
            }
        }
        self.places = places;
        self.metadata_trouble = None;
        let leads = |node: &NodeId| self.parts.iter().any(|p| p.leader.is_some_and(|l| l.node == *node));
        self.node_trouble.retain(|node, _| leads(node));
    }

    pub(super) fn metadata_failed(&mut self, why: &LogError) {
        self.metadata_trouble = Some(why.to_string());
    }

    /// Nothing more can be read, by anyone.
    pub(super) fn fail_all(&mut self, error: &LogError) {
        self.fatal = Some(error.clone());
        self.feeds.values_mut().for_each(|feed| feed.fail_at_once(error.clone()));
    }

    pub(super) fn fatal(&self) -> Option<&LogError> {
        self.fatal.as_ref()
    }

    /// Whether the metadata should be read anew: asked for, or somebody reads a partition whose leader is not known.
    pub(super) fn wants_metadata(&self) -> bool {
        let lost = |feed: &Feed| {
            let part = self.parts.get(feed.partition.0 as usize);
            part.is_some_and(|part| part.stale || part.leader.is_none())
        };
        self.refresh || self.feeds.values().any(lost)
    }

    /// The brokers that lead partitions which are read.
    pub(super) fn nodes_read(&self) -> Vec<NodeId> {
        let leader =
            |feed: &Feed| self.parts.get(feed.partition.0 as usize)?.leader.map(|leader| leader.node);
        let mut nodes: Vec<_> = self.feeds.values().filter_map(leader).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }
}

impl Part {
    fn learn_stable(&mut self, stable: i64) -> bool {
        let Ok(stable) = u64::try_from(stable).map(Offset) else { return false };
        let more = stable > self.stable;
        self.stable = self.stable.max(stable);
        more
    }

    fn pause(&mut self, now: Instant, why: String) {
        self.not_before = Some(now + self.backoff.next_wait());
        self.trouble = Some(why);
    }

    fn works(&mut self) {
        self.backoff.reset();
        (self.not_before, self.trouble) = (None, None);
    }
}

/// The topic's name in errors that directories have, too.
pub(super) fn log_named(topic: &str) -> String {
    format!("topic \"{topic}\"")
}

/// What to do about a format from before Kafka 0.11.
fn old_format(flaw: BatchError) -> Option<String> {
    match flaw {
        BatchError::Magic(magic @ (0 | 1)) => Some(format!(
            "it is in message format {magic}, from before Kafka 0.11, which is not read; copy the topic with a current producer"
        )),
        _ => None,
    }
}
