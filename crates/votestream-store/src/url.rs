//! Where a store is: `sqlite:PATH` or `postgres://…`. Opening it is the backends' business.

use crate::error::StoreError;
use crate::postgres_url::{self, PostgresUrl};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Which store, as `--store` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// `sqlite:PATH`: one file, beside it `-wal`, `-shm` and `.lock`.
    Sqlite(PathBuf),
    /// `postgres://user@host:port/db`.
    Postgres(Box<PostgresUrl>),
}

impl FromStr for StoreUrl {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let refuse = |why| StoreError::Url { url: postgres_url::shown(text), why };
        if postgres_url::is_postgres(text) {
            return PostgresUrl::parse(text).map(|url| Self::Postgres(Box::new(url))).map_err(refuse);
        }
        let Some(path) = text.strip_prefix("sqlite:") else {
            return Err(refuse("is of no known kind"));
        };
        let path = path.strip_prefix("//").unwrap_or(path);
        match path {
            "" => Err(refuse("names no file")),
            ":memory:" => Err(refuse("would keep nothing, and no second process could read it")),
            _ if path.ends_with('/') => Err(refuse("names a directory")),
            _ => Ok(Self::sqlite(path)),
        }
    }
}

impl StoreUrl {
    /// A store in a file.
    pub fn sqlite(path: impl AsRef<Path>) -> Self {
        Self::Sqlite(path.as_ref().to_owned())
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let shown = match text.parse::<StoreUrl>() {
            Ok(url) => url.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expect);
    }

    #[test]
    fn urls_are_read_and_refused() {
        check("sqlite:data/results.db", "sqlite:data/results.db");
        check("sqlite:///srv/results.db", "sqlite:/srv/results.db");
        check("postgres://vs:secret@db:5432/vs?sslmode=disable", "postgres://vs@db:5432/vs?sslmode=disable");
        check("postgresql://db/vs", "postgresql://db/vs");
        check(
            "data/results.db",
            "store \"data/results.db\" is of no known kind; write sqlite:PATH or postgres://user@host:port/db",
        );
        check(
            "sqlite:",
            "store \"sqlite:\" names no file; write sqlite:PATH or postgres://user@host:port/db",
        );
    }
}
