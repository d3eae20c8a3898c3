//! The store as readers use it: each call one snapshot of what is committed, beside a writer in this or another process.

use crate::backend::with_backend;
use crate::error::StoreError;
use crate::sqlite::{self, InStore};
use crate::types::{ElectionHead, StoreFacts, TimelinePoint};
use crate::url::StoreUrl;
use votestream_election::delta::{DeskAct, Pin, SeenRow, Snapshot};
use votestream_election::ledger::LeafSeal;
use votestream_election::releases::ReleaseBlock;
use votestream_election::{Election, Minute, Offset, PartitionId, RejectReason};

/// A store opened for reading. `Send`; used by one thread at a time. Elections are named by their id.
pub struct ReaderStore {
    backend: Backend,
}

/// A store opened for what the public may never see: seen voters and unreleased cells. For those who count and recount.
pub struct SeenReader {
    backend: Backend,
}

enum Backend {
    Sqlite(sqlite::Reader),
    #[cfg(feature = "postgres")]
    Postgres(Box<crate::postgres::Reader>),
}

impl ReaderStore {
    /// Opens a store that is there and up to date; never changes it.
    pub fn open(url: &StoreUrl) -> Result<Self, StoreError> {
        match url {
            StoreUrl::Sqlite(path) => {
                Ok(Self { backend: Backend::Sqlite(sqlite::Reader::open(path, &url.to_string())?) })
            }
            #[cfg(feature = "postgres")]
            StoreUrl::Postgres(at) => {
                Ok(Self { backend: Backend::Postgres(Box::new(crate::postgres::Reader::open(at)?)) })
            }
            #[cfg(not(feature = "postgres"))]
            StoreUrl::Postgres(_) => Err(StoreError::NoBackend { store: url.to_string() }),
        }
    }

    /// What serves the store, and what this login may do there.
    pub fn facts(&self) -> Result<StoreFacts, StoreError> {
        with_backend!(&self.backend, reader => reader.facts())
    }

    /// All elections, in the order of their creation.
    pub fn elections(&self) -> Result<Vec<ElectionHead>, StoreError> {
        with_backend!(&self.backend, reader => reader.elections())
    }

    /// The election of that id; `None`: the only one there is, or an error that lists the ids.
    pub fn election(&self, id: Option<&str>) -> Result<Election, StoreError> {
        with_backend!(&self.backend, reader => reader.election(id))
    }

    /// What the election was pinned to, partitioners as narrowed since.
    pub fn pin(&self, election: &str) -> Result<Pin, StoreError> {
        with_backend!(&self.backend, reader => reader.pin(election))
    }

    /// All that a page needs, as it is now.
    pub fn snapshot(&self, election: &str) -> Result<Snapshot, StoreError> {
        with_backend!(&self.backend, reader => reader.snapshot(election, None))
    }

    /// The same as it was at the end of a minute: of each partition its latest totals up to it. `sequence`, `desk`, epochs and log
    /// ends are those of now; of the ledger it has only the leaves sealed by then; `as_of` is that of the newest commit it holds.
    pub fn snapshot_at(&self, election: &str, at: Minute) -> Result<Snapshot, StoreError> {
        with_backend!(&self.backend, reader => reader.snapshot(election, Some(at)))
    }

    /// Σ flushes + desk acts + releases.
    pub fn sequence(&self, election: &str) -> Result<u64, StoreError> {
        with_backend!(&self.backend, reader => reader.sequence(election))
    }

    /// Whether anybody has committed anything since the last call; the first call says yes. Cheap enough to poll.
    pub fn changed(&self) -> Result<bool, StoreError> {
        with_backend!(&self.backend, reader => reader.changed())
    }

    /// One point for each minute from `from` to `to`, inclusive, in which any partition moved, summed over partitions.
    pub fn timeline(
        &self,
        election: &str,
        from: Option<Minute>,
        to: Option<Minute>,
    ) -> Result<Vec<TimelinePoint>, StoreError> {
        with_backend!(&self.backend, reader => reader.timeline(election, from, to))
    }

    /// The blocks as released up to a minute, or up to now: the nation's first, then by region.
    pub fn demographics(&self, election: &str, at: Option<Minute>) -> Result<Vec<ReleaseBlock>, StoreError> {
        with_backend!(&self.backend, reader => reader.demographics(election, at))
    }

    /// At most `limit` rejects after a place, by partition and offset.
    pub fn rejects(
        &self,
        election: &str,
        limit: usize,
        after: Option<(PartitionId, Offset)>,
    ) -> Result<Vec<(PartitionId, Offset, RejectReason)>, StoreError> {
        with_backend!(&self.backend, reader => reader.rejects(election, limit, after))
    }

    /// The sealed leaves of a partition's ledger, ascending.
    pub fn leaves(&self, election: &str, partition: PartitionId) -> Result<Vec<LeafSeal>, StoreError> {
        with_backend!(&self.backend, reader => reader.leaves(election, partition))
    }

    /// Acts of the desk, oldest first.
    pub fn desk_acts(&self, election: &str) -> Result<Vec<DeskAct>, StoreError> {
        with_backend!(&self.backend, reader => reader.desk_acts(election))
    }

    /// Looks for faults: damaged pages, and rows of the election that do not add up. Takes as long as reading the whole store.
    pub fn verify(&self, election: &str) -> Result<(), StoreError> {
        with_backend!(&self.backend, reader => reader.verify(election))
    }
}

impl SeenReader {
    pub(crate) fn sqlite(reader: sqlite::Reader) -> Self {
        Self { backend: Backend::Sqlite(reader) }
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn postgres(reader: crate::postgres::Reader) -> Self {
        Self { backend: Backend::Postgres(Box::new(reader)) }
    }

    /// Opens a store that is there, read-only, for a recount beside whoever counts.
    pub fn open(url: &StoreUrl) -> Result<Self, StoreError> {
        let ReaderStore { backend } = ReaderStore::open(url)?;
        Ok(Self { backend })
    }

    /// Votes by region and cell, region-major, summed over partitions, not held back for any release.
    pub fn full_cells(&self, election: &str) -> Result<Vec<i64>, StoreError> {
        with_backend!(&self.backend, reader => reader.full_cells(election))
    }

    /// Hands over every row of seen voters of a partition in the order of their ranges. Take the partition over first.
    pub fn for_each_seen<E: From<StoreError>>(
        &self,
        election: &str,
        partition: PartitionId,
        each: &mut dyn FnMut(SeenRow) -> Result<(), E>,
    ) -> Result<(), E> {
        match &self.backend {
            Backend::Sqlite(reader) => reader.for_each_seen(election, partition, each),
            #[cfg(feature = "postgres")]
            Backend::Postgres(reader) => reader.for_each_seen(election, partition, each),
        }
    }
}
