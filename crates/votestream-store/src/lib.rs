//! The results store: tallies, offsets, seen voters, rejects, ledger, desk acts and releases, moved together in one transaction.
//!
//! **Invariant:** a flush is committed whole or not at all, and only while its fence (next offset, epoch, engine) holds; what a reader
//! sees is committed. Only this crate knows SQL. What a delta holds is decided in `votestream_election`; when to flush, compact and
//! retry is the engine's business. Every call here blocks; nothing is asynchronous.
//!
//! Four ways in, by what they may do: [`WriterStore`] counts (one process at a time into SQLite, many into PostgreSQL), [`DeskStore`] records acts of the election
//! desk beside it, [`HeadStore`] moves heads of archives, [`ReaderStore`] only reads. Backends are a closed set: SQLite, PostgreSQL.

#[macro_use]
mod crash;

mod backend;

mod writer;

mod desk;

mod heads;

mod reader;

mod types;

mod error;

mod url;

mod postgres_url;

mod balance;

mod compaction;

mod handover;

mod pinned;

mod tail;

mod acts;

mod pack;

mod sqlite;

#[cfg(feature = "postgres")]
mod postgres;

pub use crash::{FAIL_POINTS, OUTSIDE_FAIL_POINTS};
pub use desk::DeskStore;
pub use error::StoreError;
pub use heads::{ArchiveHead, HeadStore};
pub use postgres_url::PostgresUrl;
pub use reader::{ReaderStore, SeenReader};
pub use types::{
    Attempt, Compaction, Creation, ElectionHead, EngineChange, NewFiles, Outside, OutsideChange, StoreFacts,
    TimelinePoint,
};
pub use url::StoreUrl;
pub use writer::WriterStore;
