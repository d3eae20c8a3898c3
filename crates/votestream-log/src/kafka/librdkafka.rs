//! What all that goes through librdkafka shares: a topic's URL as its properties, its log lines in our log, its errors as ours.
//!
//! **Invariant:** the password goes into librdkafka's configuration and nowhere else: no error and no log line holds a property's value.

use super::config;
use crate::error::LogError;
use crate::kafka_url::KafkaUrl;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use std::path::Path;
use votestream_election::PartitionId;

/// How our clients name themselves to the brokers.
pub(crate) const CLIENT_ID: &str = "votestream";
/// The first and the longest pause before a broken connection is made again, in milliseconds.
const RECONNECT_MIN_MS: &str = "50";
const RECONNECT_MAX_MS: &str = "2000";

/// The properties that every client of the topic shares.
///
/// # Errors
/// A user or password that is asked for and missing; paths that are no UTF-8.
pub(crate) fn client_config(url: &KafkaUrl) -> Result<ClientConfig, LogError> {
    let options = &url.options;
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", url.broker_list())
        .set("client.id", CLIENT_ID)
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
            .set("sasl.password", credentials.password.expose());
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
        KafkaError::ClientConfig(_, what, key, _) => format!("librdkafka does not take the property {key}: {what}"),
        KafkaError::Transaction(error) => error.string(),
        other => match other.rdkafka_error_code() {
            Some(code) => code.to_string(),
            None => other.to_string(),
        },
    }
}

/// Whether the brokers refuse us, or take this for a mistake: waiting does not mend it.
pub(crate) fn is_refusal(error: &KafkaError) -> bool {
    let Some(code) = error.rdkafka_error_code() else { return false };
    matches!(
        code,
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
            | Code::Fatal
    ) || matches!(error, KafkaError::MessageConsumptionFatal(_))
}

/// An error of librdkafka's, as ours, with what a person may do about it.
pub(crate) fn failed(url: &KafkaUrl, doing: &'static str, error: &KafkaError) -> LogError {
    let code = error.rdkafka_error_code();
    let place = url.place();
    let what = format!("could not {doing}: {}", sentence(error));
    let refused = |next| LogError::Refused { place: place.clone(), what: what.clone(), next };
    match code {
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => no_topic(url),
        Some(Code::Authentication | Code::SaslAuthenticationFailed | Code::UnsupportedSASLMechanism) => {
            refused("check sasl=, user= and the password (VOTESTREAM_KAFKA_PASSWORD or password_file=)")
        }
        Some(Code::GroupAuthorizationFailed) => {
            refused("allow this user READ on consumer groups whose names begin with votestream-")
        }
        Some(Code::TopicAuthorizationFailed) => refused("allow this user READ, DESCRIBE and, to write, WRITE on the topic"),
        Some(Code::ClusterAuthorizationFailed) => refused("allow this user IDEMPOTENT_WRITE, and CREATE for new topics"),
        Some(Code::TransactionalIdAuthorizationFailed) => {
            refused("allow this user WRITE on transactional ids that begin with votestream-")
        }
        Some(Code::InconsistentGroupProtocol) => {
            refused("other programs are in this group; end them, it is votestream's own")
        }
        Some(Code::InvalidSessionTimeout) => {
            refused("choose session_timeout_ms within the brokers' group.min.session.timeout.ms and group.max.session.timeout.ms")
        }
        Some(Code::SSL) => LogError::Unreachable {
            place,
            what,
            next: "check tls=, ca=, cert= and key=",
        },
        Some(
            Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::OperationTimedOut
            | Code::MessageTimedOut
            | Code::TimedOutQueue
            | Code::UnknownBroker
            | Code::WaitingForCoordinator,
        ) => LogError::Unreachable {
            place,
            what,
            next: "check that the brokers run and that their advertised.listeners can be reached from here",
        },
        _ => LogError::Kafka {
            place,
            doing,
            code: code.map_or(-1, |code| i16::try_from(code as i32).unwrap_or(-1)),
            name: code.map_or_else(|| "an error".to_owned(), |code| format!("{code:?}")),
            detail: format!(": {}", sentence(error)),
            next: "see the broker's log",
            transient: !is_refusal(error) && code.is_some(),
        },
    }
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
