//! A session on a Spark Connect server: opened, asked, given up when anything takes too long. What it is asked is in other files.

use crate::ahead::Ahead;
use crate::error::{SparkError, says};
use crate::kept::Kept;
use crate::line::{CANCEL, Line, in_a_thread};
use crate::plan::Limits;
use crate::remote::Remote;
use crate::seen::SeenView;
use tracing::info;

/// What a session is set to, so that its answers do not hang on the server's settings: integers wrap as Kafka's hash wants, and what
/// cannot be read is NULL, hence left undecided. A method of more than 8,000 bytes is never compiled by the JVM: judging in one method as
/// large as Spark allows by itself took 1.7 times as long as in several.
/// Generated classes without their number in a plan are found again in another plan, compiled.
/// A plan that is remembered for the next query of the same would keep the rows that it is about.
/// How rows are dealt out is told for each epoch ([`Session::pieces`]); to find out while a query runs takes longer than most of an epoch's queries.
/// The server makes a text of each plan for its own pages and keeps it; one of the query that judges is hundreds of kilobytes.
/// Kafka is left out of the sources that are read by Spark's older interface, which makes objects of each record and rows of those again.
const SETTINGS: [(&str, &str); 8] = [
    ("spark.sql.sources.useV1SourceList", "avro,csv,json,orc,parquet,text"),
    ("spark.sql.ansi.enabled", "false"),
    ("spark.sql.session.timeZone", "UTC"),
    ("spark.sql.codegen.hugeMethodLimit", "8000"),
    ("spark.sql.codegen.useIdInClassName", "false"),
    ("spark.connect.session.planCache.enabled", "false"),
    ("spark.sql.adaptive.enabled", "false"),
    ("spark.sql.maxPlanStringLength", "4000"),
];

/// The session's own setting of what Spark hides where it shows or logs a query, and the server's for all sessions.
const REDACTED: [&str; 2] = ["spark.sql.redaction.string.regex", "spark.redaction.string.regex"];
/// How secrets stand in the options by which Spark reads Kafka, where it tells of those: a password in `sasl.jaas.config`, up to the line's end, and a private key.
const SECRETS: &str =
    "(?i)password=[^\\n]*|-----BEGIN [A-Z ]*PRIVATE KEY[\\s\\S]*?(?:END [A-Z ]*PRIVATE KEY-----|$)";

/// What Spark calls a file that it cannot read, or that is gone.
const READ_FAILED: &str = "FAILED_READ_FILE";
/// What Spark calls a file that it began and could not finish.
const WRITE_FAILED: &str = "TASK_WRITE_FAILED";

/// A session. One epoch at a time, of the next one no more than what it reads.
pub struct Session {
    pub(crate) line: Line,
    /// Its views of files of voters.
    pub(crate) views: Vec<SeenView>,
    pub(crate) views_made: u64,
    /// What the server keeps for the epoch.
    pub(crate) kept: Vec<Kept>,
    /// How many pieces it was last told to make of rows that are sorted by voter.
    pub(crate) pieces: Option<u64>,
    /// What is read and judged for the next epoch already.
    pub(crate) ahead: Option<Ahead>,
}

impl Session {
    /// Connects, checks the server's version and sets the session up.
    pub fn open(remote: &Remote, limits: Limits) -> Result<Self, SparkError> {
        let line = Line::open(remote, limits)?;
        let (views, kept) = (Vec::new(), Vec::new());
        let session = Self { line, views, views_made: 0, kept, pieces: None, ahead: None };
        let version = session.line.version()?;
        session.line.call("setting the session up", |spark| {
            let conf = spark.conf();
            let mut redacted = SECRETS.to_owned();
            for name in REDACTED {
                // What is hidden already stays so.
                if let Some(theirs) = conf.get_with_default(name, Some(""))?.filter(|regex| !regex.is_empty())
                {
                    redacted = format!("{redacted}|(?:{theirs})");
                }
            }
            conf.set(REDACTED[0], &redacted)?;
            SETTINGS.iter().try_for_each(|(name, value)| conf.set(name, value))
        })?;
        info!(%remote, version, session = session.id(), "Spark session opened");
        Ok(session)
    }

    /// Has rows that are brought together by voter dealt out to so many pieces from now on.
    pub(crate) fn deal_out(&mut self, pieces: u64) -> Result<(), SparkError> {
        if self.pieces != Some(pieces) {
            self.line.call("setting the session up", move |spark| {
                spark.conf().set("spark.sql.shuffle.partitions", &pieces.to_string())
            })?;
            self.pieces = Some(pieces);
        }
        Ok(())
    }

    /// Its name on the server, as Spark's own pages and logs have it.
    pub fn id(&self) -> &str {
        self.line.spark.session_id()
    }
}

impl Drop for Session {
    /// Lets the server forget the session, where it is there to do so: else it would keep it for an hour.
    fn drop(&mut self) {
        if self.line.probe().is_ok() {
            let spark = self.line.spark.clone();
            drop(in_a_thread(move || spark.stop()).recv_timeout(CANCEL));
        }
    }
}

impl SparkError {
    /// What failed at the seen directory, where it is the directory that failed.
    pub(crate) fn in_directory(self, directory: &str) -> Self {
        const WORDS: [&str; 9] = [
            "PATH_NOT_FOUND",
            "Permission denied",
            "AccessControlException",
            "AccessDenied",
            "Mkdirs failed",
            "FileNotFoundException",
            READ_FAILED,
            "No FileSystem for scheme",
            "Read-only file system",
        ];
        match self {
            Self::Failed { says, .. } if WORDS.iter().any(|word| says.contains(word)) => {
                Self::Directory { directory: directory.to_owned(), says }
            }
            Self::Failed { says, .. } if says.contains(WRITE_FAILED) => {
                Self::NotWritten { directory: directory.to_owned(), says }
            }
            other => other,
        }
    }

    /// The same for errors of whole epochs, where only what says so for sure is taken for the directory's.
    pub(crate) fn of_files(self, directory: &str) -> Self {
        match self {
            Self::Failed { says, .. } if says.contains(READ_FAILED) => {
                Self::Directory { directory: directory.to_owned(), says }
            }
            other => other,
        }
    }

    /// What an error of the client or the server means.
    pub(crate) fn of(doing: &'static str, error: &spark_connect::SparkError) -> Self {
        let says = says(error);
        let has = |words: &[&str]| words.iter().any(|word| says.contains(word));
        // The gRPC status codes of a call that was not authenticated or not allowed.
        if matches!(error.grpc_code, Some(7 | 16)) {
            return Self::Refused { says };
        }
        if has(&["INVALID_HANDLE", "SESSION_CLOSED", "SESSION_NOT_FOUND", "SESSION_CHANGED"]) {
            return Self::SessionExpired { says };
        }
        if has(&["OPERATION_CANCELED", "OPERATION_ABANDONED", "cancelled", "canceled"]) {
            return Self::Cancelled;
        }
        if has(&["No space left on device", "Disk quota exceeded"]) {
            return Self::DiskFull { says };
        }
        if has(&[
            "Failed to find data source: kafka",
            "Failed to find the data source: `kafka`",
            "data source: kafka",
            "`kafka`",
        ]) && has(&["DATA_SOURCE_NOT_FOUND", "Failed to find"])
        {
            return Self::Connector;
        }
        if has(&[
            "failOnDataLoss",
            "OffsetOutOfRange",
            "KAFKA_DATA_LOSS",
            "data may have been lost",
            "aged out by Kafka",
            "Cannot fetch offset",
            "CANNOT_FETCH_OFFSET",
        ]) {
            return Self::Truncated { says };
        }
        Self::Failed { doing, says }
    }
}
