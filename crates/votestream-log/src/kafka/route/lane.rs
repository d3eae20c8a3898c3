//! One source partition on its way into the copy: what it reads from, what its open transaction holds, when that is committed.
//!
//! The router's thread reads and hands records to librdkafka, which never waits. All that waits is left to [`super::worker`]. Whatever
//! fails, the lane is opened anew: that ends a transaction in doubt, and the brokers then tell how far the partition is routed.

use super::copy::Copy;
use super::worker::{Event, Job, Worker, producer, serve};
use crate::batch::{LENGTH_KEY, Record};
use crate::error::LogError;
use crate::kafka::group::Group;
use crate::kafka::librdkafka::{self, Quiet};
use crate::kafka_url::KafkaUrl;
use crate::reader::PartitionReader;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
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
/// What a record takes in a producer's queue beside its key and value.
const RECORD_OVERHEAD_BYTES: u64 = 64;

/// What all lanes share.
pub(super) struct Site {
    pub(super) url: KafkaUrl,
    /// What every client of the brokers is configured with.
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
    /// The reader had nothing when it was last asked.
    drained: bool,
    records_max: u64,
    bytes_max: u64,
    pause: Duration,
    /// `None`: it failed.
    works: Option<Works>,
}

/// What a lane copies with. Dropped in this order: the end of `jobs` lets the thread close the producer, off the router's thread.
struct Works {
    producer: Arc<BaseProducer<Quiet>>,
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
        let producer = Arc::new(producer(site, partition, bytes_max)?);
        let (jobs, work) = channel();
        let worker = Worker { site: Arc::clone(site), partition, lane: id, producer: Arc::clone(&producer) };
        let events = events.clone();
        let thread = std::thread::Builder::new()
            .name(format!("route-{}", partition.0))
            .spawn(move || worker.run(&work, &events))
            .map_err(|error| librdkafka::no_thread(&site.url, error))?;
        let (records_max, pause) = past.map_or((TRANSACTION_RECORDS_MAX, PAUSE_MIN), |past| {
            let halved = (past.records_max / 2).max(TRANSACTION_RECORDS_MIN);
            (halved, (past.pause * 2).min(PAUSE_MAX))
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
            drained: false,
            records_max,
            bytes_max,
            pause,
            works: Some(Works { producer, jobs, thread }),
        })
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) fn position(&self) -> Offset {
        self.position
    }

    /// The lane is open; `reader` stands at `from`. `committed`: that is a committed position.
    pub(super) fn start(&mut self, reader: PartitionReader, from: Offset, committed: bool) {
        (self.reader, self.position, self.committed) = (Some(reader), from, committed.then_some(from));
        self.phase = Phase::Reading;
    }

    /// The transaction is in the copy. Answers what it held.
    pub(super) fn committed(&mut self) -> Held {
        self.phase = Phase::Reading;
        (self.begun, self.committed, self.pause) = (None, Some(self.position), PAUSE_MIN);
        self.records_max = (self.records_max + self.records_max / 8 + 1).min(TRANSACTION_RECORDS_MAX);
        std::mem::take(&mut self.held)
    }

    fn fail(&mut self) {
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
        let mut failed = None;
        while self.held.records - before < SLICE_RECORDS && !self.is_full() && failed.is_none() {
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
                    if let Err(error) = self.copy(site, &record, voter_of) {
                        failed = Some(error);
                        break;
                    }
                }
            }
            self.position = self.position.max(next);
            if bound.is_some_and(|bound| next >= bound) {
                break;
            }
        }
        self.reader = Some(reader);
        if let Some(error) = failed {
            let told = librdkafka::failed(&site.url, "copy a record", &error);
            if librdkafka::is_denied(&error) {
                return Err(told);
            }
            self.give_up(&told);
        }
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
    pub(super) fn commit(&mut self, site: &Site) {
        if self.phase != Phase::Reading || self.committed == Some(self.position) {
            return;
        }
        // Without a generation of the group there is nothing to commit under; soon there will be.
        let Some(group) = site.group.metadata() else { return };
        if let Err(error) = self.begin() {
            self.give_up(&librdkafka::failed(&site.url, "begin a transaction", &error));
            return;
        }
        let job = Job::Commit { next: self.position, group };
        if self.works.as_ref().is_some_and(|works| works.jobs.send(job).is_ok()) {
            self.phase = Phase::Committing;
        } else {
            self.fail();
        }
    }

    /// Aborts what is open and waits until that is done.
    pub(super) fn close(mut self) {
        if let Some(Works { producer, jobs, thread }) = self.works.take() {
            drop((producer, jobs));
            // A panic in it was reported where it happened.
            let _ = thread.join();
        }
    }

    fn is_full(&self) -> bool {
        self.held.records >= self.records_max || self.held.bytes >= self.bytes_max
    }

    fn begin(&mut self) -> Result<(), KafkaError> {
        if self.begun.is_none() {
            let Some(works) = &self.works else { return Err(KafkaError::Canceled) };
            works.producer.begin_transaction()?;
            self.begun = Some(Instant::now());
        }
        Ok(())
    }

    /// What was copied since the last commit is done again.
    pub(super) fn give_up(&mut self, error: &LogError) {
        let partition = self.partition.0;
        if self.pause < PAUSE_MAX {
            tracing::debug!(partition, %error, "a transaction is done again");
        } else {
            tracing::warn!(partition, %error, "transactions fail again and again; they are tried on");
        }
        self.fail();
    }

    /// Hands one record to the producer.
    fn copy(
        &mut self,
        site: &Site,
        record: &Record<'_>,
        voter_of: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>,
    ) -> Result<(), KafkaError> {
        self.begin()?;
        let (value, oversize) = (record.value.unwrap_or_default(), record.oversize);
        let voter = if oversize { None } else { record.value.and_then(voter_of) };
        let partition = match &voter {
            Some(voter) => murmur2_partition(voter, site.copy.partitions),
            None => self.partition,
        };
        let mut place = [0; 12];
        place[..4].copy_from_slice(&self.partition.0.to_be_bytes());
        place[4..].copy_from_slice(&record.offset.0.to_be_bytes());
        let mut headers =
            OwnedHeaders::new_with_capacity(2).insert(Header { key: ROUTED_KEY, value: Some(&place) });
        let mut kept = value;
        if oversize {
            kept = value.get(..STUB_BYTES).unwrap_or(value);
            // How long it was is not told any more; what counts is that it was too long.
            let length = (RECORD_BYTES_MAX as u64 + 1).to_be_bytes();
            headers = headers.insert(Header { key: length_key(), value: Some(&length) });
        }
        let mut record = BaseRecord {
            topic: site.copy.url.topic.as_str(),
            partition: Some(librdkafka::partition(partition)),
            payload: record.value.map(|_| kept),
            key: voter.as_deref(),
            timestamp: Some(timestamp(record.timestamp.0)),
            headers: Some(headers),
            delivery_opaque: (),
        };
        let mut waiting_since = None;
        let Some(works) = &self.works else { return Err(KafkaError::Canceled) };
        while let Err((error, back)) = works.producer.send(record) {
            let full = matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
            let since: Instant = *waiting_since.get_or_insert_with(Instant::now);
            if !full || since.elapsed() >= TRANSACTION_TIMEOUT {
                return Err(error);
            }
            record = back;
            serve(&works.producer);
        }
        self.held.records += 1;
        self.held.voterless += u64::from(voter.is_none());
        self.held.too_large += u64::from(oversize);
        let key_bytes = voter.as_ref().map_or(0, Vec::len);
        self.held.bytes += (kept.len() + key_bytes) as u64 + RECORD_OVERHEAD_BYTES;
        Ok(())
    }
}

/// What librdkafka takes as a time: 0 it would replace by now.
fn timestamp(millis: i64) -> i64 {
    if millis == 0 { 1 } else { millis }
}

fn length_key() -> &'static str {
    std::str::from_utf8(LENGTH_KEY).unwrap_or_default()
}
