//! The 61 bytes before a batch's records: read, written, checked for what can be told without the records.

use super::{BATCH_BYTES_MAX, BatchError, Stamp};
use votestream_election::{Millis, Offset};

/// The bytes of a batch before its records.
pub const HEADER_BYTES: usize = 61;
/// The bytes that the stored length does not count: base offset and length itself.
const BEFORE_LENGTH: usize = 12;
/// Where the bytes that the CRC covers start.
const CRC_FROM: usize = 21;

const CODEC_BITS: i16 = 0x07;
const LOG_APPEND_TIME_BIT: i16 = 0x08;
const TRANSACTIONAL_BIT: i16 = 0x10;
const CONTROL_BIT: i16 = 0x20;

/// A batch's header, field by field as Kafka names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The first record's offset.
    pub base_offset: Offset,
    /// The batch's bytes, header included.
    pub bytes: usize,
    /// The leader epoch; in a directory log the incarnation of the writer.
    pub leader_epoch: i32,
    /// CRC32C of all from the attributes on.
    pub crc: u32,
    /// Compression and flags.
    pub attributes: i16,
    /// The last offset, less the base offset; kept by compaction.
    pub last_offset_delta: i32,
    /// The time that the records' deltas are added to.
    pub base_timestamp: Millis,
    /// The greatest of the records' times.
    pub max_timestamp: Millis,
    /// The producer, or −1.
    pub producer_id: i64,
    /// The producer's epoch, or −1.
    pub producer_epoch: i16,
    /// The producer's sequence number of the first record, or −1.
    pub base_sequence: i32,
    /// How many records there are.
    pub records: i32,
}

impl BatchHeader {
    /// Reads a header. Checked are magic, length (at most [`BATCH_BYTES_MAX`]), the count of records and the range of offsets; not the CRC.
    ///
    /// # Errors
    /// [`BatchError::Short`] with fewer than [`HEADER_BYTES`] bytes, else what does not hold.
    pub fn read(bytes: &[u8]) -> Result<Self, BatchError> {
        let head: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(BatchError::Short)?;
        let magic = head[16] as i8;
        if magic != 2 {
            return Err(BatchError::Magic(magic));
        }
        let length = i32::from_be_bytes(at(head, 8));
        let bytes = usize::try_from(length).ok().map(|length| length + BEFORE_LENGTH);
        let bytes = bytes.filter(|bytes| (HEADER_BYTES..=BATCH_BYTES_MAX).contains(bytes));
        let header = Self {
            base_offset: Offset(u64::from_be_bytes(at(head, 0))),
            bytes: bytes.ok_or(BatchError::Length(length))?,
            leader_epoch: i32::from_be_bytes(at(head, 12)),
            crc: u32::from_be_bytes(at(head, 17)),
            attributes: i16::from_be_bytes(at(head, 21)),
            last_offset_delta: i32::from_be_bytes(at(head, 23)),
            base_timestamp: Millis(i64::from_be_bytes(at(head, 27))),
            max_timestamp: Millis(i64::from_be_bytes(at(head, 35))),
            producer_id: i64::from_be_bytes(at(head, 43)),
            producer_epoch: i16::from_be_bytes(at(head, 51)),
            base_sequence: i32::from_be_bytes(at(head, 53)),
            records: i32::from_be_bytes(at(head, 57)),
        };
        let offsets = i64::from(header.last_offset_delta) + 1;
        let in_range = header.base_offset.0 < i64::MAX as u64 - u64::from(u32::MAX);
        if header.records < 0 || i64::from(header.records) > offsets || !in_range {
            return Err(BatchError::Count { records: header.records, offsets });
        }
        Ok(header)
    }

    /// Writes the header to the front of `batch`, which is the whole batch, and sets its length and CRC.
    ///
    /// # Panics
    /// When `batch` is shorter than a header or longer than 2 GiB.
    pub(super) fn write(&self, batch: &mut [u8]) {
        let length = i32::try_from(batch.len() - BEFORE_LENGTH).expect("a batch is far below 2 GiB");
        let head = &mut batch[..HEADER_BYTES];
        head[0..8].copy_from_slice(&self.base_offset.0.to_be_bytes());
        head[8..12].copy_from_slice(&length.to_be_bytes());
        head[12..16].copy_from_slice(&self.leader_epoch.to_be_bytes());
        head[16] = 2;
        head[21..23].copy_from_slice(&self.attributes.to_be_bytes());
        head[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        head[27..35].copy_from_slice(&self.base_timestamp.0.to_be_bytes());
        head[35..43].copy_from_slice(&self.max_timestamp.0.to_be_bytes());
        head[43..51].copy_from_slice(&self.producer_id.to_be_bytes());
        head[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        head[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        head[57..61].copy_from_slice(&self.records.to_be_bytes());
        let crc = crc32c::crc32c(&batch[CRC_FROM..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
    }

    /// Checks the CRC of a whole batch.
    ///
    /// # Errors
    /// [`BatchError::Crc`], or [`BatchError::Short`] when `batch` is not the whole batch.
    pub fn check_crc(&self, batch: &[u8]) -> Result<(), BatchError> {
        let covered = batch.get(CRC_FROM..self.bytes).ok_or(BatchError::Short)?;
        let computed = crc32c::crc32c(covered);
        if computed == self.crc { Ok(()) } else { Err(BatchError::Crc { stored: self.crc, computed }) }
    }

    /// The offset after the batch, whatever records it still holds.
    pub fn next_offset(&self) -> Offset {
        // In range: `read` admits no negative delta and no base offset near the end.
        self.base_offset.plus(u64::from(self.last_offset_delta.unsigned_abs()) + 1)
    }

    /// Whether it holds no votes but a transaction's marker.
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL_BIT != 0
    }

    /// Whether it was written in a transaction (markers are, too).
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_BIT != 0
    }

    /// Whether the broker's time of arrival, kept as the greatest time, stands for every record's.
    pub(super) fn is_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME_BIT != 0
    }

    /// The compression's number.
    pub(super) fn codec_bits(&self) -> u8 {
        (self.attributes & CODEC_BITS) as u8
    }
}

/// Writes the producer's fields and the CRC over them.
pub(super) fn stamp(batch: &mut [u8], stamp: Stamp) {
    let mut attributes = i16::from_be_bytes([batch[21], batch[22]]) & !TRANSACTIONAL_BIT;
    if stamp.transactional {
        attributes |= TRANSACTIONAL_BIT;
    }
    batch[21..23].copy_from_slice(&attributes.to_be_bytes());
    batch[43..51].copy_from_slice(&stamp.producer_id.to_be_bytes());
    batch[51..53].copy_from_slice(&stamp.producer_epoch.to_be_bytes());
    batch[53..57].copy_from_slice(&stamp.base_sequence.to_be_bytes());
    let crc = crc32c::crc32c(&batch[CRC_FROM..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

#[inline]
fn at<const N: usize>(head: &[u8; HEADER_BYTES], from: usize) -> [u8; N] {
    *head[from..].first_chunk().expect("every field lies within the header")
}
