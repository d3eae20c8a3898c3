//! Where a log is and how it is laid out: `dir:PATH[?codec=…&partitions=…]` or `kafka://…`. Opening it is left to the writer and reader.

use crate::error::LogError;
use crate::kafka_url::KafkaUrl;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The partition count of a log that is created without one being asked for.
pub const PARTITIONS_DEFAULT: u32 = 4;
/// The greatest partition count: each has an open file, a mark and a place in every answer.
pub const PARTITIONS_MAX: u32 = 1024;

/// A log, as the option `--log` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogUrl {
    /// Segment files in a directory of ours.
    Dir(DirLogUrl),
    /// A Kafka topic.
    Kafka(KafkaUrl),
}

/// A directory of segment files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirLogUrl {
    /// The log's directory.
    pub path: PathBuf,
    /// The codec asked for; `None` takes what the log has, or [`Codec::Lz4`] for a new one.
    pub codec: Option<Codec>,
    /// The partition count asked for; `None` takes what the log has, or [`PARTITIONS_DEFAULT`] for a new one.
    pub partitions: Option<u32>,
}

impl LogUrl {
    /// The directory, which is all that a build without Kafka can open.
    ///
    /// # Errors
    /// [`LogError::NotBuilt`] for a Kafka topic.
    pub fn dir(&self) -> Result<&DirLogUrl, LogError> {
        match self {
            Self::Dir(url) => Ok(url),
            Self::Kafka(_) => Err(LogError::NotBuilt {
                what: "a kafka:// log",
                instead: "use a build with Kafka (cargo build without --no-default-features), or a directory, as in --log dir:data/log",
            }),
        }
    }
}

impl DirLogUrl {
    /// The log in `path`, as it is (or, when new, with the defaults).
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), codec: None, partitions: None }
    }
}

/// How the records of a batch are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Not at all.
    None,
    /// LZ4 frames: the default.
    Lz4,
    /// Zstandard; written and read by builds with the feature `zstd`.
    Zstd,
}

impl Codec {
    /// The name in URLs and in `log.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Reads what [`Codec::name`] writes.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::None, Self::Lz4, Self::Zstd].into_iter().find(|codec| codec.name() == name)
    }

    /// Whether this build can write and read it.
    pub fn available(self) -> bool {
        self != Self::Zstd || cfg!(feature = "zstd")
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a text is no log URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Neither `dir:` nor `kafka://`.
    #[error("log \"{0}\" has no known scheme; write dir:PATH or kafka://host:port/topic")]
    Scheme(String),
    /// `dir:` with nothing after it.
    #[error("log \"{0}\" names no directory; write dir:PATH, as in dir:data/log")]
    NoPath(String),
    /// An option that is not known.
    #[error("log option \"{0}\" is unknown; a directory log takes codec and partitions")]
    Option(String),
    /// An option without a value, or given twice.
    #[error("log option \"{0}\" must be given once, as in codec=lz4")]
    Form(String),
    /// No such codec, or one that this build lacks.
    #[error("log codec \"{0}\" is not known; choose lz4, zstd or none")]
    Codec(String),
    /// Known, but not in this build.
    #[error("log codec \"zstd\" is not in this build; build it with the feature zstd, or choose lz4")]
    CodecNotBuilt,
    /// Not a whole number from 1 to [`PARTITIONS_MAX`].
    #[error("log partitions \"{0}\" is no whole number from 1 to {PARTITIONS_MAX}")]
    Partitions(String),
    /// A Kafka URL without a host or a topic.
    #[error("log \"{0}\" must name a host and a topic, as in kafka://localhost:9092/voter_data")]
    Kafka(String),
    /// A broker that is no `host:port`.
    #[error("Kafka broker \"{0}\" is not of the form host:port, as in localhost:9092")]
    KafkaBroker(String),
    /// A topic name that Kafka does not allow.
    #[error(
        "Kafka topic \"{0}\" has a name that Kafka does not allow; it takes 1 to 249 of a-z, A-Z, 0-9, \".\", \"_\" and \"-\""
    )]
    KafkaTopic(String),
    /// A password in the URL, where process lists and logs would show it.
    #[error(
        "a password may not stand in a log URL, where every process list shows it; put it in the variable VOTESTREAM_KAFKA_PASSWORD or name its file with password_file=FILE"
    )]
    KafkaPassword,
    /// An option that is not known.
    #[error(
        "Kafka option \"{0}\" is unknown; known are tls, ca, cert, key, sasl, user, password_file, reader, codec and session_timeout_ms"
    )]
    KafkaOption(String),
    /// An option without a value, or given twice.
    #[error("Kafka option \"{0}\" must be given once and with a value, as in tls=true")]
    KafkaForm(String),
    /// An option's value that is not among the possible ones.
    #[error("Kafka option {name} cannot be \"{value}\"; it takes {takes}")]
    KafkaValue {
        /// The option.
        name: &'static str,
        /// What was given.
        value: String,
        /// What it takes.
        takes: &'static str,
    },
    /// Options that do not go together.
    #[error("{0}")]
    KafkaPair(&'static str),
}

impl FromStr for LogUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if let Some(rest) = text.strip_prefix("kafka://") {
            return rest.parse().map(Self::Kafka);
        }
        let rest = text.strip_prefix("dir:").ok_or_else(|| UrlError::Scheme(text.to_owned()))?;
        let (path, options) = rest.split_once('?').unwrap_or((rest, ""));
        if path.is_empty() {
            return Err(UrlError::NoPath(text.to_owned()));
        }
        let mut url = DirLogUrl::new(path);
        for option in options.split('&').filter(|option| !option.is_empty()) {
            set_option(&mut url, option)?;
        }
        Ok(Self::Dir(url))
    }
}

fn set_option(url: &mut DirLogUrl, option: &str) -> Result<(), UrlError> {
    let (name, value) = option.split_once('=').ok_or_else(|| UrlError::Form(option.to_owned()))?;
    match name {
        "codec" if url.codec.is_none() => {
            let codec = Codec::by_name(value).ok_or_else(|| UrlError::Codec(value.to_owned()))?;
            if !codec.available() {
                return Err(UrlError::CodecNotBuilt);
            }
            url.codec = Some(codec);
        }
        "partitions" if url.partitions.is_none() => {
            let count = value.parse().ok().filter(|count| (1..=PARTITIONS_MAX).contains(count));
            url.partitions = Some(count.ok_or_else(|| UrlError::Partitions(value.to_owned()))?);
        }
        "codec" | "partitions" => return Err(UrlError::Form(option.to_owned())),
        _ => return Err(UrlError::Option(name.to_owned())),
    }
    Ok(())
}

impl fmt::Display for LogUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dir(url) => url.fmt(f),
            Self::Kafka(url) => url.fmt(f),
        }
    }
}

impl fmt::Display for DirLogUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dir:{}", self.path.display())?;
        let mut sep = '?';
        if let Some(codec) = self.codec {
            write!(f, "{sep}codec={codec}")?;
            sep = '&';
        }
        if let Some(partitions) = self.partitions {
            write!(f, "{sep}partitions={partitions}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<LogUrl, UrlError>) {
        assert_eq!(text.parse::<LogUrl>(), expect, "{text}");
        if let Ok(url) = expect {
            assert_eq!(url.to_string().parse::<LogUrl>(), Ok(url), "{text}");
        }
    }

    #[test]
    fn urls() {
        let dir =
            |codec, partitions| Ok(LogUrl::Dir(DirLogUrl { codec, partitions, ..DirLogUrl::new("a/b") }));
        check("dir:a/b", dir(None, None));
        check("dir:a/b?codec=lz4&partitions=12", dir(Some(Codec::Lz4), Some(12)));
        check("dir:a/b?partitions=1&codec=none", dir(Some(Codec::None), Some(1)));
        let kafka = LogUrl::Kafka(KafkaUrl::new(["h:9092", "i:9092"], "t"));
        check("kafka://h:9092,i:9092/t", Ok(kafka));
        check("a/b", Err(UrlError::Scheme("a/b".into())));
        check("dir:", Err(UrlError::NoPath("dir:".into())));
        check("dir:?codec=lz4", Err(UrlError::NoPath("dir:?codec=lz4".into())));
        check("dir:a?codec", Err(UrlError::Form("codec".into())));
        check("dir:a?codec=lz4&codec=lz4", Err(UrlError::Form("codec=lz4".into())));
        check("dir:a?colour=red", Err(UrlError::Option("colour".into())));
        check("dir:a?codec=rar", Err(UrlError::Codec("rar".into())));
        for bad in ["0", "-1", "1025", "many", ""] {
            check(&format!("dir:a?partitions={bad}"), Err(UrlError::Partitions(bad.into())));
        }
        check("kafka://h:1", Err(UrlError::Kafka("kafka://h:1".into())));
        check("kafka:///t", Err(UrlError::Kafka("kafka:///t".into())));
    }
}
