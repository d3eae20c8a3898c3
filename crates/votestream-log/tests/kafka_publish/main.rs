//! Publishing on a real broker: the newest value of each key is in the topic, whatever the broker goes through.

#[path = "../kafka_common/mod.rs"]
mod kafka_common;

use kafka_common::{Broker, PATIENCE, broker, eventually, unique};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use votestream_election::{Offset, PartitionId};
use votestream_log::{KafkaUrl, LogReader, LogUrl, Publisher};

/// The newest value of each key.
fn newest(url: &KafkaUrl) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let log = LogReader::open_url(&LogUrl::Kafka(url.clone())).unwrap();
    let end = log.refresh_ends().unwrap()[0];
    let mut reader = log.partition(PartitionId(0), Offset(0)).unwrap();
    let mut newest = BTreeMap::new();
    while reader.position() < end {
        log.wait_past(&[reader.position()], Duration::from_secs(1)).unwrap();
        while let Some(batch) = reader.next_batch().unwrap() {
            for record in batch.records().map(Result::unwrap) {
                newest.insert(record.key.unwrap().to_vec(), record.value.unwrap().to_vec());
            }
        }
    }
    newest
}

/// A publisher whose topic is there.
fn open(url: &KafkaUrl) -> Publisher {
    let mut publisher = Publisher::open(url).unwrap();
    publisher.await_topic(PATIENCE, || false).unwrap();
    publisher
}

fn key(region: usize) -> Vec<u8> {
    format!("us-president-2024/{region}/harris").into_bytes()
}

#[test]
fn the_newest_value_of_each_key_is_published_into_a_compacted_topic() {
    let url = KafkaUrl::new([broker()], unique("published"));
    let mut publisher = open(&url);
    let log = LogReader::open_url(&LogUrl::Kafka(url.clone())).unwrap();
    assert!(log.cleanup_compacts().unwrap());
    for round in 0..100 {
        for region in 0..51 {
            publisher.publish(&key(region), format!("{{\"sequence\":{round}}}").as_bytes());
        }
    }
    assert!(publisher.flush(PATIENCE));
    assert_eq!(publisher.trouble(), None);
    let values = newest(&url);
    assert_eq!(values.len(), 51);
    assert!(values.values().all(|value| value == b"{\"sequence\":99}"));
    // A second one finds the topic as it is.
    let mut again = open(&url);
    again.publish(&key(0), b"{\"sequence\":100}");
    assert!(again.flush(PATIENCE));
    assert_eq!(newest(&url)[&key(0)], b"{\"sequence\":100}");
}

#[test]
fn nothing_waits_for_a_broker_that_is_away_and_the_newest_comes_when_it_is_back() {
    let mut own = Broker::start();
    let url = KafkaUrl::new([own.address()], unique("published"));
    let mut publisher = open(&url);
    publisher.publish(&key(0), b"before");
    assert!(publisher.flush(PATIENCE));
    own.kill();
    let began = Instant::now();
    for round in 0..2_000 {
        for region in 0..51 {
            publisher.publish(&key(region), format!("{round}").as_bytes());
        }
    }
    assert!(began.elapsed() < Duration::from_secs(20), "publishing waits for nobody: {:?}", began.elapsed());
    assert!(!publisher.flush(Duration::from_millis(300)));
    eventually("the trouble is told", || {
        publisher.flush(Duration::from_millis(10));
        publisher.trouble()
    });
    own.run();
    eventually("all is there", || publisher.flush(Duration::from_millis(100)).then_some(()));
    let values = newest(&url);
    assert_eq!(values.len(), 51);
    assert!(values.values().all(|value| value == b"1999"), "{values:?}");
}

/// What connects is kept, and nothing is ever said.
#[test]
fn a_broker_that_is_silent_holds_up_nobody_and_is_named() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let url = KafkaUrl::new([address.clone()], "published");
    let began = Instant::now();
    let mut publisher = Publisher::open(&url).unwrap();
    publisher.publish(&key(0), b"1");
    let error = publisher.await_topic(Duration::from_millis(200), || false).unwrap_err();
    assert!(error.is_transient() && error.to_string().contains(&address), "{error}");
    assert!(error.to_string().contains("check that the brokers run"), "{error}");
    let stopped = publisher.await_topic(PATIENCE, || true).unwrap_err();
    assert!(stopped.is_transient(), "{stopped}");
    assert!(!publisher.flush(Duration::from_millis(100)));
    assert_eq!((publisher.waiting(), publisher.trouble()), (1, Some(error.to_string())));
    drop(publisher);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
