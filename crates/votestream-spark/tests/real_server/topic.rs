//! A topic of a test's own on the real broker: made, written to, read back record by record by librdkafka.

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset as At, TopicPartitionList};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use votestream_spark::Topic;

/// How long anything may take: the machine is shared.
const PATIENCE: Duration = Duration::from_mins(2);

/// A record to be written.
#[derive(Clone, Debug)]
pub struct Draft {
    pub partition: u32,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub timestamp: i64,
    /// With the header of a stub.
    pub stub: bool,
}

/// A record as it lies in the topic.
#[derive(Clone, Debug)]
pub struct Lying {
    pub offset: u64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub timestamp: i64,
    pub stub: bool,
}

pub struct OnBroker {
    pub name: String,
    pub partitions: u32,
    broker: String,
}

fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    format!("spark-{now:x}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

impl OnBroker {
    pub fn new(partitions: u32) -> Self {
        let broker = std::env::var("VOTESTREAM_TEST_KAFKA")
            .expect("VOTESTREAM_TEST_KAFKA names no broker; run this through scripts/with-services.sh");
        let name = unique();
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", &broker).create().unwrap();
        let topic = NewTopic::new(&name, partitions.cast_signed(), TopicReplication::Fixed(1))
            .set("retention.ms", "-1");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let made = runtime.block_on(admin.create_topics(&[topic], &options)).unwrap();
        for one in made {
            drop(one.unwrap());
        }
        Self { name, partitions, broker }
    }

    /// As Spark is told of it.
    pub fn for_spark(&self) -> Topic {
        Topic {
            name: self.name.clone(),
            options: vec![("bootstrap.servers".to_owned(), self.broker.clone())],
        }
    }

    fn producer(&self, transactional: bool) -> BaseProducer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.broker).set("message.max.bytes", "2000000");
        if transactional {
            config.set("transactional.id", format!("{}-writer", self.name));
        }
        config.create().unwrap()
    }

    fn send(&self, producer: &BaseProducer, drafts: &[Draft]) {
        for draft in drafts {
            let mut record: BaseRecord<'_, Vec<u8>, Vec<u8>> = BaseRecord::to(&self.name)
                .partition(draft.partition.cast_signed())
                .timestamp(draft.timestamp);
            if let Some(key) = &draft.key {
                record = record.key(key);
            }
            if let Some(value) = &draft.value {
                record = record.payload(value);
            }
            if draft.stub {
                let header = Header { key: "votestream.length", value: Some(&[0_u8; 8]) };
                record = record.headers(OwnedHeaders::new().insert(header));
            }
            let mut left = Some(record);
            while let Some(record) = left.take() {
                if let Err((_, record)) = producer.send(record) {
                    producer.poll(Duration::from_millis(10));
                    left = Some(record);
                }
            }
        }
        producer.flush(PATIENCE).unwrap();
    }

    pub fn write(&self, drafts: &[Draft]) {
        self.send(&self.producer(false), drafts);
    }

    /// In transactions; every third of them is aborted.
    pub fn write_in_transactions(&self, drafts: &[Draft], each: usize) {
        let producer = self.producer(true);
        producer.init_transactions(PATIENCE).unwrap();
        for (number, part) in drafts.chunks(each).enumerate() {
            producer.begin_transaction().unwrap();
            self.send(&producer, part);
            if number % 3 == 2 {
                producer.abort_transaction(PATIENCE).unwrap();
            } else {
                producer.commit_transaction(PATIENCE).unwrap();
            }
        }
    }

    /// Deletes a partition's records below an offset.
    pub fn forget(&self, partition: u32, below: u64) {
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", &self.broker).create().unwrap();
        let mut list = TopicPartitionList::new();
        let at = At::Offset(below.cast_signed());
        list.add_partition_offset(&self.name, partition.cast_signed(), at).unwrap();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(admin.delete_records(&list, &options)).unwrap();
    }

    /// Everything that is committed, partition by partition, and each partition's end.
    pub fn read(&self) -> (Vec<Vec<Lying>>, Vec<u64>) {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.broker)
            .set("group.id", &self.name)
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .create()
            .unwrap();
        let (mut records, mut ends) = (Vec::new(), Vec::new());
        for partition in 0..self.partitions {
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(&self.name, partition.cast_signed(), At::Beginning).unwrap();
            consumer.assign(&list).unwrap();
            let (_, end) = consumer.fetch_watermarks(&self.name, partition.cast_signed(), PATIENCE).unwrap();
            let mut here = Vec::new();
            loop {
                match consumer.poll(PATIENCE).expect("the broker answers") {
                    Ok(message) => here.push(Lying {
                        offset: message.offset().cast_unsigned(),
                        key: message.key().map(<[u8]>::to_vec),
                        value: message.payload().map(<[u8]>::to_vec),
                        timestamp: message.timestamp().to_millis().unwrap_or(-1),
                        stub: message.headers().is_some(),
                    }),
                    Err(rdkafka::error::KafkaError::PartitionEOF(_)) => break,
                    Err(error) => panic!("{error}"),
                }
            }
            records.push(here);
            ends.push(end.cast_unsigned());
        }
        (records, ends)
    }
}
