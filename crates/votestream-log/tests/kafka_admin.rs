//! Topics made and described on a real broker: what exists, what is refused, and what is said.

#[path = "kafka_common/names.rs"]
mod names;

use names::{broker, unique};
use votestream_log::{KafkaUrl, LogError, create_topic, describe};

/// A topic that no other test and no other run has.
fn topic(name: &str) -> KafkaUrl {
    KafkaUrl::new([broker()], unique(name))
}

#[test]
fn a_topic_is_made_once_and_described() {
    let url = topic("made-once");
    assert!(create_topic(&url, 3, 1).unwrap());
    assert!(!create_topic(&url, 3, 1).unwrap(), "it is there already");
    let error = create_topic(&url, 4, 1).unwrap_err();
    assert!(matches!(error, LogError::Repartitioned { was: 4, now: 3, .. }), "{error}");
    assert!(error.to_string().contains("has 3 partitions, not 4"), "{error}");

    let facts = describe(&url).unwrap();
    assert_ne!(facts.topic_id.0, 0);
    assert_eq!(facts.partitions.len(), 3);
    assert!(facts.offsets_trouble.is_none(), "{:?}", facts.offsets_trouble);
    for partition in &facts.partitions {
        assert_eq!(partition.leader.map(|leader| vec![leader]).as_ref(), Some(&partition.in_sync));
        assert_eq!(partition.replicas, partition.in_sync);
        let offsets = partition.offsets.unwrap();
        assert_eq!((offsets.start.0, offsets.stable.0, offsets.high_watermark.0), (0, 0, 0));
    }
    let config = facts.config.unwrap();
    assert_eq!(config.cleanup_policy, "delete");
    assert!(!config.compacts());
    assert_eq!(config.retention_bytes, None);
    assert_eq!(config.min_insync_replicas, Some(1));
    assert!(facts.brokers.iter().all(|broker| broker.round_trip.is_ok()), "{:?}", facts.brokers);
}

#[test]
fn a_missing_topic_is_named_and_not_made_by_asking() {
    let url = topic("missing");
    for _ in 0..2 {
        let error = describe(&url).unwrap_err();
        assert!(matches!(error, LogError::NoSuchTopic { .. }), "{error}");
        assert!(error.to_string().contains(&url.topic), "{error}");
    }
}

#[test]
fn more_replicas_than_brokers_are_refused_with_a_sentence() {
    let url = topic("replicas");
    let error = create_topic(&url, 1, 99).unwrap_err();
    assert!(!error.is_transient());
    assert!(error.to_string().contains("at most the number of brokers"), "{error}");
}

#[test]
fn the_second_broker_is_asked_where_the_first_is_away() {
    let mut url = topic("second");
    create_topic(&url, 1, 1).unwrap();
    url.brokers.insert(0, "127.0.0.1:1".to_owned());
    assert_eq!(describe(&url).unwrap().partitions.len(), 1);
}
