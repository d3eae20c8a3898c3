//! The store as a counting process uses it. Everything is one call, one transaction; a failed call leaves nothing behind.

use crate::backend::with_backend;
use crate::desk::DeskStore;
use crate::error::StoreError;
use crate::reader::{ReaderStore, SeenReader};
use crate::sqlite::{self, InStore};
use crate::types::{Compaction, Creation, EngineChange, NewFiles, Outside, OutsideChange};
use crate::url::StoreUrl;
use votestream_election::delta::{
    DeskAct, DeskAction, Engine, Fence, FlushOutcome, LedgerSeal, PartitionDelta, PartitionState, Pin,
    Snapshot, VoterFile,
};
use votestream_election::protocol::Resolution;
use votestream_election::releases::ReleaseBlock;
use votestream_election::{Election, Millis, Minute, PartitionId};

/// A store opened for counting. SQLite: no other process counts into it meanwhile. PostgreSQL: several count at once, different
/// partitions; a snapshot holds the sum of all. `Send`; used by one thread at a time.
pub struct WriterStore {
    url: StoreUrl,
    backend: Backend,
}

enum Backend {
    Sqlite(Box<sqlite::Writer>),
    #[cfg(feature = "postgres")]
    Postgres(Box<crate::postgres::Writer>),
}

impl WriterStore {
    /// Opens a store, making or migrating it where needed. Refuses what is not ours, is newer, or is being counted into.
    pub fn open(url: &StoreUrl) -> Result<Self, StoreError> {
        let backend = match url {
            StoreUrl::Sqlite(path) => {
                Backend::Sqlite(Box::new(sqlite::Writer::open(path, &url.to_string())?))
            }
            #[cfg(feature = "postgres")]
            StoreUrl::Postgres(at) => Backend::Postgres(Box::new(crate::postgres::Writer::open(at)?)),
            #[cfg(not(feature = "postgres"))]
            StoreUrl::Postgres(_) => return Err(StoreError::NoBackend { store: url.to_string() }),
        };
        Ok(Self { url: url.clone(), backend })
    }

    /// Whether nobody else counts into the store while this is open. With PostgreSQL others may, each its own partitions: a partition is
    /// its last taker's.
    pub fn exclusive(&self) -> bool {
        matches!(self.backend, Backend::Sqlite(_))
    }

    /// Another connection to the same store, for whoever reads results.
    pub fn reader(&self) -> Result<ReaderStore, StoreError> {
        ReaderStore::open(&self.url)
    }

    /// Another connection to the same store, for reloading voters on several threads at once.
    pub fn seen_reader(&self) -> Result<SeenReader, StoreError> {
        Ok(match &self.backend {
            Backend::Sqlite(writer) => SeenReader::sqlite(writer.reader()?),
            #[cfg(feature = "postgres")]
            Backend::Postgres(writer) => SeenReader::postgres(writer.reader()?),
        })
    }

    /// Another connection to the same store, for acts of the desk while another thread counts.
    pub fn desk_store(&self) -> Result<DeskStore, StoreError> {
        DeskStore::open(&self.url)
    }

    /// Creates the election with this pin, or finds it. [`StoreError::Pinned`] names what differs from its creation; start offsets
    /// are those of the creation, and `partitioners` what is left of them, whatever `pin` says: see [`Self::pin`].
    pub fn create_or_resume(
        &mut self,
        election: &Election,
        pin: &Pin,
        now: Millis,
    ) -> Result<Creation, StoreError> {
        with_backend!(&mut self.backend, writer => writer.create_or_resume(election, pin, now))
    }

    /// What the election was pinned to, partitioners as narrowed since.
    pub fn pin(&self, election: &str) -> Result<Pin, StoreError> {
        with_backend!(&self.backend, writer => writer.pin(election))
    }

    /// Drops all that was counted of the election (acts of the desk stay), pins it to what is given now and gives the store a new
    /// identity: `--from-scratch`. Creates the election where there is none.
    pub fn start_over(&mut self, election: &Election, pin: &Pin, now: Millis) -> Result<(), StoreError> {
        with_backend!(&mut self.backend, writer => writer.start_over(election, pin, now))
    }

    /// Drops an election whole and gives the store a new identity.
    pub fn delete_election(&mut self, election: &str) -> Result<(), StoreError> {
        with_backend!(&mut self.backend, writer => writer.delete_election(election))
    }

    /// Raises the partitions' epochs, commits that, then loads them in one snapshot, in the order asked. Refuses
    /// ([`StoreError::Inconsistent`]) rows that do not add up, and an engine that would not find all voters where it looks for them
    /// ([`StoreError::OtherEngine`]). The seen voters are streamed apart: [`SeenReader::for_each_seen`].
    pub fn take_over(
        &mut self,
        election: &str,
        partitions: &[PartitionId],
        engine: Engine,
    ) -> Result<Vec<PartitionState>, StoreError> {
        with_backend!(&mut self.backend, writer => writer.take_over(election, partitions, engine))
    }

    /// Applies sealed deltas, ascending by partition, in one transaction, or none of them. After a transient error the same deltas
    /// may be given again, once [`Self::resolve`] says so. PostgreSQL: given again without, they are resolved here first.
    pub fn flush(
        &mut self,
        election: &str,
        deltas: &[PartitionDelta],
        now: Millis,
    ) -> Result<FlushOutcome, StoreError> {
        with_backend!(&mut self.backend, writer => writer.flush(election, deltas, None, now))
    }

    /// The same, with the files of voters that hold what the deltas say lies outside: from then on they are part of the store, and their
    /// attempt is one no more.
    pub fn flush_outside(
        &mut self,
        election: &str,
        deltas: &[PartitionDelta],
        files: &NewFiles<'_>,
        now: Millis,
    ) -> Result<FlushOutcome, StoreError> {
        with_backend!(&mut self.backend, writer => writer.flush(election, deltas, Some(files), now))
    }

    /// Adds leaves that were pending, in one transaction, or none of them. Each counts as a flush of its partition.
    pub fn seal_ledger(
        &mut self,
        election: &str,
        seals: &[LedgerSeal],
        now: Millis,
    ) -> Result<FlushOutcome, StoreError> {
        with_backend!(&mut self.backend, writer => writer.seal_ledger(election, seals, now))
    }

    /// What the election keeps outside the store.
    pub fn outside(&self, election: &str) -> Result<Outside, StoreError> {
        with_backend!(&self.backend, writer => writer.outside(election))
    }

    /// Notes an attempt at writing files of voters before any is written, so that what it leaves can be found. `epoch` is that under which
    /// partition 0 was taken over.
    pub fn begin_attempt(
        &mut self,
        election: &str,
        attempt: u128,
        epoch: u64,
    ) -> Result<OutsideChange, StoreError> {
        with_backend!(&mut self.backend, writer => writer.begin_attempt(election, attempt, epoch))
    }

    /// Forgets attempts whose files have been removed.
    pub fn forget_attempts(&mut self, election: &str, attempts: &[u128]) -> Result<(), StoreError> {
        with_backend!(&mut self.backend, writer => writer.forget_attempts(election, attempts))
    }

    /// Replaces files of voters by what they were merged into, under the epoch of partition 0. Attempts of which no file is left become
    /// ones that may be swept.
    pub fn swap_files(
        &mut self,
        election: &str,
        old: &[VoterFile],
        new: &NewFiles<'_>,
        epoch: u64,
    ) -> Result<OutsideChange, StoreError> {
        with_backend!(&mut self.backend, writer => writer.swap_files(election, old, new, epoch))
    }

    /// Gives the election to the other engine, in one transaction: its voters change their place, and every partition its engine and epoch.
    /// `fences` are those of all partitions, in order, as taken over under the engine that counted until now, all leaves sealed.
    pub fn change_engine(
        &mut self,
        election: &str,
        fences: &[Fence],
        change: &EngineChange<'_>,
    ) -> Result<OutsideChange, StoreError> {
        with_backend!(&mut self.backend, writer => writer.change_engine(election, fences, change))
    }

    /// What became of a delta whose flush was answered with an error. Deltas sealed under the older epoch may still be given here.
    pub fn resolve(&mut self, election: &str, delta: &PartitionDelta) -> Result<Resolution, StoreError> {
        with_backend!(&mut self.backend, writer => writer.resolve(election, delta))
    }

    /// Partitions taken over here whose rows of seen voters are worth merging; looks at memory only.
    pub fn compaction_due(&mut self, election: &str) -> Result<Vec<PartitionId>, StoreError> {
        with_backend!(&mut self.backend, writer => writer.compaction_due(election))
    }

    /// Merges one run of small rows of seen voters into rows of at most 1 MiB, at most 4 MiB at a time.
    pub fn compact_seen(&mut self, election: &str, partition: PartitionId) -> Result<Compaction, StoreError> {
        with_backend!(&mut self.backend, writer => writer.compact_seen(election, partition))
    }

    /// Records an act of the desk; a region is named by its code.
    pub fn desk(
        &mut self,
        election: &str,
        action: DeskAction,
        region: Option<&str>,
        now: Millis,
    ) -> Result<DeskAct, StoreError> {
        with_backend!(&mut self.backend, writer => writer.act(election, action, region, now))
    }

    /// Publishes blocks as of a minute of the timeline; blocks not given keep their last release. Returns the new sequence.
    pub fn release(
        &mut self,
        election: &str,
        blocks: &[ReleaseBlock],
        minute: Minute,
        now: Millis,
    ) -> Result<u64, StoreError> {
        with_backend!(&mut self.backend, writer => writer.release(election, blocks, minute, now))
    }

    /// Every cell, region-major (`cells[region * layout.cells() + cell]`), summed over partitions. Not for the public.
    pub fn full_cells(&mut self, election: &str) -> Result<Vec<i64>, StoreError> {
        with_backend!(&mut self.backend, writer => writer.full_cells(election))
    }

    /// All that a page needs, as committed.
    pub fn snapshot(&self, election: &str) -> Result<Snapshot, StoreError> {
        with_backend!(&self.backend, writer => writer.snapshot(election))
    }

    /// The blocks as released now.
    pub fn demographics(&self, election: &str) -> Result<Vec<ReleaseBlock>, StoreError> {
        with_backend!(&self.backend, writer => writer.demographics(election))
    }

    /// Writes the write-ahead log back and empties it, where no reader is in the way. For idle moments; it is bounded without.
    pub fn checkpoint(&mut self) -> Result<(), StoreError> {
        with_backend!(&mut self.backend, writer => writer.checkpoint())
    }
}
