//! What is asked of a cluster beside reading and writing: a topic made, a topic described. What follows from the answers is left to
//! the callers.

use super::backoff::Backoff;
use super::client::{self, Client};
use super::config::{Config, REQUEST_TIMEOUT};
use super::connection::Connection;
use super::error;
use super::offsets::OffsetSpec;
use crate::error::LogError;
use crate::kafka_url::KafkaUrl;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::{
    ApiVersionsRequest, CreateTopicsRequest, DescribeConfigsRequest, MetadataRequest,
};
use kafka_protocol::protocol::StrBytes;
use std::time::{Duration, Instant};
use votestream_election::{LogId, Offset, PartitionId};

/// Longest wait until a new topic's partitions have leaders.
const LEADERS_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for offsets of a topic that is described.
const DESCRIBE_TIMEOUT: Duration = Duration::from_secs(5);
const TOPIC_ALREADY_EXISTS: i16 = 36;
const INVALID_PARTITIONS: i16 = 37;
const INVALID_REPLICATION_FACTOR: i16 = 38;
const POLICY_VIOLATION: i16 = 44;
/// DescribeConfigs' number of topics.
const RESOURCE_TOPIC: i8 = 2;

/// A topic and its cluster, as they were when asked.
#[derive(Clone, Debug)]
pub struct KafkaFacts {
    /// The topic's id; 0 where the brokers know none (before Kafka 2.8).
    pub topic_id: LogId,
    /// The brokers that the cluster names, by number.
    pub brokers: Vec<BrokerFacts>,
    /// The topic's partitions, in order.
    pub partitions: Vec<PartitionFacts>,
    /// How the topic is kept, or why that is not told (it takes the right to describe configurations).
    pub config: Result<TopicConfig, LogError>,
    /// Why the partitions' offsets are not known, where they are not.
    pub offsets_trouble: Option<LogError>,
    /// How long a request and its answer take.
    pub round_trip: Duration,
}

/// A broker of the cluster.
#[derive(Clone, Debug)]
pub struct BrokerFacts {
    /// Its number.
    pub node: i32,
    /// Where the cluster says it is: `host:port`.
    pub place: String,
    /// How long a request and its answer take, or why it cannot be reached from here.
    pub round_trip: Result<Duration, LogError>,
}

/// A partition of the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionFacts {
    /// Its number.
    pub partition: PartitionId,
    /// The number of the broker that leads it, if any does.
    pub leader: Option<i32>,
    /// The numbers of the brokers that hold it.
    pub replicas: Vec<i32>,
    /// Those of them that are up to date.
    pub in_sync: Vec<i32>,
    /// Where it starts and ends, where known.
    pub offsets: Option<PartitionOffsets>,
}

/// Where a partition starts and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionOffsets {
    /// The first record's offset.
    pub start: Offset,
    /// The end of what readers of committed records may see.
    pub stable: Offset,
    /// The end of what is replicated: above `stable` by what open transactions hold back.
    pub high_watermark: Offset,
}

/// How a topic is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicConfig {
    /// `cleanup.policy`: `delete`, `compact` or both.
    pub cleanup_policy: String,
    /// `retention.ms`; `None`: for ever.
    pub retention_ms: Option<u64>,
    /// `retention.bytes` of each partition; `None`: any.
    pub retention_bytes: Option<u64>,
    /// `min.insync.replicas`: how many must have a record before it is acknowledged.
    pub min_insync_replicas: Option<u32>,
}

impl TopicConfig {
    /// Whether older records of a key may be removed: no log to count from.
    pub fn compacts(&self) -> bool {
        self.cleanup_policy.split(',').any(|policy| policy.trim() == "compact")
    }
}

/// Makes the topic and waits until its partitions have leaders. `Ok(false)`: there was one with as many partitions.
///
/// # Errors
/// [`LogError::Repartitioned`] when there is one with another partition count; what the cluster says, or that it cannot be reached.
pub fn create_topic(url: &KafkaUrl, partitions: u32, replication: i16) -> Result<bool, LogError> {
    let created = match await_leaders(url, Duration::ZERO) {
        Err(LogError::NoSuchTopic { .. }) => create(url, partitions, replication)?,
        found => {
            found?;
            false
        }
    };
    let client = await_leaders(url, LEADERS_TIMEOUT)?;
    if client.partitions() == partitions {
        return Ok(created);
    }
    Err(LogError::Repartitioned { topic: url.topic.clone(), was: partitions, now: client.partitions() })
}

/// Asks the cluster about the topic and about its own brokers.
///
/// # Errors
/// [`LogError::NoSuchTopic`]; that no broker can be reached, or that they refuse us.
pub fn describe(url: &KafkaUrl) -> Result<KafkaFacts, LogError> {
    let mut client = Client::connect(url)?;
    let asked = Instant::now();
    client.refresh()?;
    let round_trip = asked.elapsed();
    let config = topic_config(&mut client);
    let (offsets, offsets_trouble) = match all_offsets(&mut client) {
        Ok(offsets) => (offsets, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let partitions = (0..client.partitions()).map(PartitionId).map(|partition| {
        let ids = |nodes: &[super::NodeId]| nodes.iter().map(|node| node.0).collect();
        let meta = client.partition(partition);
        PartitionFacts {
            partition,
            leader: client.leader(partition).map(|leader| leader.node.0),
            replicas: meta.map_or_else(Vec::new, |meta| ids(&meta.replicas)),
            in_sync: meta.map_or_else(Vec::new, |meta| ids(&meta.in_sync)),
            offsets: offsets.get(partition.0 as usize).copied(),
        }
    });
    let partitions = partitions.collect();
    let brokers = client.nodes().into_iter().map(|node| BrokerFacts {
        node: node.0,
        place: client.place(node).unwrap_or_default(),
        round_trip: client.connect_node(node).and_then(|mut connection| round_trip_of(&mut connection)),
    });
    let brokers = brokers.collect();
    Ok(KafkaFacts { topic_id: client.log_id(), brokers, partitions, config, offsets_trouble, round_trip })
}

/// How the client's topic is kept.
///
/// # Errors
/// [`LogError::Refused`] without the right to describe configurations; transient ones.
pub(crate) fn topic_config(client: &mut Client) -> Result<TopicConfig, LogError> {
    let mut connection = client.connect_any()?;
    let resource = DescribeConfigsResource::default()
        .with_resource_type(RESOURCE_TOPIC)
        .with_resource_name(StrBytes::from_string(client.topic().to_owned()))
        .with_configuration_keys(None);
    let answer = connection.call(&DescribeConfigsRequest::default().with_resources(vec![resource]))?;
    let Some(told) = answer.results.into_iter().next() else {
        let what = "a configuration without the topic that was asked for".to_owned();
        return Err(LogError::Garbled { place: connection.place().to_owned(), what });
    };
    if told.error_code != 0 {
        let message = told.error_message.as_deref();
        return Err(error::refused(connection.place(), "DescribeConfigs", told.error_code, message));
    }
    let value = |name: &str| {
        let found = told.configs.iter().find(|config| &*config.name == name);
        found.and_then(|config| config.value.as_deref()).unwrap_or_default()
    };
    Ok(TopicConfig {
        cleanup_policy: value("cleanup.policy").to_owned(),
        retention_ms: value("retention.ms").parse().ok(),
        retention_bytes: value("retention.bytes").parse().ok(),
        min_insync_replicas: value("min.insync.replicas").parse().ok(),
    })
}

fn all_offsets(client: &mut Client) -> Result<Vec<PartitionOffsets>, LogError> {
    let mut ask = |spec| client.persist(DESCRIBE_TIMEOUT, |client| client.offsets(spec));
    let (starts, stables) = (ask(OffsetSpec::Earliest)?, ask(OffsetSpec::LastStable)?);
    let ends = ask(OffsetSpec::HighWatermark)?;
    let all = starts.into_iter().zip(stables).zip(ends);
    Ok(all
        .map(|((start, stable), high_watermark)| PartitionOffsets { start, stable, high_watermark })
        .collect())
}

fn round_trip_of(connection: &mut Connection) -> Result<Duration, LogError> {
    let name = StrBytes::from_static_str(super::config::CLIENT_ID);
    let request = ApiVersionsRequest::default()
        .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")))
        .with_client_software_name(name);
    let asked = Instant::now();
    connection.call(&request)?;
    Ok(asked.elapsed())
}

/// Connects to the topic; tries for `patience` while it is not there, or a partition of it has no leader.
fn await_leaders(url: &KafkaUrl, patience: Duration) -> Result<Client, LogError> {
    let deadline = Instant::now() + patience;
    let mut backoff = Backoff::new();
    loop {
        let found = Client::connect(url);
        let again = match &found {
            Ok(client) => client.leaders().iter().any(|(_, leader)| leader.is_none()),
            Err(LogError::NoSuchTopic { .. }) => true,
            Err(error) => error.is_transient(),
        };
        let wait = backoff.next_wait();
        if !again || Instant::now() + wait >= deadline {
            return found;
        }
        std::thread::sleep(wait);
    }
}

/// Has the topic made; `false` when somebody else was faster.
fn create(url: &KafkaUrl, partitions: u32, replication: i16) -> Result<bool, LogError> {
    let topic = CreatableTopic::default()
        .with_name(client::topic_name(&url.topic))
        .with_num_partitions(i32::try_from(partitions).unwrap_or(i32::MAX))
        .with_replication_factor(replication)
        .with_configs(KEPT.iter().map(|(name, value)| kept(name, value)).collect());
    let request = CreateTopicsRequest::default()
        .with_topics(vec![topic])
        .with_timeout_ms(REQUEST_TIMEOUT.as_millis() as i32 / 2);
    let config = Config::read(url)?;
    let deadline = Instant::now() + LEADERS_TIMEOUT;
    let mut backoff = Backoff::new();
    loop {
        let made = controller(&config, url).and_then(|mut connection| {
            let answer = connection.call(&request)?;
            let told = answer.topics.into_iter().next();
            let (code, message) = told.map_or((-1, None), |told| (told.error_code, told.error_message));
            created(&connection, code, message.as_deref(), partitions, replication)
        });
        let wait = backoff.next_wait();
        match made {
            Err(error) if error.is_transient() && Instant::now() + wait < deadline => {}
            made => return made,
        }
        std::thread::sleep(wait);
    }
}

/// Votes are kept: a cluster's usual seven days, counted from the records' own times, would delete those of a past night at once.
const KEPT: [(&str, &str); 2] = [("retention.ms", "-1"), ("retention.bytes", "-1")];

fn kept(name: &'static str, value: &'static str) -> CreatableTopicConfig {
    CreatableTopicConfig::default()
        .with_name(StrBytes::from_static_str(name))
        .with_value(Some(StrBytes::from_static_str(value)))
}

/// What CreateTopics' answer means.
fn created(
    connection: &Connection,
    code: i16,
    message: Option<&str>,
    partitions: u32,
    replication: i16,
) -> Result<bool, LogError> {
    let refused = |next| LogError::Refused {
        place: connection.place().to_owned(),
        what: format!(
            "it does not create a topic with partitions={partitions},replication={replication}{}",
            message.map_or(String::new(), |message| format!(" ({message})"))
        ),
        next,
    };
    match code {
        0 => Ok(true),
        TOPIC_ALREADY_EXISTS => Ok(false),
        INVALID_REPLICATION_FACTOR => Err(refused("replication can be at most the number of brokers")),
        INVALID_PARTITIONS => Err(refused("name 1 partition or more")),
        POLICY_VIOLATION => Err(refused("the cluster's policy forbids it; ask who runs it")),
        code => Err(error::refused(connection.place(), "CreateTopics", code, message)),
    }
}

/// A connection to the broker that the cluster's administration goes to.
fn controller(config: &std::sync::Arc<Config>, url: &KafkaUrl) -> Result<Connection, LogError> {
    let request = MetadataRequest::default().with_topics(Some(Vec::new()));
    let (connection, answer) =
        client::bootstrap(config, &url.brokers, |connection| connection.call(&request))?;
    let found = answer.brokers.iter().find(|broker| broker.node_id == answer.controller_id);
    let Some(broker) = found else { return Ok(connection) };
    Connection::open(&client::place(&broker.host, broker.port), config)
}
