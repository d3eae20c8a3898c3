//! What a store refuses to open, in which words, and that it leaves it as it was.

mod support;

use std::fs;
use std::path::Path;
use support::{NOW, election, pin, start, vote};
use votestream_election::PartitionId;
use votestream_election::delta::{Engine, FlushOutcome};
use votestream_store::{DeskStore, ReaderStore, StoreError, StoreUrl, WriterStore};

/// All three ways of opening, by what they say.
fn opened(url: &StoreUrl) -> [Result<(), StoreError>; 3] {
    [WriterStore::open(url).map(drop), DeskStore::open(url).map(drop), ReaderStore::open(url).map(drop)]
}

fn refused(url: &StoreUrl, expect: &str) {
    for result in opened(url) {
        let error = result.expect_err("refused");
        assert!(error.to_string().contains(expect), "{error}");
        assert!(!error.is_transient(), "{error:?}");
    }
}

/// Runs SQL on a store's file as another program would.
fn sql(path: &Path, text: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(text).unwrap();
}

#[test]
fn a_store_that_is_not_there_is_only_made_by_who_counts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/results.db");
    let url = StoreUrl::sqlite(&path);
    for result in &opened(&url)[1..] {
        // The writer came first and made it: these two find it.
        assert!(result.is_ok());
    }
    let url = StoreUrl::sqlite(dir.path().join("other.db"));
    let Err(error) = ReaderStore::open(&url) else { panic!("opened") };
    assert!(matches!(error, StoreError::Missing { .. }), "{error:?}");
    assert!(error.to_string().starts_with("there is no results store at"), "{error}");
    assert!(matches!(DeskStore::open(&url).map(drop), Err(StoreError::Missing { .. })));
    fs::write(dir.path().join("other.db"), b"").unwrap();
    assert!(matches!(ReaderStore::open(&url).map(drop), Err(StoreError::Missing { .. })));
    WriterStore::open(&url).unwrap();
    ReaderStore::open(&url).unwrap();
}

#[test]
fn foreign_files_are_left_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let check = |name: &str, make: &dyn Fn(&Path), expect: &str| {
        let path = dir.path().join(name);
        make(&path);
        let before = fs::read(&path).ok();
        refused(&StoreUrl::sqlite(&path), expect);
        assert_eq!(fs::read(&path).ok(), before, "{name} was changed");
        assert!(!dir.path().join(format!("{name}.lock")).exists(), "{name} got a lock file");
    };
    check("votes.csv", &|p| fs::write(p, "id,state\n1,Ohio\n".repeat(500)).unwrap(), "no SQLite database");
    check("short", &|p| fs::write(p, "x").unwrap(), "no SQLite database");
    check("places.db", &|p| sql(p, "PRAGMA application_id = 77; CREATE TABLE t (x)"), "another program");
    check("plain.db", &|p| sql(p, "CREATE TABLE t (x)"), "another program");
    check("folder", &|p| fs::create_dir(p).unwrap(), "it is a directory");
    check(
        "newer.db",
        &|p| {
            WriterStore::open(&StoreUrl::sqlite(p)).unwrap();
            sql(p, "PRAGMA user_version = 99");
            fs::remove_file(p.with_file_name("newer.db.lock")).unwrap();
        },
        "has schema 99 and this program knows up to 3",
    );
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), b"x").unwrap();
    let url = StoreUrl::sqlite(dir.path().join("file/results.db"));
    let Err(error) = WriterStore::open(&url) else { panic!("opened") };
    assert!(error.to_string().starts_with("cannot"), "{error}");
    #[cfg(not(feature = "postgres"))]
    refused(&"postgres://db/votes".parse().unwrap(), "this small build leaves out");
}

#[test]
fn damage_is_called_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("results.db");
    let url = StoreUrl::sqlite(&path);
    let election = election();
    let (mut store, mut workers) = start(&url, &election, 2);
    for flush in 0..50 {
        let delta =
            workers[0].seal(&(0..200).map(|i| vote(flush * 200 + i, (i % 51) as u16, 0)).collect::<Vec<_>>());
        assert!(matches!(store.flush(&election.id, &[delta], NOW).unwrap(), FlushOutcome::Committed { .. }));
    }
    store.checkpoint().unwrap();
    drop((store, workers));
    let mut bytes = fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    bytes[2 * 4096..half].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let error = ReaderStore::open(&url).and_then(|r| r.verify(&election.id)).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert!(error.to_string().contains("the votes are safe in the log"), "{error}");
}

/// Rows that were tampered with, one at a time: a takeover refuses each and says what does not add up.
#[test]
fn rows_that_do_not_add_up_are_not_counted_on() {
    let check = |tamper: &str, expect: &str| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("results.db");
        let url = StoreUrl::sqlite(&path);
        let election = election();
        let (mut store, mut workers) = start(&url, &election, 2);
        for flush in 0..3 {
            let reject = support::Entry::Reject(votestream_election::RejectReason::UnderAge);
            let entries: Vec<_> =
                (0..30_000).map(|i| vote(flush * 30_000 + i, 1, 0)).chain([reject]).collect();
            let delta = workers[1].seal(&entries);
            assert!(matches!(
                store.flush(&election.id, &[delta], NOW).unwrap(),
                FlushOutcome::Committed { .. }
            ));
        }
        drop((store, workers));
        sql(&path, tamper);
        let mut store = WriterStore::open(&url).unwrap();
        store.create_or_resume(&election, &pin(2), NOW).unwrap();
        let error = store.take_over(&election.id, &[PartitionId(1)], Engine::Native).unwrap_err();
        assert!(matches!(error, StoreError::Inconsistent { .. }), "{tamper}: {error:?}");
        let text = error.to_string();
        assert!(
            text.contains("partition 1") && text.contains(expect) && text.contains("--from-scratch"),
            "{text}"
        );
        // The other partition is whole.
        store.take_over(&election.id, &[PartitionId(0)], Engine::Native).unwrap();
    };
    check(
        "DELETE FROM seen WHERE from_offset = 30001",
        "the start of a range of seen voters is 60002 and must be 30001",
    );
    check(
        "DELETE FROM seen WHERE from_offset = 60002",
        "the end of the ranges of seen voters is 60002 and must be 90003",
    );
    check(
        "UPDATE seen SET entries = entries - 1 WHERE from_offset = 0",
        "the number of seen voters is 89999 and must be 90000",
    );
    check("DELETE FROM tally", "the sum of the tally is 0 and must be 90000");
    check("DELETE FROM rejected", "the number of rejects listed is 0 and must be 3");
    check("DELETE FROM leaf", "the number of leaves is 0 and must be 1");
    check("UPDATE leaf SET chain = zeroblob(32)", "the ledger's chain");
    check(
        "UPDATE progress SET next_offset = next_offset + 65536, skipped = skipped + 65536 WHERE partition = 1",
        "the open leaf is 1 and must be 2",
    );
}

/// A reader of a file without write permission for anyone reads what was counted.
#[test]
fn a_store_at_rest_is_read_beside_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let url = StoreUrl::sqlite(dir.path().join("results.db"));
    let election = election();
    let (store, workers) = start(&url, &election, 1);
    drop((store, workers));
    let reader = ReaderStore::open(&url).unwrap();
    assert_eq!(reader.election(None).unwrap(), election);
}
