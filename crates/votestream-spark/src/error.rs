//! What can go wrong between here and Spark, each with a sentence that says what next; and which of it may pass by itself.

use crate::remote::Remote;
use std::time::Duration;
use thiserror::Error;

/// Why an epoch has no answer. Nothing of it may be committed.
#[derive(Debug, Error)]
pub enum SparkError {
    /// Nobody answers there.
    #[error(
        "no Spark Connect server answers at {remote} ({says}): is it running, and is spark.connect.grpc.binding.address one that is reachable from here?"
    )]
    Unreachable {
        /// Where.
        remote: Remote,
        /// What the connection said.
        says: String,
    },
    /// It took longer than its bound.
    #[error("Spark did not answer within {} s while {doing}; the query was cancelled and is tried again", bound.as_secs())]
    TooSlow {
        /// What was asked.
        doing: &'static str,
        /// The bound.
        bound: Duration,
    },
    /// The server is of a version that this client does not speak to.
    #[error("the Spark server is version {found}; this program needs 4.0 or newer")]
    Version {
        /// Its version.
        found: String,
    },
    /// There is no Kafka source.
    #[error(
        "Spark has no Kafka connector: start its Connect server with --packages org.apache.spark:spark-sql-kafka-0-10_2.13:<its version>, or with the jars by --jars (docs/spark.md)"
    )]
    Connector,
    /// The seen directory cannot be written or read.
    #[error(
        "Spark cannot use the seen directory '{directory}' ({says}): the user that Spark's executors run as needs to read and write there, from every machine of the cluster"
    )]
    Directory {
        /// Which.
        directory: String,
        /// What Spark said.
        says: String,
    },
    /// Spark has no room left.
    #[error(
        "a disk that Spark writes to is full ({says}): free space in spark.local.dir or the seen directory"
    )]
    DiskFull {
        /// What Spark said.
        says: String,
    },
    /// Offsets are no longer in the topic.
    #[error(
        "the topic no longer holds all offsets that are to be counted ({says}): records were deleted before they were counted, or the topic was made anew; see recount --from-scratch"
    )]
    Truncated {
        /// What Spark said.
        says: String,
    },
    /// Somebody stopped the query.
    #[error("the query was cancelled on the Spark server; it is tried again")]
    Cancelled,
    /// The session is gone.
    #[error("the Spark session has ended ({says}); a new one is opened")]
    SessionExpired {
        /// What Spark said.
        says: String,
    },
    /// The token is not accepted.
    #[error("the Spark server refuses the token of --remote ({says})")]
    Refused {
        /// What the server said.
        says: String,
    },
    /// More records than can be held here need judging here.
    #[error(
        "{records} records of one epoch are not judged in SQL, and at most {bound} are judged here: use a smaller epoch"
    )]
    Crowded {
        /// How many.
        records: u64,
        /// How many at most.
        bound: u64,
    },
    /// Spark's answer does not add up.
    #[error("Spark's answer does not add up: {says}; nothing of the epoch is committed")]
    Inconsistent {
        /// What does not.
        says: String,
    },
    /// Anything else that Spark says.
    #[error("Spark failed while {doing}: {says}")]
    Failed {
        /// What was asked.
        doing: &'static str,
        /// What Spark said, without its stack.
        says: String,
    },
}

/// Longest part of Spark's own words that is shown, in bytes.
const SAYS_BYTES_MAX: usize = 600;

/// What the client or the server says, in one line without its stack.
pub(crate) fn says(error: &spark_connect::SparkError) -> String {
    let text = if error.message.is_empty() { error.message() } else { error.message.clone() };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut says = lines
        .take_while(|line| !line.starts_with("at ") && *line != "JVM stacktrace:")
        .collect::<Vec<_>>()
        .join(" ");
    if !error.error_class.is_empty() && !says.contains(&error.error_class) {
        says = format!("[{}] {says}", error.error_class);
    }
    if says.len() > SAYS_BYTES_MAX {
        let end = (0..=SAYS_BYTES_MAX).rev().find(|end| says.is_char_boundary(*end)).unwrap_or(0);
        says.truncate(end);
        says.push('…');
    }
    says
}

impl SparkError {
    /// Whether the same epoch may succeed later, perhaps in a new session, without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::TooSlow { .. }
            | Self::DiskFull { .. }
            | Self::Cancelled
            | Self::SessionExpired { .. }
            | Self::Failed { .. } => true,
            Self::Version { .. }
            | Self::Connector
            | Self::Directory { .. }
            | Self::Truncated { .. }
            | Self::Refused { .. }
            | Self::Crowded { .. }
            | Self::Inconsistent { .. } => false,
        }
    }
}
