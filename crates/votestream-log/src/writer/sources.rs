//! How far each source has got in a partition, so that it can go on where it stopped without reading the whole log.
//!
//! The truth is in the batches (their first records' headers). The file `sources`, written at each roll and at closing, repeats it
//! up to an offset, so that only what follows must be read: at most about one segment. Missing, torn or old it costs time, nothing else.

use crate::disk::Disk;
use std::collections::HashMap;
use std::path::Path;
use votestream_election::{Offset, SourceId};

/// Most sources that are kept; with more the table is no longer complete, and a source not in it is looked for in the segments.
pub(super) const SOURCES_MAX: usize = 65_536;

const MAGIC: &[u8; 8] = b"vssrc01\n";
const ENTRY_BYTES: usize = 16;
const AROUND_BYTES: usize = 8 + 8 + 4;

/// The last index of each source in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sources {
    last: HashMap<SourceId, u64>,
    /// A source that is not here has not written, or not since the last segment began (`false`).
    pub(super) complete: bool,
}

impl Sources {
    /// Of a partition of which everything will be told.
    pub(super) fn complete() -> Self {
        Self { last: HashMap::new(), complete: true }
    }

    /// Of a partition of which nothing is known.
    pub(super) fn unknown() -> Self {
        Self { last: HashMap::new(), complete: false }
    }

    pub(super) fn get(&self, source: SourceId) -> Option<u64> {
        self.last.get(&source).copied()
    }

    /// Notes that a batch of `source` ends with `index`.
    pub(super) fn note(&mut self, source: SourceId, index: u64) {
        if self.last.len() >= SOURCES_MAX && !self.last.contains_key(&source) {
            self.complete = false;
            return;
        }
        let last = self.last.entry(source).or_insert(index);
        *last = index.max(*last);
    }

    /// Stores the table, true of all that is durable up to `upto`. Failing to is no harm: the next start reads more of the log.
    pub(super) fn store(&self, path: &Path, upto: Offset, disk: &Disk) {
        let stored = if self.complete { disk.replace(path, &self.encode(upto)) } else { Ok(()) };
        if let Err(error) = stored {
            tracing::debug!(path = %path.display(), %error, "sources not stored; the next start reads more of the log");
        }
    }

    /// Loads a table that is true up to at least `from` and says nothing beyond `end`.
    pub(super) fn load(path: &Path, from: Offset, end: Offset) -> Option<Self> {
        let bytes = std::fs::read(path).ok()?;
        let (table, upto) = Self::decode(&bytes)?;
        (from <= upto && upto <= end).then_some(table)
    }

    fn encode(&self, upto: Offset) -> Vec<u8> {
        let mut entries: Vec<_> = self.last.iter().collect();
        entries.sort_unstable();
        let mut bytes = Vec::with_capacity(AROUND_BYTES + ENTRY_BYTES * entries.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&upto.0.to_be_bytes());
        for (source, index) in entries {
            bytes.extend_from_slice(&source.0.to_be_bytes());
            bytes.extend_from_slice(&index.to_be_bytes());
        }
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<(Self, Offset)> {
        let (covered, crc) = bytes.split_last_chunk()?;
        if crc32c::crc32c(covered) != u32::from_be_bytes(*crc) {
            return None;
        }
        let (upto, entries) = covered.strip_prefix(MAGIC)?.split_first_chunk()?;
        let mut table = Self::complete();
        for entry in entries.chunks(ENTRY_BYTES) {
            let (source, index) = entry.split_first_chunk()?;
            table.note(SourceId(u64::from_be_bytes(*source)), u64::from_be_bytes(*index.first_chunk()?));
        }
        Some((table, Offset(u64::from_be_bytes(*upto))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_whole_or_none() {
        let mut table = Sources::complete();
        for n in [5, 1, 9] {
            table.note(SourceId(n), 100 * n);
        }
        table.note(SourceId(9), 7);
        assert_eq!(table.get(SourceId(9)), Some(900));
        let bytes = table.encode(Offset(44));
        assert_eq!(Sources::decode(&bytes), Some((table, Offset(44))));
        for cut in 0..bytes.len() {
            assert_eq!(Sources::decode(&bytes[..cut]), None);
        }
        for at in 0..bytes.len() {
            let mut torn = bytes.clone();
            torn[at] ^= 1;
            assert_eq!(Sources::decode(&torn), None, "byte {at}");
        }
    }
}
