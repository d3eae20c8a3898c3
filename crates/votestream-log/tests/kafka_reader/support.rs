//! What the scenarios share: topics, producers (librdkafka's), and all of a partition as a list.

#[path = "../kafka_common/names.rs"]
mod names;
#[path = "../kafka_common/waiting.rs"]
mod waiting;

pub use names::{broker, unique, variable};
pub use waiting::{Deadline, PATIENCE, until, wait_for};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::time::Duration;
use votestream_election::{Offset, PartitionId};
use votestream_log::{KafkaUrl, LogError, LogReader, LogUrl, PartitionReader};

/// A new topic.
pub fn topic(name: &str, partitions: i32, config: &[(&str, &str)]) -> KafkaUrl {
    let mut url = KafkaUrl::new([broker()], unique(name));
    url.options.reader = crate::READER;
    create(&url, NewTopic::new(&url.topic, partitions, TopicReplication::Fixed(1)), config);
    url
}

/// Creates a topic and waits until it can be read.
pub fn create(url: &KafkaUrl, topic: NewTopic<'_>, config: &[(&str, &str)]) {
    let topic = config.iter().fold(topic, |topic, (name, value)| topic.set(name, value));
    let made = wait_for(admin(url).create_topics([&topic], &AdminOptions::new())).unwrap();
    assert!(made.iter().all(Result::is_ok), "{made:?}");
    until("the topic can be opened", || LogReader::open_url(&LogUrl::Kafka(url.clone())).is_ok());
}

pub fn admin(url: &KafkaUrl) -> AdminClient<DefaultClientContext> {
    config(url).create().unwrap()
}

pub fn config(url: &KafkaUrl) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", url.broker_list());
    // The first choice of many tests at once is not always in time.
    config.set("message.timeout.ms", "60000").set("linger.ms", "20");
    config
}

pub fn producer(url: &KafkaUrl, extra: &[(&str, &str)]) -> BaseProducer {
    let mut config = config(url);
    for (name, value) in extra {
        config.set(*name, *value);
    }
    config.create().unwrap()
}

pub fn send(
    producer: &BaseProducer,
    url: &KafkaUrl,
    partition: i32,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) {
    let mut record = BaseRecord::<[u8], [u8]>::to(&url.topic).partition(partition);
    record.key = key;
    record.payload = value;
    loop {
        match producer.send(record) {
            Ok(()) => return,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                producer.poll(Duration::from_millis(10));
            }
            Err((error, _)) => panic!("{error}"),
        }
    }
}

pub fn flush(producer: &BaseProducer) {
    producer.flush(PATIENCE).unwrap();
}

/// A vote's JSON, from its number.
pub fn vote(n: u64) -> Vec<u8> {
    let id = 1_000_000_000_000_000 + n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 9_000_000_000_000_000;
    format!(r#"{{"id":{id},"gender":"Female","age":{},"state":"Ohio","decision":"Jill Stein"}}"#, 18 + n % 70)
        .into_bytes()
}

/// Sends the votes `numbers`.
pub fn send_votes(producer: &BaseProducer, url: &KafkaUrl, partition: i32, numbers: std::ops::Range<u64>) {
    for n in numbers {
        send(producer, url, partition, None, Some(&vote(n)));
    }
}

pub fn open(url: &KafkaUrl) -> LogReader {
    LogReader::open_url(&LogUrl::Kafka(url.clone())).unwrap()
}

/// What a partition holds.
#[derive(Debug, Default)]
pub struct Read {
    /// Offsets and values of its votes.
    pub votes: Vec<(u64, Vec<u8>)>,
    /// Batches that hold none.
    pub skipped: usize,
    /// Those of them that are markers.
    pub control: usize,
}

/// What must be read for the votes `numbers` that lie at the offsets of the same numbers.
pub fn votes(numbers: std::ops::Range<u64>) -> Vec<(u64, Vec<u8>)> {
    numbers.map(|n| (n, vote(n))).collect()
}

/// Reads on until the reader stands at `until` or beyond.
pub fn read_on(log: &LogReader, reader: &mut PartitionReader, until: u64) -> Result<Read, LogError> {
    let deadline = Deadline::start();
    let mut read = Read::default();
    while reader.position().0 < until {
        while let Some(batch) = reader.next_batch()? {
            if batch.is_skipped() {
                read.skipped += 1;
                read.control += usize::from(batch.is_control());
                continue;
            }
            for record in batch.records() {
                let record = record?;
                read.votes.push((record.offset.0, record.value.unwrap_or_default().to_vec()));
            }
        }
        if reader.position().0 < until {
            deadline.ahead(|| format!("at {}: {:?}", reader.position(), log.trouble()));
            log.wait_past(&past(log, reader), Duration::from_secs(1))?;
        }
    }
    Ok(read)
}

/// Interested in this reader's partition alone.
pub fn past(log: &LogReader, reader: &PartitionReader) -> Vec<Offset> {
    let mut past = vec![Offset(u64::MAX); log.partitions() as usize];
    past[reader.partition().0 as usize] = reader.position();
    past
}

/// All of a partition from `from` to its last stable offset.
pub fn read_all(log: &LogReader, partition: u32, from: u64) -> Read {
    let end = log.refresh_ends().unwrap()[partition as usize];
    let mut reader = log.partition(PartitionId(partition), Offset(from)).unwrap();
    read_on(log, &mut reader, end.0).unwrap()
}

/// The error that a reader comes to.
pub fn read_to_error(log: &LogReader, reader: &mut PartitionReader) -> LogError {
    let deadline = Deadline::start();
    loop {
        match reader.next_batch() {
            Ok(Some(_)) => {}
            Ok(None) => {
                deadline.ahead(|| format!("at {}: {:?}", reader.position(), log.trouble()));
                log.wait_past(&past(log, reader), Duration::from_secs(1)).unwrap();
            }
            Err(error) => return error,
        }
    }
}
