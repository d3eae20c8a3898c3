//! Kafka's record batch, version 2, on bytes alone: laid out, sealed, encoded, checked, decoded, walked.
//!
//! Files, offsets' meaning and durability are left to the writer and the reader of the log; the same code decodes what a broker sends.
//! The layout is Kafka's own (`org.apache.kafka.common.record.DefaultRecordBatch`): a header of 61 bytes, then the records, which
//! the batch's codec compresses as one. The CRC covers all from the attributes on: **not** the base offset, the length, the epoch.

mod varint;

mod header;

mod build;

mod encode;

mod decode;

#[cfg(feature = "kafka")]
mod raw;

#[cfg(feature = "kafka")]
mod plain;

#[cfg(feature = "kafka")]
mod block;

mod lz4;

#[cfg(feature = "kafka")]
mod foreign;

#[cfg(feature = "kafka")]
pub(crate) use block::Block;
pub use build::{BatchBuilder, SealedBatch};
pub use decode::{BatchDecoder, FirstRecord, Record, RecordBatch, Records};
pub use encode::{BatchEncoder, Place, Stamp};
pub use header::{BatchHeader, HEADER_BYTES};
#[cfg(feature = "kafka")]
pub(crate) use plain::{Header, PlainBuilder};
#[cfg(feature = "kafka")]
pub(crate) use raw::RawRecords;

use crate::url::Codec;

/// The greatest size of a batch's records, uncompressed: what a reader may have to hold.
pub const RECORDS_BYTES_MAX: usize = 16 << 20;
/// The greatest size of a batch as stored. A codec that does not shrink the records is not used, so nothing more is needed.
pub const BATCH_BYTES_MAX: usize = HEADER_BYTES + RECORDS_BYTES_MAX;

/// The same for batches of a Kafka topic: what a producer compressed into the megabyte that brokers take by default may be far larger.
pub const KAFKA_RECORDS_BYTES_MAX: usize = 128 << 20;

/// First record's header: the partition's synced end (u64, big-endian) when the batch was written, and the writer's incarnation
/// (i32, big-endian) once more, since the CRC does not cover the leader epoch.
const MARK_KEY: &[u8; 17] = b"votestream.synced";
/// The bytes of that header's value.
const MARK_BYTES: usize = 12;
/// First record's header: the source (u64, big-endian) and its index (u64, big-endian) of the batch's last record.
const SOURCE_KEY: &[u8; 17] = b"votestream.source";
/// Any record's header: the bytes (u64, big-endian) of a line that was over the bound, of which the value is the kept start.
pub(crate) const LENGTH_KEY: &[u8; 17] = b"votestream.length";

/// Why bytes are no batch, or none that can be read. The place is added by whoever knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Fewer bytes than the header says.
    #[error("the batch is cut short")]
    Short,
    /// Not version 2.
    #[error("the batch has magic {0}, not 2")]
    Magic(i8),
    /// A length that no batch has.
    #[error("the batch's length {0} is out of bounds")]
    Length(i32),
    /// The checksum does not hold.
    #[error("the batch's CRC32C is {computed:08x}, not {stored:08x}")]
    Crc {
        /// As stored.
        stored: u32,
        /// Of the bytes.
        computed: u32,
    },
    /// More records than offsets, or a negative count.
    #[error("the batch says {records} records for {offsets} offsets")]
    Count {
        /// As stored.
        records: i32,
        /// Last offset delta + 1.
        offsets: i64,
    },
    /// A compression that is not read.
    #[error(
        "the batch's compression {0} is not known (read are none, gzip, snappy, lz4 and zstd; gzip and snappy with the feature kafka)"
    )]
    UnknownCodec(u8),
    /// A compression that this build cannot read.
    #[error("the batch is compressed with {0}, which is not in this build; use one with the feature zstd")]
    CodecNotBuilt(Codec),
    /// Compressed bytes that do not decompress.
    #[error("the batch's records do not decompress: {0}")]
    Compressed(&'static str),
    /// Records over [`RECORDS_BYTES_MAX`], or over [`KAFKA_RECORDS_BYTES_MAX`] in a Kafka topic.
    #[error(
        "the batch's records are over the bound of {RECORDS_BYTES_MAX} bytes ({KAFKA_RECORDS_BYTES_MAX} in a Kafka topic)"
    )]
    TooLarge,
    /// A record whose framing does not hold.
    #[error("record {index} of the batch is malformed")]
    Record {
        /// Its place in the batch, from 0.
        index: u32,
    },
    /// The leader epoch is not the one that the first record repeats.
    #[error("the batch's leader epoch is {header}, and {record} in its first record")]
    Epoch {
        /// In the header, which no checksum covers.
        header: i32,
        /// In the first record.
        record: i32,
    },
    /// Bytes after the last record.
    #[error("bytes follow the batch's last record")]
    Trailing,
}
