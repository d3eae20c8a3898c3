//! One partition's batches on their way to its leader, in order: what waits, what is under way, what is answered. No I/O.
//!
//! A broker takes a producer's batches in the order of their sequence numbers alone and knows the last five of a partition again. So a
//! batch may be sent once more with the number it has, whatever became of it before: it is appended once.

use crate::batch::Stamp;
use crate::kafka::NodeId;
use crate::kafka::backoff::Backoff;
use crate::writer::Ack;
use bytes::Bytes;
use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};
use votestream_election::{Offset, SourceId};

/// Most batches of a partition under way: as many as a broker knows again.
pub(super) const UNDER_WAY_MAX: usize = 5;

/// An encoded batch.
pub(super) struct Parcel {
    /// Its place in the order in which all batches were queued.
    pub(super) number: u64,
    pub(super) records: u32,
    pub(super) bytes: Bytes,
    /// The sequence number of its first record.
    pub(super) sequence: i32,
    pub(super) source: Option<(SourceId, u64)>,
    pub(super) ack: Option<Ack>,
    pub(super) stage: Stage,
    /// It was sent in the transaction that is open.
    pub(super) in_transaction: bool,
}

/// How far a batch has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// To be sent, or sent again.
    Waiting,
    /// Sent, not answered.
    UnderWay,
    /// The broker has it.
    Done(Where),
}

/// Where a batch lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Where {
    /// Its offsets.
    At(Range<Offset>),
    /// Somewhere before: the broker does not say any more.
    Before,
}

/// A partition's batches.
pub(super) struct Lane {
    pub(super) parcels: VecDeque<Parcel>,
    /// The sequence number of the next batch.
    pub(super) next_sequence: i32,
    /// Whose connection has the batches that are under way.
    owner: Option<NodeId>,
    /// A batch failed: nothing is sent until all that is under way is answered.
    draining: bool,
    /// Not before this is anything sent.
    pub(super) not_before: Option<Instant>,
    backoff: Backoff,
    /// Where the last answered batch ended.
    pub(super) end: Offset,
    /// The source's last index that is known to be in the log for good.
    pub(super) settled_index: Option<u64>,
    /// Since when the brokers say that they know no such topic.
    pub(super) unknown_since: Option<Instant>,
}

/// What an answer means for the partition.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All is well, or will be.
    Fine,
    /// The broker lacks a batch that it had said to have.
    Lost,
}

impl Lane {
    pub(super) fn new(end: Offset) -> Self {
        Self {
            parcels: VecDeque::new(),
            next_sequence: 0,
            owner: None,
            draining: false,
            not_before: None,
            backoff: Backoff::new(),
            end,
            settled_index: None,
            unknown_since: None,
        }
    }

    /// Takes the sequence numbers of a batch of `records`.
    pub(super) fn reserve(&mut self, records: u32) -> i32 {
        let sequence = self.next_sequence;
        self.next_sequence = sequence_after(sequence, records);
        sequence
    }

    /// The batch that `node` should send next, if any. `may`: whether it may be sent at this moment.
    pub(super) fn next(
        &self,
        node: NodeId,
        now: Instant,
        may: impl Fn(&Parcel) -> bool,
    ) -> Option<(usize, &Parcel)> {
        let held = self.draining || self.not_before.is_some_and(|at| at > now);
        if held || self.owner.is_some_and(|owner| owner != node) {
            return None;
        }
        let mut under_way = 0;
        for (at, parcel) in self.parcels.iter().enumerate() {
            match parcel.stage {
                Stage::Waiting => return (under_way < UNDER_WAY_MAX && may(parcel)).then_some((at, parcel)),
                Stage::UnderWay => under_way += 1,
                Stage::Done(_) => {}
            }
        }
        None
    }

    /// Notes that `node` sends the batch at that place.
    pub(super) fn sent(&mut self, at: usize, node: NodeId, in_transaction: bool) {
        let Some(parcel) = self.parcels.get_mut(at) else { return };
        parcel.stage = Stage::UnderWay;
        parcel.in_transaction = in_transaction;
        self.owner = Some(node);
    }

    /// Notes that the broker has the batch.
    pub(super) fn done(&mut self, sequence: i32, place: Where) {
        if let Where::At(range) = &place {
            self.end = self.end.max(range.end);
        }
        self.set(sequence, Stage::Done(place));
        self.backoff.reset();
        self.unknown_since = None;
    }

    /// Notes that the batch is to be sent again, after a while.
    pub(super) fn failed(&mut self, sequence: i32, now: Instant) {
        if !self.draining {
            self.not_before = Some(now + self.backoff.next_wait());
        }
        self.again(sequence);
    }

    /// Notes that the broker lacks the batch before this one. That is as it must be when that one is to be sent again.
    pub(super) fn out_of_order(&mut self, sequence: i32) -> Verdict {
        let earlier = self.parcels.iter().take_while(|parcel| parcel.sequence != sequence);
        let expected = self.draining || earlier.into_iter().any(|parcel| parcel.stage == Stage::Waiting);
        self.again(sequence);
        if expected { Verdict::Fine } else { Verdict::Lost }
    }

    /// Notes that the connection is gone: whatever was under way is sent again.
    pub(super) fn disconnected(&mut self, node: NodeId) {
        if self.owner != Some(node) {
            return;
        }
        for parcel in self.parcels.iter_mut().filter(|parcel| parcel.stage == Stage::UnderWay) {
            parcel.stage = Stage::Waiting;
        }
        self.rest();
    }

    /// Puts pieces in the place of a batch that was too large.
    pub(super) fn replace(&mut self, sequence: i32, pieces: Vec<Parcel>) {
        let Some(at) = self.parcels.iter().position(|parcel| parcel.sequence == sequence) else { return };
        let after = self.parcels.split_off(at + 1);
        self.parcels.truncate(at);
        self.parcels.extend(pieces);
        self.parcels.extend(after);
        self.draining = true;
        self.rest_if_quiet();
    }

    /// Takes the batches from the front that the broker has.
    pub(super) fn take_done(&mut self) -> Vec<(Parcel, Where)> {
        let mut done = Vec::new();
        while let Some(Parcel { stage: Stage::Done(_), .. }) = self.parcels.front() {
            let Some(parcel) = self.parcels.pop_front() else { break };
            if let Stage::Done(place) = parcel.stage.clone() {
                done.push((parcel, place));
            }
        }
        done
    }

    /// Whether a batch is under way.
    pub(super) fn is_under_way(&self) -> bool {
        self.owner.is_some()
    }

    /// Whether a batch is to be sent.
    pub(super) fn is_waiting(&self) -> bool {
        self.parcels.iter().any(|parcel| parcel.stage == Stage::Waiting)
    }

    /// How long until something may be sent that is held back for now.
    pub(super) fn held_for(&self, now: Instant) -> Option<Duration> {
        let at = self.not_before.filter(|at| *at > now && !self.draining)?;
        Some(at - now)
    }

    /// Numbers and stamps all batches anew, as the first ones of `stamp`'s producer.
    pub(super) fn restamp(&mut self, stamp: Stamp) {
        self.next_sequence = 0;
        for at in 0..self.parcels.len() {
            let records = self.parcels[at].records;
            let base_sequence = self.reserve(records);
            let parcel = &mut self.parcels[at];
            parcel.sequence = base_sequence;
            parcel.stage = Stage::Waiting;
            parcel.in_transaction = false;
            let mut bytes = Vec::from(std::mem::take(&mut parcel.bytes));
            Stamp { base_sequence, ..stamp }.put(&mut bytes);
            parcel.bytes = bytes.into();
        }
        self.rest();
        self.not_before = None;
    }

    fn again(&mut self, sequence: i32) {
        self.set(sequence, Stage::Waiting);
        self.draining = true;
        self.rest_if_quiet();
    }

    fn set(&mut self, sequence: i32, stage: Stage) {
        if let Some(parcel) = self.parcels.iter_mut().find(|parcel| parcel.sequence == sequence) {
            parcel.stage = stage;
        }
        self.rest_if_quiet();
    }

    fn rest_if_quiet(&mut self) {
        if !self.parcels.iter().any(|parcel| parcel.stage == Stage::UnderWay) {
            self.rest();
        }
    }

    fn rest(&mut self) {
        (self.owner, self.draining) = (None, false);
    }
}

/// The sequence number `records` after `sequence`: it starts again at 0 after 2^31 − 1.
pub(in crate::kafka) fn sequence_after(sequence: i32, records: u32) -> i32 {
    ((i64::from(sequence) + i64::from(records)) & i64::from(i32::MAX)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId(1);

    fn lane(parcels: u64) -> Lane {
        let mut lane = Lane::new(Offset(0));
        for number in 0..parcels {
            let sequence = lane.reserve(10);
            let stage = Stage::Waiting;
            let bytes = Bytes::new();
            lane.parcels.push_back(Parcel {
                number,
                records: 10,
                bytes,
                sequence,
                source: None,
                ack: None,
                stage,
                in_transaction: false,
            });
        }
        lane
    }

    fn send(lane: &mut Lane, node: NodeId) -> Option<u64> {
        let later = Instant::now() + Duration::from_mins(1);
        let (at, number) = lane.next(node, later, |_| true).map(|(at, parcel)| (at, parcel.number))?;
        lane.sent(at, node, false);
        Some(number)
    }

    fn at(from: u64) -> Where {
        Where::At(Offset(from)..Offset(from + 10))
    }

    #[test]
    fn five_are_under_way_and_acknowledged_in_order() {
        let mut lane = lane(7);
        let sent: Vec<_> = std::iter::from_fn(|| send(&mut lane, NODE)).collect();
        assert_eq!(sent, [0, 1, 2, 3, 4]);
        assert_eq!(send(&mut lane, NodeId(2)), None);
        lane.done(10, at(10));
        assert!(lane.take_done().is_empty());
        lane.done(0, at(0));
        assert_eq!(lane.take_done().len(), 2);
        assert_eq!(lane.end, Offset(20));
        assert_eq!(
            (send(&mut lane, NODE), send(&mut lane, NODE), send(&mut lane, NODE)),
            (Some(5), Some(6), None)
        );
    }

    #[test]
    fn what_fails_is_sent_again_in_order_once_all_is_answered() {
        let mut lane = lane(3);
        while send(&mut lane, NODE).is_some() {}
        lane.failed(0, Instant::now());
        assert_eq!(send(&mut lane, NODE), None);
        assert_eq!(lane.out_of_order(10), Verdict::Fine);
        assert_eq!(lane.out_of_order(20), Verdict::Fine);
        // Another broker may take over now.
        assert_eq!(send(&mut lane, NodeId(2)), Some(0));
        assert_eq!(send(&mut lane, NODE), None);
        assert_eq!(send(&mut lane, NodeId(2)), Some(1));
        lane.disconnected(NODE);
        lane.disconnected(NodeId(2));
        let sent: Vec<_> = std::iter::from_fn(|| send(&mut lane, NODE)).collect();
        assert_eq!(sent, [0, 1, 2]);
    }

    #[test]
    fn a_gap_that_nothing_explains_is_a_loss() {
        let mut lane = lane(2);
        while send(&mut lane, NODE).is_some() {}
        lane.done(0, at(0));
        assert_eq!(lane.take_done().len(), 1);
        assert_eq!(lane.out_of_order(10), Verdict::Lost);
    }

    #[test]
    fn sequence_numbers_start_again_at_0() {
        assert_eq!(sequence_after(5, 10), 15);
        assert_eq!(sequence_after(i32::MAX, 1), 0);
        assert_eq!(sequence_after(i32::MAX - 1, 3), 1);
    }
}
