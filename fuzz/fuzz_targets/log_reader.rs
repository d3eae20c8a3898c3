//! `cargo +nightly fuzz run log_reader`: any bytes as a batch, with its checksum put right, and as a segment file.
//!
//! Reading must not panic, nor give out a record beyond the bound; a writer must open the log or refuse it.
//! A good corpus: the segments below `crates/votestream-log/tests/golden`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use votestream_election::{Offset, PartitionId};
use votestream_log::batch::{BatchDecoder, HEADER_BYTES, RECORDS_BYTES_MAX};
use votestream_log::{DirLogUrl, LogReader, LogWriter, WriterOptions};

fuzz_target!(|data: &[u8]| {
    as_batch(data);
    as_segment(data);
});

fn as_batch(data: &[u8]) {
    let mut bytes = data.to_vec();
    if bytes.len() >= HEADER_BYTES {
        let length = (bytes.len() as u32 - 12).to_be_bytes();
        bytes[8..12].copy_from_slice(&length);
        bytes[16] = 2;
        let crc = crc32c(&bytes[21..]).to_be_bytes();
        bytes[17..21].copy_from_slice(&crc);
    }
    let mut decoder = BatchDecoder::new();
    let _ = decoder.first_record(&bytes);
    if let Ok(batch) = decoder.decode(&bytes) {
        for record in batch.records().flatten() {
            assert!(record.value.is_none_or(|value| value.len() <= RECORDS_BYTES_MAX));
        }
    }
}

fn as_segment(data: &[u8]) {
    let dir = tempfile::tempdir().expect("a directory");
    let url = DirLogUrl { partitions: Some(1), ..DirLogUrl::new(dir.path()) };
    drop(LogWriter::open(&url, WriterOptions::default()).expect("a new log"));
    std::fs::write(dir.path().join("0/00000000000000000000.log"), data).expect("a disk");
    let Ok(writer) = LogWriter::open(&url, WriterOptions::default()) else { return };
    let log = LogReader::open(&url, Some(writer.watch())).expect("an open log");
    let mut reader = log.partition(PartitionId(0), Offset(0)).expect("a partition");
    while let Ok(Some(batch)) = reader.next_batch() {
        batch.records().for_each(drop);
    }
}

/// CRC32C, bit by bit: the fuzzer needs no speed here, and no further dependency.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 != 0 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}
