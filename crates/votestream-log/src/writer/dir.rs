//! The writer of a log directory: two threads, one that compresses and writes, one that fsyncs and acknowledges, so that compression
//! never waits for the disk.

use super::append::{Appender, Tail};
use super::queue::Shared;
use super::recover::{self, Recovered, Start};
use super::sources::Sources;
use super::sync::Syncer;
use super::{RecoveryReport, WriterOptions, open, resume};
use crate::batch::BatchEncoder;
use crate::error::LogError;
use crate::layout::{self, Identity};
use crate::url::{Codec, DirLogUrl};
use crate::watch::LogWatch;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use votestream_election::{LogId, Offset, SourceId};

/// The one writer of a log directory, for as long as it lives. Dropping it closes it, without telling of a failure.
pub(super) struct DirWriter {
    root: PathBuf,
    identity: Identity,
    incarnation: i32,
    recovery: RecoveryReport,
    /// Per partition where the segment began that was the last one at opening.
    opened_at: Vec<Offset>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// Locked until the writer is gone.
    _lock: File,
}

impl DirWriter {
    /// Opens the log for writing, alone; makes it when there is none. Recovers its end and raises its incarnation.
    ///
    /// # Errors
    /// A second writer, a directory of something else, a newer format, another partition count or codec than asked for, damage
    /// among what was durable, and whatever the file system says.
    pub(super) fn open(url: &DirLogUrl, options: WriterOptions) -> Result<Self, LogError> {
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
        let (shared, threads) = start_threads(recovered, encoder, incarnation, options);
        tracing::info!(log_id = %held.identity.log_id, incarnation, created = held.created, "vote log open for writing");
        Ok(Self {
            root: url.path.clone(),
            identity: held.identity,
            incarnation,
            recovery,
            opened_at,
            shared,
            threads,
            _lock: held.lock,
        })
    }

    /// The log's identity.
    pub(super) fn log_id(&self) -> LogId {
        self.identity.log_id
    }

    /// How many partitions it has.
    pub(super) fn partitions(&self) -> u32 {
        self.identity.partitions
    }

    /// How its batches are compressed.
    pub(super) fn codec(&self) -> Codec {
        self.identity.codec
    }

    /// This writer's incarnation: the leader epoch of the batches it writes.
    pub(super) fn incarnation(&self) -> i32 {
        self.incarnation
    }

    /// What opening found and did.
    pub(super) fn recovery(&self) -> &RecoveryReport {
        &self.recovery
    }

    /// Per partition the last index of `source` that is durably written; `None` where it never wrote. Waits for what is queued.
    /// At once where the file `sources` tells (always, save after a crash during a roll or its loss); else see the module `resume`.
    ///
    /// # Errors
    /// When the writer has failed, or older segments cannot be read.
    pub(super) fn resume(&self, source: SourceId) -> Result<Vec<Option<u64>>, LogError> {
        self.shared.flush()?;
        let mut sources = self.shared.sources.lock().unwrap_or_else(PoisonError::into_inner);
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

    /// What appending goes through.
    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Writes and syncs all that is queued, then stops. Handles refuse from now on.
    ///
    /// # Errors
    /// The failure that stopped the writer, now or earlier.
    pub(super) fn close(mut self) -> Result<(), LogError> {
        self.stop();
        self.shared.lock().failed()
    }

    fn stop(&mut self) {
        self.shared.close();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                self.shared.fail(&LogError::Panicked);
            }
        }
    }
}

impl Drop for DirWriter {
    fn drop(&mut self) {
        self.stop();
    }
}

fn start_threads(
    recovered: Vec<Recovered>,
    encoder: BatchEncoder,
    incarnation: i32,
    options: WriterOptions,
) -> (Arc<Shared>, Vec<JoinHandle<()>>) {
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
    (shared, threads)
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
