//! What can go wrong between here and Spark, each with a sentence that says what next; and which of it may pass by itself.

use crate::remote::{Remote, RemoteError, TOKEN_VARIABLE};
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
    /// Somebody answers, and it is no Spark Connect server.
    #[error(
        "what answers at {remote} is no Spark Connect server: {says}; look at host and port (15002 unless the server was told otherwise)"
    )]
    NotSpark {
        /// Where.
        remote: Remote,
        /// By what it is told.
        says: String,
    },
    /// The connection cannot be made secure.
    #[error(
        "the connection to {remote} is not secure ({says}): its certificate must name this host and be signed by an authority that is trusted here; the variable SSL_CERT_FILE names a PEM file with the certificates of other authorities"
    )]
    Insecure {
        /// Where.
        remote: Remote,
        /// What TLS says.
        says: String,
    },
    /// The URL's token cannot be had, or must not be sent.
    #[error(transparent)]
    Remote(#[from] RemoteError),
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
    /// It was writing there, and could not go on. Spark's answer leaves out why.
    #[error(
        "Spark could not write to the seen directory '{directory}' ({says}): most likely it is full; the cause stands in Spark's log, and it is tried again"
    )]
    NotWritten {
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
    /// There is no token, or it is not accepted.
    #[error(
        "the Spark server does not let us in ({says}): it wants the token that it was started with, by token_file=FILE in its URL or in the variable {TOKEN_VARIABLE}"
    )]
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

/// Longest part of Spark's own words that is shown, in bytes; its cause may have as many.
const SAYS_BYTES_MAX: usize = 400;

/// What the client or the server says, in one line: its words and their last cause, without the stack.
pub(crate) fn says(error: &spark_connect::SparkError) -> String {
    let text = if error.message.is_empty() { error.message() } else { error.message.clone() };
    let stack = error.server_stacktrace.as_deref().unwrap_or_default();
    let is_stack = |line: &&str| line.starts_with("at ") || line.starts_with("... ");
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let words: Vec<&str> = lines()
        .take_while(|line| !is_stack(line) && *line != "JVM stacktrace:" && !line.starts_with("Caused by:"))
        .collect();
    let mut says = cut(&words.join(" "));
    let mut causes =
        lines().chain(stack.lines().map(str::trim)).filter_map(|line| line.strip_prefix("Caused by: "));
    if let Some(cause) = causes.next_back()
        && !says.contains(cause)
    {
        says.push_str(": ");
        says.push_str(&cut(cause));
    }
    if !error.error_class.is_empty() && !says.contains(&error.error_class) {
        says = format!("[{}] {says}", error.error_class);
    }
    says
}

fn cut(text: &str) -> String {
    if text.len() <= SAYS_BYTES_MAX {
        return text.to_owned();
    }
    let end = (0..=SAYS_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

impl SparkError {
    /// Whether the same epoch may succeed later, perhaps in a new session, without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::TooSlow { .. }
            | Self::NotWritten { .. }
            | Self::DiskFull { .. }
            | Self::Cancelled
            | Self::SessionExpired { .. }
            | Self::Failed { .. } => true,
            Self::NotSpark { .. }
            | Self::Insecure { .. }
            | Self::Remote(_)
            | Self::Version { .. }
            | Self::Connector
            | Self::Directory { .. }
            | Self::Truncated { .. }
            | Self::Refused { .. }
            | Self::Crowded { .. }
            | Self::Inconsistent { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stack_is_left_out_and_the_last_cause_is_not() {
        let text = "Job aborted: Task failed\n\tat org.a.B.c(B.java:1)\n\t... 3 more\nCaused by: x.Y: first\n\tat d\nCaused by: java.io.IOException: No space left on device\n\tat e";
        let error = spark_connect::SparkError::connect_msg(text);
        assert_eq!(says(&error), "Job aborted: Task failed: java.io.IOException: No space left on device");
        assert!(matches!(SparkError::of("writing", &error), SparkError::DiskFull { .. }));
        let long = spark_connect::SparkError::connect_msg("ä".repeat(5_000));
        assert!(says(&long).len() <= SAYS_BYTES_MAX + 3);
    }
}
