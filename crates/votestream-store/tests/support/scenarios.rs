//! What every backend must do: one scenario a function. Each backend's own test file runs them all on its constructor.

use super::{Entry, NOW, Site, Worker, election, pin, reload, start, take_over, vote};
use proptest::prelude::*;
use votestream_election::delta::{DeskAction, Engine, FlushOutcome, Pin};
use votestream_election::election::DuplicatePolicy;
use votestream_election::ledger::{Digest, LEAF_OFFSETS};
use votestream_election::partitioner::PartitionerSet;
use votestream_election::protocol::Resolution;
use votestream_election::releases::{BlockKind, ReleaseBlock};
use votestream_election::{CandidateIx, LogId, Millis, Minute, Offset, PartitionId, RegionIx, RejectReason};
use votestream_store::{
    ArchiveHead, Compaction, Creation, DeskStore, HeadStore, ReaderStore, StoreError, WriterStore,
};

#[allow(unused_imports, reason = "test files without the conformance suite use none of them")]
pub use super::outside::{
    an_election_changes_its_engine_and_back, attempts_are_kept_until_they_are_swept,
    changes_of_votes_and_empty_partitions_change_engine, files_of_voters_are_swapped_whole,
    ranges_counted_outside_are_read_back_and_sealed_later, what_lies_outside_must_add_up,
};

fn committed(outcome: FlushOutcome) -> u64 {
    match outcome {
        FlushOutcome::Committed { sequence } => sequence,
        FlushOutcome::Fenced(partitions) => panic!("fenced: {partitions:?}"),
    }
}

/// What a flush wrote is what snapshots, cells, reloads and a takeover say.
pub fn a_flush_is_read_back_whole(site: &Site) {
    let election = election();
    let (mut store, mut workers) = start(&site.url, &election, 4);
    let reader = ReaderStore::open(&site.url).unwrap();
    let before = reader.snapshot(&election.id).unwrap();
    assert_eq!((before.sequence, before.as_of, before.totals.iter().sum::<u64>()), (0, None, 0));
    assert_eq!(before.totals.len(), 51 * 4);

    let deltas: Vec<_> = workers
        .iter_mut()
        .enumerate()
        .map(|(i, w)| {
            let voter = 100 * i as u64;
            w.seal(&[
                vote(voter, 3, 1),
                vote(voter + 1, 50, 0),
                Entry::Duplicate,
                Entry::Reject(RejectReason::UnderAge),
                Entry::Skip,
            ])
        })
        .collect();
    assert_eq!(committed(store.flush(&election.id, &deltas, NOW).unwrap()), 4);
    let deltas: Vec<_> = workers[1..3].iter_mut().map(|w| w.seal(&[vote(7_000 + w.next.0, 3, 1)])).collect();
    assert_eq!(committed(store.flush(&election.id, &deltas, Millis(NOW.0 + 5)).unwrap()), 6);

    let now = reader.snapshot(&election.id).unwrap();
    assert_eq!((now.sequence, now.as_of), (6, Some(Millis(NOW.0 + 5))));
    assert_eq!(now.totals[3 * 4 + 1], 6);
    assert_eq!(now.totals[50 * 4], 4);
    assert_eq!(now.rejects, [(RejectReason::UnderAge, 4)]);
    let counted: u64 = now.progress.iter().map(|p| p.counted).sum();
    assert_eq!((counted, now.totals.iter().sum::<u64>()), (10, 10));
    for p in &now.progress {
        assert_eq!(p.records() + p.skipped, p.next_offset.0 - p.start_offset.0);
    }
    let cells = store.full_cells(&election.id).unwrap();
    let by_candidate: Vec<u64> = cells
        .chunks(election.layout().cells())
        .flat_map(|c| election.layout().by_candidate(c))
        .map(|v| v as u64)
        .collect();
    assert_eq!(by_candidate, now.totals);
    assert_eq!(reload(&store, &election, 1), [100, 101, 7_005]);
    assert_eq!(store.snapshot(&election.id).unwrap(), now);

    let state = &store.take_over(&election.id, &[PartitionId(1)], Engine::Native).unwrap()[0];
    assert_eq!(state.progress.next_offset, Offset(6));
    assert_eq!(state.progress.epoch, 2);
    assert_eq!(state.totals[3 * 4 + 1], 2);
    assert_eq!(state.open_leaf, now.ledger[1].open);
    reader.verify(&election.id).unwrap();
}

/// A delta of another offset, epoch or engine changes nothing; the rest can be sent again.
pub fn a_failed_fence_commits_nothing(site: &Site) {
    let election = election();
    let (mut store, mut workers) = start(&site.url, &election, 3);
    let good: Vec<_> = workers.iter_mut().map(|w| w.seal(&[vote(u64::from(w.partition.0), 0, 0)])).collect();
    let fences: [fn(&mut Worker); 3] =
        [|w| w.next = Offset(99), |w| w.epoch += 1, |w| w.engine = Engine::Spark];
    for spoil in fences {
        let mut workers = take_over_without_raising(&store, &election, 3);
        spoil(&mut workers[1]);
        let bad: Vec<_> =
            workers.iter_mut().map(|w| w.seal(&[vote(u64::from(w.partition.0), 0, 0)])).collect();
        let outcome = store.flush(&election.id, &bad, NOW).unwrap();
        assert_eq!(outcome, FlushOutcome::Fenced(vec![PartitionId(1)]));
        assert_eq!(store.snapshot(&election.id).unwrap().sequence, 0);
    }
    let rest = [good[0].clone(), good[2].clone()];
    assert_eq!(committed(store.flush(&election.id, &rest, NOW).unwrap()), 2);
    // The same once more: not doubled, but refused.
    let outcome = store.flush(&election.id, &rest, NOW).unwrap();
    assert_eq!(outcome, FlushOutcome::Fenced(vec![PartitionId(0), PartitionId(2)]));
    assert_eq!(committed(store.flush(&election.id, &good[1..2], NOW).unwrap()), 3);
    assert_eq!(store.snapshot(&election.id).unwrap().totals[0], 3);
}

fn take_over_without_raising(
    store: &WriterStore,
    election: &votestream_election::Election,
    partitions: usize,
) -> Vec<Worker> {
    let snapshot = store.snapshot(&election.id).unwrap();
    (0..partitions)
        .map(|p| {
            let state = votestream_election::delta::PartitionState {
                progress: snapshot.progress[p].clone(),
                totals: vec![0; snapshot.totals.len()],
                chain: snapshot.ledger[p].chain,
                leaves: snapshot.ledger[p].leaves,
                open_leaf: snapshot.ledger[p].open.clone(),
            };
            Worker::new(election, state)
        })
        .collect()
}

/// Who was overtaken cannot commit any more, and what it had committed is there.
pub fn a_takeover_fences_the_older_worker(site: &Site) {
    let election = election();
    let (mut store, mut old) = start(&site.url, &election, 2);
    let delta = old[0].seal(&[vote(1, 0, 0)]);
    committed(store.flush(&election.id, &[delta], NOW).unwrap());
    let mut new = take_over(&mut store, &election, 2);
    let late = old[0].seal(&[vote(2, 0, 0)]);
    let outcome = store.flush(&election.id, std::slice::from_ref(&late), NOW).unwrap();
    assert_eq!(outcome, FlushOutcome::Fenced(vec![PartitionId(0)]));
    assert_eq!(store.resolve(&election.id, &late).unwrap(), Resolution::Reload);
    assert_eq!(new[0].next, Offset(1));
    let delta = new[0].seal(&[vote(2, 0, 0)]);
    let Resolution::ApplyAgain { epoch } = store.resolve(&election.id, &delta).unwrap() else {
        panic!("applied")
    };
    assert!(epoch >= 2, "{epoch}");
    // Sealed under the epoch of the takeover: good, though a backend may have raised it to learn what became of the delta.
    committed(store.flush(&election.id, std::slice::from_ref(&delta), NOW).unwrap());
    assert!(matches!(store.resolve(&election.id, &delta).unwrap(), Resolution::Committed { .. }));
    assert_eq!(reload(&store, &election, 0), [1, 2]);
}

/// Closed and opened again, a store goes on where it stopped, in memory and on disk.
pub fn counting_resumes_after_a_restart(site: &Site) {
    let election = election();
    let mut expect = Vec::new();
    for run in 0..4_u64 {
        let (mut store, mut workers) = start(&site.url, &election, 2);
        for flush in 0..3_u64 {
            let voter = run * 100 + flush;
            expect.push(voter);
            let delta = workers[1].seal(&[vote(voter, 9, 2), Entry::Reject(RejectReason::Malformed)]);
            committed(store.flush(&election.id, &[delta], NOW).unwrap());
        }
        assert_eq!(store.snapshot(&election.id).unwrap().totals[9 * 4 + 2], expect.len() as u64);
        assert_eq!(reload(&store, &election, 1), expect);
        assert_eq!(store.create_or_resume(&election, &pin(2), NOW).unwrap(), Creation::Resumed);
    }
    let reader = ReaderStore::open(&site.url).unwrap();
    let rejects = reader.rejects(&election.id, 100, None).unwrap();
    let offsets: Vec<_> = rejects.iter().map(|(p, o, _)| (p.0, o.0)).collect();
    assert_eq!(offsets, (0..12).map(|i| (1, 2 * i + 1)).collect::<Vec<_>>());
    reader.verify(&election.id).unwrap();
}

type Spoil = fn(&mut votestream_election::delta::PartitionDelta);

/// A delta that does not add up is refused by what is wrong with it, and nothing of it stays.
pub fn a_delta_that_does_not_add_up_is_refused(site: &Site) {
    let election = election();
    let (mut store, mut workers) = start(&site.url, &election, 2);
    let good = workers[0].seal(&[vote(1, 0, 0), Entry::Reject(RejectReason::UnderAge)]);
    let spoils: [(&str, Spoil); 8] = [
        ("counted + duplicate + rejected + skipped", |d| d.counts.skipped += 1),
        ("the number of rejects", |d| d.rejects.clear()),
        ("the offset of a reject", |d| d.rejects[0].0 = d.to),
        ("the sum of the tally", |d| d.tally[0].1[0] += 1),
        ("the number of seen voters", |d| d.seen.clear()),
        ("the length of a timeline row", |d| d.timeline[0].totals.truncate(3)),
        ("the next leaf of the ledger", |d| {
            d.leaves.push(votestream_election::ledger::LeafSeal {
                number: 5,
                records: 1,
                digest: Digest::default(),
                chain: Digest::default(),
            });
        }),
        ("the length of its range", |d| d.to = d.fence.from),
    ];
    for (what, spoil) in spoils {
        let mut bad = good.clone();
        spoil(&mut bad);
        let error = store.flush(&election.id, &[bad], NOW).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
        assert!(!error.is_transient());
    }
    let mut negative = good.clone();
    let cells = &mut negative.tally[0].1;
    let (at, other) =
        (cells.iter().position(|c| *c == 1).unwrap(), cells.iter().position(|c| *c == 0).unwrap());
    (cells[at], cells[other]) = (2, -1);
    let error = store.flush(&election.id, &[negative], NOW).unwrap_err();
    assert!(error.to_string().contains("a cell of the tally"), "{error}");
    let disordered = [workers[1].seal(&[Entry::Skip]), good.clone()];
    store.flush(&election.id, &disordered, NOW).unwrap_err();
    committed(store.flush(&election.id, &[good], NOW).unwrap());
    assert_eq!(store.snapshot(&election.id).unwrap().totals.iter().sum::<u64>(), 1);
}

/// Another definition or log is refused by name; the same is resumed.
pub fn what_is_pinned_is_compared(site: &Site) {
    let election = election();
    let (mut store, _) = start(&site.url, &election, 2);
    let mut check = |election: &votestream_election::Election, pin: &Pin, expect: &str| {
        let error = store.create_or_resume(election, pin, NOW).unwrap_err();
        assert!(matches!(error, StoreError::Pinned { .. }), "{error:?}");
        assert!(error.to_string().contains(expect), "{error}");
    };
    check(&election, &Pin { log_id: LogId(8), ..pin(2) }, "log 00000000-0000-0000-0000-000000000007");
    check(&election, &pin(3), "partitions 2 and is given 3");
    check(&election, &Pin { log_kind: "kafka".into(), ..pin(2) }, "dir and is given kafka");
    let mut other = election.clone();
    other.duplicate = DuplicatePolicy::Last;
    check(&other, &pin(2), "definition duplicate \"first\" and is given \"last\"");
    let moved = Pin { start_offsets: vec![Offset(5); 2], ..pin(2) };
    assert_eq!(store.create_or_resume(&election, &moved, NOW).unwrap(), Creation::Resumed);
    assert_eq!(store.pin(&election.id).unwrap(), pin(2));
}

/// The set of possible partitioners narrows with the votes; none left is refused before anything is committed.
pub fn partitioners_narrow_and_never_run_out(site: &Site) {
    let election = election();
    let (mut store, mut workers) = start(&site.url, &election, 2);
    let crc32 = PartitionerSet { murmur2: false, crc32: true };
    workers[0].partitioners = PartitionerSet::MURMUR2;
    workers[1].partitioners = crc32;
    let deltas: Vec<_> =
        workers.iter_mut().map(|w| w.seal(&[vote(u64::from(w.partition.0), 0, 0)])).collect();
    let error = store.flush(&election.id, &deltas, NOW).unwrap_err();
    assert!(matches!(error, StoreError::Partitioners { .. }), "{error}");
    assert!(error.to_string().contains("--route"));
    assert_eq!(store.pin(&election.id).unwrap().partitioners, PartitionerSet::ALL);
    committed(store.flush(&election.id, &deltas[..1], NOW).unwrap());
    assert_eq!(store.pin(&election.id).unwrap().partitioners, PartitionerSet::MURMUR2);
    store.flush(&election.id, &deltas[1..], NOW).unwrap_err();
    drop(store);
    let (mut store, _) = start(&site.url, &election, 2);
    assert_eq!(store.pin(&election.id).unwrap().partitioners, PartitionerSet::MURMUR2);
    store.flush(&election.id, &deltas[1..], NOW).unwrap_err();
}

/// Each partition's latest minute up to the one asked for; the timeline carries forward what did not move.
pub fn past_views_and_the_timeline_agree(site: &Site) {
    let election = election();
    let (mut store, mut workers) = start(&site.url, &election, 2);
    let at = |voter, minute| Entry::Vote { voter, region: 2, candidate: 1, minute };
    let reject = Entry::Reject;
    let flushes = [
        (
            0,
            vec![
                at(1, 10),
                reject(RejectReason::UnderAge),
                at(2, 10),
                at(3, 12),
                reject(RejectReason::Malformed),
            ],
        ),
        (1, vec![Entry::Skip, at(4, 11)]),
        (0, vec![at(5, 12), at(6, 15)]),
        (1, vec![reject(RejectReason::TooLarge), at(7, 15), at(8, 20)]),
    ];
    for (i, (worker, entries)) in flushes.iter().enumerate() {
        let delta = workers[*worker].seal(entries);
        committed(store.flush(&election.id, &[delta], Millis(NOW.0 + i as i64)).unwrap());
    }
    let reader = ReaderStore::open(&site.url).unwrap();
    let points = reader.timeline(&election.id, None, None).unwrap();
    let shown: Vec<_> = points
        .iter()
        .map(|p| (p.minute.0, p.counts.counted, p.counts.rejected, p.totals[2 * 4 + 1]))
        .collect();
    assert_eq!(shown, [(10, 2, 1, 2), (11, 3, 2, 3), (12, 5, 3, 5), (15, 7, 3, 7), (20, 8, 3, 8)]);
    let part = reader.timeline(&election.id, Some(Minute(12)), Some(Minute(15))).unwrap();
    assert_eq!(part, points[2..4]);

    let now = reader.snapshot(&election.id).unwrap();
    for point in &points {
        let past = reader.snapshot_at(&election.id, point.minute).unwrap();
        assert_eq!(past.totals, point.totals);
        assert_eq!(past.progress.iter().map(|p| p.counted).sum::<u64>(), point.counts.counted);
        assert_eq!(past.rejects.iter().map(|r| r.1).sum::<u64>(), point.counts.rejected);
        assert_eq!(
            (past.sequence, past.store_uuid, past.at),
            (now.sequence, now.store_uuid, Some(point.minute))
        );
        for p in &past.progress {
            assert_eq!(p.records() + p.skipped, p.next_offset.0 - p.start_offset.0);
        }
    }
    let early = reader.snapshot_at(&election.id, Minute(9)).unwrap();
    assert_eq!((early.totals.iter().sum::<u64>(), early.as_of, early.totals.len()), (0, None, 51 * 4));
    let past = reader.snapshot_at(&election.id, Minute(13)).unwrap();
    let reasons = [RejectReason::TooLarge, RejectReason::Malformed, RejectReason::UnderAge];
    assert_eq!(past.rejects, reasons.map(|reason| (reason, 1)));
    let past = reader.snapshot_at(&election.id, Minute(10)).unwrap();
    assert_eq!(past.rejects, [(RejectReason::UnderAge, 1)]);
    assert_eq!(past.as_of, Some(Millis(NOW.0)));
    let late = reader.snapshot_at(&election.id, Minute(99)).unwrap();
    assert_eq!((late.totals, late.rejects, late.as_of), (now.totals, now.rejects, now.as_of));
}

/// Acts are recorded beside whoever counts, with what was counted then; unknown regions are refused.
pub fn acts_of_the_desk_are_kept(site: &Site) {
    let election = election();
    let (mut store, mut workers) = start(&site.url, &election, 2);
    let ohio = election.regions.iter().position(|r| r.code == "OH").unwrap() as u16;
    let delta = workers[0].seal(&[vote(1, ohio, 0), vote(2, ohio, 3), vote(3, 0, 0)]);
    committed(store.flush(&election.id, &[delta], NOW).unwrap());
    let mut desk = DeskStore::open(&site.url).unwrap();
    assert_eq!(desk.election(None).unwrap(), election);
    let act = desk.desk(&election.id, DeskAction::Close, Some("oh"), Millis(5)).unwrap();
    assert_eq!((act.number, act.counted, act.region.as_deref()), (1, 2, Some("OH")));
    let act = store.desk(&election.id, DeskAction::Hold, None, Millis(NOW.0 + 6)).unwrap();
    assert_eq!((act.number, act.counted, act.region), (2, 3, None));
    let error = desk.desk(&election.id, DeskAction::Close, Some("XX"), Millis(7)).unwrap_err();
    assert!(error.to_string().contains("no region \"XX\"; it has \"AK\""), "{error}");
    let reader = ReaderStore::open(&site.url).unwrap();
    let snapshot = reader.snapshot(&election.id).unwrap();
    assert_eq!((snapshot.sequence, snapshot.as_of), (3, Some(Millis(NOW.0 + 6))));
    assert_eq!(snapshot.desk, reader.desk_acts(&election.id).unwrap());
    assert_eq!(snapshot.desk.len(), 2);
    // Counting goes on: an act does not disturb the fence.
    let delta = workers[0].seal(&[vote(4, ohio, 0)]);
    assert_eq!(committed(store.flush(&election.id, &[delta], NOW).unwrap()), 4);
}

/// A block keeps its last release until a newer one; a past view shows the release of its minute.
pub fn releases_are_kept_by_minute(site: &Site) {
    let election = election();
    let (mut store, _) = start(&site.url, &election, 1);
    let block = |region: Option<u16>, kind, cells: &[u64]| ReleaseBlock {
        region: region.map(RegionIx),
        candidate: CandidateIx(1),
        kind,
        cells: cells.to_vec(),
    };
    let nation = block(None, BlockKind::Age, &[10, 20]);
    let region = block(Some(3), BlockKind::Gender, &[30, 40]);
    let later = block(None, BlockKind::Age, &[u64::MAX, 0]);
    let id = &election.id;
    assert_eq!(store.release(id, &[region.clone(), nation.clone()], Minute(5), NOW).unwrap(), 1);
    assert_eq!(store.release(id, std::slice::from_ref(&later), Minute(8), NOW).unwrap(), 2);
    let reader = ReaderStore::open(&site.url).unwrap();
    let check = |at: Option<i64>, expect: &[&ReleaseBlock]| {
        let blocks = reader.demographics(id, at.map(Minute)).unwrap();
        assert_eq!(blocks.iter().collect::<Vec<_>>(), expect);
    };
    check(Some(4), &[]);
    check(Some(5), &[&nation, &region]);
    check(Some(7), &[&nation, &region]);
    check(Some(8), &[&later, &region]);
    check(None, &[&later, &region]);
    assert_eq!(store.demographics(id).unwrap(), [later, region]);
    // Twice in one minute: the newer stays.
    assert_eq!(store.release(id, std::slice::from_ref(&nation), Minute(8), NOW).unwrap(), 3);
    assert_eq!(reader.demographics(id, None).unwrap()[0], nation);
}

/// Small rows become few, no voter is lost, and counting goes on over them.
pub fn compaction_keeps_every_voter(site: &Site) {
    let mut election = election();
    for policy in [DuplicatePolicy::First, DuplicatePolicy::Last] {
        election.duplicate = policy;
        election.id = format!("compaction-{policy:?}").to_lowercase();
        let (mut store, mut workers) = if policy == DuplicatePolicy::First {
            start(&site.url, &election, 2)
        } else {
            let mut store = WriterStore::open(&site.url).unwrap();
            store.create_or_resume(&election, &pin(2), NOW).unwrap();
            let workers = take_over(&mut store, &election, 2);
            (store, workers)
        };
        let mut expect = Vec::new();
        let mut merged = 0;
        for flush in 0..200_u64 {
            let voters: Vec<u64> = (0..5).map(|i| flush * 7_919 + i * 104_729).collect();
            let entries: Vec<_> = voters.iter().map(|v| vote(*v, (v % 51) as u16, 0)).collect();
            // Every tenth range has no voter at all.
            let entries = if flush % 10 == 3 { vec![Entry::Skip] } else { entries };
            if flush % 10 != 3 {
                expect.extend(voters);
            }
            let delta = workers[0].seal(&entries);
            committed(store.flush(&election.id, &[delta], NOW).unwrap());
            while store.compaction_due(&election.id).unwrap() == [PartitionId(0)] {
                match store.compact_seen(&election.id, PartitionId(0)).unwrap() {
                    Compaction::Merged { rows_before, rows_after, .. } => {
                        assert!(rows_after < rows_before);
                        merged += 1;
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        assert!(merged >= 3);
        assert_eq!(store.compact_seen(&election.id, PartitionId(1)).unwrap(), Compaction::NotDue);
        expect.sort_unstable();
        let unique = {
            let mut e = expect.clone();
            e.dedup();
            e
        };
        assert_eq!(expect, unique, "the test's own voters are distinct");
        assert_eq!(reload(&store, &election, 0), expect);
        let workers = take_over(&mut store, &election, 2);
        assert_eq!(workers[0].next.0, 180 * 5 + 20);
    }
}

/// A takeover makes a compaction start from what is stored.
pub fn compaction_follows_a_takeover(site: &Site) {
    let election = election();
    let (mut store, mut workers) = start(&site.url, &election, 1);
    for flush in 0..64_u64 {
        let delta = workers[0].seal(&[vote(flush, 0, 0)]);
        committed(store.flush(&election.id, &[delta], NOW).unwrap());
    }
    let mut again = take_over(&mut store, &election, 1);
    assert!(matches!(
        store.compact_seen(&election.id, PartitionId(0)).unwrap(),
        Compaction::Merged { rows_before: 64, rows_after: 1, .. }
    ));
    let delta = again[0].seal(&[vote(64, 0, 0)]);
    committed(store.flush(&election.id, &[delta], NOW).unwrap());
    assert_eq!(reload(&store, &election, 0), (0..65).collect::<Vec<_>>());
}

/// The ledger's leaves are sealed in order, and a past view knows those of its time.
pub fn leaves_are_sealed_in_order(site: &Site) {
    let election = election();
    let (mut store, mut workers) = start(&site.url, &election, 1);
    let minutes = [1_i64, 2, 3];
    let mut voter = 0;
    for minute in minutes {
        let entries: Vec<_> = (0..50_000)
            .map(|_| {
                voter += 1;
                Entry::Vote { voter, region: 0, candidate: 0, minute }
            })
            .collect();
        let delta = workers[0].seal(&entries);
        committed(store.flush(&election.id, &[delta], NOW).unwrap());
    }
    let reader = ReaderStore::open(&site.url).unwrap();
    let leaves = reader.leaves(&election.id, PartitionId(0)).unwrap();
    assert_eq!(
        leaves.iter().map(|l| (l.number, l.records)).collect::<Vec<_>>(),
        [(0, LEAF_OFFSETS), (1, LEAF_OFFSETS)]
    );
    let now = reader.snapshot(&election.id).unwrap();
    assert_eq!((now.ledger[0].leaves, now.ledger[0].chain), (2, leaves[1].chain));
    assert_eq!(now.ledger[0].open.records, 150_000 - 2 * LEAF_OFFSETS);
    let past = |minute| reader.snapshot_at(&election.id, Minute(minute)).unwrap().ledger[0].clone();
    assert_eq!(past(1).leaves, 0);
    assert_eq!((past(2).leaves, past(2).chain), (1, leaves[0].chain));
    assert_eq!((past(3).leaves, past(3).chain), (2, leaves[1].chain));
    let state = &store.take_over(&election.id, &[PartitionId(0)], Engine::Native).unwrap()[0];
    assert_eq!((state.leaves, state.chain, &state.open_leaf), (2, leaves[1].chain, &now.ledger[0].open));
}

/// Rejects are paged by partition and offset, across rows.
pub fn rejects_are_paged(site: &Site) {
    let election = election();
    let (mut store, mut workers) = start(&site.url, &election, 3);
    let mut expect = Vec::new();
    for worker in [0, 2] {
        for flush in 0..3 {
            let entries: Vec<_> = (0..2_000)
                .map(|i| if i % 3 == flush { Entry::Skip } else { Entry::Reject(RejectReason::ALL[i % 12]) })
                .collect();
            let from = workers[worker].next;
            for (i, entry) in entries.iter().enumerate() {
                if let Entry::Reject(reason) = entry {
                    expect.push((PartitionId(worker as u32), from.plus(i as u64), *reason));
                }
            }
            let delta = workers[worker].seal(&entries);
            committed(store.flush(&election.id, &[delta], NOW).unwrap());
        }
    }
    let reader = ReaderStore::open(&site.url).unwrap();
    assert_eq!(reader.rejects(&election.id, usize::MAX, None).unwrap(), expect);
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = reader.rejects(&election.id, 701, after).unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.0, last.1));
        paged.extend(page);
    }
    assert_eq!(paged, expect);
    take_over(&mut store, &election, 3);
}

/// Elections live side by side; readers are told which there are.
pub fn elections_are_chosen_by_id(site: &Site) {
    let mut store = WriterStore::open(&site.url).unwrap();
    let reader = ReaderStore::open(&site.url).unwrap();
    assert!(matches!(reader.election(None).unwrap_err(), StoreError::NoElection { .. }));
    let first = election();
    store.create_or_resume(&first, &pin(2), NOW).unwrap();
    assert_eq!(reader.election(None).unwrap(), first);
    let second = votestream_election::Election::preset("poll").unwrap();
    store.create_or_resume(&second, &pin(1), NOW).unwrap();
    let error = reader.election(None).unwrap_err();
    assert!(error.to_string().contains("\"us-president-2024\", \"poll\"; choose with --election"), "{error}");
    let error = reader.snapshot("none").unwrap_err();
    assert!(error.to_string().contains("no election \"none\""), "{error}");
    assert_eq!(reader.election(Some("poll")).unwrap(), second);
    let ids: Vec<_> = reader.elections().unwrap().into_iter().map(|h| h.id).collect();
    assert_eq!(ids, ["us-president-2024", "poll"]);
    let mut workers = take_over(&mut store, &second, 1);
    let delta = workers[0].seal(&[vote(1, 0, 0)]);
    committed(store.flush("poll", &[delta], NOW).unwrap());
    assert_eq!(reader.sequence("poll").unwrap(), 1);
    assert_eq!(reader.sequence(&first.id).unwrap(), 0);
    let error = store.take_over("poll", &[PartitionId(1)], Engine::Native).unwrap_err();
    assert!(error.to_string().contains("partitions 0 to 0"), "{error}");
    let uuid = reader.snapshot("poll").unwrap().store_uuid;
    store.delete_election("poll").unwrap();
    assert_eq!(reader.election(None).unwrap(), first);
    assert_ne!(reader.snapshot(&first.id).unwrap().store_uuid, uuid);
}

/// From scratch: nothing counted stays, a new identity, older workers fenced, what is held stays held.
pub fn starting_over_keeps_only_the_desk(site: &Site) {
    let election = election();
    let (mut store, mut old) = start(&site.url, &election, 2);
    let delta = old[0].seal(&[vote(1, 0, 0), Entry::Reject(RejectReason::UnderAge)]);
    committed(store.flush(&election.id, &[delta], NOW).unwrap());
    store.desk(&election.id, DeskAction::Hold, Some("OH"), NOW).unwrap();
    let before = store.snapshot(&election.id).unwrap();
    let other = Pin { log_id: LogId(99), ..pin(3) };
    store.start_over(&election, &other, NOW).unwrap();
    let after = store.snapshot(&election.id).unwrap();
    assert_ne!(after.store_uuid, before.store_uuid);
    assert_eq!((after.totals.iter().sum::<u64>(), after.progress.len()), (0, 3));
    assert_eq!(after.desk, before.desk);
    assert_eq!(store.create_or_resume(&election, &other, NOW).unwrap(), Creation::Resumed);
    let late = old[1].seal(&[vote(2, 0, 0)]);
    assert_eq!(store.flush(&election.id, &[late], NOW).unwrap(), FlushOutcome::Fenced(vec![PartitionId(1)]));
    let mut new = take_over(&mut store, &election, 3);
    let delta = new[0].seal(&[vote(1, 0, 0)]);
    committed(store.flush(&election.id, &[delta], NOW).unwrap());
    assert_eq!(reload(&store, &election, 0), [1]);
}

/// Readers in their own connection see a commit, whole, after it, and are told that there was one.
pub fn readers_see_only_what_is_committed(site: &Site) {
    let election = election();
    let (mut store, mut workers) = start(&site.url, &election, 2);
    let reader = ReaderStore::open(&site.url).unwrap();
    assert!(reader.changed().unwrap());
    assert!(!reader.changed().unwrap());
    let rounds = 200_u64;
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut last = 0;
            let reader = ReaderStore::open(&site.url).unwrap();
            while !stop.load(std::sync::atomic::Ordering::Acquire) {
                let s = reader.snapshot(&election.id).unwrap();
                // Both partitions move in one transaction, by two votes each.
                assert_eq!(s.progress[0].counted, s.progress[1].counted);
                assert_eq!(s.totals.iter().sum::<u64>(), 2 * s.progress[0].counted);
                assert_eq!(s.sequence, s.progress[0].counted);
                assert!(s.sequence >= last);
                last = s.sequence;
            }
        });
        for round in 0..rounds {
            let voter = round * 10;
            let deltas: Vec<_> =
                workers.iter_mut().map(|w| w.seal(&[vote(voter, 1, 1), vote(voter + 1, 2, 2)])).collect();
            committed(store.flush(&election.id, &deltas, NOW).unwrap());
        }
        stop.store(true, std::sync::atomic::Ordering::Release);
        watcher.join().unwrap();
    });
    assert!(reader.changed().unwrap());
    assert_eq!(reader.sequence(&election.id).unwrap(), 2 * rounds);
}

/// One process counts; the second is told who does.
pub fn a_second_writer_is_refused(site: &Site) {
    let store = WriterStore::open(&site.url).unwrap();
    let Err(error) = WriterStore::open(&site.url) else { panic!("two writers") };
    let expect = format!("process {} already counts into", std::process::id());
    assert!(error.to_string().starts_with(&expect), "{error}");
    drop(store);
    WriterStore::open(&site.url).unwrap();
}

/// Any sequence of ranges, restarts, takeovers and compactions leaves what a naive count of them says.
pub fn any_history_adds_up(make: fn() -> Site) {
    let entry = prop_oneof![
        8 => (0_u16..51, 0_u16..4, 0_i64..3).prop_map(|(region, candidate, more)| (region, candidate, more)),
        1 => Just((u16::MAX, 0, 0)),
        1 => Just((u16::MAX, 1, 0)),
        1 => Just((u16::MAX, 2, 0)),
    ];
    let step = (0_u8..12, 0_usize..3, prop::collection::vec(entry, 1..40));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(24));
    let result = runner.run(&prop::collection::vec(step, 1..40), |steps| {
        let site = make();
        let election = election();
        let (mut store, mut workers) = start(&site.url, &election, 3);
        let mut totals = vec![0_u64; 51 * 4];
        let mut voters = vec![Vec::new(); 3];
        let (mut next, mut minutes, mut rejected) = (0_u64, [0_i64; 3], 0);
        for (kind, partition, entries) in steps {
            match kind {
                0 => {
                    drop(store);
                    (store, workers) = start(&site.url, &election, 3);
                }
                1 => workers = take_over(&mut store, &election, 3),
                2 => drop(store.compact_seen(&election.id, PartitionId(partition as u32)).unwrap()),
                _ => {
                    let entries: Vec<_> = entries
                        .into_iter()
                        .map(|(region, candidate, more)| {
                            next += 1;
                            minutes[partition] += more;
                            match (region, candidate) {
                                (u16::MAX, 0) => Entry::Duplicate,
                                (u16::MAX, 1) => Entry::Skip,
                                (u16::MAX, _) => {
                                    rejected += 1;
                                    Entry::Reject(RejectReason::Malformed)
                                }
                                _ => {
                                    totals[usize::from(region) * 4 + usize::from(candidate)] += 1;
                                    voters[partition].push(next);
                                    Entry::Vote { voter: next, region, candidate, minute: minutes[partition] }
                                }
                            }
                        })
                        .collect();
                    let delta = workers[partition].seal(&entries);
                    committed(store.flush(&election.id, &[delta], NOW).unwrap());
                }
            }
        }
        let reader = ReaderStore::open(&site.url).unwrap();
        let snapshot = reader.snapshot(&election.id).unwrap();
        prop_assert_eq!(&snapshot.totals, &totals);
        prop_assert_eq!(snapshot.rejects.iter().map(|r| r.1).sum::<u64>(), rejected);
        prop_assert_eq!(reader.rejects(&election.id, 10_000, None).unwrap().len() as u64, rejected);
        for (partition, expect) in voters.iter().enumerate() {
            prop_assert_eq!(&reload(&store, &election, partition as u32), expect);
        }
        if let Some(last) = reader.timeline(&election.id, None, None).unwrap().last() {
            prop_assert_eq!(&last.totals, &totals);
        }
        reader.verify(&election.id).unwrap();
        Ok(())
    });
    result.unwrap();
}

/// Runs all scenarios that hold for every backend on a constructor; more may be named.
#[macro_export]
macro_rules! conformance {
    ($backend:ident, $make:expr, [$($more:ident),* $(,)?]) => {
        mod $backend {
            $crate::conformance!(@each $make,
                a_flush_is_read_back_whole
                a_failed_fence_commits_nothing
                a_takeover_fences_the_older_worker
                counting_resumes_after_a_restart
                a_delta_that_does_not_add_up_is_refused
                what_is_pinned_is_compared
                partitioners_narrow_and_never_run_out
                past_views_and_the_timeline_agree
                acts_of_the_desk_are_kept
                releases_are_kept_by_minute
                compaction_keeps_every_voter
                compaction_follows_a_takeover
                leaves_are_sealed_in_order
                rejects_are_paged
                elections_are_chosen_by_id
                starting_over_keeps_only_the_desk
                readers_see_only_what_is_committed
                heads_of_archives_are_moved_by_comparison
                ranges_counted_outside_are_read_back_and_sealed_later
                what_lies_outside_must_add_up
                files_of_voters_are_swapped_whole
                attempts_are_kept_until_they_are_swept
                an_election_changes_its_engine_and_back
                changes_of_votes_and_empty_partitions_change_engine
                $($more)*
            );

            #[test]
            fn any_history_adds_up() {
                $crate::support::scenarios::any_history_adds_up($make);
            }
        }
    };
    (@each $make:expr, $($scenario:ident)+) => {
        $(
            #[test]
            fn $scenario() {
                $crate::support::scenarios::$scenario(&$make());
            }
        )+
    };
}

/// Of several who move a head from the same place, one does; starting over leaves it.
pub fn heads_of_archives_are_moved_by_comparison(site: &Site) {
    let election = election();
    let (mut writer, _) = start(&site.url, &election, 1);
    let mut ours = HeadStore::open(&site.url).unwrap();
    let mut theirs = HeadStore::open(&site.url).unwrap();
    let head = |number: u64, text: &str| ArchiveHead {
        number,
        digest: Digest([number as u8; 32]),
        entry: text.as_bytes().to_vec(),
    };
    let place = |head: &ArchiveHead| Some((head.number, head.digest));
    let (first, second, other) = (head(0, "first"), head(1, "second"), head(1, "other"));
    assert_eq!(ours.head("s3://a/b").unwrap(), None);
    assert!(!ours.advance("s3://a/b", place(&first), &second).unwrap(), "there is none to move");
    assert!(ours.advance("s3://a/b", None, &first).unwrap());
    assert!(!theirs.advance("s3://a/b", None, &other).unwrap(), "there is one already");
    assert!(theirs.advance("s3://a/b", place(&first), &second).unwrap());
    assert!(!ours.advance("s3://a/b", place(&first), &other).unwrap(), "it has moved");
    let elsewhere = Some((1, Digest([9; 32])));
    assert!(!ours.advance("s3://a/b", elsewhere, &head(2, "third")).unwrap(), "it is another of that number");
    assert_eq!(ours.head("s3://a/b").unwrap(), Some(second.clone()));
    assert!(ours.advance("s3://a/c", None, &first).unwrap(), "each archive has its own");
    writer.start_over(&election, &pin(1), NOW).unwrap();
    assert_eq!(theirs.head("s3://a/b").unwrap(), Some(second));
}
