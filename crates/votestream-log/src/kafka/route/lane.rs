//! One source partition on its way into the copy: what it reads from, what its open transaction holds, when that is committed.
//!
//! The router's thread reads records and lays their copies out in batches; all that waits is left to [`super::worker`]. Whatever
//! fails, the lane is opened anew: that ends a transaction in doubt, and the brokers then tell how far the partition is routed.

use super::copy::Copy;
use super::worker::{Event, Job, Worker};
use crate::batch::{Header, LENGTH_KEY, PlainBuilder, Record};
use crate::error::LogError;
use crate::kafka::group::Group;
use crate::kafka::librdkafka;
use crate::kafka::producing;
use crate::kafka_url::KafkaUrl;
use crate::reader::PartitionReader;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use votestream_election::framing::{RECORD_BYTES_MAX, STUB_BYTES};
use votestream_election::partitioner::murmur2_partition;
use votestream_election::{LogId, Offset, PartitionId};

/// Every copied record's header: the source's partition (u32, big-endian) and offset (u64, big-endian).
pub(super) const ROUTED_KEY: &str = "votestream.routed";
/// The brokers end a transaction by themselves after this time: how long a dead router can hold back the readers of the copy.
pub(super) const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(5);
/// How long copies gather in a transaction while there are more.
const TRANSACTION_AGE_MAX: Duration = Duration::from_millis(500);
/// How long they do while there are none.
const TRANSACTION_AGE_IDLE: Duration = Duration::from_millis(40);
/// Most copies in a transaction, at first and at most; a transaction that fails halves it, one that succeeds lets it grow.
pub(super) const TRANSACTION_RECORDS_MAX: u64 = 200_000;
const TRANSACTION_RECORDS_MIN: u64 = 1_000;
/// Most bytes of copies that wait for the brokers, over all lanes, and the least for one.
const WAITING_BYTES_MAX: u64 = 64 << 20;
const WAITING_BYTES_MIN: u64 = 1 << 20;
/// Most records that one lane copies before the next one's turn.
const SLICE_RECORDS: u64 = 4_096;
/// The pause before a failed lane is opened again, doubled up to the greater one.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// What a record takes in a batch beside its key and value, about.
const RECORD_OVERHEAD_BYTES: u64 = 64;
/// A batch of the copy is sent at so many bytes (uncompressed); a quarter of it when the copy's topic takes none so large.
const BATCH_BYTES_MAX: usize = 256 << 10;

/// What all lanes share.
pub(super) struct Site {
    pub(super) url: KafkaUrl,
    /// What librdkafka's clients are configured with.
    pub(super) config: ClientConfig,
    pub(super) source_id: LogId,
    pub(super) copy: Copy,
    pub(super) group: Group,
}

/// Where a lane is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its producer takes the transactional id over and the position is asked for.
    Opening,
    /// It copies, with or without a transaction.
    Reading,
    /// Its transaction is being committed.
    Committing,
    /// It failed and is opened again at that time.
    Failed(Instant),
}

/// What a transaction holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    pub(super) records: u64,
    pub(super) voterless: u64,
    pub(super) too_large: u64,
    bytes: u64,
}

pub(super) struct Lane {
    pub(super) id: u64,
    partition: PartitionId,
    phase: Phase,
    reader: Option<PartitionReader>,
    /// All before it is in this or an earlier transaction.
    position: Offset,
    /// The position that the last transaction committed; `None`: none did, for this copy.
    committed: Option<Offset>,
    /// Since when a transaction is open.
    begun: Option<Instant>,
    held: Held,
    /// What the last transaction held whose end was not heard of, and the position that it was to commit.
    doubted: Option<(Offset, Held)>,
    /// The reader had nothing when it was last asked.
    drained: bool,
    /// Of each partition of the copy: the batch that is being laid out.
    builders: Vec<PlainBuilder>,
    records_max: u64,
    bytes_max: u64,
    batch_bytes: usize,
    pause: Duration,
    /// `None`: it failed.
    works: Option<Works>,
}

/// What a lane copies with. The end of `jobs` lets the thread close the producer, off the router's thread.
struct Works {
    jobs: Sender<Job>,
    thread: JoinHandle<()>,
}

impl Site {
    /// How far a partition is routed; `None`: nothing of it is known to be.
    pub(super) fn committed(
        &self,
        partition: PartitionId,
        wait: Duration,
    ) -> Result<Option<Offset>, KafkaError> {
        let told = self.group.committed(partition, wait)?;
        // A position that was committed for another copy, which is gone, says nothing about this one.
        Ok(told.filter(|told| told.metadata == self.copy.id.to_string()).map(|told| told.offset))
    }
}

impl Lane {
    /// Opens a lane for `partition`, one of `lanes`. `past`: the one that failed before.
    pub(super) fn open(
        site: &Arc<Site>,
        partition: PartitionId,
        id: u64,
        lanes: usize,
        past: Option<Self>,
        events: &Sender<Event>,
    ) -> Result<Self, LogError> {
        let bytes_max = (WAITING_BYTES_MAX / lanes.max(1) as u64).max(WAITING_BYTES_MIN);
        let (jobs, work) = channel();
        let worker = Worker { site: Arc::clone(site), partition, lane: id };
        let events = events.clone();
        let thread = std::thread::Builder::new()
            .name(format!("route-{}", partition.0))
            .spawn(move || worker.run(&work, &events))
            .map_err(|error| librdkafka::no_thread(&site.url, error))?;
        let first = (TRANSACTION_RECORDS_MAX, BATCH_BYTES_MAX, PAUSE_MIN);
        let doubted = past.as_ref().and_then(|past| past.doubted);
        let (records_max, batch_bytes, pause) = past.map_or(first, |past| {
            let halved = (past.records_max / 2).max(TRANSACTION_RECORDS_MIN);
            (halved, past.batch_bytes, (past.pause * 2).min(PAUSE_MAX))
        });
        Ok(Self {
            id,
            partition,
            phase: Phase::Opening,
            reader: None,
            position: Offset(0),
            committed: None,
            begun: None,
            held: Held::default(),
            doubted,
            drained: false,
            builders: std::iter::repeat_with(PlainBuilder::default)
                .take(site.copy.partitions as usize)
                .collect(),
            records_max,
            bytes_max,
            batch_bytes,
            pause,
            works: Some(Works { jobs, thread }),
        })
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) fn position(&self) -> Offset {
        self.position
    }

    /// The lane is open; `reader` stands at `from`. `committed`: that is a committed position. Answers what a transaction held that turns
    /// out to be in the copy.
    pub(super) fn start(&mut self, reader: PartitionReader, from: Offset, committed: bool) -> Option<Held> {
        (self.reader, self.position, self.committed) = (Some(reader), from, committed.then_some(from));
        self.phase = Phase::Reading;
        let (next, held) = self.doubted.take()?;
        (committed && from == next).then_some(held)
    }

    /// The transaction is in the copy. Answers what it held.
    pub(super) fn committed(&mut self) -> Held {
        self.phase = Phase::Reading;
        (self.begun, self.committed, self.pause) = (None, Some(self.position), PAUSE_MIN);
        self.records_max = (self.records_max + self.records_max / 8 + 1).min(TRANSACTION_RECORDS_MAX);
        std::mem::take(&mut self.held)
    }

    fn fail(&mut self) {
        if self.phase == Phase::Committing {
            self.doubted = Some((self.position, self.held));
        }
        self.phase = Phase::Failed(Instant::now() + self.pause);
        (self.reader, self.works) = (None, None);
    }

    pub(super) fn may_open_again(&self, now: Instant) -> bool {
        matches!(self.phase, Phase::Failed(at) if now >= at)
    }

    /// Copies a slice of what the reader has, up to `bound`. Says whether there was anything.
    pub(super) fn route_slice(
        &mut self,
        site: &Site,
        bound: Option<Offset>,
        voter_of: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>,
    ) -> Result<bool, LogError> {
        if self.phase != Phase::Reading || self.is_full() || bound.is_some_and(|bound| self.position >= bound)
        {
            return Ok(false);
        }
        let Some(mut reader) = self.reader.take() else { return Ok(false) };
        let (before, position) = (self.held.records, self.position);
        while self.held.records - before < SLICE_RECORDS && !self.is_full() {
            let Some(batch) = reader.next_batch()? else {
                self.drained = true;
                break;
            };
            self.drained = false;
            let mut next = batch.next_offset();
            if let Some(bound) = bound {
                next = next.min(bound);
            }
            if !batch.is_skipped() {
                for record in batch.records() {
                    let record = record?;
                    if record.offset >= next {
                        break;
                    }
                    self.copy(site, &record, voter_of);
                }
            }
            self.position = self.position.max(next);
            if bound.is_some_and(|bound| next >= bound) {
                break;
            }
        }
        self.reader = Some(reader);
        Ok(self.position != position)
    }

    /// Whether the open transaction, if any, is to be committed now.
    pub(super) fn is_due(&self, now: Instant, at_end: bool) -> bool {
        if self.phase != Phase::Reading {
            return false;
        }
        let Some(begun) = self.begun else {
            // A first position is committed at once, so that nobody has to look for it in the copy again.
            return self.committed.is_none_or(|committed| at_end && self.position > committed);
        };
        let age = now.duration_since(begun);
        at_end
            || self.is_full()
            || age >= TRANSACTION_AGE_MAX
            || (self.drained && age >= TRANSACTION_AGE_IDLE)
    }

    /// Has the lane's thread commit what is copied, and the position after it.
    pub(super) fn commit(&mut self) {
        if self.phase != Phase::Reading || self.committed == Some(self.position) {
            return;
        }
        (0..self.builders.len()).for_each(|p| self.send(p));
        self.ask(Job::Commit { next: self.position });
        if self.works.is_some() {
            self.phase = Phase::Committing;
        }
    }

    /// Has what is laid out for a partition of the copy sent.
    fn send(&mut self, p: usize) {
        if let Some(batch) = self.builders[p].seal() {
            self.ask(Job::Send { partition: PartitionId(p as u32), batch });
        }
    }

    fn ask(&mut self, job: Job) {
        // The thread ends on its own only by a panic, which was reported where it happened.
        if self.works.as_ref().is_some_and(|works| works.jobs.send(job).is_err()) {
            self.fail();
        }
    }

    /// Aborts what is open and waits until that is done.
    pub(super) fn close(mut self) {
        if let Some(Works { jobs, thread }) = self.works.take() {
            drop(jobs);
            // A panic in it was reported where it happened.
            let _ = thread.join();
        }
    }

    fn is_full(&self) -> bool {
        self.held.records >= self.records_max || self.held.bytes >= self.bytes_max
    }

    /// Whether it fails however small the batches are.
    pub(super) fn is_hopeless(&self, error: &LogError) -> bool {
        is_too_large(error) && self.batch_bytes <= 1
    }

    /// What was copied since the last commit is done again.
    pub(super) fn give_up(&mut self, error: &LogError) {
        let partition = self.partition.0;
        if is_too_large(error) {
            // Not a trouble that passes by waiting.
            (self.batch_bytes, self.pause) = ((self.batch_bytes / 4).max(1), PAUSE_MIN / 2);
            tracing::debug!(partition, bytes = self.batch_bytes, "the copy's topic takes no batch so large");
        } else if self.pause < PAUSE_MAX {
            tracing::debug!(partition, %error, "a transaction is done again");
        } else {
            tracing::warn!(partition, %error, "transactions fail again and again; they are tried on");
        }
        self.fail();
    }

    /// Lays out the copy of one record.
    fn copy(&mut self, site: &Site, record: &Record<'_>, voter_of: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>) {
        self.begun.get_or_insert_with(Instant::now);
        let oversize = record.oversize;
        let voter = if oversize { None } else { record.value.and_then(voter_of) };
        let partition = match &voter {
            Some(voter) => murmur2_partition(voter, site.copy.partitions),
            None => self.partition,
        };
        let mut place = [0; 12];
        place[..4].copy_from_slice(&self.partition.0.to_be_bytes());
        place[4..].copy_from_slice(&record.offset.0.to_be_bytes());
        // How long it was is not told any more; what counts is that it was too long.
        let length = (RECORD_BYTES_MAX as u64 + 1).to_be_bytes();
        let headers: [Header<'_>; 2] = [(ROUTED_KEY.as_bytes(), &place), (LENGTH_KEY, &length)];
        let headers = if oversize { &headers[..] } else { &headers[..1] };
        let kept =
            record.value.map(|value| if oversize { value.get(..STUB_BYTES).unwrap_or(value) } else { value });
        let p = partition.0 as usize;
        self.builders[p].push(record.timestamp, voter.as_deref(), kept, headers);
        self.held.records += 1;
        self.held.voterless += u64::from(voter.is_none());
        self.held.too_large += u64::from(oversize);
        let (key_bytes, value_bytes) = (voter.map_or(0, |voter| voter.len()), kept.map_or(0, <[u8]>::len));
        self.held.bytes += (key_bytes + value_bytes) as u64 + RECORD_OVERHEAD_BYTES;
        if self.builders[p].bytes() >= self.batch_bytes {
            self.send(p);
        }
    }
}

fn is_too_large(error: &LogError) -> bool {
    matches!(error, LogError::Kafka { code, .. } if producing::is_too_large(*code))
}
