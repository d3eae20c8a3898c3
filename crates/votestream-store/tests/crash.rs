//! A process that dies at any step of a flush, compaction, takeover, desk act or release leaves a store that another goes on with.
//! Run with `cargo test -p votestream-store --features failpoints`: the test starts itself as the process that dies.

mod support;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use support::{Entry, NOW, election, pin, reload, start};
use votestream_election::delta::{DeskAction, FlushOutcome, Snapshot};
use votestream_election::releases::{BlockKind, ReleaseBlock};
use votestream_election::{CandidateIx, Minute, PartitionId, RejectReason};
use votestream_store::{FAIL_POINTS, ReaderStore, StoreUrl, WriterStore};

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
