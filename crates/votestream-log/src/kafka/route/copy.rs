//! The copy's topic: made as its source is, kept for good, and refused where it cannot be the log of record.

use super::RouteOptions;
use crate::error::LogError;
use crate::kafka::client::Client;
use crate::kafka::cluster::Cluster;
use crate::kafka::librdkafka;
use crate::kafka_url::KafkaUrl;
use crate::reader::LogReader;
use std::time::{Duration, Instant};
use votestream_election::{LogId, PartitionId};

/// What the copy's name has beyond its source's.
pub const COPY_SUFFIX: &str = ".by-voter";
/// How long the copy's creation may take.
const CREATION_TIMEOUT: Duration = Duration::from_secs(30);
/// How the copy is kept: whole, and with its records' own times, however old or new those are.
const PROPERTIES: [(&str, &str); 7] = [
    ("cleanup.policy", "delete"),
    ("retention.ms", "-1"),
    ("retention.bytes", "-1"),
    ("compression.type", "producer"),
    ("message.timestamp.type", "CreateTime"),
    ("message.timestamp.before.max.ms", "9223372036854775807"),
    ("message.timestamp.after.max.ms", "9223372036854775807"),
];

/// The copy, found or made.
pub(super) struct Copy {
    pub(super) url: KafkaUrl,
    /// Positions are committed with it, so that those of a copy that was deleted since say nothing.
    pub(super) id: LogId,
    pub(super) partitions: u32,
    /// Its brokers.
    pub(super) cluster: Cluster,
}

/// Where the copy of the topic at `url` is.
pub fn copy_of(url: &KafkaUrl) -> KafkaUrl {
    url.with_topic(format!("{}{COPY_SUFFIX}", url.topic))
}

/// Creates the copy's topic, with its source's partition count and replication, unless it is there. Answers where it is.
///
/// # Errors
/// No such source; brokers that do not answer; refused; a copy with another partition count; a source that is compacted or has lost its
/// first records, unless `options` takes it so.
pub fn create_copy(url: &KafkaUrl, options: RouteOptions) -> Result<KafkaUrl, LogError> {
    let source = LogReader::open_url(&crate::url::LogUrl::Kafka(url.clone()))?;
    Copy::open(url, &source, options).map(|copy| copy.url)
}

impl Copy {
    pub(super) fn open(url: &KafkaUrl, source: &LogReader, options: RouteOptions) -> Result<Self, LogError> {
        let copy = copy_of(url);
        let unfit = |what: String, next| LogError::Unfit { place: url.place(), what, next };
        if url.topic.ends_with(COPY_SUFFIX) {
            let what = format!("topic \"{}\" is a routed copy already", url.topic);
            return Err(unfit(what, "count it without --route"));
        }
        let there = connect(&copy);
        if !options.from_log_start {
            if source.cleanup_compacts()? {
                let what = "the topic is compacted: votes may be gone from it".to_owned();
                return Err(unfit(what, "route it as it is with --from-log-start"));
            }
            let begun = there.is_ok();
            let starts = source.start_offsets()?;
            if let Some(start) = starts.iter().find(|start| start.0 > 0)
                && !begun
            {
                let what =
                    format!("the topic's first records are gone: a partition starts at offset {start}");
                return Err(unfit(what, "route what is left with --from-log-start"));
            }
        }
        let client = match there {
            Err(LogError::NoSuchTopic { .. }) => {
                let replicas =
                    Client::connect(url)?.partition(PartitionId(0)).map(|found| found.replicas.len());
                let replication = replicas.and_then(|count| i32::try_from(count).ok());
                librdkafka::create_topic(
                    &copy,
                    source.partitions(),
                    replication,
                    &PROPERTIES,
                    CREATION_TIMEOUT,
                )?;
                connect_made(&copy)?
            }
            other => other?,
        };
        let (was, now) = (source.partitions(), client.partitions());
        if was != now {
            return Err(LogError::Repartitioned { topic: copy.topic, was, now });
        }
        Ok(Self { url: copy, id: client.log_id(), partitions: now, cluster: Cluster::new(client) })
    }
}

fn connect(url: &KafkaUrl) -> Result<Client, LogError> {
    Client::connect(url)
}

/// A topic that was just made is not known to every broker at once.
fn connect_made(url: &KafkaUrl) -> Result<Client, LogError> {
    const PATIENCE: Duration = Duration::from_secs(10);
    const PAUSE: Duration = Duration::from_millis(100);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let connected = connect(url);
        let again = match &connected {
            Err(LogError::NoSuchTopic { .. }) => true,
            Err(error) => error.is_transient(),
            Ok(_) => false,
        };
        if !again || Instant::now() >= deadline {
            return connected;
        }
        std::thread::sleep(PAUSE);
    }
}
