//! What producers wrote is read, with every codec, from any offset, in the middle of batches too.

use crate::support::{flush, open, past, producer, read_all, read_to_error, send_votes, topic, votes};
use std::time::Duration;
use votestream_election::{Offset, PartitionId};
use votestream_log::LogError;

#[test]
fn every_codec_from_every_offset() {
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let url = topic(&format!("codec-{codec}"), 2, &[]);
        let producer = producer(&url, &[("compression.type", codec)]);
        for from in (0..600).step_by(40) {
            send_votes(&producer, &url, 1, from..from + 40);
            flush(&producer);
        }
        let log = open(&url);
        assert_eq!((log.kind(), log.partitions()), ("kafka", 2));
        assert_eq!(log.start_offsets().unwrap(), [Offset(0); 2]);
        assert_eq!(log.refresh_ends().unwrap(), [Offset(0), Offset(600)]);
        assert_eq!(log.high_watermarks().unwrap(), [Offset(0), Offset(600)]);
        assert!(!log.cleanup_compacts().unwrap());
        assert!(read_all(&log, 0, 0).votes.is_empty());
        for from in (0..=600).step_by(37) {
            let read = read_all(&log, 1, from);
            assert!(read.votes == votes(from..600), "{codec} from {from}");
            assert_eq!(read.skipped, 0);
        }
        assert_eq!(log.trouble(), None);
    }
}

#[test]
fn epochs_and_places_beyond_the_end() {
    let url = topic("places", 1, &[]);
    let producer = producer(&url, &[]);
    send_votes(&producer, &url, 0, 0..50);
    flush(&producer);
    let log = open(&url);
    assert_eq!(log.end_offsets().unwrap(), [Offset(50)]);
    let epoch = |next, counted_in| log.epoch_ending_at(PartitionId(0), Offset(next), counted_in);
    assert_eq!(epoch(50, 0).unwrap(), Some(0));
    assert_eq!(epoch(17, 0).unwrap(), Some(0));
    assert_eq!((epoch(50, -1).unwrap(), epoch(50, 7).unwrap()), (None, None));
    let beyond = epoch(51, 0).unwrap_err();
    assert!(matches!(beyond, LogError::Truncated { end: Offset(50), wanted: Offset(51), .. }), "{beyond}");

    let mut reader = log.partition(PartitionId(0), Offset(51)).unwrap();
    let error = read_to_error(&log, &mut reader);
    assert!(matches!(error, LogError::Truncated { end: Offset(50), wanted: Offset(51), .. }), "{error}");
    assert!(error.to_string().contains("recount --from-scratch"), "{error}");
    assert!(error.to_string().contains(&url.topic), "{error}");
    assert!(!error.is_transient());
    assert!(reader.next_batch().is_err(), "it stays so");
    let no_such = log.partition(PartitionId(1), Offset(0)).unwrap_err();
    assert!(matches!(no_such, LogError::NoSuchPartition { partitions: 1, .. }), "{no_such}");
}

#[test]
fn batches_tell_their_place() {
    let url = topic("batches", 1, &[]);
    let producer = producer(&url, &[("linger.ms", "1000"), ("compression.type", "lz4")]);
    send_votes(&producer, &url, 0, 0..30);
    flush(&producer);
    let log = open(&url);
    let mut reader = log.partition(PartitionId(0), Offset(11)).unwrap();
    assert_eq!(reader.position(), Offset(11));
    while !log.wait_past(&past(&log, &reader), Duration::from_secs(10)).unwrap() {}
    let mut seen = Vec::new();
    while reader.position() < Offset(30) {
        let Some(batch) = reader.next_batch().unwrap() else {
            log.wait_past(&[Offset(11)], Duration::from_secs(10)).unwrap();
            continue;
        };
        assert!(batch.base_offset() <= Offset(11) && batch.next_offset() == Offset(30));
        assert_eq!((batch.leader_epoch(), batch.is_skipped()), (0, false));
        seen.extend(batch.records().map(|record| record.unwrap().offset.0));
    }
    assert_eq!(seen, (11..30).collect::<Vec<_>>());
    assert!(reader.next_batch().unwrap().is_none());
}
