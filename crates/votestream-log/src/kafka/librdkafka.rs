//! What all that goes through librdkafka shares: a topic's URL as its properties, its log lines in our log, its errors as ours.
//!
//! **Invariant:** the password goes into librdkafka's configuration and nowhere else: no error and no log line holds a property's value.

use super::config;
use super::error::refused;
use crate::error::LogError;
use crate::kafka_url::KafkaUrl;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::time::Duration;
use votestream_election::PartitionId;

/// The first and the longest pause before a broken connection is made again, in milliseconds.
const RECONNECT_MIN_MS: &str = "50";
const RECONNECT_MAX_MS: &str = "2000";

/// What to do where brokers do not answer.
const REACHABLE: &str =
    "check that the brokers run and that their advertised.listeners can be reached from here";

/// The properties that every client of the topic shares.
///
/// # Errors
/// A user or password that is asked for and missing; paths that are no UTF-8.
pub(crate) fn client_config(url: &KafkaUrl) -> Result<ClientConfig, LogError> {
    // Whoever uses OpenSSL first decides whether it is taken down at the process's end, by `exit`. librdkafka would have it so; its threads
    // still run then, and each of some hundred processes that read over TLS ended with SIGSEGV. This says no, for all.
    openssl_sys::init();
    let options = &url.options;
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", url.broker_list())
        .set("client.id", config::CLIENT_ID)
        .set("allow.auto.create.topics", "false")
        .set("log.connection.close", "false")
        .set("socket.nagle.disable", "true")
        .set("reconnect.backoff.ms", RECONNECT_MIN_MS)
        .set("reconnect.backoff.max.ms", RECONNECT_MAX_MS)
        .set_log_level(if tracing::enabled!(tracing::Level::DEBUG) {
            RDKafkaLogLevel::Info
        } else {
            RDKafkaLogLevel::Warning
        });
    let protocol = match (options.tls, options.sasl.is_some()) {
        (false, false) => "plaintext",
        (true, false) => "ssl",
        (false, true) => "sasl_plaintext",
        (true, true) => "sasl_ssl",
    };
    config.set("security.protocol", protocol);
    if options.tls {
        match &options.ca {
            Some(ca) => config.set("ssl.ca.location", text(ca)?),
            None => config.set("ssl.ca.location", "probe"),
        };
        if let (Some(cert), Some(key)) = (&options.cert, &options.key) {
            config.set("ssl.certificate.location", text(cert)?).set("ssl.key.location", text(key)?);
        }
    }
    if let Some(credentials) = config::credentials(url)? {
        config
            .set("sasl.mechanism", credentials.mechanism.kafka_name())
            .set("sasl.username", credentials.user)
            .set("sasl.password", credentials.password.reveal());
    }
    Ok(config)
}

fn text(path: &Path) -> Result<&str, LogError> {
    path.to_str().ok_or_else(|| LogError::Credentials {
        what: format!("the file name \"{}\" is not UTF-8, which librdkafka wants", path.display()),
        next: "give the file another name",
    })
}

/// A partition's number as Kafka has it.
pub(crate) fn partition(partition: PartitionId) -> i32 {
    i32::try_from(partition.0).unwrap_or(i32::MAX)
}

/// What went wrong, without a property's value.
pub(crate) fn sentence(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, what, key, _) => {
            format!("librdkafka does not take the property {key}: {what}")
        }
        KafkaError::Transaction(error) => error.string(),
        other => match code(other) {
            Some(code) => code.to_string(),
            None => other.to_string(),
        },
    }
}

/// Kafka's or librdkafka's code of an error, where it has one.
fn code(error: &KafkaError) -> Option<Code> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        other => other.rdkafka_error_code(),
    }
}

/// Whether the brokers do not let us: waiting does not mend it.
pub(crate) fn is_denied(error: &KafkaError) -> bool {
    matches!(
        code(error),
        Some(
            Code::Authentication
                | Code::SaslAuthenticationFailed
                | Code::UnsupportedSASLMechanism
                | Code::SecurityDisabled
                | Code::GroupAuthorizationFailed
                | Code::TopicAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::TransactionalIdAuthorizationFailed
                | Code::InvalidGroupId
                | Code::InvalidSessionTimeout
                | Code::InvalidTransactionTimeout
                | Code::InconsistentGroupProtocol
                | Code::GroupMaxSizeReached
                | Code::PolicyViolation
                | Code::InvalidConfig
                | Code::InvalidReplicationFactor
        )
    )
}

/// Whether a consumer can do no more: denied, or an error that ended it.
pub(crate) fn is_final(error: &KafkaError) -> bool {
    let ended = error.rdkafka_error_code() == Some(Code::Fatal);
    ended || is_denied(error) || matches!(error, KafkaError::MessageConsumptionFatal(_))
}

/// An error of librdkafka's, as ours, with what a person may do about it.
pub(crate) fn failed(url: &KafkaUrl, doing: &'static str, error: &KafkaError) -> LogError {
    let place = url.place();
    let what = format!("could not {doing}: {}", sentence(error));
    let Some(code) = code(error) else {
        return LogError::Credentials { what, next: "check the options of the Kafka URL" };
    };
    match code {
        Code::UnknownTopicOrPartition | Code::UnknownTopic => no_topic(url),
        Code::Authentication | Code::SaslAuthenticationFailed | Code::UnsupportedSASLMechanism => {
            let next = "check sasl=, user= and the password (VOTESTREAM_KAFKA_PASSWORD or password_file=)";
            LogError::Refused { place, what, next }
        }
        Code::InconsistentGroupProtocol => {
            let next = "the group is votestream's own, but other programs are in it: end them";
            LogError::Refused { place, what, next }
        }
        Code::InvalidSessionTimeout => {
            let next = "choose a session_timeout_ms that the brokers' group.min.session.timeout.ms and group.max.session.timeout.ms allow";
            LogError::Refused { place, what, next }
        }
        Code::OperationTimedOut => silent(url, doing),
        Code::SSL => LogError::Unreachable { place, what, next: "check tls=, ca=, cert= and key=" },
        code if (code as i32) > 0 => refused(&place, doing, code as i16, None),
        code => LogError::Kafka {
            place,
            doing,
            code: code as i16,
            name: format!("{code:?}").into(),
            detail: format!(": {}", sentence(error)).into(),
            next: REACHABLE,
            transient: !is_final(error),
        },
    }
}

/// No broker has answered when asked to do this.
pub(crate) fn silent(url: &KafkaUrl, doing: &'static str) -> LogError {
    let what = format!("no broker answers when asked to {doing}");
    LogError::Unreachable { place: url.place(), what, next: REACHABLE }
}

pub(crate) fn no_topic(url: &KafkaUrl) -> LogError {
    LogError::NoSuchTopic { topic: url.topic.clone(), brokers: url.broker_list() }
}

/// The system gave no thread.
pub(crate) fn no_thread(url: &KafkaUrl, error: std::io::Error) -> LogError {
    LogError::io("start a thread for", Path::new(&url.place()), error)
}

/// A line of librdkafka's in our log: what it warns of as a warning, the rest for who debugs.
pub(crate) fn log(client: &'static str, level: RDKafkaLogLevel, facility: &str, line: &str) {
    match level {
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
            tracing::debug!(client, facility, line, "the Kafka client says");
        }
        // A connection that fails is tried again, and told by whoever waits for it.
        _ if facility == "FAIL" || facility == "ERROR" => {
            tracing::debug!(client, facility, line, "the Kafka client lost a connection");
        }
        _ => tracing::warn!(client, facility, line, "the Kafka client warns"),
    }
}

/// What a topic's creation is called in errors.
pub(crate) const CREATING: &str = "create the topic";

/// Creates the topic unless it is there, and says whether it did. `replication` `None`: as the brokers do by default.
///
/// # Errors
/// No broker answers within `timeout`; refused.
pub(crate) fn create_topic(
    url: &KafkaUrl,
    partitions: u32,
    replication: Option<i32>,
    properties: &[(&str, &str)],
    timeout: Duration,
) -> Result<bool, LogError> {
    let admin: AdminClient<Quiet> = client_config(url)?
        .create_with_context(Quiet("admin"))
        .map_err(|error| failed(url, CREATING, &error))?;
    let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
    let mut topic = NewTopic::new(&url.topic, partitions, TopicReplication::Fixed(replication.unwrap_or(-1)));
    for (name, value) in properties {
        topic = topic.set(name, value);
    }
    let options = AdminOptions::new().request_timeout(Some(timeout)).operation_timeout(Some(timeout));
    let answered =
        wait(admin.create_topics([&topic], &options)).map_err(|error| failed(url, CREATING, &error))?;
    match answered.into_iter().next() {
        Some(Err((_, Code::TopicAlreadyExists))) => Ok(false),
        Some(Err((_, code))) => Err(failed(url, CREATING, &KafkaError::AdminOp(code))),
        Some(Ok(_)) | None => Ok(true),
    }
}

/// Waits for what librdkafka answers on a thread of its own. It keeps its own deadline.
fn wait<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let waker = Arc::new(Waking(std::thread::current())).into();
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::park();
    }
}

struct Waking(std::thread::Thread);

impl Wake for Waking {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A client's context that only logs; the name says whose.
pub(crate) struct Quiet(pub(crate) &'static str);

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        log(self.0, level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(client = self.0, what = %sentence(&error), reason, "the Kafka client reports trouble");
    }
}

impl ProducerContext for Quiet {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

impl ConsumerContext for Quiet {}
