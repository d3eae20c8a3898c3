//! What can go wrong with an archive, each said with its place and what to do next.

use crate::place::PlaceError;
use thiserror::Error;

/// A failure of the archive.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// Nothing there to be read.
    #[error(
        "no archive at {url}: it has no manifest; check the address, or make one with `votestream archive`"
    )]
    NotFound {
        /// Where.
        url: String,
    },
    /// Something else is there.
    #[error("{url} is not an archive: it has no manifest but holds '{found}'; choose an empty or new place")]
    Foreign {
        /// Where.
        url: String,
        /// The first thing found that no archive has.
        found: String,
    },
    /// Written by a newer votestream.
    #[error(
        "'{name}' of the archive at {url} has format {found}, this build knows up to {supported}; use a newer votestream"
    )]
    NewerFormat {
        /// Where.
        url: String,
        /// Which entry or file.
        name: String,
        /// Its format.
        found: u64,
        /// The newest known here.
        supported: u64,
    },
    /// An entry of the manifest is missing, damaged, or does not follow on the one before.
    #[error(
        "the manifest of the archive at {url} is broken at '{name}': {what}; nothing is written to it, bring the entry back from a copy"
    )]
    Manifest {
        /// Where.
        url: String,
        /// The entry.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// A file that the manifest names is not what the manifest says.
    #[error("file '{name}' of the archive at {url} {what}")]
    File {
        /// Where.
        url: String,
        /// The file.
        name: String,
        /// What is wrong, and what to do.
        what: String,
    },
    /// The archive is of something else.
    #[error("the archive at {url} {what}")]
    Other {
        /// Where.
        url: String,
        /// Of what, and what to do.
        what: String,
    },
    /// Another writer has taken over.
    #[error(
        "another archiver ({writer}) has taken over the archive at {url} with entry '{name}'; only one may write it at a time"
    )]
    Overtaken {
        /// Where.
        url: String,
        /// The other's identity.
        writer: String,
        /// The entry that was not ours.
        name: String,
    },
    /// The storage does not keep the one promise that the manifest needs.
    #[error(
        "{url} ignores create-if-absent (a second put of the same name was accepted), so that two archivers could overwrite each other's manifest; use storage that knows `If-None-Match: *`, or name a results store with --store, which then keeps the manifest's head"
    )]
    IgnoresCreate {
        /// Where.
        url: String,
    },
    /// The storage failed.
    #[error("the archive's storage at {url} failed")]
    Place {
        /// Where.
        url: String,
        /// What it said.
        source: PlaceError,
    },
    /// Rows could not be encoded: a fault of the program.
    #[error("rows could not be written as Parquet; this is a fault of the program, please report it")]
    Encode(#[source] parquet::errors::ParquetError),
    /// Left out of this build.
    #[error(
        "this small build leaves {what} out; build the whole one with `make build` (target/release/votestream)"
    )]
    NotBuilt {
        /// What is missing.
        what: &'static str,
    },
}

impl ArchiveError {
    /// Whether waiting may cure it: the storage is away, or asks to be left alone for a while.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Place { source, .. } if source.is_transient())
    }
}
