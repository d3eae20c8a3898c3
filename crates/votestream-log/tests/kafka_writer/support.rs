//! Topics, batches, and a reader that is not ours.

#![allow(dead_code, unused_imports, reason = "each test target uses a part of it")]

#[path = "../kafka_common/names.rs"]
mod names;
#[path = "../kafka_common/waiting.rs"]
mod waiting;

pub use names::{broker, unique, variable};
pub use waiting::{Deadline, PATIENCE, eventually, until, wait_for};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset as KafkaOffset, TopicPartitionList};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;
use votestream_election::partitioner::murmur2_partition;
use votestream_election::{Millis, Offset, PartitionId, SourceId};
use votestream_log::{Ack, AppendHandle, BatchBuilder, KafkaUrl, LogError, LogUrl, LogWriter, WriterOptions};

/// The time of record `index` is this many milliseconds and `index` more.
pub const EPOCH: i64 = 1_730_000_000_000;

/// A new topic that nobody else uses.
pub fn topic(broker: &str, what: &str, partitions: u32) -> KafkaUrl {
    let url = KafkaUrl::new([broker], unique(what));
    assert!(votestream_log::create_topic(&url, partitions, 1).unwrap(), "made anew");
    url
}

pub fn open(url: &KafkaUrl) -> LogWriter {
    LogWriter::open_url(&LogUrl::Kafka(url.clone()), WriterOptions::default()).unwrap()
}

/// The voter of record `index`: each tenth record has none.
pub fn key(index: u64) -> Option<String> {
    (!index.is_multiple_of(10)).then(|| (1_000_000_000_000_000 + index * 7_919).to_string())
}

/// Where record `index` belongs.
pub fn partition(index: u64, partitions: u32) -> PartitionId {
    match key(index) {
        Some(key) => murmur2_partition(key.as_bytes(), partitions),
        None => PartitionId((index / 10 % u64::from(partitions)) as u32),
    }
}

/// Gathers records into a batch a partition, as a source does, and passes over what is there.
pub struct Source {
    handle: AppendHandle,
    builders: Vec<BatchBuilder>,
    last: Vec<u64>,
    durable: Vec<Option<u64>>,
    id: Option<SourceId>,
    acks: Option<Sender<Told>>,
    first: Vec<u64>,
}

/// What was acknowledged: partition, the records from first to last, where.
pub type Told = (PartitionId, Range<u64>, Result<Range<Offset>, LogError>);
pub type Acks = Receiver<Told>;

impl Source {
    pub fn new(writer: &LogWriter, source: Option<SourceId>, batch_bytes: usize) -> Self {
        let partitions = writer.partitions() as usize;
        let durable = source.map_or(vec![None; partitions], |source| writer.resume(source).unwrap());
        Self {
            handle: writer.handle(),
            builders: (0..partitions).map(|_| BatchBuilder::new(batch_bytes)).collect(),
            last: vec![0; partitions],
            first: vec![0; partitions],
            durable,
            id: source,
            acks: None,
        }
    }

    pub fn tell(&mut self) -> Acks {
        let (sender, receiver) = std::sync::mpsc::channel();
        self.acks = Some(sender);
        receiver
    }

    pub fn restart_at(&self) -> u64 {
        self.durable.iter().map(|last| last.map_or(0, |last| last + 1)).min().unwrap_or(0)
    }

    pub fn push(&mut self, index: u64) -> Result<(), LogError> {
        let p = partition(index, self.builders.len() as u32).0 as usize;
        if self.durable[p].is_some_and(|durable| index <= durable) {
            return Ok(());
        }
        let (key, value) = (key(index), format!("record {index}"));
        if self.builders[p].is_empty() {
            self.first[p] = index;
        }
        self.last[p] = index;
        let time = Millis(EPOCH + index as i64);
        self.builders[p].push_keyed(time, key.as_deref().map(str::as_bytes), value.as_bytes(), None);
        if self.builders[p].is_full() { self.send(p) } else { Ok(()) }
    }

    fn send(&mut self, p: usize) -> Result<(), LogError> {
        let batch = self.builders[p].seal(self.id.map(|source| (source, self.last[p])));
        let partition = PartitionId(p as u32);
        match &self.acks {
            None => self.handle.append(partition, batch),
            Some(acks) => {
                let (acks, range) = (acks.clone(), self.first[p]..self.last[p] + 1);
                let ack: Ack = Box::new(move |told| drop(acks.send((partition, range, told))));
                self.handle.append_acked(partition, batch, ack)
            }
        }
    }

    /// Queues what was begun.
    pub fn cut(&mut self) -> Result<(), LogError> {
        (0..self.builders.len())
            .try_for_each(|p| if self.builders[p].is_empty() { Ok(()) } else { self.send(p) })
    }

    pub fn flush(&mut self) -> Result<(), LogError> {
        self.cut()?;
        self.handle.flush().map(drop)
    }
}

/// A record as librdkafka reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub partition: u32,
    pub offset: u64,
    pub key: Option<String>,
    pub value: String,
    pub time: i64,
}

impl Read {
    pub fn index(&self) -> u64 {
        self.value.strip_prefix("record ").unwrap().parse().unwrap()
    }
}

/// All committed records of a topic, through librdkafka.
pub fn read(url: &KafkaUrl, partitions: u32) -> Vec<Read> {
    read_as(url, partitions, "read_committed")
}

/// All records of a topic, aborted ones too where `isolation` says so.
pub fn read_as(url: &KafkaUrl, partitions: u32, isolation: &str) -> Vec<Read> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", url.brokers.join(","))
        .set("group.id", "votestream-test-reader")
        .set("enable.auto.commit", "false")
        .set("isolation.level", isolation)
        .set("enable.partition.eof", "true")
        .set("check.crcs", "true")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    for p in 0..partitions {
        list.add_partition_offset(&url.topic, p as i32, KafkaOffset::Beginning).unwrap();
    }
    consumer.assign(&list).unwrap();
    let deadline = Deadline::start();
    let (mut read, mut ended) = (Vec::new(), BTreeSet::new());
    while ended.len() < partitions as usize {
        deadline.ahead(|| format!("of {} only partitions {ended:?} were read to their ends", url.topic));
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Ok(message)) => read.push(Read {
                partition: message.partition() as u32,
                offset: message.offset() as u64,
                key: message.key().map(|key| String::from_utf8(key.to_vec()).unwrap()),
                value: String::from_utf8(message.payload().unwrap().to_vec()).unwrap(),
                time: message.timestamp().to_millis().unwrap(),
            }),
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(p))) => drop(ended.insert(p)),
            Some(Err(error)) => panic!("{error}"),
        }
    }
    read
}

/// Each of `0..records` is there exactly once, whole, where it belongs, and in the order in which it was made.
#[track_caller]
pub fn check(read: &[Read], records: u64, partitions: u32) {
    let mut seen = vec![0_u32; records as usize];
    let mut last = vec![None; partitions as usize];
    for record in read {
        let index = record.index();
        seen[index as usize] += 1;
        let p = record.partition as usize;
        assert!(last[p] < Some(index), "partition {p}: {index} after {:?}", last[p]);
        last[p] = Some(index);
        assert_eq!(record.partition, partition(index, partitions).0, "record {index}");
        assert_eq!(record.key, key(index), "record {index}");
        assert_eq!(record.time, EPOCH + index as i64);
    }
    let lost = seen.iter().filter(|count| **count == 0).count();
    let doubled = seen.iter().filter(|count| **count > 1).count();
    assert_eq!((lost, doubled), (0, 0), "lost and doubled of {records}");
}

/// What was acknowledged is where the acknowledgement says.
#[track_caller]
pub fn check_acks(acks: &Acks, read: &[Read]) {
    let mut told = 0;
    let mut ends = std::collections::BTreeMap::new();
    let at: std::collections::HashMap<(u32, u64), u64> =
        read.iter().map(|record| ((record.partition, record.offset), record.index())).collect();
    for (partition, indexes, range) in acks.try_iter() {
        let range = range.unwrap();
        let end = ends.insert(partition, range.end).unwrap_or(Offset(0));
        assert!(end <= range.start, "acknowledgements of {partition} in order");
        assert_eq!(at.get(&(partition.0, range.start.0)), Some(&indexes.start));
        assert_eq!(at.get(&(partition.0, range.end.0 - 1)), Some(&(indexes.end - 1)));
        told += range.end.0 - range.start.0;
    }
    assert_eq!(told, read.len() as u64, "records acknowledged");
}
