//! What a PostgreSQL store refuses to open, in which words, and that it leaves it as it was.

mod support;

use support::postgres::{Database, url};
use support::{Entry, NOW, election, pin, start, vote};
use votestream_election::PartitionId;
use votestream_election::delta::{Engine, FlushOutcome};
use votestream_store::{DeskStore, ReaderStore, StoreError, StoreUrl, WriterStore};

/// All three ways of opening, by what they say.
fn refused(url: &str, expect: &str) {
    let url: StoreUrl = url.parse().unwrap();
    let opened = [
        WriterStore::open(&url).map(drop),
        DeskStore::open(&url).map(drop),
        ReaderStore::open(&url).map(drop),
    ];
    for result in opened {
        let error = result.expect_err("refused");
        assert!(error.to_string().contains(expect), "{error}: {error:?}");
        assert!(!error.is_transient(), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("hidden"), "{error:?}");
    }
}

#[test]
fn many_workers_start_at_once_and_one_migrates() {
    let database = Database::new();
    let url = database.url("?sslmode=disable");
    for reader in [ReaderStore::open(&url).map(drop), DeskStore::open(&url).map(drop)] {
        assert!(matches!(reader, Err(StoreError::Missing { .. })), "{reader:?}");
    }
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut store = WriterStore::open(&url).unwrap();
                store.create_or_resume(&election(), &pin(3), NOW).unwrap();
                assert_eq!(store.pin(&election().id).unwrap(), pin(3));
            });
        }
    });
    let sql = database.sql();
    assert_eq!(sql.ask("SELECT max(version) FROM votestream.schema_version"), ["4"]);
    assert_eq!(sql.ask("SELECT count(*) FROM votestream.store"), ["1"]);
    assert_eq!(sql.ask("SELECT count(*) FROM votestream.progress"), ["3"]);
    assert_eq!(sql.ask("SELECT count(*) FROM votestream.region"), ["51"]);
    ReaderStore::open(&url).unwrap();
}

#[test]
fn an_empty_schema_made_beforehand_is_taken() {
    let database = Database::new();
    database.sql().ask("CREATE SCHEMA votestream");
    WriterStore::open(&database.url("")).unwrap();
}

#[test]
fn foreign_newer_and_older_schemas_are_left_as_they_are() {
    let database = Database::new();
    let sql = database.sql();
    sql.ask("CREATE SCHEMA votestream; CREATE TABLE votestream.tally (x integer); CREATE TABLE votestream.store (y text)");
    refused(&url(&database.name, ""), "holds 2 objects of another program");
    sql.ask("CREATE TABLE votestream.schema_version (version integer); INSERT INTO votestream.schema_version VALUES (1)");
    refused(&url(&database.name, ""), "holds 3 objects of another program");
    assert_eq!(sql.ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'votestream'"), ["3"]);
    sql.ask("DROP SCHEMA votestream CASCADE");

    WriterStore::open(&database.url("")).unwrap();
    sql.ask("INSERT INTO votestream.schema_version (version) VALUES (99)");
    refused(&url(&database.name, ""), "has schema 99 and this program knows up to 4; use a newer votestream");
    sql.ask("DELETE FROM votestream.schema_version");
    let Err(error) = ReaderStore::open(&database.url("")) else { panic!("opened") };
    assert!(
        error.to_string().contains("has schema 0 and this program reads schema 4; open it once"),
        "{error}"
    );
}

#[test]
fn a_server_that_will_not_have_us_is_named_with_what_to_do() {
    let database = Database::new();
    let at = url(&database.name, "?sslmode=disable");
    let (_, place) = at.split_once("://").unwrap();
    let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
    refused(
        &url("nowhere_at_all", ""),
        "there is no database \"nowhere_at_all\": make it with `createdb -h ",
    );
    refused(&url(&database.name, "?sslmode=require"), "TLS with it cannot be agreed on");
    refused(
        &url(&database.name, "?sslmode=verify-full&sslrootcert=/nowhere/ca.pem"),
        "(sslrootcert) cannot be read",
    );
    refused(&url(&database.name, "?password_file=/nowhere/secret"), "password file");
    refused(
        "postgres://vs:hidden@no-such-host.invalid/votes",
        "its host \"no-such-host.invalid\" is not known here",
    );

    let role = format!("{}_nobody", database.name);
    let sql = database.sql();
    sql.ask(&format!("CREATE ROLE {role} LOGIN PASSWORD 'other'"));
    sql.ask(&format!("REVOKE CREATE ON DATABASE {} FROM PUBLIC", database.name));
    let opened = std::panic::catch_unwind(|| {
        refused(&format!("postgres://{role}:hidden@{host}"), "the password of user");
        // Nothing is there yet, and it may not make it.
        let other: StoreUrl = format!("postgres://{role}:other@{host}").parse().unwrap();
        let Err(error) = WriterStore::open(&other) else { panic!("opened") };
        assert!(error.to_string().contains("has not the rights: run the GRANT lines"), "{error}");
        WriterStore::open(&database.url("")).unwrap();
        refused(&format!("postgres://{role}:other@{host}"), &format!("GRANT votestream_reader TO {role}"));
    });
    sql.ask(&format!("DROP ROLE {role}"));
    opened.unwrap();
}

#[test]
fn a_schema_that_lacks_a_table_is_told_with_what_to_do() {
    let database = Database::new();
    let url = database.url("");
    let election = election();
    start(&url, &election, 1);
    database.sql().ask("DROP TABLE votestream.tally CASCADE");
    let error = ReaderStore::open(&url).unwrap().verify(&election.id).expect_err("a table is missing");
    assert!(error.to_string().contains("DROP SCHEMA votestream CASCADE"), "{error}");
    assert!(!error.is_transient());
}

#[test]
fn nobody_listening_may_pass() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url: StoreUrl = format!("postgres://vs:hidden@127.0.0.1:{port}/votes").parse().unwrap();
    let Err(error) = WriterStore::open(&url) else { panic!("opened") };
    assert!(error.is_transient() && error.to_string().contains("cannot be reached now"), "{error}");
    assert!(!format!("{error} {error:?}").contains("hidden"));
}

/// Rows that were tampered with, one at a time: a takeover refuses each and says what does not add up.
#[test]
fn rows_that_do_not_add_up_are_not_counted_on() {
    let database = Database::new();
    let url = database.url("?sslmode=disable");
    let election = election();
    let (mut store, mut workers) = start(&url, &election, 2);
    for flush in 0..3 {
        let reject = Entry::Reject(votestream_election::RejectReason::UnderAge);
        let entries: Vec<_> = (0..30_000).map(|i| vote(flush * 30_000 + i, 1, 0)).chain([reject]).collect();
        let delta = workers[1].seal(&entries);
        assert!(matches!(store.flush(&election.id, &[delta], NOW).unwrap(), FlushOutcome::Committed { .. }));
    }
    let sql = database.sql();
    let mut check = |table: &str, tamper: &str, expect: &str| {
        sql.ask(&format!("CREATE TABLE kept AS TABLE votestream.{table}"));
        sql.ask(tamper);
        let error = store.take_over(&election.id, &[PartitionId(1)], Engine::Native).unwrap_err();
        assert!(matches!(error, StoreError::Inconsistent { .. }), "{tamper}: {error:?}");
        let text = error.to_string();
        assert!(
            text.contains("partition 1") && text.contains(expect) && text.contains("--from-scratch"),
            "{text}"
        );
        // The other partition is whole.
        store.take_over(&election.id, &[PartitionId(0)], Engine::Native).unwrap();
        sql.ask(&format!("DELETE FROM votestream.{table}; INSERT INTO votestream.{table} SELECT * FROM kept; DROP TABLE kept"));
    };
    check(
        "seen",
        "DELETE FROM votestream.seen WHERE from_offset = 30001",
        "the start of a range of seen voters is 60002 and must be 30001",
    );
    check(
        "seen",
        "DELETE FROM votestream.seen WHERE from_offset = 60002",
        "the end of the ranges of seen voters is 60002 and must be 90003",
    );
    check(
        "seen",
        "UPDATE votestream.seen SET entries = entries - 1 WHERE from_offset = 0",
        "the number of seen voters is 89999 and must be 90000",
    );
    check("tally", "DELETE FROM votestream.tally", "the sum of the tally is 0 and must be 90000");
    check("rejected", "DELETE FROM votestream.rejected", "the number of rejects listed is 0 and must be 3");
    check("leaf", "DELETE FROM votestream.leaf", "the number of leaves is 0 and must be 1");
    check("leaf", "UPDATE votestream.leaf SET chain = decode(repeat('00', 32), 'hex')", "the ledger's chain");
    check(
        "progress",
        "UPDATE votestream.progress SET next_offset = next_offset + 65536, skipped = skipped + 65536 WHERE partition = 1",
        "the open leaf is 1 and must be 2",
    );
    assert!(sql.run("UPDATE votestream.progress SET next_offset = next_offset + 1").is_err());
    assert!(sql.run("UPDATE votestream.progress SET sealed_offset = next_offset").is_err());
    store.take_over(&election.id, &[PartitionId(1)], Engine::Native).unwrap();
}
