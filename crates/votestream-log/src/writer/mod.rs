//! Writing a log, a directory's or a topic's: appending in order, acknowledging what is durable, going on where a source stopped.
//!
//! A directory is `dir`'s, a topic `kafka::produce`'s; what they promise to those who append is said here, once.
//! What producers put into batches, and how they retry, is left to them.

mod dir;

mod open;

mod recover;

mod sources;

mod queue;

mod append;

mod sync;

mod resume;

pub use queue::{ACKS_WAITING_MAX, QUEUE_BATCHES_MAX, QUEUE_BYTES_MAX, UNSYNCED_BYTES_MAX};
pub use sync::{ACKED_WAIT, UNACKED_WAIT, UNSYNCED_BYTES_SOON};

use crate::batch::SealedBatch;
use crate::disk::Disk;
use crate::error::LogError;
#[cfg(feature = "kafka")]
use crate::kafka::produce::{KafkaHandle, KafkaWriter};
use crate::url::{Codec, DirLogUrl, LogUrl};
use crate::watch::LogWatch;
use dir::DirWriter;
use queue::{Item, Shared};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use votestream_election::{LogId, Offset, PartitionId, SourceId};

/// The size at which a segment is followed by the next, unless told otherwise.
pub const SEGMENT_BYTES_DEFAULT: u64 = 512 << 20;

/// Called once, on a thread of the log's, when a batch is durable (with its offsets) or will never be known to be (with the failure).
/// It must return at once: every later acknowledgement waits for it.
pub type Ack = Box<dyn FnOnce(Result<Range<Offset>, LogError>) + Send>;

/// What a writer may be told beyond its URL.
#[derive(Clone, Debug)]
pub struct WriterOptions {
    /// A segment that would pass this many bytes is followed by a new one.
    pub segment_bytes: u64,
    /// The file system; tests cut its power.
    pub disk: Disk,
    /// The id of a log that is created; `None` draws one at random.
    pub log_id: Option<LogId>,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self { segment_bytes: SEGMENT_BYTES_DEFAULT, disk: Disk::default(), log_id: None }
    }
}

/// What opening a log found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// The log was created just now.
    pub created: bool,
    /// Torn tails, cut: bytes after the last whole batch, none of which was ever acknowledged or shown to a reader.
    pub torn: Vec<TornTail>,
}

/// A tail that was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The partition.
    pub partition: PartitionId,
    /// The segment file.
    pub file: PathBuf,
    /// Where it was cut, in bytes.
    pub position: u64,
    /// How many bytes were cut off.
    pub bytes: u64,
    /// The offset at which the partition goes on.
    pub next_offset: Offset,
}

/// The writer of a log, for as long as it lives. A directory has one at a time; a topic has any number, of which each source has one.
/// Dropping it closes it, without telling of a failure.
pub struct LogWriter {
    kind: Kind,
    #[cfg(feature = "kafka")]
    recovery: RecoveryReport,
}

enum Kind {
    Dir(DirWriter),
    #[cfg(feature = "kafka")]
    Kafka(KafkaWriter),
}

impl LogWriter {
    /// Opens the log for writing, alone; makes it when there is none. Recovers its end and raises its incarnation.
    ///
    /// # Errors
    /// A second writer, a directory of something else, a newer format, another partition count or codec than asked for, damage
    /// among what was durable, and whatever the file system says.
    pub fn open(url: &DirLogUrl, options: WriterOptions) -> Result<Self, LogError> {
        Ok(Self {
            kind: Kind::Dir(DirWriter::open(url, options)?),
            #[cfg(feature = "kafka")]
            recovery: RecoveryReport::default(),
        })
    }

    /// Opens a log of either kind. A topic must be there; a directory is made.
    ///
    /// # Errors
    /// As [`LogWriter::open`]; for a topic what its brokers refuse, or that none can be reached.
    pub fn open_url(url: &LogUrl, options: WriterOptions) -> Result<Self, LogError> {
        match url {
            LogUrl::Dir(dir) => Self::open(dir, options),
            #[cfg(feature = "kafka")]
            LogUrl::Kafka(topic) => {
                let recovery = RecoveryReport::default();
                Ok(Self { kind: Kind::Kafka(KafkaWriter::open(topic)?), recovery })
            }
            #[cfg(not(feature = "kafka"))]
            LogUrl::Kafka(_) => url.dir().and_then(|dir| Self::open(dir, options)),
        }
    }

    /// The log's identity; a topic's is its id.
    pub fn log_id(&self) -> LogId {
        match &self.kind {
            Kind::Dir(dir) => dir.log_id(),
            #[cfg(feature = "kafka")]
            Kind::Kafka(topic) => topic.log_id(),
        }
    }

    /// How many partitions it has.
    pub fn partitions(&self) -> u32 {
        match &self.kind {
            Kind::Dir(dir) => dir.partitions(),
            #[cfg(feature = "kafka")]
            Kind::Kafka(topic) => topic.partitions(),
        }
    }

    /// How its batches are compressed.
    pub fn codec(&self) -> Codec {
        match &self.kind {
            Kind::Dir(dir) => dir.codec(),
            #[cfg(feature = "kafka")]
            Kind::Kafka(topic) => topic.codec(),
        }
    }

    /// Whether its records carry their voter as key, as a topic's must; a directory's values say it alone.
    pub fn keyed(&self) -> bool {
        match &self.kind {
            Kind::Dir(_) => false,
            #[cfg(feature = "kafka")]
            Kind::Kafka(_) => true,
        }
    }

    /// This writer's incarnation: the leader epoch of the batches it writes. 0 on a topic, where the brokers have their own.
    pub fn incarnation(&self) -> i32 {
        match &self.kind {
            Kind::Dir(dir) => dir.incarnation(),
            #[cfg(feature = "kafka")]
            Kind::Kafka(_) => 0,
        }
    }

    /// What opening found and did.
    pub fn recovery(&self) -> &RecoveryReport {
        match &self.kind {
            Kind::Dir(dir) => dir.recovery(),
            #[cfg(feature = "kafka")]
            Kind::Kafka(_) => &self.recovery,
        }
    }

    /// Per partition the last index of `source` that is durably written; `None` where it never wrote. Waits for what is queued.
    /// A directory answers at once where its file `sources` tells (always, save after a crash during a roll or its loss). On a topic
    /// this fences any other run of the source, and from here on the writer writes for this source alone, in transactions.
    ///
    /// # Errors
    /// When the writer has failed, or what is in the log cannot be read.
    pub fn resume(&self, source: SourceId) -> Result<Vec<Option<u64>>, LogError> {
        match &self.kind {
            Kind::Dir(dir) => dir.resume(source),
            #[cfg(feature = "kafka")]
            Kind::Kafka(topic) => topic.resume(source),
        }
    }

    /// The synced ends; of a topic as far as this writer has been told.
    pub fn end_offsets(&self) -> Vec<Offset> {
        self.watch().ends()
    }

    /// A way to append, for any thread.
    pub fn handle(&self) -> AppendHandle {
        match &self.kind {
            Kind::Dir(dir) => AppendHandle { way: Way::Dir(dir.shared()) },
            #[cfg(feature = "kafka")]
            Kind::Kafka(topic) => AppendHandle { way: Way::Kafka(topic.handle()) },
        }
    }

    /// The synced ends as they move.
    pub fn watch(&self) -> LogWatch {
        self.handle().watch()
    }

    /// Writes and syncs all that is queued, then stops. Handles refuse from now on.
    ///
    /// # Errors
    /// The failure that stopped the writer, now or earlier.
    pub fn close(self) -> Result<(), LogError> {
        match self.kind {
            Kind::Dir(dir) => dir.close(),
            #[cfg(feature = "kafka")]
            Kind::Kafka(topic) => topic.close(),
        }
    }
}

impl std::fmt::Debug for LogWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogWriter").field("log_id", &self.log_id()).finish_non_exhaustive()
    }
}

/// Appends batches, from any thread. Batches of one handle keep their order.
#[derive(Clone)]
pub struct AppendHandle {
    way: Way,
}

#[derive(Clone)]
enum Way {
    Dir(Arc<Shared>),
    #[cfg(feature = "kafka")]
    Kafka(KafkaHandle),
}

/// Why a batch was not taken; its [`Ack`] has not been called.
pub enum TryAppendError {
    /// The queue is full: try again later.
    Full(SealedBatch, Ack),
    /// The writer refuses.
    Refused(LogError),
}

impl AppendHandle {
    /// Queues a batch; waits while the queue is full.
    ///
    /// # Errors
    /// When the writer is closed or has failed, or takes no such batch. What was queued may still fail: see [`AppendHandle::flush`].
    pub fn append(&self, partition: PartitionId, batch: SealedBatch) -> Result<(), LogError> {
        match &self.way {
            Way::Dir(shared) => shared.push(Item { partition, batch, ack: None }),
            #[cfg(feature = "kafka")]
            Way::Kafka(topic) => topic.append(partition, batch, None),
        }
    }

    /// As [`AppendHandle::append`]; `ack` is called once the batch is durable, or its fate unknown. Where an error is returned here,
    /// nothing is written and `ack` is dropped uncalled.
    ///
    /// # Errors
    /// As [`AppendHandle::append`].
    pub fn append_acked(&self, partition: PartitionId, batch: SealedBatch, ack: Ack) -> Result<(), LogError> {
        match &self.way {
            Way::Dir(shared) => shared.push(Item { partition, batch, ack: Some(ack) }),
            #[cfg(feature = "kafka")]
            Way::Kafka(topic) => topic.append(partition, batch, Some(ack)),
        }
    }

    /// As [`AppendHandle::append_acked`], but never waits.
    ///
    /// # Errors
    /// As [`AppendHandle::append`], and a full queue.
    pub fn try_append_acked(
        &self,
        partition: PartitionId,
        batch: SealedBatch,
        ack: Ack,
    ) -> Result<(), TryAppendError> {
        self.append_acked_within(partition, batch, ack, Duration::ZERO)
    }

    /// As [`AppendHandle::append_acked`], but waits for at most `time` while the queue is full, as it is when a topic's brokers are away.
    ///
    /// # Errors
    /// As [`AppendHandle::try_append_acked`].
    pub fn append_acked_within(
        &self,
        partition: PartitionId,
        batch: SealedBatch,
        ack: Ack,
        time: Duration,
    ) -> Result<(), TryAppendError> {
        match &self.way {
            Way::Dir(shared) => shared.push_within(partition, batch, ack, time),
            #[cfg(feature = "kafka")]
            Way::Kafka(topic) => topic.append_within(partition, batch, ack, time),
        }
    }

    /// Waits until all that was queued before is synced; answers the synced ends.
    ///
    /// # Errors
    /// When the writer has failed.
    pub fn flush(&self) -> Result<Vec<Offset>, LogError> {
        match &self.way {
            Way::Dir(shared) => shared.flush()?,
            #[cfg(feature = "kafka")]
            Way::Kafka(topic) => topic.flush()?,
        }
        Ok(self.watch().ends())
    }

    /// Whether records are to carry their voter as key, as in [`LogWriter::keyed`].
    pub fn keyed(&self) -> bool {
        match &self.way {
            Way::Dir(_) => false,
            #[cfg(feature = "kafka")]
            Way::Kafka(_) => true,
        }
    }

    /// From now on nobody waits for a topic's brokers longer than `time`: what they have not acknowledged by then has failed, and what
    /// waits in any call returns. For a process that is told to stop. A directory is as fast as its disk: there it does nothing.
    pub fn give_up_within(&self, time: Duration) {
        match &self.way {
            Way::Dir(_) => tracing::debug!(?time, "a directory's disk is waited for"),
            #[cfg(feature = "kafka")]
            Way::Kafka(topic) => topic.give_up_within(time),
        }
    }

    /// The synced ends as they move.
    pub fn watch(&self) -> LogWatch {
        match &self.way {
            Way::Dir(shared) => shared.watch.clone(),
            #[cfg(feature = "kafka")]
            Way::Kafka(topic) => topic.watch().clone(),
        }
    }
}

impl std::fmt::Debug for AppendHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppendHandle").field("synced", &self.watch().ends()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for TryAppendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Full(batch, _) => f.debug_tuple("Full").field(batch).finish_non_exhaustive(),
            Self::Refused(error) => f.debug_tuple("Refused").field(error).finish(),
        }
    }
}
