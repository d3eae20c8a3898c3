//! Connections cut in the middle, brokers killed and started again, transactions that take too long: nothing is lost, nothing doubled.

use crate::broker::Broker;
use crate::proxy::{Fault, Proxy};
use crate::support::{Deadline, Source, check, check_acks, open, read, read_as, topic, until};
use std::time::{Duration, Instant};
use votestream_election::{Millis, PartitionId, SourceId};
use votestream_log::{BatchBuilder, Codec, KafkaUrl, LogError, TryAppendError};

/// A broker behind a proxy, and a topic on it.
fn behind_proxy(what: &str, partitions: u32) -> (Broker, Proxy, KafkaUrl) {
    let proxy = Proxy::start("127.0.0.1:1");
    let broker = Broker::start(proxy.port);
    proxy.lead_to(&format!("127.0.0.1:{}", broker.port));
    let url = topic(&format!("127.0.0.1:{}", proxy.port), what, partitions);
    (broker, proxy, url)
}

#[test]
fn connections_cut_in_the_middle() {
    let (_broker, proxy, _) = behind_proxy("first", 1);
    for source in [None, Some(SourceId(4))] {
        let url = topic(&format!("127.0.0.1:{}", proxy.port), "cut", 3);
        let writer = open(&url);
        let mut maker = Source::new(&writer, source, 8_000);
        let acks = maker.tell();
        let before = proxy.made();
        proxy.cut(25);
        let mut records = 0;
        let deadline = Deadline::start();
        // As long as cuts are left, and some more.
        while proxy.made() < before + 25 {
            deadline.ahead(|| format!("25 cuts; {} were made", proxy.made() - before));
            (records..records + 5_000).for_each(|index| maker.push(index).unwrap());
            records += 5_000;
            maker.flush().unwrap();
        }
        (records..records + 5_000).for_each(|index| maker.push(index).unwrap());
        maker.flush().unwrap();
        let read = read(&url, 3);
        check(&read, records + 5_000, 3);
        check_acks(&acks, &read);
        writer.close().unwrap();
    }
}

#[test]
fn a_broker_killed_and_started_again() {
    let mut broker = Broker::start(0);
    let place = format!("127.0.0.1:{}", broker.port);
    for source in [None, Some(SourceId(4))] {
        let url = topic(&place, "restart", 2);
        let writer = open(&url);
        let mut maker = Source::new(&writer, source, 8_000);
        let acks = maker.tell();
        (0..20_000).for_each(|index| maker.push(index).unwrap());
        std::thread::scope(|scope| {
            let restarted = scope.spawn(|| broker.restart());
            // More than fits: who appends waits for the broker.
            (20_000..900_000).for_each(|index| maker.push(index).unwrap());
            restarted.join().unwrap();
        });
        maker.flush().unwrap();
        let read = read(&url, 2);
        check(&read, 900_000, 2);
        // Where a batch lies that was sent twice may not be known any more; those that are told are told rightly.
        check_acks(&acks, &read);
        writer.close().unwrap();
    }
}

/// A transaction is under way in the topic.
fn is_open(url: &KafkaUrl) -> bool {
    let facts = votestream_log::describe(url).unwrap();
    let mut offsets = facts.partitions.iter().filter_map(|partition| partition.offsets);
    offsets.any(|offsets| offsets.high_watermark > offsets.stable)
}

/// Requests that a producer makes when it takes a transaction up again, as Kafka numbers them.
const LIST_OFFSETS: i16 = 2;
const INIT_PRODUCER_ID: i16 = 22;

/// Has the brokers abort a transaction of `maker`, whose next requests meet `faults`; more records are given to it, and `flush` is told
/// how many there are. It flushes and answers whether all came to pass, or it is tried again. Answers how many records there are.
fn aborted_then(
    (broker, proxy, url): (&Broker, &Proxy, &KafkaUrl),
    maker: &mut Source,
    faults: &[(i16, Fault)],
    mut flush: impl FnMut(&mut Source, u64) -> bool,
) -> u64 {
    const ROUNDS: usize = 200;
    let past_proxy = KafkaUrl::new([format!("127.0.0.1:{}", broker.inside)], &url.topic);
    let mut records = 0;
    for _ in 0..ROUNDS {
        loop {
            (records..records + 2_000).for_each(|index| maker.push(index).unwrap());
            records += 2_000;
            maker.cut().unwrap();
            if is_open(url) {
                break;
            }
        }
        proxy.hold(true);
        // That one may have ended meanwhile. One that is open now is not heard of until the brokers have aborted it, unless its end had
        // reached them already.
        let held = is_open(&past_proxy);
        until("the brokers abort it", || !is_open(&past_proxy));
        if !held {
            proxy.hold(false);
            continue;
        }
        proxy.await_requests(faults);
        proxy.hold(false);
        (records..records + 2_000).for_each(|index| maker.push(index).unwrap());
        records += 2_000;
        if flush(maker, records) {
            return records;
        }
        proxy.await_requests(&[]);
    }
    panic!("no transaction was aborted in {ROUNDS} rounds");
}

#[test]
fn a_transaction_that_takes_too_long_is_sent_again() {
    let (broker, proxy, url) = behind_proxy("slow", 2);
    let writer = open(&url);
    let mut maker = Source::new(&writer, Some(SourceId(4)), 8_000);
    aborted_then((&broker, &proxy, &url), &mut maker, &[], |maker, records| {
        maker.flush().unwrap();
        check(&read(&url, 2), records, 2);
        read_as(&url, 2, "read_uncommitted").len() as u64 > records
    });
}

#[test]
fn a_source_whose_transaction_was_aborted_is_not_taken_for_another_run() {
    let (broker, proxy, url) = behind_proxy("unanswered", 2);
    let writer = open(&url);
    let mut maker = Source::new(&writer, Some(SourceId(4)), 8_000);
    // It takes its id back and does not hear of it; then it does not hear how far it had come.
    let faults = [(INIT_PRODUCER_ID, Fault::Unanswered), (LIST_OFFSETS, Fault::Unanswered)];
    let records = aborted_then((&broker, &proxy, &url), &mut maker, &faults, |maker, _| {
        maker.flush().unwrap();
        proxy.awaits() == 0
    });
    writer.close().unwrap();
    check(&read(&url, 2), records, 2);
}

#[test]
fn of_two_runs_of_a_source_the_later_one_goes_on() {
    let (broker, proxy, url) = behind_proxy("later", 2);
    let writer = open(&url);
    let mut maker = Source::new(&writer, Some(SourceId(4)), 8_000);
    let past_proxy = KafkaUrl::new([format!("127.0.0.1:{}", broker.inside)], &url.topic);
    // It has seen that the brokers aborted its transaction, and is about to take its id back, when another run begins.
    let faults = [(INIT_PRODUCER_ID, Fault::Held)];
    let records = aborted_then((&broker, &proxy, &url), &mut maker, &faults, |maker, records| {
        std::thread::scope(|scope| {
            let first = scope.spawn(|| maker.flush());
            until("it asks for its id, or has ended", || proxy.awaits() == 0 || first.is_finished());
            if proxy.awaits() > 0 {
                first.join().unwrap().unwrap();
                return false;
            }
            let later = open(&past_proxy);
            let mut again = Source::new(&later, Some(SourceId(4)), 8_000);
            proxy.hold(false);
            let error = first.join().unwrap().unwrap_err();
            assert!(error.to_string().contains("another run of this source"), "{error}");
            (again.restart_at()..records).for_each(|index| again.push(index).unwrap());
            again.flush().unwrap();
            true
        })
    });
    check(&read(&past_proxy, 2), records, 2);
}

#[test]
fn a_full_queue_is_waited_for_no_longer_than_asked() {
    let (broker, _proxy, mut url) = behind_proxy("full", 1);
    url.options.codec = Codec::None;
    let writer = open(&url);
    let handle = writer.handle();
    drop(broker);
    let (patience, value) = (Duration::from_millis(300), vec![b'x'; 60_000]);
    let mut builder = BatchBuilder::new(1 << 20);
    let full = (0..200_000).find_map(|_| {
        builder.push(Millis(0), &value, None);
        let began = Instant::now();
        match handle.append_acked_within(PartitionId(0), builder.seal(None), Box::new(drop), patience) {
            Ok(()) => None,
            Err(TryAppendError::Full(batch, _)) => Some((batch, began.elapsed())),
            Err(TryAppendError::Refused(error)) => panic!("{error}"),
        }
    });
    let (batch, waited) = full.expect("the queue is bounded");
    assert_eq!(batch.records(), 1);
    assert!(waited >= patience && waited < patience + Duration::from_secs(10), "{waited:?}");
    handle.give_up_within(Duration::ZERO);
    assert!(writer.close().is_err());
}

#[test]
fn closing_is_bounded_and_says_what_is_not_acknowledged() {
    let (broker, _proxy, url) = behind_proxy("bounded", 1);
    let writer = open(&url);
    let mut maker = Source::new(&writer, None, 1_000);
    (0..100).for_each(|index| maker.push(index).unwrap());
    maker.flush().unwrap();
    drop(broker);
    (100..200).for_each(|index| maker.push(index).unwrap());
    maker.cut().unwrap();
    let began = Instant::now();
    writer.handle().give_up_within(Duration::from_secs(1));
    let error = maker.flush().unwrap_err();
    assert!(matches!(error, LogError::NotAcknowledged { records: 100, .. }), "{error}");
    assert!(writer.close().is_err());
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
