//! What the fetch threads decide, without a broker: turns, bounds, leaders, cuts.

use super::plan::{Ask, POLL, Plan, QUEUE_BYTES_MAX};
use super::state::{Answer, FeedId, Outcome, State};
use crate::batch::{BatchBuilder, BatchEncoder, Place};
use crate::error::LogError;
use crate::kafka::NodeId;
use crate::kafka::client::Leader;
use crate::url::Codec;
use bytes::Bytes;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use votestream_election::{Millis, Offset, PartitionId};

const ONE: NodeId = NodeId(1);
const TWO: NodeId = NodeId(2);

/// Batches of ten records each, from `from` on, in one epoch.
fn batches(from: u64, count: u64, epoch: i32) -> Bytes {
    let (mut all, mut out) = (Vec::new(), Vec::new());
    let mut builder = BatchBuilder::new(1 << 16);
    let mut encoder = BatchEncoder::new(Codec::None).unwrap();
    for n in 0..count {
        (0..10).for_each(|_| builder.push(Millis(0), b"vote", None));
        let place = Place { base: Offset(from + 10 * n), epoch, synced: Offset(0) };
        encoder.encode(&mut builder.seal(None), place, &mut out);
        all.extend_from_slice(&out);
    }
    all.into()
}

struct Bench {
    state: State,
    now: Instant,
}

impl Bench {
    fn new(partitions: u32) -> Self {
        let mut bench = Self { state: State::new("votes", partitions as usize), now: Instant::now() };
        (0..partitions).for_each(|p| bench.lead(p, ONE, 0));
        bench
    }

    fn lead(&mut self, partition: u32, node: NodeId, epoch: i32) {
        let leader = Some(Leader { node, epoch });
        self.state.learn_leaders(&[(PartitionId(partition), leader)], HashMap::new());
    }

    fn open(&mut self, partition: u32, from: u64) -> FeedId {
        self.state.open(PartitionId(partition), Offset(from))
    }

    fn plan(&mut self) -> Plan {
        self.state.plan(ONE, self.now)
    }

    fn answer(&mut self, ask: &Ask, records: Bytes, stable: i64) -> Outcome {
        let ticket = self.state.ticket(records.len());
        let answer = Answer { stable, records, ..Answer::default() };
        self.state.deliver(ask, answer, &ticket, self.now)
    }

    fn refuse(&mut self, ask: &Ask, code: i16) -> Outcome {
        let ticket = self.state.ticket(0);
        let answer = Answer { code, ..Answer::default() };
        self.state.deliver(ask, answer, &ticket, self.now)
    }

    /// The only ask of the next plan.
    fn ask(&mut self) -> Ask {
        let plan = self.plan();
        assert_eq!((plan.asks.len(), plan.checks.len()), (1, 0), "{plan:?}");
        plan.asks[0]
    }

    /// What a reader takes: the offset after it.
    fn take(&mut self, feed: FeedId) -> Result<Option<u64>, LogError> {
        let taken = self.state.take(feed, self.now).0;
        taken.map(|chunk| chunk.map(|chunk| chunk.next.0))
    }
}

#[test]
fn one_request_at_a_time_from_where_the_last_one_ended() {
    let mut bench = Bench::new(1);
    let feed = bench.open(0, 3);
    let ask = bench.ask();
    assert_eq!((ask.position, ask.leader_epoch), (Offset(3), 0));
    assert!(bench.plan().asks.is_empty(), "it is under way");
    let mut records = batches(0, 3, 0).to_vec();
    records.truncate(records.len() - 1);
    assert_eq!(bench.answer(&ask, records.into(), 30), Outcome::News);
    assert_eq!(bench.ask().position, Offset(20), "the cut batch comes again");
    assert_eq!(bench.take(feed).unwrap(), Some(20));
    assert_eq!(bench.take(feed).unwrap(), None);
    assert_eq!(bench.state.parts[0].stable, Offset(30));
}

#[test]
fn a_full_queue_is_left_out_until_it_is_read() {
    let mut bench = Bench::new(2);
    let (full, other) = (bench.open(0, 0), bench.open(1, 0));
    let mut position = 0;
    while bench.state.feeds[&full].queued < QUEUE_BYTES_MAX {
        let plan = bench.plan();
        let ask = *plan.asks.iter().find(|ask| ask.feed == full).unwrap();
        bench.answer(&ask, batches(position, 2_000, 0), 0);
        position += 20_000;
        bench.state.release(&plan.asks);
    }
    let plan = bench.plan();
    assert_eq!(plan.asks.iter().map(|ask| ask.feed).collect::<Vec<_>>(), [other]);
    assert_eq!(plan.wait, POLL, "nobody reads it: the broker may wait");
    bench.state.release(&plan.asks);
    assert_eq!(bench.take(full).unwrap(), Some(20_000));
    let plan = bench.plan();
    assert_eq!(plan.asks.len(), 2);
}

#[test]
fn who_got_records_last_stands_last_and_readers_of_a_partition_take_turns() {
    let mut bench = Bench::new(2);
    let (a, b) = (bench.open(0, 0), bench.open(1, 0));
    let plan = bench.plan();
    bench.answer(&plan.asks[0], batches(0, 1, 0), 10);
    bench.state.release(&plan.asks);
    let order: Vec<FeedId> = bench.plan().asks.iter().map(|ask| ask.feed).collect();
    assert_eq!(order, [b, a]);
    let mut bench = Bench::new(1);
    let (a, b) = (bench.open(0, 0), bench.open(0, 50));
    let mut turns = Vec::new();
    for _ in 0..4 {
        let plan = bench.plan();
        assert_eq!(plan.asks.len(), 1);
        assert!(plan.wait < POLL, "another one waits");
        turns.push(plan.asks[0].feed);
        bench.state.release(&plan.asks);
    }
    assert_eq!(turns, [a, b, a, b]);
}

#[test]
fn a_new_leader_is_asked_for_the_epoch_before_its_records() {
    let mut bench = Bench::new(1);
    let feed = bench.open(0, 0);
    let ask = bench.ask();
    bench.answer(&ask, batches(0, 1, 0), 10);
    let ask = bench.ask();
    assert_eq!(bench.refuse(&ask, 6), Outcome::Nothing, "not the leader any more");
    assert!(bench.state.wants_metadata());
    assert!(bench.plan().asks.is_empty(), "nobody is asked before the metadata are read");
    assert!(bench.state.trouble().unwrap().contains("NOT_LEADER_OR_FOLLOWER"));
    bench.lead(0, TWO, 1);
    assert!(bench.plan().asks.is_empty() && bench.plan().checks.is_empty(), "it moved to another node");
    let plan = bench.state.plan(TWO, bench.now);
    assert!(plan.asks.is_empty());
    let check = plan.checks[0];
    assert_eq!((check.position, check.epoch, check.leader_epoch), (Offset(10), 0, 1));
    assert_eq!(bench.state.checked(&check, 0, 10), Outcome::Nothing);
    let ask = bench.state.plan(TWO, bench.now).asks[0];
    assert_eq!((ask.position, ask.leader_epoch, ask.feed), (Offset(10), 1, feed));
    // Old news do not lead back.
    bench.lead(0, ONE, 0);
    assert_eq!(bench.state.parts[0].leader.unwrap().node, TWO);
}

/// A reader that took the first batch, with two more waiting, and a leader whose log ends at `end` in epoch `epoch`.
fn cut(epoch: i32, end: i64) -> (Bench, FeedId) {
    let mut bench = Bench::new(1);
    let feed = bench.open(0, 0);
    for from in [0, 10, 20] {
        let ask = bench.ask();
        bench.answer(&ask, batches(from, 1, 3), 30);
    }
    assert_eq!(bench.take(feed).unwrap(), Some(10));
    bench.lead(0, ONE, 4);
    for _ in 0..3 {
        let plan = bench.plan();
        bench.state.release(&plan.asks);
        let Some(check) = plan.checks.first() else { break };
        assert!(plan.asks.is_empty());
        bench.state.checked(check, epoch, end);
    }
    (bench, feed)
}

#[test]
fn only_what_was_read_makes_a_cut_log_an_error() {
    let (mut bench, feed) = cut(3, 30);
    assert_eq!(bench.ask().position, Offset(30));
    assert_eq!(bench.take(feed).unwrap(), Some(20));

    let (mut bench, feed) = cut(3, 20);
    assert_eq!(bench.ask().position, Offset(20), "the batch that is gone was not read");
    assert_eq!((bench.take(feed).unwrap(), bench.take(feed).unwrap()), (Some(20), None));

    let (mut bench, feed) = cut(3, 9);
    let error = bench.take(feed).unwrap_err();
    assert!(matches!(error, LogError::Truncated { wanted: Offset(10), end: Offset(9), .. }), "{error}");
    assert!(bench.plan().asks.is_empty());

    let (mut bench, feed) = cut(2, 800);
    assert!(bench.take(feed).is_err(), "an earlier epoch stands where what was read stood");

    let (mut bench, feed) = cut(-1, -1);
    assert_eq!(bench.ask().position, Offset(30), "not known is no cut");
    assert_eq!(bench.take(feed).unwrap(), Some(20));
}

#[test]
fn an_offset_out_of_range_is_too_early_too_late_or_passing() {
    for (start, end, expect) in [(50, 90, "starts at offset 50"), (0, 40, "ends at offset 40"), (0, 90, "")] {
        let mut bench = Bench::new(1);
        let feed = bench.open(0, 45);
        let ask = bench.ask();
        assert_eq!(bench.refuse(&ask, 1), Outcome::OutOfRange);
        bench.state.out_of_range(&ask, Offset(start), Offset(end), bench.now);
        match bench.take(feed) {
            Ok(taken) => {
                assert_eq!((expect, taken), ("", None));
                assert!(bench.plan().asks.is_empty() && bench.plan().wake.is_some(), "not at once");
                bench.now += Duration::from_secs(3);
                assert_eq!(bench.ask().position, Offset(45));
            }
            Err(error) => assert!(!expect.is_empty() && error.to_string().contains(expect), "{error}"),
        }
    }
}

#[test]
fn what_cannot_pass_is_told_after_what_came_before() {
    for code in [29, 2] {
        let mut bench = Bench::new(1);
        let feed = bench.open(0, 0);
        let ask = bench.ask();
        bench.answer(&ask, batches(0, 1, 0), 10);
        let ask = bench.ask();
        assert_eq!(bench.refuse(&ask, code), Outcome::News);
        assert_eq!(bench.take(feed).unwrap(), Some(10));
        assert!(!bench.take(feed).unwrap_err().is_transient());
        assert!(bench.plan().asks.is_empty());
    }
    let mut bench = Bench::new(1);
    let feed = bench.open(0, 0);
    let ask = bench.ask();
    let mut old = batches(0, 1, 0).to_vec();
    old[16] = 1;
    assert_eq!(bench.answer(&ask, old.into(), 10), Outcome::News);
    let error = bench.take(feed).unwrap_err().to_string();
    assert!(error.contains("message format 1") && error.contains("\"votes\""), "{error}");
}

#[test]
fn an_answer_to_a_reader_that_is_gone_or_was_led_back_is_dropped() {
    let mut bench = Bench::new(1);
    let feed = bench.open(0, 0);
    let ask = bench.ask();
    bench.state.feeds.remove(&feed);
    assert_eq!(bench.answer(&ask, batches(0, 1, 0), 0), Outcome::Nothing);
    let feed = bench.open(0, 7);
    assert_eq!(bench.answer(&ask, batches(0, 1, 0), 0), Outcome::Nothing);
    assert_eq!(bench.take(feed).unwrap(), None);
}

#[test]
fn who_waits_is_woken_by_records_failures_and_new_ends_only() {
    let mut bench = Bench::new(2);
    let past = |offset| [Offset(offset), Offset(u64::MAX)];
    let feed = bench.open(0, 0);
    bench.state.learn_stable(&[Offset(100), Offset(100)]);
    assert!(bench.state.has_past(&past(0)), "a new end");
    assert!(!bench.state.has_past(&past(0)), "once: nothing is here yet");
    let ask = bench.ask();
    bench.answer(&ask, batches(0, 2, 0), 100);
    assert!(
        bench.state.has_past(&past(0)) && bench.state.has_past(&past(19)),
        "for as long as it is not read"
    );
    assert!(!bench.state.has_past(&past(20)));
    assert_eq!(bench.take(feed).unwrap(), Some(20));
    assert!(bench.state.has_past(&past(10)), "half of what was taken is not read");
    assert!(!bench.state.has_past(&past(20)));
    let ask = bench.ask();
    assert_eq!(bench.answer(&ask, Bytes::new(), 100), Outcome::Nothing);
    let ask = bench.ask();
    assert_eq!(bench.answer(&ask, Bytes::new(), 101), Outcome::News, "a new end alone");
    assert!(bench.state.has_past(&past(20)));
    assert!(!bench.state.has_past(&[Offset(u64::MAX); 2]), "not interested");
    // Another reader of the partition holds what this one waits for: that does not help it.
    let other = bench.open(0, 20);
    let ask = bench.plan().asks[0];
    assert_eq!(ask.feed, other);
    bench.answer(&ask, batches(20, 1, 0), 101);
    assert!(!bench.state.has_past(&past(20)));
    // Of a partition that nobody reads only the end is known, and stands.
    assert!(bench.state.unread(&[Offset(5); 2]) && !bench.state.unread(&past(5)));
    assert!(bench.state.has_past(&[Offset(u64::MAX), Offset(5)]));
    assert!(bench.state.has_past(&[Offset(u64::MAX), Offset(5)]));
    bench.state.fail_all(&LogError::Closed);
    assert!(bench.state.has_past(&past(500)));
}
