//! What the writer asks brokers beside producing: where partitions end, who it is to them.

use crate::batch::Stamp;
use crate::error::LogError;
use crate::kafka::cluster::Cluster;
use crate::kafka::connection::Connection;
use crate::kafka::error::refused;
use crate::kafka::producing::identity;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{InitProducerIdRequest, ListOffsetsRequest};
use votestream_election::{Offset, PartitionId};

/// Which end of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Its first record that there is.
    Start,
    /// After the last record whose fate is decided.
    Committed,
    /// After the last record.
    Written,
}

/// Where the partitions end for a reader of what is committed.
pub(super) fn committed_ends(cluster: &Cluster) -> Result<Vec<Offset>, LogError> {
    let partitions = cluster.client().partitions();
    let mut connections: Vec<(i32, Connection)> = Vec::new();
    let mut ends = Vec::with_capacity(partitions as usize);
    for partition in (0..partitions).map(PartitionId) {
        let leader = cluster.client().leader(partition);
        let known = leader.and_then(|leader| connections.iter().position(|(node, _)| *node == leader.node.0));
        let at = if let Some(at) = known {
            at
        } else {
            let (connection, leader) = cluster.connect_leader(partition)?;
            connections.push((leader.node.0, connection));
            connections.len() - 1
        };
        let Some((_, connection)) = connections.get_mut(at) else { continue };
        ends.push(end(cluster, connection, partition, End::Committed)?);
    }
    Ok(ends)
}

/// Asks a partition's leader for one of its ends.
pub(super) fn end(
    cluster: &Cluster,
    connection: &mut Connection,
    partition: PartitionId,
    which: End,
) -> Result<Offset, LogError> {
    let (name, epoch) = {
        let client = cluster.client();
        (client.topic_name(), client.leader(partition).map_or(-1, |leader| leader.epoch))
    };
    let asked = ListOffsetsPartition::default()
        .with_partition_index(partition.0 as i32)
        .with_current_leader_epoch(epoch)
        .with_timestamp(if which == End::Start { -2 } else { -1 });
    let topic = ListOffsetsTopic::default().with_name(name).with_partitions(vec![asked]);
    let request = ListOffsetsRequest::default()
        .with_replica_id((-1).into())
        .with_isolation_level(i8::from(which == End::Committed))
        .with_topics(vec![topic]);
    let answer = connection.call(&request)?;
    let Some(told) = answer.topics.first().and_then(|topic| topic.partitions.first()) else {
        let (place, what) = (connection.place().to_owned(), "an answer to ListOffsets without the partition");
        return Err(LogError::Garbled { place, what: what.to_owned() });
    };
    match told.error_code {
        0 => Ok(Offset(u64::try_from(told.offset).unwrap_or_default())),
        code => Err(refused(connection.place(), "ListOffsets", code, None)),
    }
}

/// Who we are to the brokers when nothing is to be resumed.
pub(super) fn idempotent_identity(cluster: &Cluster) -> Result<Stamp, LogError> {
    let mut connection = cluster.client().connect_any()?;
    let request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(i32::MAX)
        .with_producer_id((-1).into())
        .with_producer_epoch(-1);
    let answer = connection.call(&request)?;
    identity(connection.place(), &answer, false)
}
