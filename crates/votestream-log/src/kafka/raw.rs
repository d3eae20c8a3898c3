//! What `votestream bench kafka` measures us beside: librdkafka's fastest consumer, which does nothing with its messages; and topics as
//! librdkafka's producer writes them.

use super::batch_queue::BatchQueue;
use super::librdkafka;
use crate::error::LogError;
use crate::kafka_url::KafkaUrl;
use crate::reader::LogReader;
use crate::url::LogUrl;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset as At, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use std::time::{Duration, Instant};
use votestream_election::Millis;

/// How long one call waits for messages.
const WAIT: Duration = Duration::from_millis(100);
/// How long nothing may come before this is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A producer as most are: librdkafka's with its defaults (a batch is sent after 5 ms), lz4, keyed, and Java's partitioner.
pub struct OrdinaryProducer {
    producer: BaseProducer,
    url: KafkaUrl,
    since_poll: u32,
}

impl OrdinaryProducer {
    /// Messages between two looks at what was delivered.
    const POLL_EVERY: u32 = 1_000;

    /// A producer to a topic.
    ///
    /// # Errors
    /// Options that librdkafka does not take.
    pub fn new(url: &KafkaUrl) -> Result<Self, LogError> {
        let mut config = librdkafka::client_config(url)?;
        config
            .set("compression.type", "lz4")
            .set("partitioner", "murmur2_random")
            // What was sent again is neither doubled nor out of order; batches are as without it.
            .set("enable.idempotence", "true");
        let producer = config.create().map_err(|error| librdkafka::failed(url, "produce", &error))?;
        Ok(Self { producer, url: url.clone(), since_poll: 0 })
    }

    /// Sends a record; waits while librdkafka has too many.
    ///
    /// # Errors
    /// What librdkafka refuses.
    pub fn send(&mut self, time: Millis, key: Option<&[u8]>, value: &[u8]) -> Result<(), LogError> {
        let mut record = BaseRecord::<[u8], [u8]>::to(&self.url.topic).payload(value).timestamp(time.0);
        record.key = key;
        loop {
            self.since_poll += 1;
            if self.since_poll >= Self::POLL_EVERY {
                self.since_poll = 0;
                self.producer.poll(Duration::ZERO);
            }
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    self.producer.poll(Duration::from_millis(1));
                }
                Err((error, _)) => return Err(librdkafka::failed(&self.url, "produce", &error)),
            }
        }
    }

    /// Waits until all that was sent is delivered, or has failed: whoever must know counts what is there.
    ///
    /// # Errors
    /// Half a minute was not enough.
    pub fn finish(self) -> Result<(), LogError> {
        self.producer.flush(PATIENCE).map_err(|error| librdkafka::failed(&self.url, "produce", &error))
    }
}

impl std::fmt::Debug for OrdinaryProducer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OrdinaryProducer").field("topic", &self.url.topic).finish_non_exhaustive()
    }
}

/// Consumes all of a topic and looks at nothing. Answers how many records came, and how long it took from the first one's asking.
///
/// # Errors
/// Whatever keeps the topic from being read; nothing for 30 seconds.
pub fn consume_all(url: &KafkaUrl) -> Result<(u64, Duration), LogError> {
    let log = LogReader::open_url(&LogUrl::Kafka(url.clone()))?;
    let (starts, ends) = (log.start_offsets()?, log.refresh_ends()?);
    drop(log);
    let mut config = librdkafka::client_config(url)?;
    config
        .set("group.id", "votestream-bench")
        .set("enable.auto.commit", "false")
        // The last offset may be a transaction's marker, which is no message.
        .set("enable.partition.eof", "true")
        .set("queued.min.messages", "1000000");
    let failed = |error| librdkafka::failed(url, "consume", &error);
    let consumer: BaseConsumer = config.create().map_err(failed)?;
    let mut places = TopicPartitionList::new();
    let mut open = 0_usize;
    for (partition, (start, end)) in starts.iter().zip(&ends).enumerate() {
        if start < end {
            open += 1;
            places
                .add_partition_offset(&url.topic, partition as i32, At::Offset(start.0 as i64))
                .map_err(failed)?;
        }
    }
    let began = Instant::now();
    consumer.assign(&places).map_err(failed)?;
    let mut queue = BatchQueue::new(consumer);
    let (mut records, mut heard) = (0, Instant::now());
    while open > 0 {
        let messages = queue.poll(WAIT);
        if messages.len() > 0 {
            heard = Instant::now();
        }
        for message in messages {
            match message.error {
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => records += 1,
                RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF => open = open.saturating_sub(1),
                _ => {}
            }
        }
        if heard.elapsed() > PATIENCE {
            let what = format!("librdkafka got no record for {} s", PATIENCE.as_secs());
            return Err(LogError::Unreachable { place: url.place(), what, next: "look at the broker" });
        }
    }
    Ok((records, began.elapsed()))
}
