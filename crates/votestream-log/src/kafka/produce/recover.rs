//! After a transaction that others ended: by whom, what became of it, and how the source goes on.
//!
//! Brokers end a transaction that takes too long; so does another run of the source when it begins, and that one must not be fenced in
//! its turn. Both look the same for a while, so what was looked up is not relied on: the transactional id is taken only in the state in
//! which it was seen, which the coordinator itself compares. **Invariant:** of two runs of a source the one that began later goes on.

use super::lane::{Stage, Where};
use super::scan;
use super::shared::{Gate, State, wait};
use super::transaction::{Committer, TRANSACTION_TIME_MAX, is_done};
use crate::batch::Stamp;
use crate::error::LogError;
use crate::kafka::connection::Connection;
use crate::kafka::error::refused;
use crate::kafka::producing::{self, identity};
use kafka_protocol::ResponseError as E;
use kafka_protocol::messages::DescribeTransactionsRequest;

/// A transactional id as its coordinator sees it.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) state: String,
    producer: i64,
    epoch: i16,
}

/// How far the committing thread has come in taking its transactional id back. Kept over failures: what was taken is not asked for anew,
/// or it would look like another's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Claim {
    /// Not known whose it is.
    #[default]
    None,
    /// Seen as ours under this epoch, and asked for in that state. Asked again, the coordinator gives the same answer.
    Asked { epoch: i16 },
    /// Taken back.
    Held(Stamp),
}

/// What became of a transaction that could not be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Committed,
    Aborted,
}

impl Committer {
    /// The transaction was ended by another: by the coordinator, since it took too long, or by another run of the source. Finds out
    /// which, and in the first case what became of it; then goes on from there.
    pub(super) fn recover(&mut self) -> Result<(), LogError> {
        let mut state = self.shared.lock();
        state.transaction.gate = Gate::Shut;
        while state.lanes.iter().any(super::lane::Lane::is_under_way) {
            if state.ended() {
                return Ok(());
            }
            state = wait(&self.shared.moved, state);
        }
        let (stamp, broken) = (state.identity, state.transaction.broken.clone());
        drop(state);
        let Some(identity) = self.take_back(stamp)? else {
            return Err(LogError::OtherRun { topic: self.shared.topic.clone() });
        };
        let why = broken.map_or_else(String::new, |error| error.to_string());
        tracing::warn!(
            topic = self.shared.topic,
            why,
            "the transaction took too long and was ended by the brokers; going on after it"
        );
        let last = scan::last_indexes(&self.cluster, self.source)?;
        let mut state = self.shared.lock();
        let Some(fate) = state.fate(&last) else {
            return Err(LogError::OtherRun { topic: self.shared.topic.clone() });
        };
        if fate == Fate::Committed {
            state.transaction.end();
            state.find_done();
            self.shared.settle(state, true);
            state = self.shared.lock();
        }
        state.begin_anew(identity);
        drop(state);
        self.claim = Claim::None;
        self.shared.moved.notify_all();
        Ok(())
    }

    /// Takes the transactional id back; `None`: another run has it. A failure that passes keeps what was reached.
    fn take_back(&mut self, stamp: Stamp) -> Result<Option<Stamp>, LogError> {
        let epoch = match self.claim {
            Claim::Held(identity) => return Ok(Some(identity)),
            Claim::Asked { epoch } => epoch,
            Claim::None => match self.epoch_if_ours(stamp)? {
                None => return Ok(None),
                Some(epoch) => epoch,
            },
        };
        self.claim = Claim::Asked { epoch };
        let request = producing::init(self.id(), TRANSACTION_TIME_MAX)
            .with_producer_id(stamp.producer_id.into())
            .with_producer_epoch(epoch);
        let answer = self.ask(&request)?;
        match E::try_from_code(answer.error_code) {
            Some(E::ProducerFenced | E::InvalidProducerEpoch | E::InvalidProducerIdMapping) => {
                return Ok(None);
            }
            // What was under way is being aborted, which raises the epoch once more.
            Some(E::ConcurrentTransactions) => self.claim = Claim::None,
            _ => {}
        }
        let place = self.coordinator.as_ref().map_or("the coordinator", Connection::place);
        let identity = identity(place, &answer, true)?;
        self.claim = Claim::Held(identity);
        Ok(Some(identity))
    }

    /// The epoch under which the transactional id stands, unless another run has taken it. A transaction that took too long was aborted
    /// under the next epoch by the coordinator itself; so is one that another run's beginning ends, which then raises it once more.
    fn epoch_if_ours(&mut self, stamp: Stamp) -> Result<Option<i16>, LogError> {
        // Where nobody tells, it is better to stop than to fence a run that is at work.
        let Some(told) = self.describe()? else { return Ok(None) };
        tracing::debug!(?told, ours = stamp.producer_epoch, "transaction looked up");
        let aborted = matches!(&*told.state, "PrepareAbort" | "CompleteAbort" | "PrepareEpochFence");
        let raised = told.epoch.checked_sub(stamp.producer_epoch);
        let ours = raised == Some(0) || raised == Some(1) && aborted;
        Ok((told.producer == stamp.producer_id && ours).then_some(told.epoch))
    }

    /// How the coordinator sees the transactional id; `None`: brokers before Kafka 3.0 do not tell, nor where the right is missing.
    pub(super) fn describe(&mut self) -> Result<Option<Described>, LogError> {
        let request = DescribeTransactionsRequest::default()
            .with_transactional_ids(vec![producing::transactional_id(self.id())]);
        let answer = match self.ask(&request) {
            Ok(answer) => answer,
            Err(LogError::Refused { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(told) = answer.transaction_states.into_iter().next() else { return Ok(None) };
        match E::try_from_code(told.error_code) {
            None => Ok(Some(Described {
                state: told.transaction_state.to_string(),
                producer: told.producer_id.0,
                epoch: told.producer_epoch,
            })),
            Some(E::TransactionalIdNotFound | E::TransactionalIdAuthorizationFailed) => Ok(None),
            Some(_) => {
                let place = self.coordinator.take();
                let place = place.as_ref().map_or("the coordinator", Connection::place);
                Err(refused(place, "DescribeTransactions", told.error_code, None))
            }
        }
    }
}

impl State {
    /// What became of the transaction, told by how far the source came in each partition. `None`: neither, so another wrote.
    fn fate(&self, last: &[Option<u64>]) -> Option<Fate> {
        let mut fate = None;
        for (lane, last) in self.lanes.iter().zip(last) {
            let sent = lane.parcels.iter().take_while(|parcel| parcel.in_transaction);
            let committed = sent.filter_map(|parcel| parcel.source).last().map(|(_, index)| index);
            let seen = match committed {
                Some(index) if *last == Some(index) => Some(Fate::Committed),
                _ if *last == lane.settled_index => Some(Fate::Aborted),
                _ => return None,
            };
            if committed.is_none() {
                continue;
            }
            if fate.is_some() && fate != seen {
                return None;
            }
            fate = seen;
        }
        Some(fate.unwrap_or(Fate::Aborted))
    }

    /// What was sent in the transaction is in the log.
    fn find_done(&mut self) {
        for parcel in self.lanes.iter_mut().flat_map(|lane| &mut lane.parcels) {
            if parcel.in_transaction && !is_done(parcel) {
                parcel.stage = Stage::Done(Where::Before);
            }
        }
    }
}
