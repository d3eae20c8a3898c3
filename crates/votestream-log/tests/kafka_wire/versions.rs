//! A broker that speaks older versions: every version of Fetch that ours speaks, and all of a Kafka 2.4's. The broker is a new one, which
//! speaks them, too, behind a proxy that hides the newer ones from us.

use crate::broker::Broker;
use crate::support::{Deadline, PATIENCE, Source, check, key, open, read, topic, until};
use crate::tap::{Caps, Tap};
use kafka_protocol::messages::ApiKey;
use rdkafka::producer::{BaseRecord, Producer};
use std::time::Duration;
use votestream_election::{LogId, Offset, PartitionId, SourceId};
use votestream_log::{KafkaUrl, LogReader, LogUrl};

/// The newest version of each of our requests in Kafka 2.4, the oldest that is supported.
const KAFKA_2_4: Caps = &[
    (ApiKey::Produce, 8),
    (ApiKey::Fetch, 11),
    (ApiKey::ListOffsets, 5),
    (ApiKey::Metadata, 9),
    (ApiKey::FindCoordinator, 3),
    (ApiKey::InitProducerId, 2),
    (ApiKey::OffsetForLeaderEpoch, 3),
    (ApiKey::AddPartitionsToTxn, 1),
    (ApiKey::EndTxn, 1),
    (ApiKey::DescribeConfigs, 2),
    (ApiKey::CreateTopics, 5),
    (ApiKey::DescribeTransactions, -1),
];
/// Fetch alone; newer ones name topics by id.
const FETCH: [Caps; 10] = [
    &[(ApiKey::Fetch, 4)],
    &[(ApiKey::Fetch, 5)],
    &[(ApiKey::Fetch, 6)],
    &[(ApiKey::Fetch, 7)],
    &[(ApiKey::Fetch, 8)],
    &[(ApiKey::Fetch, 9)],
    &[(ApiKey::Fetch, 10)],
    &[(ApiKey::Fetch, 11)],
    &[(ApiKey::Fetch, 12)],
    &[(ApiKey::Fetch, 13)],
];

fn behind_tap() -> (Broker, Tap) {
    let tap = Tap::start();
    let broker = Broker::start(tap.port);
    tap.lead_to(broker.port);
    (broker, tap)
}

/// All values of a partition that are committed, by our own reader.
fn values(url: &KafkaUrl, partition: u32) -> Vec<(Option<String>, String)> {
    let log = LogReader::open_url(&LogUrl::Kafka(url.clone())).unwrap();
    let end = log.refresh_ends().unwrap()[partition as usize];
    let mut reader = log.partition(PartitionId(partition), Offset(0)).unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (mut values, deadline) = (Vec::new(), Deadline::start());
    while reader.position() < end {
        deadline.ahead(|| format!("at {} of {end}: {:?}", reader.position(), log.trouble()));
        while let Some(batch) = reader.next_batch().unwrap() {
            if !batch.is_skipped() {
                let records = batch.records().map(Result::unwrap);
                values.extend(records.map(|record| (record.key.map(text), text(record.value.unwrap()))));
            }
        }
        let mut past = vec![Offset(u64::MAX); log.partitions() as usize];
        past[partition as usize] = reader.position();
        log.wait_past(&past, Duration::from_millis(200)).unwrap();
    }
    values
}

/// Committed, aborted, and committed again.
fn with_aborted(url: &KafkaUrl) {
    let producer: rdkafka::producer::BaseProducer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", url.broker_list())
        .set("transactional.id", format!("versions-{}", url.topic))
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    for (part, committed) in [(0..500, true), (9_000..9_300, false), (500..1_000, true)] {
        producer.begin_transaction().unwrap();
        for n in part {
            let value = n.to_string();
            producer.send(BaseRecord::<(), str>::to(&url.topic).partition(0).payload(&value)).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
        let ended = if committed {
            producer.commit_transaction(PATIENCE)
        } else {
            producer.abort_transaction(PATIENCE)
        };
        ended.unwrap();
    }
}

#[test]
fn every_version_of_fetch_reads_what_is_committed() {
    let (_broker, tap) = behind_tap();
    let url = topic(&tap.place(), "fetch", 1);
    with_aborted(&url);
    let expect: Vec<_> = (0..1_000).map(|n| (None, n.to_string())).collect();
    for caps in FETCH {
        tap.cap(caps);
        // The markers' own writing may come a moment later.
        until(&format!("all values, read in version {}", caps[0].1), || values(&url, 0) == expect);
        assert_eq!(tap.versions(ApiKey::Fetch), [caps[0].1]);
    }
}

#[test]
fn a_kafka_2_4_is_written_and_read() {
    let (broker, tap) = behind_tap();
    tap.cap(KAFKA_2_4);
    for source in [None, Some(SourceId(4))] {
        let url = topic(&tap.place(), "old", 2);
        let writer = open(&url);
        assert_eq!(writer.log_id(), LogId(0), "topics have no ids there");
        let mut maker = Source::new(&writer, source, 8_000);
        (0..10_000).for_each(|index| maker.push(index).unwrap());
        maker.flush().unwrap();
        if let Some(source) = source {
            assert_eq!(writer.resume(source).unwrap().into_iter().max(), Some(Some(9_999)));
        }
        writer.close().unwrap();
        check(&read(&url, 2), 10_000, 2);
        let (mut ours, mut all) = (values(&url, 0), values(&url, 1));
        ours.append(&mut all);
        let mut expect: Vec<_> = (0..10_000).map(|index| (key(index), format!("record {index}"))).collect();
        ours.sort();
        expect.sort();
        assert!(ours == expect, "{} records", ours.len());
    }
    for (key, newest) in KAFKA_2_4 {
        let asked = tap.versions(*key);
        assert!(asked.iter().all(|version| version <= newest), "{key:?} was asked in versions {asked:?}");
    }
    assert_eq!(tap.versions(ApiKey::Fetch).last(), Some(&11));
    assert_eq!(tap.versions(ApiKey::EndTxn), [1]);
    drop(broker);
}
