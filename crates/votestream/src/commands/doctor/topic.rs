//! What a Kafka topic's facts say: who answers, how it is replicated, and whether its votes will stay. Asking is left to the log crate.

use super::lines::{Lines, many};
use crate::progress::grouped;
use std::time::Duration;
use votestream_log::{KafkaFacts, KafkaUrl, LogError, SaslMechanism, TopicConfig};

/// A topic that forgets sooner than this is a fault: counts are to be proved by recounts, and workers may be away for a while.
const RETENTION_MIN: Duration = Duration::from_secs(90 * 24 * 3_600);

/// What is well and what is not about a topic that was reached.
pub(super) fn judge(url: &KafkaUrl, facts: &KafkaFacts, lines: &mut Lines) {
    connection(url, facts.round_trip, lines);
    brokers(facts, lines);
    partitions(url, facts, lines);
    match &facts.config {
        Ok(config) => {
            replication(url, facts, config, lines);
            kept(url, config, lines);
        }
        Err(error) => lines.failure(
            &format!("the settings of topic '{}' are not told", url.topic),
            error,
            "grant DescribeConfigs on the topic; without it nobody knows whether its votes are deleted",
        ),
    }
    offsets(url, facts, lines);
}

/// Why a topic was not reached, by its kind.
pub(super) fn unreached(url: &KafkaUrl, error: &LogError, lines: &mut Lines) {
    let otherwise = "check host and port: the brokers must be reachable from here under the names in their advertised.listeners";
    lines.failure(&format!("log {}", url.place()), error, otherwise);
}

fn connection(url: &KafkaUrl, round_trip: Duration, lines: &mut Lines) {
    let options = &url.options;
    let loopback = url.brokers.iter().all(|broker| {
        let host = broker.rsplit_once(':').map_or(broker.as_str(), |(host, _)| host);
        host == "localhost" || host.starts_with("127.") || host == "[::1]"
    });
    let login = match options.sasl {
        Some(mechanism) => format!("signed in with {}", mechanism.kafka_name()),
        None if options.cert.is_some() => "signed in with a certificate".to_owned(),
        None => "nobody signed in".to_owned(),
    };
    let what = format!(
        "connected to {} in {} ms, {}, {login}",
        url.broker_list(),
        round_trip.as_millis().max(1),
        if options.tls { "encrypted" } else { "not encrypted" }
    );
    if options.sasl == Some(SaslMechanism::Plain) && !options.tls && !loopback {
        lines.fault(
            format!("{what}: the password can be read on the way"),
            "add tls=true to the URL and name the brokers' TLS port, or use sasl=scram-sha-512",
        );
    } else {
        lines.well(what);
    }
}

fn brokers(facts: &KafkaFacts, lines: &mut Lines) {
    for broker in &facts.brokers {
        match &broker.round_trip {
            Ok(time) => lines.well(format!(
                "broker {} at {} answers in {} ms",
                broker.node,
                broker.place,
                time.as_millis().max(1)
            )),
            Err(error) => lines.failure(
                &format!("broker {} at {}", broker.node, broker.place),
                error,
                "the cluster names this address (advertised.listeners): it must resolve and be reachable from here",
            ),
        }
    }
}

fn partitions(url: &KafkaUrl, facts: &KafkaFacts, lines: &mut Lines) {
    let listed = |ids: Vec<String>| ids.join(", ");
    let leaderless: Vec<String> =
        facts.partitions.iter().filter(|p| p.leader.is_none()).map(|p| p.partition.to_string()).collect();
    let behind: Vec<String> = facts
        .partitions
        .iter()
        .filter(|p| p.leader.is_some() && p.in_sync.len() < p.replicas.len())
        .map(|p| p.partition.to_string())
        .collect();
    if !leaderless.is_empty() {
        lines.fault(
            format!("topic '{}': partition {} has no leader", url.topic, listed(leaderless)),
            "start the brokers that hold it; until then nothing of it can be read or written",
        );
    }
    if !behind.is_empty() {
        lines.fault(
            format!(
                "topic '{}': partition {} is not in sync on all of its brokers",
                url.topic,
                listed(behind)
            ),
            "start the brokers that are away, or wait until they have caught up",
        );
    }
    lines.well(format!(
        "topic '{}' has {}: at most as many workers are busy at once",
        url.topic,
        many(facts.partitions.len() as u64, "partition")
    ));
}

fn replication(url: &KafkaUrl, facts: &KafkaFacts, config: &TopicConfig, lines: &mut Lines) {
    let copies = facts.partitions.iter().map(|p| p.replicas.len()).min().unwrap_or(0);
    let brokers = facts.brokers.len();
    let least = config.min_insync_replicas.unwrap_or(1) as usize;
    let what = format!(
        "topic '{}': replication {copies} on {}, min.insync.replicas {least}",
        url.topic,
        many(brokers as u64, "broker")
    );
    let alter = |setting: &str| {
        format!(
            "kafka-configs.sh --bootstrap-server {} --alter --entity-type topics --entity-name {} --add-config {setting}",
            url.broker_list(),
            url.topic
        )
    };
    match (copies, brokers, least) {
        (1, 0..=1, _) => lines.well(format!("{what}: fit for trying things out, a lost disk is a lost vote")),
        (1, ..) => lines.fault(
            format!("{what}: each vote is on one broker only"),
            "raise it to 3 with kafka-reassign-partitions.sh, or make the topic anew with --create-topic partitions=N,replication=3",
        ),
        (_, _, least) if least > copies => lines.fault(
            format!("{what}: nothing can be written with acks=all"),
            alter(&format!("min.insync.replicas={}", copies.saturating_sub(1).max(1))),
        ),
        (_, _, least) if least == copies => lines.fault(
            format!("{what}: producing stops as soon as one broker is away"),
            alter(&format!("min.insync.replicas={}", copies.saturating_sub(1).max(1))),
        ),
        (3.., _, 1) => lines.fault(
            format!("{what}: an acknowledged vote may be on one broker only"),
            alter("min.insync.replicas=2"),
        ),
        _ => lines.well(what),
    }
}

/// Whether votes stay until somebody deletes them.
fn kept(url: &KafkaUrl, config: &TopicConfig, lines: &mut Lines) {
    let alter = |setting: &str| {
        format!(
            "kafka-configs.sh --bootstrap-server {} --alter --entity-type topics --entity-name {} --add-config {setting}",
            url.broker_list(),
            url.topic
        )
    };
    if config.compacts() {
        lines.fault(
            format!(
                "topic '{}' is compacted (cleanup.policy={}): older records of a key vanish, so counts cannot be proved",
                url.topic, config.cleanup_policy
            ),
            format!("{}; what is gone already stays gone: `count` then asks for --from-log-start", alter("cleanup.policy=delete")),
        );
    }
    let days = |ms: u64| ms as f64 / 86_400_000.0;
    match config.retention_ms {
        Some(ms) if Duration::from_millis(ms) < RETENTION_MIN => lines.fault(
            format!(
                "topic '{}' deletes records after {:.1} days (retention.ms={ms}): votes that are not counted by then are lost, and no recount can prove the others",
                url.topic,
                days(ms)
            ),
            alter("retention.ms=-1"),
        ),
        Some(ms) => lines.well(format!("topic '{}' keeps records for {:.0} days", url.topic, days(ms))),
        None => lines.well(format!("topic '{}' keeps records for ever", url.topic)),
    }
    if let Some(bytes) = config.retention_bytes {
        lines.fault(
            format!(
                "topic '{}' deletes the oldest records of a partition above {} MiB (retention.bytes={bytes})",
                url.topic,
                grouped(bytes >> 20)
            ),
            alter("retention.bytes=-1"),
        );
    }
}

fn offsets(url: &KafkaUrl, facts: &KafkaFacts, lines: &mut Lines) {
    if let Some(trouble) = &facts.offsets_trouble {
        lines.failure(
            &format!("where topic '{}' starts and ends is not told", url.topic),
            trouble,
            "grant Describe and Read on the topic",
        );
    }
    let known = || facts.partitions.iter().filter_map(|p| p.offsets.map(|offsets| (p.partition, offsets)));
    let gone: Vec<String> = known()
        .filter(|(_, offsets)| offsets.start.0 > 0)
        .map(|(partition, offsets)| format!("{partition} starts at {}", offsets.start))
        .collect();
    if !gone.is_empty() {
        lines.fault(
            format!("the beginning of topic '{}' is gone: partition {}", url.topic, gone.join(", ")),
            "records were deleted; an election begun before goes on where it is, a new one needs `count --from-log-start`",
        );
    }
    let held: u64 = known().map(|(_, o)| o.high_watermark.0.saturating_sub(o.stable.0)).sum();
    if held > 0 {
        lines.well(format!(
            "{} of topic '{}' belong to transactions that are still open: they are counted once their producer commits",
            many(held, "offset"),
            url.topic
        ));
    }
}

#[cfg(test)]
#[path = "topic_tests.rs"]
mod tests;
