//! Batches that Kafka's own Java producer wrote, with every codec: they decode, and however they are damaged, nothing panics.

use crate::support::Draw;
use votestream_log::batch::{BatchDecoder, BatchError, HEADER_BYTES};

/// Taken from a broker's Fetch answers: 40 votes, one batch a codec, by number in the batch's attributes.
const BATCHES: [(&str, &[u8]); 5] = [
    ("none", include_bytes!("../golden/kafka-java/none.batch")),
    ("gzip", include_bytes!("../golden/kafka-java/gzip.batch")),
    ("snappy", include_bytes!("../golden/kafka-java/snappy.batch")),
    ("lz4", include_bytes!("../golden/kafka-java/lz4.batch")),
    ("zstd", include_bytes!("../golden/kafka-java/zstd.batch")),
];
const RECORDS: u64 = 40;

fn value(n: u64) -> String {
    let (id, age) = (1_000_000_000_000_000 + n * 7919, 18 + n % 70);
    format!(r#"{{"id":{id},"gender":"Female","age":{age},"state":"North Carolina","decision":"Jill Stein"}}"#)
}

#[test]
fn every_codec_decodes() {
    let mut decoder = BatchDecoder::for_kafka();
    for (number, (codec, bytes)) in BATCHES.into_iter().enumerate() {
        if codec == "zstd" && !cfg!(feature = "zstd") {
            continue;
        }
        let batch = decoder.decode(bytes).unwrap();
        assert_eq!(usize::from(batch.header().attributes.unsigned_abs()) & 7, number, "{codec}");
        assert_eq!(batch.header().bytes, bytes.len());
        let mut records = batch.records();
        for n in 0..RECORDS {
            let record = records.next().unwrap().unwrap();
            assert_eq!((record.offset.0, record.key, record.oversize), (n, None, false), "{codec}");
            assert_eq!(record.value, Some(value(n).as_bytes()), "{codec}");
        }
        assert!(records.next().is_none(), "{codec}");
        assert!(decoder.decode(&bytes[..bytes.len() - 1]).is_err());
    }
}

/// Damage behind a checksum that holds: as a producer with a fault, or an attacker, would send it.
#[test]
fn damaged_batches_never_panic() {
    let mut draw = Draw(7);
    let mut decoder = BatchDecoder::for_kafka();
    for (codec, bytes) in BATCHES {
        let mut whole = 0;
        for _ in 0..4_000 {
            let mut damaged = bytes.to_vec();
            for _ in 0..=draw.below(3) {
                damage(&mut damaged, &mut draw);
            }
            let length = (damaged.len() - 12) as u32;
            damaged[8..12].copy_from_slice(&length.to_be_bytes());
            let crc = crc32c::crc32c(&damaged[21..]);
            damaged[17..21].copy_from_slice(&crc.to_be_bytes());
            match decoder.decode(&damaged) {
                Err(BatchError::Crc { .. }) => panic!("{codec}: the checksum was set"),
                Err(_) => {}
                Ok(batch) => whole += u32::from(batch.records().all(|record| record.is_ok())),
            }
            let _ = decoder.first_record(&damaged);
        }
        assert!(whole < 3_900, "{codec}: the damage does not show");
    }
}

/// One change behind the header's checksum field; the header itself stays long enough to be one.
fn damage(bytes: &mut Vec<u8>, draw: &mut Draw) {
    let at = HEADER_BYTES + draw.below((bytes.len() - HEADER_BYTES) as u64) as usize;
    match draw.below(6) {
        0 => bytes.truncate(at.max(HEADER_BYTES + 1)),
        1 => bytes.insert(at, draw.next() as u8),
        2 => drop(bytes.splice(at..at, [0xff, 0xff, 0xff, 0x7f])),
        3 => bytes[at] = 0xff,
        // Another codec, flag or count.
        4 => bytes[21 + draw.below(2) as usize] ^= 1 << draw.below(8),
        _ => bytes[at] ^= 1 << draw.below(8),
    }
}
