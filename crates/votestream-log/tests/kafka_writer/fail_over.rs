//! Three brokers, each record on all of them (`min.insync.replicas` 2): leaders killed, stopped and silenced while batches are on their
//! way. Nothing is lost, doubled or out of order, and every acknowledgement comes.

use crate::cluster::{Cluster, Fault, REPLICATED};
use crate::support::{Deadline, Source, check, open, read, until};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use std::sync::mpsc::RecvTimeoutError;
use votestream_election::{Offset, SourceId};
use votestream_log::{KafkaUrl, LogError, describe};

/// Who leads at first, and who follows.
const REPLICAS: &[&[i32]] = &[&[2, 3, 1], &[3, 2, 1], &[1, 2, 3], &[2, 1, 3]];
const PARTITIONS: u32 = REPLICAS.len() as u32;
/// Records between two faults, and while a broker is away.
const STEP: u64 = 60_000;

fn topic(cluster: &Cluster) -> KafkaUrl {
    let name = crate::support::unique("fail-over");
    let url = cluster.url(&name);
    let admin: AdminClient<DefaultClientContext> =
        rdkafka::ClientConfig::new().set("bootstrap.servers", url.broker_list()).create().unwrap();
    let topic = NewTopic::new(&url.topic, PARTITIONS as i32, TopicReplication::Variable(REPLICAS));
    let topic = topic.set("min.insync.replicas", "2");
    let made = crate::support::wait_for(admin.create_topics([&topic], &AdminOptions::new())).unwrap();
    assert!(made.iter().all(Result::is_ok), "{made:?}");
    until("all replicas are in sync", || in_sync(&url));
    url
}

/// Every partition has a leader and all of its replicas.
fn in_sync(url: &KafkaUrl) -> bool {
    describe(url).is_ok_and(|facts| {
        facts.partitions.len() == REPLICAS.len()
            && facts.partitions.iter().all(|p| p.in_sync.len() == 3 && p.leader.is_some())
    })
}

/// No partition is led by `node`.
fn leads_nothing(url: &KafkaUrl, node: i32) -> bool {
    describe(url).is_ok_and(|facts| facts.partitions.iter().all(|p| p.leader.is_some_and(|l| l != node)))
}

/// The broker that leads most partitions, save the first, which is the controller.
fn busiest(url: &KafkaUrl) -> usize {
    let facts = describe(url).unwrap();
    let leads = |node: i32| facts.partitions.iter().filter(|p| p.leader == Some(node)).count();
    if leads(2) >= leads(3) { 2 } else { 3 }
}

/// Appends while broker after broker fails. Answers how many records there are.
fn append_through(
    cluster: &mut Cluster,
    url: &KafkaUrl,
    maker: &mut Source,
    from: u64,
    faults: &[Fault],
) -> u64 {
    let mut next = from;
    for fault in faults {
        let node = busiest(url);
        std::thread::scope(|scope| {
            // Batches are under way when it happens, and more come while nobody leads.
            let failed = scope.spawn(|| cluster.strike(node, *fault));
            (next..next + STEP).for_each(|index| maker.push(index).unwrap());
            failed.join().unwrap();
        });
        next += STEP;
        (next..next + STEP).for_each(|index| maker.push(index).unwrap());
        next += STEP;
        // Returns once all is acknowledged, with that broker away.
        maker.flush().unwrap();
        assert!(*fault == Fault::Stopped || leads_nothing(url, node as i32), "{node} is away");
        cluster.mend(node, *fault);
        until("all replicas are in sync again", || in_sync(url));
    }
    next
}

/// Acknowledgements come in order and lie where they say. Where a batch was sent more than once, the broker may not say any more.
#[track_caller]
fn check_told(acks: &crate::support::Acks, read: &[crate::support::Read], records: u64) {
    let at: std::collections::HashMap<(u32, u64), u64> =
        read.iter().map(|record| ((record.partition, record.offset), record.index())).collect();
    let (mut told, mut ends) = (0, [Offset(0); PARTITIONS as usize]);
    let deadline = Deadline::start();
    while told < records {
        let (partition, indexes, range) = match acks.recv_timeout(deadline.left()) {
            Ok(ack) => ack,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                panic!("{told} of {records} records are acknowledged")
            }
        };
        let of_partition = |index: &u64| crate::support::partition(*index, PARTITIONS) == partition;
        told += indexes.clone().filter(of_partition).count() as u64;
        match range {
            Ok(range) => {
                let end = std::mem::replace(&mut ends[partition.0 as usize], range.end);
                assert!(end <= range.start, "acknowledgements of {partition} in order");
                assert_eq!(at.get(&(partition.0, range.start.0)), Some(&indexes.start));
                assert_eq!(at.get(&(partition.0, range.end.0 - 1)), Some(&(indexes.end - 1)));
            }
            Err(LogError::PlaceUnknown) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn leaders_fail_while_batches_are_appended() {
    let mut cluster = Cluster::start(3, REPLICATED);
    let url = topic(&cluster);
    let writer = open(&url);
    let mut maker = Source::new(&writer, None, 8_000);
    let acks = maker.tell();
    let faults = [Fault::Killed, Fault::Stopped, Fault::Silent];
    let records = append_through(&mut cluster, &url, &mut maker, 0, &faults);
    writer.close().unwrap();
    let read = read(&url, PARTITIONS);
    check(&read, records, PARTITIONS);
    check_told(&acks, &read, records);
}

#[test]
fn leaders_fail_while_a_source_appends_in_transactions_and_goes_on() {
    let mut cluster = Cluster::start(3, REPLICATED);
    let url = topic(&cluster);
    let mut records = 0;
    for faults in [[Fault::Killed, Fault::Stopped], [Fault::Silent, Fault::Killed]] {
        let writer = open(&url);
        let mut maker = Source::new(&writer, Some(SourceId(4)), 8_000);
        assert!(maker.restart_at() <= records);
        records = append_through(&mut cluster, &url, &mut maker, records, &faults);
        writer.close().unwrap();
    }
    // It ends in the middle of a transaction, while a leader dies; the next run goes on where that one came to.
    let writer = open(&url);
    let mut maker = Source::new(&writer, Some(SourceId(4)), 8_000);
    (records..records + STEP).for_each(|index| maker.push(index).unwrap());
    let node = busiest(&url);
    cluster.kill(node);
    let next = open(&url);
    let mut again = Source::new(&next, Some(SourceId(4)), 8_000);
    let (from, to) = (again.restart_at(), records + 2 * STEP);
    assert!(from <= records + STEP);
    (from..to).for_each(|index| again.push(index).unwrap());
    again.flush().unwrap();
    cluster.restart(node);
    until("all replicas are in sync again", || in_sync(&url));
    let error = maker.flush().unwrap_err();
    assert!(error.to_string().contains("another run"), "{error}");
    assert!(writer.close().is_err());
    next.close().unwrap();
    check(&read(&url, PARTITIONS), to, PARTITIONS);
}
