//! A directory log open for reading: its identity, its partitions' starts and synced ends.

use super::dir::{self, DirPartition};
use super::marks::Marks;
use crate::error::{LogError, log_at};
use crate::layout::{self, Identity};
use crate::url::DirLogUrl;
use crate::watch::LogWatch;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use votestream_election::{LogId, Offset, PartitionId};

#[derive(Clone, Debug)]
pub(super) struct DirLog {
    root: PathBuf,
    identity: Identity,
    marks: Arc<Marks>,
}

impl DirLog {
    pub(super) fn open(url: &DirLogUrl, watch: Option<LogWatch>) -> Result<Self, LogError> {
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

    pub(super) fn log_id(&self) -> LogId {
        self.identity.log_id
    }

    pub(super) fn partitions(&self) -> u32 {
        self.identity.partitions
    }

    pub(super) fn start_offsets(&self) -> Result<Vec<Offset>, LogError> {
        let first = |partition| Ok(layout::segments(&layout::partition_dir(&self.root, partition))?[0]);
        self.identity.partition_ids().map(first).collect()
    }

    pub(super) fn end_offsets(&self) -> Result<Vec<Offset>, LogError> {
        self.identity.partition_ids().map(|partition| self.marks.end(partition)).collect()
    }

    pub(super) fn wait_past(&self, past: &[Offset], timeout: Duration) -> Result<bool, LogError> {
        self.marks.wait_past(past, timeout)
    }

    pub(super) fn partition(&self, partition: PartitionId, from: Offset) -> Result<DirPartition, LogError> {
        DirPartition::open(&self.root, partition, Arc::clone(&self.marks), from)
    }

    pub(super) fn epoch_ending_at(
        &self,
        partition: PartitionId,
        next: Offset,
    ) -> Result<Option<i32>, LogError> {
        let end = self.marks.end(partition)?;
        if next > end {
            return Err(LogError::Truncated { log: log_at(&self.root), partition, wanted: next, end });
        }
        dir::epoch_ending_at(&self.root, partition, next)
    }
}
