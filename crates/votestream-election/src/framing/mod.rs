//! Cutting a stream of bytes into records: lines, elements of a JSON array, events of an SSE stream, rows of a CSV file.
//! Every non-blank piece is a record, valid or not; only counting judges. Memory is bounded by [`RECORD_BYTES_MAX`] a record.
//! And, apart from that, the frame that schema registries put around a Kafka record's value: [`registry`].

mod array;
mod csv;
mod lines;
mod sse;

pub mod registry;

pub use array::{ArrayError, ArraySplitter};
pub use csv::{CsvLines, CsvRows};
pub use lines::LineSplitter;
pub use sse::SseEvents;

/// The longest record that is kept whole; a longer one becomes a stub that counts as `too_large`.
pub const RECORD_BYTES_MAX: usize = 65_536;

/// Bytes of a too large record that its stub keeps, so that a person can tell where it came from.
pub const STUB_BYTES: usize = 256;

/// One piece of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Its bytes; for a too large one only the first [`STUB_BYTES`].
    pub bytes: &'a [u8],
    /// Its length in the input when that is above [`RECORD_BYTES_MAX`].
    pub oversize: Option<u64>,
}

impl<'a> Piece<'a> {
    /// A record that is whole in memory.
    pub fn of_record(bytes: &'a [u8]) -> Self {
        Self::of(bytes, bytes.len() as u64)
    }

    fn of(kept: &'a [u8], length: u64) -> Self {
        Self::within(RECORD_BYTES_MAX, kept, length)
    }

    fn within(limit: usize, kept: &'a [u8], length: u64) -> Self {
        if length > limit as u64 {
            Self { bytes: &kept[..STUB_BYTES.min(kept.len())], oversize: Some(length) }
        } else {
            Self { bytes: kept, oversize: None }
        }
    }
}

/// White space only, or nothing.
pub fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| b.is_ascii_whitespace() || *b == 0x0b)
}

/// A record being gathered: its first bytes, and how long it is in all.
#[derive(Default)]
struct Gathered {
    kept: Vec<u8>,
    length: u64,
}

impl Gathered {
    /// Room for a whole record, its carriage return, and the name of an event stream's field.
    const KEEP: usize = RECORD_BYTES_MAX + 64;

    fn push(&mut self, bytes: &[u8]) {
        let room = Self::KEEP.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.length += bytes.len() as u64;
    }

    fn clear(&mut self) {
        self.kept.clear();
        self.length = 0;
    }
}
