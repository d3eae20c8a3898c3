//! Lays out records that are copied from elsewhere: any may lack a key or a value, and each has headers of its own.
//!
//! Batches made here carry no mark and no source; for those that this log itself makes see [`super::BatchBuilder`].

use super::{SealedBatch, varint};
use votestream_election::Millis;

/// A header: name and value.
pub(crate) type Header<'a> = (&'a [u8], &'a [u8]);

/// The records of one batch, uncompressed. Used again after each [`PlainBuilder::seal`].
#[derive(Debug)]
pub(crate) struct PlainBuilder {
    bytes: Vec<u8>,
    records: u32,
    base_timestamp: Millis,
    max_timestamp: Millis,
}

impl Default for PlainBuilder {
    fn default() -> Self {
        Self { bytes: Vec::new(), records: 0, base_timestamp: Millis(0), max_timestamp: Millis(0) }
    }
}

impl PlainBuilder {
    /// Bytes laid out.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a record.
    pub(crate) fn push(
        &mut self,
        timestamp: Millis,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) {
        if self.records == 0 {
            (self.base_timestamp, self.max_timestamp) = (timestamp, timestamp);
        }
        let time = timestamp.0.wrapping_sub(self.base_timestamp.0);
        let place = i64::from(self.records);
        let headers_bytes: usize = headers.iter().map(|(name, value)| text_len(name) + text_len(value)).sum();
        let body = 1
            + varint::len(time)
            + varint::len(place)
            + nullable_len(key)
            + nullable_len(value)
            + varint::len(headers.len() as i64)
            + headers_bytes;
        let out = &mut self.bytes;
        varint::put(out, body as i64);
        out.push(0);
        varint::put(out, time);
        varint::put(out, place);
        put_nullable(out, key);
        put_nullable(out, value);
        varint::put(out, headers.len() as i64);
        for (name, value) in headers {
            put_nullable(out, Some(name));
            put_nullable(out, Some(value));
        }
        self.records += 1;
        self.max_timestamp = self.max_timestamp.max(timestamp);
    }

    /// Takes the records as a batch; the builder is empty again. `None`: nothing was pushed.
    pub(crate) fn seal(&mut self) -> Option<SealedBatch> {
        if self.records == 0 {
            return None;
        }
        let room = Vec::with_capacity(self.bytes.len());
        let bytes = std::mem::replace(&mut self.bytes, room);
        let records = std::mem::take(&mut self.records);
        Some(SealedBatch::of_raw(bytes, records, self.base_timestamp, self.max_timestamp))
    }
}

fn text_len(text: &[u8]) -> usize {
    varint::len(text.len() as i64) + text.len()
}

fn nullable_len(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(varint::len(-1), text_len)
}

fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    varint::put(out, bytes.map_or(-1, |bytes| bytes.len() as i64));
    out.extend_from_slice(bytes.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::super::{BatchDecoder, BatchEncoder, LENGTH_KEY};
    use super::*;
    use crate::url::Codec;
    use proptest::prelude::*;

    type Record = (i64, Option<Vec<u8>>, Option<Vec<u8>>, bool);

    proptest! {
        #[test]
        fn what_is_laid_out_is_what_is_read(
            records in prop::collection::vec(
                (any::<i64>(), any::<Option<Vec<u8>>>(), any::<Option<Vec<u8>>>(), any::<bool>()),
                1..300,
            ),
        ) {
            // Times that far apart are in no batch: the delta is what is kept.
            let records: Vec<Record> =
                records.into_iter().map(|(time, key, value, over)| (time >> 2, key, value, over)).collect();
            let mut builder = PlainBuilder::default();
            for (time, key, value, over) in &records {
                let length = 70_000_u64.to_be_bytes();
                let headers: [Header<'_>; 2] = [(b"any", b"x"), (LENGTH_KEY, &length)];
                let headers = if *over { &headers[..] } else { &headers[..1] };
                builder.push(Millis(*time), key.as_deref(), value.as_deref(), headers);
            }
            let mut batch = builder.seal().unwrap();
            prop_assert!(builder.seal().is_none() && builder.bytes() == 0);
            let mut bytes = Vec::new();
            BatchEncoder::new(Codec::Lz4).unwrap().encode_for_broker(&mut batch, &mut bytes);
            let mut decoder = BatchDecoder::new();
            let decoded = decoder.decode(&bytes).unwrap();
            let read: Vec<Record> = decoded
                .records()
                .map(|record| {
                    let record = record.unwrap();
                    let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
                    (record.timestamp.0, owned(record.key), owned(record.value), record.oversize)
                })
                .collect();
            prop_assert_eq!(read, records);
        }
    }
}
