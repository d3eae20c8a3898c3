//! Finds a source's last index in a partition's older segments, for the rare start at which the file `sources` does not tell.
//!
//! Read are the batches' headers and first records, newest segment first, up to the segment in which the source last wrote: with
//! batches of about 300 KB that is some 20 KB of reading and one block of decompression a batch. A source that never wrote costs
//! a walk over the whole partition.

use crate::batch::BatchDecoder;
use crate::error::LogError;
use crate::layout;
use crate::segment::{Cursor, Expect, READ_BYTES};
use std::path::Path;
use votestream_election::{Offset, SourceId};

/// The last index of `source` in the segments before the one that starts at `before`.
pub(super) fn look_back(dir: &Path, before: Offset, source: SourceId) -> Result<Option<u64>, LogError> {
    let mut decoder = BatchDecoder::new();
    let bases = layout::segments(dir)?;
    for base in bases.into_iter().rev().filter(|base| *base < before) {
        let last = last_in_segment(dir, base, source, &mut decoder)?;
        if last.is_some() {
            return Ok(last);
        }
    }
    Ok(None)
}

fn last_in_segment(
    dir: &Path,
    base: Offset,
    source: SourceId,
    decoder: &mut BatchDecoder,
) -> Result<Option<u64>, LogError> {
    let mut cursor = Cursor::open(layout::segment_path(dir, base), READ_BYTES)?;
    let mut expect = Expect::at(base);
    let mut last = None;
    while let Some(header) = cursor.header(&expect)? {
        let position = cursor.position();
        let bytes = cursor.fill(header.bytes)?;
        let first = header.check_crc(bytes).and_then(|()| decoder.first_record(bytes));
        let first = first.map_err(|error| LogError::corrupt(cursor.path(), position, error.to_string()))?;
        if let Some((id, index)) = first.source
            && id == source
        {
            last = last.max(Some(index));
        }
        expect = expect.after(&header);
        cursor.skip(header.bytes);
    }
    Ok(last)
}
