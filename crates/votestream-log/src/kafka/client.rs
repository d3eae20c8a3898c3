//! One topic as its cluster knows it: its id, who leads each partition, where the brokers are. Kept until it is refreshed.
//!
//! When to refresh, and what to send to a leader, is left to the callers.

use super::NodeId;
use super::backoff::Backoff;
use super::config::{CONNECT_TIMEOUT, Config};
use super::connection::Connection;
use super::error::{self, Sort};
use crate::error::LogError;
use crate::kafka_url::KafkaUrl;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{MetadataResponse, MetadataResponseTopic};
use kafka_protocol::messages::{FindCoordinatorRequest, MetadataRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;
use votestream_election::{LogId, PartitionId};

/// Kafka's code where a topic is not there.
const UNKNOWN_TOPIC: i16 = 3;

/// What is coordinated, by its number in FindCoordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A consumer group.
    Group = 0,
    /// A transactional id.
    Transaction = 1,
}

/// One topic of a cluster.
///
/// Signatures that the fetcher and the producer build on:
/// ```text
/// Client::connect(url: &KafkaUrl) -> Result<Client, LogError>     // asks the brokers in turn, once each
/// client.refresh(&mut self) -> Result<(), LogError>               // TopicRecreated, Repartitioned: fatal; else transient
/// client.topic() -> &str; topic_name() -> TopicName; topic_id() -> Uuid (nil before Kafka 2.8); log_id() -> LogId; partitions() -> u32
/// client.leader(PartitionId) -> Option<Leader { node: NodeId, epoch: i32 }>   // None: no leader at the moment
/// client.leaders() -> Vec<(PartitionId, Option<Leader>)>
/// client.nodes() -> Vec<NodeId>; client.place(NodeId) -> Option<String>       // "host:port"
/// client.connect_node(&self, NodeId) -> Result<Connection, LogError>
/// client.connect_any(&mut self) -> Result<Connection, LogError>   // a new connection to whichever broker answers
/// client.coordinator(&mut self, Role, id: &str) -> Result<NodeId, LogError>
/// client.config() -> &Arc<Config>    // with place(): Connection::open(&place, &config) without holding the client
/// ```
/// It is `Send`: put it in a mutex to share it.
pub(crate) struct Client {
    config: Arc<Config>,
    /// The URL's brokers.
    bootstrap: Vec<String>,
    topic: String,
    found: Found,
    /// For metadata and coordinators.
    connection: Option<Connection>,
    /// For offsets: kept, since some ask often.
    pub(super) links: HashMap<NodeId, Connection>,
}

/// Who leads a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leader {
    /// The broker.
    pub(crate) node: NodeId,
    /// The epoch of its leadership; −1 where the broker does not tell (before Kafka 2.1).
    pub(crate) epoch: i32,
}

/// A partition as the metadata tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartitionMeta {
    /// Who leads it, if anyone.
    pub(crate) leader: Option<Leader>,
    /// The nodes that hold it.
    pub(crate) replicas: Vec<NodeId>,
    /// Those of them that are up to date.
    pub(crate) in_sync: Vec<NodeId>,
}

/// What the metadata say.
#[derive(Clone, Debug)]
struct Found {
    id: Uuid,
    /// By number, from 0, without a gap.
    partitions: Vec<PartitionMeta>,
    places: HashMap<NodeId, String>,
}

impl Client {
    /// Asks the URL's brokers, in turn, for the topic.
    ///
    /// # Errors
    /// [`LogError::NoSuchTopic`]; what the last broker failed with, or, before that, a refusal.
    pub(crate) fn connect(url: &KafkaUrl) -> Result<Self, LogError> {
        let config = Config::read(url)?;
        let (connection, found) = bootstrap(&config, &url.brokers, |c| ask(c, &url.topic, &url.brokers))?;
        let (bootstrap, topic) = (url.brokers.clone(), url.topic.clone());
        Ok(Self { config, bootstrap, topic, found, connection: Some(connection), links: HashMap::new() })
    }

    /// Reads the metadata anew: leaders may have changed. What was known stays when it fails.
    ///
    /// # Errors
    /// [`LogError::TopicRecreated`] and [`LogError::Repartitioned`] say that it is not the topic that it was; others are transient
    /// unless the brokers refuse us. A topic that is gone is transient: it may be made anew, which then shows.
    pub(crate) fn refresh(&mut self) -> Result<(), LogError> {
        let mut places = self.all_places();
        let known = self.connection.take().and_then(|mut connection| {
            let found = ask(&mut connection, &self.topic, &self.bootstrap).ok();
            if found.is_none() {
                // It may only be silent: the others are asked first.
                places.sort_by_key(|place| place == connection.place());
            }
            Some((connection, found?))
        });
        let answered = match known {
            Some(answered) => Ok(answered),
            None => bootstrap(&self.config, &places, |c| ask(c, &self.topic, &self.bootstrap)),
        };
        let (connection, found) = answered.map_err(|error| match error {
            LogError::NoSuchTopic { brokers, .. } => {
                let place = format!("kafka://{brokers}/{}", self.topic);
                error::refused(&place, "Metadata", UNKNOWN_TOPIC, None)
            }
            error => error,
        })?;
        self.connection = Some(connection);
        if found.id != self.found.id {
            let (was, now) = (self.log_id(), LogId(found.id.as_u128()));
            return Err(LogError::TopicRecreated { topic: self.topic.clone(), was, now });
        }
        if found.partitions.len() != self.found.partitions.len() {
            let (was, now) = (self.partitions(), found.partitions.len() as u32);
            return Err(LogError::Repartitioned { topic: self.topic.clone(), was, now });
        }
        self.found = found;
        Ok(())
    }

    /// The topic's name.
    pub(crate) fn topic(&self) -> &str {
        &self.topic
    }

    /// The same, as messages hold it.
    pub(crate) fn topic_name(&self) -> TopicName {
        topic_name(&self.topic)
    }

    /// The topic's id, as messages hold it; nil where the brokers know none (before Kafka 2.8).
    pub(crate) fn topic_id(&self) -> Uuid {
        self.found.id
    }

    /// The topic's id.
    pub(crate) fn log_id(&self) -> LogId {
        LogId(self.found.id.as_u128())
    }

    /// How many partitions the topic has.
    pub(crate) fn partitions(&self) -> u32 {
        self.found.partitions.len() as u32
    }

    /// A partition as the metadata tell it; `None`: there is no such partition.
    pub(crate) fn partition(&self, partition: PartitionId) -> Option<&PartitionMeta> {
        self.found.partitions.get(partition.0 as usize)
    }

    /// Who leads `partition`; `None`: nobody at the moment, or there is no such partition.
    pub(crate) fn leader(&self, partition: PartitionId) -> Option<Leader> {
        self.partition(partition).and_then(|partition| partition.leader)
    }

    /// Every partition's leader, in order.
    pub(crate) fn leaders(&self) -> Vec<(PartitionId, Option<Leader>)> {
        (0..).map(PartitionId).zip(self.found.partitions.iter().map(|partition| partition.leader)).collect()
    }

    /// The brokers that the cluster names.
    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        let mut nodes: Vec<_> = self.found.places.keys().copied().collect();
        nodes.sort_unstable();
        nodes
    }

    /// Where a broker is, as `host:port`.
    pub(crate) fn place(&self, node: NodeId) -> Option<String> {
        self.found.places.get(&node).cloned()
    }

    /// How brokers are connected to.
    pub(crate) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// A new connection to `node`.
    ///
    /// # Errors
    /// As [`Connection::open`]; [`LogError::Unreachable`] too when the cluster does not name such a broker at the moment.
    pub(crate) fn connect_node(&self, node: NodeId) -> Result<Connection, LogError> {
        let Some(place) = self.found.places.get(&node) else {
            return Err(LogError::Unreachable {
                place: format!("broker {}", node.0),
                what: "the cluster does not list it at the moment".to_owned(),
                next: "is it up?",
            });
        };
        Connection::open(place, &self.config).map_err(|error| match error {
            LogError::Unreachable { place, what, .. } if !self.bootstrap.contains(&place) => LogError::Unreachable {
                place,
                what,
                next: "the cluster names this address (advertised.listeners); it must be reachable from here",
            },
            error => error,
        })
    }

    /// A new connection to whichever broker answers first.
    ///
    /// # Errors
    /// As [`Connection::open`], of the last broker asked.
    pub(crate) fn connect_any(&mut self) -> Result<Connection, LogError> {
        bootstrap(&self.config, &self.all_places(), |_| Ok(())).map(|(connection, ())| connection)
    }

    /// The broker that coordinates the group or transactional id `id`.
    ///
    /// # Errors
    /// A transient [`LogError::Kafka`] while there is none.
    pub(crate) fn coordinator(&mut self, role: Role, id: &str) -> Result<NodeId, LogError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect_any()?,
        };
        let key = StrBytes::from_string(id.to_owned());
        let version = connection.version::<FindCoordinatorRequest>()?;
        let mut request = FindCoordinatorRequest::default().with_key_type(role as i8);
        if version >= 4 {
            request.coordinator_keys = vec![key];
        } else {
            request.key = key;
        }
        let answer = connection.call_within(&request, CONNECT_TIMEOUT)?;
        let (code, node, host, port) = match answer.coordinators.into_iter().next() {
            Some(found) => (found.error_code, found.node_id, found.host, found.port),
            None => (answer.error_code, answer.node_id, answer.host, answer.port),
        };
        if code != 0 {
            return Err(error::refused(connection.place(), "FindCoordinator", code, None));
        }
        self.connection = Some(connection);
        let node = NodeId(node.0);
        self.found.places.insert(node, place(&host, port));
        Ok(node)
    }

    /// Does `what`; while that fails with something transient, waits, refreshes and does it again, for at most `patience`.
    ///
    /// # Errors
    /// What it failed with last, or at once where waiting does not help.
    pub(crate) fn persist<T>(
        &mut self,
        patience: Duration,
        mut what: impl FnMut(&mut Self) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        let deadline = Instant::now() + patience;
        let mut backoff = Backoff::new();
        loop {
            let error = match what(self) {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let wait = backoff.next_wait();
            if !error.is_transient() || Instant::now() + wait >= deadline {
                return Err(error);
            }
            std::thread::sleep(wait);
            match self.refresh() {
                Err(error) if !error.is_transient() => return Err(error),
                _ => {}
            }
        }
    }

    /// The brokers that the cluster names, then the URL's.
    fn all_places(&self) -> Vec<String> {
        let mut places: Vec<_> = self.nodes().into_iter().filter_map(|node| self.place(node)).collect();
        places.extend(
            self.bootstrap.iter().filter(|place| !self.found.places.values().any(|p| p == *place)).cloned(),
        );
        places
    }
}

/// The topic's name, as messages hold it.
pub(crate) fn topic_name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

/// `host:port`, with brackets around an IPv6 address.
pub(super) fn place(host: &str, port: i32) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Connects to `places` in turn, once each, until one of them answers `asked`.
pub(super) fn bootstrap<T>(
    config: &Arc<Config>,
    places: &[String],
    asked: impl Fn(&mut Connection) -> Result<T, LogError>,
) -> Result<(Connection, T), LogError> {
    let mut worst = None;
    for place in places {
        let answered = Connection::open(place, config).and_then(|mut connection| {
            let answer = asked(&mut connection)?;
            Ok((connection, answer))
        });
        match answered {
            Ok(answered) => return Ok(answered),
            Err(error @ LogError::NoSuchTopic { .. }) => return Err(error),
            // One that a person must act on says more than one that may pass.
            Err(error) if worst.as_ref().is_none_or(LogError::is_transient) => worst = Some(error),
            Err(_) => {}
        }
    }
    Err(worst.unwrap_or_else(|| LogError::Unreachable {
        place: String::new(),
        what: "no broker is named".to_owned(),
        next: "name one, as in kafka://localhost:9092/voter_data",
    }))
}

fn ask(connection: &mut Connection, topic: &str, places: &[String]) -> Result<Found, LogError> {
    let asked = MetadataRequestTopic::default().with_name(Some(topic_name(topic)));
    let request =
        MetadataRequest::default().with_topics(Some(vec![asked])).with_allow_auto_topic_creation(false);
    let answer = connection.call_within(&request, CONNECT_TIMEOUT)?;
    let told = answer.topics.iter().find(|told| told.name.as_ref().is_some_and(|name| &***name == topic));
    let Some(told) = told else {
        return Err(garbled(connection, "metadata without the topic that was asked for"));
    };
    match told.error_code {
        0 => found(connection, &answer, told),
        UNKNOWN_TOPIC => Err(LogError::NoSuchTopic { topic: topic.to_owned(), brokers: places.join(",") }),
        code => Err(error::refused(connection.place(), "Metadata", code, None)),
    }
}

fn found(
    connection: &Connection,
    answer: &MetadataResponse,
    told: &MetadataResponseTopic,
) -> Result<Found, LogError> {
    let mut partitions: Vec<_> = told
        .partitions
        .iter()
        .map(|told| {
            let there = told.leader_id.0 >= 0
                && (told.error_code == 0 || error::sort(told.error_code) == Sort::Fatal);
            let leader = there.then_some(Leader { node: NodeId(told.leader_id.0), epoch: told.leader_epoch });
            let nodes =
                |ids: &[kafka_protocol::messages::BrokerId]| ids.iter().map(|id| NodeId(id.0)).collect();
            let (replicas, in_sync) = (nodes(&told.replica_nodes), nodes(&told.isr_nodes));
            (told.partition_index, PartitionMeta { leader, replicas, in_sync })
        })
        .collect();
    partitions.sort_by_key(|(index, _)| *index);
    if partitions.is_empty() || partitions.iter().zip(0..).any(|((index, _), expect)| *index != expect) {
        return Err(garbled(connection, "metadata with gaps between the partitions"));
    }
    let places = answer.brokers.iter().map(|told| (NodeId(told.node_id.0), place(&told.host, told.port)));
    Ok(Found {
        id: told.topic_id,
        partitions: partitions.into_iter().map(|(_, partition)| partition).collect(),
        places: places.collect(),
    })
}

fn garbled(connection: &Connection, what: &str) -> LogError {
    LogError::Garbled { place: connection.place().to_owned(), what: what.to_owned() }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("topic", &self.topic)
            .field("id", &self.found.id)
            .finish_non_exhaustive()
    }
}
