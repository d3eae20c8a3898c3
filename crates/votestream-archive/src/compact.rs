//! Small files put together: which, and how. The replaced ones are kept for a while, by the manifest's writer.

use crate::archive::Archive;
use crate::error::ArchiveError;
use crate::file::FileWriter;
use crate::lane::{Sealed, about};
use crate::manifest::entry::FileEntry;
use std::ops::Range;
use std::sync::Arc;
use votestream_election::{Offset, PartitionId};

/// Fewer neighbours are not worth it.
const FILES_MIN: usize = 8;
/// Files up to this part of the size at which files roll are small.
const SMALL_PART: u64 = 4;

/// Neighbouring small files that together come to one no larger than `roll_bytes`; none of them more than half of it, so that a byte is
/// written again a few times and not with every file that is added.
pub fn worth(files: &[FileEntry], roll_bytes: u64) -> Option<Range<usize>> {
    for first in 0..files.len() {
        let (mut total, mut largest, mut end) = (0, 0, first);
        while let Some(file) = files.get(end) {
            if file.bytes > roll_bytes / SMALL_PART || total + file.bytes > roll_bytes {
                break;
            }
            (total, largest, end) = (total + file.bytes, largest.max(file.bytes), end + 1);
        }
        if end - first >= FILES_MIN && largest <= total / 2 {
            return Some(first..end);
        }
    }
    None
}

/// Puts neighbouring files together.
///
/// # Errors
/// They are not what the manifest says; the storage fails.
pub fn together(
    archive: &Archive,
    partition: PartitionId,
    files: &[FileEntry],
) -> Result<Sealed, ArchiveError> {
    let (Some(first), Some(last)) = (files.first(), files.last()) else {
        unreachable!("a range of files is not empty");
    };
    let mut writer = FileWriter::new(Arc::clone(archive.codes()), partition, about(archive, partition))?;
    let mut rows = archive.rows_of(files, Offset(first.from));
    while let Some(batch) = rows.next_batch()? {
        for (place, row) in batch.rows().iter().enumerate() {
            writer.push(row, batch.value(place))?;
        }
    }
    let file = writer.finish()?;
    let entry = FileEntry {
        name: String::new(),
        from: first.from,
        rows: file.rows,
        votes: file.votes,
        bytes: file.bytes.len() as u64,
        blake3: file.blake3,
        leaves: files.iter().flat_map(|file| file.leaves.iter().copied()).collect(),
        ..last.clone()
    };
    Ok(Sealed { entry, file })
}
