//! Reading a log, beside its writer or in another process: batch by batch, never a byte that is not synced.
//!
//! Readers take no lock and change nothing. What the records mean, and how far they are counted, is left to the engine.

mod marks;

mod partition;

pub use partition::{Batch, PartitionReader, Records};

use crate::error::LogError;
use crate::layout::{self, Identity};
use crate::url::DirLogUrl;
use crate::watch::LogWatch;
use marks::Marks;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use votestream_election::{LogId, Offset, PartitionId};

/// A log open for reading. Cheap to clone; for any thread.
#[derive(Clone, Debug)]
pub struct LogReader {
    root: PathBuf,
    identity: Identity,
    marks: Arc<Marks>,
}

impl LogReader {
    /// Opens the log for reading. With the `watch` of its writer in this process it is told what is synced; without, it looks at the
    /// `synced` files, every 1 to 10 ms while it waits.
    ///
    /// # Errors
    /// No log there, something else there, a newer format, another partition count or codec than asked for.
    pub fn open(url: &DirLogUrl, watch: Option<LogWatch>) -> Result<Self, LogError> {
        let root = &url.path;
        let Some(identity) = Identity::load(root)? else {
            let path = root.clone();
            return Err(match layout::foreign(root)? {
                Some(found) => LogError::Foreign { path, found },
                None => LogError::NotFound { path },
            });
        };
        identity.check(url)?;
        let marks = watch.map_or_else(|| Marks::of_sidecars(root, &identity), Marks::Watch);
        Ok(Self { root: root.clone(), identity, marks: Arc::new(marks) })
    }

    /// The log's identity.
    pub fn log_id(&self) -> LogId {
        self.identity.log_id
    }

    /// How many partitions it has.
    pub fn partitions(&self) -> u32 {
        self.identity.partitions
    }

    /// Each partition's first offset.
    ///
    /// # Errors
    /// When a partition's directory cannot be read.
    pub fn start_offsets(&self) -> Result<Vec<Offset>, LogError> {
        let first = |partition| Ok(layout::segments(&layout::partition_dir(&self.root, partition))?[0]);
        self.identity.partition_ids().map(first).collect()
    }

    /// Each partition's synced end (exclusive).
    ///
    /// # Errors
    /// When a `synced` file cannot be read.
    pub fn end_offsets(&self) -> Result<Vec<Offset>, LogError> {
        self.identity.partition_ids().map(|partition| self.marks.end(partition)).collect()
    }

    /// Waits until a partition is synced beyond its place in `past`, for at most `timeout`. Says whether one is. Does not spin.
    ///
    /// # Errors
    /// When a `synced` file cannot be read.
    pub fn wait_past(&self, past: &[Offset], timeout: Duration) -> Result<bool, LogError> {
        self.marks.wait_past(past, timeout)
    }

    /// A reader of one partition whose first record is that at `from`.
    ///
    /// # Errors
    /// No such partition; an offset beyond the synced end ([`LogError::Truncated`]) or before the start.
    pub fn partition(&self, partition: PartitionId, from: Offset) -> Result<PartitionReader, LogError> {
        self.check(partition)?;
        PartitionReader::open(&self.root, partition, Arc::clone(&self.marks), from)
    }

    /// The leader epoch (incarnation) of the batch that ends at `next`; `None` when none does. Walks at most one segment's headers.
    ///
    /// # Errors
    /// No such partition; an offset beyond the synced end ([`LogError::Truncated`]); damage on the way.
    pub fn epoch_ending_at(&self, partition: PartitionId, next: Offset) -> Result<Option<i32>, LogError> {
        self.check(partition)?;
        let end = self.marks.end(partition)?;
        if next > end {
            return Err(LogError::Truncated { path: self.root.clone(), partition, wanted: next, end });
        }
        partition::epoch_ending_at(&self.root, partition, next)
    }

    fn check(&self, partition: PartitionId) -> Result<(), LogError> {
        let partitions = self.identity.partitions;
        if partition.0 < partitions {
            Ok(())
        } else {
            Err(LogError::NoSuchPartition { partition, partitions })
        }
    }
}
