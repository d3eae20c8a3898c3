//! Reading a log: a directory beside its writer or from another process, or a Kafka topic; batch by batch, never a byte that could be
//! taken back.
//!
//! Readers take no lock and change nothing. What the records mean, and how far they are counted, is left to the engine.

mod marks;

mod dir_log;

mod dir;

mod partition;

#[cfg(feature = "kafka")]
pub(crate) use partition::Place;
pub use partition::{Batch, PartitionReader, Records};

use crate::error::LogError;
#[cfg(feature = "kafka")]
use crate::kafka::by_librdkafka::RdLog;
#[cfg(feature = "kafka")]
use crate::kafka::fetch::KafkaLog;
#[cfg(feature = "kafka")]
use crate::kafka_url::ReaderKind;
use crate::url::{DirLogUrl, LogUrl};
use crate::watch::LogWatch;
use dir_log::DirLog;
use std::time::Duration;
use votestream_election::{LogId, Offset, PartitionId};

/// A log open for reading. Cheap to clone; for any thread.
#[derive(Clone, Debug)]
pub struct LogReader {
    inner: Inner,
}

#[derive(Clone, Debug)]
enum Inner {
    Dir(DirLog),
    #[cfg(feature = "kafka")]
    Kafka(KafkaLog),
    #[cfg(feature = "kafka")]
    Librdkafka(RdLog),
}

impl LogReader {
    /// Opens a directory for reading. With the `watch` of its writer in this process it is told what is synced; without, it looks at the
    /// `synced` files, every 1 to 10 ms while it waits.
    ///
    /// # Errors
    /// No log there, something else there, a newer format, another partition count or codec than asked for.
    pub fn open(url: &DirLogUrl, watch: Option<LogWatch>) -> Result<Self, LogError> {
        Ok(Self { inner: Inner::Dir(DirLog::open(url, watch)?) })
    }

    /// Opens a log of any kind for reading.
    ///
    /// # Errors
    /// As [`LogReader::open`]; for a topic: no broker answers, no such topic, refused, or Kafka is not in this build.
    pub fn open_url(url: &LogUrl) -> Result<Self, LogError> {
        match url {
            LogUrl::Dir(url) => Self::open(url, None),
            #[cfg(feature = "kafka")]
            LogUrl::Kafka(url) => {
                let inner = match url.options.reader {
                    ReaderKind::Native => Inner::Kafka(KafkaLog::open(url)?),
                    ReaderKind::Librdkafka => Inner::Librdkafka(RdLog::open(url)?),
                };
                Ok(Self { inner })
            }
            #[cfg(not(feature = "kafka"))]
            LogUrl::Kafka(_) => Err(LogError::NotBuilt {
                what: "a kafka:// log",
                instead: "use a build with Kafka (cargo build without --no-default-features), or a directory",
            }),
        }
    }

    /// What holds the log: `dir` or `kafka`. Stores pin it.
    pub fn kind(&self) -> &'static str {
        match &self.inner {
            Inner::Dir(_) => "dir",
            #[cfg(feature = "kafka")]
            Inner::Kafka(_) | Inner::Librdkafka(_) => "kafka",
        }
    }

    /// The log's identity; of a topic, its id.
    pub fn log_id(&self) -> LogId {
        match &self.inner {
            Inner::Dir(log) => log.log_id(),
            #[cfg(feature = "kafka")]
            Inner::Kafka(log) => log.log_id(),
            #[cfg(feature = "kafka")]
            Inner::Librdkafka(log) => log.log().log_id(),
        }
    }

    /// How many partitions it has.
    pub fn partitions(&self) -> u32 {
        match &self.inner {
            Inner::Dir(log) => log.partitions(),
            #[cfg(feature = "kafka")]
            Inner::Kafka(log) => log.partitions(),
            #[cfg(feature = "kafka")]
            Inner::Librdkafka(log) => log.log().partitions(),
        }
    }

    /// Each partition's first offset. Of a topic the brokers are asked.
    ///
    /// # Errors
    /// When a partition's directory cannot be read, or the brokers do not answer.
    pub fn start_offsets(&self) -> Result<Vec<Offset>, LogError> {
        match &self.inner {
            Inner::Dir(log) => log.start_offsets(),
            #[cfg(feature = "kafka")]
            Inner::Kafka(log) => log.start_offsets(),
            #[cfg(feature = "kafka")]
            Inner::Librdkafka(log) => log.log().start_offsets(),
        }
    }

    /// Each partition's end (exclusive) as far as readers go: the synced end; of a topic the last stable offset, the freshest that is
    /// known without asking.
    ///
    /// # Errors
    /// When a `synced` file cannot be read.
    pub fn end_offsets(&self) -> Result<Vec<Offset>, LogError> {
        match &self.inner {
            Inner::Dir(log) => log.end_offsets(),
            #[cfg(feature = "kafka")]
            Inner::Kafka(log) => Ok(log.end_offsets()),
            #[cfg(feature = "kafka")]
            Inner::Librdkafka(log) => Ok(log.end_offsets()),
        }
    }

    /// As [`LogReader::end_offsets`], of a topic as the brokers tell it now.
    ///
    /// # Errors
    /// When a `synced` file cannot be read, or the brokers do not answer.
    pub fn refresh_ends(&self) -> Result<Vec<Offset>, LogError> {
        match &self.inner {
            Inner::Dir(log) => log.end_offsets(),
            #[cfg(feature = "kafka")]
            Inner::Kafka(log) => log.refresh_ends(),
            #[cfg(feature = "kafka")]
            Inner::Librdkafka(log) => log.log().refresh_ends(),
        }
    }

    /// Each partition's end, records of open transactions included, which hold [`LogReader::end_offsets`] back. A directory has none.
    ///
    /// # Errors
    /// As [`LogReader::refresh_ends`].
    pub fn high_watermarks(&self) -> Result<Vec<Offset>, LogError> {
        match &self.inner {
            Inner::Dir(log) => log.end_offsets(),
            #[cfg(feature = "kafka")]
            Inner::Kafka(log) => log.high_watermarks(),
            #[cfg(feature = "kafka")]
            Inner::Librdkafka(log) => log.log().high_watermarks(),
        }
    }

    /// Waits until a partition can be read (or, of a topic, is known to be stable) beyond its place in `past`, for at most `timeout`.
    /// Says whether one is. `u64::MAX`: not interested. Does not spin.
    ///
    /// # Errors
    /// When a `synced` file cannot be read.
    pub fn wait_past(&self, past: &[Offset], timeout: Duration) -> Result<bool, LogError> {
        match &self.inner {
            Inner::Dir(log) => log.wait_past(past, timeout),
            #[cfg(feature = "kafka")]
            Inner::Kafka(log) => Ok(log.wait_past(past, timeout)),
            #[cfg(feature = "kafka")]
            Inner::Librdkafka(log) => Ok(log.wait_past(past, timeout)),
        }
    }

    /// A reader of one partition whose first record is that at `from`.
    ///
    /// # Errors
    /// No such partition; an offset beyond the end ([`LogError::Truncated`]) or before the start.
    pub fn partition(&self, partition: PartitionId, from: Offset) -> Result<PartitionReader, LogError> {
        self.check(partition)?;
        match &self.inner {
            Inner::Dir(log) => log.partition(partition, from).map(PartitionReader::dir),
            #[cfg(feature = "kafka")]
            Inner::Kafka(log) => Ok(PartitionReader::kafka(log.partition(partition, from))),
            #[cfg(feature = "kafka")]
            Inner::Librdkafka(log) => Ok(PartitionReader::librdkafka(log.partition(partition, from))),
        }
    }

    /// The leader epoch (incarnation) of the batch that ends at `next`; `None` when that cannot be told. In a directory it is looked up,
    /// walking at most one segment's headers. Of a topic the leader is asked where `counted_in`, the epoch of the last batch before
    /// `next` when that was read, ends: at or beyond `next` answers `counted_in`.
    ///
    /// # Errors
    /// No such partition; a log that ends before `next` ([`LogError::Truncated`]); damage on the way; brokers that do not answer.
    pub fn epoch_ending_at(
        &self,
        partition: PartitionId,
        next: Offset,
        counted_in: i32,
    ) -> Result<Option<i32>, LogError> {
        self.check(partition)?;
        // A directory's own batches tell.
        #[cfg(not(feature = "kafka"))]
        let _ = counted_in;
        match &self.inner {
            Inner::Dir(log) => log.epoch_ending_at(partition, next),
            #[cfg(feature = "kafka")]
            Inner::Kafka(log) => log.epoch_ending_at(partition, next, counted_in),
            #[cfg(feature = "kafka")]
            Inner::Librdkafka(log) => log.log().epoch_ending_at(partition, next, counted_in),
        }
    }

    /// Why nothing can be read at the moment, where that may pass by itself: a broker is away, has no leader. Never of a directory.
    pub fn trouble(&self) -> Option<String> {
        match &self.inner {
            Inner::Dir(_) => None,
            #[cfg(feature = "kafka")]
            Inner::Kafka(log) => log.trouble(),
            #[cfg(feature = "kafka")]
            Inner::Librdkafka(log) => log.trouble(),
        }
    }

    /// Whether records may vanish from the middle of the log: a topic whose `cleanup.policy` holds `compact`.
    ///
    /// # Errors
    /// When the brokers do not answer.
    pub fn cleanup_compacts(&self) -> Result<bool, LogError> {
        match &self.inner {
            Inner::Dir(_) => Ok(false),
            #[cfg(feature = "kafka")]
            Inner::Kafka(log) => log.cleanup_compacts(),
            #[cfg(feature = "kafka")]
            Inner::Librdkafka(log) => log.log().cleanup_compacts(),
        }
    }

    fn check(&self, partition: PartitionId) -> Result<(), LogError> {
        let partitions = self.partitions();
        if partition.0 < partitions {
            Ok(())
        } else {
            Err(LogError::NoSuchPartition { partition, partitions })
        }
    }
}
