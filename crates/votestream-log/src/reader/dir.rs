//! A partition of a directory: read batch by batch, following its segments, never beyond what is synced.

use super::marks::Marks;
use super::partition::{Batch, Place};
use crate::batch::{BatchDecoder, BatchError, BatchHeader};
use crate::error::{LogError, log_at};
use crate::layout;
use crate::segment::{Cursor, Expect, READ_BYTES, WALK_BYTES};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use votestream_election::{Offset, PartitionId};

/// Reads one partition, batch by batch. Keeps its buffers.
#[derive(Debug)]
pub(super) struct DirPartition {
    root: PathBuf,
    dir: PathBuf,
    partition: PartitionId,
    marks: Arc<Marks>,
    /// Records before it are dropped.
    from: Offset,
    /// What was synced when the bytes in the cursor's buffer were read: only so far do they hold still.
    trusted: Offset,
    cursor: Cursor,
    expect: Expect,
    decoder: BatchDecoder,
    /// Bytes of the batch that was last given out.
    given: usize,
}

impl DirPartition {
    pub(super) fn open(
        root: &Path,
        partition: PartitionId,
        marks: Arc<Marks>,
        from: Offset,
    ) -> Result<Self, LogError> {
        let dir = layout::partition_dir(root, partition);
        let trusted = marks.end(partition)?;
        if from > trusted {
            return Err(LogError::Truncated { log: log_at(root), partition, wanted: from, end: trusted });
        }
        let bases = layout::segments(&dir)?;
        let Some(base) = bases.iter().rev().find(|base| **base <= from) else {
            return Err(LogError::BeforeStart {
                log: log_at(root),
                partition,
                wanted: from,
                start: bases[0],
            });
        };
        let (mut cursor, expect) = seek(layout::segment_path(&dir, *base), *base, from)?;
        cursor.set_read_bytes(READ_BYTES);
        // Nothing that `seek` read ahead is relied on to be synced.
        cursor.forget();
        let (root, decoder) = (root.to_owned(), BatchDecoder::new());
        let reader = Self { root, dir, partition, marks, from, trusted, cursor, expect, decoder, given: 0 };
        Ok(reader)
    }

    /// The next batch; `None` when nothing beyond is synced yet. After an error the reader stands where it stood.
    ///
    /// # Errors
    /// Damage, named by file and byte position; a log that was cut below where this reader has been; whatever the file system says.
    pub(super) fn next_batch(&mut self) -> Result<Option<Batch<'_>>, LogError> {
        let Some(bytes) = self.ready()? else { return Ok(None) };
        let position = self.cursor.position();
        let file = self.cursor.path();
        let decoded = self.decoder.decode(self.cursor.filled(bytes));
        let checked =
            decoded.and_then(|batch| batch.first_record().check_epoch(batch.header()).map(|()| batch));
        let batch = checked.map_err(|error| LogError::corrupt(file, position, error.to_string()))?;
        self.expect = self.expect.after(batch.header());
        self.given = bytes;
        Ok(Some(Batch::new(batch, self.from, false, Place::File { file, position })))
    }

    /// The offset of the next record.
    pub(super) fn position(&self) -> Offset {
        self.expect.base.max(self.from)
    }

    /// The partition.
    pub(super) fn partition(&self) -> PartitionId {
        self.partition
    }

    /// Brings the next whole batch into the cursor's buffer and answers its bytes; `None` when it is not synced yet.
    fn ready(&mut self) -> Result<Option<usize>, LogError> {
        self.cursor.skip(std::mem::take(&mut self.given));
        let next = self.expect.base;
        if next >= self.trusted {
            let end = self.marks.end(self.partition)?;
            if end < next {
                let (log, partition) = (log_at(&self.root), self.partition);
                return Err(LogError::Truncated { log, partition, wanted: next, end });
            }
            if end == next {
                return Ok(None);
            }
            self.cursor.forget();
            self.trusted = end;
        }
        let header = match self.cursor.header(&self.expect)? {
            Some(header) => header,
            None => self.roll()?,
        };
        let there = self.cursor.fill(header.bytes)?.len();
        if there < header.bytes {
            return Err(self.corrupt(BatchError::Short.to_string()));
        }
        if header.next_offset() > self.trusted {
            let (next, end) = (header.next_offset(), self.trusted);
            return Err(self.corrupt(format!("a batch up to offset {next} lies across the synced end {end}")));
        }
        Ok(Some(header.bytes))
    }

    /// Goes on with the segment that starts where this one ends.
    fn roll(&mut self) -> Result<BatchHeader, LogError> {
        let next = layout::segment_path(&self.dir, self.expect.base);
        if !next.exists() || next == self.cursor.path() {
            let (base, end) = (self.expect.base, self.trusted);
            return Err(self.corrupt(format!(
                "the segment ends at offset {base}, and records up to {end} were durable"
            )));
        }
        self.cursor.reopen(next)?;
        self.cursor.header(&self.expect)?.ok_or_else(|| self.corrupt("the segment is empty".to_owned()))
    }

    fn corrupt(&self, what: String) -> LogError {
        LogError::corrupt(self.cursor.path(), self.cursor.position(), what)
    }
}

/// Walks a segment to the batch that holds `to`, or that starts there; stops at the segment's end too.
fn seek(path: PathBuf, base: Offset, to: Offset) -> Result<(Cursor, Expect), LogError> {
    let mut cursor = Cursor::open(path, WALK_BYTES)?;
    let mut expect = Expect::at(base);
    while expect.base < to {
        let Some(header) = cursor.header(&expect)? else { break };
        if header.next_offset() > to {
            break;
        }
        expect = expect.after(&header);
        cursor.skip(header.bytes);
    }
    Ok((cursor, expect))
}

/// The incarnation of the batch that ends at `next`, where one does.
pub(super) fn epoch_ending_at(
    root: &Path,
    partition: PartitionId,
    next: Offset,
) -> Result<Option<i32>, LogError> {
    let dir = layout::partition_dir(root, partition);
    let bases = layout::segments(&dir)?;
    let Some(base) = bases.iter().rev().find(|base| **base < next) else { return Ok(None) };
    let mut cursor = Cursor::open(layout::segment_path(&dir, *base), WALK_BYTES)?;
    let mut expect = Expect::at(*base);
    while expect.base < next {
        let Some(header) = cursor.header(&expect)? else { return Ok(None) };
        if header.next_offset() == next {
            return Ok(Some(header.leader_epoch));
        }
        expect = expect.after(&header);
        cursor.skip(header.bytes);
    }
    Ok(None)
}
