//! A session on a Spark Connect server: opened, asked, given up when anything takes too long. What it is asked is in other files.

use crate::error::{SparkError, says};
use crate::kept::{Keeper, Kept};
use crate::knock::{knock, probe};
use crate::plan::Limits;
use crate::remote::Remote;
use crate::seen::SeenView;
use spark_connect::SparkSession;
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tracing::{info, trace};
use uuid::Uuid;

/// Oldest major version of Spark that is spoken to.
const MAJOR_MIN: u32 = 4;

/// How long a query that took too long may take to be cancelled.
const CANCEL: Duration = Duration::from_secs(5);

/// How often it is looked at whether a server that has not answered yet is there.
const LOOK: Duration = Duration::from_secs(2);

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

/// A session. One epoch at a time.
pub struct Session {
    pub(crate) remote: Remote,
    pub(crate) limits: Limits,
    pub(crate) spark: SparkSession,
    /// Its views of files of voters.
    pub(crate) views: Vec<SeenView>,
    pub(crate) views_made: u64,
    /// A connection of its own to the same session, for what the client has no word for.
    pub(crate) keeper: Keeper,
    /// What the server keeps for the epoch.
    pub(crate) kept: Vec<Kept>,
    /// Says when it has let go of what it kept for the last one. (Behind a lock only since an epoch's last two queries share the session.)
    pub(crate) letting_go: Mutex<Option<Receiver<()>>>,
    /// How many pieces it was last told to make of rows that are sorted by voter.
    pub(crate) pieces: Option<u64>,
}

impl Session {
    /// Connects, checks the server's version and sets the session up.
    pub fn open(remote: &Remote, limits: Limits) -> Result<Self, SparkError> {
        let (spark, keeper) = connect(remote, limits)?;
        let session = Self {
            remote: remote.clone(),
            limits,
            spark,
            views: Vec::new(),
            views_made: 0,
            keeper,
            kept: Vec::new(),
            letting_go: Mutex::new(None),
            pieces: None,
        };
        let version = session.version()?;
        session.call("setting the session up", |spark| {
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
            self.call("setting the session up", move |spark| {
                spark.conf().set("spark.sql.shuffle.partitions", &pieces.to_string())
            })?;
            self.pieces = Some(pieces);
        }
        Ok(())
    }

    /// Its name on the server, as Spark's own pages and logs have it.
    pub fn id(&self) -> &str {
        self.spark.session_id()
    }

    /// The server's version, where it is one that is spoken to.
    pub(crate) fn version(&self) -> Result<String, SparkError> {
        let found = self.call_within(self.limits.first, "asking its version", SparkSession::version)?;
        let major = found.split('.').next().and_then(|major| major.parse::<u32>().ok());
        if major.is_some_and(|major| major >= MAJOR_MIN) {
            Ok(found)
        } else {
            Err(SparkError::Version { found })
        }
    }

    /// Somebody listens there: the client itself would try for ten minutes.
    pub(crate) fn probe(&self) -> Result<(), SparkError> {
        probe(&self.remote, self.limits).map(drop)
    }

    /// Asks the server something, for as long as a call may take. One that takes longer is cancelled; meanwhile it is looked at whether the
    /// server is there, because the client goes on asking a dead one for ten minutes. What is given up goes on in a thread that nobody
    /// waits for.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        doing: &'static str,
        ask: impl FnOnce(&SparkSession) -> spark_connect::Result<T> + Send + 'static,
    ) -> Result<T, SparkError> {
        self.call_within(self.limits.call, doing, ask)
    }

    fn call_within<T: Send + 'static>(
        &self,
        bound: Duration,
        doing: &'static str,
        ask: impl FnOnce(&SparkSession) -> spark_connect::Result<T> + Send + 'static,
    ) -> Result<T, SparkError> {
        let spark = self.spark.clone();
        let began = Instant::now();
        let answer = in_a_thread(move || ask(&spark));
        let deadline = began + bound;
        let mut missed = 0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match answer.recv_timeout(left.min(LOOK)) {
                Ok(answer) => {
                    trace!(doing, ms = began.elapsed().as_millis(), "Spark answered");
                    return answer.map_err(|error| SparkError::of(doing, &error));
                }
                Err(RecvTimeoutError::Timeout) if !left.is_zero() => match self.probe() {
                    Ok(()) => missed = 0,
                    Err(gone) if missed > 0 => return Err(gone),
                    Err(_) => missed += 1,
                },
                // Nothing comes any more, or not in time.
                Err(_) => break,
            }
        }
        let spark = self.spark.clone();
        // Whether it can be cancelled or not, it is not waited for.
        drop(in_a_thread(move || spark.interrupt_all()).recv_timeout(CANCEL));
        Err(SparkError::TooSlow { doing, bound })
    }
}

impl Drop for Session {
    /// Lets the server forget the session, where it is there to do so: else it would keep it for an hour.
    fn drop(&mut self) {
        if self.probe().is_ok() {
            let spark = self.spark.clone();
            drop(in_a_thread(move || spark.stop()).recv_timeout(CANCEL));
        }
    }
}

fn connect(remote: &Remote, limits: Limits) -> Result<(SparkSession, Keeper), SparkError> {
    let url = remote.secret_url(&Uuid::new_v4().to_string())?;
    knock(remote, limits)?;
    let opened =
        in_a_thread(move || Ok((SparkSession::builder().remote(&url).get_or_create()?, Keeper::new(&url)?)));
    match opened.recv_timeout(limits.call) {
        Ok(opened) => opened.map_err(|error| SparkError::of("connecting", &error)),
        Err(_) => Err(SparkError::TooSlow { doing: "connecting", bound: limits.call }),
    }
}

/// Where a call's answer comes out. (A panic of the client says nothing: then nothing comes.)
pub(crate) fn in_a_thread<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (answer, answered) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        // Nobody listens any more where it took too long.
        let _ = answer.send(call());
    });
    answered
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
