//! The thread behind a reader: empties its consumer into blocks, has them checked, hands them on.

use super::Shared;
use super::look::Look;
use crate::batch::Block;
use crate::error::LogError;
use crate::kafka::backoff::Backoff;
use crate::kafka::batch_queue::{BatchQueue, Message};
use crate::kafka::librdkafka::{self, Quiet, sentence};
use rdkafka::Offset as Position;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr as Code;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};
use votestream_election::framing::RECORD_BYTES_MAX;
use votestream_election::{Millis, Offset, PartitionId};

/// A block that has so many bytes is checked and handed on.
const BLOCK_BYTES: usize = 2 << 20;
/// How often the metadata are looked at while nothing comes.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The longest sleep between two looks at the queue; whatever comes ends it.
const SLEEP: Duration = Duration::from_millis(500);
/// How long a broker holds a request for which it has nothing: so late comes the word that an end is reached.
const FETCH_WAIT: Duration = Duration::from_millis(100);
/// What librdkafka may hold for all partitions of a topic together, and the least and most for one.
const QUEUES_KIB: usize = 128 << 10;
const QUEUE_KIB_MIN: usize = 2 << 10;
const QUEUE_KIB_MAX: usize = 32 << 10;

/// A gap wider than a block (2^30 offsets) is passed over in steps, each with a consumer of its own.
const TOO_FAR: Code = Code::RD_KAFKA_RESP_ERR__OUTDATED;

struct Pump {
    shared: Arc<Shared>,
    feed: u64,
    partition: PartitionId,
    /// All before it is in blocks that were handed on.
    position: Offset,
    /// The epoch of the leader that the last of them was read under.
    epoch: Option<i32>,
}

/// Why a consumer is given up.
enum End {
    /// The reader is gone.
    Closed,
    /// Another consumer may do better.
    Again(LogError),
    /// None will.
    Failed(LogError),
}

impl From<LogError> for End {
    fn from(error: LogError) -> Self {
        if error.is_transient() { Self::Again(error) } else { Self::Failed(error) }
    }
}

/// Starts the thread of a feed; it ends when the feed is gone.
pub(super) fn start(
    shared: &Arc<Shared>,
    feed: u64,
    partition: PartitionId,
    from: Offset,
) -> Result<Thread, LogError> {
    let pump = Pump { shared: Arc::clone(shared), feed, partition, position: from, epoch: None };
    let thread = std::thread::Builder::new().name(format!("kafka-rd-{}", partition.0)).spawn(|| pump.run());
    thread.map(|thread| thread.thread().clone()).map_err(|error| librdkafka::no_thread(&shared.url, error))
}

impl Pump {
    fn run(mut self) {
        let mut backoff = Backoff::new();
        loop {
            let began = self.position;
            match self.consume() {
                End::Closed => return,
                End::Failed(error) => {
                    self.shared.fail(self.feed, error);
                    return;
                }
                End::Again(error) => {
                    tracing::debug!(partition = self.partition.0, %error, "a consumer starts anew");
                    self.set_trouble(Some(error.to_string()));
                }
            }
            if self.position > began {
                backoff.reset();
            }
            std::thread::park_timeout(backoff.next_wait());
            if !self.shared.is_open(self.feed) {
                return;
            }
        }
    }

    /// Reads with one consumer, under one leader, until something ends that.
    fn consume(&mut self) -> End {
        match self.try_consume() {
            Ok(()) => End::Closed,
            Err(end) => end,
        }
    }

    fn try_consume(&mut self) -> Result<(), End> {
        let epoch = self.leader_epoch(Instant::now())?;
        if let Some(before) = self.epoch.filter(|before| *before != epoch) {
            self.check_not_cut(before)?;
        }
        self.epoch = Some(epoch);
        let mut queue = BatchQueue::new(self.consumer()?);
        self.set_trouble(None);
        let mut looked = Instant::now();
        loop {
            let Some(buffer) = self.shared.buffer(self.feed) else { return Ok(()) };
            let mut block = Block::new(self.position, buffer);
            let (code, drained) = fill(&mut queue, &mut block);
            if block.next_offset() > self.position {
                self.hand_on(block, epoch)?;
                looked = Instant::now();
            }
            match code {
                Code::RD_KAFKA_RESP_ERR_NO_ERROR => {}
                Code::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET | Code::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE => {
                    return Err(self.out_of_range()?);
                }
                code => return Err(self.failed(&KafkaError::MessageConsumption(code.into()))),
            }
            if looked.elapsed() >= LOOK_EVERY {
                if self.leader_epoch(looked + LOOK_EVERY / 2)? != epoch {
                    return Err(End::Again(self.moved()));
                }
                looked = Instant::now();
                self.set_trouble(None);
            }
            if drained {
                std::thread::park_timeout(SLEEP);
            }
        }
    }

    /// Checks a block and gives it to the reader. All of it had come when the metadata are asked for.
    fn hand_on(&mut self, mut block: Block, epoch: i32) -> Result<(), End> {
        let came = Instant::now();
        let mut backoff = Backoff::new();
        loop {
            match self.leader_epoch(came) {
                Ok(now) if now == epoch => break,
                Ok(_) => return Err(End::Again(self.moved())),
                Err(End::Again(error)) => {
                    self.set_trouble(Some(error.to_string()));
                    std::thread::park_timeout(backoff.next_wait());
                    if !self.shared.is_open(self.feed) {
                        return Err(End::Closed);
                    }
                }
                Err(end) => return Err(end),
            }
        }
        block.set_leader_epoch(epoch);
        let next = block.next_offset();
        if !self.shared.push(self.feed, block) {
            return Err(End::Closed);
        }
        self.position = next;
        Ok(())
    }

    fn set_trouble(&self, trouble: Option<String>) {
        self.shared.set_trouble(self.feed, trouble);
    }

    fn look(&self) -> MutexGuard<'_, Look> {
        self.shared.look.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leader_epoch(&self, since: Instant) -> Result<i32, End> {
        Ok(self.look().leader(&self.shared.url, self.partition, since)?.epoch)
    }

    /// The leader changed: does its log hold what was read under the epoch before?
    fn check_not_cut(&self, before: i32) -> Result<(), End> {
        let end = self.look().epoch_end(&self.shared.url, self.partition, before)?;
        match end {
            Some(end) if end < self.position => Err(End::Failed(self.truncated(end))),
            _ => Ok(()),
        }
    }

    /// The broker has nothing at the position.
    fn out_of_range(&self) -> Result<End, End> {
        let (start, end) = self.look().bounds(&self.shared.url, self.partition)?;
        let (log, partition, wanted) = (self.log(), self.partition, self.position);
        Ok(if wanted < start {
            End::Failed(LogError::BeforeStart { log, partition, wanted, start })
        } else if wanted > end {
            End::Failed(self.truncated(end))
        } else {
            End::Again(self.moved())
        })
    }

    fn truncated(&self, end: Offset) -> LogError {
        LogError::Truncated { log: self.log(), partition: self.partition, wanted: self.position, end }
    }

    fn log(&self) -> String {
        format!("topic \"{}\"", self.shared.url.topic)
    }

    fn moved(&self) -> LogError {
        LogError::Unreachable {
            place: self.shared.url.place(),
            what: format!("the leader of partition {} has changed", self.partition),
            next: "it is read on from there",
        }
    }

    fn failed(&self, error: &KafkaError) -> End {
        let told = librdkafka::failed(&self.shared.url, "read the topic", error);
        if librdkafka::is_denied(error) {
            return End::Failed(told);
        }
        // All else may pass; whether the topic is gone for good, the metadata tell.
        End::Again(LogError::Unreachable {
            place: self.shared.url.place(),
            what: format!("librdkafka says: {}", sentence(error)),
            next: "it is tried again",
        })
    }

    fn consumer(&self) -> Result<BaseConsumer<Quiet>, End> {
        let url = &self.shared.url;
        let queue_kib = (QUEUES_KIB / self.shared.partitions.max(1)).clamp(QUEUE_KIB_MIN, QUEUE_KIB_MAX);
        let mut config = librdkafka::client_config(url)?;
        config
            .set("group.id", "votestream-read")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("check.crcs", "true")
            .set("fetch.wait.max.ms", FETCH_WAIT.as_millis().to_string())
            .set("fetch.queue.backoff.ms", "10")
            .set("queued.min.messages", "1000000")
            .set("queued.max.messages.kbytes", queue_kib.to_string())
            // What goes wrong comes as a message, or is seen in the metadata; its lines would go to the terminal.
            .set_log_level(RDKafkaLogLevel::Emerg);
        self.assigned(&config).map_err(|error| self.failed(&error))
    }

    fn assigned(&self, config: &ClientConfig) -> Result<BaseConsumer<Quiet>, KafkaError> {
        let mut consumer: BaseConsumer<Quiet> = config.create_with_context(Quiet("read"))?;
        let thread = std::thread::current();
        consumer.set_nonempty_callback(move || thread.unpark());
        let mut assigned = TopicPartitionList::new();
        let from = Position::Offset(i64::try_from(self.position.0).unwrap_or(i64::MAX));
        let partition = librdkafka::partition(self.partition);
        assigned.add_partition_offset(&self.shared.url.topic, partition, from)?;
        consumer.assign(&assigned)?;
        Ok(consumer)
    }
}

/// Empties the queue into the block until it is full, or nothing is left (which is answered), or an error came (which is answered too).
fn fill(queue: &mut BatchQueue<Quiet>, block: &mut Block) -> (Code, bool) {
    while block.bytes() < BLOCK_BYTES {
        let mut messages = queue.poll(Duration::ZERO);
        if messages.len() == 0 {
            return (Code::RD_KAFKA_RESP_ERR_NO_ERROR, true);
        }
        if let Some(code) = messages.find_map(|message| take(block, &message)) {
            return (code, false);
        }
    }
    (Code::RD_KAFKA_RESP_ERR_NO_ERROR, false)
}

/// Adds a message to the block; answers an error that ends it.
fn take(block: &mut Block, message: &Message<'_>) -> Option<Code> {
    let offset = Offset(u64::try_from(message.offset).unwrap_or(0));
    match message.error {
        Code::RD_KAFKA_RESP_ERR_NO_ERROR => {}
        // All before that offset has come; what is not in the block holds no votes.
        Code::RD_KAFKA_RESP_ERR__PARTITION_EOF => {
            block.end_at(offset);
            return (block.next_offset() < offset).then_some(TOO_FAR);
        }
        code => return Some(code),
    }
    if block.takes(offset) {
        // Readers cut what is over the bound; one byte more than that is enough for it to show.
        let value = message.value.map(|value| value.get(..=RECORD_BYTES_MAX).unwrap_or(value));
        block.push(offset, Millis(message.timestamp), message.key, value, message.stub);
        return None;
    }
    if offset >= block.next_offset() {
        block.end_at(offset);
        return Some(TOO_FAR);
    }
    // Before the place asked for.
    None
}
