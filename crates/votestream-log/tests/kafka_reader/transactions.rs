//! Committed transactions are read, aborted ones are skipped, and an open one holds the end back for everyone.

use crate::support::{
    PATIENCE, flush, open, past, producer, read_all, read_on, send_votes, topic, unique, vote,
};
use rdkafka::producer::{BaseProducer, Producer};
use std::time::{Duration, Instant};
use votestream_election::{Offset, PartitionId};
use votestream_log::{KafkaUrl, ReaderKind};

fn transactional(url: &KafkaUrl) -> BaseProducer {
    let producer = producer(url, &[("transactional.id", &unique("tx")), ("compression.type", "lz4")]);
    producer.init_transactions(PATIENCE).unwrap();
    producer
}

/// Waits until partition 0 is written up to `end`: a transaction's end is answered before its markers are.
fn written(url: &KafkaUrl, end: u64) {
    let (log, began) = (open(url), Instant::now());
    while log.high_watermarks().unwrap()[0] < Offset(end) {
        assert!(began.elapsed() < PATIENCE, "no marker before {end}");
        log.refresh_ends().unwrap();
    }
}

#[test]
fn committed_aborted_and_open() {
    let url = topic("transactions", 2, &[]);
    let (a, b, plain) = (transactional(&url), transactional(&url), producer(&url, &[]));
    // Interleaved, so that each is open while others write and end.
    a.begin_transaction().unwrap();
    send_votes(&a, &url, 0, 0..10);
    flush(&a);
    b.begin_transaction().unwrap();
    send_votes(&b, &url, 0, 10..20);
    flush(&b);
    send_votes(&plain, &url, 0, 20..30);
    flush(&plain);
    a.abort_transaction(PATIENCE).unwrap(); // marker at 30
    written(&url, 31);
    a.begin_transaction().unwrap();
    send_votes(&a, &url, 0, 31..40);
    flush(&a);
    b.commit_transaction(PATIENCE).unwrap(); // marker at 40
    written(&url, 41);
    a.commit_transaction(PATIENCE).unwrap(); // marker at 41
    written(&url, 42);
    b.begin_transaction().unwrap();
    send_votes(&b, &url, 0, 42..50);
    flush(&b);
    b.abort_transaction(PATIENCE).unwrap(); // marker at 50
    written(&url, 51);
    send_votes(&plain, &url, 0, 51..60);
    flush(&plain);
    a.begin_transaction().unwrap();
    send_votes(&a, &url, 0, 60..70);
    flush(&a);
    send_votes(&plain, &url, 0, 70..80);
    flush(&plain);

    let log = open(&url);
    assert_eq!(log.refresh_ends().unwrap()[0], Offset(60), "the open transaction holds it back");
    assert_eq!(log.high_watermarks().unwrap()[0], Offset(80));
    let expect = |from: u64, until: u64| -> Vec<u64> {
        (from..until)
            .filter(|n| (10..30).contains(n) || (31..40).contains(n) || (51..80).contains(n))
            .collect()
    };
    for from in 0..60 {
        let read = read_all(&log, 0, from);
        let offsets: Vec<u64> = read.votes.iter().map(|(offset, _)| *offset).collect();
        assert_eq!(offsets, expect(from, 60), "from {from}");
        assert!(read.votes.iter().all(|(offset, value)| *value == vote(*offset)), "from {from}");
        if crate::READER == ReaderKind::Native {
            // librdkafka passes over those between records.
            assert_eq!(read.control, [30, 40, 41, 50].iter().filter(|marker| **marker >= from).count());
        }
    }

    // A reader that waits at the end is woken by the commit.
    let mut reader = log.partition(PartitionId(0), Offset(60)).unwrap();
    assert!(reader.next_batch().unwrap().is_none());
    log.wait_past(&past(&log, &reader), Duration::from_millis(300)).unwrap();
    assert!(reader.next_batch().unwrap().is_none(), "not below the last stable offset");
    a.commit_transaction(PATIENCE).unwrap(); // marker at 80
    let read = read_on(&log, &mut reader, 81).unwrap();
    let offsets: Vec<u64> = read.votes.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, expect(60, 81));
    assert_eq!((reader.position(), read.control), (Offset(81), 1));
    assert_eq!(log.end_offsets().unwrap()[0], Offset(81), "learned from the answers");
}

#[test]
fn nothing_but_markers() {
    let url = topic("markers", 1, &[]);
    let producer = transactional(&url);
    for n in 0..5 {
        producer.begin_transaction().unwrap();
        send_votes(&producer, &url, 0, n..n + 1);
        flush(&producer);
        producer.abort_transaction(PATIENCE).unwrap();
    }
    let log = open(&url);
    for from in 0..10 {
        let mut reader = log.partition(PartitionId(0), Offset(from)).unwrap();
        let read = read_on(&log, &mut reader, 10).unwrap();
        assert_eq!(reader.position(), Offset(10));
        assert!(read.votes.is_empty(), "from {from}");
    }
}
