//! Measures on a real broker what goes through librdkafka: `measure_kafka HOST:PORT VOTES` makes a topic of that many votes, reads it with
//! the plain consumer, with `reader=librdkafka` and with our own reader, in turn, then routes it.

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::time::{Duration, Instant};
use votestream_election::PartitionId;
use votestream_log::{KafkaUrl, LogReader, LogUrl, ReaderKind, RouteOptions, create_topic, route};

const PARTITIONS: u32 = 4;
/// How often the readers take turns.
const TURNS: usize = 3;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, broker, votes] = &args[..] else {
        eprintln!("usage: measure_kafka HOST:PORT VOTES");
        std::process::exit(2);
    };
    let votes: u64 = votes.parse().expect("VOTES is a number");
    let now = std::time::UNIX_EPOCH.elapsed().expect("the clock is set").as_millis();
    let mut url = KafkaUrl::new([broker.as_str()], format!("measure-{now}"));
    create_topic(&url, PARTITIONS, 1).expect("the topic is made");
    rate("produced by librdkafka", votes, || fill(&url, votes));
    for _ in 0..TURNS {
        rate("read by librdkafka alone", votes, || read_raw(&url, votes));
        url.options.reader = ReaderKind::Librdkafka;
        rate("read with reader=librdkafka", votes, || read(&url, votes));
        url.options.reader = ReaderKind::Native;
        rate("read with reader=native", votes, || read(&url, votes));
    }
    let options = RouteOptions { until_end: true, from_log_start: false };
    let done = rate("routed", votes, || route(&url, options, &mut voter_of, &|| false, &mut |_| {}));
    println!("{:?}", done.expect("routed"));
}

fn rate<T>(what: &str, votes: u64, work: impl FnOnce() -> T) -> T {
    let (started, cpu) = (Instant::now(), cpu_seconds());
    let answer = work();
    let seconds = started.elapsed().as_secs_f64();
    let cpu = cpu_seconds() - cpu;
    let (millions, nanos) = (votes as f64 / seconds / 1e6, cpu * 1e9 / votes as f64);
    println!("{what}: {seconds:.2} s, {millions:.2} M/s, {nanos:.0} ns of CPU a vote in this process");
    answer
}

/// What this process has used, as Linux tells it in hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn voter_of(value: &[u8]) -> Option<Vec<u8>> {
    let digits = value.get(6..22)?;
    digits.iter().all(u8::is_ascii_digit).then(|| digits.to_vec())
}

fn config(url: &KafkaUrl) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", url.broker_list());
    config
}

fn fill(url: &KafkaUrl, votes: u64) {
    let mut config = config(url);
    config.set("enable.idempotence", "true").set("linger.ms", "20").set("compression.type", "lz4");
    config.set("queue.buffering.max.messages", "500000").set("delivery.report.only.error", "true");
    let producer: BaseProducer = config.create().expect("a producer");
    for index in 0..votes {
        let id = 1_000_000_000_000_000 + index.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 9_000_000_000_000_000;
        let value = format!(
            "{{\"id\":{id},\"gender\":\"Female\",\"age\":41,\"state\":\"Ohio\",\"decision\":\"Jill Stein\"}}"
        );
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&url.topic).payload(value.as_bytes());
        record.partition = Some((index % u64::from(PARTITIONS)) as i32);
        while let Err((_, back)) = producer.send(record) {
            producer.poll(Duration::from_millis(1));
            record = back;
        }
    }
    producer.flush(Duration::from_mins(2)).expect("flushed");
}

fn read_raw(url: &KafkaUrl, votes: u64) {
    let mut config = config(url);
    config
        .set("group.id", "measure")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed");
    config.set("enable.auto.offset.store", "false").set("fetch.queue.backoff.ms", "10");
    config.set("queued.min.messages", "1000000").set("queued.max.messages.kbytes", "131072");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let mut assigned = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        let partition = i32::try_from(partition).expect("a partition");
        assigned.add_partition_offset(&url.topic, partition, Offset::Beginning).expect("assigned");
    }
    consumer.assign(&assigned).expect("assigned");
    let mut read = 0;
    while read < votes {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(_)) => read += 1,
            None | Some(Err(KafkaError::PartitionEOF(_))) => {}
            Some(Err(error)) => panic!("{error}"),
        }
    }
}

fn read(url: &KafkaUrl, votes: u64) {
    let log = LogReader::open_url(&LogUrl::Kafka(url.clone())).expect("the topic opens");
    let starts = log.start_offsets().expect("it has starts");
    let open = |(index, from): (u32, _)| log.partition(PartitionId(index), from).expect("a partition");
    let mut readers: Vec<_> = (0..PARTITIONS).zip(starts).map(open).collect();
    let mut read = 0;
    while read < votes {
        let before = read;
        for reader in &mut readers {
            if let Some(batch) = reader.next_batch().expect("readable") {
                read += batch.records().map(|record| u64::from(record.is_ok())).sum::<u64>();
            }
        }
        if read == before {
            let past: Vec<_> = readers.iter().map(votestream_log::PartitionReader::position).collect();
            log.wait_past(&past, Duration::from_millis(100)).expect("it can be waited for");
        }
    }
}
