//! A connection to a session on a Spark Connect server: a question, and no longer a wait for its answer than it may take. What is asked is in
//! other files.

use crate::error::SparkError;
use crate::kept::{Keeper, LettingGo};
use crate::knock::{knock, probe};
use crate::plan::Limits;
use crate::remote::Remote;
use spark_connect::SparkSession;
use spark_connect::row::Row;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tracing::trace;
use uuid::Uuid;

/// Oldest major version of Spark that is spoken to.
const MAJOR_MIN: u32 = 4;

/// How long a query that took too long may take to be cancelled.
pub(crate) const CANCEL: Duration = Duration::from_secs(5);

/// How often it is looked at whether a server that has not answered yet is there.
const LOOK: Duration = Duration::from_secs(2);

/// A connection; its copies ask the same session.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) remote: Remote,
    pub(crate) limits: Limits,
    pub(crate) spark: SparkSession,
    /// A connection of its own to the same session, for what the client has no word for.
    pub(crate) keeper: Keeper,
    /// What is being let go of.
    pub(crate) letting_go: LettingGo,
}

impl Line {
    /// Opens a session.
    pub(crate) fn open(remote: &Remote, limits: Limits) -> Result<Self, SparkError> {
        let (spark, keeper) = connect(remote, limits)?;
        Ok(Self { remote: remote.clone(), limits, spark, keeper, letting_go: LettingGo::default() })
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

    /// Runs a statement, or a query whose rows are wanted.
    pub(crate) fn run_sql(&self, doing: &'static str, sql: String) -> Result<Vec<Row>, SparkError> {
        trace!(doing, sql, "asking Spark");
        self.call(doing, move |spark| spark.sql(&sql)?.collect())
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
