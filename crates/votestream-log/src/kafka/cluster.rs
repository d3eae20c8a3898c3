//! A topic's cluster as the threads of one producer share it: one set of metadata, a connection each.

use super::NodeId;
use super::backoff::Backoff;
use super::client::{Client, Leader, Role};
use super::connection::Connection;
use crate::error::LogError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use votestream_election::PartitionId;

/// A topic's cluster, for any thread.
pub(crate) struct Cluster {
    client: Mutex<Client>,
}

impl Cluster {
    pub(crate) fn new(client: Client) -> Self {
        Self { client: Mutex::new(client) }
    }

    /// The metadata. Held for no longer than it takes to look, or to read them anew.
    pub(crate) fn client(&self) -> MutexGuard<'_, Client> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new connection to `node`. Others are not kept waiting for it.
    pub(crate) fn connect(&self, node: NodeId) -> Result<Connection, LogError> {
        let (place, config) = {
            let client = self.client();
            (client.place(node), Arc::clone(client.config()))
        };
        match place {
            Some(place) => Connection::open(&place, &config),
            // Says why in the same words.
            None => self.client().connect_node(node),
        }
    }

    /// Who leads a partition.
    ///
    /// # Errors
    /// A transient one while nobody does.
    pub(crate) fn leader(&self, partition: PartitionId) -> Result<Leader, LogError> {
        self.client().leader(partition).ok_or_else(|| LogError::Unreachable {
            place: format!("partition {partition}"),
            what: "it has no leader at the moment".to_owned(),
            next: "are its brokers up?",
        })
    }

    /// A new connection to the leader of a partition.
    pub(crate) fn connect_leader(&self, partition: PartitionId) -> Result<(Connection, Leader), LogError> {
        let leader = self.leader(partition)?;
        Ok((self.connect(leader.node)?, leader))
    }

    /// A new connection to whoever coordinates the transactional id or the group `id`.
    pub(crate) fn connect_coordinator(&self, role: Role, id: &str) -> Result<Connection, LogError> {
        let node = self.client().coordinator(role, id)?;
        self.connect(node)
    }
}

/// Asks again while that may help and there is time.
pub(crate) struct Retry<'a> {
    until: Instant,
    cluster: &'a Cluster,
}

impl<'a> Retry<'a> {
    /// For at most `time`.
    pub(crate) fn until(time: Duration, cluster: &'a Cluster) -> Self {
        Self { until: Instant::now() + time, cluster }
    }

    /// Runs `ask` until it succeeds, fails for good, or the time is up. Between two tries the metadata are read anew.
    pub(crate) fn run<T>(&self, mut ask: impl FnMut() -> Result<T, LogError>) -> Result<T, LogError> {
        let mut backoff = Backoff::new();
        loop {
            let error = match ask() {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let wait = backoff.next_wait();
            if !error.is_transient() || Instant::now() + wait > self.until {
                return Err(error);
            }
            tracing::debug!(%error, "asking again");
            std::thread::sleep(wait);
            match self.cluster.client().refresh() {
                Err(fatal) if !fatal.is_transient() => return Err(fatal),
                _ => {}
            }
        }
    }
}
