//! A lane's thread and its producer: takes a partition over, commits its transactions, aborts what is left open.

use super::lane::{Site, TRANSACTION_RECORDS_MAX, TRANSACTION_TIMEOUT};
use super::recover;
use crate::error::LogError;
use crate::kafka::librdkafka::{self, Quiet, sentence};
use rdkafka::Offset as Position;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::topic_partition_list::TopicPartitionList;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};
use votestream_election::{Offset, PartitionId};

/// How long opening may take until it is tried anew.
const OPEN_WAIT: Duration = Duration::from_secs(30);
/// One step of waiting for deliveries.
const STEP: Duration = Duration::from_millis(2);
/// How long copies gather for one request, in milliseconds: larger batches cost both sides less.
const LINGER_MS: &str = "20";

/// What a lane asks of its thread.
pub(super) enum Job {
    Commit { next: Offset, group: ConsumerGroupMetadata },
}

/// What a lane's thread has to tell.
pub(super) struct Event {
    pub(super) partition: PartitionId,
    pub(super) lane: u64,
    pub(super) kind: EventKind,
}

pub(super) enum EventKind {
    /// Ready to copy.
    Opened(Begin),
    /// The transaction is in the copy.
    Committed,
    /// It is not, or may not be: open anew.
    Failed(LogError),
    /// It never will be.
    Denied(LogError),
}

/// Where a lane begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum Begin {
    /// At a committed position.
    Committed(Offset),
    /// After the last copy that was found, without a position.
    Found(Offset),
    /// At the source's start: nothing is routed.
    Start,
}

/// Waits one step, then takes in what librdkafka has to tell. (Its own wait spins through the last millisecond.)
pub(super) fn serve(producer: &BaseProducer<Quiet>) {
    std::thread::park_timeout(STEP);
    producer.poll(Duration::ZERO);
}

/// The producer that copies a partition: its transactional id is the partition's, whoever has it.
pub(super) fn producer(
    site: &Site,
    partition: PartitionId,
    bytes_max: u64,
) -> Result<BaseProducer<Quiet>, LogError> {
    let mut config = site.config.clone();
    let timeout = TRANSACTION_TIMEOUT.as_millis().to_string();
    config
        .set("transactional.id", format!("votestream-route-{}-{}", site.source_id, partition.0))
        .set("transaction.timeout.ms", timeout)
        .set("compression.type", site.url.options.codec.name())
        .set("linger.ms", LINGER_MS)
        .set("batch.num.messages", "20000")
        .set("delivery.report.only.error", "true")
        // Beyond what a transaction holds, so that the queue is never what stops it.
        .set("queue.buffering.max.messages", (TRANSACTION_RECORDS_MAX * 2).to_string())
        .set("queue.buffering.max.kbytes", (bytes_max * 4 / 1024).to_string());
    let made = config.create_with_context(Quiet("route"));
    made.map_err(|error| librdkafka::failed(&site.url, "route the topic", &error))
}

/// A lane's thread.
pub(super) struct Worker {
    pub(super) site: Arc<Site>,
    pub(super) partition: PartitionId,
    pub(super) lane: u64,
    pub(super) producer: Arc<BaseProducer<Quiet>>,
}

impl Worker {
    pub(super) fn run(self, jobs: &Receiver<Job>, events: &Sender<Event>) {
        let opened = self.open();
        let mut sound = self.tell(events, opened.map(EventKind::Opened), "take a partition's routing over");
        while let Ok(Job::Commit { next, group }) = jobs.recv() {
            if sound {
                let done = self.commit(next, &group);
                sound = self.tell(events, done.map(|()| EventKind::Committed), "commit a transaction");
            }
        }
        // The lane is gone: what it had begun must not hold back the copy's readers until it times out.
        let aborted = self.producer.abort_transaction(TRANSACTION_TIMEOUT);
        if let Err(error) = aborted {
            // Nothing was open, or another router has taken over and ended it.
            tracing::trace!(partition = self.partition.0, what = %sentence(&error), "nothing aborted");
        }
    }

    fn tell(&self, events: &Sender<Event>, told: Result<EventKind, KafkaError>, doing: &'static str) -> bool {
        let sound = told.is_ok();
        let kind = told.unwrap_or_else(|error| {
            let told = librdkafka::failed(&self.site.url, doing, &error);
            if librdkafka::is_denied(&error) { EventKind::Denied(told) } else { EventKind::Failed(told) }
        });
        // Nobody listens any more when routing has ended.
        let _ = events.send(Event { partition: self.partition, lane: self.lane, kind });
        sound
    }

    /// Fences whoever routed the partition before, ends what it had begun, and asks how far it came.
    fn open(&self) -> Result<Begin, KafkaError> {
        self.producer.init_transactions(OPEN_WAIT)?;
        if let Some(position) = self.site.committed(self.partition, OPEN_WAIT)? {
            return Ok(Begin::Committed(position));
        }
        let found = recover::position(&self.site, self.partition)?;
        Ok(found.map_or(Begin::Start, Begin::Found))
    }

    fn commit(&self, next: Offset, group: &ConsumerGroupMetadata) -> Result<(), KafkaError> {
        let deadline = Instant::now() + TRANSACTION_TIMEOUT;
        while self.producer.in_flight_count() > 0 {
            serve(&self.producer);
            if Instant::now() >= deadline {
                return Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut));
            }
        }
        let mut offsets = TopicPartitionList::new();
        let position = Position::Offset(i64::try_from(next.0).unwrap_or(i64::MAX));
        let partition = librdkafka::partition(self.partition);
        let topic = self.site.url.topic.as_str();
        let mut element = offsets.add_partition(topic, partition);
        element.set_offset(position)?;
        element.set_metadata(self.site.copy.id.to_string());
        self.producer.send_offsets_to_transaction(&offsets, group, TRANSACTION_TIMEOUT)?;
        self.producer.commit_transaction(TRANSACTION_TIMEOUT)
    }
}
