//! The requests of a producer and what their answers say: the same for a source's batches and for routed copies.
//!
//! When to ask, and what to do about an answer, is left to who produces.

use super::connection::FRAME_BYTES_MAX;
use super::error::refused;
use crate::batch::Stamp;
use crate::error::LogError;
use bytes::Bytes;
use kafka_protocol::ResponseError as E;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, EndTxnRequest, InitProducerIdRequest,
    InitProducerIdResponse, TopicName, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use std::time::Duration;

/// Most requests under way on a connection: as many batches of a partition as a broker keeps in order.
pub(crate) const REQUESTS_MAX: usize = 5;
/// Most bytes of one request, far below what a frame may have.
pub(crate) const REQUEST_BYTES_MAX: usize = FRAME_BYTES_MAX / 8;
/// How long a leader may wait for its followers.
const REPLICATION_TIME_MAX: Duration = Duration::from_secs(10);
/// While the brokers write the last transaction's markers: first and longest wait before asking again.
pub(crate) const MARKERS_WAIT: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// `id` as messages hold it.
pub(crate) fn transactional_id(id: &str) -> TransactionalId {
    TransactionalId(StrBytes::from_string(id.to_owned()))
}

/// Asks for a transactional id, whoever has it, unless a producer and its epoch are put in. What others sent under it is refused from
/// then on, and an open transaction is aborted; so is one of ours that is open for longer than `time`.
pub(crate) fn init(id: &str, time: Duration) -> InitProducerIdRequest {
    InitProducerIdRequest::default()
        .with_transactional_id(Some(transactional_id(id)))
        .with_transaction_timeout_ms(time.as_millis() as i32)
        .with_producer_id((-1).into())
        .with_producer_epoch(-1)
}

/// What an answer says that we are.
pub(crate) fn identity(
    place: &str,
    answer: &InitProducerIdResponse,
    transactional: bool,
) -> Result<Stamp, LogError> {
    match answer.error_code {
        0 => Ok(Stamp {
            producer_id: answer.producer_id.0,
            producer_epoch: answer.producer_epoch,
            base_sequence: 0,
            transactional,
        }),
        code => Err(refused(place, "InitProducerId", code, None)),
    }
}

/// Makes `partitions` part of the transaction, which begins with the first.
pub(crate) fn add_partitions(
    id: &str,
    stamp: Stamp,
    topic: TopicName,
    partitions: Vec<i32>,
) -> AddPartitionsToTxnRequest {
    let topic = AddPartitionsToTxnTopic::default().with_name(topic).with_partitions(partitions);
    AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(transactional_id(id))
        .with_v3_and_below_producer_id(stamp.producer_id.into())
        .with_v3_and_below_producer_epoch(stamp.producer_epoch)
        .with_v3_and_below_topics(vec![topic])
}

/// Why partitions were not added; 0: they are.
pub(crate) fn not_added(answer: &AddPartitionsToTxnResponse) -> i16 {
    let codes = answer.results_by_topic_v3_and_below.iter().flat_map(|topic| &topic.results_by_partition);
    // One that was not tried says nothing; the one that failed does.
    let failed = codes.map(|told| told.partition_error_code).filter(|code| *code != 0);
    failed.max_by_key(|code| *code != E::OperationNotAttempted.code()).unwrap_or(0)
}

/// Ends the transaction.
pub(crate) fn end(id: &str, stamp: Stamp, committed: bool) -> EndTxnRequest {
    EndTxnRequest::default()
        .with_transactional_id(transactional_id(id))
        .with_producer_id(stamp.producer_id.into())
        .with_producer_epoch(stamp.producer_epoch)
        .with_committed(committed)
}

/// Whether a refusal says that the transaction is none of ours any more: ended by the coordinator, or by whoever took the id.
pub(crate) fn is_ended_by_others(code: i16) -> bool {
    matches!(
        E::try_from_code(code),
        Some(
            E::InvalidProducerEpoch
                | E::ProducerFenced
                | E::InvalidTxnState
                | E::InvalidProducerIdMapping
                | E::UnknownProducerId
                | E::TransactionAbortable
        )
    )
}

/// Whether a refusal says that the topic takes no batch so large.
pub(crate) fn is_too_large(code: i16) -> bool {
    matches!(E::try_from_code(code), Some(E::MessageTooLarge | E::RecordListTooLarge))
}

/// A batch of each partition, encoded and stamped.
pub(crate) fn produce(
    topic: TopicName,
    batches: impl Iterator<Item = (usize, Bytes)>,
    transaction: Option<&str>,
) -> ProduceRequest {
    let data = batches.map(|(partition, bytes)| {
        PartitionProduceData::default().with_index(partition as i32).with_records(Some(bytes))
    });
    let topic = TopicProduceData::default().with_name(topic).with_partition_data(data.collect());
    ProduceRequest::default()
        .with_transactional_id(transaction.map(transactional_id))
        .with_acks(-1)
        .with_timeout_ms(REPLICATION_TIME_MAX.as_millis() as i32)
        .with_topic_data(vec![topic])
}
