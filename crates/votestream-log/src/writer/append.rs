//! The writing thread: takes batches from the queue, compresses, writes, rolls to the next segment. Never waits for the disk, save
//! at a roll and when too much is unsynced; syncing and acknowledging are `sync`'s.

use super::queue::{Item, Shared, Written};
use super::recover::Recovered;
use super::sources::Sources;
use crate::batch::{BatchEncoder, Place};
use crate::crash::point;
use crate::disk::{Disk, DiskFile};
use crate::error::LogError;
use crate::layout;
use crate::mark::MarkFile;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use votestream_election::{Offset, PartitionId};

/// What the writing thread owns.
pub(super) struct Appender {
    pub(super) shared: Arc<Shared>,
    pub(super) encoder: BatchEncoder,
    pub(super) incarnation: i32,
    pub(super) segment_bytes: u64,
    pub(super) disk: Disk,
    pub(super) partitions: Vec<Tail>,
}

/// The growing end of a partition.
pub(super) struct Tail {
    partition: PartitionId,
    dir: PathBuf,
    file: Arc<DiskFile>,
    position: u64,
    end: Offset,
}

impl Tail {
    /// Takes over what recovery found; the mark is for the syncing thread, the sources for all.
    pub(super) fn of(recovered: Recovered) -> (Self, MarkFile, Sources) {
        let Recovered { partition, dir, file, position, end, mark, sources, .. } = recovered;
        (Self { partition, dir, file: Arc::new(file), position, end }, mark, sources)
    }
}

impl Appender {
    /// Runs until the log is closed or fails.
    pub(super) fn run(mut self) {
        let mut out = Vec::new();
        while let Some(item) = self.shared.next() {
            if let Err(failed) = self.append(item, &mut out) {
                let (error, ack) = *failed;
                self.shared.fail(&error);
                if let Some(ack) = ack {
                    ack(Err(error));
                }
                break;
            }
        }
        self.shared.lock().writing_ended = true;
        self.shared.dirty.notify_all();
        self.store_sources();
    }

    fn append(&mut self, item: Item, out: &mut Vec<u8>) -> Result<(), Box<(LogError, Option<super::Ack>)>> {
        let Item { partition, mut batch, ack } = item;
        let tail = &mut self.partitions[partition.0 as usize];
        let place =
            Place { base: tail.end, epoch: self.incarnation, synced: self.shared.watch.end(partition) };
        self.encoder.encode(&mut batch, place, out);
        let bytes = out.len() as u64;
        if tail.position > 0
            && tail.position + bytes > self.segment_bytes
            && let Err(error) = roll(tail, &self.shared, &self.disk)
        {
            return Err(Box::new((error, ack)));
        }
        if let Err(error) = write(&tail.file, out, tail.position) {
            return Err(Box::new((LogError::io("write", tail.file.path(), error), ack)));
        }
        let range = tail.end..tail.end.plus(u64::from(batch.records()));
        tail.position += bytes;
        tail.end = range.end;
        if let Some((source, index)) = batch.source() {
            let mut sources = self.shared.sources.lock().unwrap_or_else(PoisonError::into_inner);
            sources[partition.0 as usize].note(source, index);
        }
        self.shared.wrote(Written { partition, file: Arc::clone(&tail.file), range, bytes, ack });
        Ok(())
    }

    /// At the end, where all turned out well: the next start need not read the last segment's predecessors for a source.
    fn store_sources(&self) {
        let mut state = self.shared.lock();
        while state.synced < state.written && state.failed().is_ok() {
            state = super::queue::wait(&self.shared.work, state);
        }
        if state.failed().is_err() {
            return;
        }
        drop(state);
        let sources = self.shared.sources.lock().unwrap_or_else(PoisonError::into_inner);
        for (tail, sources) in self.partitions.iter().zip(sources.iter()) {
            sources.store(&layout::sources_path(&tail.dir), tail.end, &self.disk);
        }
    }
}

fn write(file: &DiskFile, bytes: &[u8], position: u64) -> std::io::Result<()> {
    point("log-append-before-write");
    if cfg!(feature = "failpoints") {
        // In two, so that a kill between leaves a torn batch.
        let (front, back) = bytes.split_at(bytes.len() / 2);
        file.write_all_at(front, position)?;
        point("log-append-half-written");
        file.write_all_at(back, position + front.len() as u64)?;
    } else {
        file.write_all_at(bytes, position)?;
    }
    point("log-append-written");
    Ok(())
}

/// Starts the next segment. The old one is durable before the new one exists, and the new one's name before anything in it is
/// acknowledged: so only a partition's last segment can ever be torn.
fn roll(tail: &mut Tail, shared: &Shared, disk: &Disk) -> Result<(), LogError> {
    point("log-roll-before");
    tail.file.sync().map_err(|error| LogError::io("sync", tail.file.path(), error))?;
    point("log-roll-synced-old");
    {
        let sources = shared.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources[tail.partition.0 as usize].store(&layout::sources_path(&tail.dir), tail.end, disk);
    }
    let path = layout::segment_path(&tail.dir, tail.end);
    let file = disk.open(&path, true).map_err(|error| LogError::io("make", &path, error))?;
    point("log-roll-created");
    file.sync().map_err(|error| LogError::io("sync", &path, error))?;
    point("log-roll-synced-file");
    disk.sync_dir(&tail.dir).map_err(|error| LogError::io("sync", &tail.dir, error))?;
    point("log-roll-synced-dir");
    tracing::info!(partition = %tail.partition, offset = %tail.end, bytes = tail.position, "segment full; the next one begins");
    tail.file = Arc::new(file);
    tail.position = 0;
    Ok(())
}
