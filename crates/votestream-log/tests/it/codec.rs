//! The batch codec on bytes: any records come back as they were, whatever the codec, and Kafka's own layouts are read.

use proptest::collection::vec;
use proptest::prelude::*;
use votestream_election::{Millis, Offset, SourceId};
use votestream_log::batch::{BatchDecoder, BatchEncoder, BatchError, Place};
use votestream_log::{BatchBuilder, Codec};

type Given = (i64, Vec<u8>, Option<u64>);

fn any_record() -> impl Strategy<Value = Given> {
    let value = prop_oneof![
        4 => vec(any::<u8>(), 0..200),
        1 => (0_u8..4, 0_usize..9000).prop_map(|(byte, bytes)| vec![byte; bytes]),
        1 => vec(any::<u8>(), 8000..9000),
    ];
    let time = prop_oneof![4 => 0..1_000_000_i64, 1 => any::<i64>()];
    (time, value, prop_oneof![5 => Just(None), 1 => any::<u64>().prop_map(Some)])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn records_come_back(
        records in vec(any_record(), 1..40),
        source in any::<Option<(u64, u64)>>(),
        (base, epoch, synced) in (0..1_u64 << 60, 0..i32::MAX, any::<u64>()),
    ) {
        let source = source.map(|(id, index)| (SourceId(id), index));
        let mut builder = BatchBuilder::new(1 << 20);
        let mut decoder = BatchDecoder::new();
        for codec in [Codec::None, Codec::Lz4, Codec::Zstd] {
            let Some(mut encoder) = BatchEncoder::new(codec) else { continue };
            for (time, value, length) in &records {
                builder.push(Millis(*time), value, *length);
            }
            let mut sealed = builder.seal(source);
            let mut out = Vec::new();
            let place = Place { base: Offset(base), epoch, synced: Offset(synced) };
            encoder.encode(&mut sealed, place, &mut out);
            let first = decoder.first_record(&out).unwrap();
            prop_assert_eq!((first.synced, first.epoch, first.source), (Some(Offset(synced)), Some(epoch), source));
            let decoded = decoder.decode(&out).unwrap();
            let header = decoded.header();
            prop_assert_eq!((header.base_offset, header.leader_epoch, header.bytes), (Offset(base), epoch, out.len()));
            prop_assert_eq!(header.next_offset(), Offset(base + records.len() as u64));
            let greatest = records.iter().map(|(time, ..)| *time).max().unwrap();
            prop_assert_eq!(header.max_timestamp, Millis(greatest));
            let read: Vec<_> = decoded.records().map(Result::unwrap).collect();
            prop_assert_eq!(read.len(), records.len());
            for (i, (record, (time, value, length))) in read.iter().zip(&records).enumerate() {
                prop_assert_eq!(record.offset, Offset(base + i as u64));
                prop_assert_eq!(record.timestamp, Millis(*time));
                prop_assert_eq!((record.key, record.value), (None, Some(&value[..])));
                prop_assert_eq!(record.oversize, length.is_some());
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..400)) {
        let mut decoder = BatchDecoder::new();
        let _ = decoder.first_record(&bytes);
        if let Ok(batch) = decoder.decode(&bytes) {
            batch.records().for_each(drop);
        }
    }
}

/// A batch by hand, as a broker may send it: gaps from compaction, keys, null values, foreign headers, the broker's own time.
fn by_hand(attributes: i16, last_offset_delta: i32, count: i32, records: &[&[u8]]) -> Vec<u8> {
    let mut covered = Vec::new();
    covered.extend_from_slice(&attributes.to_be_bytes());
    covered.extend_from_slice(&last_offset_delta.to_be_bytes());
    covered.extend_from_slice(&1000_i64.to_be_bytes());
    covered.extend_from_slice(&5000_i64.to_be_bytes());
    covered.extend_from_slice(&[0; 14]);
    covered.extend_from_slice(&count.to_be_bytes());
    covered.extend(records.concat());
    let mut batch = 77_i64.to_be_bytes().to_vec();
    batch.extend_from_slice(&(covered.len() as i32 + 9).to_be_bytes());
    batch.extend_from_slice(&3_i32.to_be_bytes());
    batch.push(2);
    batch.extend_from_slice(&crc32c::crc32c(&covered).to_be_bytes());
    batch.extend_from_slice(&covered);
    batch
}

#[test]
fn a_brokers_batch() {
    // Length, attributes, time delta 2, offset delta 4, key "k", null value, one header "h" with a null value.
    let keyed: &[u8] = &[22, 0, 4, 8, 2, b'k', 1, 2, 2, b'h', 1];
    let keyed = &[&[20], &keyed[1..]].concat()[..];
    let plain: &[u8] = &[14, 0, 3, 18, 1, 2, b'v', 0];
    let mut decoder = BatchDecoder::new();
    for (attributes, times) in [(0, [1002, 998]), (0x08, [5000, 5000])] {
        let bytes = by_hand(attributes, 20, 2, &[keyed, plain]);
        let batch = decoder.decode(&bytes).unwrap();
        assert_eq!((batch.header().next_offset(), batch.header().is_control()), (Offset(98), false));
        let records: Vec<_> = batch.records().map(Result::unwrap).collect();
        assert_eq!(
            (records[0].offset, records[0].key, records[0].value),
            (Offset(81), Some(&b"k"[..]), None)
        );
        assert_eq!(
            (records[1].offset, records[1].key, records[1].value),
            (Offset(86), None, Some(&b"v"[..]))
        );
        assert_eq!([records[0].timestamp, records[1].timestamp], times.map(Millis));
    }
    let empty = by_hand(0x20, 5, 0, &[]);
    let batch = decoder.decode(&empty).unwrap();
    assert!(batch.header().is_control() && batch.records().next().is_none());
    assert_eq!(batch.header().next_offset(), Offset(83));
}

#[test]
fn framing_that_lies_is_told() {
    let plain: &[u8] = &[14, 0, 3, 0, 1, 2, b'v', 0];
    let mut decoder = BatchDecoder::new();
    let mut check = |count, delta, records: &[&[u8]], expect: BatchError| {
        let bytes = by_hand(0, delta, count, records);
        let told =
            decoder.decode(&bytes).and_then(|batch| batch.records().try_for_each(|record| record.map(drop)));
        assert_eq!(told, Err(expect));
    };
    check(2, 5, &[plain], BatchError::Record { index: 1 });
    check(1, 5, &[plain, plain], BatchError::Trailing);
    check(2, 5, &[plain, plain], BatchError::Record { index: 1 });
    check(2, 0, &[plain, plain], BatchError::Count { records: 2, offsets: 1 });
    check(-1, 0, &[plain], BatchError::Count { records: -1, offsets: 1 });
    check(1, -5, &[plain], BatchError::Count { records: 1, offsets: -4 });
    check(1, 0, &[&[14, 0, 3, 2, 1, 2, b'v', 0]], BatchError::Record { index: 0 });
    check(1, 0, &[&[14, 0, 3, 0, 1, 4, b'v', 0]], BatchError::Record { index: 0 });
    check(1, 0, &[&[14, 0, 3, 0, 1, 2, b'v', 2]], BatchError::Record { index: 0 });
    check(1, 0, &[&[1, 0, 3]], BatchError::Record { index: 0 });
    let unknown = by_hand(6, 0, 1, &[plain]);
    assert_eq!(decoder.decode(&unknown).err(), Some(BatchError::UnknownCodec(6)));
}
