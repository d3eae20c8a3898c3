//! An encoded batch's records as they are, to be cut in two where a broker takes no batch so large.

use super::{BatchDecoder, BatchHeader, SealedBatch, varint};
use votestream_election::Millis;

/// The records of a batch, decompressed, none looked into.
#[derive(Debug)]
pub(crate) struct RawRecords {
    header: BatchHeader,
    bytes: Vec<u8>,
}

impl RawRecords {
    /// Of a batch that [`super::BatchEncoder::encode_for_broker`] made; `None` for anything that does not decode.
    pub(crate) fn of(batch: &[u8]) -> Option<Self> {
        let mut decoder = BatchDecoder::new();
        let decoded = decoder.decode(batch).ok()?;
        Some(Self { header: *decoded.header(), bytes: decoded.raw().to_vec() })
    }

    /// How many records there are.
    pub(crate) fn records(&self) -> u32 {
        self.header.records.unsigned_abs()
    }

    /// The first `middle` records, and the others, as two batches. `None`: the records are malformed, or one of the two would be empty.
    pub(crate) fn split(&self, middle: u32) -> Option<(SealedBatch, SealedBatch)> {
        let mut halves = [Half::default(), Half::default()];
        let mut rest = &self.bytes[..];
        for number in 0..self.records() {
            let length = varint::take_len(&mut rest)??;
            let body = rest.split_off(..length)?;
            let which = usize::from(number >= middle);
            halves[which].push(body, if which == 0 { 0 } else { middle })?;
        }
        let [front, back] = halves.map(|half| half.seal(self.header.base_timestamp));
        Some((front?, back?))
    }
}

#[derive(Default)]
struct Half {
    bytes: Vec<u8>,
    records: u32,
    greatest: Option<i64>,
}

impl Half {
    /// Adds a record, `less` places further to the front.
    fn push(&mut self, mut body: &[u8], less: u32) -> Option<()> {
        let attributes = *body.split_off_first()?;
        let time = varint::take(&mut body)?;
        let place = varint::take(&mut body)? - i64::from(less);
        let length = 1 + varint::len(time) + varint::len(place) + body.len();
        varint::put(&mut self.bytes, length as i64);
        self.bytes.push(attributes);
        varint::put(&mut self.bytes, time);
        varint::put(&mut self.bytes, place);
        self.bytes.extend_from_slice(body);
        self.records += 1;
        self.greatest = self.greatest.max(Some(time));
        Some(())
    }

    fn seal(self, base: Millis) -> Option<SealedBatch> {
        let greatest = Millis(base.0.wrapping_add(self.greatest?));
        Some(SealedBatch::of_raw(self.bytes, self.records, base, greatest))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BatchBuilder, BatchEncoder};
    use super::*;
    use crate::url::Codec;
    use votestream_election::SourceId;

    #[test]
    fn two_halves_hold_what_the_whole_held() {
        type Read = (i64, Option<Vec<u8>>, Vec<u8>, bool);
        let read = |bytes: &[u8]| -> Vec<Read> {
            let mut decoder = BatchDecoder::new();
            let batch = decoder.decode(bytes).unwrap();
            assert_eq!(batch.header().last_offset_delta + 1, batch.header().records);
            let records = batch.records().map(|record| record.unwrap());
            let kept = records.map(|r| {
                (r.timestamp.0, r.key.map(<[u8]>::to_vec), r.value.unwrap_or_default().to_vec(), r.oversize)
            });
            kept.collect()
        };
        let mut builder = BatchBuilder::new(1 << 20);
        for n in 0..301_i64 {
            let key = (n % 3 > 0).then(|| n.to_string());
            let value = vec![b'v'; (n % 90) as usize];
            let time = Millis(1_000 + n * n % 700);
            builder.push_keyed(
                time,
                key.as_deref().map(str::as_bytes),
                &value,
                (n % 50 == 0).then_some(99_999),
            );
        }
        let source = Some((SourceId(4), 700));
        let mut encoder = BatchEncoder::new(Codec::Lz4).unwrap();
        let mut whole = Vec::new();
        encoder.encode_for_broker(&mut builder.seal(source), &mut whole);
        let raw = RawRecords::of(&whole).unwrap();
        let (mut front, mut back) = raw.split(raw.records() / 2).unwrap();
        let (mut one, mut two) = (Vec::new(), Vec::new());
        encoder.encode_for_broker(&mut front, &mut one);
        encoder.encode_for_broker(&mut back, &mut two);
        let mut decoder = BatchDecoder::new();
        assert_eq!(decoder.first_record(&one).unwrap().source, source);
        assert_eq!(decoder.first_record(&two).unwrap().source, None);
        assert_eq!([read(&one), read(&two)].concat(), read(&whole));
        assert!(raw.split(0).is_none() && raw.split(301).is_none());
    }
}
