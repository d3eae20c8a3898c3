//! A source's batches in transactions, so that a run that was killed can be told how far it came: what is committed is in the log, what is
//! not never was.
//!
//! One thread begins transactions, adds partitions, and commits; the senders send what it lets through. The transactional id is the
//! source's, so that a second run of the source fences the first one before it reads what that one left.

use super::START_TIME_MAX;
use super::lane::{Parcel, Stage};
use super::recover::Claim;
use super::scan;
use super::shared::{Gate, Shared, State, wait};
use crate::batch::Stamp;
use crate::crash::point;
use crate::error::LogError;
use crate::kafka::backoff::Backoff;
use crate::kafka::client::Role;
use crate::kafka::cluster::{Cluster, Retry};
use crate::kafka::connection::Connection;
use crate::kafka::error::{Sort, refused, sort};
use crate::kafka::producing::{self, MARKERS_WAIT, identity};
use crate::kafka::request::Request;
use kafka_protocol::ResponseError as E;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use votestream_election::{LogId, SourceId};

/// After so long the coordinator aborts a transaction that nobody ends.
pub const TRANSACTION_TIME_MAX: Duration = Duration::from_secs(10);
/// A transaction is committed after so long.
pub const COMMIT_AFTER: Duration = Duration::from_millis(50);
/// Where more waits to be sent than is: transactions cost the brokers a round each.
pub const COMMIT_AFTER_LOADED: Duration = Duration::from_millis(250);
/// A transaction is committed after so many bytes (encoded).
pub const COMMIT_BYTES: usize = 8 << 20;
/// The committing thread.
pub(super) struct Committer {
    pub(super) shared: Arc<Shared>,
    pub(super) cluster: Arc<Cluster>,
    pub(super) coordinator: Option<Connection>,
    pub(super) source: SourceId,
    id: Arc<str>,
    pub(super) claim: Claim,
}

impl Committer {
    pub(super) fn new(shared: &Arc<Shared>, cluster: &Arc<Cluster>, source: SourceId, log_id: LogId) -> Self {
        let id = format!("votestream-source-{log_id}-{:016x}", source.0).into();
        let (shared, cluster) = (Arc::clone(shared), Arc::clone(cluster));
        Self { shared, cluster, coordinator: None, source, id, claim: Claim::None }
    }

    /// Fences other runs and tells how far the source has come. Nothing is on its way.
    pub(super) fn take_over(&mut self, retry: &Retry<'_>) -> Result<Vec<Option<u64>>, LogError> {
        let identity = retry.run(|| self.init())?;
        point("kafka-source-fenced");
        let last = retry.run(|| scan::last_indexes(&self.cluster, self.source))?;
        point("kafka-source-read");
        let mut state = self.shared.lock();
        state.transaction.source = Some(self.source);
        state.transaction.id = Some(Arc::clone(&self.id));
        for (lane, last) in state.lanes.iter_mut().zip(&last) {
            lane.settled_index = *last;
        }
        state.begin_anew(identity);
        drop(state);
        self.shared.moved.notify_all();
        tracing::info!(id = &*self.id, topic = self.shared.topic, "producing in transactions");
        Ok(last)
    }

    /// Runs until the writer has ended.
    pub(super) fn run(mut self) {
        let mut backoff = Backoff::new();
        loop {
            match self.round() {
                Ok(true) => backoff.reset(),
                Ok(false) => return,
                Err(error) if error.is_transient() => {
                    tracing::debug!(%error, "the transaction waits");
                    self.coordinator = None;
                    self.shared.rest(backoff.next_wait());
                }
                Err(error) => return self.shared.fail(&error),
            }
        }
    }

    /// One step of a transaction; each may be taken again after a failure. `false`: the writer has ended.
    fn round(&mut self) -> Result<bool, LogError> {
        let mut state = self.shared.lock();
        loop {
            if state.ended() {
                return Ok(false);
            }
            if let Some((source, id)) = state.other_source(self.source) {
                // The writer goes on with another source: so does this thread.
                (self.source, self.id, self.coordinator, self.claim) = (source, id, None, Claim::None);
            }
            if state.transaction.broken.is_some() {
                drop(state);
                return self.recover().map(|()| true);
            }
            let wanted = state.partitions_wanted();
            if state.transaction.gate == Gate::Closing {
                if state.in_transaction_settled() {
                    drop(state);
                    return self.commit().map(|()| true);
                }
            } else if !wanted.is_empty() {
                drop(state);
                return self.add(&wanted).map(|()| true);
            }
            let mut pause = None;
            if state.transaction.gate == Gate::Open {
                match state.due() {
                    Some(left) if !left.is_zero() => pause = Some(left),
                    _ => {
                        state.transaction.gate = Gate::Closing;
                        continue;
                    }
                }
            }
            state = match pause {
                None => wait(&self.shared.moved, state),
                Some(left) => {
                    self.shared.moved.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Adds partitions to the transaction, which begins with the first.
    fn add(&mut self, wanted: &[usize]) -> Result<(), LogError> {
        let stamp = self.shared.lock().identity;
        let partitions = wanted.iter().map(|p| *p as i32).collect();
        let name = self.cluster.client().topic_name();
        let request = producing::add_partitions(&self.id, stamp, name, partitions);
        let mut pause = MARKERS_WAIT.0;
        loop {
            let answer = self.ask(&request)?;
            let code = producing::not_added(&answer);
            match E::try_from_code(code) {
                None => break,
                Some(E::ConcurrentTransactions) => {
                    self.shared.rest(pause);
                    if self.shared.lock().ended() {
                        return Ok(());
                    }
                    pause = (pause * 2).min(MARKERS_WAIT.1);
                }
                Some(_) => return self.sorted("AddPartitionsToTxn", code),
            }
        }
        point("kafka-transaction-begun");
        let mut state = self.shared.lock();
        if state.transaction.gate == Gate::Shut {
            state.transaction.began = Some(Instant::now());
            state.transaction.gate = Gate::Open;
        }
        for p in wanted {
            if let Some(added) = state.transaction.partitions.get_mut(*p) {
                *added = true;
            }
        }
        drop(state);
        self.shared.moved.notify_all();
        Ok(())
    }

    /// Commits; then what was sent is acknowledged.
    fn commit(&mut self) -> Result<(), LogError> {
        let stamp = self.shared.lock().identity;
        let request = producing::end(&self.id, stamp, true);
        point("kafka-transaction-before-commit");
        let code = self.ask(&request)?.error_code;
        if code != 0 {
            return self.sorted("EndTxn", code);
        }
        point("kafka-transaction-committed");
        self.await_markers()?;
        let mut state = self.shared.lock();
        state.transaction.end();
        self.shared.settle(state, true);
        point("kafka-transaction-acknowledged");
        Ok(())
    }

    /// The commit is decided, and readers see it once its markers are written: who waits for it, waits for that.
    fn await_markers(&mut self) -> Result<(), LogError> {
        let mut pause = MARKERS_WAIT.0;
        while self.describe()?.is_some_and(|told| told.state == "PrepareCommit") {
            self.shared.rest(pause);
            if self.shared.lock().failed().is_err() {
                break;
            }
            pause = (pause * 2).min(MARKERS_WAIT.1);
        }
        Ok(())
    }

    /// What to do about a coordinator's refusal.
    fn sorted(&mut self, doing: &'static str, code: i16) -> Result<(), LogError> {
        let place = self.coordinator.as_ref().map_or("the coordinator", Connection::place).to_owned();
        let refused = refused(&place, doing, code, None);
        if !producing::is_ended_by_others(code) {
            if sort(code) == Sort::Refresh {
                self.shared.lock().refresh = true;
            }
            return Err(refused);
        }
        let mut state = self.shared.lock();
        state.transaction.gate = Gate::Shut;
        state.transaction.broken.get_or_insert(refused);
        Ok(())
    }

    /// Takes the transactional id: what others sent under it is refused from now on, and an open transaction is aborted.
    fn init(&mut self) -> Result<Stamp, LogError> {
        let request = producing::init(&self.id, TRANSACTION_TIME_MAX);
        let began = Instant::now();
        let mut pause = MARKERS_WAIT.0;
        loop {
            let answer = self.ask(&request)?;
            let Some(connection) = &self.coordinator else { continue };
            let told = identity(connection.place(), &answer, true);
            // While the last run's transaction is being aborted.
            let concurrent = answer.error_code == E::ConcurrentTransactions.code();
            if !concurrent || began.elapsed() > START_TIME_MAX || self.shared.lock().ended() {
                if told.is_err() {
                    self.coordinator = None;
                }
                return told;
            }
            self.shared.rest(pause);
            pause = (pause * 2).min(MARKERS_WAIT.1);
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Asks the coordinator; the connection is kept while it is good. After that time the transaction is lost anyway, and all of this may be
    /// asked again: of another coordinator, if this one is silent.
    pub(super) fn ask<R: Request>(&mut self, request: &R) -> Result<R::Response, LogError> {
        let mut connection = match self.coordinator.take() {
            Some(connection) => connection,
            None => self.cluster.connect_coordinator(Role::Transaction, &self.id)?,
        };
        let answer = connection.call_within(request, TRANSACTION_TIME_MAX);
        if answer.is_ok() {
            self.coordinator = Some(connection);
        }
        answer
    }
}

impl State {
    /// All that is not acknowledged is sent anew, as the first of that producer.
    pub(super) fn begin_anew(&mut self, identity: Stamp) {
        self.transaction.end();
        self.transaction.broken = None;
        self.transaction.partitions.resize(self.lanes.len(), false);
        self.identity = identity;
        self.generation += 1;
        for lane in &mut self.lanes {
            lane.restamp(identity);
        }
    }

    /// The source that the writer goes on with, when it is not `source`.
    fn other_source(&self, source: SourceId) -> Option<(SourceId, Arc<str>)> {
        let other = self.transaction.source.filter(|other| *other != source)?;
        Some((other, self.transaction.id.clone()?))
    }

    /// Partitions that have something to send and are not part of the transaction.
    fn partitions_wanted(&self) -> Vec<usize> {
        let lanes = self.lanes.iter().zip(&self.transaction.partitions).enumerate();
        lanes.filter(|(_, (lane, added))| !**added && lane.is_waiting()).map(|(p, _)| p).collect()
    }

    /// How long until the open transaction is to be committed. `None`: at once.
    fn due(&self) -> Option<Duration> {
        let idle = self.all_encoded() && self.lanes.iter().all(|lane| lane.parcels.iter().all(is_done));
        let hurried = (self.flushing > 0 || self.closing) && idle;
        if self.transaction.bytes >= COMMIT_BYTES || hurried {
            return None;
        }
        let after = if self.all_encoded() { COMMIT_AFTER } else { COMMIT_AFTER_LOADED };
        let age = self.transaction.began.map_or(Duration::ZERO, |began| began.elapsed());
        after.checked_sub(age)
    }

    /// All that was sent in the transaction is answered.
    fn in_transaction_settled(&self) -> bool {
        let mut parcels = self.lanes.iter().flat_map(|lane| &lane.parcels);
        parcels.all(|parcel| !parcel.in_transaction || is_done(parcel))
    }
}

pub(super) fn is_done(parcel: &Parcel) -> bool {
    matches!(parcel.stage, Stage::Done(_))
}
