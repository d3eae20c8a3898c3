//! One reader of one partition as the fetch threads see it: how far it is fetched, and what waits for it.

use super::aborted::AbortedTransaction;
use super::state::Ticket;
use crate::batch::BATCH_BYTES_MAX;
use crate::error::LogError;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use votestream_election::{Offset, PartitionId};

/// What is asked for of one partition at once.
pub(super) const PARTITION_BYTES: usize = 1 << 20;
/// A reader that took something this long ago is reading.
const READING: Duration = Duration::from_millis(100);

/// The whole batches of one answer.
#[derive(Debug)]
pub(super) struct Chunk {
    /// A slice of the answer.
    pub(super) bytes: Bytes,
    /// The offset that was asked for.
    pub(super) start: Offset,
    /// The offset after the last batch.
    pub(super) next: Offset,
    /// The last batch's leader epoch.
    pub(super) epoch: i32,
    pub(super) aborted: Vec<AbortedTransaction>,
    #[expect(dead_code, reason = "held for its Drop, which tells that the answer's bytes are free")]
    pub(super) ticket: Arc<Ticket>,
}

/// One reader.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) partition: PartitionId,
    /// The next offset to fetch.
    pub(super) position: Offset,
    /// The leader epoch of the last batch before it; −1: none was fetched.
    pub(super) epoch: i32,
    /// What is fetched and not taken.
    pub(super) queue: VecDeque<Chunk>,
    pub(super) queued: usize,
    /// A request for it is under way.
    pub(super) busy: bool,
    /// Its place must be checked against the leader's epochs first.
    pub(super) check: bool,
    /// Told once the queue is taken.
    pub(super) failed: Option<LogError>,
    /// When it last got records, and when it was last asked for, counted.
    pub(super) turn: u64,
    pub(super) asked: u64,
    /// What is asked for at once.
    pub(super) bytes: usize,
    /// The first offset of what was taken last.
    taken: Offset,
    taken_epoch: i32,
    taken_at: Option<Instant>,
}

impl Feed {
    pub(super) fn new(partition: PartitionId, from: Offset) -> Self {
        Self {
            partition,
            position: from,
            epoch: -1,
            queue: VecDeque::new(),
            queued: 0,
            busy: false,
            check: false,
            failed: None,
            turn: 0,
            asked: 0,
            bytes: PARTITION_BYTES,
            taken: from,
            taken_epoch: -1,
            taken_at: None,
        }
    }

    pub(super) fn push(&mut self, chunk: Chunk) {
        (self.position, self.epoch) = (chunk.next, chunk.epoch);
        self.queued += chunk.bytes.len();
        self.bytes = PARTITION_BYTES;
        self.queue.push_back(chunk);
    }

    /// What comes next; a failure comes once all before it was taken.
    pub(super) fn take(&mut self, now: Instant) -> Result<Option<Chunk>, LogError> {
        self.taken_at = Some(now);
        let Some(chunk) = self.queue.pop_front() else {
            return self.failed.clone().map_or(Ok(None), Err);
        };
        self.queued -= chunk.bytes.len();
        (self.taken, self.taken_epoch) = (chunk.start, chunk.epoch);
        Ok(Some(chunk))
    }

    /// Whether the records at `place` are here: in the queue, or in what was taken last.
    pub(super) fn holds(&self, place: Offset) -> bool {
        (self.taken..self.position).contains(&place)
    }

    /// Whether somebody took something, or looked for it, just now.
    pub(super) fn is_read(&self, now: Instant) -> bool {
        self.taken_at.is_some_and(|then| now.saturating_duration_since(then) < READING)
    }

    pub(super) fn must_check(&mut self) {
        self.check = self.epoch >= 0;
    }

    /// Ask for more at once next time.
    pub(super) fn grow(&mut self) {
        self.bytes = (self.bytes * 2).min(2 * BATCH_BYTES_MAX);
    }

    /// Drops what was fetched from beyond `end` and is not taken yet; its place is checked again.
    pub(super) fn roll_back(&mut self, end: Offset) {
        while let Some(chunk) = self.queue.pop_back_if(|chunk| chunk.next > end) {
            self.queued -= chunk.bytes.len();
            self.position = chunk.start;
            self.epoch = self.queue.back().map_or(self.taken_epoch, |last| last.epoch);
        }
        self.must_check();
    }

    pub(super) fn fail_at_once(&mut self, error: LogError) {
        self.queue.clear();
        (self.queued, self.failed) = (0, Some(error));
    }
}
