//! What a `kafka://host:port,…/topic?option=value&…` URL says. Reading secrets and connecting are left to the Kafka client.
//!
//! **Invariant:** no secret is in a [`KafkaUrl`], so that printing one is safe.

use crate::url::{Codec, UrlError};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The port of a broker that is named without one.
pub const KAFKA_PORT_DEFAULT: u16 = 9092;
/// How long a group member may be silent before its partitions go to others, unless the URL says otherwise.
pub const SESSION_TIMEOUT_MS_DEFAULT: u32 = 10_000;
/// The bounds of that time: beyond them every broker refuses it.
const SESSION_TIMEOUT_MS_RANGE: std::ops::RangeInclusive<u32> = 1_000..=1_800_000;
/// The longest topic name that Kafka allows.
const TOPIC_BYTES_MAX: usize = 249;
/// The longest host name.
const HOST_BYTES_MAX: usize = 253;

/// A Kafka topic, where its brokers are and how they are spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaUrl {
    /// The brokers to ask first, each as `host:port` (an IPv6 address in brackets); at least one.
    pub brokers: Vec<String>,
    /// The topic.
    pub topic: String,
    /// What follows the question mark.
    pub options: KafkaOptions,
}

/// How a topic's brokers are spoken to. The password is not among it: it comes from a file or the environment when connecting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaOptions {
    /// Connections are encrypted.
    pub tls: bool,
    /// A PEM file with the certificates that broker certificates must be signed by; `None`: the system's.
    pub ca: Option<PathBuf>,
    /// A PEM file with our certificate and its chain, for brokers that ask for one.
    pub cert: Option<PathBuf>,
    /// The PEM file with the certificate's key.
    pub key: Option<PathBuf>,
    /// How we say who we are; `None`: not at all (or by certificate).
    pub sasl: Option<SaslMechanism>,
    /// Who we are; `None`: as the variable `VOTESTREAM_KAFKA_USER` says.
    pub user: Option<String>,
    /// A file whose first line is the password; `None`: the variable `VOTESTREAM_KAFKA_PASSWORD` has it.
    pub password_file: Option<PathBuf>,
    /// Who fetches.
    pub reader: ReaderKind,
    /// How batches that we produce are compressed.
    pub codec: Codec,
    /// How long a group member may be silent before its partitions go to others, in milliseconds.
    pub session_timeout_ms: u32,
}

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SaslMechanism {
    /// The password itself is sent: only over TLS is it kept secret.
    Plain,
    /// Both sides prove that they know the password (RFC 5802, RFC 7677).
    ScramSha256,
    /// The same with SHA-512.
    ScramSha512,
}

/// What reads a topic's records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReaderKind {
    /// Our own, batch by batch.
    #[default]
    Native,
    /// librdkafka: slower, with more kinds of authentication.
    Librdkafka,
}

impl Default for KafkaOptions {
    fn default() -> Self {
        Self {
            tls: false,
            ca: None,
            cert: None,
            key: None,
            sasl: None,
            user: None,
            password_file: None,
            reader: ReaderKind::Native,
            codec: Codec::Lz4,
            session_timeout_ms: SESSION_TIMEOUT_MS_DEFAULT,
        }
    }
}

impl SaslMechanism {
    /// The name in URLs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::ScramSha256 => "scram-sha-256",
            Self::ScramSha512 => "scram-sha-512",
        }
    }

    /// The name that brokers and librdkafka know it by.
    pub fn kafka_name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl ReaderKind {
    /// The name in URLs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Librdkafka => "librdkafka",
        }
    }
}

impl KafkaUrl {
    /// A topic with the default options. The brokers and the topic are taken as they are.
    pub fn new<B: Into<String>>(brokers: impl IntoIterator<Item = B>, topic: impl Into<String>) -> Self {
        let brokers = brokers.into_iter().map(Into::into).collect();
        Self { brokers, topic: topic.into(), options: KafkaOptions::default() }
    }

    /// Another topic of the same brokers, spoken to in the same way.
    #[must_use]
    pub fn with_topic(&self, topic: impl Into<String>) -> Self {
        Self { topic: topic.into(), ..self.clone() }
    }

    /// The brokers as `host:port,host:port`.
    pub fn broker_list(&self) -> String {
        self.brokers.join(",")
    }

    /// Brokers and topic, without the options: how errors name the log.
    pub fn place(&self) -> String {
        format!("kafka://{}/{}", self.broker_list(), self.topic)
    }
}

impl fmt::Display for KafkaUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())?;
        let (options, usual) = (&self.options, KafkaOptions::default());
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let pairs = [
            ("tls", options.tls.then(|| "true".to_owned())),
            ("ca", path(&options.ca)),
            ("cert", path(&options.cert)),
            ("key", path(&options.key)),
            ("sasl", options.sasl.map(|sasl| sasl.name().to_owned())),
            ("user", options.user.clone()),
            ("password_file", path(&options.password_file)),
            ("reader", (options.reader != usual.reader).then(|| options.reader.name().to_owned())),
            ("codec", (options.codec != usual.codec).then(|| options.codec.to_string())),
            (
                "session_timeout_ms",
                (options.session_timeout_ms != usual.session_timeout_ms)
                    .then(|| options.session_timeout_ms.to_string()),
            ),
        ];
        let mut sep = '?';
        for (name, value) in pairs {
            if let Some(value) = value {
                write!(f, "{sep}{name}={value}")?;
                sep = '&';
            }
        }
        Ok(())
    }
}

/// Reads what follows `kafka://`; with that in front, too.
impl FromStr for KafkaUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let text = text.strip_prefix("kafka://").unwrap_or(text);
        let (place, options) = text.split_once('?').unwrap_or((text, ""));
        let (hosts, topic) = place.split_once('/').unwrap_or((place, ""));
        if place.contains('@') {
            return Err(UrlError::KafkaPassword);
        }
        if hosts.is_empty() || topic.is_empty() {
            return Err(UrlError::Kafka(format!("kafka://{place}")));
        }
        let brokers = hosts.split(',').map(read_broker).collect::<Result<_, _>>()?;
        Ok(Self { brokers, topic: read_topic(topic)?, options: read_options(options)? })
    }
}

fn read_broker(text: &str) -> Result<String, UrlError> {
    let bad = || UrlError::KafkaBroker(text.to_owned());
    let (host, port) = split_broker(text).ok_or_else(bad)?;
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let good = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            (1..=HOST_BYTES_MAX).contains(&host.len())
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        }
    };
    if good { Ok(format!("{host}:{port}")) } else { Err(bad()) }
}

/// Host and port of a broker as the URL names it; `None`: the port is none, or 0.
fn split_broker(text: &str) -> Option<(&str, u16)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (text, KAFKA_PORT_DEFAULT),
    };
    (port != 0).then_some((host, port))
}

fn read_topic(text: &str) -> Result<String, UrlError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let good = text.len() <= TOPIC_BYTES_MAX && text.bytes().all(allowed) && text != "." && text != "..";
    if good { Ok(text.to_owned()) } else { Err(UrlError::KafkaTopic(text.to_owned())) }
}

fn read_options(text: &str) -> Result<KafkaOptions, UrlError> {
    let mut options = KafkaOptions::default();
    let mut tls = None;
    let mut given = Vec::new();
    for option in text.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        if name.contains("password") && name != "password_file" {
            return Err(UrlError::KafkaPassword);
        }
        set_option(&mut options, &mut tls, name, value)?;
        if value.is_empty() || given.contains(&name) {
            return Err(UrlError::KafkaForm(name.to_owned()));
        }
        given.push(name);
    }
    let has_files = options.ca.is_some() || options.cert.is_some() || options.key.is_some();
    options.tls = tls.unwrap_or(has_files);
    if has_files && !options.tls {
        return Err(UrlError::KafkaPair("Kafka options ca, cert and key say tls=true; leave out tls=false"));
    }
    if options.cert.is_some() != options.key.is_some() {
        return Err(UrlError::KafkaPair("Kafka options cert and key go together; name both files"));
    }
    if options.sasl.is_none() && (options.user.is_some() || options.password_file.is_some()) {
        let what =
            "Kafka options user and password_file need sasl=plain, sasl=scram-sha-256 or sasl=scram-sha-512";
        return Err(UrlError::KafkaPair(what));
    }
    Ok(options)
}

fn set_option(
    options: &mut KafkaOptions,
    tls: &mut Option<bool>,
    name: &str,
    value: &str,
) -> Result<(), UrlError> {
    let refuse = |name, takes| UrlError::KafkaValue { name, value: value.to_owned(), takes };
    match name {
        "tls" => *tls = Some(value.parse().map_err(|_| refuse("tls", "true or false"))?),
        "ca" => options.ca = Some(value.into()),
        "cert" => options.cert = Some(value.into()),
        "key" => options.key = Some(value.into()),
        "sasl" => {
            let known = [SaslMechanism::Plain, SaslMechanism::ScramSha256, SaslMechanism::ScramSha512];
            let found = known.into_iter().find(|sasl| sasl.name() == value);
            let takes = "plain, scram-sha-256 or scram-sha-512";
            options.sasl = Some(found.ok_or_else(|| refuse("sasl", takes))?);
        }
        "user" => options.user = Some(value.to_owned()),
        "password_file" => options.password_file = Some(value.into()),
        "reader" => {
            let found = [ReaderKind::Native, ReaderKind::Librdkafka];
            let found = found.into_iter().find(|reader| reader.name() == value);
            options.reader = found.ok_or_else(|| refuse("reader", "native or librdkafka"))?;
        }
        "codec" => {
            let found = Codec::by_name(value).ok_or_else(|| refuse("codec", "lz4, zstd or none"))?;
            options.codec = Some(found).filter(|codec| codec.available()).ok_or(UrlError::CodecNotBuilt)?;
        }
        "session_timeout_ms" => {
            let ms = value.parse().ok().filter(|ms| SESSION_TIMEOUT_MS_RANGE.contains(ms));
            let takes = "a whole number of milliseconds from 1000 to 1800000";
            options.session_timeout_ms = ms.ok_or_else(|| refuse("session_timeout_ms", takes))?;
        }
        _ => return Err(UrlError::KafkaOption(name.to_owned())),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<KafkaUrl, UrlError> {
        text.parse()
    }

    #[track_caller]
    fn refused(text: &str, expect: &str) {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(expect), "{text}: {error}");
    }

    #[test]
    fn all_options_are_read_and_written_again() {
        let text = "kafka://a:9092,b.c-d:1,[::1]:9093/voter_data?tls=true&ca=ca.pem&cert=c.pem&key=k.pem&\
                    sasl=scram-sha-512&user=anna&password_file=secret&reader=librdkafka&codec=none&session_timeout_ms=6000";
        let url = read(text).unwrap();
        assert_eq!(url.brokers, ["a:9092", "b.c-d:1", "[::1]:9093"]);
        assert_eq!(url.topic, "voter_data");
        let expect = KafkaOptions {
            tls: true,
            ca: Some("ca.pem".into()),
            cert: Some("c.pem".into()),
            key: Some("k.pem".into()),
            sasl: Some(SaslMechanism::ScramSha512),
            user: Some("anna".into()),
            password_file: Some("secret".into()),
            reader: ReaderKind::Librdkafka,
            codec: Codec::None,
            session_timeout_ms: 6000,
        };
        assert_eq!(url.options, expect);
        assert_eq!(url.to_string(), text);
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let url = read("kafka://localhost/votes").unwrap();
        assert_eq!(url, KafkaUrl::new(["localhost:9092"], "votes"));
        assert_eq!(url.to_string(), "kafka://localhost:9092/votes");
        assert!(read("kafka://h/t?ca=x").unwrap().options.tls, "a CA says TLS");
        assert_eq!(read("kafka://[::1]/t").unwrap().brokers, ["[::1]:9092"]);
        assert_eq!(url.with_topic("other").place(), "kafka://localhost:9092/other");
    }

    #[test]
    fn what_is_wrong_is_refused_with_a_sentence() {
        refused("kafka://h:1", "must name a host and a topic");
        refused("kafka:///t", "must name a host and a topic");
        refused("kafka://h:1,/t", "\"\" is not of the form host:port");
        refused("kafka://h:0/t", "\"h:0\" is not of the form");
        refused("kafka://h:70000/t", "\"h:70000\" is not of the form");
        refused("kafka://::1:9092/t", "not of the form");
        refused("kafka://h/a/b", "\"a/b\" has a name that Kafka does not allow");
        refused("kafka://h/..", "a name that Kafka does not allow");
        refused(&format!("kafka://h/{}", "x".repeat(250)), "a name that Kafka does not allow");
        refused("kafka://h/t?colour=red", "option \"colour\" is unknown");
        refused("kafka://h/t?tls", "tls cannot be \"\"; it takes true or false");
        refused("kafka://h/t?ca", "\"ca\" must be given once and with a value");
        refused("kafka://h/t?user=a&user=b&sasl=plain", "\"user\" must be given once");
        refused("kafka://h/t?sasl=gssapi", "it takes plain, scram-sha-256 or scram-sha-512");
        refused("kafka://h/t?codec=rar", "it takes lz4, zstd or none");
        refused("kafka://h/t?session_timeout_ms=5", "from 1000 to 1800000");
        refused("kafka://h/t?tls=false&ca=x", "leave out tls=false");
        refused("kafka://h/t?cert=x", "cert and key go together");
        refused("kafka://h/t?user=anna", "need sasl=");
    }

    #[test]
    fn a_password_in_the_url_is_refused_and_not_repeated() {
        for text in
            ["kafka://h/t?sasl=plain&password=hunter2", "kafka://anna:hunter2@h/t", "kafka://a:hunter2@h"]
        {
            let error = read(text).unwrap_err();
            assert_eq!(error, UrlError::KafkaPassword, "{text}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }
}
