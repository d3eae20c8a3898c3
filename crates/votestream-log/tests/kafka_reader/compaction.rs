//! A compacted topic has gaps: positions pass over them, also where the end of a batch is gone, and nothing is read twice.

use crate::cluster::Cluster;
use crate::support::{create, flush, open, producer, read_all, send, unique, until};
use rdkafka::admin::{NewTopic, TopicReplication};

#[test]
fn gaps_are_passed_over() {
    let cluster = Cluster::start(1, "log.cleaner.backoff.ms=100\nlog.cleaner.min.compaction.lag.ms=0");
    let url = cluster.url(&unique("compacted"));
    let config = [
        ("cleanup.policy", "compact"),
        ("segment.bytes", "1048576"),
        ("segment.ms", "500"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("delete.retention.ms", "0"),
    ];
    create(&url, NewTopic::new(&url.topic, 1, TopicReplication::Fixed(1)), &config);
    let producer = producer(&url, &[("linger.ms", "50")]);
    let mut last = [0_u64; 7];
    for n in 0..700_u64 {
        let key = n * n % 7;
        last[key as usize] = n;
        send(&producer, &url, 0, Some(&[key as u8]), Some(n.to_string().as_bytes()));
        if n % 50 == 49 {
            flush(&producer);
        }
    }
    let log = open(&url);
    assert!(log.cleanup_compacts().unwrap());
    let mut end = 700;
    until("old records are gone", || {
        // The active segment is never cleaned: what follows rolls it.
        send(&producer, &url, 0, Some(b"roll"), Some(b"-"));
        flush(&producer);
        end += 1;
        let read = read_all(&log, 0, 0);
        read.votes.iter().filter(|(offset, _)| *offset < 700).count() < 100
    });
    for from in (0..end).step_by(23) {
        let read = read_all(&log, 0, from);
        let offsets: Vec<u64> = read.votes.iter().map(|(offset, _)| *offset).collect();
        assert!(offsets.is_sorted_by(|a, b| a < b), "each once, in order");
        assert!(offsets.iter().all(|offset| *offset >= from));
        for last in last.iter().filter(|last| **last >= from && **last > 0) {
            assert!(offsets.contains(last), "the last value of a key stays: {last}");
        }
    }
}
