//! A sealed batch to the bytes that are stored: mark patched in, compressed, framed, checksummed. Buffers are the caller's and are reused.

use super::{BatchHeader, HEADER_BYTES, SealedBatch, header, lz4};
#[cfg(feature = "kafka")]
use crate::error::LogError;
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

/// Who sends a batch to a broker, which tells by it a batch that it has from one that it lacks. −1 each: nobody in particular.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The producer id.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// The sequence number of the batch's first record in its partition.
    pub base_sequence: i32,
    /// The batch is part of a transaction.
    pub transactional: bool,
}

impl Stamp {
    const NONE: Self = Self { producer_id: -1, producer_epoch: -1, base_sequence: -1, transactional: false };

    /// Stamps an encoded batch, whatever stamp it had.
    ///
    /// # Panics
    /// When `batch` is shorter than a batch's header.
    pub fn put(self, batch: &mut [u8]) {
        header::stamp(batch, self);
    }
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

    /// An encoder for what is written to the topic at `url`.
    ///
    /// # Errors
    /// [`LogError::NotBuilt`]: this build lacks the codec.
    #[cfg(feature = "kafka")]
    pub(crate) fn for_url(url: &crate::kafka_url::KafkaUrl) -> Result<Self, LogError> {
        Self::new(url.options.codec).ok_or(LogError::NotBuilt {
            what: "codec \"zstd\"",
            instead: "build votestream with the feature zstd, or choose codec=lz4",
        })
    }

    /// Replaces `out` by the batch as it is stored at `place`. Records that the codec does not shrink are stored as they are.
    pub fn encode(&mut self, batch: &mut SealedBatch, place: Place, out: &mut Vec<u8>) {
        batch.set_mark(place.synced.0, place.epoch);
        self.encode_as_is(batch, place, out);
    }

    /// Replaces `out` by the batch as it is sent to a broker, which gives it offsets and leader epoch itself. It is stamped later.
    pub fn encode_for_broker(&mut self, batch: &mut SealedBatch, out: &mut Vec<u8>) {
        batch.drop_mark();
        self.encode_as_is(batch, Place { base: Offset(0), epoch: -1, synced: Offset(0) }, out);
    }

    fn encode_as_is(&mut self, batch: &SealedBatch, place: Place, out: &mut Vec<u8>) {
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
            producer_id: Stamp::NONE.producer_id,
            producer_epoch: Stamp::NONE.producer_epoch,
            base_sequence: Stamp::NONE.base_sequence,
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
