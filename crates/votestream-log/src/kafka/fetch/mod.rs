//! Our own reader of a Kafka topic, batch by batch: one thread and connection a broker fetches for all partitions read from it, while
//! the callers decode what came before.
//!
//! Read committed always. Transient trouble is retried for as long as it lasts and shows as "nothing there yet"; what cannot pass by
//! itself (the log was cut, the topic made anew, the right to read withdrawn) comes out of the readers.
//!
//! **Invariant:** what waits to be read is bounded, by reader and in all; a reader whose queue is full is not fetched for.
//! **Invariant:** after every change of leader and every lost connection a place is checked against the leader's epochs before it is
//! fetched from; only the leader's own word makes a log "cut", never a failure to reach it.

mod walk;

mod aborted;

mod feed;

mod state;

mod plan;

mod news;

mod broker;

mod keeper;

mod partition;

#[cfg(test)]
mod tests;

pub(crate) use partition::KafkaPartition;

use crate::error::LogError;
use crate::kafka::NodeId;
use crate::kafka::admin;
use crate::kafka::client::{self, Client};
use crate::kafka::config::Config;
use crate::kafka::connection::Connection;
use crate::kafka::offsets::OffsetSpec;
use crate::kafka_url::KafkaUrl;
use feed::Chunk;
use kafka_protocol::messages::TopicName;
use plan::{Ask, Plan};
use state::{FeedId, State, log_named};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;
use votestream_election::{LogId, Offset, PartitionId};

/// How long a question to the brokers is asked again before its failure is told.
const ASK_PATIENCE: Duration = Duration::from_secs(30);
/// How often the ends of partitions are asked for that somebody waits for and nobody reads.
const UNREAD_PERIOD: Duration = Duration::from_millis(500);

/// A topic open for reading. Clones share threads and connections, which end with the last of them.
#[derive(Clone, Debug)]
pub(crate) struct KafkaLog {
    handle: Arc<Handle>,
}

/// Held by whoever reads; the threads hold only [`Shared`].
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    /// For questions on the callers' threads; connected at the first.
    asker: Mutex<Option<Client>>,
    url: KafkaUrl,
}

/// What readers and threads share.
#[derive(Debug)]
struct Shared {
    topic: String,
    topic_id: Uuid,
    config: Arc<Config>,
    state: Mutex<State>,
    /// Something may be there to be read.
    news: Condvar,
    /// Something may be there to be done, by a fetch thread or the keeper.
    work: Condvar,
}

/// What the keeper does next.
struct Wanted {
    /// Brokers that are read from and have no thread yet.
    nodes: Vec<NodeId>,
    refresh: bool,
}

impl KafkaLog {
    /// Opens a topic: asks the brokers once for it, then for its ends.
    pub(crate) fn open(url: &KafkaUrl) -> Result<Self, LogError> {
        let mut client = Client::connect(url)?;
        let partitions = client.partitions() as usize;
        let shared = Arc::new(Shared {
            topic: client.topic().to_owned(),
            topic_id: client.topic_id(),
            config: Arc::clone(client.config()),
            state: Mutex::new(State::new(client.topic(), partitions)),
            news: Condvar::new(),
            work: Condvar::new(),
        });
        let ends = client.persist(ASK_PATIENCE, |client| client.offsets(OffsetSpec::LastStable))?;
        shared.learn_leaders(&client);
        shared.lock().learn_stable(&ends);
        let handle = Arc::new(Handle { shared, asker: Mutex::new(None), url: url.clone() });
        let shared = Arc::clone(&handle.shared);
        let thread = std::thread::Builder::new().name("kafka-keeper".to_owned());
        let started = thread.spawn(move || keeper::run(&shared, client));
        started.map_err(|error| LogError::Unreachable {
            place: url.broker_list(),
            what: format!("no thread could be started: {error}"),
            next: "raise the limit on threads (ulimit -u)",
        })?;
        Ok(Self { handle })
    }

    pub(crate) fn log_id(&self) -> LogId {
        LogId(self.handle.shared.topic_id.as_u128())
    }

    pub(crate) fn partitions(&self) -> u32 {
        self.handle.shared.lock().parts.len() as u32
    }

    pub(crate) fn start_offsets(&self) -> Result<Vec<Offset>, LogError> {
        self.handle.ask(|client| client.offsets(OffsetSpec::Earliest))
    }

    pub(crate) fn end_offsets(&self) -> Vec<Offset> {
        self.handle.shared.lock().parts.iter().map(|part| part.stable).collect()
    }

    pub(crate) fn refresh_ends(&self) -> Result<Vec<Offset>, LogError> {
        let ends = self.handle.ask(|client| client.offsets(OffsetSpec::LastStable))?;
        self.handle.shared.lock().learn_stable(&ends);
        Ok(ends)
    }

    pub(crate) fn high_watermarks(&self) -> Result<Vec<Offset>, LogError> {
        self.handle.ask(|client| client.offsets(OffsetSpec::HighWatermark))
    }

    pub(crate) fn wait_past(&self, past: &[Offset], timeout: Duration) -> bool {
        let shared = &self.handle.shared;
        let deadline = Instant::now() + timeout;
        let mut state = shared.lock();
        loop {
            if state.has_past(past) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            if !state.unread(past) {
                state = shared.news.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            let wait = left.min(UNREAD_PERIOD);
            state = shared.news.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
            drop(state);
            // Asked once: what fails is asked again after the next wait.
            if let Ok(ends) = self.handle.ask_once(|client| client.offsets(OffsetSpec::LastStable)) {
                shared.lock().learn_stable(&ends);
            }
            state = shared.lock();
        }
    }

    pub(crate) fn partition(&self, partition: PartitionId, from: Offset) -> KafkaPartition {
        KafkaPartition::new(Arc::clone(&self.handle), partition, from)
    }

    pub(crate) fn epoch_ending_at(
        &self,
        partition: PartitionId,
        next: Offset,
        counted_in: i32,
    ) -> Result<Option<i32>, LogError> {
        if counted_in < 0 {
            return Ok(None);
        }
        let found = self.handle.ask(|client| client.epoch_end(partition, counted_in))?;
        match found {
            None => Ok(None),
            Some(found) if found.end >= next => Ok(Some(found.epoch)),
            Some(found) => {
                let log = log_named(&self.handle.shared.topic);
                Err(LogError::Truncated { log, partition, wanted: next, end: found.end })
            }
        }
    }

    pub(crate) fn trouble(&self) -> Option<String> {
        self.handle.shared.lock().trouble()
    }

    pub(crate) fn cleanup_compacts(&self) -> Result<bool, LogError> {
        self.handle.ask(|client| admin::topic_config(client).map(|config| config.compacts()))
    }
}

impl Handle {
    /// Asks the brokers, again and again for [`ASK_PATIENCE`].
    fn ask<T>(&self, mut what: impl FnMut(&mut Client) -> Result<T, LogError>) -> Result<T, LogError> {
        self.with_asker(|client| client.persist(ASK_PATIENCE, &mut what))
    }

    /// Asks the brokers once; failing that they are looked for anew before the next question.
    fn ask_once<T>(&self, what: impl FnMut(&mut Client) -> Result<T, LogError>) -> Result<T, LogError> {
        self.with_asker(what)
    }

    fn with_asker<T>(&self, mut ask: impl FnMut(&mut Client) -> Result<T, LogError>) -> Result<T, LogError> {
        let mut asker = self.asker.lock().unwrap_or_else(PoisonError::into_inner);
        let mut client = match asker.take() {
            Some(client) => client,
            None => self.connect()?,
        };
        let answer = ask(&mut client)?;
        *asker = Some(client);
        Ok(answer)
    }

    fn connect(&self) -> Result<Client, LogError> {
        let client = Client::connect(&self.url)?;
        let (was, now) = (LogId(self.shared.topic_id.as_u128()), client.log_id());
        if was == now {
            Ok(client)
        } else {
            Err(LogError::TopicRecreated { topic: self.shared.topic.clone(), was, now })
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.work.notify_all();
        self.shared.news.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn topic_name(&self) -> TopicName {
        client::topic_name(&self.topic)
    }

    fn open(&self, partition: PartitionId, from: Offset) -> FeedId {
        let feed = self.lock().open(partition, from);
        self.work.notify_all();
        feed
    }

    fn close(&self, feed: FeedId) {
        self.lock().feeds.remove(&feed);
        self.work.notify_all();
    }

    /// What a reader reads next.
    fn take(&self, feed: FeedId) -> Result<Option<Chunk>, LogError> {
        let (taken, room) = self.lock().take(feed, Instant::now());
        if room {
            self.work.notify_all();
        }
        taken
    }

    /// Waits for something to be fetched from `node`; `None` once the log is closed.
    fn next_plan(&self, node: NodeId) -> Option<Plan> {
        let mut state = self.lock();
        loop {
            if state.stopped || state.fatal().is_some() {
                return None;
            }
            let now = Instant::now();
            let plan = state.plan(node, now);
            if !plan.asks.is_empty() || !plan.checks.is_empty() {
                return Some(plan);
            }
            state = match plan.wake {
                Some(wake) => {
                    let wait = wake.saturating_duration_since(now);
                    self.work.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Waits for something to be done by the keeper, at most until `aged`; `None` once the log is closed.
    fn next_refresh(&self, running: &mut BTreeSet<NodeId>, aged: Instant) -> Option<Wanted> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            let left = aged.saturating_duration_since(Instant::now());
            let refresh = state.wants_metadata() || left.is_zero();
            let nodes: Vec<_> = state.nodes_read().into_iter().filter(|node| running.insert(*node)).collect();
            if refresh || !nodes.is_empty() {
                state.refresh &= !refresh;
                return Some(Wanted { nodes, refresh });
            }
            state = self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn connect(&self, node: NodeId) -> Result<Connection, LogError> {
        let place = self.lock().places.get(&node).cloned();
        let place = place.ok_or_else(|| LogError::Unreachable {
            place: format!("broker {}", node.0),
            what: "the cluster does not list it at the moment".to_owned(),
            next: "is it up?",
        })?;
        Connection::open(&place, &self.config)
    }

    fn learn_leaders(&self, client: &Client) {
        let place = |node| client.place(node).map(|place| (node, place));
        let places: HashMap<NodeId, String> = client.nodes().into_iter().filter_map(place).collect();
        self.lock().learn_leaders(&client.leaders(), places);
        self.work.notify_all();
    }

    fn wants_metadata(&self) -> bool {
        self.lock().wants_metadata()
    }

    fn metadata_failed(&self, error: &LogError) {
        self.lock().metadata_failed(error);
    }

    fn node_failed(&self, node: NodeId, asks: &[Ask], error: &LogError) {
        let mut state = self.lock();
        state.node_failed(node, asks, error);
        if matches!(error, LogError::Refused { .. }) {
            state.fail_all(error);
            drop(state);
            self.news.notify_all();
        }
        self.work.notify_all();
    }

    fn node_works(&self, node: NodeId) {
        self.lock().node_works(node);
    }

    /// A broker does not answer: its partitions are looked for elsewhere. Answers whether it is still to be waited for.
    fn silent(&self, node: NodeId, asks: &[Ask], error: &LogError) -> bool {
        let mut state = self.lock();
        state.node_silent(node, error);
        let still = !state.stopped && state.leads_any(node, asks);
        drop(state);
        self.work.notify_all();
        still
    }

    fn fail_all(&self, error: &LogError) {
        self.lock().fail_all(error);
        self.news.notify_all();
        self.work.notify_all();
    }

    /// Waits, but not beyond the log's end.
    fn pause(&self, wait: Duration) {
        let deadline = Instant::now() + wait;
        let mut state = self.lock();
        while !state.stopped {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
