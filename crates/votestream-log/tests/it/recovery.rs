//! A writer's start after a crash: torn tails are cut and told, damage among what was durable is refused by name and position.

use crate::support::{batch, open, quick_dir, read, small_segments, url, votes};
use std::fs;
use std::path::{Path, PathBuf};
use votestream_election::{Offset, PartitionId};
use votestream_log::{DirLogUrl, LogError, LogReader, LogWriter, WriterOptions};

/// A log of one segment with 5 batches of 20 votes; each batch but the first says that those before it were durable.
fn five_batches() -> (tempfile::TempDir, DirLogUrl, PathBuf) {
    let dir = quick_dir();
    let url = url(dir.path(), 1);
    let writer = LogWriter::open(&url, WriterOptions::default()).unwrap();
    for n in 0..5 {
        writer.handle().append(PartitionId(0), batch(n * 20..n * 20 + 20, None)).unwrap();
        writer.handle().flush().unwrap();
    }
    writer.close().unwrap();
    let segment = url.path.join("0/00000000000000000000.log");
    (dir, url, segment)
}

/// Where each batch starts, and the file's end.
fn starts(bytes: &[u8]) -> Vec<usize> {
    let mut starts = vec![0];
    while *starts.last().unwrap() < bytes.len() {
        let at = starts[starts.len() - 1];
        let length = u32::from_be_bytes(*bytes[at + 8..].first_chunk().unwrap());
        starts.push(at + 12 + length as usize);
    }
    starts
}

fn forget_mark(url: &DirLogUrl) {
    fs::remove_file(url.path.join("0/synced")).unwrap();
}

fn corrupt_at(error: &LogError) -> u64 {
    match error {
        LogError::Corrupt { file, position, .. } => {
            assert!(file.ends_with("0/00000000000000000000.log"), "{error}");
            *position
        }
        other => panic!("{other}"),
    }
}

#[test]
fn an_unsynced_tail_is_cut_wherever_it_is_torn() {
    let (_dir, url, segment) = five_batches();
    let whole = fs::read(&segment).unwrap();
    let starts = starts(&whole);
    for cut in starts[4]..=whole.len() {
        for zeros in [0, 1, 100] {
            // As after a crash before the last fsync: the last batch is not whole, and no mark speaks of it.
            let mut bytes = whole[..cut].to_vec();
            bytes.resize(cut + zeros, 0);
            fs::write(&segment, &bytes).unwrap();
            forget_mark(&url);
            let writer = open(&url);
            // Zeros may happen to be what was cut.
            let (end, kept) = if bytes.starts_with(&whole) { (100, whole.len()) } else { (80, starts[4]) };
            assert_eq!(writer.end_offsets(), [Offset(end)], "cut at {cut}");
            let torn = &writer.recovery().torn;
            if bytes.len() == kept {
                assert!(torn.is_empty());
            } else {
                assert_eq!((torn[0].position, torn[0].bytes), (kept as u64, (bytes.len() - kept) as u64));
                assert_eq!((torn[0].next_offset, &torn[0].file), (Offset(end), &segment));
            }
            assert_eq!(fs::metadata(&segment).unwrap().len(), kept as u64);
            drop(writer);
            assert!(read(&url, 0, 0).unwrap() == votes(0..end));
        }
    }
    let writer = open(&url);
    writer.handle().append(PartitionId(0), batch(100..130, None)).unwrap();
    writer.close().unwrap();
    assert!(read(&url, 0, 0).unwrap() == votes(0..130));
}

#[test]
fn every_flipped_byte_below_a_mark_is_refused() {
    let (_dir, url, segment) = five_batches();
    let whole = fs::read(&segment).unwrap();
    let starts = starts(&whole);
    let sidecar = fs::read(url.path.join("0/synced")).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&segment, &bytes).unwrap();
        fs::write(url.path.join("0/synced"), &sidecar).unwrap();
        let this = starts.iter().rposition(|start| *start <= at).unwrap();
        let error = LogWriter::open(&url, small_segments()).expect_err("damage is refused");
        assert_eq!(corrupt_at(&error) as usize, starts[this], "byte {at}: {error}");
        assert_eq!(fs::read(&segment).unwrap(), bytes, "nothing is changed");
        // The same is found by the marks in the batches alone, where a later batch is whole.
        forget_mark(&url);
        if this < 3 {
            let error = LogWriter::open(&url, small_segments()).expect_err("damage is refused");
            assert!(error.to_string().contains("were durable"), "byte {at}: {error}");
        }
    }
}

#[test]
fn a_log_that_lost_what_was_durable_is_refused() {
    let (_dir, url, segment) = five_batches();
    let whole = fs::read(&segment).unwrap();
    let starts = starts(&whole);
    for cut in [starts[4], starts[4] + 30, starts[1], 0] {
        fs::write(&segment, &whole[..cut]).unwrap();
        let error = LogWriter::open(&url, small_segments()).expect_err("a loss is refused");
        assert!(
            error.to_string().contains("records up to offset 100 were durable")
                || error.to_string().contains("records up to 100 were durable"),
            "{error}"
        );
        let shown = read(&url, 0, 0).expect_err("readers meet it too");
        assert!(matches!(shown, LogError::Corrupt { .. }), "{shown}");
    }
}

#[test]
fn readers_name_file_and_position_of_damage() {
    let (_dir, url, segment) = five_batches();
    let whole = fs::read(&segment).unwrap();
    let starts = starts(&whole);
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        fs::write(&segment, &bytes).unwrap();
        let this = starts.iter().rposition(|start| *start <= at).unwrap();
        let error = read(&url, 0, 0).map(|all| all.len()).unwrap_err();
        assert_eq!(corrupt_at(&error) as usize, starts[this], "byte {at}: {error}");
    }
}

#[test]
fn without_a_sidecar_readers_go_as_far_as_the_log_proves() {
    let (_dir, url, _) = five_batches();
    forget_mark(&url);
    // The last batch says that the four before it were durable.
    assert!(read(&url, 0, 0).unwrap() == votes(0..80));
    fs::write(url.path.join("0/synced"), [7; 24]).unwrap();
    assert!(read(&url, 0, 0).unwrap() == votes(0..80));
    let reader = LogReader::open(&url, None).unwrap();
    assert_eq!(reader.end_offsets().unwrap(), [Offset(80)]);
    let _writer = open(&url);
    assert_eq!(reader.end_offsets().unwrap(), [Offset(100)], "the next writer made the rest durable");
    assert!(read(&url, 0, 0).unwrap() == votes(0..100));
}

#[test]
fn a_missing_segment_is_named() {
    let dir = quick_dir();
    let url = url(dir.path(), 1);
    let writer = open(&url);
    for n in 0..40 {
        writer.handle().append(PartitionId(0), batch(n * 20..n * 20 + 20, None)).unwrap();
    }
    writer.close().unwrap();
    let mut segments = segments(&url.path.join("0"));
    assert!(segments.len() > 4);
    let gone = segments.remove(2);
    fs::remove_file(&gone).unwrap();
    let error = read(&url, 0, 0).unwrap_err();
    assert!(
        error.to_string().contains("the segment ends at offset")
            && error.to_string().contains("were durable"),
        "{error}"
    );
    fs::remove_file(segments.pop().unwrap()).unwrap();
    let error = LogWriter::open(&url, small_segments()).unwrap_err();
    assert!(error.to_string().contains("were durable"), "{error}");
}

#[test]
fn garbage_as_a_segment() {
    let (_dir, url, segment) = five_batches();
    let whole = fs::read(&segment).unwrap();
    // A tail in which every byte looks like the start of a batch, and one of noise.
    let hostile =
        [vec![2; 200_000], (0..200_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()];
    for tail in hostile {
        let mut bytes = whole.clone();
        bytes.extend_from_slice(&tail);
        fs::write(&segment, &bytes).unwrap();
        let writer = open(&url);
        assert_eq!(writer.recovery().torn[0].bytes, tail.len() as u64);
    }
    assert!(read(&url, 0, 0).unwrap() == votes(0..100));
    fs::write(url.path.join("0/notes.log"), "").unwrap();
    let error = LogWriter::open(&url, small_segments()).unwrap_err();
    assert!(error.to_string().contains("a segment's name is its first offset in 20 digits"), "{error}");
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut logs: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|kind| kind == "log")).collect();
    logs.sort();
    logs
}
