//! Leaders change: readers go on where the log goes on, and stop where an unclean leader's log was cut, though it has grown again.

use crate::cluster::Cluster;
use crate::support::{
    create, flush, open, producer, read_on, read_to_error, send_votes, unique, until, votes,
};
use rdkafka::admin::{NewTopic, TopicReplication};
use std::time::{Duration, Instant};
use votestream_election::{Offset, PartitionId};
use votestream_log::{KafkaUrl, LogError, ReaderKind, describe};

/// Node 1 is the controller and holds nothing of the topic.
const REPLICAS: &[&[i32]] = &[&[2, 3]];

fn in_sync(url: &KafkaUrl) -> Vec<i32> {
    describe(url).map(|facts| facts.partitions[0].in_sync.clone()).unwrap_or_default()
}

fn leader(url: &KafkaUrl) -> Option<i32> {
    describe(url).ok().and_then(|facts| facts.partitions[0].leader)
}

#[test]
fn a_leader_that_falls_silent_is_left_once_another_leads() {
    let cluster = Cluster::start(2, "replica.lag.time.max.ms=3000");
    let url = cluster.url(&unique("silent"));
    let topic = NewTopic::new(&url.topic, 1, TopicReplication::Variable(&[&[2, 1]]));
    create(&url, topic, &[("min.insync.replicas", "1")]);
    let log = open(&url);
    let mut reader = log.partition(PartitionId(0), Offset(0)).unwrap();
    let first = producer(&url, &[]);
    send_votes(&first, &url, 0, 0..100);
    flush(&first);
    assert!(read_on(&log, &mut reader, 100).unwrap().votes == votes(0..100));
    until("both replicas are in sync", || in_sync(&url).len() == 2);
    cluster.freeze(2);
    let began = Instant::now();
    // librdkafka and the look at the metadata beside it wait for answers for half a minute, and do not tell of it.
    let native = crate::READER == ReaderKind::Native;
    until("the silence is told", || {
        log.wait_past(&[Offset(100)], Duration::from_millis(50)).unwrap();
        assert!(reader.next_batch().unwrap().is_none());
        !native || log.trouble().is_some_and(|trouble| trouble.contains("no answer to Fetch"))
    });
    let only_one = KafkaUrl::new([url.brokers[0].clone()], &url.topic);
    until("the other one leads", || leader(&only_one) == Some(1));
    let second = producer(&only_one, &[]);
    send_votes(&second, &only_one, 0, 100..200);
    flush(&second);
    assert!(read_on(&log, &mut reader, 200).unwrap().votes == votes(100..200));
    let bound = Duration::from_secs(if native { 28 } else { 75 });
    assert!(began.elapsed() < bound, "not only once the request is given up");
    until("the trouble is over", || log.trouble().is_none());
}

#[test]
fn a_clean_change_goes_on_and_an_unclean_one_is_told() {
    let mut cluster = Cluster::start(3, "log.flush.interval.messages=1\nreplica.lag.time.max.ms=3000");
    let url = cluster.url(&unique("fail-over"));
    let topic = NewTopic::new(&url.topic, 1, TopicReplication::Variable(REPLICAS));
    create(&url, topic, &[("unclean.leader.election.enable", "true"), ("min.insync.replicas", "1")]);
    let log = open(&url);
    let mut reader = log.partition(PartitionId(0), Offset(0)).unwrap();
    let produce = |numbers| {
        let producer = producer(&url, &[("acks", "all")]);
        send_votes(&producer, &url, 0, numbers);
        flush(&producer);
    };
    produce(0..100);
    assert!(read_on(&log, &mut reader, 100).unwrap().votes == votes(0..100));

    // Clean: the other replica has all.
    until("both replicas are in sync", || in_sync(&url).len() == 2);
    let first = leader(&url).unwrap();
    cluster.kill(usize::try_from(first).unwrap());
    until("the other one leads", || leader(&url).is_some_and(|leader| leader != first));
    produce(100..200);
    assert!(read_on(&log, &mut reader, 200).unwrap().votes == votes(100..200));
    assert_eq!(log.epoch_ending_at(PartitionId(0), Offset(100), 0).unwrap(), Some(0));

    // Unclean: the replica that comes back alone lacks the last hundred, and its log grows beyond them.
    let second = leader(&url).unwrap();
    cluster.kill(usize::try_from(second).unwrap());
    cluster.restart(usize::try_from(first).unwrap());
    until("the one that was left behind leads", || leader(&url) == Some(first));
    produce(500..750);
    let error = read_to_error(&log, &mut reader);
    let expect = matches!(error, LogError::Truncated { wanted: Offset(200), end: Offset(100), .. });
    assert!(expect, "{error}");
    assert!(error.to_string().contains("recount --from-scratch"), "{error}");

    // One that has read no more than what is left goes on.
    let mut another = log.partition(PartitionId(0), Offset(90)).unwrap();
    assert_eq!(read_on(&log, &mut another, 350).unwrap().votes.len(), 260);
    let fresh = open(&url);
    let epoch = fresh.epoch_ending_at(PartitionId(0), Offset(200), 1);
    let told = matches!(epoch, Err(LogError::Truncated { .. })) || matches!(epoch, Ok(Some(0)));
    assert!(told, "the epoch that was counted is not there: {epoch:?}");
}
