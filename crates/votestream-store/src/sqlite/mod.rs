//! The store in one SQLite file: WAL, `synchronous = FULL`, one counting writer under a lock file, any number of readers beside it.
//! Statements are in `sql/`, migrations in `schema/`. What is shared with other backends is one level up.

mod open;

mod elections;

mod flush;

mod cache;

mod takeover;

mod compact;

mod outside;

mod change;

mod rows;

mod snapshot;

mod history;

mod audit;

mod desk;

mod heads;

mod releases;

mod reads;

mod fault;

use crate::compaction::Group;
use cache::Cached;
use elections::Known;
use fault::Fault;
use rusqlite::Connection;
use std::cell::Cell;
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use fault::{Done, InStore};

/// An election's number in this file and a partition.
type Key = (i64, u32);

/// The one connection that counts.
pub(crate) struct Writer {
    conn: Connection,
    path: PathBuf,
    pub(crate) label: String,
    /// Holds the lock for as long as the writer lives.
    _lock: File,
    known: HashMap<String, Arc<Known>>,
    /// Absolute tallies as committed, so that a flush reads nothing back. Only trusted under its epoch and next offset.
    cache: HashMap<Key, Cached>,
    /// The seen voters' row ranges as committed, of partitions taken over by this writer.
    groups: HashMap<Key, Vec<Group>>,
    flushes: u64,
}

/// A connection that may read all and write only acts of the desk.
pub(crate) struct Desk {
    conn: Connection,
    pub(crate) label: String,
}

/// A connection that only reads.
pub(crate) struct Reader {
    conn: Connection,
    pub(crate) label: String,
    data_version: Cell<Option<i64>>,
}

/// The write-ahead log is cut back when it is found longer than this.
const WAL_BYTES_MAX: u64 = 64 << 20;
/// How often, in flushes, that is looked at.
const WAL_LOOK_EVERY: u64 = 128;

impl Writer {
    pub(crate) fn open(path: &Path, label: &str) -> Result<Self, crate::StoreError> {
        let (conn, lock) = open::for_counting(path, label)?;
        Ok(Self {
            conn,
            path: path.to_owned(),
            label: label.to_owned(),
            _lock: lock,
            known: HashMap::new(),
            cache: HashMap::new(),
            groups: HashMap::new(),
            flushes: 0,
        })
    }

    pub(crate) fn reader(&self) -> Result<Reader, crate::StoreError> {
        Reader::open(&self.path, &self.label)
    }

    /// Writes all of the write-ahead log back into the file and empties it, unless readers are in the way.
    pub(crate) fn checkpoint(&mut self) -> Done<()> {
        self.conn.busy_timeout(std::time::Duration::ZERO)?;
        let result = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        self.conn.busy_timeout(open::BUSY_TIMEOUT)?;
        match result {
            Err(e) if e.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => Ok(()),
            other => Ok(other?),
        }
    }

    /// Now and then looks whether readers let the write-ahead log grow past its bound, and cuts it back.
    fn bound_wal(&mut self) {
        self.flushes += 1;
        if !self.flushes.is_multiple_of(WAL_LOOK_EVERY) {
            return;
        }
        let wal = open::beside(&self.path, "-wal");
        let bytes = std::fs::metadata(wal).map_or(0, |m| m.len());
        if bytes > WAL_BYTES_MAX
            && let Err(fault) = self.checkpoint()
        {
            // The flush itself is committed; the next look tries again.
            tracing::warn!(store = self.label, bytes, error = %fault, "write-ahead log not cut back");
        }
    }

    /// What was read of these partitions may be stale: forget it.
    fn forget(&mut self, number: i64, partitions: impl IntoIterator<Item = u32>) {
        for partition in partitions {
            self.cache.remove(&(number, partition));
        }
    }
}

impl Desk {
    pub(crate) fn open(path: &Path, label: &str) -> Result<Self, crate::StoreError> {
        Ok(Self { conn: open::for_desk(path, label)?, label: label.to_owned() })
    }
}

impl Reader {
    pub(crate) fn open(path: &Path, label: &str) -> Result<Self, crate::StoreError> {
        Ok(Self {
            conn: open::for_reading(path, label)?,
            label: label.to_owned(),
            data_version: Cell::new(None),
        })
    }

    /// Whether another connection has committed since the last call; the first call says yes.
    pub(crate) fn changed(&self) -> Done<bool> {
        let mut statement = self.conn.prepare_cached("PRAGMA data_version")?;
        let now = statement.query_row([], |row| row.get(0))?;
        Ok(self.data_version.replace(Some(now)) != Some(now))
    }
}

/// A stored value that cannot be.
fn corrupt(what: &'static str) -> Fault {
    Fault::Corrupt(what)
}

#[cfg(test)]
mod tests;
