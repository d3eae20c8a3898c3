//! What needs a hand on the connection: a full disk, and errors by SQLite's codes.

use super::Writer;
use super::fault::{Fault, InStore};
use crate::error::StoreError;
use rusqlite::ffi;
use votestream_election::delta::{
    Counts, Engine, Fence, FlushOutcome, OpenLeaf, PartitionDelta, Pin, SeenPart,
};
use votestream_election::partitioner::PartitionerSet;
use votestream_election::{Election, LogId, Millis, Offset, PartitionId, RegionIx};

fn delta(election: &Election, from: u64, bytes: usize) -> PartitionDelta {
    let mut cells = vec![0; election.layout().cells()];
    cells[0] = 10;
    PartitionDelta {
        partition: PartitionId(0),
        fence: Fence { from: Offset(from), epoch: 1, engine: Engine::Native },
        to: Offset(from + 10),
        leader_epoch: 0,
        counts: Counts { counted: 10, ..Counts::default() },
        tally: vec![(RegionIx(0), cells)],
        timeline: Vec::new(),
        seen: vec![SeenPart { entries: 10, bytes: vec![7; bytes] }],
        outside: 0,
        rejects: Vec::new(),
        leaves: Vec::new(),
        open_leaf: Some(OpenLeaf::default()),
        minute: None,
        log_end: Offset(from + 10),
        partitioners: PartitionerSet::ALL,
    }
}

#[test]
fn a_full_disk_costs_nothing_and_counting_goes_on_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(&dir.path().join("results.db"), "sqlite:results.db").unwrap();
    let election = Election::preset("us-president-2024").unwrap();
    let pin = Pin {
        log_kind: "dir".into(),
        log_id: LogId(1),
        partitions: 1,
        start_offsets: vec![Offset(0)],
        partitioners: PartitionerSet::ALL,
    };
    writer.create_or_resume(&election, &pin, Millis(1)).unwrap();
    writer.take_over(&election.id, &[PartitionId(0)], Engine::Native).unwrap();
    writer.flush(&election.id, &[delta(&election, 0, 100)], None, Millis(2)).unwrap();
    let before = writer.snapshot(&election.id).unwrap();

    let pages: i64 = writer.conn.query_row("PRAGMA page_count", [], |r| r.get(0)).unwrap();
    let limit = |pages: i64| format!("PRAGMA max_page_count = {pages}");
    let _: i64 = writer.conn.query_row(&limit(pages + 2), [], |r| r.get(0)).unwrap();
    let large = delta(&election, 10, 500_000);
    for _ in 0..3 {
        let error = writer
            .flush(&election.id, std::slice::from_ref(&large), None, Millis(3))
            .in_store("s")
            .unwrap_err();
        assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
        assert!(error.is_transient());
        assert_eq!(writer.snapshot(&election.id).unwrap(), before);
    }
    let _: i64 = writer.conn.query_row(&limit(1_000_000), [], |r| r.get(0)).unwrap();
    let outcome = writer.flush(&election.id, &[large], None, Millis(4)).unwrap();
    assert_eq!(outcome, FlushOutcome::Committed { sequence: 2 });
    assert_eq!(writer.snapshot(&election.id).unwrap().totals[0], 20);
}

#[test]
fn codes_are_sorted_by_what_can_be_done() {
    let check = |code: i32, transient: bool, expect: fn(&StoreError) -> bool| {
        let error = Fault::Sql(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)).named("s");
        assert!(expect(&error), "{code}: {error:?}");
        assert_eq!(error.is_transient(), transient, "{code}");
    };
    check(ffi::SQLITE_FULL, true, |e| matches!(e, StoreError::Full { .. }));
    check(ffi::SQLITE_BUSY, true, |e| matches!(e, StoreError::Busy { .. }));
    check(ffi::SQLITE_BUSY_SNAPSHOT, true, |e| matches!(e, StoreError::Busy { .. }));
    check(ffi::SQLITE_IOERR_FSYNC, true, |e| matches!(e, StoreError::Io { .. }));
    check(ffi::SQLITE_IOERR_CORRUPTFS, false, |e| matches!(e, StoreError::Corrupt { .. }));
    check(ffi::SQLITE_CORRUPT, false, |e| matches!(e, StoreError::Corrupt { .. }));
    check(ffi::SQLITE_NOTADB, false, |e| matches!(e, StoreError::Corrupt { .. }));
    check(ffi::SQLITE_CANTOPEN, false, |e| matches!(e, StoreError::Open { .. }));
    check(ffi::SQLITE_CONSTRAINT_CHECK, false, |e| matches!(e, StoreError::Statement { .. }));
    check(ffi::SQLITE_READONLY, true, |e| matches!(e, StoreError::Io { .. }));
}

/// The check in the schema itself, should every other one fail: an offset cannot be passed unaccounted for.
#[test]
fn the_schema_refuses_an_unaccounted_offset() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(&dir.path().join("results.db"), "sqlite:results.db").unwrap();
    let election = Election::preset("poll").unwrap();
    let pin = Pin {
        log_kind: "dir".into(),
        log_id: LogId(1),
        partitions: 1,
        start_offsets: vec![Offset(5)],
        partitioners: PartitionerSet::ALL,
    };
    writer.create_or_resume(&election, &pin, Millis(1)).unwrap();
    for column in ["next_offset", "counted", "duplicate", "rejected", "skipped"] {
        let text = format!("UPDATE progress SET {column} = {column} + 1");
        assert!(writer.conn.execute(&text, []).is_err(), "{column}");
    }
}

/// A process that ended inside a transaction left its journal beside the file: the next one takes it back and goes on.
#[test]
fn a_hot_journal_is_rolled_back_by_whoever_counts_next() {
    let dir = tempfile::tempdir().unwrap();
    let died = |setup: &str, name: &str| {
        let (at, left) = (dir.path().join("alive.db"), dir.path().join(name));
        let conn = rusqlite::Connection::open(&at).unwrap();
        // So small a cache has SQLite write to journal and file inside the transaction.
        conn.execute_batch(setup).unwrap();
        conn.execute_batch("PRAGMA cache_size = 1; BEGIN; CREATE TABLE t (x); ").unwrap();
        conn.execute_batch("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999) INSERT INTO t SELECT randomblob(999) FROM n").unwrap();
        std::fs::copy(&at, &left).unwrap();
        let journal = |path: &std::path::Path| super::open::beside(path, "-journal");
        std::fs::copy(journal(&at), journal(&left)).unwrap();
        drop(conn);
        std::fs::remove_file(&at).unwrap();
        left
    };
    let ours = died("", "ours.db");
    assert!(matches!(super::Reader::open(&ours, "s"), Err(StoreError::Missing { .. })));
    let ours = died("", "ours.db");
    assert!(Writer::open(&ours, "s").is_ok());
    let foreign = died("PRAGMA application_id = 7; CREATE TABLE other (x)", "foreign.db");
    assert!(matches!(Writer::open(&foreign, "s"), Err(StoreError::Foreign { .. })));
    let other = rusqlite::Connection::open(&foreign).unwrap();
    let tables: i64 = other.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0)).unwrap();
    assert_eq!(tables, 1, "what it had committed is as it was");
}
