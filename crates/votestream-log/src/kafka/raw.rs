//! The reference that `votestream bench kafka` measures beside us: librdkafka's fastest consumer, which does nothing with its messages.

use super::batch_queue::BatchQueue;
use super::librdkafka;
use crate::error::LogError;
use crate::kafka_url::KafkaUrl;
use crate::reader::LogReader;
use crate::url::LogUrl;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset as At, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use std::time::{Duration, Instant};

/// How long one call waits for messages.
const WAIT: Duration = Duration::from_millis(100);
/// How long nothing may come before this is given up.
const PATIENCE: Duration = Duration::from_secs(30);

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
