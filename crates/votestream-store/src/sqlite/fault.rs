//! SQLite's errors, sorted into what a caller can do about them.

use crate::error::StoreError;
use rusqlite::{ErrorCode, ffi};
use std::fmt;

/// What went wrong inside this backend, not yet with the store's name.
#[derive(Debug)]
pub(crate) enum Fault {
    Sql(rusqlite::Error),
    Store(StoreError),
    /// A stored value that cannot be: which.
    Corrupt(&'static str),
}

pub(crate) type Done<T> = Result<T, Fault>;

/// Gives a result the store's name.
pub(crate) trait InStore<T> {
    fn in_store(self, store: &str) -> Result<T, StoreError>;
}

impl<T> InStore<T> for Done<T> {
    fn in_store(self, store: &str) -> Result<T, StoreError> {
        self.map_err(|fault| fault.named(store))
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sql(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Corrupt(what) => write!(f, "{what} cannot be read"),
        }
    }
}

impl Fault {
    pub(crate) fn named(self, store: &str) -> StoreError {
        let store = store.to_owned();
        match self {
            Self::Store(error) => error,
            Self::Corrupt(what) => {
                StoreError::Corrupt { store, source: format!("{what} cannot be read").into() }
            }
            Self::Sql(error) => sql(store, error),
        }
    }
}

fn sql(store: String, error: rusqlite::Error) -> StoreError {
    let code = error.sqlite_error_code();
    let extended = error.sqlite_error().map(|e| e.extended_code);
    let value = matches!(
        error,
        rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::Utf8Error(..)
    );
    let source = Box::new(error);
    match code {
        Some(ErrorCode::DiskFull) => StoreError::Full { store, source },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            StoreError::Busy { store, source }
        }
        Some(ErrorCode::SystemIoFailure) if extended == Some(ffi::SQLITE_IOERR_CORRUPTFS) => {
            StoreError::Corrupt { store, source }
        }
        // A disk that the system has made read-only may come back.
        Some(ErrorCode::SystemIoFailure | ErrorCode::ReadOnly) => StoreError::Io { store, source },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt { store, source },
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => StoreError::Open { store, source },
        _ if value => StoreError::Corrupt { store, source },
        _ => StoreError::Statement { store, source },
    }
}
