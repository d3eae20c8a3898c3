//! A thread a broker: takes what its partitions have to send, up to five requests ahead of the answers, and sorts the answers.
//!
//! Whatever happens to a connection, the batches that were under way on it are sent again with the sequence numbers that they have.

use super::batch_error;
use super::lane::{Stage, Verdict, Where};
use super::shared::{Gate, Shared, State};
use super::split;
use crate::batch::{BatchEncoder, Stamp};
use crate::crash::point;
use crate::error::LogError;
use crate::kafka::NodeId;
use crate::kafka::backoff::Backoff;
use crate::kafka::client::topic_name;
use crate::kafka::cluster::Cluster;
use crate::kafka::config::REQUEST_TIMEOUT;
use crate::kafka::connection::Connection;
use crate::kafka::error::{self, Sort, refused, sort};
use crate::kafka::producing::{self, REQUEST_BYTES_MAX, REQUESTS_MAX};
use crate::url::Codec;
use bytes::Bytes;
use kafka_protocol::ResponseError as E;
use kafka_protocol::messages::produce_request::ProduceRequest;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, ProduceResponse};
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use votestream_election::Offset;

/// While requests are under way and more could be sent, how often it is looked whether there is more.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// A broker that is silent for so long is no more waited for once others lead the partitions that it was sent batches of.
const SILENCE: Duration = Duration::from_secs(2);
/// How often that is looked at.
const SILENCE_LOOK: Duration = Duration::from_millis(500);
/// How long a topic may be unknown to the brokers before it counts as deleted.
const UNKNOWN_TIME_MAX: Duration = Duration::from_secs(30);

/// The thread of one broker.
pub(super) struct Sender {
    pub(super) shared: Arc<Shared>,
    pub(super) cluster: Arc<Cluster>,
    pub(super) node: NodeId,
    pub(super) codec: Codec,
    link: Option<Link>,
    backoff: Backoff,
}

/// A connection and what is under way on it.
struct Link {
    connection: Connection,
    requests: VecDeque<Request>,
    /// How many requests may be under way: one more after each answer, one alone after an answer that asks for a rest.
    most: usize,
    /// The broker asked for no request before this, and answers none that are under way.
    rest_until: Option<Instant>,
}

impl Link {
    fn new(connection: Connection) -> Self {
        Self { connection, requests: VecDeque::new(), most: 1, rest_until: None }
    }

    /// How long the broker wants to be left alone.
    fn resting(&self) -> Option<Duration> {
        self.rest_until?.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    /// Since when an answer to `sent` can be expected.
    fn expected_since(&self, sent: Instant) -> Instant {
        self.rest_until.map_or(sent, |until| until.max(sent))
    }

    /// Takes in for how long an answer asks not to be asked (0: not at all).
    fn told(&mut self, rest: Duration) {
        if rest.is_zero() {
            self.most = (self.most + 1).min(REQUESTS_MAX);
        } else {
            (self.most, self.rest_until) = (1, Some(Instant::now() + rest));
        }
    }
}

/// The batches of one request: partition and sequence number.
struct Request {
    batches: Vec<(usize, i32)>,
    sent: Instant,
}

/// A batch to send.
struct Load {
    partition: usize,
    sequence: i32,
    bytes: Bytes,
}

/// What to do next.
enum Next {
    Send(Vec<Load>, Option<Arc<str>>),
    Receive,
    End,
}

impl Sender {
    pub(super) fn new(shared: Arc<Shared>, cluster: Arc<Cluster>, node: NodeId, codec: Codec) -> Self {
        Self { shared, cluster, node, codec, link: None, backoff: Backoff::new() }
    }

    /// Runs until the writer has ended.
    pub(super) fn run(mut self) {
        loop {
            let did = match self.next() {
                Next::Send(loads, transaction) => self.send(&loads, transaction.as_deref()),
                Next::Receive => self.receive(),
                Next::End => return,
            };
            match did {
                Ok(()) => {}
                Err(error) if error.is_transient() => self.lost(&error),
                Err(error) => return self.shared.fail(&error),
            }
        }
    }

    /// Waits until there is something to do.
    fn next(&self) -> Next {
        let link = self.link.as_ref();
        let (requests, most) = link.map_or((0, 1), |link| (link.requests.len(), link.most));
        let mut state = self.shared.lock();
        loop {
            if state.ended() {
                return Next::End;
            }
            let resting = link.and_then(Link::resting);
            if requests < most && resting.is_none() {
                let loads = collect(&mut state, self.node);
                if !loads.is_empty() {
                    return Next::Send(loads, state.transaction.id.clone());
                }
            }
            if requests > 0 {
                return Next::Receive;
            }
            let now = Instant::now();
            let held = state.lanes.iter().filter_map(|lane| lane.held_for(now)).chain(resting).min();
            state = match held {
                None => super::shared::wait(&self.shared.moved, state),
                Some(held) => {
                    self.shared.moved.wait_timeout(state, held).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn send(&mut self, loads: &[Load], transaction: Option<&str>) -> Result<(), LogError> {
        let link = if let Some(link) = &mut self.link {
            link
        } else {
            let connection = self.cluster.connect(self.node)?;
            self.link.insert(Link::new(connection))
        };
        point("kafka-produce-before-send");
        let sent = loads.iter().map(|load| (load.partition, load.bytes.clone()));
        link.connection.send(&producing::produce(topic_name(&self.shared.topic), sent, transaction))?;
        point("kafka-produce-sent");
        let batches = loads.iter().map(|load| (load.partition, load.sequence)).collect();
        link.requests.push_back(Request { batches, sent: Instant::now() });
        Ok(())
    }

    fn receive(&mut self) -> Result<(), LogError> {
        let Some(link) = &mut self.link else { return Ok(()) };
        let Some(first) = link.requests.front() else { return Ok(()) };
        let waited = Instant::now().saturating_duration_since(link.expected_since(first.sent));
        let mut most = REQUEST_TIMEOUT.saturating_sub(waited);
        if waited >= SILENCE {
            if self.shared.lock().is_left(self.node, &first.batches) {
                most = Duration::ZERO;
            }
            self.shared.moved.notify_all();
        }
        let look = if link.requests.len() < link.most { LOOK_AGAIN } else { SILENCE_LOOK };
        let wait = most.min(look);
        match link.connection.receive_within::<ProduceRequest>(wait)? {
            Some(answer) => {
                point("kafka-produce-answered");
                let place = link.connection.place().to_owned();
                let batches = link.requests.pop_front().map(|request| request.batches).unwrap_or_default();
                link.told(error::rest(answer.throttle_time_ms));
                self.backoff.reset();
                self.answered(&place, &batches, &answer)
            }
            None if wait < most => Ok(()),
            None => Err(LogError::Unreachable {
                place: link.connection.place().to_owned(),
                what: format!("no answer to Produce within {} s", waited.as_secs()),
                next: "is it up, and not overloaded?",
            }),
        }
    }

    /// Sorts the answer to one request.
    fn answered(
        &self,
        place: &str,
        batches: &[(usize, i32)],
        answer: &ProduceResponse,
    ) -> Result<(), LogError> {
        let mut told: Vec<_> = answer.responses.iter().flat_map(|topic| &topic.partition_responses).collect();
        let mut state = self.shared.lock();
        for (partition, sequence) in batches {
            let found = told.iter().position(|told| told.index == *partition as i32);
            let Some(found) = found else {
                return Err(LogError::Garbled {
                    place: place.to_owned(),
                    what: format!("an answer to Produce without partition {partition}"),
                });
            };
            self.one(&mut state, place, (*partition, *sequence), told.swap_remove(found))?;
        }
        self.shared.settle(state, false);
        Ok(())
    }

    fn one(
        &self,
        state: &mut State,
        place: &str,
        (partition, sequence): (usize, i32),
        told: &PartitionProduceResponse,
    ) -> Result<(), LogError> {
        let now = Instant::now();
        let in_transactions = state.transaction.gate != Gate::Free;
        let Some(lane) = state.lanes.get_mut(partition) else { return Ok(()) };
        let Some(parcel) = lane.parcels.iter().find(|parcel| parcel.sequence == sequence) else {
            return Ok(());
        };
        let (code, records) = (told.error_code, parcel.records);
        match E::try_from_code(code) {
            None => {
                let from = Offset(u64::try_from(told.base_offset).unwrap_or_default());
                lane.done(sequence, Where::At(from..from.plus(u64::from(records))));
            }
            // It was sent before, and is older than the last five.
            Some(E::DuplicateSequenceNumber) => lane.done(sequence, Where::Before),
            Some(E::OutOfOrderSequenceNumber) => {
                if lane.out_of_order(sequence) == Verdict::Lost {
                    let topic = self.shared.topic.clone();
                    return Err(LogError::AcknowledgedLost { topic, partition: partition as u32 });
                }
            }
            Some(_) if producing::is_too_large(code) => {
                self.split(state, partition, sequence)?;
            }
            Some(_) if in_transactions && producing::is_ended_by_others(code) => {
                lane.failed(sequence, now);
                state.transaction.gate = Gate::Shut;
                let broken = refused(place, "Produce", code, told.error_message.as_deref());
                state.transaction.broken.get_or_insert(broken);
            }
            Some(error) => {
                let detail = told.error_message.as_deref();
                // A batch that arrived damaged is sent again from memory.
                let retried = sort(code) != Sort::Fatal || error == E::CorruptMessage;
                if !retried {
                    return Err(batch_error(&self.shared.topic, place, code, detail));
                }
                if matches!(error, E::UnknownTopicOrPartition | E::UnknownTopicId) {
                    let since = *lane.unknown_since.get_or_insert(now);
                    if now.duration_since(since) > UNKNOWN_TIME_MAX {
                        let brokers = place.to_owned();
                        return Err(LogError::NoSuchTopic { topic: self.shared.topic.clone(), brokers });
                    }
                }
                tracing::debug!(partition, code, "batch refused for now");
                lane.failed(sequence, now);
                state.refresh |= sort(code) == Sort::Refresh;
            }
        }
        Ok(())
    }

    /// Puts two batches in the place of one that is too large for the topic.
    fn split(&self, state: &mut State, partition: usize, sequence: i32) -> Result<(), LogError> {
        let identity = state.identity;
        let Some(lane) = state.lanes.get_mut(partition) else { return Ok(()) };
        let Some(parcel) = lane.parcels.iter_mut().find(|parcel| parcel.sequence == sequence) else {
            return Ok(());
        };
        let mut encoder = BatchEncoder::new(self.codec).or_else(|| BatchEncoder::new(Codec::None));
        let halves = encoder.as_mut().and_then(|encoder| split::in_two(&parcel.bytes, encoder));
        let Some(halves) = halves else {
            let (topic, bytes) = (self.shared.topic.clone(), parcel.bytes.len());
            return Err(LogError::MessageTooLarge { topic, bytes });
        };
        tracing::debug!(partition, bytes = parcel.bytes.len(), "batch too large for the topic; cut in two");
        let before = parcel.bytes.len();
        let pieces = split::parcels(parcel, halves, |bytes, base_sequence| {
            Stamp { base_sequence, ..identity }.put(bytes);
        });
        let after: usize = pieces.iter().map(|piece| piece.bytes.len()).sum();
        lane.replace(sequence, pieces);
        state.resized(before, after);
        Ok(())
    }

    /// The connection is gone, or there is none to be had.
    fn lost(&mut self, error: &LogError) {
        let mut state = self.shared.lock();
        if self.backoff.tries() == 0 {
            tracing::warn!(topic = self.shared.topic, "{error}; its batches are sent again");
        }
        self.link = None;
        for lane in &mut state.lanes {
            lane.disconnected(self.node);
        }
        state.refresh = true;
        drop(state);
        self.shared.moved.notify_all();
        self.shared.rest(self.backoff.next_wait());
    }
}

impl State {
    /// Whether others lead all of the partitions that `node` was sent batches of. Asks for the metadata to be read anew.
    fn is_left(&mut self, node: NodeId, batches: &[(usize, i32)]) -> bool {
        let mut leaders =
            batches.iter().map(|(partition, _)| self.leaders.get(*partition).copied().flatten());
        let left = leaders.all(|leader| leader.is_some_and(|leader| leader != node));
        self.refresh |= !left;
        left
    }
}

/// Takes what `node` should send now: at most a batch a partition, as the protocol has it.
fn collect(state: &mut State, node: NodeId) -> Vec<Load> {
    let now = Instant::now();
    let mut loads = Vec::new();
    let mut bytes = 0;
    let State { lanes, leaders, transaction, .. } = state;
    for (partition, lane) in lanes.iter_mut().enumerate() {
        if leaders.get(partition).copied().flatten() != Some(node) {
            continue;
        }
        let added = transaction.partitions.get(partition).copied().unwrap_or(false);
        let may = |in_transaction: bool| match transaction.gate {
            Gate::Free => true,
            Gate::Open => added,
            Gate::Closing => in_transaction,
            Gate::Shut => false,
        };
        let Some((at, parcel)) = lane.next(node, now, |parcel| may(parcel.in_transaction)) else { continue };
        if bytes > 0 && bytes + parcel.bytes.len() > REQUEST_BYTES_MAX {
            continue;
        }
        bytes += parcel.bytes.len();
        if !parcel.in_transaction {
            transaction.bytes += parcel.bytes.len();
        }
        loads.push(Load { partition, sequence: parcel.sequence, bytes: parcel.bytes.clone() });
        lane.sent(at, node, transaction.gate != Gate::Free);
    }
    debug_assert!(
        lanes
            .iter()
            .all(|lane| lane.parcels.iter().all(|p| p.stage != Stage::UnderWay || lane.is_under_way()))
    );
    loads
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::LogWatch;

    #[test]
    fn a_silent_broker_is_left_once_others_lead_all_that_it_was_sent() {
        let (one, two) = (NodeId(1), NodeId(2));
        let leaders = vec![Some(two), Some(one), None];
        let who = Stamp { producer_id: 1, producer_epoch: 0, base_sequence: 0, transactional: false };
        let shared = Shared::new("votes".to_owned(), LogWatch::new(&[Offset(0); 3]), leaders, who);
        for (batches, left) in
            [(&[(0, 0)][..], true), (&[(1, 0)], false), (&[(0, 0), (1, 0)], false), (&[(2, 0)], false)]
        {
            let mut state = shared.lock();
            state.refresh = false;
            assert_eq!(state.is_left(one, batches), left, "{batches:?}");
            assert_eq!(state.refresh, !left, "as long as it leads any, the metadata are asked for");
        }
    }
}
