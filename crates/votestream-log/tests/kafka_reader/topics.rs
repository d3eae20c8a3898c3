//! A topic that is missing, deleted, made anew, given more partitions, or has lost its beginning: each is told apart and named.

use crate::support::{
    admin, broker, create, flush, open, producer, read_on, read_to_error, send_votes, topic, unique, until,
    votes, wait_for,
};
use rdkafka::TopicPartitionList;
use rdkafka::admin::{AdminOptions, NewPartitions, NewTopic, TopicReplication};
use std::time::Duration;
use votestream_election::{Offset, PartitionId};
use votestream_log::{KafkaUrl, LogError, LogReader, LogUrl};

#[test]
fn a_missing_topic_is_named() {
    let url = KafkaUrl::new([broker()], unique("never-made"));
    let error = LogReader::open_url(&LogUrl::Kafka(url.clone())).unwrap_err();
    assert!(matches!(error, LogError::NoSuchTopic { .. }), "{error}");
    assert!(error.to_string().contains(&url.topic), "{error}");
}

#[test]
fn a_topic_deleted_and_made_anew_is_not_read_on() {
    let url = topic("recreated", 1, &[]);
    let producer_before = producer(&url, &[]);
    send_votes(&producer_before, &url, 0, 0..20);
    flush(&producer_before);
    let log = open(&url);
    let mut reader = log.partition(PartitionId(0), Offset(0)).unwrap();
    assert!(read_on(&log, &mut reader, 20).unwrap().votes == votes(0..20));
    let deleted = wait_for(admin(&url).delete_topics(&[&url.topic], &AdminOptions::new())).unwrap();
    assert!(deleted.iter().all(Result::is_ok), "{deleted:?}");
    until("the trouble is told", || {
        assert!(reader.next_batch().unwrap().is_none(), "deleted may be a passing state");
        log.wait_past(&[Offset(20)], Duration::from_millis(100)).unwrap();
        log.trouble().is_some_and(|trouble| trouble.contains(&url.topic))
    });
    create(&url, NewTopic::new(&url.topic, 1, TopicReplication::Fixed(1)), &[]);
    let producer_after = producer(&url, &[]);
    send_votes(&producer_after, &url, 0, 0..40);
    flush(&producer_after);
    let error = read_to_error(&log, &mut reader);
    assert!(matches!(error, LogError::TopicRecreated { .. }), "{error}");
    assert!(!error.is_transient());
    let mut another = log.partition(PartitionId(0), Offset(0)).unwrap();
    assert!(another.next_batch().is_err());
    assert!(log.refresh_ends().is_err(), "questions are not answered from the new topic either");
    assert_ne!(open(&url).log_id(), log.log_id());
}

#[test]
fn more_partitions_are_refused() {
    let url = topic("grown", 2, &[]);
    let log = open(&url);
    let mut reader = log.partition(PartitionId(0), Offset(0)).unwrap();
    let more =
        wait_for(admin(&url).create_partitions(&[NewPartitions::new(&url.topic, 3)], &AdminOptions::new()));
    assert!(more.unwrap().iter().all(Result::is_ok));
    // Found at the next look at the metadata, which any question brings when it fails and which comes every minute.
    let error = read_to_error(&log, &mut reader);
    assert!(matches!(error, LogError::Repartitioned { was: 2, now: 3, .. }), "{error}");
}

#[test]
fn a_beginning_that_is_gone_is_named() {
    let url = topic("beheaded", 1, &[]);
    let producer = producer(&url, &[]);
    for from in (0..100).step_by(10) {
        send_votes(&producer, &url, 0, from..from + 10);
        flush(&producer);
    }
    let mut before = TopicPartitionList::new();
    before.add_partition_offset(&url.topic, 0, rdkafka::Offset::Offset(35)).unwrap();
    wait_for(admin(&url).delete_records(&before, &AdminOptions::new())).unwrap();
    let log = open(&url);
    assert_eq!(log.start_offsets().unwrap(), [Offset(35)]);
    let mut reader = log.partition(PartitionId(0), Offset(12)).unwrap();
    let error = read_to_error(&log, &mut reader);
    let expect = matches!(error, LogError::BeforeStart { wanted: Offset(12), start: Offset(35), .. });
    assert!(expect, "{error}");
    let mut reader = log.partition(PartitionId(0), Offset(35)).unwrap();
    assert!(read_on(&log, &mut reader, 100).unwrap().votes == votes(35..100));
}
