//! The files of format 1, byte for byte: what is committed is read, and writing the same again gives the same bytes.
//!
//! When a format is added, its files are too, and these stay. `VOTESTREAM_GOLDEN=write` makes the files anew where there are none.

use crate::support::vote;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use votestream_election::{LogId, Millis, Offset, PartitionId, SourceId};
use votestream_log::{BatchBuilder, Codec, DirLogUrl, LogReader, LogWriter, WriterOptions};

fn golden(codec: Codec) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/format-1").join(codec.name())
}

/// Two incarnations; both partitions; batches with and without a source, an oversize stub, an empty value; a roll.
fn write(root: &Path, codec: Codec) {
    let url = DirLogUrl { path: root.to_owned(), codec: Some(codec), partitions: Some(2) };
    let options = || WriterOptions {
        segment_bytes: 3000,
        log_id: Some(LogId(0x1234 << 64)),
        ..WriterOptions::default()
    };
    for incarnation in 0..2 {
        let writer = LogWriter::open(&url, options()).unwrap();
        let mut builder = BatchBuilder::new(1 << 16);
        for round in 0..4 {
            for n in 0..30 {
                builder.push(Millis(1_730_764_800_000 + 250 * n), &vote(n as u64), None);
            }
            if round == 2 {
                builder.push(Millis(1_730_764_700_000), b"", None);
                builder.push(Millis(1_730_764_900_000), b"the kept start of a long line", Some(70_000));
            }
            let source = (round != 1).then_some((SourceId(0xABCD), 1000 * incarnation + round));
            writer.handle().append(PartitionId(0), builder.seal(source)).unwrap();
            // Flushed, so that each batch's mark is the same every time.
            writer.handle().flush().unwrap();
        }
        builder.push(Millis(0), b"not json", None);
        writer.handle().append(PartitionId(1), builder.seal(None)).unwrap();
        writer.close().unwrap();
    }
}

fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                all.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    all
}

#[test]
fn format_1_is_written_and_read_as_ever() {
    for codec in [Codec::None, Codec::Lz4, Codec::Zstd].into_iter().filter(|codec| codec.available()) {
        let root = golden(codec);
        if !root.exists() && std::env::var("VOTESTREAM_GOLDEN").is_ok_and(|what| what == "write") {
            fs::create_dir_all(root.parent().unwrap()).unwrap();
            write(&root, codec);
        }
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join("log"), codec);
        let (stored, written) = (files(&root), files(&dir.path().join("log")));
        assert_eq!(stored.keys().collect::<Vec<_>>(), written.keys().collect::<Vec<_>>());
        for (name, bytes) in &stored {
            // Zstandard promises its format, not its bytes, from one release of its library to the next.
            assert!(written[name] == *bytes || codec == Codec::Zstd, "{codec}: {name} differs");
        }
        check_read(&root);
    }
}

fn check_read(root: &Path) {
    let log = LogReader::open(&DirLogUrl::new(root), None).unwrap();
    assert_eq!((log.log_id(), log.partitions()), (LogId(0x1234 << 64), 2));
    assert_eq!(log.end_offsets().unwrap(), [Offset(244), Offset(2)]);
    let mut reader = log.partition(PartitionId(0), Offset(0)).unwrap();
    let (mut votes, mut oversize, mut empty) = (0, 0, 0);
    while let Some(batch) = reader.next_batch().unwrap() {
        assert_eq!(batch.leader_epoch(), if batch.base_offset() < Offset(122) { 1 } else { 2 });
        for (record, n) in batch.records().map(Result::unwrap).zip(0..) {
            match record.value.unwrap() {
                b"" => empty += 1,
                value if record.oversize => {
                    assert_eq!(value, b"the kept start of a long line");
                    oversize += 1;
                }
                value => {
                    assert_eq!(
                        (value, record.timestamp.0),
                        (&vote(n)[..], 1_730_764_800_000 + 250 * n as i64)
                    );
                    votes += 1;
                }
            }
        }
    }
    assert_eq!((votes, oversize, empty), (240, 2, 2));
}
