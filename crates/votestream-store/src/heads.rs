//! Heads of archives' manifests, for storage that would let two archivers overwrite each other's entries: moved by comparison, each in
//! one statement. What an entry says is the archive's business.

use crate::backend::with_backend;
use crate::error::StoreError;
use crate::sqlite::{self, InStore};
use crate::url::StoreUrl;
use votestream_election::ledger::Digest;

/// The last entry of an archive's manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveHead {
    /// Its number.
    pub number: u64,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes, so that whoever goes on can put it where whoever moved the head had not come to that.
    pub entry: Vec<u8>,
}

/// A store opened to keep heads of archives. It must be there; counting may go on in another process.
pub struct HeadStore {
    backend: Backend,
}

enum Backend {
    Sqlite(sqlite::Desk),
    #[cfg(feature = "postgres")]
    Postgres(Box<crate::postgres::Desk>),
}

impl HeadStore {
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

    /// The head of an archive; `None`: none is kept.
    pub fn head(&mut self, archive: &str) -> Result<Option<ArchiveHead>, StoreError> {
        with_backend!(&mut self.backend, desk => desk.archive_head(archive))
    }

    /// Moves the head of an archive to `to`, where it is `from` (`None`: where none is kept); says whether it was.
    pub fn advance(
        &mut self,
        archive: &str,
        from: Option<(u64, Digest)>,
        to: &ArchiveHead,
    ) -> Result<bool, StoreError> {
        with_backend!(&mut self.backend, desk => desk.advance_archive_head(archive, from, to))
    }
}
