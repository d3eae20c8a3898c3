//! PostgreSQL as it fails: connections that end, answers that are lost, workers that stop, workers that fight. Nothing is lost or doubled.

mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::postgres::{Database, server};
use support::proxy::{Mode, Proxy};
use support::{Entry, NOW, Worker, election, pin, reload, start, take_over, vote};
use votestream_election::delta::{DeskAction, Engine, FlushOutcome, PartitionDelta};
use votestream_election::protocol::Resolution;
use votestream_election::{Election, PartitionId};
use votestream_store::{Compaction, ReaderStore, StoreError, StoreUrl, WriterStore};

fn committed(outcome: FlushOutcome) -> u64 {
    match outcome {
        FlushOutcome::Committed { sequence } => sequence,
        FlushOutcome::Fenced(partitions) => panic!("fenced: {partitions:?}"),
    }
}

/// The host and port of the test server.
fn address() -> String {
    let server = server();
    let place = server.split_once("://").unwrap().1.split('/').next().unwrap();
    place.rsplit_once('@').map_or(place, |(_, host)| host).to_owned()
}

/// The database, reached through a proxy.
fn through(proxy: &Proxy, database: &Database, options: &str) -> StoreUrl {
    let url = support::postgres::url(&database.name, &format!("?sslmode=disable{options}"));
    url.replace(&address(), &proxy.address.to_string()).parse().unwrap()
}

/// A started election through a proxy, with one committed vote of voter 1 in partition 0 of 2, and no vote in partition 1. The next
/// flush of either is one request.
fn started(database: &Database, options: &str) -> (Proxy, Election, WriterStore, Vec<Worker>) {
    let proxy = Proxy::to(&address());
    let election = election();
    let (mut store, mut workers) = start(&through(&proxy, database, options), &election, 2);
    let deltas = [workers[0].seal(&[vote(1, 0, 0)]), workers[1].seal(&[Entry::Skip])];
    assert_eq!(committed(store.flush(&election.id, &deltas, NOW).unwrap()), 2);
    (proxy, election, store, workers)
}

fn transient<T>(result: Result<T, StoreError>) -> StoreError {
    let Err(error) = result else { panic!("no error") };
    assert!(error.is_transient(), "{error:?}");
    error
}

#[test]
fn an_answer_lost_after_the_commit_is_found_committed() {
    let database = Database::new();
    let (proxy, election, mut store, mut workers) = started(&database, "");
    let deltas: Vec<_> =
        workers.iter_mut().map(|w| w.seal(&[vote(10 + u64::from(w.partition.0), 0, 0)])).collect();
    proxy.set(Mode::CutAnswer);
    transient(store.flush(&election.id, &deltas, NOW));
    for delta in &deltas {
        assert!(matches!(store.resolve(&election.id, delta).unwrap(), Resolution::Committed { .. }));
    }
    // Sealed under the epochs of the takeover: this writer's own all the same.
    let more: Vec<_> =
        workers.iter_mut().map(|w| w.seal(&[vote(20 + u64::from(w.partition.0), 0, 0)])).collect();
    assert_eq!(committed(store.flush(&election.id, &more, NOW).unwrap()), 6);
    assert_eq!(reload(&store, &election, 0), [1, 10, 20]);
    ReaderStore::open(&database.url("")).unwrap().verify(&election.id).unwrap();
}

#[test]
fn the_same_flush_sent_again_is_not_doubled() {
    let database = Database::new();
    let (proxy, election, mut store, mut workers) = started(&database, "");
    for round in 0..6_u64 {
        // So that the next flush is one request again.
        let warm: Vec<_> = workers.iter_mut().map(|w| w.seal(&[Entry::Skip])).collect();
        committed(store.flush(&election.id, &warm, NOW).unwrap());
        let deltas: Vec<_> = workers
            .iter_mut()
            .map(|w| w.seal(&[vote(100 * (round + 1) + u64::from(w.partition.0), 1, 1)]))
            .collect();
        let before = store.snapshot(&election.id).unwrap().sequence;
        proxy.set(if round % 2 == 0 { Mode::CutAnswer } else { Mode::CutRequest });
        transient(store.flush(&election.id, &deltas, NOW));
        assert_eq!(committed(store.flush(&election.id, &deltas, NOW).unwrap()), before + 2);
    }
    let totals = store.snapshot(&election.id).unwrap().totals;
    assert_eq!((totals[0], totals[4 + 1]), (1, 12));
    take_over(&mut store, &election, 2);
}

#[test]
fn a_request_that_never_arrived_is_applied_again_and_its_late_copy_is_not() {
    let database = Database::new();
    let (proxy, election, mut store, mut workers) = started(&database, "");
    let mut delta = workers[0].seal(&[vote(2, 0, 0)]);
    proxy.set(Mode::HoldRequest);
    transient(store.flush(&election.id, std::slice::from_ref(&delta), NOW));
    let Resolution::ApplyAgain { epoch } = store.resolve(&election.id, &delta).unwrap() else {
        panic!("applied")
    };
    assert_eq!(epoch, 2);
    // Before the delta is applied again, and so with an offset that still fits, its first copy arrives.
    let said = proxy.let_go();
    assert!(said.windows(5).any(|w| w == b"VS001"), "{:?}", String::from_utf8_lossy(&said));
    assert_eq!(store.snapshot(&election.id).unwrap().totals[0], 1);
    delta.fence.epoch = epoch;
    committed(store.flush(&election.id, &[delta], NOW).unwrap());
    assert_eq!(reload(&store, &election, 0), [1, 2]);
}

#[test]
fn a_connection_that_was_ended_comes_back_by_the_next_call() {
    let database = Database::new();
    let (_proxy, election, mut store, mut workers) = started(&database, "");
    let reader = ReaderStore::open(&database.url("")).unwrap();
    let sql = database.sql();
    for round in 0..5_u64 {
        let ended = sql.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name LIKE 'votestream-%'",
        );
        assert!(ended.len() >= 2, "{ended:?}");
        await_that(|| {
            sql.ask("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'votestream-%'").is_empty()
        });
        let delta = workers[1].seal(&[vote(50 + round, 0, 0)]);
        let outcome = match store.flush(&election.id, std::slice::from_ref(&delta), NOW) {
            Ok(outcome) => outcome,
            Err(error) => {
                assert!(error.is_transient(), "{error:?}");
                store.flush(&election.id, &[delta], NOW).unwrap()
            }
        };
        assert_eq!(committed(outcome), round + 3);
        assert_eq!(reader.snapshot(&election.id).unwrap().sequence, round + 3);
    }
}

/// Waits until something is so; fails after ten seconds.
fn await_that(is: impl Fn() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(10), "it did not come about");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Connections end at random instants, in the middle of commits too, while two partitions are counted.
#[test]
fn a_storm_of_terminations_loses_and_doubles_nothing() {
    const FLUSHES: u64 = 150;
    let database = Database::new();
    let election = election();
    let (mut store, mut workers) = start(&database.url("?sslmode=disable"), &election, 2);
    let over = AtomicBool::new(false);
    let (mut failed, mut expect) = (0, [Vec::<u64>::new(), Vec::new()]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let sql = database.sql();
            while !over.load(Ordering::Acquire) {
                sql.ask(
                    "SELECT pg_sleep(random() * 0.03); SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE datname = current_database() AND application_name LIKE 'votestream-count-%' AND state = 'active'",
                );
            }
        });
        for flush in 0..FLUSHES {
            let deltas: Vec<_> = workers
                .iter_mut()
                .map(|w| {
                    let voters: Vec<u64> = (0..20).map(|i| flush * 100 + i).collect();
                    expect[w.partition.0 as usize].extend(&voters);
                    w.seal(&voters.iter().map(|v| vote(*v, (*v % 51) as u16, 0)).collect::<Vec<_>>())
                })
                .collect();
            loop {
                match store.flush(&election.id, &deltas, NOW) {
                    Ok(outcome) => break assert!(committed(outcome) >= 2 * (flush + 1)),
                    Err(error) => assert!(error.is_transient(), "{error:?}"),
                }
                failed += 1;
            }
        }
        over.store(true, Ordering::Release);
    });
    println!("{failed} attempts failed");
    let snapshot = store.snapshot(&election.id).unwrap();
    assert_eq!(snapshot.totals.iter().sum::<u64>(), 2 * 20 * FLUSHES);
    assert_eq!(snapshot.sequence, 2 * FLUSHES);
    for (partition, expect) in expect.iter().enumerate() {
        assert_eq!(&reload(&store, &election, partition as u32), expect);
    }
    ReaderStore::open(&database.url("")).unwrap().verify(&election.id).unwrap();
}

#[test]
fn two_writers_fight_and_the_last_taker_has_the_partition() {
    let database = Database::new();
    let election = election();
    let url = database.url("?sslmode=disable");
    let (mut a, mut of_a) = start(&url, &election, 3);
    assert!(!a.exclusive());
    let mut b = WriterStore::open(&url).unwrap();
    b.create_or_resume(&election, &pin(3), NOW).unwrap();
    let states = b.take_over(&election.id, &[PartitionId(2), PartitionId(0)], Engine::Native).unwrap();
    let mut of_b: Vec<Worker> = states.into_iter().map(|s| Worker::new(&election, s)).collect();
    let deltas: Vec<PartitionDelta> =
        of_a.iter_mut().map(|w| w.seal(&[vote(u64::from(w.partition.0), 0, 0)])).collect();
    let outcome = a.flush(&election.id, &deltas, NOW).unwrap();
    assert_eq!(outcome, FlushOutcome::Fenced(vec![PartitionId(0), PartitionId(2)]));
    assert_eq!(committed(a.flush(&election.id, &deltas[1..2], NOW).unwrap()), 1);
    let mut deltas: Vec<PartitionDelta> =
        of_b.iter_mut().map(|w| w.seal(&[vote(u64::from(w.partition.0), 0, 0)])).collect();
    deltas.sort_by_key(|d| d.partition);
    assert_eq!(committed(b.flush(&election.id, &deltas, NOW).unwrap()), 3);
    // Both see the sum of all.
    assert_eq!(a.snapshot(&election.id).unwrap(), b.snapshot(&election.id).unwrap());
    // What is another's is not merged by who had it.
    assert_eq!(a.compact_seen(&election.id, PartitionId(0)).unwrap(), Compaction::NotDue);
}

#[test]
fn an_overtaken_writer_merges_nothing() {
    let database = Database::new();
    let election = election();
    let url = database.url("?sslmode=disable");
    let (mut a, mut of_a) = start(&url, &election, 1);
    for flush in 0..64_u64 {
        let delta = of_a[0].seal(&[vote(flush, 0, 0)]);
        committed(a.flush(&election.id, &[delta], NOW).unwrap());
    }
    let mut b = WriterStore::open(&url).unwrap();
    take_over(&mut b, &election, 1);
    assert!(matches!(b.compact_seen(&election.id, PartitionId(0)).unwrap(), Compaction::Merged { .. }));
    // The rows are others now than a knows.
    assert!(matches!(
        a.compact_seen(&election.id, PartitionId(0)).unwrap(),
        Compaction::Superseded | Compaction::Merged { rows_before: 1, rows_after: 1, .. }
    ));
    assert_eq!(reload(&b, &election, 0), (0..64).collect::<Vec<_>>());
    take_over(&mut b, &election, 1);
}

/// A worker that stopped in the middle of its transaction holds the row; a taker ends it. Others' locks are named and left.
#[test]
fn a_stopped_blocker_is_ended_by_the_taker() {
    let database = Database::new();
    let election = election();
    let (store, _) = start(&database.url("?sslmode=disable"), &election, 2);
    drop(store);
    let lock = "BEGIN; UPDATE votestream.progress SET log_end = log_end WHERE partition = 1";
    let url = database.url("?sslmode=disable&lock_timeout_ms=1000");
    let mut taker = WriterStore::open(&url).unwrap();
    taker.create_or_resume(&election, &pin(2), NOW).unwrap();

    let stopped = database.sql();
    stopped.ask("SET application_name = 'votestream-count-1-0@elsewhere'");
    stopped.ask(lock);
    let began = Instant::now();
    let workers = take_over(&mut taker, &election, 2);
    assert_eq!(workers[1].epoch, 2);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(stopped.run("COMMIT").is_err());

    let other = database.sql();
    other.ask("SET application_name = 'a report'");
    other.ask(lock);
    let error = transient(taker.take_over(&election.id, &[PartitionId(1)], Engine::Native));
    assert!(matches!(error, StoreError::Busy { .. }), "{error:?}");
    assert!(format!("{error:?}").contains("a report"), "{error:?}");
    other.ask("COMMIT");
    taker.take_over(&election.id, &[PartitionId(1)], Engine::Native).unwrap();
}

#[test]
fn a_server_that_says_nothing_is_given_up_in_time() {
    let database = Database::new();
    let options = "&statement_timeout_ms=400&connect_timeout=1";
    let (proxy, election, mut store, mut workers) = started(&database, options);
    let reader = ReaderStore::open(&through(&proxy, &database, options)).unwrap();
    let delta = workers[0].seal(&[vote(2, 0, 0)]);
    proxy.set(Mode::Freeze);
    let bounded = |what: &dyn Fn() -> StoreError| {
        let began = Instant::now();
        let error = what();
        assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
        assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    };
    let began = Instant::now();
    transient(store.flush(&election.id, std::slice::from_ref(&delta), NOW));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    bounded(&|| transient(reader.snapshot(&election.id)));
    bounded(&|| transient(reader.changed()));
    bounded(&|| transient(store.snapshot(&election.id)));
    proxy.set(Mode::Forward);
    await_that(|| reader.snapshot(&election.id).is_ok());
    // The frozen bytes arrive now: committed under the first epoch, or fenced by the second; once in either case.
    let mut outcome = store.flush(&election.id, std::slice::from_ref(&delta), NOW);
    while outcome.as_ref().is_err_and(StoreError::is_transient) {
        outcome = store.flush(&election.id, std::slice::from_ref(&delta), NOW);
    }
    assert_eq!(committed(outcome.unwrap()), 3);
    assert_eq!(reload(&store, &election, 0), [1, 2]);
}

/// Two workers count different partitions at once; readers see a sequence that never falls nor leaves a flush out.
#[test]
fn workers_share_an_election_by_partition() {
    const FLUSHES: u64 = 120;
    let database = Database::new();
    let election = election();
    let url = database.url("?sslmode=disable");
    drop(start(&url, &election, 4));
    let returned = std::sync::Mutex::new(Vec::new());
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let workers: Vec<_> = [[0_u32, 2], [1, 3]]
            .into_iter()
            .map(|mine| {
                let (url, election, returned) = (&url, &election, &returned);
                scope.spawn(move || {
                    let mut store = WriterStore::open(url).unwrap();
                    let mine = mine.map(PartitionId);
                    let states = store.take_over(&election.id, &mine, Engine::Native).unwrap();
                    let mut workers: Vec<_> = states.into_iter().map(|s| Worker::new(election, s)).collect();
                    for flush in 0..FLUSHES {
                        let deltas: Vec<_> = workers
                            .iter_mut()
                            .map(|w| w.seal(&[vote(flush, (flush % 51) as u16, 0)]))
                            .collect();
                        let sequence = committed(store.flush(&election.id, &deltas, NOW).unwrap());
                        returned.lock().unwrap().push(sequence);
                        if flush % 40 == 20 {
                            store.desk(&election.id, DeskAction::Close, Some("OH"), NOW).unwrap();
                            for partition in store.compaction_due(&election.id).unwrap() {
                                store.compact_seen(&election.id, partition).unwrap();
                            }
                        }
                    }
                })
            })
            .collect();
        let watcher = scope.spawn(|| {
            let reader = ReaderStore::open(&url).unwrap();
            let (mut last, mut seen) = (0, BTreeSet::new());
            while !over.load(Ordering::Acquire) {
                let s = reader.snapshot(&election.id).unwrap();
                assert!(s.sequence >= last, "{} after {last}", s.sequence);
                let flushes: u64 = s.progress.iter().map(|p| p.flushes).sum();
                assert_eq!(s.sequence, flushes + s.desk.len() as u64);
                assert_eq!(s.totals.iter().sum::<u64>(), s.progress.iter().map(|p| p.counted).sum::<u64>());
                // The two partitions of a worker move together.
                assert_eq!(s.progress[0].counted, s.progress[2].counted);
                assert_eq!(s.progress[1].counted, s.progress[3].counted);
                last = s.sequence;
                seen.insert(last);
            }
            seen.len()
        });
        for worker in workers {
            worker.join().unwrap();
        }
        over.store(true, Ordering::Release);
        assert!(watcher.join().unwrap() > 10);
    });
    let expect = 4 * FLUSHES + 6;
    let reader = ReaderStore::open(&url).unwrap();
    assert_eq!(reader.sequence(&election.id).unwrap(), expect);
    assert!(returned.into_inner().unwrap().into_iter().all(|s| s <= expect));
    reader.verify(&election.id).unwrap();
}

#[test]
fn a_database_that_is_read_only_for_a_while_is_waited_for() {
    let database = Database::new();
    let (_proxy, election, mut store, mut workers) = started(&database, "");
    let sql = database.sql();
    let set = |on: &str| {
        sql.ask(&format!("ALTER DATABASE {} SET default_transaction_read_only = {on}", database.name));
        sql.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name LIKE 'votestream-%'",
        );
    };
    set("on");
    let delta = workers[0].seal(&[vote(2, 0, 0)]);
    let mut error = transient(store.flush(&election.id, std::slice::from_ref(&delta), NOW));
    if matches!(error, StoreError::Unreachable { .. }) {
        error = transient(store.flush(&election.id, std::slice::from_ref(&delta), NOW));
    }
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    assert_eq!(ReaderStore::open(&database.url("")).unwrap().sequence(&election.id).unwrap(), 2);
    sql.ask("SET default_transaction_read_only = off");
    set("off");
    let mut outcome = store.flush(&election.id, std::slice::from_ref(&delta), NOW);
    while outcome.as_ref().is_err_and(StoreError::is_transient) {
        outcome = store.flush(&election.id, std::slice::from_ref(&delta), NOW);
    }
    assert_eq!(committed(outcome.unwrap()), 3);
}
