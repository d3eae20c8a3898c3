//! Lays out the records of one batch, uncompressed, straight into one buffer. Offsets, epoch and compression come when it is written.

use super::{LENGTH_KEY, MARK_BYTES, MARK_KEY, SOURCE_KEY, varint};
use std::sync::{Arc, Mutex, PoisonError};
use votestream_election::{Millis, SourceId};

/// Room before the first record's value for its framing and, moved behind the value when the batch is sealed, its headers. Its key's
/// bytes come on top.
const FIRST_ROOM: usize = FIRST_PREFIX_MAX + FIRST_HEADERS_MAX;
const FIRST_PREFIX_MAX: usize = 5 + 1 + 1 + 1 + 5 + 5;
const FIRST_HEADERS_MAX: usize = 1 + 3 * (1 + 17 + 1) + MARK_BYTES + 16 + 8;
/// The whole header that holds the mark.
const MARK_HEADER_BYTES: usize = 1 + 17 + 1 + MARK_BYTES;
/// Most buffers that wait to be used again, for one builder.
const POOL_BUFFERS_MAX: usize = 8;
/// A larger buffer than this is given back to the system, not kept.
const POOL_BUFFER_BYTES_MAX: usize = 4 << 20;
/// Most records of a batch, so that a reader's work for one is bounded too.
const RECORDS_MAX: u32 = 1 << 20;

/// Lays out the records of one batch of one partition, without an allocation a record. Used again after each [`BatchBuilder::seal`].
#[derive(Debug)]
pub struct BatchBuilder {
    buffer: Vec<u8>,
    target_bytes: usize,
    records: u32,
    first_value_at: usize,
    first_value_end: usize,
    first_key: Option<Vec<u8>>,
    first_length: Option<u64>,
    base_timestamp: Millis,
    max_timestamp: Millis,
    prefix_guess: usize,
    pool: Arc<Pool>,
}

/// Buffers on their way back from written batches to the builder.
#[derive(Debug, Default)]
struct Pool(Mutex<Vec<Vec<u8>>>);

/// A batch whose records are laid out, ready to be appended.
#[derive(Debug)]
pub struct SealedBatch {
    buffer: Vec<u8>,
    start: usize,
    /// Where the mark's value lies; `None` once it was taken out.
    mark_at: Option<usize>,
    pub(super) records: u32,
    pub(super) base_timestamp: Millis,
    pub(super) max_timestamp: Millis,
    source: Option<(SourceId, u64)>,
    pool: Arc<Pool>,
}

impl BatchBuilder {
    /// A builder whose batches are full at about `target_bytes` (uncompressed).
    pub fn new(target_bytes: usize) -> Self {
        let mut builder = Self {
            buffer: Vec::new(),
            target_bytes,
            records: 0,
            first_value_at: FIRST_ROOM,
            first_value_end: 0,
            first_key: None,
            first_length: None,
            base_timestamp: Millis(0),
            max_timestamp: Millis(0),
            prefix_guess: 9,
            pool: Arc::default(),
        };
        builder.clear();
        builder
    }

    /// Adds a record with a null key. `oversize_len`: `value` is the kept start of a line of that many bytes.
    ///
    /// # Panics
    /// As [`BatchBuilder::push_with`].
    pub fn push(&mut self, timestamp: Millis, value: &[u8], oversize_len: Option<u64>) {
        self.add(timestamp, None, oversize_len, |out| out.extend_from_slice(value));
    }

    /// Adds a record with that key; else as [`BatchBuilder::push`].
    ///
    /// # Panics
    /// As [`BatchBuilder::push_with`].
    #[inline]
    pub fn push_keyed(
        &mut self,
        timestamp: Millis,
        key: Option<&[u8]>,
        value: &[u8],
        oversize_len: Option<u64>,
    ) {
        self.add(timestamp, key, oversize_len, |out| out.extend_from_slice(value));
    }

    /// Adds a record with a null key whose value `fill` appends to the buffer that it is given; the buffer holds the earlier
    /// records too, which it must leave alone. Answers what `fill` does.
    ///
    /// # Panics
    /// When `fill` leaves the buffer shorter than it was, or the batch would pass 2^20 records: seal when [`BatchBuilder::is_full`].
    pub fn push_with<R>(&mut self, timestamp: Millis, fill: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        self.add(timestamp, None, None, fill)
    }

    /// Adds a record with that key whose value `fill` appends; else as [`BatchBuilder::push_with`].
    ///
    /// # Panics
    /// As [`BatchBuilder::push_with`].
    #[inline]
    pub fn push_with_key<R>(
        &mut self,
        timestamp: Millis,
        key: Option<&[u8]>,
        fill: impl FnOnce(&mut Vec<u8>) -> R,
    ) -> R {
        self.add(timestamp, key, None, fill)
    }

    /// How many records it holds.
    pub fn records(&self) -> u32 {
        self.records
    }

    /// Bytes laid out, uncompressed.
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Whether nothing was pushed since the last seal.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Whether it is time to seal.
    pub fn is_full(&self) -> bool {
        self.buffer.len() >= self.target_bytes || self.records >= RECORDS_MAX
    }

    /// Forgets what was pushed.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.buffer.resize(FIRST_ROOM, 0);
        self.records = 0;
    }

    /// Takes the records as a batch; the builder is empty again. `source`: who made them, and the source's index of the last one.
    ///
    /// # Panics
    /// When nothing was pushed.
    pub fn seal(&mut self, source: Option<(SourceId, u64)>) -> SealedBatch {
        assert!(self.records > 0, "an empty batch is sealed");
        let (start, mark_at) = self.frame_first(source);
        let recycled = self.pool.take().unwrap_or_else(|| Vec::with_capacity(self.buffer.len() + 4096));
        let batch = SealedBatch {
            buffer: std::mem::replace(&mut self.buffer, recycled),
            start,
            mark_at: Some(mark_at),
            records: self.records,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            source,
            pool: Arc::clone(&self.pool),
        };
        self.clear();
        batch
    }

    #[inline]
    fn add<R>(
        &mut self,
        timestamp: Millis,
        key: Option<&[u8]>,
        length: Option<u64>,
        fill: impl FnOnce(&mut Vec<u8>) -> R,
    ) -> R {
        let key_bytes = key.map_or(0, <[u8]>::len);
        if self.records == 0 {
            self.first_key = key.map(<[u8]>::to_vec);
            self.first_value_at = FIRST_ROOM + key_bytes;
            self.buffer.resize(self.first_value_at, 0);
            let answer = fill(&mut self.buffer);
            assert!(
                self.buffer.len() >= self.first_value_at,
                "a record's value was filled by cutting the batch"
            );
            self.first_value_end = self.buffer.len();
            self.first_length = length;
            (self.base_timestamp, self.max_timestamp, self.records) = (timestamp, timestamp, 1);
            return answer;
        }
        assert!(self.records < RECORDS_MAX, "a batch passes its greatest count of records");
        let start = self.buffer.len();
        // The framing's size follows from the value's, which is not known yet: take the last record's, and move the value if it differs.
        let guess = self.prefix_guess + key_bytes;
        self.buffer.resize(start + guess, 0);
        let answer = fill(&mut self.buffer);
        let value_bytes = self.buffer.len().checked_sub(start + guess);
        let value_bytes = value_bytes.expect("a record's value was filled by cutting the batch") as i64;
        let ts_delta = timestamp.0.wrapping_sub(self.base_timestamp.0);
        let offset_delta = i64::from(self.records);
        let headers_bytes = if length.is_some() { 1 + 1 + 17 + 1 + 8 } else { 1 };
        let key_length = key.map_or(-1, |key| key.len() as i64);
        let inner = 1
            + varint::len(ts_delta)
            + varint::len(offset_delta)
            + varint::len(key_length)
            + key_bytes
            + varint::len(value_bytes);
        let body = inner as i64 + value_bytes + headers_bytes;
        let prefix = varint::len(body) + inner;
        if prefix != guess {
            self.move_value(start, guess, prefix);
            self.prefix_guess = prefix - key_bytes;
        }
        let out = &mut self.buffer[start..start + prefix];
        let mut at = varint::write(out, body);
        out[at] = 0;
        at += 1;
        at += varint::write(&mut out[at..], ts_delta);
        at += varint::write(&mut out[at..], offset_delta);
        at += varint::write(&mut out[at..], key_length);
        if let Some(key) = key {
            out[at..at + key.len()].copy_from_slice(key);
            at += key.len();
        }
        varint::write(&mut out[at..], value_bytes);
        match length {
            None => self.buffer.push(0),
            Some(length) => {
                self.buffer.push(2);
                put_header(&mut self.buffer, LENGTH_KEY, &length.to_be_bytes());
            }
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.records += 1;
        answer
    }

    #[cold]
    fn move_value(&mut self, start: usize, guess: usize, prefix: usize) {
        let end = self.buffer.len();
        if prefix > guess {
            self.buffer.resize(end + prefix - guess, 0);
        }
        self.buffer.copy_within(start + guess..end, start + prefix);
        self.buffer.truncate(end + prefix - guess);
    }

    /// Puts the first record's framing before and its headers behind its value; answers where the record and where the mark starts.
    fn frame_first(&mut self, source: Option<(SourceId, u64)>) -> (usize, usize) {
        let value_bytes = self.first_value_end - self.first_value_at;
        let count = 1 + i64::from(source.is_some()) + i64::from(self.first_length.is_some());
        let mut headers = Vec::with_capacity(FIRST_HEADERS_MAX);
        varint::put(&mut headers, count);
        put_header(&mut headers, MARK_KEY, &[0; MARK_BYTES]);
        let mark_end = headers.len();
        if let Some((id, index)) = source {
            let mut value = [0; 16];
            value[..8].copy_from_slice(&id.0.to_be_bytes());
            value[8..].copy_from_slice(&index.to_be_bytes());
            put_header(&mut headers, SOURCE_KEY, &value);
        }
        if let Some(length) = self.first_length {
            put_header(&mut headers, LENGTH_KEY, &length.to_be_bytes());
        }
        let value_at = self.first_value_at - headers.len();
        self.buffer.copy_within(self.first_value_at..self.first_value_end, value_at);
        let headers_at = value_at + value_bytes;
        self.buffer[headers_at..self.first_value_end].copy_from_slice(&headers);
        // Attributes 0, time delta 0, offset delta 0, the key, the value's length.
        let key = self.first_key.as_deref();
        let key_length = key.map_or(-1, |key| key.len() as i64);
        let key = key.unwrap_or_default();
        let inner = 3 + varint::len(key_length) + key.len() + varint::len(value_bytes as i64);
        let body = (inner + value_bytes + headers.len()) as i64;
        let start = value_at - inner - varint::len(body);
        let out = &mut self.buffer[start..value_at];
        let mut at = varint::write(out, body);
        out[at..at + 3].fill(0);
        at += 3;
        at += varint::write(&mut out[at..], key_length);
        out[at..at + key.len()].copy_from_slice(key);
        at += key.len();
        varint::write(&mut out[at..], value_bytes as i64);
        (start, headers_at + mark_end - MARK_BYTES)
    }
}

fn put_header(out: &mut Vec<u8>, key: &[u8; 17], value: &[u8]) {
    varint::put(out, key.len() as i64);
    out.extend_from_slice(key);
    varint::put(out, value.len() as i64);
    out.extend_from_slice(value);
}

impl SealedBatch {
    /// How many records it holds; at least one.
    pub fn records(&self) -> u32 {
        self.records
    }

    /// Its records' bytes, uncompressed.
    pub fn bytes(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Who made it, and the source's index of its last record.
    pub fn source(&self) -> Option<(SourceId, u64)> {
        self.source
    }

    /// A batch of records that are laid out already, without a mark.
    #[cfg(feature = "kafka")]
    pub(super) fn of_raw(
        buffer: Vec<u8>,
        records: u32,
        base_timestamp: Millis,
        max_timestamp: Millis,
    ) -> Self {
        let pool = Arc::default();
        Self { buffer, start: 0, mark_at: None, records, base_timestamp, max_timestamp, source: None, pool }
    }

    pub(super) fn set_mark(&mut self, synced: u64, epoch: i32) {
        let Some(at) = self.mark_at else { return };
        let mark = &mut self.buffer[at..at + MARK_BYTES];
        mark[..8].copy_from_slice(&synced.to_be_bytes());
        mark[8..].copy_from_slice(&epoch.to_be_bytes());
    }

    /// Takes the mark out, which says nothing where a broker keeps the log: the first record's bytes before it move up to what follows.
    pub(super) fn drop_mark(&mut self) {
        let Some(mark_at) = self.mark_at.take() else { return };
        let header_at = mark_at + MARK_BYTES - MARK_HEADER_BYTES;
        let mut rest = &self.buffer[self.start..];
        let body = varint::take(&mut rest).expect("the builder wrote it") - MARK_HEADER_BYTES as i64;
        let from = self.buffer.len() - rest.len();
        self.buffer.copy_within(from..header_at, from + MARK_HEADER_BYTES);
        // The count of headers, one byte in zigzag.
        self.buffer[header_at + MARK_HEADER_BYTES - 1] -= 2;
        self.start = from + MARK_HEADER_BYTES - varint::len(body);
        varint::write(&mut self.buffer[self.start..], body);
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.buffer[self.start..]
    }
}

impl Drop for SealedBatch {
    fn drop(&mut self) {
        self.pool.give(std::mem::take(&mut self.buffer));
    }
}

impl Pool {
    fn take(&self) -> Option<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give(&self, buffer: Vec<u8>) {
        if buffer.capacity() > POOL_BUFFER_BYTES_MAX {
            return;
        }
        let mut buffers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buffers.len() < POOL_BUFFERS_MAX {
            buffers.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BatchDecoder, BatchEncoder, Place, Stamp};
    use super::*;
    use crate::url::Codec;
    use proptest::prelude::*;
    use votestream_election::Offset;

    type Kept = (Option<Vec<u8>>, Vec<u8>);

    fn check(records: &[Kept], source: Option<(SourceId, u64)>, for_broker: bool) {
        let mut builder = BatchBuilder::new(1 << 20);
        for (at, (key, value)) in records.iter().enumerate() {
            let oversize = (at % 3 == 2).then_some(70_000);
            builder.push_keyed(Millis(at as i64), key.as_deref(), value, oversize);
        }
        let mut batch = builder.seal(source);
        let mut encoder = BatchEncoder::new(Codec::Lz4).unwrap();
        let mut out = Vec::new();
        if for_broker {
            encoder.encode_for_broker(&mut batch, &mut out);
            // Once more, as one that is sent again would be.
            encoder.encode_for_broker(&mut batch, &mut out);
            let stamp = Stamp { producer_id: 7, producer_epoch: 2, base_sequence: 9, transactional: true };
            stamp.put(&mut out);
        } else {
            encoder.encode(&mut batch, Place { base: Offset(5), epoch: 3, synced: Offset(4) }, &mut out);
        }
        let mut decoder = BatchDecoder::new();
        let first = decoder.first_record(&out).unwrap();
        assert_eq!(first.source, source);
        assert_eq!(first.epoch, (!for_broker).then_some(3));
        let decoded = decoder.decode(&out).unwrap();
        let read: Vec<Kept> = decoded
            .records()
            .map(|record| record.unwrap())
            .map(|record| (record.key.map(<[u8]>::to_vec), record.value.unwrap_or_default().to_vec()))
            .collect();
        assert_eq!(read, records);
    }

    #[test]
    fn a_batch_for_a_broker_has_its_stamp_and_no_mark() {
        let records: Vec<Kept> = vec![(Some(b"1".to_vec()), vec![b'v'; 20]), (None, b"w".to_vec())];
        check(&records, Some((SourceId(3), 4)), true);
        let mut builder = BatchBuilder::new(1 << 20);
        builder.push(Millis(1), b"value", None);
        let mut out = Vec::new();
        BatchEncoder::new(Codec::None).unwrap().encode_for_broker(&mut builder.seal(None), &mut out);
        let stamp = Stamp { producer_id: 7, producer_epoch: 2, base_sequence: 9, transactional: true };
        stamp.put(&mut out);
        let header = super::super::BatchHeader::read(&out).unwrap();
        header.check_crc(&out).unwrap();
        assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (7, 2, 9));
        // Length, attributes, two deltas, null key, value, no header.
        assert_eq!(&out[super::super::HEADER_BYTES..], b"\x16\0\0\0\x01\x0avalue\0");
    }

    proptest! {
        #[test]
        fn keys_and_values_come_back(
            records in prop::collection::vec(
                (prop::option::of(prop::collection::vec(any::<u8>(), 0..200)), prop::collection::vec(any::<u8>(), 0..300)),
                1..40,
            ),
            source in prop::option::of((any::<u64>(), any::<u64>())),
            for_broker: bool,
        ) {
            check(&records, source.map(|(id, index)| (SourceId(id), index)), for_broker);
        }
    }
}
