//! The `synced` sidecar: how far a partition is durable, for readers in other processes and for the next writer's recovery.
//!
//! It is written in place after each fsync, and never before: where it can be read, it is true. It is not itself synced (save when a
//! log is closed), so after a power cut it may be old; recovery brings it up again.

use crate::disk::{Disk, DiskFile};
use crate::error::LogError;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use votestream_election::{Offset, PartitionId};

/// The file's size: magic (4), incarnation (i32), synced end (u64), partition (u32), CRC32C of these (u32); big-endian.
pub(crate) const MARK_BYTES: usize = 24;
const MAGIC: &[u8; 4] = b"vsm1";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) partition: PartitionId,
    pub(crate) incarnation: i32,
    pub(crate) end: Offset,
}

impl Mark {
    pub(crate) fn encode(self) -> [u8; MARK_BYTES] {
        let mut bytes = [0; MARK_BYTES];
        bytes[..4].copy_from_slice(MAGIC);
        bytes[4..8].copy_from_slice(&self.incarnation.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.end.0.to_be_bytes());
        bytes[16..20].copy_from_slice(&self.partition.0.to_be_bytes());
        let crc = crc32c::crc32c(&bytes[..20]);
        bytes[20..].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// `None`: torn, or another partition's.
    pub(crate) fn decode(bytes: &[u8; MARK_BYTES], partition: PartitionId) -> Option<Self> {
        let word = |at: usize| bytes[at..].first_chunk::<4>().expect("within the mark");
        let whole = word(0) == MAGIC && u32::from_be_bytes(*word(20)) == crc32c::crc32c(&bytes[..20]);
        let end = Offset(u64::from_be_bytes(*bytes[8..].first_chunk().expect("within the mark")));
        let mark = Self {
            partition: PartitionId(u32::from_be_bytes(*word(16))),
            incarnation: i32::from_be_bytes(*word(4)),
            end,
        };
        (whole && mark.partition == partition).then_some(mark)
    }

    /// Reads the sidecar; `None` when it is missing or torn.
    pub(crate) fn load(path: &Path, partition: PartitionId) -> Result<Option<Self>, LogError> {
        match std::fs::File::open(path) {
            Ok(file) => Self::read(&file, path, partition),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LogError::io("read", path, error)),
        }
    }

    /// As [`Mark::load`], from an open file.
    pub(crate) fn read(
        file: &std::fs::File,
        path: &Path,
        partition: PartitionId,
    ) -> Result<Option<Self>, LogError> {
        let mut bytes = [0; MARK_BYTES];
        match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => Ok(Self::decode(&bytes, partition)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(LogError::io("read", path, error)),
        }
    }
}

/// The sidecar, open for writing.
#[derive(Debug)]
pub(crate) struct MarkFile {
    file: DiskFile,
    partition: PartitionId,
    incarnation: i32,
}

impl MarkFile {
    pub(crate) fn open(
        path: &Path,
        partition: PartitionId,
        incarnation: i32,
        disk: &Disk,
    ) -> Result<Self, LogError> {
        let file = disk.open(path, true).map_err(|error| LogError::io("open", path, error))?;
        Ok(Self { file, partition, incarnation })
    }

    /// Says that the partition is durable up to `end`; call it only once that is so.
    pub(crate) fn write(&self, end: Offset) -> Result<(), LogError> {
        let mark = Mark { partition: self.partition, incarnation: self.incarnation, end };
        self.file
            .write_all_at(&mark.encode(), 0)
            .map_err(|error| LogError::io("write", self.file.path(), error))
    }

    pub(crate) fn sync(&self) -> Result<(), LogError> {
        self.file.sync().map_err(|error| LogError::io("sync", self.file.path(), error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_whole_or_none() {
        let mark = Mark { partition: PartitionId(3), incarnation: 7, end: Offset(1 << 40) };
        let bytes = mark.encode();
        assert_eq!(Mark::decode(&bytes, PartitionId(3)), Some(mark));
        assert_eq!(Mark::decode(&bytes, PartitionId(2)), None);
        for at in 0..MARK_BYTES {
            let mut torn = bytes;
            torn[at] ^= 0x10;
            assert_eq!(Mark::decode(&torn, PartitionId(3)), None, "byte {at}");
        }
    }
}
