//! Topics of every kind, and what is said of each.

use super::*;
use votestream_election::{LogId, Offset, PartitionId};
use votestream_log::{BrokerFacts, PartitionFacts, PartitionOffsets};

fn facts(brokers: i32, copies: i32, config: TopicConfig) -> KafkaFacts {
    let offsets = PartitionOffsets { start: Offset(0), stable: Offset(9), high_watermark: Offset(9) };
    KafkaFacts {
        topic_id: LogId(1),
        brokers: (1..=brokers)
            .map(|node| BrokerFacts {
                node,
                place: format!("b{node}:9092"),
                round_trip: Ok(Duration::from_millis(2)),
            })
            .collect(),
        partitions: (0..2)
            .map(|p| PartitionFacts {
                partition: PartitionId(p),
                leader: Some(1),
                replicas: (1..=copies).collect(),
                in_sync: (1..=copies).collect(),
                offsets: Some(offsets),
            })
            .collect(),
        config: Ok(config),
        offsets_trouble: None,
        round_trip: Duration::from_millis(3),
    }
}

fn kept_for_ever(least: u32) -> TopicConfig {
    TopicConfig {
        cleanup_policy: "delete".to_owned(),
        retention_ms: None,
        retention_bytes: None,
        min_insync_replicas: Some(least),
    }
}

fn said(url: &str, facts: &KafkaFacts) -> String {
    let votestream_log::LogUrl::Kafka(url) = url.parse().unwrap() else { unreachable!("a Kafka URL") };
    let mut lines = Lines::default();
    judge(&url, facts, &mut lines);
    lines.text()
}

fn check(facts: &KafkaFacts, expect: &[&str]) {
    let said = said("kafka://b1:9092/votes", facts);
    for words in expect {
        assert!(said.contains(words), "{words:?} not in:\n{said}");
    }
}

#[test]
fn a_topic_as_it_should_be_has_no_fault() {
    let said = said("kafka://b1:9092/votes", &facts(3, 3, kept_for_ever(2)));
    assert!(!said.contains('✗'), "{said}");
    assert!(
        said.contains("broker 3 at b3:9092 answers in 2 ms") && said.contains("keeps records for ever"),
        "{said}"
    );
}

#[test]
fn replication_and_what_acknowledged_means() {
    check(
        &facts(1, 1, kept_for_ever(1)),
        &["✓ topic 'votes': replication 1 on 1 broker", "trying things out"],
    );
    check(&facts(3, 1, kept_for_ever(1)), &["✗ topic 'votes': replication 1 on 3 brokers", "--create-topic"]);
    check(&facts(3, 3, kept_for_ever(1)), &["✗ topic 'votes': replication 3", "min.insync.replicas=2"]);
    check(&facts(3, 3, kept_for_ever(3)), &["stops as soon as one broker is away"]);
    check(&facts(3, 2, kept_for_ever(3)), &["nothing can be written with acks=all"]);
}

#[test]
fn topics_that_forget() {
    let week = TopicConfig { retention_ms: Some(7 * 86_400_000), ..kept_for_ever(2) };
    check(
        &facts(3, 3, week),
        &["✗ topic 'votes' deletes records after 7.0 days", "--add-config retention.ms=-1"],
    );
    let year = TopicConfig { retention_ms: Some(365 * 86_400_000), ..kept_for_ever(2) };
    check(&facts(3, 3, year), &["✓ topic 'votes' keeps records for 365 days"]);
    let small = TopicConfig { retention_bytes: Some(1 << 30), ..kept_for_ever(2) };
    check(
        &facts(3, 3, small),
        &["✗ topic 'votes' deletes the oldest records of a partition above 1,024 MiB"],
    );
    let compacted = TopicConfig { cleanup_policy: "compact,delete".to_owned(), ..kept_for_ever(2) };
    check(&facts(3, 3, compacted), &["✗ topic 'votes' is compacted", "cleanup.policy=delete"]);
}

#[test]
fn partitions_in_trouble() {
    let mut sick = facts(3, 3, kept_for_ever(2));
    sick.partitions[0].leader = None;
    sick.partitions[1].in_sync.pop();
    sick.partitions[1].offsets =
        Some(PartitionOffsets { start: Offset(5), stable: Offset(7), high_watermark: Offset(9) });
    check(
        &sick,
        &[
            "✗ topic 'votes': partition 0 has no leader",
            "✗ topic 'votes': partition 1 is not in sync",
            "✗ the beginning of topic 'votes' is gone: partition 1 starts at 5",
            "✓ 2 offsets of topic 'votes' belong to transactions",
        ],
    );
}

#[test]
fn brokers_and_rights_that_are_missing() {
    let mut sick = facts(2, 2, kept_for_ever(1));
    let away = LogError::Unreachable {
        place: "b2:9092".to_owned(),
        what: "connection refused".to_owned(),
        next: "is it running?",
    };
    sick.brokers[1].round_trip = Err(away);
    sick.config = Err(LogError::Refused {
        place: "b1:9092".to_owned(),
        what: "no right to DescribeConfigs".to_owned(),
        next: "grant it",
    });
    check(
        &sick,
        &[
            "✗ broker 2 at b2:9092: cannot reach",
            "→ is it running?",
            "✗ the settings of topic 'votes' are not told",
            "→ grant it",
        ],
    );
}

#[test]
fn passwords_on_the_way() {
    let well = facts(1, 1, kept_for_ever(1));
    let said_of = |url: &str| said(url, &well);
    assert!(
        said_of("kafka://db.example:9092/t?sasl=plain&user=a").contains("✗ connected to db.example:9092")
    );
    assert!(said_of("kafka://127.0.0.1:9092/t?sasl=plain&user=a").contains("✓ connected to 127.0.0.1:9092"));
    assert!(
        said_of("kafka://db.example:9093/t?sasl=plain&user=a&tls=true")
            .contains("encrypted, signed in with PLAIN")
    );
}
