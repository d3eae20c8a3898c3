//! A process that dies at any step of a flush, compaction, takeover, desk act or release leaves a store that another goes on with.
//! Run with `cargo test -p votestream-store --features failpoints`: the test starts itself as the process that dies.

mod support;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use support::outside::{fences, file, outside, take_over_outside};
use support::{Entry, NOW, election, pin, reload, start, take_over};
use votestream_election::delta::{DeskAction, Engine, Fence, FlushOutcome, LedgerSeal, OpenLeaf, Snapshot};
use votestream_election::ledger::Digest;
use votestream_election::releases::{BlockKind, ReleaseBlock};
use votestream_election::seen::{Unpacked, pack};
use votestream_election::{CandidateIx, Election, Minute, PartitionId, RejectReason};
use votestream_store::{
    EngineChange, FAIL_POINTS, NewFiles, OUTSIDE_FAIL_POINTS, OutsideChange, ReaderStore, StoreUrl,
    WriterStore,
};

const STORE: &str = "VOTESTREAM_TEST_STORE";
const PARTITIONS: u32 = 2;
const RANGE: u64 = 5;
const END: u64 = RANGE * 80;

/// What offset `o` of partition `p` holds: the log, so to speak.
fn entry(p: u64, o: u64) -> Entry {
    match o % 7 {
        3 => Entry::Reject(RejectReason::ALL[(o % 12) as usize]),
        5 => Entry::Duplicate,
        _ => Entry::Vote {
            voter: o * 2 + p,
            region: (o % 51) as u16,
            candidate: (o % 4) as u16,
            minute: (o / 100) as i64,
        },
    }
}

/// The process that dies: counts all there is, from wherever the store stands.
#[test]
fn child() {
    let Ok(path) = std::env::var(STORE) else { return };
    let scenario = fail::FailScenario::setup();
    let url = StoreUrl::sqlite(path);
    let election = election();
    let (mut store, mut workers) = start(&url, &election, PARTITIONS);
    let id = &election.id;
    while workers.iter().any(|w| w.next.0 < END) {
        let deltas: Vec<_> = workers
            .iter_mut()
            .filter(|w| w.next.0 < END)
            .map(|w| {
                let (p, from) = (u64::from(w.partition.0), w.next.0);
                let entries: Vec<_> = (from..(from + RANGE).min(END)).map(|o| entry(p, o)).collect();
                w.seal(&entries)
            })
            .collect();
        assert!(matches!(store.flush(id, &deltas, NOW).unwrap(), FlushOutcome::Committed { .. }));
        for partition in store.compaction_due(id).unwrap() {
            store.compact_seen(id, partition).unwrap();
        }
    }
    if store.snapshot(id).unwrap().desk.is_empty() {
        store.desk(id, DeskAction::Close, None, NOW).unwrap();
    }
    if store.demographics(id).unwrap().is_empty() {
        let block =
            ReleaseBlock { region: None, candidate: CandidateIx(0), kind: BlockKind::Age, cells: vec![1, 2] };
        store.release(id, &[block], Minute(1), NOW).unwrap();
    }
    scenario.teardown();
}

/// The process that counts as an engine does that keeps voters outside: files named, leaves sealed, files merged. What was counted before is
/// moved outside, and in the end all of it inside.
#[test]
fn outside_child() {
    let Ok(path) = std::env::var(format!("{STORE}_OUTSIDE")) else { return };
    let scenario = fail::FailScenario::setup();
    let (election, url) = (election(), StoreUrl::sqlite(path));
    let mut store = WriterStore::open(&url).unwrap();
    store.create_or_resume(&election, &pin(1), NOW).unwrap();
    let id = &election.id;
    if store.snapshot(id).unwrap().progress[0].is_inside() && !counted_before(&mut store, &election) {
        return;
    }
    let mut workers = take_over_outside(&mut store, &election, 1);
    let epoch = workers[0].epoch;
    let mut attempt = u128::from(epoch) * 1_000;
    while workers[0].next.0 < END {
        let from = workers[0].next.0;
        let entries: Vec<_> = (from..from + RANGE).map(|o| entry(0, o)).collect();
        let (delta, _) = outside(workers[0].seal(&entries));
        attempt += 1;
        store.begin_attempt(id, attempt, epoch).unwrap();
        let files = [file(&format!("{attempt}/a"), delta.outside)];
        let outcome = store.flush_outside(id, &[delta], &NewFiles { attempt, files: &files }, NOW).unwrap();
        assert!(matches!(outcome, FlushOutcome::Committed { .. }));
        let old = store.outside(id).unwrap().files;
        if old.len() >= 8 {
            attempt += 1;
            store.begin_attempt(id, attempt, epoch).unwrap();
            let merged = [file(&format!("{attempt}/m"), old.iter().map(|f| f.rows).sum())];
            let new = NewFiles { attempt, files: &merged };
            assert_eq!(store.swap_files(id, &old, &new, epoch).unwrap(), OutsideChange::Done);
        }
    }
    let progress = store.snapshot(id).unwrap().progress.remove(0);
    if let Some(sealed) = progress.sealed {
        let seal = LedgerSeal {
            partition: progress.partition,
            fence: Fence { from: sealed, epoch, engine: Engine::Spark },
            to: progress.next_offset,
            leaves: Vec::new(),
            open_leaf: OpenLeaf { records: END, digest: Digest([7; 32]) },
        };
        assert!(matches!(store.seal_ledger(id, &[seal], NOW).unwrap(), FlushOutcome::Committed { .. }));
    }
    let files = store.outside(id).unwrap().files;
    let seen = [pack(&Unpacked { integers: all_voters(END), ..Unpacked::default() })];
    let change = EngineChange::Inside { files: &files, seen: &seen };
    assert_eq!(store.change_engine(id, &fences(&workers), &change).unwrap(), OutsideChange::Done);
    scenario.teardown();
}

/// Counts the first range natively, and moves its voters outside; false where everything is counted and inside again.
fn counted_before(store: &mut WriterStore, election: &Election) -> bool {
    let mut workers = take_over(store, election, 1);
    if workers[0].next.0 == END {
        return false;
    }
    if workers[0].next.0 == 0 {
        let entries: Vec<_> = (0..RANGE).map(|o| entry(0, o)).collect();
        let delta = workers[0].seal(&entries);
        assert!(matches!(store.flush(&election.id, &[delta], NOW).unwrap(), FlushOutcome::Committed { .. }));
    }
    let attempt = u128::from(workers[0].epoch);
    store.begin_attempt(&election.id, attempt, workers[0].epoch).unwrap();
    let files = [file(&format!("{attempt}/n"), all_voters(RANGE).len() as u64)];
    let change = EngineChange::Outside(&[NewFiles { attempt, files: &files }]);
    let changed = store.change_engine(&election.id, &fences(&workers), &change).unwrap();
    assert_eq!(changed, OutsideChange::Done);
    true
}

/// The voters of partition 0's offsets below `end`, ascending.
fn all_voters(end: u64) -> Vec<u64> {
    let voter = |o| match entry(0, o) {
        Entry::Vote { voter, .. } => Some(voter),
        _ => None,
    };
    (0..end).filter_map(voter).collect()
}

/// The process that begins again from scratch, and dies at that.
#[test]
fn rebuilding_child() {
    let Ok(path) = std::env::var(format!("{STORE}_REBUILD")) else { return };
    let scenario = fail::FailScenario::setup();
    let mut store = WriterStore::open(&StoreUrl::sqlite(path)).unwrap();
    store.start_over(&election(), &pin(PARTITIONS), NOW).unwrap();
    scenario.teardown();
}

/// Runs a child on a store, with a fail point; returns whether it was killed there.
fn run(child: &str, variable: &str, path: &Path, fail: Option<&str>) -> bool {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([child, "--exact", "--nocapture"])
        .env(variable, path)
        .env("FAILPOINTS", fail.unwrap_or(""))
        .output()
        .unwrap();
    let killed = output.status.signal().is_some();
    assert!(killed || output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    killed
}

/// What a store holds when all is counted, and must hold however often it was killed on the way.
fn held(path: &Path) -> (Snapshot, Vec<Vec<u64>>) {
    let url = StoreUrl::sqlite(path);
    let reader = ReaderStore::open(&url).unwrap();
    reader.verify(&election().id).unwrap();
    let mut snapshot = reader.snapshot(&election().id).unwrap();
    // Identity and epochs differ from store to store; leaf digests of a resumed worker lack the rows before it (the engine feeds them again).
    snapshot.store_uuid = 0;
    snapshot.progress.iter_mut().for_each(|p| p.epoch = 0);
    snapshot.ledger.clear();
    drop(reader);
    let store = WriterStore::open(&url).unwrap();
    (snapshot, (0..PARTITIONS).map(|p| reload(&store, &election(), p)).collect())
}

#[test]
fn every_fail_point_is_survived() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole.db");
    assert!(!run("child", STORE, &whole, None));
    let expect = held(&whole);
    assert_eq!(expect.0.progress.iter().map(|p| p.next_offset.0).collect::<Vec<_>>(), [END, END]);

    for (i, point) in FAIL_POINTS.iter().filter(|p| **p != "store-rebuild-before-commit").enumerate() {
        // At the first time, and at a later one where there is one.
        for skip in [0, 41] {
            let path = dir.path().join(format!("{i}-{skip}.db"));
            let killed = run("child", STORE, &path, Some(&format!("{point}={skip}*off->return")));
            assert!(killed || skip > 0, "{point} was not reached");
            if killed {
                check_half_way(&path, point);
            }
            assert!(!run("child", STORE, &path, None));
            assert_eq!(held(&path), expect, "{point}");
        }
    }
}

#[test]
fn counting_outside_survives_its_fail_points() {
    let dir = tempfile::tempdir().unwrap();
    let variable = format!("{STORE}_OUTSIDE");
    let held = |path: &Path| {
        let reader = ReaderStore::open(&StoreUrl::sqlite(path)).unwrap();
        reader.verify(&election().id).unwrap();
        let snapshot = reader.snapshot(&election().id).unwrap();
        let (progress, ledger) = (&snapshot.progress[0], snapshot.ledger);
        let found = (snapshot.totals, progress.counted, progress.is_inside(), ledger);
        drop(reader);
        let store = WriterStore::open(&StoreUrl::sqlite(path)).unwrap();
        (found, reload(&store, &election(), 0), store.outside(&election().id).unwrap().files)
    };
    let whole = dir.path().join("whole.db");
    assert!(!run("outside_child", &variable, &whole, None));
    let expect = held(&whole);
    assert_eq!((expect.0.2, &expect.1, expect.2.len()), (true, &all_voters(END), 0));
    for point in OUTSIDE_FAIL_POINTS {
        for skip in [0, 5] {
            let path = dir.path().join(format!("{point}-{skip}.db"));
            let killed = run("outside_child", &variable, &path, Some(&format!("{point}={skip}*off->return")));
            assert!(killed || skip > 0, "{point} was not reached");
            if killed {
                ReaderStore::open(&StoreUrl::sqlite(&path)).unwrap().verify(&election().id).unwrap();
            }
            assert!(!run("outside_child", &variable, &path, None));
            assert_eq!(held(&path), expect, "{point}");
        }
    }
}

/// A reader that opens the dead process's files first sees whole flushes only.
fn check_half_way(path: &Path, point: &str) {
    let Ok(reader) = ReaderStore::open(&StoreUrl::sqlite(path)) else {
        assert_eq!(point, "store-after-schema", "only then there is nothing yet");
        return;
    };
    if reader.elections().unwrap().is_empty() {
        return;
    }
    reader.verify(&election().id).unwrap();
    let snapshot = reader.snapshot(&election().id).unwrap();
    for p in &snapshot.progress {
        assert_eq!(p.next_offset.0 % RANGE, 0, "{point}: a flush was cut in two");
        assert_eq!(
            p.next_offset, snapshot.progress[0].next_offset,
            "{point}: partitions of one flush parted"
        );
    }
}

#[test]
fn a_rebuild_that_dies_leaves_the_old_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("results.db");
    assert!(!run("child", STORE, &path, None));
    let before = held(&path);
    let variable = format!("{STORE}_REBUILD");
    assert!(run("rebuilding_child", &variable, &path, Some("store-rebuild-before-commit=return")));
    assert_eq!(held(&path), before);
    assert!(!run("rebuilding_child", &variable, &path, None));
    let store = WriterStore::open(&StoreUrl::sqlite(&path)).unwrap();
    assert!(reload(&store, &election(), PartitionId(0).0).is_empty());
}
