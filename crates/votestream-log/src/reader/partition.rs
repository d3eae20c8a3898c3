//! What a reader of one partition gives out, whatever log it reads: batches, and the records in them.

use super::dir::DirPartition;
use crate::batch::{self, BatchError, HEADER_BYTES, Record, RecordBatch};
use crate::error::LogError;
#[cfg(feature = "kafka")]
use crate::kafka::by_librdkafka::RdPartition;
#[cfg(feature = "kafka")]
use crate::kafka::fetch::KafkaPartition;
use std::path::Path;
#[cfg(feature = "kafka")]
use votestream_election::framing::RECORD_BYTES_MAX;
use votestream_election::framing::STUB_BYTES;
use votestream_election::{Offset, PartitionId};

/// Reads one partition, batch by batch. Keeps its buffers.
#[derive(Debug)]
pub struct PartitionReader {
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    Dir(DirPartition),
    #[cfg(feature = "kafka")]
    Kafka(KafkaPartition),
    #[cfg(feature = "kafka")]
    Librdkafka(Box<RdPartition>),
}

/// One batch: CRC checked, decompressed.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    inner: RecordBatch<'a>,
    from: Offset,
    aborted: bool,
    place: Place<'a>,
}

/// The records of a batch from the reader's start on, in offset order.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    inner: batch::Records<'a>,
    from: Offset,
    /// Longer values are cut. Directories hold what our own writer let in.
    value_bytes_max: usize,
    place: Place<'a>,
}

/// Where a batch stands, for errors.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    File {
        file: &'a Path,
        position: u64,
    },
    #[cfg(feature = "kafka")]
    Topic {
        topic: &'a str,
        partition: PartitionId,
        base: Offset,
    },
}

impl PartitionReader {
    pub(super) fn dir(partition: DirPartition) -> Self {
        Self { inner: Inner::Dir(partition) }
    }

    #[cfg(feature = "kafka")]
    pub(super) fn kafka(partition: KafkaPartition) -> Self {
        Self { inner: Inner::Kafka(partition) }
    }

    #[cfg(feature = "kafka")]
    pub(super) fn librdkafka(partition: RdPartition) -> Self {
        Self { inner: Inner::Librdkafka(Box::new(partition)) }
    }

    /// The next batch; `None` when nothing beyond is there yet: nothing synced (directory), nothing fetched below the last stable
    /// offset, or trouble that may pass (Kafka; `LogReader::trouble` says which). After an error the reader stands where it stood.
    ///
    /// # Errors
    /// Damage, named by its place; a log that was cut below where this reader has been, or made anew; whatever the file system says.
    pub fn next_batch(&mut self) -> Result<Option<Batch<'_>>, LogError> {
        match &mut self.inner {
            Inner::Dir(partition) => partition.next_batch(),
            #[cfg(feature = "kafka")]
            Inner::Kafka(partition) => partition.next_batch(),
            #[cfg(feature = "kafka")]
            Inner::Librdkafka(partition) => partition.next_batch(),
        }
    }

    /// Passes over what was fetched from a topic without looking into it, to measure fetching alone. Says whether there was any.
    ///
    /// # Errors
    /// As [`PartitionReader::next_batch`].
    #[doc(hidden)]
    pub fn pass_fetched(&mut self) -> Result<bool, LogError> {
        match &mut self.inner {
            Inner::Dir(_) => Ok(false),
            #[cfg(feature = "kafka")]
            Inner::Kafka(partition) => partition.pass_fetched(),
            #[cfg(feature = "kafka")]
            Inner::Librdkafka(partition) => Ok(partition.next_batch()?.is_some()),
        }
    }

    /// The offset of the next record.
    pub fn position(&self) -> Offset {
        match &self.inner {
            Inner::Dir(partition) => partition.position(),
            #[cfg(feature = "kafka")]
            Inner::Kafka(partition) => partition.position(),
            #[cfg(feature = "kafka")]
            Inner::Librdkafka(partition) => partition.position(),
        }
    }

    /// The partition.
    pub fn partition(&self) -> PartitionId {
        match &self.inner {
            Inner::Dir(partition) => partition.partition(),
            #[cfg(feature = "kafka")]
            Inner::Kafka(partition) => partition.partition(),
            #[cfg(feature = "kafka")]
            Inner::Librdkafka(partition) => partition.partition(),
        }
    }
}

impl<'a> Batch<'a> {
    pub(crate) fn new(inner: RecordBatch<'a>, from: Offset, aborted: bool, place: Place<'a>) -> Self {
        Self { inner, from, aborted, place }
    }

    /// The offset of the batch's first record, which may lie before the reader's start.
    pub fn base_offset(&self) -> Offset {
        self.inner.header().base_offset
    }

    /// The offset after the batch.
    pub fn next_offset(&self) -> Offset {
        self.inner.header().next_offset()
    }

    /// The epoch of the leader (in a directory: the incarnation of the writer) that wrote it.
    pub fn leader_epoch(&self) -> i32 {
        self.inner.header().leader_epoch
    }

    /// Whether it holds no votes but a transaction's marker.
    pub fn is_control(&self) -> bool {
        self.inner.header().is_control()
    }

    /// Whether its offsets hold no votes: a transaction's marker, or records of one that was aborted.
    pub fn is_skipped(&self) -> bool {
        self.aborted || self.is_control()
    }

    /// Its records from the reader's start on. Those of a skipped batch are no votes.
    pub fn records(&self) -> Records<'a> {
        let value_bytes_max = match self.place {
            Place::File { .. } => usize::MAX,
            #[cfg(feature = "kafka")]
            Place::Topic { .. } => RECORD_BYTES_MAX,
        };
        Records { inner: self.inner.records(), from: self.from, value_bytes_max, place: self.place }
    }
}

impl Records<'_> {
    #[cold]
    fn corrupt(&self, error: BatchError) -> LogError {
        match self.place {
            Place::File { file, position } => {
                let at = format!(
                    "{error} (the position is the batch's, of {HEADER_BYTES} bytes of header and its records)"
                );
                LogError::corrupt(file, position, at)
            }
            #[cfg(feature = "kafka")]
            Place::Topic { topic, partition, base } => LogError::CorruptTopic {
                topic: topic.to_owned(),
                partition,
                offset: base,
                what: format!("{error} (the offset is the batch's)"),
            },
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, LogError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.inner.next()? {
                Ok(record) if record.offset < self.from => {}
                Ok(record) => return Some(Ok(bounded(record, self.value_bytes_max))),
                Err(error) => return Some(Err(self.corrupt(error))),
            }
        }
    }
}

/// A value over the bound, as only others than us write it, is cut to the start that is kept of it.
#[inline]
fn bounded(record: Record<'_>, value_bytes_max: usize) -> Record<'_> {
    match record.value {
        Some(value) if value.len() > value_bytes_max => {
            Record { value: value.get(..STUB_BYTES), oversize: true, ..record }
        }
        _ => record,
    }
}
