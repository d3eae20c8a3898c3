//! Keys, null values, times and sizes come as they are; what is over the bound comes as its kept start.

use crate::support::{Deadline, flush, open, past, producer, read_on, send, topic};
use std::time::Duration;
use votestream_election::{Offset, PartitionId};

/// A key and a value.
type Pair<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

#[test]
fn keys_tombstones_and_oversize() {
    let url = topic("values", 1, &[("max.message.bytes", "8000000")]);
    let mega = vec![b'm'; 1_000_000];
    let bound = vec![b'b'; 65_536];
    let over = vec![b'o'; 65_537];
    let records: [Pair<'_>; 9] = [
        (Some(b"k"), Some(b"v")),
        (None, Some(b"v")),
        (Some(b"tombstone"), None),
        (None, None),
        (Some(b""), Some(b"")),
        (None, Some(&mega)),
        (None, Some(&bound)),
        (None, Some(&over)),
        (Some(b"\xff\x00"), Some(b"\xfe")),
    ];
    for codec in ["none", "lz4"] {
        let producer = producer(
            &url,
            &[("compression.type", codec), ("message.max.bytes", "8000000"), ("linger.ms", "500")],
        );
        for (key, value) in records {
            send(&producer, &url, 0, key, value);
        }
        flush(&producer);
    }
    let log = open(&url);
    let mut reader = log.partition(PartitionId(0), Offset(0)).unwrap();
    let deadline = Deadline::start();
    let mut at = 0;
    while at < 2 * records.len() {
        deadline.ahead(|| format!("record {at}: {:?}", log.trouble()));
        log.wait_past(&past(&log, &reader), Duration::from_secs(1)).unwrap();
        while let Some(batch) = reader.next_batch().unwrap() {
            for record in batch.records() {
                let record = record.unwrap();
                let (key, value) = records[at % records.len()];
                assert_eq!(record.key, key, "record {at}");
                let oversize = value.is_some_and(|value| value.len() > 65_536);
                assert_eq!(record.oversize, oversize, "record {at}");
                if oversize {
                    assert_eq!(record.value, value.map(|value| &value[..256]));
                } else {
                    assert_eq!(record.value, value, "record {at}");
                }
                assert!(record.timestamp.0 > 1_700_000_000_000);
                at += 1;
            }
        }
    }
}

#[test]
fn batches_over_the_size_asked_for_in_all_partitions_at_once() {
    let url = topic("large", 4, &[("max.message.bytes", "12000000")]);
    let producer = producer(&url, &[("message.max.bytes", "12000000")]);
    let value = vec![b'x'; 9_000_000];
    for _ in 0..2 {
        for partition in 0..4 {
            send(&producer, &url, partition, None, Some(&value));
        }
        flush(&producer);
    }
    let log = open(&url);
    let mut readers: Vec<_> = (0..4).map(|p| log.partition(PartitionId(p), Offset(0)).unwrap()).collect();
    for reader in &mut readers {
        assert_eq!(read_on(&log, reader, 2).unwrap().votes.len(), 2);
    }
}
