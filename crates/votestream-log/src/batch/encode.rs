//! A sealed batch to the bytes that are stored: mark patched in, compressed, framed, checksummed. Buffers are the caller's and are reused.

use super::{BatchHeader, HEADER_BYTES, SealedBatch, lz4};
use crate::url::Codec;
use votestream_election::Offset;

/// Zstandard's level: the fastest that still halves what lz4 leaves.
#[cfg(feature = "zstd")]
const ZSTD_LEVEL: i32 = 1;

/// Where a batch comes to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The offset of its first record.
    pub base: Offset,
    /// The writer's incarnation.
    pub epoch: i32,
    /// The partition's synced end at this moment.
    pub synced: Offset,
}

/// Encodes batches with one codec. Keeps the compressor's tables.
pub struct BatchEncoder {
    kind: Kind,
}

enum Kind {
    None,
    Lz4(lz4::Compressor),
    #[cfg(feature = "zstd")]
    Zstd(Box<zstd::bulk::Compressor<'static>>),
}

impl BatchEncoder {
    /// An encoder for `codec`; `None` when this build lacks it.
    pub fn new(codec: Codec) -> Option<Self> {
        let kind = match codec {
            Codec::None => Kind::None,
            Codec::Lz4 => Kind::Lz4(lz4::Compressor::new()),
            #[cfg(feature = "zstd")]
            Codec::Zstd => Kind::Zstd(Box::new(zstd::bulk::Compressor::new(ZSTD_LEVEL).ok()?)),
            #[cfg(not(feature = "zstd"))]
            Codec::Zstd => return None,
        };
        Some(Self { kind })
    }

    /// Replaces `out` by the batch as it is stored at `place`. Records that the codec does not shrink are stored as they are.
    pub fn encode(&mut self, batch: &mut SealedBatch, place: Place, out: &mut Vec<u8>) {
        batch.set_mark(place.synced.0, place.epoch);
        let body = batch.body();
        out.clear();
        out.resize(HEADER_BYTES, 0);
        let mut bits = match &mut self.kind {
            Kind::None => 0,
            Kind::Lz4(compressor) => {
                compressor.compress(body, out);
                3
            }
            #[cfg(feature = "zstd")]
            Kind::Zstd(compressor) => zstd_into(compressor, body, out),
        };
        if bits == 0 || out.len() - HEADER_BYTES >= body.len() {
            bits = 0;
            out.truncate(HEADER_BYTES);
            out.extend_from_slice(body);
        }
        let header = BatchHeader {
            base_offset: place.base,
            bytes: out.len(),
            leader_epoch: place.epoch,
            crc: 0,
            attributes: bits,
            last_offset_delta: batch.records as i32 - 1,
            base_timestamp: batch.base_timestamp,
            max_timestamp: batch.max_timestamp,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            records: batch.records as i32,
        };
        header.write(out);
    }
}

/// Answers the codec's number, or 0 where it could not compress: the records are then stored as they are.
#[cfg(feature = "zstd")]
fn zstd_into(compressor: &mut zstd::bulk::Compressor<'_>, body: &[u8], out: &mut Vec<u8>) -> i16 {
    out.resize(HEADER_BYTES + zstd::zstd_safe::compress_bound(body.len()), 0);
    match compressor.compress_to_buffer(body, &mut out[HEADER_BYTES..]) {
        Ok(bytes) => {
            out.truncate(HEADER_BYTES + bytes);
            4
        }
        Err(_) => 0,
    }
}

impl std::fmt::Debug for BatchEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchEncoder").finish_non_exhaustive()
    }
}
