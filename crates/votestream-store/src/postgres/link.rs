//! One connection behind blocking calls: a private runtime of the calling thread, a deadline on everything, connecting again by itself.
//!
//! **Invariant:** no call outlasts its deadlines, whatever the server or the network does; after a call that failed no transaction is open.
//! There is no pool: a worker counts over one connection, and the server keeps a bounded set of readers, each with its own.

use super::fault::{Done, Fault};
use super::options::{self, Place, Role};
use super::tls;
use crate::error::StoreError;
use crate::postgres_url::{PostgresUrl, TlsMode};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{sleep, timeout};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row, SimpleQueryMessage, Statement};

/// Pauses between two attempts to connect, doubled from the least to the most, each cut by up to half.
const BACKOFF_LEAST: Duration = Duration::from_millis(50);
const BACKOFF_MOST: Duration = Duration::from_secs(2);
/// How long taking back a transaction may take before the connection is given up instead.
const ROLLBACK_TIMEOUT: Duration = Duration::from_secs(1);
/// How much longer than the server's own bound an answer is waited for.
const GRACE: Duration = Duration::from_secs(2);
/// A transaction of ours that is left open, by a worker stopped in its middle, is ended by the server after this.
const IDLE_IN_TRANSACTION: Duration = Duration::from_mins(1);

/// A parameter of a statement, and all of them.
pub(super) type Param<'a> = &'a (dyn ToSql + Sync);
pub(super) type Params<'a> = &'a [Param<'a>];

/// A connection that comes back by itself.
pub(super) struct Link {
    /// Only taken out when dropped: a runtime must not be shut down by waiting, which is no option on a runtime's thread.
    runtime: Option<Runtime>,
    line: Line,
}

struct Line {
    url: PostgresUrl,
    role: Role,
    place: Place,
    session: Option<Session>,
    /// It was reached once: what goes wrong from then on may pass.
    connected: bool,
    failures: u32,
    not_before: Option<Instant>,
}

/// An open connection.
pub(super) struct Session {
    client: Client,
    driver: JoinHandle<()>,
    /// The server's process that serves it.
    pub(super) process: i32,
    statements: RefCell<HashMap<&'static str, Statement>>,
    in_transaction: Cell<bool>,
    /// The call asked for its transaction to stay open until the next one.
    keep: Cell<bool>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.line.session = None;
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs what blocks on a thread of its own where this one drives a runtime already: a server opens its store so. Other calls are not made
/// there.
pub(super) fn apart<T: Send>(call: impl FnOnce() -> T + Send) -> T {
    if tokio::runtime::Handle::try_current().is_err() {
        return call();
    }
    std::thread::scope(|scope| match scope.spawn(call).join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

impl Link {
    pub(super) fn new(url: &PostgresUrl, role: Role) -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|source| StoreError::Open { store: url.to_string(), source: source.into() })?;
        let line = Line {
            url: url.clone(),
            role,
            place: Place::of(url),
            session: None,
            connected: false,
            failures: 0,
            not_before: None,
        };
        Ok(Self { runtime: Some(runtime), line })
    }

    pub(super) fn url(&self) -> &PostgresUrl {
        &self.line.url
    }

    pub(super) fn place(&self) -> &Place {
        &self.line.place
    }

    /// The server's process of the open connection.
    pub(super) fn hang_up(&mut self) {
        self.line.session = None;
    }

    /// Runs `call` once, connecting where needed, within the deadline of one statement.
    pub(super) fn once<T>(&mut self, call: impl AsyncFnOnce(&Session) -> Done<T>) -> Done<T> {
        self.within(self.deadline(), call)
    }

    /// How long one statement may take here.
    pub(super) fn deadline(&self) -> Duration {
        self.line.url.statement_timeout + GRACE
    }

    /// Runs `call` once within a deadline of its own.
    pub(super) fn within<T>(
        &mut self,
        deadline: Duration,
        call: impl AsyncFnOnce(&Session) -> Done<T>,
    ) -> Done<T> {
        let Some(runtime) = &self.runtime else { return Err(Fault::Deadline(Duration::ZERO)) };
        runtime.block_on(self.line.run(deadline, call))
    }

    /// Runs a `call` that changes nothing; where the connection was lost meanwhile, once more over a new one.
    pub(super) fn read<T>(&mut self, call: &impl AsyncFn(&Session) -> Done<T>) -> Done<T> {
        let had_session = self.line.session.is_some();
        match self.once(call) {
            Err(fault) if had_session && fault.is_lost() && !matches!(fault, Fault::Deadline(_)) => {
                self.once(call)
            }
            done => done,
        }
    }

    pub(super) fn name<T>(&self, done: Done<T>) -> Result<T, StoreError> {
        done.map_err(|fault| fault.named(&self.line.place, self.line.connected))
    }
}

impl Line {
    async fn run<T>(&mut self, deadline: Duration, call: impl AsyncFnOnce(&Session) -> Done<T>) -> Done<T> {
        let session = self.session().await?;
        // After the deadline the connection goes: nobody knows what the server makes of it.
        let Ok(done) = timeout(deadline, call(&session)).await else { return Err(Fault::Deadline(deadline)) };
        let keep = match &done {
            Ok(_) => session.keep.take() || session.rolled_back().await,
            Err(fault) => !fault.is_lost() && !session.keep.take() && session.rolled_back().await,
        };
        if keep {
            self.session = Some(session);
        }
        done
    }

    /// The open connection, or a new one.
    async fn session(&mut self) -> Done<Session> {
        if let Some(session) = self.session.take() {
            // Lets the connection's task see what came in since the last call: a server's farewell, most of all.
            for _ in 0..2 {
                yield_now().await;
            }
            if !session.client.is_closed() {
                return Ok(session);
            }
        }
        if let Some(at) = self.not_before.take() {
            sleep(at.saturating_duration_since(Instant::now())).await;
        }
        let bound = self.url.connect_timeout;
        let opened = timeout(bound, self.connect()).await.unwrap_or(Err(Fault::Deadline(bound)));
        if opened.is_ok() {
            self.connected = true;
            self.failures = 0;
        } else {
            self.not_before = Some(Instant::now() + pause(self.failures));
            self.failures = self.failures.saturating_add(1);
        }
        opened
    }

    async fn connect(&self) -> Done<Session> {
        let config = options::config(&self.url, &self.place, self.role)?;
        let (client, driver) = if self.url.tls == TlsMode::Disable {
            let (client, connection) = config.connect(NoTls).await?;
            (client, tokio::spawn(drive(connection)))
        } else {
            let (client, connection) = config.connect(tls::connector(&self.url, &self.place)?).await?;
            (client, tokio::spawn(drive(connection)))
        };
        let (statement, lock) = (self.url.statement_timeout.as_millis(), self.url.lock_timeout.as_millis());
        let idle = IDLE_IN_TRANSACTION.as_millis();
        let text = format!(
            "SET statement_timeout = {statement}; SET lock_timeout = {lock}; \
             SET idle_in_transaction_session_timeout = {idle}; SET client_min_messages = warning; SET jit = off; \
             SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'; \
             SELECT pg_backend_pid()"
        );
        let mut process = 0;
        for message in client.simple_query(&text).await? {
            if let SimpleQueryMessage::Row(row) = message {
                process = row.get(0).and_then(|p| p.parse().ok()).unwrap_or(process);
            }
        }
        Ok(Session {
            client,
            driver,
            process,
            statements: RefCell::default(),
            in_transaction: Cell::new(false),
            keep: Cell::new(false),
        })
    }
}

/// Moves a connection's bytes for as long as it lives. How it ends shows in the calls that it served.
async fn drive(connection: impl Future<Output = Result<(), tokio_postgres::Error>>) {
    if let Err(error) = connection.await {
        tracing::debug!(error = %error, "connection to the results store ended");
    }
}

fn pause(failures: u32) -> Duration {
    let most = BACKOFF_LEAST.saturating_mul(1 << failures.min(10)).min(BACKOFF_MOST);
    // Between half and all of it, so that many workers do not come back at one instant.
    let jitter = RandomState::new().hash_one(failures) % 512;
    most.mul_f64(0.5 + jitter as f64 / 1_024.0)
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Session {
    async fn statement(&self, sql: &'static str) -> Done<Statement> {
        if let Some(statement) = self.statements.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.borrow_mut().insert(sql, statement.clone());
        Ok(statement)
    }

    pub(super) async fn rows(&self, sql: &'static str, params: Params<'_>) -> Done<Vec<Row>> {
        let statement = self.statement(sql).await?;
        Ok(self.client.query(&statement, params).await?)
    }

    /// The only row, or none.
    pub(super) async fn maybe(&self, sql: &'static str, params: Params<'_>) -> Done<Option<Row>> {
        let statement = self.statement(sql).await?;
        Ok(self.client.query_opt(&statement, params).await?)
    }

    pub(super) async fn row(&self, sql: &'static str, params: Params<'_>) -> Done<Row> {
        let statement = self.statement(sql).await?;
        Ok(self.client.query_one(&statement, params).await?)
    }

    /// How many rows it touched.
    pub(super) async fn execute(&self, sql: &'static str, params: Params<'_>) -> Done<u64> {
        let statement = self.statement(sql).await?;
        Ok(self.client.execute(&statement, params).await?)
    }

    /// Statements without parameters.
    pub(super) async fn batch(&self, sql: &str) -> Done<()> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Begins a transaction that writes.
    pub(super) async fn begin(&self) -> Done<()> {
        self.in_transaction.set(true);
        self.batch("BEGIN").await
    }

    /// Begins a transaction that reads one state of everything.
    pub(super) async fn begin_snapshot(&self) -> Done<()> {
        self.in_transaction.set(true);
        self.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    pub(super) async fn commit(&self) -> Done<()> {
        self.batch("COMMIT").await?;
        self.in_transaction.set(false);
        Ok(())
    }

    /// Leaves the transaction open when the call ends; only for one that reads.
    pub(super) fn keep_open(&self) {
        self.keep.set(true);
    }

    /// Whether this is that connection, in its transaction.
    pub(super) fn is_open(&self, process: i32) -> bool {
        self.process == process && self.in_transaction.get()
    }

    /// Takes back what is open; says whether the connection may be used again.
    async fn rolled_back(&self) -> bool {
        if !self.in_transaction.get() {
            return true;
        }
        let done = timeout(ROLLBACK_TIMEOUT, self.batch("ROLLBACK")).await;
        self.in_transaction.set(false);
        matches!(done, Ok(Ok(())))
    }
}
