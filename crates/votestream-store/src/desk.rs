//! The store as the election desk uses it: acts are recorded beside whoever counts, without stopping them.

use crate::backend::with_backend;
use crate::error::StoreError;
use crate::sqlite::{self, InStore};
use crate::url::StoreUrl;
use votestream_election::delta::{DeskAct, DeskAction};
use votestream_election::{Election, Millis};

/// A store opened for acts of the desk. It must be there; counting may go on in another process.
pub struct DeskStore {
    backend: Backend,
}

enum Backend {
    Sqlite(sqlite::Desk),
    #[cfg(feature = "postgres")]
    Postgres(Box<crate::postgres::Desk>),
}

impl DeskStore {
    /// Opens a store that is there.
    pub fn open(url: &StoreUrl) -> Result<Self, StoreError> {
        match url {
            StoreUrl::Sqlite(path) => {
                Ok(Self { backend: Backend::Sqlite(sqlite::Desk::open(path, &url.to_string())?) })
            }
            #[cfg(feature = "postgres")]
            StoreUrl::Postgres(at) => {
                Ok(Self { backend: Backend::Postgres(Box::new(crate::postgres::Desk::open(at)?)) })
            }
            #[cfg(not(feature = "postgres"))]
            StoreUrl::Postgres(_) => Err(StoreError::NoBackend { store: url.to_string() }),
        }
    }

    /// The election of that id; `None`: the only one there is.
    pub fn election(&self, id: Option<&str>) -> Result<Election, StoreError> {
        with_backend!(&self.backend, desk => desk.choose(id))
    }

    /// Records an act; a region is named by its code. What was counted at that moment is stored with it.
    pub fn desk(
        &mut self,
        election: &str,
        action: DeskAction,
        region: Option<&str>,
        now: Millis,
    ) -> Result<DeskAct, StoreError> {
        with_backend!(&mut self.backend, desk => desk.act(election, action, region, now))
    }
}
