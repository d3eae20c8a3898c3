//! How far a partition is routed when no position is committed: as far as the headers of the copies say.
//!
//! Usually nothing of it is routed. But the brokers forget a group's positions when it was empty for long (`offsets.retention.minutes`), and
//! starting anew would copy every record twice.

use super::lane::{ROUTED_KEY, Site};
use crate::kafka::librdkafka::{self, Quiet};
use rdkafka::Offset as Position;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::topic_partition_list::TopicPartitionList;
use std::time::{Duration, Instant};
use votestream_election::{Offset, PartitionId};

/// How long the brokers may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// One wait for records.
const STEP: Duration = Duration::from_millis(100);

/// The position after the last record of `partition` in the copy; `None`: there is none of it. The partition's transactional id is ours
/// already, so that what is there is decided and no more comes.
pub(super) fn position(site: &Site, partition: PartitionId) -> Result<Option<Offset>, KafkaError> {
    let mut config = site.config.clone();
    config
        .set("group.id", "votestream-route-look")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true");
    let consumer: BaseConsumer<Quiet> = config.create_with_context(Quiet("route"))?;
    let topic = site.copy.url.topic.as_str();
    let mut ends = Vec::new();
    let mut assigned = TopicPartitionList::new();
    for copied in 0..site.copy.partitions {
        let copied = librdkafka::partition(PartitionId(copied));
        let (start, end) = consumer.fetch_watermarks(topic, copied, SILENCE_MAX)?;
        if start < end {
            assigned.add_partition_offset(topic, copied, Position::Offset(start))?;
            ends.push((copied, end));
        }
    }
    if ends.is_empty() {
        return Ok(None);
    }
    consumer.assign(&assigned)?;
    let mut found: Option<u64> = None;
    let mut heard = Instant::now();
    while !ends.is_empty() {
        match consumer.poll(STEP) {
            Some(Ok(message)) => {
                heard = Instant::now();
                if let Some(offset) = routed(&message, partition) {
                    found = found.max(Some(offset));
                }
            }
            // All that is stable is read. Open transactions of other partitions end within seconds; then more comes.
            Some(Err(KafkaError::PartitionEOF(_))) => {
                heard = Instant::now();
                let positions = consumer.position()?;
                ends.retain(|(copied, end)| {
                    let told = positions.find_partition(topic, *copied).map(|element| element.offset());
                    !matches!(told, Some(Position::Offset(told)) if told >= *end)
                });
            }
            Some(Err(error)) if librdkafka::is_final(&error) => return Err(error),
            Some(Err(_)) | None => {
                if heard.elapsed() > SILENCE_MAX {
                    let silent = rdkafka::error::RDKafkaErrorCode::OperationTimedOut;
                    return Err(KafkaError::MessageConsumption(silent));
                }
            }
        }
    }
    Ok(found.map(|offset| Offset(offset + 1)))
}

/// The source offset of a copy of `partition`.
fn routed(message: &impl Message, partition: PartitionId) -> Option<u64> {
    let headers = message.headers()?;
    let value = headers.iter().find(|header| header.key == ROUTED_KEY)?.value?;
    let (from, offset) = value.split_first_chunk::<4>()?;
    if u32::from_be_bytes(*from) != partition.0 {
        return None;
    }
    Some(u64::from_be_bytes(offset.try_into().ok()?))
}
