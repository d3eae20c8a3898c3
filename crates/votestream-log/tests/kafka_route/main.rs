//! Routing on a real broker: each voter in one partition, each source offset once, whatever is killed or stopped.

#[path = "../kafka_common/mod.rs"]
mod kafka_common;

#[path = "../kafka_reader/cluster.rs"]
mod cluster;

mod topic;

mod process;

mod fail_over;

/// What a cluster of a test's own needs.
mod support {
    pub use crate::kafka_common::names::variable;
    pub use crate::kafka_common::waiting::{PATIENCE, until};
}

use kafka_common::{PATIENCE, broker, eventually, topic};
use process::RouterProcess;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use topic::{Copied, Sent, read_copy, scatter, voter_of};
use votestream_election::Offset;
use votestream_election::partitioner::murmur2_partition;
use votestream_log::{
    KafkaUrl, LogError, LogReader, LogUrl, RouteOptions, RouteSummary, copy_of, create_copy, create_topic,
    route,
};

/// Who reads where a test's cluster makes URLs.
const READER: votestream_log::ReaderKind = votestream_log::ReaderKind::Native;
const SESSION_MS: u32 = 6_000;
const PARTITIONS: u32 = 4;
const UNTIL_END: RouteOptions = RouteOptions { until_end: true, from_log_start: false };

fn run(url: &KafkaUrl, options: RouteOptions) -> Result<RouteSummary, LogError> {
    let started = Instant::now();
    let stop = move || started.elapsed() > PATIENCE;
    route(url, options, &mut |value| voter_of(value), &stop, &mut |_| {})
}

/// Each record that was sent is in the copy once, as it was, where its voter belongs, and in its source's order.
fn check(url: &KafkaUrl, sent: &[Sent]) {
    let copied = read_copy(&copy_of(url));
    let mut by_place: BTreeMap<(u32, u64), &Copied> = BTreeMap::new();
    for copy in &copied {
        let twice = by_place.insert((copy.from_partition, copy.from_offset), copy);
        assert!(twice.is_none(), "{:?} was copied twice", (copy.from_partition, copy.from_offset));
    }
    assert_eq!(by_place.len(), sent.len(), "every record once");
    for record in sent {
        let copy = by_place[&(record.partition, record.offset)];
        let voter = record.value.as_deref().and_then(voter_of);
        let belongs = voter.as_ref().map_or(record.partition, |voter| murmur2_partition(voter, PARTITIONS).0);
        assert_eq!(copy.partition, belongs, "{record:?}");
        assert_eq!((&copy.key, copy.timestamp), (&voter, record.timestamp), "{record:?}");
        if record.value.as_ref().is_some_and(|value| value.len() > 65_536) {
            assert!(copy.too_large && copy.value.as_ref().is_some_and(|value| value.len() == 256));
        } else {
            assert_eq!(copy.value, record.value);
        }
    }
    let mut last: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    for copy in &copied {
        let before = last.insert((copy.partition, copy.from_partition), copy.from_offset);
        assert!(before < Some(copy.from_offset), "a source's order is kept");
    }
}

/// Not a test: what the processes of [`RouterProcess`] run. Run with the others it has nothing to do.
#[test]
fn router_process() {
    process::router();
}

#[test]
fn a_scattered_topic_is_copied_by_voter_once() {
    let url = topic(&broker(), "scattered", PARTITIONS, SESSION_MS);
    let mut sent = scatter(&url, PARTITIONS, 20_000);
    // No voter: not JSON, no id, no value; too large to keep.
    let large = vec![b'x'; 100_000];
    let odd: [Option<&[u8]>; 5] = [Some(b"no vote"), Some(b"{}"), None, Some(b""), Some(&large)];
    sent.extend(topic::send(&url, odd.map(|value| (2, 1_730_800_000_000, value.map(<[u8]>::to_vec)))));
    let done = run(&url, UNTIL_END).unwrap();
    assert!(done.complete);
    assert_eq!((done.routed, done.voterless, done.too_large), (20_005, 5, 1));
    check(&url, &sent);

    let again = run(&url, UNTIL_END).unwrap();
    assert_eq!((again.complete, again.routed), (true, 0), "nothing is left");
    sent.extend(topic::send(&url, [(0, 1, Some(b"{\"id\":7}".to_vec()))]));
    assert_eq!(run(&url, UNTIL_END).unwrap().routed, 1, "goes on where it ended");
    check(&url, &sent);
}

#[test]
fn a_router_killed_inside_its_transactions_loses_and_doubles_nothing() {
    const KILLS: u64 = 10;
    let url = topic(&broker(), "killed", PARTITIONS, SESSION_MS);
    let sent = scatter(&url, PARTITIONS, 400_000);
    create_copy(&url, UNTIL_END).unwrap();
    let copy = LogReader::open_url(&LogUrl::Kafka(copy_of(&url))).unwrap();
    let mut inside = 0;
    let (mut kills, mut chance) = (0, 0x9e37_79b9_7f4a_7c15_u64);
    while kills < KILLS {
        let before: u64 = copy.high_watermarks().unwrap().iter().map(|end| end.0).sum();
        let mut router = RouterProcess::start(&url, true);
        // A killed router's member holds the group up until its session is over: only then does this one copy.
        // The markers that end what the last one had begun move the copy's ends, too; a transaction is open only then.
        let moved = || {
            let ends = copy.high_watermarks().unwrap();
            ends.iter().map(|end| end.0).sum::<u64>() > before && ends != copy.refresh_ends().unwrap()
        };
        eventually("it copies", || (moved() || router.is_done()).then_some(()));
        if router.is_done() {
            break;
        }
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        let pause = Instant::now() + Duration::from_millis(chance % 60);
        while Instant::now() < pause {
            std::thread::yield_now();
        }
        router.kill();
        kills += 1;
        inside += u64::from(copy.high_watermarks().unwrap() != copy.refresh_ends().unwrap());
    }
    println!("{kills} kills, {inside} of them with a transaction open");
    assert!(kills == KILLS && inside * 2 >= kills, "{kills} kills, {inside} inside a transaction");
    let mut last = RouterProcess::start(&url, true);
    eventually("the rest is routed", || last.is_done().then_some(()));
    check(&url, &sent);
}

#[test]
fn two_routers_at_once_share_the_work() {
    let url = topic(&broker(), "two", PARTITIONS, SESSION_MS);
    let sent = scatter(&url, PARTITIONS, 100_000);
    let results = std::thread::scope(|scope| {
        let routers = [scope.spawn(|| run(&url, UNTIL_END)), scope.spawn(|| run(&url, UNTIL_END))];
        routers.map(|router| router.join().unwrap().unwrap())
    });
    assert!(results.iter().all(|done| done.complete), "{results:?}");
    let routed: u64 = results.iter().map(|done| done.routed).sum();
    assert_eq!(routed, 100_000, "{results:?}");
    check(&url, &sent);
}

#[test]
fn a_router_stopped_in_the_middle_is_replaced_and_fenced_when_it_wakes() {
    let url = topic(&broker(), "frozen", PARTITIONS, SESSION_MS);
    let mut sent = scatter(&url, PARTITIONS, 200_000);
    create_copy(&url, UNTIL_END).unwrap();
    let copy = LogReader::open_url(&LogUrl::Kafka(copy_of(&url))).unwrap();
    let frozen = RouterProcess::start(&url, false);
    eventually("it copies", || copy.high_watermarks().unwrap().iter().any(|end| end.0 > 0).then_some(()));
    frozen.signal("STOP");
    let done = run(&url, UNTIL_END).unwrap();
    assert!(done.complete && done.routed > 0, "{done:?}");
    frozen.signal("CONT");
    sent.extend(topic::send(
        &url,
        (0..1000).map(|id| (id % PARTITIONS, 5, Some(format!("{{\"id\":{id}}}").into_bytes()))),
    ));
    assert!(run(&url, UNTIL_END).unwrap().complete, "beside the woken one");
    check(&url, &sent);
    drop(frozen);
}

#[test]
fn routing_follows_until_it_is_stopped() {
    let url = topic(&broker(), "follow", PARTITIONS, SESSION_MS);
    create_copy(&url, RouteOptions::default()).unwrap();
    let stopped = AtomicBool::new(false);
    let mut sent = Vec::new();
    let done = std::thread::scope(|scope| {
        let router = scope.spawn(|| {
            let stop = || stopped.load(Ordering::Acquire);
            route(&url, RouteOptions::default(), &mut |value| voter_of(value), &stop, &mut |_| {})
        });
        let reader = LogReader::open_url(&LogUrl::Kafka(copy_of(&url))).unwrap();
        for round in 1..=3_u64 {
            sent.extend(scatter(&url, PARTITIONS, 1_000));
            let all = |ends: Vec<Offset>| ends.iter().map(|end| end.0).sum::<u64>() >= round * 1_000;
            eventually("they are copied", || all(reader.refresh_ends().unwrap()).then_some(()));
        }
        stopped.store(true, Ordering::Release);
        router.join().unwrap().unwrap()
    });
    assert_eq!((done.routed, done.complete), (3_000, false));
    check(&url, &sent);
}

#[test]
fn a_copy_made_anew_is_filled_anew_and_forgotten_positions_are_found() {
    let url = topic(&broker(), "anew", PARTITIONS, SESSION_MS);
    let sent = scatter(&url, PARTITIONS, 2_000);
    assert_eq!(run(&url, UNTIL_END).unwrap().routed, 2_000);
    topic::delete(&copy_of(&url));
    assert_eq!(run(&url, UNTIL_END).unwrap().routed, 2_000, "the positions were those of the old copy");
    check(&url, &sent);
    let id = LogReader::open_url(&LogUrl::Kafka(url.clone())).unwrap().log_id();
    topic::forget_group(&url, &format!("votestream-route-{id}"));
    assert_eq!(run(&url, UNTIL_END).unwrap().routed, 0, "the headers told");
    check(&url, &sent);
}

#[test]
fn a_copy_that_takes_small_batches_only_is_filled_with_small_ones() {
    let url = topic(&broker(), "small", PARTITIONS, SESSION_MS);
    let sent = scatter(&url, PARTITIONS, 20_000);
    topic::create(&copy_of(&url), PARTITIONS, &[("max.message.bytes", "5000")]);
    let done = run(&url, UNTIL_END).unwrap();
    assert!(done.complete && done.aborted > 0, "{done:?}");
    check(&url, &sent);

    topic::delete(&copy_of(&url));
    topic::create(&copy_of(&url), PARTITIONS, &[("max.message.bytes", "120")]);
    let error = run(&url, UNTIL_END).unwrap_err();
    assert!(error.to_string().contains("raise its max.message.bytes"), "{error}");
}

#[test]
fn what_cannot_be_routed_is_refused_with_a_sentence() {
    let url = topic(&broker(), "refused", PARTITIONS, SESSION_MS);
    create_topic(&copy_of(&url), PARTITIONS + 1, 1).unwrap();
    let error = run(&url, UNTIL_END).unwrap_err();
    assert!(matches!(error, LogError::Repartitioned { .. }), "{error}");

    let twice = topic(&broker(), "refused", PARTITIONS, SESSION_MS);
    let error = run(&copy_of(&create_copy(&twice, UNTIL_END).unwrap()), UNTIL_END).unwrap_err();
    assert!(matches!(error, LogError::NoSuchTopic { .. }), "{error}");
    let error = run(&copy_of(&twice), UNTIL_END).unwrap_err();
    assert!(error.to_string().contains("without --route"), "{error}");

    let gone = topic(&broker(), "refused", PARTITIONS, SESSION_MS);
    scatter(&gone, PARTITIONS, 100);
    topic::delete_records(&gone, 3);
    let error = run(&gone, UNTIL_END).unwrap_err();
    assert!(error.to_string().contains("--from-log-start"), "{error}");
    let taken = RouteOptions { from_log_start: true, ..UNTIL_END };
    assert_eq!(run(&gone, taken).unwrap().routed, 100 - 3 * u64::from(PARTITIONS));

    let missing = KafkaUrl::new([broker()], kafka_common::unique("nowhere"));
    assert!(matches!(run(&missing, UNTIL_END).unwrap_err(), LogError::NoSuchTopic { .. }));
}
