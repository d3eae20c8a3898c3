//! Stores written by each schema, kept as SQL text, are read and counted on by this program; and the newest schema is what it was.
//! After a new migration, add a golden file for it; never change an old one. `BLESS_GOLDEN=1` writes a missing one.

mod support;

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use support::{Entry, NOW, pin, reload, start, take_over};
use votestream_election::delta::{DeskAction, FlushOutcome};
use votestream_election::releases::{BlockKind, ReleaseBlock};
use votestream_election::{CandidateIx, Election, Millis, Minute, PartitionId, RejectReason};
use votestream_store::{NewFiles, ReaderStore, StoreUrl, WriterStore};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn election() -> Election {
    let text = r#"
        id = "golden"
        name = "Golden"
        [[candidates]]
        id = "yes"
        name = "Yes"
        [[candidates]]
        id = "no"
        name = "No"
    "#;
    Election::from_toml(text, "golden.toml").unwrap()
}

/// A file as SQL text: what another program's `.dump` writes, with the two numbers in its header.
fn dump(path: &Path) -> String {
    let conn = Connection::open(path).unwrap();
    let mut text = String::new();
    for pragma in ["application_id", "user_version"] {
        let value: i64 = conn.query_row(&format!("PRAGMA {pragma}"), [], |r| r.get(0)).unwrap();
        writeln!(text, "PRAGMA {pragma} = {value};").unwrap();
    }
    let mut tables =
        conn.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").unwrap();
    let tables = tables.query_map([], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?))).unwrap();
    for (name, sql) in tables.map(Result::unwrap) {
        writeln!(text, "{sql};").unwrap();
        let mut rows = conn.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let columns = rows.column_count();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<_> = (0..columns).map(|c| quoted(row.get_ref(c).unwrap())).collect();
            writeln!(text, "INSERT INTO {name} VALUES ({});", values.join(", ")).unwrap();
        }
    }
    text
}

fn quoted(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(n) => n.to_string(),
        ValueRef::Real(n) => n.to_string(),
        ValueRef::Text(text) => format!("'{}'", String::from_utf8_lossy(text).replace('\'', "''")),
        ValueRef::Blob(bytes) => {
            bytes.iter().fold("X'".to_owned(), |text, byte| text + &format!("{byte:02x}")) + "'"
        }
    }
}

/// Fills a store with one of everything.
fn fill(url: &StoreUrl) {
    let election = election();
    let (mut store, mut workers) = start(url, &election, 2);
    for (worker, minutes) in [(0, [10, 11]), (1, [10, 12])] {
        for minute in minutes {
            let votes = (0..9).map(|i| Entry::Vote {
                voter: 1_000_000 * minute + 10 * i + worker as u64,
                region: 0,
                candidate: (i % 2) as u16,
                minute: minute as i64,
            });
            let other = [Entry::Duplicate, Entry::Skip, Entry::Reject(RejectReason::InvalidAge)];
            let entries: Vec<_> = votes.chain(other).collect();
            let delta = workers[worker].seal(&entries);
            assert!(matches!(store.flush("golden", &[delta], NOW).unwrap(), FlushOutcome::Committed { .. }));
        }
    }
    store.desk("golden", DeskAction::Close, None, NOW).unwrap();
    let block =
        ReleaseBlock { region: None, candidate: CandidateIx(1), kind: BlockKind::Gender, cells: vec![16] };
    store.release("golden", &[block], Minute(12), NOW).unwrap();
    let epoch = support::outside::take_over_outside(&mut store, &election, 2)[0].epoch;
    store.begin_attempt("golden", 1, epoch).unwrap();
    let empty = [support::outside::file("golden/2/part-0.parquet", 0)];
    store.swap_files("golden", &[], &NewFiles { attempt: 2, files: &empty }, epoch).unwrap();
    store.checkpoint().unwrap();
}

#[test]
fn schema_1_is_read_and_counted_on() {
    is_read_and_counted_on("schema-1.sql");
}

#[test]
fn schema_2_is_read_and_counted_on() {
    is_read_and_counted_on("schema-2.sql");
}

#[test]
fn schema_3_is_read_and_counted_on() {
    is_read_and_counted_on(NEWEST);
}

const NEWEST: &str = "schema-3.sql";

fn is_read_and_counted_on(name: &str) {
    let dir = tempfile::tempdir().unwrap();
    let file = golden(name);
    if !file.exists() && std::env::var_os("BLESS_GOLDEN").is_some() {
        let path = dir.path().join("new.db");
        fill(&StoreUrl::sqlite(&path));
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch("UPDATE store SET uuid = X'00112233445546778899aabbccddeeff', created_ms = 0")
            .unwrap();
        std::fs::write(&file, dump(&path)).unwrap();
    }
    let text = std::fs::read_to_string(&file).unwrap();
    let path = dir.path().join("results.db");
    Connection::open(&path).unwrap().execute_batch(&text).unwrap();
    let url = StoreUrl::sqlite(&path);
    let mut store = WriterStore::open(&url).unwrap();
    let reader = ReaderStore::open(&url).unwrap();
    let snapshot = reader.snapshot("golden").unwrap();
    assert_eq!(snapshot.store_uuid, 0x0011_2233_4455_4677_8899_aabb_ccdd_eeff);
    assert_eq!((snapshot.sequence, snapshot.as_of), (6, Some(NOW)));
    assert_eq!(snapshot.totals, [20, 16]);
    assert_eq!(snapshot.rejects, [(RejectReason::InvalidAge, 4)]);
    assert_eq!((snapshot.desk.len(), snapshot.desk[0].counted), (1, 36));
    assert_eq!(reader.snapshot_at("golden", Minute(11)).unwrap().totals, [15, 12]);
    assert_eq!(reader.timeline("golden", None, None).unwrap().len(), 3);
    assert_eq!(reader.demographics("golden", None).unwrap()[0].cells, [16]);
    assert_eq!(reader.rejects("golden", 10, None).unwrap().len(), 4);
    let outside = store.outside("golden").unwrap();
    let lies_outside = usize::from(name == NEWEST);
    assert_eq!((outside.files.len(), outside.attempts.len()), (lies_outside, lies_outside));
    let voters = reload(&store, &election(), 1);
    assert_eq!((voters.len(), voters[0], voters[17]), (18, 10_000_001, 12_000_081));
    reader.verify("golden").unwrap();

    store.create_or_resume(&election(), &pin(2), NOW).unwrap();
    let mut workers = take_over(&mut store, &election(), 2);
    let delta = workers[1].seal(&[support::vote(1, 0, 0)]);
    store.flush("golden", &[delta], Millis(NOW.0 + 1)).unwrap();
    assert_eq!(reader.snapshot("golden").unwrap().totals, [21, 16]);
    assert_eq!(reload(&store, &election(), 1).len(), 19);
    assert_eq!(workers[1].partition, PartitionId(1));
}

#[test]
fn an_older_store_is_brought_to_the_newest_schema() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (dir.path().join("old.db"), dir.path().join("new.db"));
    let older = dir.path().join("older.db");
    for (path, name) in [(&older, "schema-1.sql"), (&old, "schema-2.sql"), (&new, NEWEST)] {
        let text = std::fs::read_to_string(golden(name)).unwrap();
        Connection::open(path).unwrap().execute_batch(&text).unwrap();
        drop(WriterStore::open(&StoreUrl::sqlite(path)).unwrap());
    }
    assert_eq!(schema(&older), schema(&new));
    assert_eq!(schema(&old), schema(&new));
}

/// A file's tables, without what is in them.
fn schema(path: &Path) -> Vec<String> {
    dump(path).lines().filter(|line| !line.starts_with("INSERT")).map(str::to_owned).collect()
}

#[test]
fn schema_3_is_made_as_it_always_was() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (dir.path().join("old.db"), dir.path().join("new.db"));
    let text = std::fs::read_to_string(golden(NEWEST)).unwrap();
    Connection::open(&old).unwrap().execute_batch(&text).unwrap();
    drop(WriterStore::open(&StoreUrl::sqlite(&new)).unwrap());
    assert_eq!(schema(&old), schema(&new));
}
