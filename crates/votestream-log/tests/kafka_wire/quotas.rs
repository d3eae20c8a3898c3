//! A broker with quotas: it says for how long it wants to be left alone, and is; all that is read and written comes through all the same.

use crate::broker::Broker;
use crate::support::{Deadline, Source, check, open, read, topic};
use crate::tap::{Tap, Throttled};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, ApiKey, RequestHeader, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use votestream_election::{Offset, PartitionId, SourceId};
use votestream_log::{KafkaUrl, LogReader, LogUrl};

/// The version of AlterClientQuotas that is spoken here.
const VERSION: i16 = 1;
/// A clock is read on each side of a connection: so much less of a rest is no fault.
const SLACK: Duration = Duration::from_millis(30);

/// Bytes a second that clients of our name may write or read; librdkafka's have another name.
fn quota(port: u16, key: &'static str, bytes_per_s: f64) {
    let text = StrBytes::from_static_str;
    let entity =
        EntityData::default().with_entity_type(text("client-id")).with_entity_name(Some(text("votestream")));
    let entry = EntryData::default()
        .with_entity(vec![entity])
        .with_ops(vec![OpData::default().with_key(text(key)).with_value(bytes_per_s)]);
    let request = AlterClientQuotasRequest::default().with_entries(vec![entry]);
    let header = RequestHeader::default()
        .with_request_api_key(ApiKey::AlterClientQuotas as i16)
        .with_request_api_version(VERSION)
        .with_client_id(Some(text("test")));
    let mut frame = BytesMut::from(&[0; 4][..]);
    header.encode(&mut frame, 2).unwrap();
    request.encode(&mut frame, VERSION).unwrap();
    let length = (frame.len() - 4) as u32;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    let mut broker = TcpStream::connect(("127.0.0.1", port)).unwrap();
    broker.write_all(&frame).unwrap();
    let mut length = [0; 4];
    broker.read_exact(&mut length).unwrap();
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    broker.read_exact(&mut answer).unwrap();
    let mut answer = Bytes::from(answer);
    ResponseHeader::decode(&mut answer, 1).unwrap();
    let answer = AlterClientQuotasResponse::decode(&mut answer, VERSION).unwrap();
    assert!(answer.entries.iter().all(|entry| entry.error_code == 0), "{answer:?}");
}

/// The broker was left alone for as long as it asked, each time.
#[track_caller]
fn check_kept(throttled: &[Throttled]) {
    assert!(!throttled.is_empty(), "the quota was never used up");
    // A request may have been on its way when an answer to an earlier one asked for a rest.
    let early =
        throttled.iter().filter(|told| told.kept.is_some_and(|kept| kept + SLACK < told.asked)).count();
    assert!(early * 4 <= throttled.len(), "{early} of {}: {throttled:?}", throttled.len());
    assert!(throttled.iter().any(|told| told.kept.is_some()), "it was asked again: {throttled:?}");
}

/// Reads all by our own reader; answers how many records.
fn read_ours(url: &KafkaUrl) -> u64 {
    let log = LogReader::open_url(&LogUrl::Kafka(url.clone())).unwrap();
    let ends = log.refresh_ends().unwrap();
    let mut readers: Vec<_> = (0..log.partitions())
        .map(|partition| log.partition(PartitionId(partition), Offset(0)).unwrap())
        .collect();
    let (mut records, deadline) = (0, Deadline::start());
    while readers.iter().zip(&ends).any(|(reader, end)| reader.position() < *end) {
        deadline.ahead(|| format!("{records} records: {:?}", log.trouble()));
        for reader in &mut readers {
            while let Some(batch) = reader.next_batch().unwrap() {
                if !batch.is_skipped() {
                    records += batch.records().map(Result::unwrap).count() as u64;
                }
            }
        }
        let past: Vec<_> = readers.iter().map(votestream_log::PartitionReader::position).collect();
        log.wait_past(&past, Duration::from_millis(200)).unwrap();
    }
    records
}

#[test]
fn quotas_are_kept_and_all_comes_through() {
    let tap = Tap::start();
    let broker = Broker::start(tap.port);
    tap.lead_to(broker.port);
    // The broker's windows are seconds; each test's volume takes some of them.
    quota(broker.port, "producer_byte_rate", 60_000.0);
    for source in [None, Some(SourceId(4))] {
        let url = topic(&tap.place(), "quota", 2);
        let writer = open(&url);
        let mut maker = Source::new(&writer, source, 60_000);
        tap.cap(&[]);
        (0..100_000).for_each(|index| maker.push(index).unwrap());
        maker.flush().unwrap();
        writer.close().unwrap();
        check_kept(&tap.throttled(ApiKey::Produce));
        check(&read(&url, 2), 100_000, 2);
        if source.is_none() {
            // Each round of reading is of all that there is.
            quota(broker.port, "consumer_byte_rate", 200_000.0);
            tap.cap(&[]);
            let mut rounds = 0;
            while tap.throttled(ApiKey::Fetch).iter().all(|told| told.kept.is_none()) {
                assert_eq!(read_ours(&url), 100_000);
                rounds += 1;
                assert!(rounds < 20, "the quota was never used up");
            }
            check_kept(&tap.throttled(ApiKey::Fetch));
        }
    }
}
