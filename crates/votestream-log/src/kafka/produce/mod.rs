//! Writing a topic: sealed batches are encoded as they are, compressed once, and sent to their partitions' leaders by an idempotent
//! producer; a source's in transactions.
//!
//! **Invariant:** a batch is acknowledged once all in-sync replicas have it and, in a transaction, once that is committed; in order in each
//! partition. **Invariant:** nothing is given up while the writer lives, save on an error that waiting cannot mend.
//!
//! How batches are laid out is the module `batch`'s; connections and metadata are the Kafka client's.

mod lane;

mod shared;

mod split;

mod send;

mod ask;

mod scan;

mod transaction;

mod recover;

use super::NodeId;
use super::client::Client;
use super::cluster::{Cluster, Retry};
use super::error::refused;
use crate::batch::{BatchEncoder, SealedBatch};
use crate::error::LogError;
use crate::kafka_url::KafkaUrl;
use crate::url::Codec;
use crate::watch::LogWatch;
use crate::writer::{Ack, TryAppendError};
use kafka_protocol::ResponseError as E;
pub(super) use lane::sequence_after;
use send::Sender;
use shared::Shared;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use transaction::Committer;
use votestream_election::{LogId, PartitionId, SourceId};

/// How long closing waits for the brokers.
pub const CLOSE_TIME_MAX: Duration = Duration::from_secs(30);
/// How long opening, and going on with a source, wait for brokers that may come back.
const START_TIME_MAX: Duration = Duration::from_mins(1);

/// A topic's writer.
pub(crate) struct KafkaWriter {
    shared: Arc<Shared>,
    cluster: Arc<Cluster>,
    log_id: LogId,
    codec: Codec,
    /// The committing thread runs.
    committing: Mutex<bool>,
}

/// A way to append to a topic, for any thread.
#[derive(Clone)]
pub(crate) struct KafkaHandle {
    shared: Arc<Shared>,
}

impl KafkaWriter {
    /// Opens the topic for writing and starts the threads.
    ///
    /// # Errors
    /// No such topic, no broker to be reached, no right to write; a codec that this build lacks.
    pub(crate) fn open(url: &KafkaUrl) -> Result<Self, LogError> {
        let codec = url.options.codec;
        let encoder = BatchEncoder::for_url(url)?;
        let client = Client::connect(url)?;
        let (log_id, topic) = (client.log_id(), client.topic().to_owned());
        let cluster = Arc::new(Cluster::new(client));
        let retry = Retry::until(START_TIME_MAX, &cluster);
        let ends = retry.run(|| ask::committed_ends(&cluster))?;
        let identity = retry.run(|| ask::idempotent_identity(&cluster))?;
        let leaders = leaders(&cluster);
        let shared = Arc::new(Shared::new(topic, LogWatch::new(&ends), leaders, identity));
        let writer = Self { shared, cluster, log_id, codec, committing: Mutex::new(false) };
        writer.start(encoder);
        tracing::info!(%log_id, topic = writer.shared.topic, partitions = ends.len(), "topic open for writing");
        Ok(writer)
    }

    fn start(&self, encoder: BatchEncoder) {
        let mut senders = Vec::new();
        start_senders(&self.shared, &self.cluster, self.codec, &mut senders);
        let shared = Arc::clone(&self.shared);
        spawn("log-encode", &self.shared, move || encode(&shared, encoder));
        let (shared, cluster, codec) = (Arc::clone(&self.shared), Arc::clone(&self.cluster), self.codec);
        spawn("log-cluster", &self.shared, move || follow(&shared, &cluster, codec, senders));
    }

    /// The topic's id.
    pub(crate) fn log_id(&self) -> LogId {
        self.log_id
    }

    /// How many partitions it has.
    pub(crate) fn partitions(&self) -> u32 {
        self.shared.watch.ends().len() as u32
    }

    /// How batches are compressed.
    pub(crate) fn codec(&self) -> Codec {
        self.codec
    }

    /// A way to append.
    pub(crate) fn handle(&self) -> KafkaHandle {
        KafkaHandle { shared: Arc::clone(&self.shared) }
    }

    /// Fences every other run of `source`, finds each partition's last index of it, and goes on in its transactions.
    ///
    /// # Errors
    /// When the writer has failed, or the brokers cannot be asked.
    pub(crate) fn resume(&self, source: SourceId) -> Result<Vec<Option<u64>>, LogError> {
        self.shared.flush()?;
        let mut committing = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        let retry = Retry::until(START_TIME_MAX, &self.cluster);
        let mut committer = Committer::new(&self.shared, &self.cluster, source, self.log_id);
        let last = committer.take_over(&retry)?;
        if !*committing {
            *committing = true;
            spawn("log-commit", &self.shared, move || committer.run());
        }
        Ok(last)
    }

    /// Sends all that is queued and waits for the brokers, at most [`CLOSE_TIME_MAX`].
    ///
    /// # Errors
    /// The failure that stopped the writer, now or earlier; what was not acknowledged.
    pub(crate) fn close(self) -> Result<(), LogError> {
        self.stop()
    }

    /// The threads end by themselves once all is acknowledged or the writer has failed; one that waits for a broker is not waited for.
    fn stop(&self) -> Result<(), LogError> {
        self.shared.close();
        self.shared.give_up_at(Instant::now() + CLOSE_TIME_MAX);
        self.shared.flush()
    }
}

impl Drop for KafkaWriter {
    fn drop(&mut self) {
        // Whoever wants to know has closed it.
        let _ = self.stop();
    }
}

impl KafkaHandle {
    pub(crate) fn append(
        &self,
        partition: PartitionId,
        batch: SealedBatch,
        ack: Option<Ack>,
    ) -> Result<(), LogError> {
        self.shared.push(partition, batch, ack)
    }

    pub(crate) fn append_within(
        &self,
        partition: PartitionId,
        batch: SealedBatch,
        ack: Ack,
        time: Duration,
    ) -> Result<(), TryAppendError> {
        self.shared.push_within(partition, batch, ack, time)
    }

    pub(crate) fn flush(&self) -> Result<(), LogError> {
        self.shared.flush()
    }

    pub(crate) fn give_up_within(&self, time: Duration) {
        self.shared.give_up_at(Instant::now() + time);
    }

    pub(crate) fn watch(&self) -> &LogWatch {
        &self.shared.watch
    }
}

/// The encoding thread: compression never waits for a broker, save when too much is unacknowledged.
fn encode(shared: &Shared, mut encoder: BatchEncoder) {
    let mut bytes_guess = 0;
    while let Some(mut job) = shared.next() {
        let mut out = Vec::with_capacity(bytes_guess);
        encoder.encode_for_broker(&mut job.batch, &mut out);
        bytes_guess = out.len();
        shared.encoded(job, out);
    }
}

/// The metadata thread: reads who leads the partitions when something says that it has changed, and starts senders to new brokers.
/// `senders`: the brokers that have one.
fn follow(shared: &Arc<Shared>, cluster: &Arc<Cluster>, codec: Codec, mut senders: Vec<NodeId>) {
    let mut backoff = super::backoff::Backoff::new();
    let mut last = Instant::now();
    loop {
        {
            let mut state = shared.lock();
            while !state.ended() && !state.wants_refresh() {
                state = shared::wait(&shared.moved, state);
            }
            if state.ended() {
                return;
            }
            state.refresh = false;
        }
        if last.elapsed() > 4 * super::backoff::WAIT_MAX {
            backoff.reset();
        }
        last = Instant::now();
        let refreshed = cluster.client().refresh();
        match refreshed {
            Ok(()) => {
                let leaders = leaders(cluster);
                shared.lock().leaders = leaders;
                start_senders(shared, cluster, codec, &mut senders);
                shared.moved.notify_all();
            }
            Err(error) if error.is_transient() => {
                tracing::debug!(%error, "metadata not read");
                shared.lock().refresh = true;
            }
            Err(error) => return shared.fail(&error),
        }
        shared.rest(backoff.next_wait());
    }
}

fn leaders(cluster: &Cluster) -> Vec<Option<NodeId>> {
    cluster.client().leaders().into_iter().map(|(_, leader)| leader.map(|leader| leader.node)).collect()
}

fn start_senders(shared: &Arc<Shared>, cluster: &Arc<Cluster>, codec: Codec, senders: &mut Vec<NodeId>) {
    let nodes: Vec<NodeId> = shared.lock().leaders.iter().flatten().copied().collect();
    for node in nodes {
        if !senders.contains(&node) {
            senders.push(node);
            let sender = Sender::new(Arc::clone(shared), Arc::clone(cluster), node, codec);
            spawn("log-send", shared, move || sender.run());
        }
    }
}

/// Starts a thread whose panic (a bug) stops the writer instead of leaving those who wait without an answer.
fn spawn(name: &str, shared: &Arc<Shared>, run: impl FnOnce() + Send + 'static) {
    struct Guard(Arc<Shared>);
    impl Drop for Guard {
        fn drop(&mut self) {
            if std::thread::panicking() {
                self.0.fail(&LogError::Panicked);
            }
        }
    }
    let guard = Guard(Arc::clone(shared));
    let guarded = move || {
        let _guard = guard;
        run();
    };
    if let Err(error) = std::thread::Builder::new().name(name.to_owned()).spawn(guarded) {
        tracing::error!(%error, name, "no thread could be started");
        shared.fail(&LogError::Panicked);
    }
}

/// Why a batch was refused for good.
pub(super) fn batch_error(topic: &str, place: &str, code: i16, detail: Option<&str>) -> LogError {
    let refused = refused(place, "Produce", code, detail);
    let LogError::Kafka { place, doing, code, name, detail, transient, .. } = refused else { return refused };
    let next = match E::try_from_code(code) {
        Some(E::InvalidTimestamp) => {
            "the topic takes no records of that time: see its message.timestamp.before.max.ms and message.timestamp.after.max.ms"
        }
        Some(E::InvalidRecord) => {
            "the topic takes no such records (a compacted one wants keys): write to another"
        }
        Some(E::UnsupportedCompressionType) => "the broker does not know this codec: choose codec=lz4",
        Some(E::MessageTooLarge | E::RecordListTooLarge) => {
            "a record is larger than the topic takes: raise its max.message.bytes"
        }
        Some(E::PolicyViolation) => "a policy of the cluster refuses it: ask who runs it",
        Some(E::InvalidProducerEpoch | E::ProducerFenced) => "another producer took over; start it again",
        Some(E::UnknownProducerId) => {
            "the broker no longer knows this producer, so a batch might be written twice: start it again"
        }
        _ => {
            return LogError::Kafka {
                place,
                doing,
                code,
                name,
                detail,
                transient,
                next: "see the broker's log, and the topic's configuration",
            };
        }
    };
    tracing::debug!(topic, code, "batch refused for good");
    LogError::Kafka { place, doing, code, name, detail, next, transient }
}

impl std::fmt::Debug for KafkaWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaWriter").field("topic", &self.shared.topic).finish_non_exhaustive()
    }
}
