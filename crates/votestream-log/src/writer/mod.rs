//! The one writer of a log directory: opening with recovery, appending with group commit, going on where a source stopped.
//!
//! Two threads do the work: one compresses and writes, one fsyncs and acknowledges, so that compression never waits for the disk.
//! What producers put into batches, and how they retry, is left to them.

mod open;

mod recover;

mod sources;

mod queue;

mod append;

mod sync;

mod resume;

pub use queue::{ACKS_WAITING_MAX, QUEUE_BATCHES_MAX, QUEUE_BYTES_MAX, UNSYNCED_BYTES_MAX};
pub use sync::{ACKED_WAIT, UNACKED_WAIT, UNSYNCED_BYTES_SOON};

use crate::batch::{BatchEncoder, SealedBatch};
use crate::disk::Disk;
use crate::error::LogError;
use crate::layout::{self, Identity};
use crate::url::{Codec, DirLogUrl};
use crate::watch::LogWatch;
use append::{Appender, Tail};
use queue::{Item, Shared};
use recover::{Recovered, Start};
use sources::Sources;
use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use sync::Syncer;
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

/// The one writer of a log directory, for as long as it lives. Dropping it closes it, without telling of a failure.
#[derive(Debug)]
pub struct LogWriter {
    root: PathBuf,
    identity: Identity,
    incarnation: i32,
    recovery: RecoveryReport,
    /// Per partition where the segment began that was the last one at opening.
    opened_at: Vec<Offset>,
    handle: AppendHandle,
    threads: Vec<JoinHandle<()>>,
    /// Locked until the writer is gone.
    _lock: File,
}

impl LogWriter {
    /// Opens the log for writing, alone; makes it when there is none. Recovers its end and raises its incarnation.
    ///
    /// # Errors
    /// A second writer, a directory of something else, a newer format, another partition count or codec than asked for, damage
    /// among what was durable, and whatever the file system says.
    pub fn open(url: &DirLogUrl, options: WriterOptions) -> Result<Self, LogError> {
        let held = open::hold(url, &options)?;
        let encoder = BatchEncoder::new(held.identity.codec);
        let encoder = encoder.ok_or(LogError::NotBuilt {
            what: "codec \"zstd\"",
            instead: "build votestream with the feature zstd, or choose a log with codec lz4",
        })?;
        let incarnation = open::raise(&url.path, held.incarnation, &options.disk)?;
        let start = Start { root: &url.path, epoch_max: held.incarnation, incarnation, disk: &options.disk };
        let (recovered, mut recovery) = recover::recover_all(start, held.identity.partition_ids())?;
        recovery.created = held.created;
        let opened_at = recovered.iter().map(|partition| partition.base).collect();
        let (handle, threads) = start_threads(recovered, encoder, incarnation, options);
        tracing::info!(log_id = %held.identity.log_id, incarnation, created = held.created, "vote log open for writing");
        Ok(Self {
            root: url.path.clone(),
            identity: held.identity,
            incarnation,
            recovery,
            opened_at,
            handle,
            threads,
            _lock: held.lock,
        })
    }

    /// The log's identity.
    pub fn log_id(&self) -> LogId {
        self.identity.log_id
    }

    /// How many partitions it has.
    pub fn partitions(&self) -> u32 {
        self.identity.partitions
    }

    /// How its batches are compressed.
    pub fn codec(&self) -> Codec {
        self.identity.codec
    }

    /// This writer's incarnation: the leader epoch of the batches it writes.
    pub fn incarnation(&self) -> i32 {
        self.incarnation
    }

    /// What opening found and did.
    pub fn recovery(&self) -> &RecoveryReport {
        &self.recovery
    }

    /// Per partition the last index of `source` that is durably written; `None` where it never wrote. Waits for what is queued.
    /// At once where the file `sources` tells (always, save after a crash during a roll or its loss); else see the module `resume`.
    ///
    /// # Errors
    /// When the writer has failed, or older segments cannot be read.
    pub fn resume(&self, source: SourceId) -> Result<Vec<Option<u64>>, LogError> {
        self.handle.shared.flush()?;
        let mut sources = self.handle.shared.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answer = Vec::with_capacity(sources.len());
        for (partition, known) in self.identity.partition_ids().zip(sources.iter_mut()) {
            let mut last = known.get(source);
            if last.is_none() && !known.complete {
                let dir = layout::partition_dir(&self.root, partition);
                last = resume::look_back(&dir, self.opened_at[partition.0 as usize], source)?;
                if let Some(index) = last {
                    known.note(source, index);
                }
            }
            answer.push(last);
        }
        Ok(answer)
    }

    /// The synced ends.
    pub fn end_offsets(&self) -> Vec<Offset> {
        self.handle.shared.watch.ends()
    }

    /// A way to append, for any thread.
    pub fn handle(&self) -> AppendHandle {
        self.handle.clone()
    }

    /// The synced ends as they move.
    pub fn watch(&self) -> LogWatch {
        self.handle.watch()
    }

    /// Writes and syncs all that is queued, then stops. Handles refuse from now on.
    ///
    /// # Errors
    /// The failure that stopped the writer, now or earlier.
    pub fn close(mut self) -> Result<(), LogError> {
        self.stop();
        self.handle.shared.lock().failed()
    }

    fn stop(&mut self) {
        self.handle.shared.close();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                self.handle.shared.fail(&LogError::Panicked);
            }
        }
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.stop();
    }
}

fn start_threads(
    recovered: Vec<Recovered>,
    encoder: BatchEncoder,
    incarnation: i32,
    options: WriterOptions,
) -> (AppendHandle, Vec<JoinHandle<()>>) {
    let ends: Vec<Offset> = recovered.iter().map(|partition| partition.end).collect();
    let mut sources: Vec<Sources> = Vec::with_capacity(recovered.len());
    let mut marks = Vec::with_capacity(recovered.len());
    let mut partitions = Vec::with_capacity(recovered.len());
    for partition in recovered {
        let (tail, mark, known) = Tail::of(partition);
        partitions.push(tail);
        marks.push(mark);
        sources.push(known);
    }
    let shared = Arc::new(Shared::new(LogWatch::new(&ends), sources));
    let WriterOptions { segment_bytes, disk, .. } = options;
    let appender =
        Appender { shared: Arc::clone(&shared), encoder, incarnation, segment_bytes, disk, partitions };
    let syncer = Syncer { shared: Arc::clone(&shared), marks };
    let threads = vec![
        spawn("log-write", Arc::clone(&shared), move || appender.run()),
        spawn("log-sync", Arc::clone(&shared), move || syncer.run()),
    ];
    (AppendHandle { shared }, threads)
}

/// Starts a thread whose panic (a bug) stops the writer instead of leaving those who wait without an answer.
fn spawn(name: &str, shared: Arc<Shared>, run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    struct Guard(Arc<Shared>);
    impl Drop for Guard {
        fn drop(&mut self) {
            if std::thread::panicking() {
                self.0.fail(&LogError::Panicked);
            }
        }
    }
    let guarded = move || {
        let _guard = Guard(shared);
        run();
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(guarded).expect("a thread can be started")
}

/// Appends batches, from any thread. Batches of one handle keep their order.
#[derive(Clone)]
pub struct AppendHandle {
    shared: Arc<Shared>,
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
        self.shared.push(Item { partition, batch, ack: None })
    }

    /// As [`AppendHandle::append`]; `ack` is called once the batch is durable, or its fate unknown. Where an error is returned here,
    /// nothing is written and `ack` is dropped uncalled.
    ///
    /// # Errors
    /// As [`AppendHandle::append`].
    pub fn append_acked(&self, partition: PartitionId, batch: SealedBatch, ack: Ack) -> Result<(), LogError> {
        self.shared.push(Item { partition, batch, ack: Some(ack) })
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
        self.shared.try_push(partition, batch, ack)
    }

    /// Waits until all that was queued before is synced; answers the synced ends.
    ///
    /// # Errors
    /// When the writer has failed.
    pub fn flush(&self) -> Result<Vec<Offset>, LogError> {
        self.shared.flush()?;
        Ok(self.shared.watch.ends())
    }

    /// The synced ends as they move.
    pub fn watch(&self) -> LogWatch {
        self.shared.watch.clone()
    }
}

impl std::fmt::Debug for AppendHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppendHandle").field("synced", &self.shared.watch.ends()).finish_non_exhaustive()
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
