//! PostgreSQL's errors, sorted into what a caller can do about them.

use super::options::Place;
use crate::error::StoreError;
use std::error::Error as _;
use std::io;
use std::time::Duration;
use tokio_postgres::error::{DbError, Severity, SqlState};

/// What went wrong inside this backend, not yet with the store's name.
#[derive(Debug)]
pub(super) enum Fault {
    Sql(tokio_postgres::Error),
    /// No answer came in this time.
    Deadline(Duration),
    Store(StoreError),
    /// A stored value that cannot be: which.
    Corrupt(&'static str),
}

pub(super) type Done<T> = Result<T, Fault>;

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Raised by `votestream.flush`.
pub(super) const FENCED: &str = "VS001";
pub(super) const NEGATIVE: &str = "VS002";
pub(super) const NO_PARTITIONER: &str = "VS003";

impl Fault {
    pub(super) fn database(&self) -> Option<&DbError> {
        match self {
            Self::Sql(error) => error.as_db_error(),
            _ => None,
        }
    }

    pub(super) fn code(&self) -> Option<&SqlState> {
        self.database().map(DbError::code)
    }

    /// Whether the connection is of no use any more.
    pub(super) fn is_lost(&self) -> bool {
        match self {
            Self::Deadline(_) => true,
            // Anything that the server has not said in an orderly way, or said as its last word.
            Self::Sql(error) => match error.as_db_error() {
                // A session keeps the setting it began with, and a standby stays one: only a new connection can find it changed.
                Some(said) if *said.code() == SqlState::READ_ONLY_SQL_TRANSACTION => true,
                Some(said) => matches!(said.parsed_severity(), Some(Severity::Fatal | Severity::Panic)),
                None => {
                    error.is_closed() || error.source().is_some_and(<dyn std::error::Error>::is::<io::Error>)
                }
            },
            Self::Store(_) | Self::Corrupt(_) => false,
        }
    }

    /// Names the store. `connected`: it had been reached before, so that what is missing now may come back.
    pub(super) fn named(self, place: &Place, connected: bool) -> StoreError {
        let store = place.label.clone();
        match self {
            Self::Store(error) => error,
            Self::Corrupt(what) => {
                StoreError::Corrupt { store, source: format!("{what} cannot be read").into() }
            }
            Self::Deadline(waited) => {
                let source = format!("no answer within {} ms", waited.as_millis()).into();
                StoreError::Unreachable { store, source }
            }
            Self::Sql(error) => match error.code().cloned() {
                Some(code) => said(place, &code, error),
                None => unsaid(place, error, connected),
            },
        }
    }
}

/// What the server said.
fn said(place: &Place, code: &SqlState, error: tokio_postgres::Error) -> StoreError {
    let Place { label: store, host, port, user, database } = place.clone();
    let source = Box::new(error);
    let refuse =
        |why: String, source| StoreError::Refused { store: store.clone(), why, source: Some(source) };
    match code.code() {
        "53100" | "53200" => StoreError::Full { store, source },
        "25006" => StoreError::ReadOnly { store, source },
        // Too many connections, shutting down, starting up, recovery, a query cancelled by a standby or a timeout.
        "53300" | "53000" | "57P01" | "57P02" | "57P03" | "57P05" | "57014" | "25P03" => {
            StoreError::Unreachable { store, source }
        }
        "40001" | "40P01" | "55P03" | "55006" => StoreError::Busy { store, source },
        "28P01" => refuse(
            format!(
                "the password of user {user:?} is missing or wrong: give it with PGPASSWORD, password_file= or ~/.pgpass"
            ),
            source,
        ),
        "28000" => refuse(
            format!(
                "user {user:?} may not log in from here: look at the user's name, at sslmode, and at the server's pg_hba.conf"
            ),
            source,
        ),
        "3D000" => refuse(
            format!(
                "there is no database {database:?}: make it with `createdb -h {host} -p {port} -U {user} {database}`"
            ),
            source,
        ),
        "42501" => refuse(
            format!(
                "user {user:?} has not the rights: run the GRANT lines of docs/operating.md, \"PostgreSQL roles\" \
                 (counting: GRANT votestream_writer TO {user}; reading: GRANT votestream_reader TO {user})"
            ),
            source,
        ),
        // A table, column or function that the schema's version promises.
        "42P01" | "42703" | "42883" => refuse(
            format!(
                "its tables are not as its schema's version says, as after a restore that was cut off: restore it whole, or \
                 DROP SCHEMA votestream CASCADE in database {database:?} and count the log again"
            ),
            source,
        ),
        "58030" | "58000" => StoreError::Io { store, source },
        "XX001" | "XX002" | "22003" => StoreError::Corrupt { store, source },
        other if other.starts_with("08") => StoreError::Unreachable { store, source },
        _ => StoreError::Statement { store, source },
    }
}

/// What happened to the connection.
fn unsaid(place: &Place, error: tokio_postgres::Error, connected: bool) -> StoreError {
    let Place { label: store, host, .. } = place.clone();
    let text = error.to_string();
    let system = error.source().and_then(|e| e.downcast_ref::<io::Error>());
    // rustls says what it does not like inside an I/O error of this kind.
    let about_tls = text.contains("TLS");
    let unknown_host =
        system.is_some_and(|e| e.raw_os_error().is_none() && e.to_string().contains("lookup address"));
    if about_tls && !connected {
        let why = "TLS with it cannot be agreed on: look at sslmode, at sslrootcert, and whether its certificate names this host";
        return StoreError::Refused { store, why: why.into(), source: Some(Box::new(error)) };
    }
    let missing = error.source().is_some_and(|e| e.to_string().contains("password missing"));
    if missing || (text.contains("authentication") && !connected) {
        let why =
            "no password was given and it wants one: give it with PGPASSWORD, password_file= or ~/.pgpass";
        return StoreError::Refused { store, why: why.into(), source: Some(Box::new(error)) };
    }
    if unknown_host && !connected {
        let why = format!("its host {host:?} is not known here: look at the name, and at this machine's DNS");
        return StoreError::Refused { store, why, source: Some(Box::new(error)) };
    }
    if error.is_closed() || system.is_some() || about_tls || text.contains("timeout") {
        return StoreError::Unreachable { store, source: Box::new(error) };
    }
    if text.contains("deserializing") {
        return StoreError::Corrupt { store, source: Box::new(error) };
    }
    StoreError::Statement { store, source: Box::new(error) }
}
