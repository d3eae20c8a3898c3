//! Consumer groups on a real broker: every partition has one owner, whoever joins, leaves, stops or dies.

#[path = "../kafka_common/mod.rs"]
mod kafka_common;

mod member;

use kafka_common::{Broker, PATIENCE, broker, eventually, topic, unique};
use member::Member;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use votestream_election::PartitionId;
use votestream_log::{Group, KafkaUrl, LogError};

/// The least session timeout that a broker takes without being told otherwise.
const SESSION_MS: u32 = 6_000;

fn ids(partitions: &[PartitionId]) -> BTreeSet<u32> {
    partitions.iter().map(|id| id.0).collect()
}

fn held(group: &Group) -> BTreeSet<u32> {
    ids(&group.assignment().partitions)
}

/// Whether these together hold each partition once, and each of them some if there are enough.
fn covers(sets: &[BTreeSet<u32>], partitions: u32) -> bool {
    let all: BTreeSet<u32> = sets.iter().flatten().copied().collect();
    let held: usize = sets.iter().map(BTreeSet::len).sum();
    let fair = sets.iter().all(|set| !set.is_empty() || partitions < sets.len() as u32);
    held == partitions as usize && all == (0..partitions).collect() && fair
}

#[track_caller]
fn await_cover(what: &str, groups: &[&Group], partitions: u32) -> Vec<BTreeSet<u32>> {
    eventually(what, || {
        let sets: Vec<_> = groups.iter().map(|group| held(group)).collect();
        covers(&sets, partitions).then_some(sets)
    })
}

/// Not a test: what the processes of [`Member`] run. Run with the others it has nothing to do.
#[test]
fn member_process() {
    member::member();
}

#[test]
fn members_share_all_partitions_keep_what_they_can_and_hand_over_when_they_leave() {
    let url = topic(&broker(), "share", 6, SESSION_MS);
    let id = unique("votestream-share");
    let first = Group::join(&url, &id).unwrap();
    let change = first.wait_change(0, PATIENCE).unwrap();
    assert_eq!(ids(&change.partitions), (0..6).collect(), "one member has all");

    let second = Group::join(&url, &id).unwrap();
    let sets = await_cover("two members", &[&first, &second], 6);
    assert_eq!([sets[0].len(), sets[1].len()], [3, 3]);
    assert_eq!(first.members(), Some(2));

    let third = Group::join(&url, &id).unwrap();
    let after = await_cover("three members", &[&first, &second, &third], 6);
    assert!(after[0].is_subset(&sets[0]) && after[1].is_subset(&sets[1]), "kept: {sets:?}, {after:?}");

    let left = Instant::now();
    second.leave();
    let rest = await_cover("two of three", &[&first, &third], 6);
    assert!(rest[0].is_superset(&after[0]) && rest[1].is_superset(&after[2]), "kept: {after:?}, {rest:?}");
    let took = left.elapsed();
    assert!(took < Duration::from_millis(SESSION_MS.into()), "{took:?}: the session was not waited for");
    drop(first);
    await_cover("one of three", &[&third], 6);
}

#[test]
fn no_two_members_show_a_partition_at_one_time_through_a_storm_of_joins_and_leaves() {
    const JOINS: u32 = 20;
    let url = topic(&broker(), "storm", 8, SESSION_MS);
    let id = unique("votestream-storm");
    let mut members = vec![Group::join(&url, &id).unwrap(), Group::join(&url, &id).unwrap()];
    let mut looks = 0;
    for round in 0..JOINS {
        members.push(Group::join(&url, &id).unwrap());
        // Some leave while the others still make room for the last one, some after.
        let pause = Instant::now() + Duration::from_millis(u64::from(round % 5) * 120);
        while Instant::now() < pause {
            looks += 1;
            for one in &members {
                for other in members.iter().filter(|other| !std::ptr::eq(*other, one)) {
                    let before = one.assignment();
                    let meanwhile = other.assignment();
                    if one.assignment().generation == before.generation {
                        let both = &ids(&before.partitions) & &ids(&meanwhile.partitions);
                        assert!(both.is_empty(), "round {round}: {both:?} shown by two at one time");
                    }
                }
            }
        }
        members.remove(if round % 2 == 0 { 0 } else { members.len() / 2 }).leave();
    }
    assert!(looks > 100, "{looks} looks");
    members.push(Group::join(&url, &id).unwrap());
    await_cover("after the storm", &members.iter().collect::<Vec<_>>(), 8);
}

#[test]
fn a_member_stopped_beyond_its_session_loses_its_partitions_and_says_so_when_it_wakes() {
    let url = topic(&broker(), "stopped", 4, SESSION_MS);
    let id = unique("votestream-stopped");
    let (mut one, two) = (Member::start(&url, &id), Member::start(&url, &id));
    let cover = |sets: &[BTreeSet<u32>]| covers(sets, 4).then_some(());
    eventually("both have some", || cover(&[one.seen().1, two.seen().1]));
    let (before, had) = two.seen();
    two.signal("STOP");
    eventually("the first has all", || (one.seen().1.len() == 4).then_some(()));
    assert_eq!(two.seen(), (before, had.clone()), "it sleeps");
    two.signal("CONT");
    // The first thing it tells after waking is the loss, not a share of what it had.
    let woken = eventually("the loss is told", || Some(two.seen()).filter(|(now, _)| *now > before));
    if woken.0 == before + 1 {
        assert!(woken.1.is_empty(), "{woken:?} after {had:?}");
    }
    eventually("both have some again", || cover(&[one.seen().1, two.seen().1]));
    one.leave();
    eventually("the woken one has all", || (two.seen().1.len() == 4).then_some(()));
}

#[test]
fn a_killed_member_is_replaced_after_its_session() {
    let url = topic(&broker(), "killed", 4, SESSION_MS);
    let id = unique("votestream-killed");
    let (one, two) = (Member::start(&url, &id), Member::start(&url, &id));
    eventually("both have some", || covers(&[one.seen().1, two.seen().1], 4).then_some(()));
    let killed = Instant::now();
    two.signal("KILL");
    eventually("the first has all", || (one.seen().1.len() == 4).then_some(()));
    let took = killed.elapsed();
    let bound = Duration::from_millis(u64::from(SESSION_MS) + 5_000);
    assert!(took < bound, "{took:?}");
}

#[test]
fn a_restarted_broker_finds_its_group_again() {
    let mut own = Broker::start();
    let url = eventually("the topic is made", || {
        let url = KafkaUrl::new([own.address()], unique("restart"));
        votestream_log::create_topic(&url, 4, 1).is_ok_and(|made| made).then_some(url)
    });
    let id = unique("votestream-restart");
    let (one, two) = (Group::join(&url, &id).unwrap(), Group::join(&url, &id).unwrap());
    await_cover("before", &[&one, &two], 4);
    own.kill();
    // Longer than the broker needs to start again, and no busy loop meanwhile: both keep what they have or show less, never more.
    own.run();
    await_cover("after", &[&one, &two], 4);
    one.leave();
    await_cover("after that", &[&two], 4);
    own.kill();
    let leaving = Instant::now();
    drop(two);
    assert!(
        leaving.elapsed() < Duration::from_secs(10),
        "leaving waits for no broker: {:?}",
        leaving.elapsed()
    );
}

#[test]
fn a_topic_that_is_not_there_and_a_broker_that_is_not_are_told_apart() {
    let missing = KafkaUrl::new([broker()], unique("nowhere"));
    let group = Group::join(&missing, &unique("votestream-nowhere")).unwrap();
    let error = group.wait_change(0, PATIENCE).unwrap_err();
    assert!(matches!(error, LogError::NoSuchTopic { .. }), "{error}");

    let away = KafkaUrl::new(["127.0.0.1:1"], "votes");
    let group = Group::join(&away, "votestream-away").unwrap();
    let said = eventually("the trouble is told", || group.trouble());
    assert!(!said.is_empty());
    let still = group.wait_change(0, Duration::from_millis(50)).unwrap();
    assert_eq!((still.generation, still.partitions.len()), (0, 0), "waited for, no error");
}
