//! Records that another client has decoded, laid out again as a batch's: at their own offsets, gaps and all, with no bytes of a header.

use super::{BatchHeader, LENGTH_KEY, RecordBatch, varint};
use votestream_election::{Millis, Offset};

/// The flag of a batch that holds no records but a transaction's marker.
const CONTROL_BIT: i16 = 0x20;
/// The largest distance of a record from the block's first offset.
const DELTA_MAX: u64 = 1 << 30;

/// Records in offset order, of one partition.
#[derive(Debug)]
pub(crate) struct Block {
    header: BatchHeader,
    /// The offset after the block; the header cannot tell it of an empty one.
    next: Offset,
    records: Vec<u8>,
}

impl Block {
    /// An empty block from `base` on. `buffer` is used again.
    pub(crate) fn new(base: Offset, mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        let header = BatchHeader {
            base_offset: base,
            bytes: 0,
            leader_epoch: -1,
            crc: 0,
            attributes: 0,
            last_offset_delta: -1,
            base_timestamp: Millis(0),
            max_timestamp: Millis(i64::MIN),
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            records: 0,
        };
        Self { header, next: base, records: buffer }
    }

    /// Whether a record at `offset` may be added: neither before what is there nor too far behind it.
    pub(crate) fn takes(&self, offset: Offset) -> bool {
        offset >= self.next && offset.0 - self.header.base_offset.0 < DELTA_MAX
    }

    /// Adds a record that the block [`Block::takes`]. `stub`: the value is the kept start of a longer one.
    pub(crate) fn push(
        &mut self,
        offset: Offset,
        timestamp: Millis,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        stub: bool,
    ) {
        let header = &mut self.header;
        if header.records == 0 {
            header.base_timestamp = timestamp;
        }
        header.records += 1;
        header.attributes = 0;
        header.max_timestamp = header.max_timestamp.max(timestamp);
        let delta = (offset.0 - header.base_offset.0) as i64;
        header.last_offset_delta = delta as i32;
        self.next = Offset(offset.0 + 1);
        let time = timestamp.0.wrapping_sub(header.base_timestamp.0);
        let bytes = |bytes: Option<&[u8]>| match bytes {
            None => varint::len(-1),
            Some(bytes) => varint::len(bytes.len() as i64) + bytes.len(),
        };
        let headers = if stub { 1 + 1 + LENGTH_KEY.len() + 1 + 8 } else { 1 };
        let body = 1 + varint::len(time) + varint::len(delta) + bytes(key) + bytes(value) + headers;
        let out = &mut self.records;
        varint::put(out, body as i64);
        out.push(0);
        varint::put(out, time);
        varint::put(out, delta);
        for part in [key, value] {
            varint::put(out, part.map_or(-1, |part| part.len() as i64));
            out.extend_from_slice(part.unwrap_or_default());
        }
        varint::put(out, i64::from(stub));
        if stub {
            varint::put(out, LENGTH_KEY.len() as i64);
            out.extend_from_slice(LENGTH_KEY);
            varint::put(out, 8);
            out.extend_from_slice(&[0; 8]);
        }
    }

    /// Has the block end before `next`: what lies between its last record and that holds no votes. Without a record it is skipped as a
    /// marker is.
    pub(crate) fn end_at(&mut self, next: Offset) {
        let header = &mut self.header;
        let far = Offset(header.base_offset.0 + DELTA_MAX);
        let next = next.min(far);
        if next > self.next {
            self.next = next;
            header.last_offset_delta = (next.0 - header.base_offset.0 - 1) as i32;
        }
        if header.records == 0 {
            header.attributes = CONTROL_BIT;
        }
    }

    /// Says under which leader the records were read.
    pub(crate) fn set_leader_epoch(&mut self, epoch: i32) {
        self.header.leader_epoch = epoch;
    }

    pub(crate) fn next_offset(&self) -> Offset {
        self.next
    }

    pub(crate) fn bytes(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn batch(&self) -> RecordBatch<'_> {
        RecordBatch::of(self.header, &self.records)
    }

    /// The buffer, to be used again.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.records
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Given = (u64, i64, Option<&'static [u8]>, Option<&'static [u8]>, bool);

    #[test]
    fn records_come_back_at_their_offsets() {
        let mut block = Block::new(Offset(10), Vec::new());
        let records: [Given; 4] = [
            (10, 1_000, Some(b"key"), Some(b"value"), false),
            (13, -1, None, None, false),
            (14, 2_000, Some(b""), Some(b""), false),
            (400_000, 999, None, Some(b"start"), true),
        ];
        assert!(!block.takes(Offset(9)) && block.takes(Offset(10)));
        for (offset, timestamp, key, value, stub) in records {
            assert!(block.takes(Offset(offset)));
            block.push(Offset(offset), Millis(timestamp), key, value, stub);
            assert!(!block.takes(Offset(offset)));
        }
        assert!(!block.takes(Offset(10 + (1 << 30))));
        block.end_at(Offset(400_005));
        let batch = block.batch();
        assert_eq!((batch.header().next_offset(), batch.header().is_control()), (Offset(400_005), false));
        let read: Vec<_> = batch.records().map(Result::unwrap).collect();
        assert_eq!(read.len(), records.len());
        for (read, (offset, timestamp, key, value, stub)) in read.iter().zip(records) {
            assert_eq!((read.offset, read.timestamp), (Offset(offset), Millis(timestamp)));
            assert_eq!((read.key, read.value, read.oversize), (key, value, stub));
        }
    }

    #[test]
    fn a_block_without_records_is_a_marker() {
        let mut block = Block::new(Offset(5), Vec::new());
        block.end_at(Offset(8));
        assert_eq!((block.bytes(), block.next_offset()), (0, Offset(8)));
        assert!(block.batch().header().is_control() && block.batch().records().next().is_none());
    }
}
