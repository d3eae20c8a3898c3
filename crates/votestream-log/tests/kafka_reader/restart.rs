//! A broker that is killed and comes back, in the middle of reading: no vote lost, none twice, and what is wrong is said meanwhile.

use crate::cluster::Cluster;
use crate::support::{create, flush, open, past, producer, read_on, send_votes, unique, until, votes};
use rdkafka::admin::{NewTopic, TopicReplication};
use std::time::Duration;
use votestream_election::{Offset, PartitionId};

#[test]
fn killed_and_started_again() {
    let mut cluster = Cluster::start(1, "log.flush.interval.messages=1");
    let url = cluster.url(&unique("restart"));
    create(&url, NewTopic::new(&url.topic, 2, TopicReplication::Fixed(1)), &[]);
    let before = producer(&url, &[("compression.type", "lz4")]);
    send_votes(&before, &url, 0, 0..5_000);
    flush(&before);
    let log = open(&url);
    let mut reader = log.partition(PartitionId(0), Offset(0)).unwrap();
    let mut idle = log.partition(PartitionId(1), Offset(0)).unwrap();
    assert!(read_on(&log, &mut reader, 5_000).unwrap().votes == votes(0..5_000));
    assert_eq!(log.trouble(), None);
    for round in 1..=2 {
        cluster.kill(1);
        until("the trouble is told", || {
            log.wait_past(&past(&log, &reader), Duration::from_millis(50)).unwrap();
            assert!(reader.next_batch().unwrap().is_none() && idle.next_batch().unwrap().is_none());
            log.trouble().is_some_and(|trouble| trouble.contains("cannot reach"))
        });
        assert!(!log.wait_past(&past(&log, &reader), Duration::from_secs(1)).unwrap());
        cluster.restart(1);
        let (from, to) = (5_000 * round, 5_000 * (round + 1));
        let after = producer(&url, &[("compression.type", "lz4")]);
        send_votes(&after, &url, 0, from..to);
        flush(&after);
        assert!(read_on(&log, &mut reader, to).unwrap().votes == votes(from..to));
        until("the trouble is over", || log.trouble().is_none());
    }
    assert_eq!(idle.position(), Offset(0));
}
