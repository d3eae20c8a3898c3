//! A topic's offsets, asked of its leaders: where partitions start and end, and where a leader's epoch ended.

use super::NodeId;
use super::client::{Client, Leader};
use super::connection::Connection;
use super::error;
use crate::error::LogError;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest, OffsetForLeaderEpochRequest};
use std::collections::BTreeMap;
use votestream_election::{Offset, PartitionId};

/// Who asks: no replica.
const CONSUMER: BrokerId = BrokerId(-1);

/// Which offset of each partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OffsetSpec {
    /// The first record's.
    Earliest,
    /// The end of what readers of committed records may see.
    LastStable,
    /// The end of what is replicated: past open transactions.
    HighWatermark,
}

/// Where a leader's epoch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EpochEnd {
    /// The epoch, or the last one before it that has records.
    pub(crate) epoch: i32,
    /// The offset after its last record.
    pub(crate) end: Offset,
}

impl Client {
    /// Every partition's offset, in order, asked once: see [`Client::persist`] for asking until it works.
    ///
    /// # Errors
    /// A transient one when a leader is away or has changed.
    pub(crate) fn offsets(&mut self, spec: OffsetSpec) -> Result<Vec<Offset>, LogError> {
        let mut asked: BTreeMap<NodeId, Vec<(PartitionId, Leader)>> = BTreeMap::new();
        for (partition, leader) in self.leaders() {
            let leader = leader.ok_or_else(|| self.no_leader(partition))?;
            asked.entry(leader.node).or_default().push((partition, leader));
        }
        let mut offsets = vec![None; self.partitions() as usize];
        for (node, partitions) in asked {
            let request = self.list_request(spec, &partitions);
            let (link, answer) = self.ask_node(node, |link| link.call(&request))?;
            for told in answer.topics.iter().flat_map(|topic| &topic.partitions) {
                if told.error_code != 0 {
                    return Err(error::refused(link.place(), "ListOffsets", told.error_code, None));
                }
                let place = usize::try_from(told.partition_index).ok().and_then(|i| offsets.get_mut(i));
                if let (Some(place), Ok(offset)) = (place, u64::try_from(told.offset)) {
                    *place = Some(Offset(offset));
                }
            }
            self.links.insert(node, link);
        }
        let all: Option<Vec<_>> = offsets.into_iter().collect();
        all.ok_or_else(|| LogError::Garbled {
            place: self.topic().to_owned(),
            what: "offsets without a partition that was asked for".to_owned(),
        })
    }

    /// Where `epoch` ended in `partition`, asked once; `None` when the leader does not know that epoch.
    ///
    /// # Errors
    /// A transient one when the leader is away or has changed.
    pub(crate) fn epoch_end(
        &mut self,
        partition: PartitionId,
        epoch: i32,
    ) -> Result<Option<EpochEnd>, LogError> {
        let leader = self.leader(partition).ok_or_else(|| self.no_leader(partition))?;
        let asked = OffsetForLeaderPartition::default()
            .with_partition(partition.0 as i32)
            .with_current_leader_epoch(leader.epoch)
            .with_leader_epoch(epoch);
        let topic =
            OffsetForLeaderTopic::default().with_topic(self.topic_name()).with_partitions(vec![asked]);
        let request =
            OffsetForLeaderEpochRequest::default().with_replica_id(CONSUMER).with_topics(vec![topic]);
        let (link, answer) = self.ask_node(leader.node, |link| link.call(&request))?;
        let told = answer.topics.iter().flat_map(|topic| &topic.partitions);
        let Some(told) = told.into_iter().find(|told| told.partition == partition.0 as i32) else {
            let what = "an epoch's end without the partition that was asked for".to_owned();
            return Err(LogError::Garbled { place: link.place().to_owned(), what });
        };
        if told.error_code != 0 {
            return Err(error::refused(link.place(), "OffsetForLeaderEpoch", told.error_code, None));
        }
        self.links.insert(leader.node, link);
        let end = u64::try_from(told.end_offset).ok().filter(|_| told.leader_epoch >= 0);
        Ok(end.map(|end| EpochEnd { epoch: told.leader_epoch, end: Offset(end) }))
    }

    fn list_request(&self, spec: OffsetSpec, partitions: &[(PartitionId, Leader)]) -> ListOffsetsRequest {
        // Kafka's stand-ins for a time: −2 the first record, −1 the end.
        let (timestamp, committed) = match spec {
            OffsetSpec::Earliest => (-2, false),
            OffsetSpec::LastStable => (-1, true),
            OffsetSpec::HighWatermark => (-1, false),
        };
        let partitions = partitions.iter().map(|(partition, leader)| {
            ListOffsetsPartition::default()
                .with_partition_index(partition.0 as i32)
                .with_current_leader_epoch(leader.epoch)
                .with_timestamp(timestamp)
        });
        let topic =
            ListOffsetsTopic::default().with_name(self.topic_name()).with_partitions(partitions.collect());
        ListOffsetsRequest::default()
            .with_replica_id(CONSUMER)
            .with_isolation_level(i8::from(committed))
            .with_topics(vec![topic])
    }

    /// Asks `node` on the connection kept for it, or a new one; a failed one is dropped.
    fn ask_node<T>(
        &mut self,
        node: NodeId,
        ask: impl Fn(&mut Connection) -> Result<T, LogError>,
    ) -> Result<(Connection, T), LogError> {
        // A kept connection may have been closed for idleness.
        if let Some(mut link) = self.links.remove(&node)
            && let Ok(answer) = ask(&mut link)
        {
            return Ok((link, answer));
        }
        let mut link = self.connect_node(node)?;
        let answer = ask(&mut link)?;
        Ok((link, answer))
    }

    /// Nobody leads `partition` at the moment.
    fn no_leader(&self, partition: PartitionId) -> LogError {
        const LEADER_NOT_AVAILABLE: i16 = 5;
        let place = format!("{}, partition {}", self.topic(), partition.0);
        error::refused(&place, "Metadata", LEADER_NOT_AVAILABLE, None)
    }
}
