//! One partition of a topic, read batch by batch: takes what the fetch threads brought, checks and decompresses it on the caller's
//! thread, and tells which batches hold no votes.

use super::Handle;
use super::aborted::Aborted;
use super::feed::Chunk;
use super::state::FeedId;
use crate::batch::{BatchDecoder, BatchError, BatchHeader};
use crate::error::LogError;
use crate::reader::{Batch, Place};
use std::sync::Arc;
use votestream_election::{Offset, PartitionId};

/// Reads one partition of a topic.
#[derive(Debug)]
pub(crate) struct KafkaPartition {
    log: Arc<Handle>,
    feed: FeedId,
    partition: PartitionId,
    /// Records before it are dropped.
    from: Offset,
    position: Offset,
    chunk: Option<Chunk>,
    /// Where in the chunk the next batch stands.
    at: usize,
    aborted: Aborted,
    decoder: BatchDecoder,
    /// Bytes of the batch that was last given out.
    given: usize,
}

impl KafkaPartition {
    pub(super) fn new(log: Arc<Handle>, partition: PartitionId, from: Offset) -> Self {
        let feed = log.shared.open(partition, from);
        Self {
            log,
            feed,
            partition,
            from,
            position: from,
            chunk: None,
            at: 0,
            aborted: Aborted::default(),
            decoder: BatchDecoder::for_kafka(),
            given: 0,
        }
    }

    /// The next batch; `None` when none is there yet.
    pub(crate) fn next_batch(&mut self) -> Result<Option<Batch<'_>>, LogError> {
        let Some(header) = self.ready()? else { return Ok(None) };
        let Some(chunk) = &self.chunk else { return Ok(None) };
        let topic = &self.log.shared.topic;
        let bytes = chunk.bytes.get(self.at..).unwrap_or_default();
        let batch = self
            .decoder
            .decode(bytes)
            .map_err(|error| corrupt(topic, self.partition, header.base_offset, &error))?;
        let aborted = self.aborted.holds(&header);
        if header.is_control() {
            self.aborted.marker(&header, batch.records().next().and_then(Result::ok));
        }
        (self.position, self.given) = (header.next_offset(), header.bytes);
        let place = Place::Topic { topic, partition: self.partition, base: header.base_offset };
        Ok(Some(Batch::new(batch, self.from, aborted, place)))
    }

    /// Takes what was fetched without looking into it.
    pub(crate) fn pass_fetched(&mut self) -> Result<bool, LogError> {
        self.given = 0;
        self.chunk = self.log.shared.take(self.feed)?;
        let Some(chunk) = &self.chunk else { return Ok(false) };
        (self.position, self.at) = (chunk.next, chunk.bytes.len());
        Ok(true)
    }

    /// The offset of the next record.
    pub(crate) fn position(&self) -> Offset {
        self.position
    }

    /// The partition.
    pub(crate) fn partition(&self) -> PartitionId {
        self.partition
    }

    /// Goes to the next batch beyond the position.
    fn ready(&mut self) -> Result<Option<BatchHeader>, LogError> {
        self.at += std::mem::take(&mut self.given);
        loop {
            if let Some(chunk) = &self.chunk
                && let Some(bytes) = chunk.bytes.get(self.at..)
                && !bytes.is_empty()
            {
                let header = BatchHeader::read(bytes).map_err(|error| {
                    corrupt(&self.log.shared.topic, self.partition, self.position, &error)
                })?;
                if header.next_offset() > self.position {
                    return Ok(Some(header));
                }
                self.aborted.holds(&header);
                self.at += header.bytes;
                continue;
            }
            self.chunk = None;
            let Some(mut chunk) = self.log.shared.take(self.feed)? else { return Ok(None) };
            self.aborted = Aborted::new(std::mem::take(&mut chunk.aborted));
            (self.chunk, self.at) = (Some(chunk), 0);
        }
    }
}

impl Drop for KafkaPartition {
    fn drop(&mut self) {
        self.log.shared.close(self.feed);
    }
}

#[cold]
fn corrupt(topic: &str, partition: PartitionId, offset: Offset, error: &BatchError) -> LogError {
    LogError::CorruptTopic { topic: topic.to_owned(), partition, offset, what: error.to_string() }
}
