//! Scattered topics and what is in their copies, by librdkafka alone: nothing here is ours.

use crate::kafka_common::eventually;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use votestream_log::KafkaUrl;

/// A record as it was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub partition: u32,
    pub offset: u64,
    pub timestamp: i64,
    pub value: Option<Vec<u8>>,
}

/// A record of a copy.
#[derive(Debug)]
pub struct Copied {
    pub partition: u32,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub timestamp: i64,
    pub from_partition: u32,
    pub from_offset: u64,
    pub too_large: bool,
}

/// The digits after `"id":`.
pub fn voter_of(value: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(value).ok()?;
    let digits: String = text.split_once("\"id\":")?.1.chars().take_while(char::is_ascii_digit).collect();
    (!digits.is_empty()).then(|| digits.into_bytes())
}

struct Offsets(Arc<Mutex<Vec<(usize, u64)>>>);

impl ClientContext for Offsets {}

impl ProducerContext for Offsets {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, index: usize) {
        let message = result.as_ref().expect("delivered");
        self.0.lock().unwrap().push((index, u64::try_from(message.offset()).unwrap()));
    }
}

fn config(url: &KafkaUrl) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", url.broker_list());
    config
}

/// Sends records without a key: partition, timestamp, value.
pub fn send(url: &KafkaUrl, records: impl IntoIterator<Item = (u32, i64, Option<Vec<u8>>)>) -> Vec<Sent> {
    let told: Arc<Mutex<Vec<_>>> = Arc::default();
    let mut config = config(url);
    config.set("linger.ms", "20").set("enable.idempotence", "true").set("compression.type", "lz4");
    config.set("queue.buffering.max.messages", "1000000");
    let producer: BaseProducer<Offsets> = config.create_with_context(Offsets(Arc::clone(&told))).unwrap();
    let mut sent = Vec::new();
    for (index, (partition, timestamp, value)) in records.into_iter().enumerate() {
        let mut record: BaseRecord<'_, [u8], [u8], usize> = BaseRecord::with_opaque_to(&url.topic, index + 1);
        record.partition = Some(i32::try_from(partition).unwrap());
        record.timestamp = Some(timestamp);
        record.payload = value.as_deref();
        producer.send(record).map_err(|(error, _)| error).unwrap();
        sent.push(Sent { partition, offset: u64::MAX, timestamp, value });
        if index % 1000 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(Duration::from_mins(1)).unwrap();
    for (index, offset) in told.lock().unwrap().iter() {
        sent[index - 1].offset = *offset;
    }
    assert!(sent.iter().all(|sent| sent.offset != u64::MAX), "all are delivered");
    sent
}

/// Sends votes in turn over the partitions, four of each voter.
pub fn scatter(url: &KafkaUrl, partitions: u32, votes: u32) -> Vec<Sent> {
    let vote = |index: u32| {
        let id = u64::from(index / 4).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11;
        let value = format!("{{\"id\":{id},\"state\":\"Ohio\",\"decision\":\"Jill Stein\",\"n\":{index}}}");
        (index % partitions, 1_730_800_000_000 + i64::from(index), Some(value.into_bytes()))
    };
    send(url, (0..votes).map(vote))
}

/// All of a copy that is committed, partition by partition.
pub fn read_copy(copy: &KafkaUrl) -> Vec<Copied> {
    read(copy, |message| copied(message))
}

/// All of a source, partition by partition.
pub fn read_source(source: &KafkaUrl) -> Vec<Sent> {
    read(source, |message| Sent {
        partition: u32::try_from(message.partition()).unwrap(),
        offset: u64::try_from(message.offset()).unwrap(),
        timestamp: message.timestamp().to_millis().unwrap(),
        value: message.payload().map(<[u8]>::to_vec),
    })
}

fn read<T>(url: &KafkaUrl, taken: impl Fn(&BorrowedMessage<'_>) -> T) -> Vec<T> {
    let mut config = config(url);
    config.set("group.id", "test-reads").set("enable.auto.commit", "false");
    config.set("isolation.level", "read_committed").set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create().unwrap();
    let metadata = consumer.fetch_metadata(Some(&url.topic), Duration::from_secs(30)).unwrap();
    let partitions = metadata.topics()[0].partitions().len();
    let mut all = Vec::new();
    for partition in 0..i32::try_from(partitions).unwrap() {
        // A dead router's transaction ends by itself within seconds; only then is what is committed behind it seen.
        let high = consumer.fetch_watermarks(&url.topic, partition, Duration::from_secs(30)).unwrap().1;
        let mut assigned = TopicPartitionList::new();
        assigned.add_partition_offset(&url.topic, partition, Offset::Beginning).unwrap();
        consumer.assign(&assigned).unwrap();
        eventually("the partition is read", || {
            loop {
                match consumer.poll(Duration::from_millis(100))? {
                    Ok(message) => all.push(taken(&message)),
                    Err(KafkaError::PartitionEOF(_)) => {
                        let told = consumer.position().unwrap().elements()[0].offset();
                        let at = if let Offset::Offset(at) = told { at } else { 0 };
                        return (at >= high).then_some(());
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    all
}

fn copied(message: &impl Message) -> Copied {
    let headers = message.headers().expect("every copy has headers");
    let header = |name| headers.iter().find(|header| header.key == name).map(|header| header.value.unwrap());
    let place = header("votestream.routed").expect("every copy tells its source");
    Copied {
        partition: u32::try_from(message.partition()).unwrap(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        timestamp: message.timestamp().to_millis().unwrap(),
        from_partition: u32::from_be_bytes(place[..4].try_into().unwrap()),
        from_offset: u64::from_be_bytes(place[4..].try_into().unwrap()),
        too_large: header("votestream.length").is_some(),
    }
}

fn admin(url: &KafkaUrl) -> AdminClient<DefaultClientContext> {
    config(url).create().unwrap()
}

fn wait<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    eventually("the brokers answer", || match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

pub fn delete(url: &KafkaUrl) {
    wait(admin(url).delete_topics(&[&url.topic], &AdminOptions::new())).unwrap()[0].as_ref().unwrap();
    let consumer: BaseConsumer = config(url).create().unwrap();
    eventually("the topic is gone", || {
        let metadata = consumer.fetch_metadata(Some(&url.topic), Duration::from_secs(10)).unwrap();
        metadata.topics()[0].partitions().is_empty().then_some(())
    });
}

pub fn create(url: &KafkaUrl, partitions: u32, properties: &[(&str, &str)]) {
    let partitions = i32::try_from(partitions).unwrap();
    let topic = NewTopic::new(&url.topic, partitions, TopicReplication::Fixed(1));
    let topic = properties.iter().fold(topic, |topic, (name, value)| topic.set(name, value));
    wait(admin(url).create_topics([&topic], &AdminOptions::new())).unwrap()[0].as_ref().unwrap();
}

pub fn forget_group(url: &KafkaUrl, group: &str) {
    eventually("the group is empty and forgotten", || {
        let told = wait(admin(url).delete_groups(&[group], &AdminOptions::new())).unwrap();
        told[0].is_ok().then_some(())
    });
}

/// Deletes each partition's records before `before`.
pub fn delete_records(url: &KafkaUrl, before: i64) {
    let consumer: BaseConsumer = config(url).create().unwrap();
    let metadata = consumer.fetch_metadata(Some(&url.topic), Duration::from_secs(10)).unwrap();
    let mut list = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        list.add_partition_offset(&url.topic, partition.id(), Offset::Offset(before)).unwrap();
    }
    wait(admin(url).delete_records(&list, &AdminOptions::new())).unwrap();
}
