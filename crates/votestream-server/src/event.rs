//! What streams are made of: events, each encoded and compressed once, whatever number of viewers it goes to.
//!
//! A viewer that takes gzip is sent one gzip stream for as long as it watches. An event is compressed by itself into blocks that refer to
//! nothing before them and end on a byte, so that the same blocks continue every viewer's stream, whenever it began. Only the check value
//! at the end of a stream is each viewer's own: it is worked out from the events' values, in a few dozen operations an event.

use crate::limits::LIVE_RETRY;
use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress};
use std::sync::{Arc, OnceLock};

/// Compressed, deflate, no name, no time, unknown system (RFC 1952).
const GZIP_HEADER: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// A last block that holds nothing.
const LAST_BLOCK: &[u8] = &[3, 0];

/// How hard an event is compressed: the default of zlib.
const LEVEL: u32 = 6;

/// Bytes of a stream, as they are and, when somebody wants them so, compressed. Clones share both.
#[derive(Clone)]
pub(crate) struct Event(Arc<Encoded>);

struct Encoded {
    plain: Bytes,
    packed: OnceLock<Packed>,
}

/// An event as a part of any gzip stream.
struct Packed {
    blocks: Bytes,
    crc: u32,
    shift: Shift,
}

impl Event {
    pub(crate) fn new(plain: impl Into<Bytes>) -> Self {
        Self(Arc::new(Encoded { plain: plain.into(), packed: OnceLock::new() }))
    }

    /// How long a page should wait before it reconnects.
    pub(crate) fn retry() -> Self {
        static RETRY: OnceLock<Event> = OnceLock::new();
        RETRY.get_or_init(|| Self::new(format!("retry: {}\n", LIVE_RETRY.as_millis()))).clone()
    }

    /// Not an event for the page: it has the newest.
    pub(crate) fn up_to_date() -> Self {
        static UP_TO_DATE: OnceLock<Event> = OnceLock::new();
        UP_TO_DATE.get_or_init(|| Self::new("\n: up to date\n\n")).clone()
    }

    /// A sign of life.
    pub(crate) fn still_here() -> Self {
        static STILL_HERE: OnceLock<Event> = OnceLock::new();
        STILL_HERE.get_or_init(|| Self::new(": still here\n\n")).clone()
    }

    fn packed(&self) -> &Packed {
        self.0.packed.get_or_init(|| {
            let mut crc = Crc::new();
            crc.update(&self.0.plain);
            Packed {
                blocks: Bytes::from(blocks(&self.0.plain)),
                crc: crc.sum(),
                shift: Shift::by(self.0.plain.len()),
            }
        })
    }
}

/// Deflate blocks of some bytes, none of them the last of a stream, ending on a byte.
fn blocks(plain: &[u8]) -> Vec<u8> {
    let mut compress = Compress::new(Compression::new(LEVEL), false);
    let mut blocks = Vec::with_capacity(plain.len() / 2 + 64);
    loop {
        let taken = usize::try_from(compress.total_in()).unwrap_or(usize::MAX);
        let rest = plain.get(taken..).unwrap_or_default();
        // In memory only a lack of room keeps it from going on.
        let _ = compress.compress_vec(rest, &mut blocks, FlushCompress::Sync);
        if blocks.len() < blocks.capacity() {
            return blocks;
        }
        blocks.reserve(plain.len() / 2 + 64);
    }
}

/// One viewer's stream as it goes on.
pub(crate) enum Coder {
    /// Events as they are.
    Plain,
    /// One gzip stream.
    Gzip {
        /// Of all events so far.
        crc: u32,
        /// Bytes of them, modulo 2^32.
        bytes: u32,
    },
}

impl Coder {
    pub(crate) fn new(gzip: bool) -> Self {
        if gzip { Self::Gzip { crc: 0, bytes: 0 } } else { Self::Plain }
    }

    /// What the stream begins with.
    pub(crate) fn start(&self) -> Bytes {
        match self {
            Self::Plain => Bytes::new(),
            Self::Gzip { .. } => Bytes::from_static(GZIP_HEADER),
        }
    }

    /// What the viewer is sent of an event: bytes that all viewers share.
    pub(crate) fn add(&mut self, event: &Event) -> Bytes {
        match self {
            Self::Plain => event.0.plain.clone(),
            Self::Gzip { crc, bytes } => {
                let packed = event.packed();
                *crc = packed.shift.of(*crc) ^ packed.crc;
                *bytes = bytes.wrapping_add(event.0.plain.len() as u32);
                packed.blocks.clone()
            }
        }
    }

    /// What the stream ends with, where that is anything.
    pub(crate) fn end(&self) -> Option<Bytes> {
        match self {
            Self::Plain => None,
            Self::Gzip { crc, bytes } => {
                Some(Bytes::from([LAST_BLOCK, &crc.to_le_bytes(), &bytes.to_le_bytes()].concat()))
            }
        }
    }
}

/// What some bytes more do to the CRC-32 of what was before them, whatever they are: a matrix over bits, by columns.
struct Shift([u32; 32]);

impl Shift {
    /// By that many bytes.
    fn by(bytes: usize) -> Self {
        let mut result = Self(std::array::from_fn(|bit| 1 << bit));
        let mut power = Self::bit();
        for _ in 0..3 {
            power = power.after(&power);
        }
        let mut left = bytes;
        while left > 0 {
            if left & 1 == 1 {
                result = power.after(&result);
            }
            power = power.after(&power);
            left >>= 1;
        }
        result
    }

    /// By one bit: a division by the polynomial, bits reversed.
    fn bit() -> Self {
        Self(std::array::from_fn(|bit| if bit == 0 { 0xedb8_8320 } else { 1 << (bit - 1) }))
    }

    fn of(&self, crc: u32) -> u32 {
        self.0
            .iter()
            .enumerate()
            .fold(0, |sum, (bit, column)| if crc >> bit & 1 == 1 { sum ^ column } else { sum })
    }

    /// First `first`, then this.
    fn after(&self, first: &Self) -> Self {
        Self(first.0.map(|column| self.of(column)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::bufread::GzDecoder;
    use std::io::Read;

    fn events() -> Vec<Event> {
        let long = "{\"votes\": 12345, \"region\": \"Ohio\"}".repeat(2_000);
        ["id: 1\ndata: {}\n\n", "", &long, ": still here\n\n", &long[1..], "x"]
            .into_iter()
            .map(|text| Event::new(text.to_owned()))
            .collect()
    }

    #[test]
    fn every_viewer_has_a_whole_gzip_stream_of_shared_blocks() {
        let events = events();
        for begins in 0..events.len() {
            let mut coder = Coder::new(true);
            let mut sent = coder.start().to_vec();
            let mut plain = Vec::new();
            for event in &events[begins..] {
                sent.extend_from_slice(&coder.add(event));
                plain.extend_from_slice(&event.0.plain);
                // What was sent so far can be read so far: nothing waits for what follows.
                let mut so_far = vec![0; plain.len()];
                GzDecoder::new(&sent[..]).read_exact(&mut so_far).unwrap();
                assert_eq!(so_far, plain);
            }
            sent.extend_from_slice(&coder.end().unwrap());
            let mut decoder = GzDecoder::new(&sent[..]);
            let mut read = Vec::new();
            decoder.read_to_end(&mut read).unwrap();
            assert_eq!(read, plain, "and the check value holds");
            assert!(decoder.into_inner().is_empty());
        }
        assert!(events[2].packed().blocks.len() < events[2].0.plain.len() / 20);
    }

    #[test]
    fn an_event_is_compressed_once() {
        let event = Event::new("data: 1\n\n");
        let (mut one, mut other) = (Coder::new(true), Coder::new(true));
        let _ = other.add(&Event::new("something before"));
        assert_eq!(one.add(&event).as_ptr(), other.add(&event.clone()).as_ptr());
        assert_eq!(Coder::new(false).add(&event).as_ptr(), Coder::new(false).add(&event).as_ptr());
        assert!(Coder::new(false).start().is_empty() && Coder::new(false).end().is_none());
    }
}
