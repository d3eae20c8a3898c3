//! A deterministic fuzzer: batches and segments with bytes flipped, cut, doubled and put in. Never a panic, never a changed record
//! under a checksum that was left alone, never more memory than the bound.

use crate::support::{Draw, batch, quick_dir, url, vote};
use std::fs;
use votestream_election::{Offset, PartitionId};
use votestream_log::batch::{BatchDecoder, BatchEncoder, Place};
use votestream_log::{Codec, LogReader, LogWriter, WriterOptions};

const BATCHES_TRIED: u64 = 60_000;
const SEGMENTS_TRIED: u64 = 1_500;

fn mutate(bytes: &mut Vec<u8>, draw: &mut Draw) {
    for _ in 0..=draw.below(3) {
        let at = draw.below(bytes.len() as u64 + 1) as usize;
        let end = bytes.len().min(at + draw.below(40) as usize);
        match draw.below(6) {
            0 | 1 if at < bytes.len() => bytes[at] ^= 1 << draw.below(8),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            _ => {
                let noise: Vec<u8> = (0..draw.below(20)).map(|_| draw.next() as u8).collect();
                bytes.splice(at..at, noise);
            }
        }
    }
}

/// Gives a mutated batch a length and a checksum that hold, so that what lies behind them is reached.
fn reseal(bytes: &mut [u8]) {
    if bytes.len() > 61 {
        let length = bytes.len() as u32 - 12;
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes[16] = 2;
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    }
}

#[test]
fn batches() {
    let mut draw = Draw(1);
    let mut decoder = BatchDecoder::new();
    for codec in [Codec::None, Codec::Lz4, Codec::Zstd] {
        let Some(mut encoder) = BatchEncoder::new(codec) else { continue };
        let mut whole = Vec::new();
        let place = Place { base: Offset(500), epoch: 3, synced: Offset(400) };
        encoder.encode(&mut batch(500..560, None), place, &mut whole);
        for _ in 0..BATCHES_TRIED / 3 {
            let mut bytes = whole.clone();
            mutate(&mut bytes, &mut draw);
            if let Ok(read) = decoder.decode(&bytes) {
                // The checksum held: only base offset and epoch, which the reader checks against its place, may have changed.
                let (base, at) = (read.header().base_offset.0, decoder_place(&bytes));
                assert_eq!(base, at);
                for (record, n) in read.records().zip(500..) {
                    let record = record.unwrap();
                    assert_eq!((record.offset.0 - base, record.value), (n - 500, Some(&vote(n)[..])));
                }
            }
            reseal(&mut bytes);
            let _ = decoder.first_record(&bytes);
            if let Ok(read) = decoder.decode(&bytes) {
                for record in read.records().flatten() {
                    assert!(record.value.is_none_or(|value| value.len() < 16 << 20));
                }
            }
        }
    }
}

fn decoder_place(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(*bytes.first_chunk().unwrap())
}

#[test]
fn segments() {
    let dir = quick_dir();
    let url = url(dir.path(), 1);
    let writer = LogWriter::open(&url, WriterOptions::default()).unwrap();
    for n in 0..8 {
        writer.handle().append(PartitionId(0), batch(n * 10..n * 10 + 10, None)).unwrap();
        writer.handle().flush().unwrap();
    }
    writer.close().unwrap();
    let segment = url.path.join("0/00000000000000000000.log");
    let (whole, mark) = (fs::read(&segment).unwrap(), fs::read(url.path.join("0/synced")).unwrap());
    let mut draw = Draw(2);
    for n in 0..SEGMENTS_TRIED {
        let mut bytes = whole.clone();
        mutate(&mut bytes, &mut draw);
        fs::write(&segment, &bytes).unwrap();
        fs::write(url.path.join("0/synced"), &mark).unwrap();
        read_what_holds(&url);
        if bytes.starts_with(&whole) {
            continue;
        }
        // With the mark, a changed segment is refused; without it, recovery keeps a true start or refuses too.
        assert!(LogWriter::open(&url, WriterOptions::default()).is_err(), "mutation {n}");
        fs::remove_file(url.path.join("0/synced")).unwrap();
        if let Ok(writer) = LogWriter::open(&url, WriterOptions::default()) {
            let end = writer.end_offsets()[0].0;
            drop(writer);
            assert_eq!(read_what_holds(&url), end, "mutation {n}");
        }
    }
}

/// Reads until the first error; every record before it is the true one. Answers where it stopped.
fn read_what_holds(url: &votestream_log::DirLogUrl) -> u64 {
    let Ok(mut reader) = LogReader::open(url, None).unwrap().partition(PartitionId(0), Offset(0)) else {
        return 0;
    };
    let mut next = 0;
    while let Ok(Some(batch)) = reader.next_batch() {
        for record in batch.records() {
            let record = record.unwrap();
            assert_eq!((record.offset, record.value), (Offset(next), Some(&vote(next)[..])));
            next += 1;
        }
    }
    next
}
