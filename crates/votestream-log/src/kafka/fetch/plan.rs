//! Whom a fetch thread asks for next, and how long the broker may wait: bounded queues, fair turns, one reader a partition at a time.

use super::state::{FeedId, State};
use crate::kafka::NodeId;
use std::time::{Duration, Instant};
use votestream_election::{Offset, PartitionId};

/// Fetched bytes that may wait for one reader: few enough that what was fetched is still in the processor's cache when it is read, and that
/// room for answers is always there to be filled again (`bodies`).
pub(super) const QUEUE_BYTES_MAX: usize = 4 << 20;
/// Fetched bytes that may wait in all, beyond which only readers with nothing to read are fetched for.
pub(super) const WAITING_BYTES_MAX: usize = 256 << 20;
/// The longest that a broker may wait for news before it answers.
pub(super) const POLL: Duration = Duration::from_millis(100);
/// The same while another reader of a partition waits for its turn.
const POLL_SHARED: Duration = Duration::from_millis(20);
/// The same while a reader that could not be fetched for, since its queue was full, is about to have room.
const POLL_FULL: Duration = Duration::from_millis(5);
/// What a fetch thread does next.
#[derive(Debug)]
pub(super) struct Plan {
    /// Readers to be fetched for, in the order in which the broker fills its answer; at most one a partition.
    pub(super) asks: Vec<Ask>,
    /// Readers whose place must be checked against the leader's epochs before they are fetched for.
    pub(super) checks: Vec<Check>,
    /// How long the broker may wait for news.
    pub(super) wait: Duration,
    /// When there may be more to do, where that is a matter of time.
    pub(super) wake: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) feed: FeedId,
    pub(super) partition: PartitionId,
    pub(super) position: Offset,
    pub(super) leader_epoch: i32,
    pub(super) bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) feed: FeedId,
    pub(super) partition: PartitionId,
    pub(super) position: Offset,
    /// The epoch of the last batch before it.
    pub(super) epoch: i32,
    pub(super) leader_epoch: i32,
}

impl State {
    /// What the thread of `node` does next. Whom it asks for is busy until [`State::deliver`] or [`State::release`].
    pub(super) fn plan(&mut self, node: NodeId, now: Instant) -> Plan {
        let mut plan = Plan { asks: Vec::new(), checks: Vec::new(), wait: POLL, wake: None };
        let crowded = self.is_crowded();
        let mut chosen: Vec<(u64, Ask)> = Vec::new();
        let mut by_asked: Vec<FeedId> = self.feeds.keys().copied().collect();
        by_asked.sort_by_key(|id| self.feeds.get(id).map(|feed| feed.asked));
        let mut taken = vec![false; self.parts.len()];
        for id in by_asked {
            let Some(feed) = self.feeds.get_mut(&id) else { continue };
            let Some(part) = self.parts.get(feed.partition.0 as usize) else { continue };
            let Some(leader) = part.leader.filter(|leader| leader.node == node) else { continue };
            if feed.busy || feed.failed.is_some() || part.stale {
                continue;
            }
            if let Some(then) = part.not_before.filter(|then| *then > now) {
                plan.wake = Some(plan.wake.map_or(then, |wake| wake.min(then)));
                continue;
            }
            if feed.queued >= QUEUE_BYTES_MAX || crowded && feed.queued > 0 {
                if feed.is_read(now) {
                    plan.wait = plan.wait.min(POLL_FULL);
                }
                continue;
            }
            if feed.check {
                let (partition, position, epoch) = (feed.partition, feed.position, feed.epoch);
                let leader_epoch = leader.epoch;
                plan.checks.push(Check { feed: id, partition, position, epoch, leader_epoch });
                continue;
            }
            let Some(taken) = taken.get_mut(feed.partition.0 as usize) else { continue };
            if std::mem::replace(taken, true) {
                let behind = feed.position < part.stable;
                plan.wait = plan.wait.min(if behind { POLL_FULL } else { POLL_SHARED });
                continue;
            }
            let (partition, position, leader_epoch) = (feed.partition, feed.position, leader.epoch);
            let bytes = feed.bytes;
            chosen.push((feed.turn, Ask { feed: id, partition, position, leader_epoch, bytes }));
        }
        // Whose turn was longest ago stands first: only the first is sure to get a batch over the size asked for.
        chosen.sort_by_key(|(turn, _)| *turn);
        plan.asks = chosen.into_iter().map(|(_, ask)| ask).collect();
        if plan.checks.is_empty() {
            for ask in &plan.asks {
                self.clock += 1;
                if let Some(feed) = self.feeds.get_mut(&ask.feed) {
                    (feed.busy, feed.asked) = (true, self.clock);
                }
            }
        }
        plan
    }
}
