//! Looks at the topic's metadata for all readers at once: still the same topic, and who leads a partition in which epoch.

use crate::error::LogError;
use crate::kafka::client::{Client, Leader};
use crate::kafka::offsets::OffsetSpec;
use crate::kafka_url::KafkaUrl;
use std::time::Instant;
use votestream_election::{LogId, Offset, PartitionId};

/// The last look, and what to look with.
#[derive(Debug)]
pub(super) struct Look {
    id: LogId,
    client: Option<Client>,
    /// When the last look that was answered began.
    begun: Option<Instant>,
}

impl Look {
    pub(super) fn new(id: LogId) -> Self {
        Self { id, client: None, begun: None }
    }

    /// Who leads `partition`, as told by metadata that were asked for at `since` or later.
    ///
    /// # Errors
    /// [`LogError::TopicRecreated`] and the like; transient ones while the brokers, or the partition's leader, are away.
    pub(super) fn leader(
        &mut self,
        url: &KafkaUrl,
        partition: PartitionId,
        since: Instant,
    ) -> Result<Leader, LogError> {
        let client = if self.begun.is_some_and(|begun| begun >= since) && self.client.is_some() {
            self.connect(url)?
        } else {
            self.begun = None;
            let begun = Instant::now();
            let client = self.connect(url)?;
            client.refresh()?;
            self.begun = Some(begun);
            self.connect(url)?
        };
        client.leader(partition).ok_or_else(|| LogError::Unreachable {
            place: url.place(),
            what: format!("partition {partition} has no leader at the moment"),
            next: "it is waited for",
        })
    }

    /// Where `epoch` ended, as its leader tells now; `None`: it knows no such epoch.
    pub(super) fn epoch_end(
        &mut self,
        url: &KafkaUrl,
        partition: PartitionId,
        epoch: i32,
    ) -> Result<Option<Offset>, LogError> {
        Ok(self.connect(url)?.epoch_end(partition, epoch)?.map(|found| found.end))
    }

    /// Where `partition` starts and ends, open transactions included.
    pub(super) fn bounds(
        &mut self,
        url: &KafkaUrl,
        partition: PartitionId,
    ) -> Result<(Offset, Offset), LogError> {
        let client = self.connect(url)?;
        let mut ask = |spec| {
            let offsets = client.offsets(spec)?;
            Ok(offsets.get(partition.0 as usize).copied().unwrap_or(Offset(0)))
        };
        Ok((ask(OffsetSpec::Earliest)?, ask(OffsetSpec::HighWatermark)?))
    }

    fn connect(&mut self, url: &KafkaUrl) -> Result<&mut Client, LogError> {
        let client = if let Some(client) = self.client.take() { client } else { self.connect_anew(url)? };
        Ok(self.client.insert(client))
    }

    fn connect_anew(&self, url: &KafkaUrl) -> Result<Client, LogError> {
        let client = Client::connect(url)?;
        let (was, now) = (self.id, client.log_id());
        if was == now {
            Ok(client)
        } else {
            Err(LogError::TopicRecreated { topic: url.topic.clone(), was, now })
        }
    }
}
