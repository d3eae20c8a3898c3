//! Walks a segment file from batch to batch: large reads into one buffer, headers checked against what must follow.
//!
//! CRCs and records are left to the caller. What is wrong is told with the file and the byte position.

use crate::batch::{BatchHeader, HEADER_BYTES};
use crate::error::LogError;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use votestream_election::Offset;

/// What is read at once where whole batches are wanted.
pub(crate) const READ_BYTES: usize = 1 << 20;
/// What is read at once where headers are enough: small batches come many at a time, and large ones are stepped over.
pub(crate) const WALK_BYTES: usize = 32 << 10;

/// A place in a segment file, with the bytes read ahead from there.
#[derive(Debug)]
pub(crate) struct Cursor {
    file: File,
    path: PathBuf,
    /// The position in the file of `buffer[start]`.
    position: u64,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    read_bytes: usize,
}

/// What must hold of the next batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expect {
    pub(crate) base: Offset,
    pub(crate) epoch_min: i32,
    pub(crate) epoch_max: i32,
}

impl Expect {
    /// At the start of a segment, where nothing is known of the epochs.
    pub(crate) fn at(base: Offset) -> Self {
        Self { base, epoch_min: 0, epoch_max: i32::MAX }
    }

    pub(crate) fn after(self, header: &BatchHeader) -> Self {
        Self { base: header.next_offset(), epoch_min: header.leader_epoch, ..self }
    }

    /// What does not hold of `header`.
    pub(crate) fn flaw(&self, header: &BatchHeader) -> Option<String> {
        if header.base_offset != self.base {
            return Some(format!(
                "a batch with base offset {} stands where {} must follow",
                header.base_offset, self.base
            ));
        }
        if !(self.epoch_min..=self.epoch_max).contains(&header.leader_epoch) {
            let (epoch, min) = (header.leader_epoch, self.epoch_min);
            return Some(format!(
                "a batch of incarnation {epoch} stands where {min} to {} may follow",
                self.epoch_max
            ));
        }
        if i64::from(header.records) != i64::from(header.last_offset_delta) + 1 {
            return Some(format!(
                "the batch has {} records for {} offsets",
                header.records,
                header.last_offset_delta + 1
            ));
        }
        None
    }
}

impl Cursor {
    /// At the start of a file.
    pub(crate) fn open(path: PathBuf, read_bytes: usize) -> Result<Self, LogError> {
        let file = File::open(&path).map_err(|error| LogError::io("read", &path, error))?;
        Ok(Self { file, path, position: 0, buffer: Vec::new(), start: 0, end: 0, read_bytes })
    }

    /// At the start of another file, with the same buffer.
    pub(crate) fn reopen(&mut self, path: PathBuf) -> Result<(), LogError> {
        self.file = File::open(&path).map_err(|error| LogError::io("read", &path, error))?;
        (self.path, self.position, self.start, self.end) = (path, 0, 0, 0);
        Ok(())
    }

    pub(crate) fn set_read_bytes(&mut self, bytes: usize) {
        self.read_bytes = bytes;
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn file_bytes(&self) -> Result<u64, LogError> {
        Ok(self.file.metadata().map_err(|error| LogError::io("read", &self.path, error))?.len())
    }

    /// Bytes from here on, reading until `bytes` are there or the file ends. `bytes` must be bounded by the caller.
    pub(crate) fn fill(&mut self, bytes: usize) -> Result<&[u8], LogError> {
        if self.end - self.start < bytes {
            self.refill(bytes)?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    /// Bytes that a `fill` has brought.
    pub(crate) fn filled(&self, bytes: usize) -> &[u8] {
        &self.buffer[self.start..self.start + bytes]
    }

    /// Moves on.
    pub(crate) fn skip(&mut self, bytes: usize) {
        self.start = (self.start + bytes).min(self.end);
        self.position += bytes as u64;
        // Beyond what was read: the next read starts there.
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Drops what was read ahead: bytes that were not synced when they were read may have changed since.
    pub(crate) fn forget(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// The header of the next batch, checked against `expect`; `None` at the end of the file.
    pub(crate) fn header(&mut self, expect: &Expect) -> Result<Option<BatchHeader>, LogError> {
        let front = self.fill(HEADER_BYTES)?;
        if front.is_empty() {
            return Ok(None);
        }
        let header = BatchHeader::read(front);
        let header =
            header.map_err(|error| LogError::corrupt(&self.path, self.position, error.to_string()))?;
        match expect.flaw(&header) {
            None => Ok(Some(header)),
            Some(what) => Err(LogError::corrupt(&self.path, self.position, what)),
        }
    }

    fn refill(&mut self, bytes: usize) -> Result<(), LogError> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let room = bytes.max(self.read_bytes);
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        }
        while self.end < bytes {
            let from = self.position + self.end as u64;
            match self.file.read_at(&mut self.buffer[self.end..], from) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(LogError::io("read", &self.path, error)),
            }
        }
        Ok(())
    }
}
