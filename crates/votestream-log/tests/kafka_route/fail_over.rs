//! Three brokers, each record on all of them: leaders and coordinators are killed, stopped and silenced while a topic is routed.

use crate::cluster::{Cluster, Fault, REPLICATED};
use crate::kafka_common::unique;
use crate::kafka_common::waiting::until;
use crate::topic::{read_source, voter_of};
use crate::{PARTITIONS, SESSION_MS, check};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use votestream_log::{KafkaUrl, RouteOptions, create_topic, route};

/// Records that are sent at once, in turn over the partitions.
const BURST: u64 = 2_000;

/// Lets the threads end, whatever becomes of the test.
struct Ends<'a>(&'a AtomicBool, &'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
        self.1.store(true, Ordering::Release);
    }
}

/// Sends votes without keys until it is told to stop; `sent` tells how many are acknowledged.
fn feed(url: &KafkaUrl, sent: &AtomicU64, stop: &AtomicBool) {
    let producer: ThreadedProducer<_> = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", url.broker_list())
        .set("enable.idempotence", "true")
        .set("compression.type", "lz4")
        .create()
        .unwrap();
    while !stop.load(Ordering::Acquire) {
        let from = sent.load(Ordering::Acquire);
        for index in from..from + BURST {
            let value = format!("{{\"id\":{},\"n\":{index}}}", index / 4);
            let mut record: BaseRecord<'_, [u8], str> = BaseRecord::to(&url.topic).payload(&value);
            record.partition = Some(i32::try_from(index % u64::from(PARTITIONS)).unwrap());
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(Duration::from_mins(1)).unwrap();
        sent.fetch_add(BURST, Ordering::AcqRel);
    }
}

#[test]
fn leaders_fail_while_a_topic_is_routed() {
    let mut cluster =
        Cluster::start(3, &format!("{REPLICATED}\noffsets.topic.num.partitions=3\nmin.insync.replicas=2"));
    let mut url = cluster.url(&unique("fail-over"));
    url.options.session_timeout_ms = SESSION_MS;
    assert!(create_topic(&url, PARTITIONS, 3).unwrap());
    let (sent, routed) = (AtomicU64::new(0), AtomicU64::new(0));
    let (fed, stopped) = (AtomicBool::new(false), AtomicBool::new(false));
    let done = std::thread::scope(|scope| {
        let _ends = Ends(&fed, &stopped);
        let feeding = scope.spawn(|| feed(&url, &sent, &fed));
        let router = scope.spawn(|| {
            let stop = || stopped.load(Ordering::Acquire);
            let mut tell =
                |progress: &votestream_log::RouteProgress| routed.store(progress.routed, Ordering::Release);
            route(&url, RouteOptions::default(), &mut |value| voter_of(value), &stop, &mut tell)
        });
        let caught_up = |what: &str| {
            let there = sent.load(Ordering::Acquire) + BURST;
            until(what, || {
                assert!(!router.is_finished(), "routing ended");
                routed.load(Ordering::Acquire) >= there
            });
        };
        caught_up("it copies");
        // The first broker is the controller, too, and is spared.
        for (node, fault) in [(2, Fault::Killed), (3, Fault::Stopped), (2, Fault::Silent), (3, Fault::Killed)]
        {
            cluster.strike(node, fault);
            caught_up(&format!("it copies while broker {node} is away: {fault:?}"));
            cluster.mend(node, fault);
            caught_up(&format!("it copies after broker {node} was away: {fault:?}"));
        }
        fed.store(true, Ordering::Release);
        feeding.join().unwrap();
        let all = sent.load(Ordering::Acquire);
        until("all is copied", || routed.load(Ordering::Acquire) >= all);
        stopped.store(true, Ordering::Release);
        router.join().unwrap().unwrap()
    });
    println!("{done:?}");
    let source = read_source(&url);
    assert_eq!(
        (source.len() as u64, done.routed),
        (sent.load(Ordering::Acquire), sent.load(Ordering::Acquire))
    );
    check(&url, &source);
}
