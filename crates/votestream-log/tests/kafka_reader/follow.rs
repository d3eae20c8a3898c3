//! Readers follow a topic while it grows, all partitions of many, and wait without using the processor.

use crate::support::{flush, open, past, producer, read_on, send_votes, topic, votes};
use std::time::{Duration, Instant};
use votestream_election::{Offset, PartitionId};
use votestream_log::KafkaUrl;

const TOTAL: u64 = 20_000;

#[test]
fn several_readers_see_every_vote_once_in_order() {
    let url = topic("follow", 2, &[]);
    let producer = producer(&url, &[("compression.type", "lz4"), ("linger.ms", "2")]);
    let shared = open(&url);
    std::thread::scope(|scope| {
        let mut readers = Vec::new();
        for n in 0..4 {
            // Two readers of each partition: on one reader's threads, and on threads of their own.
            let (url, shared) = (&url, shared.clone());
            readers.push(scope.spawn(move || follow(&if n < 2 { shared } else { open(url) }, n % 2)));
        }
        readers.push(scope.spawn(|| follow(&shared, 0)));
        for from in (0..TOTAL).step_by(250) {
            for partition in 0..2 {
                send_votes(&producer, &url, partition, from..from + 250);
            }
            flush(&producer);
        }
        for reader in readers {
            assert!(reader.join().unwrap() == votes(0..TOTAL));
        }
    });
}

fn follow(log: &votestream_log::LogReader, partition: u32) -> Vec<(u64, Vec<u8>)> {
    let mut reader = log.partition(PartitionId(partition), Offset(0)).unwrap();
    read_on(log, &mut reader, TOTAL).unwrap().votes
}

#[test]
fn many_partitions() {
    const PARTITIONS: u32 = 64;
    let url = topic("many", PARTITIONS as i32, &[]);
    let producer = producer(&url, &[("compression.type", "lz4")]);
    for partition in 0..PARTITIONS {
        send_votes(&producer, &url, partition as i32, 0..300 + u64::from(partition));
    }
    flush(&producer);
    let log = open(&url);
    let mut readers: Vec<_> =
        (0..PARTITIONS).map(|p| log.partition(PartitionId(p), Offset(0)).unwrap()).collect();
    for (reader, p) in readers.iter_mut().zip(0..) {
        assert!(read_on(&log, reader, 300 + p).unwrap().votes == votes(0..300 + p), "partition {p}");
    }
}

#[test]
fn a_vote_arrives_without_delay_and_a_late_reader_too() {
    let url = topic("latency", 2, &[]);
    let producer = producer(&url, &[("linger.ms", "0")]);
    let log = open(&url);
    let mut reader = log.partition(PartitionId(0), Offset(0)).unwrap();
    let mut waits = Vec::new();
    for n in 0..40 {
        send_votes(&producer, &url, 0, n..n + 1);
        flush(&producer);
        let sent = Instant::now();
        read_on(&log, &mut reader, n + 1).unwrap();
        waits.push(sent.elapsed());
    }
    waits.sort();
    assert!(waits[20] < Duration::from_millis(50), "{waits:?}");
    // Another partition's reader is opened while the broker holds a request for the first.
    send_votes(&producer, &url, 1, 0..1);
    flush(&producer);
    let mut late = log.partition(PartitionId(1), Offset(0)).unwrap();
    let began = Instant::now();
    read_on(&log, &mut late, 1).unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    drop((reader, late));
    // And again after all were dropped.
    let mut again = log.partition(PartitionId(0), Offset(30)).unwrap();
    assert!(read_on(&log, &mut again, 40).unwrap().votes == votes(30..40));
}

#[test]
fn a_waiting_reader_uses_no_cpu_to_speak_of() {
    let url = topic("idle", 4, &[]);
    let log = open(&url);
    let readers: Vec<_> = (0..4).map(|p| log.partition(PartitionId(p), Offset(0)).unwrap()).collect();
    let before = thread_cpu_ticks();
    let began = Instant::now();
    assert!(!log.wait_past(&[Offset(0); 4], Duration::from_millis(700)).unwrap());
    assert!(began.elapsed() >= Duration::from_millis(700));
    assert!(!log.wait_past(&[Offset(u64::MAX); 4], Duration::from_millis(100)).unwrap());
    // A tick is 10 ms.
    assert!(thread_cpu_ticks() - before <= 5);
    drop(readers);
}

#[test]
fn a_partition_that_nobody_reads_is_heard_of_all_the_same() {
    let url = topic("unread", 2, &[]);
    let log = open(&url);
    assert!(!log.wait_past(&[Offset(0), Offset(u64::MAX)], Duration::from_millis(50)).unwrap());
    let waiting = log.clone();
    let waiter =
        std::thread::spawn(move || waiting.wait_past(&[Offset(0), Offset(u64::MAX)], Duration::from_mins(1)));
    produce_one(&url);
    assert!(waiter.join().unwrap().unwrap());
    assert_eq!(log.end_offsets().unwrap(), [Offset(1), Offset(0)]);
}

fn produce_one(url: &KafkaUrl) {
    let producer = producer(url, &[]);
    send_votes(&producer, url, 0, 0..1);
    flush(&producer);
}

#[test]
fn a_reader_that_is_not_read_holds_nobody_up() {
    let url = topic("slow", 2, &[]);
    let producer = producer(&url, &[("batch.size", "900000"), ("linger.ms", "100")]);
    let filler = vec![b'x'; 60_000];
    // 36 MB in one partition: more than may wait for one reader.
    for _ in 0..600 {
        crate::support::send(&producer, &url, 0, None, Some(&filler));
    }
    send_votes(&producer, &url, 1, 0..100);
    flush(&producer);
    let log = open(&url);
    let mut slow = log.partition(PartitionId(0), Offset(0)).unwrap();
    let mut quick = log.partition(PartitionId(1), Offset(0)).unwrap();
    for n in (0..2_000).step_by(100) {
        assert!(read_on(&log, &mut quick, n + 100).unwrap().votes == votes(n..n + 100));
        send_votes(&producer, &url, 1, n + 100..n + 200);
        flush(&producer);
    }
    assert_eq!(read_on(&log, &mut slow, 600).unwrap().votes.len(), 600);
    assert!(log.wait_past(&past(&log, &quick), Duration::from_secs(30)).unwrap());
}

/// User and system time of this thread, in clock ticks.
fn thread_cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
