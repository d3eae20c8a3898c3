//! Batches as Kafka's own Java producer and librdkafka compress them, taken raw from a broker's Fetch answers, decode.

#[path = "kafka_common/names.rs"]
mod names;

use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{
    ApiKey, BrokerId, FetchRequest, FetchResponse, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use names::{broker, unique, variable};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;
use votestream_log::batch::BatchDecoder;
use votestream_log::{KafkaUrl, create_topic};

/// The version of Fetch that is spoken here: topics by name, lengths fixed.
const FETCH_VERSION: i16 = 4;
/// The codecs by their numbers in a batch's attributes.
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
/// Long enough that a producer cuts it into several batches, and snappy's framing into several blocks.
const VALUES: u64 = 4_000;

/// A new topic with one partition.
fn topic(name: &str) -> KafkaUrl {
    let url = KafkaUrl::new([broker()], unique(name));
    create_topic(&url, 1, 1).unwrap();
    url
}

fn value(n: u64) -> String {
    format!(
        "{{\"id\":{},\"state\":\"Ohio\",\"decision\":\"Jill Stein\"}}",
        n.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    )
}

/// The raw bytes from `offset` on of the topic's partition, straight from the broker.
fn fetch(broker: &mut TcpStream, topic: &str, offset: u64) -> bytes::Bytes {
    let name = TopicName(StrBytes::from_string(topic.to_owned()));
    let partition =
        FetchPartition::default().with_fetch_offset(offset as i64).with_partition_max_bytes(1 << 20);
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(1000)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_topics(vec![FetchTopic::default().with_topic(name).with_partitions(vec![partition])]);
    let header = RequestHeader::default()
        .with_request_api_key(ApiKey::Fetch as i16)
        .with_request_api_version(FETCH_VERSION);
    let mut body = BytesMut::new();
    header.encode(&mut body, 1).unwrap();
    request.encode(&mut body, FETCH_VERSION).unwrap();
    let mut frame = BytesMut::new();
    frame.put_u32(body.len() as u32);
    frame.extend_from_slice(&body);
    broker.write_all(&frame).unwrap();
    let mut length = [0; 4];
    broker.read_exact(&mut length).unwrap();
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    broker.read_exact(&mut answer).unwrap();
    let mut answer = bytes::Bytes::from(answer);
    ResponseHeader::decode(&mut answer, 0).unwrap();
    let answer = FetchResponse::decode(&mut answer, FETCH_VERSION).unwrap();
    let partition = &answer.responses[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    partition.records.clone().unwrap_or_default()
}

/// All values of the topic, each of whose batches must be compressed with `codec`.
fn check(url: &KafkaUrl, codec: u8) {
    let mut broker = TcpStream::connect(&url.brokers[0]).unwrap();
    broker.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut decoder = BatchDecoder::for_kafka();
    let (mut next, mut batches) = (0, 0);
    while next < VALUES {
        let raw = fetch(&mut broker, &url.topic, next);
        let mut rest = &raw[..];
        assert!(!rest.is_empty(), "only {next} values came");
        // The last batch of an answer may be cut.
        while let Ok(batch) = decoder.decode(rest) {
            assert_eq!(batch.header().attributes & 7, i16::from(codec), "{}", url.topic);
            let bytes = batch.header().bytes;
            let next_offset = batch.header().next_offset().0;
            for record in batch.records() {
                let record = record.unwrap();
                if record.offset.0 >= next {
                    assert_eq!(record.offset.0, next);
                    assert_eq!(record.value.unwrap(), value(next).as_bytes());
                    next += 1;
                }
            }
            assert_eq!(next, next_offset);
            rest = &rest[bytes..];
            batches += 1;
        }
    }
    assert!(batches > 1, "{}: one batch is no test", url.topic);
}

#[test]
fn librdkafkas_batches_decode() {
    for (number, codec) in (0..).zip(CODECS) {
        let url = topic(&format!("librdkafka-{codec}"));
        let mut config = rdkafka::ClientConfig::new();
        config.set("bootstrap.servers", url.broker_list()).set("compression.type", codec);
        config.set("enable.idempotence", "true").set("batch.size", "65536").set("linger.ms", "50");
        let producer: BaseProducer = config.create().unwrap();
        for n in 0..VALUES {
            producer.send(BaseRecord::<(), _>::to(&url.topic).payload(&value(n))).unwrap();
        }
        producer.flush(Duration::from_secs(30)).unwrap();
        check(&url, number);
    }
}

#[test]
fn the_java_producers_batches_decode() {
    let lib = variable("VOTESTREAM_TEST_KAFKA_LIB");
    for (number, codec) in (0..).zip(CODECS).skip(1) {
        let url = topic(&format!("java-{codec}"));
        let mut java = Command::new("java")
            .args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", &format!("{lib}/*")])
            .arg("org.apache.kafka.tools.ConsoleProducer")
            .args(["--bootstrap-server", &url.broker_list(), "--topic", &url.topic])
            .args(["--compression-codec", codec, "--batch-size", "65536", "--timeout", "50"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let lines: String = (0..VALUES).map(|n| value(n) + "\n").collect();
        java.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        assert!(java.wait().unwrap().success());
        check(&url, number);
    }
}
