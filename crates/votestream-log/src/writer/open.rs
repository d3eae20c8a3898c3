//! Makes or opens a log's directory for its one writer: the lock, the identity, the incarnation. Partitions' ends are `recover`'s.

use super::WriterOptions;
use crate::crash::point;
use crate::disk::Disk;
use crate::error::LogError;
use crate::layout::{self, Identity};
use crate::mark::MarkFile;
use crate::url::{Codec, DirLogUrl, PARTITIONS_DEFAULT};
use std::fs::{File, OpenOptions, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use votestream_election::{LogId, Offset};

/// A log's directory, held by this writer.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) identity: Identity,
    pub(super) created: bool,
    /// The incarnation of the writer before.
    pub(super) incarnation: i32,
    /// Locked for as long as it is open.
    pub(super) lock: File,
}

/// Takes the directory, making the log when there is none.
pub(super) fn hold(url: &DirLogUrl, options: &WriterOptions) -> Result<Held, LogError> {
    let root = &url.path;
    let found = Identity::load(root)?;
    if found.is_none() {
        refuse_foreign(root)?;
        std::fs::create_dir_all(root).map_err(|error| LogError::io("make", root, error))?;
    }
    let lock = lock(root)?;
    // What was found before the lock may have been made by another since.
    let (identity, created) = match Identity::load(root)? {
        Some(identity) => (identity, false),
        None => (create(url, options)?, true),
    };
    identity.check(url)?;
    Ok(Held { identity, created, incarnation: layout::load_incarnation(root)?, lock })
}

/// Raises the incarnation, durably.
pub(super) fn raise(root: &Path, last: i32, disk: &Disk) -> Result<i32, LogError> {
    let incarnation = last + 1; // below i32::MAX: so `load_incarnation` admits
    layout::store_incarnation(root, incarnation, disk)?;
    point("log-incarnation-written");
    Ok(incarnation)
}

fn refuse_foreign(root: &Path) -> Result<(), LogError> {
    match layout::foreign(root)? {
        Some(found) => Err(LogError::Foreign { path: root.to_owned(), found }),
        None => Ok(()),
    }
}

fn lock(root: &Path) -> Result<File, LogError> {
    let path = layout::lock_path(root);
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(|error| LogError::io("open", &path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LogError::SecondWriter { path: root.to_owned() }),
        Err(TryLockError::Error(error)) => Err(LogError::io("lock", &path, error)),
    }
}

/// Makes an empty log. `log.json` comes last: until then the directory is nobody's, and may be made again.
fn create(url: &DirLogUrl, options: &WriterOptions) -> Result<Identity, LogError> {
    let (root, disk) = (&url.path, &options.disk);
    let identity = Identity {
        log_id: options.log_id.unwrap_or_else(random_id),
        partitions: url.partitions.unwrap_or(PARTITIONS_DEFAULT),
        codec: url.codec.unwrap_or(Codec::Lz4),
    };
    refuse_foreign(root)?;
    for partition in identity.partition_ids() {
        let dir = layout::partition_dir(root, partition);
        disk.create_dir(&dir).map_err(|error| LogError::io("make", &dir, error))?;
        let path = layout::segment_path(&dir, Offset(0));
        let made = disk.open(&path, true).and_then(|file| file.sync());
        made.map_err(|error| LogError::io("make", &path, error))?;
        let mark = MarkFile::open(&layout::mark_path(&dir), partition, 0, disk)?;
        mark.write(Offset(0))?;
        mark.sync()?;
        disk.sync_dir(&dir).map_err(|error| LogError::io("sync", &dir, error))?;
    }
    layout::store_incarnation(root, 0, disk)?;
    point("log-create-before-identity");
    identity.store(root, disk)?;
    point("log-create-identity-written");
    sync_parent(root)?;
    Ok(identity)
}

/// Makes the name of the log's own directory durable.
fn sync_parent(root: &Path) -> Result<(), LogError> {
    let parent = root.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synced = File::open(parent).and_then(|dir| dir.sync_all());
    synced.map_err(|error| LogError::io("sync", parent, error))
}

/// A version 4 UUID from the system's randomness, by way of the standard library's hasher keys.
fn random_id() -> LogId {
    let draw = || u128::from(RandomState::new().hash_one(std::process::id()));
    let bits = draw() << 64 | draw();
    LogId(bits & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62)
}
