//! Results into a compacted topic: the newest value of each key, for whoever reads results from Kafka.
//!
//! What is published is a view, never the truth: trouble is told and passes, and nothing that counts waits for it.

use super::librdkafka::{self, Quiet, sentence};
use crate::error::LogError;
use crate::kafka_url::KafkaUrl;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Partitions of a topic that is created: results are few, and their order within a key is what matters.
const PARTITIONS: u32 = 1;
/// How a topic that is created is kept: the newest value of each key, for good.
const PROPERTIES: [(&str, &str); 3] =
    [("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0.1"), ("segment.ms", "3600000")];
/// How many values may be on their way to the brokers.
const QUEUE_RECORDS_MAX: usize = 10_000;
/// How many bytes may.
const QUEUE_KIB_MAX: usize = 16 * 1024;
/// How many keys may wait for their newest value to arrive; results have a few thousand at most.
const KEYS_MAX: usize = 100_000;
/// How long a value is tried before it goes back among those that wait.
const DELIVERY_TIMEOUT: Duration = Duration::from_mins(2);
/// How long the topic is asked for, before that counts as no answer.
const CREATION_TIMEOUT: Duration = Duration::from_secs(10);
/// When it is asked for again after that failed.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// How long values gather for one request.
const LINGER: Duration = Duration::from_millis(20);
/// One step of waiting in [`Publisher::await_topic`] and [`Publisher::flush`].
const STEP: Duration = Duration::from_millis(5);

/// Publishes values by key. For one thread at a time.
pub struct Publisher {
    url: KafkaUrl,
    config: ClientConfig,
    producer: BaseProducer<Delivery>,
    topic: Topic,
    answers: Arc<Mutex<Answers>>,
    /// The newest value of each key that the brokers do not have yet.
    newest: HashMap<Vec<u8>, Newest>,
    /// Keys whose newest value is still to be sent.
    unsent: VecDeque<Vec<u8>>,
    /// Counts the values.
    sequence: usize,
}

/// Nothing is sent before the topic is there.
enum Topic {
    There,
    /// A thread of its own waits for the brokers' answer, which says whether it was made.
    Asked(Receiver<Result<bool, LogError>>),
    /// It is asked for again then.
    Failed {
        again: Instant,
        why: LogError,
    },
}

struct Newest {
    value: Vec<u8>,
    sequence: usize,
    /// It stands in the queue of what is to be sent.
    unsent: bool,
}

/// What the brokers said.
#[derive(Default)]
struct Answers {
    trouble: Option<String>,
    /// Key, sequence, whether it arrived.
    told: Vec<(Vec<u8>, usize, bool)>,
}

struct Delivery(Arc<Mutex<Answers>>);

impl Publisher {
    /// A publisher to the URL's topic, which is created, compacted, if it is not there. Waits for no broker.
    ///
    /// # Errors
    /// Options that are no good.
    pub fn open(url: &KafkaUrl) -> Result<Self, LogError> {
        let topic = Topic::ask(url)?;
        let mut config = librdkafka::client_config(url)?;
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("partitioner", "murmur2_random")
            .set("compression.type", url.options.codec.name())
            .set("linger.ms", LINGER.as_millis().to_string())
            .set("message.timeout.ms", DELIVERY_TIMEOUT.as_millis().to_string())
            .set("queue.buffering.max.messages", QUEUE_RECORDS_MAX.to_string())
            .set("queue.buffering.max.kbytes", QUEUE_KIB_MAX.to_string());
        let answers: Arc<Mutex<Answers>> = Arc::default();
        let producer = connect(url, &config, &answers)?;
        let (newest, unsent) = (HashMap::new(), VecDeque::new());
        Ok(Self { url: url.clone(), config, producer, topic, answers, newest, unsent, sequence: 0 })
    }

    /// Waits until the topic is there, for at most `timeout` and not once `stop` says so; needs not be called. Whatever the error, the
    /// publisher goes on asking.
    ///
    /// # Errors
    /// Refused; a transient one where no broker has answered.
    pub fn await_topic(&mut self, timeout: Duration, stop: impl Fn() -> bool) -> Result<(), LogError> {
        let deadline = Instant::now() + timeout;
        loop {
            self.go_on();
            match &self.topic {
                Topic::There => return Ok(()),
                Topic::Failed { why, .. } => return Err(why.clone()),
                Topic::Asked(_) if stop() || Instant::now() >= deadline => {
                    return Err(librdkafka::silent(&self.url, librdkafka::CREATING));
                }
                Topic::Asked(_) => std::thread::park_timeout(STEP),
            }
        }
    }

    /// Publishes `value` as the newest of `key`. Never waits: while the brokers are away, the newest value of each key is kept.
    pub fn publish(&mut self, key: &[u8], value: &[u8]) {
        if self.newest.len() >= KEYS_MAX && !self.newest.contains_key(key) {
            self.lock().trouble = Some(format!("more than {KEYS_MAX} keys wait; new ones are left out"));
            return;
        }
        self.sequence += 1;
        let newest = Newest { value: value.to_vec(), sequence: self.sequence, unsent: true };
        if !self.newest.insert(key.to_vec(), newest).is_some_and(|older| older.unsent) {
            self.unsent.push_back(key.to_vec());
        }
        self.go_on();
    }

    /// Waits until the brokers have all that was published, for at most `timeout`. Says whether they have.
    pub fn flush(&mut self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        loop {
            std::thread::park_timeout(STEP);
            self.go_on();
            if self.newest.is_empty() {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
        }
    }

    /// What keeps values from the topic at the moment, for health.
    pub fn trouble(&self) -> Option<String> {
        match &self.topic {
            Topic::There => self.lock().trouble.clone(),
            Topic::Failed { why, .. } => Some(why.to_string()),
            Topic::Asked(_) => Some(librdkafka::silent(&self.url, librdkafka::CREATING).to_string()),
        }
    }

    /// Of how many keys the brokers do not have the newest value yet.
    pub fn waiting(&self) -> usize {
        self.newest.len()
    }

    /// The topic.
    pub fn url(&self) -> &KafkaUrl {
        &self.url
    }

    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what the brokers said, and sends what is to be sent. Never waits; to be called now and then while values wait.
    pub fn go_on(&mut self) {
        self.producer.poll(Duration::ZERO);
        self.topic.go_on(&self.url);
        if !matches!(self.topic, Topic::There) {
            return;
        }
        if let Some((_, what)) = self.producer.client().fatal_error() {
            self.start_anew(&what);
        }
        let told = std::mem::take(&mut self.lock().told);
        for (key, sequence, arrived) in told {
            // An answer about a value that is not the newest any more changes nothing.
            let Some(newest) = self.newest.get_mut(&key).filter(|newest| newest.sequence == sequence) else {
                continue;
            };
            if arrived {
                self.newest.remove(&key);
            } else if !std::mem::replace(&mut newest.unsent, true) {
                self.unsent.push_back(key);
            }
        }
        while let Some(key) = self.unsent.pop_front() {
            if !self.send(&key) {
                self.unsent.push_front(key);
                return;
            }
        }
    }

    /// Whether the queue took the key's newest value, or there is no use in trying it again.
    fn send(&mut self, key: &[u8]) -> bool {
        let Some(newest) = self.newest.get_mut(key) else { return true };
        let record: BaseRecord<'_, [u8], [u8], usize> =
            BaseRecord::with_opaque_to(&self.url.topic, newest.sequence).key(key).payload(&newest.value);
        let Err((error, _)) = self.producer.send(record) else {
            newest.unsent = false;
            return true;
        };
        if !matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) {
            tracing::warn!(topic = self.url.topic, what = %sentence(&error), "a result is not published yet");
            self.lock().trouble = Some(sentence(&error));
        }
        false
    }

    /// An idempotent producer that lost its place can only be replaced. What it had not delivered is sent again; a value that comes
    /// twice does no harm.
    fn start_anew(&mut self, what: &str) {
        tracing::warn!(topic = self.url.topic, what, "the producer of results starts anew");
        match connect(&self.url, &self.config, &self.answers) {
            Ok(producer) => {
                // Dropped first, so that what it says of its values is known.
                drop(std::mem::replace(&mut self.producer, producer));
                self.lock().told.clear();
                self.unsent = self.newest.keys().cloned().collect();
                self.newest.values_mut().for_each(|newest| newest.unsent = true);
            }
            Err(error) => self.lock().trouble = Some(error.to_string()),
        }
    }
}

impl Topic {
    fn ask(url: &KafkaUrl) -> Result<Self, LogError> {
        let (tell, told) = channel();
        let asked = url.clone();
        let work = move || {
            let made = librdkafka::create_topic(&asked, PARTITIONS, None, &PROPERTIES, CREATION_TIMEOUT);
            // Whoever asked may be gone.
            drop(tell.send(made));
        };
        let thread = std::thread::Builder::new().name("publish-topic".to_owned());
        thread.spawn(work).map_err(|error| librdkafka::no_thread(url, error))?;
        Ok(Self::Asked(told))
    }

    fn go_on(&mut self, url: &KafkaUrl) {
        let next = match self {
            Self::There => return,
            Self::Asked(told) => match told.try_recv() {
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => Err(librdkafka::silent(url, librdkafka::CREATING)),
                Ok(Ok(created)) => {
                    if created {
                        tracing::info!(topic = url.topic, "a compacted topic for results was created");
                    }
                    Ok(Self::There)
                }
                Ok(Err(why)) => Err(why),
            },
            Self::Failed { again, .. } if Instant::now() < *again => return,
            Self::Failed { .. } => Self::ask(url),
        };
        *self = next.unwrap_or_else(|why| Self::Failed { again: Instant::now() + ASK_AGAIN, why });
    }
}

fn connect(
    url: &KafkaUrl,
    config: &ClientConfig,
    answers: &Arc<Mutex<Answers>>,
) -> Result<BaseProducer<Delivery>, LogError> {
    let context = Delivery(Arc::clone(answers));
    config.create_with_context(context).map_err(|error| librdkafka::failed(url, "publish results", &error))
}

impl ClientContext for Delivery {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        Quiet("publish").log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).trouble = Some(sentence(&error));
        Quiet("publish").error(error, reason);
    }
}

impl ProducerContext for Delivery {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, sequence: usize) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (message, arrived) = match result {
            Ok(message) => (message, true),
            Err((_, message)) => (message, false),
        };
        answers.trouble = result.as_ref().err().map(|(error, _)| sentence(error));
        answers.told.push((message.key().unwrap_or_default().to_vec(), sequence, arrived));
    }
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").field("url", &self.url.place()).finish_non_exhaustive()
    }
}
