//! The loops: sources into the vote log, and the log through the domain's decisions into the results store; and the recount.
//!
//! What a vote is, and which of a voter's records counts, is decided in `votestream-election`; bytes on disk are the log's and the
//! store's business; HTTP answers are the server's. **Invariant:** the engine never imports the server, nor the other way round.

pub mod shutdown;

pub mod produce;

pub mod count;

#[cfg(feature = "spark")]
mod sealing;

pub mod recount;

#[cfg(feature = "archive")]
pub mod archive;

#[cfg(feature = "spark")]
pub mod spark;

pub mod error;

pub use error::EngineError;
pub use shutdown::Shutdown;

/// Kill points inside the loops, for the crash tests; those of the log and the store come on top.
pub const FAIL_POINTS: &[&str] = &[
    "count-after-seal",
    "count-before-flush",
    "count-after-flush",
    "produce-before-append",
    "produce-after-append",
];

/// The same in the loop that counts by epochs.
#[cfg(feature = "spark")]
pub const SPARK_FAIL_POINTS: &[&str] = &[
    "spark-attempt-begun",
    "spark-epoch-answered",
    "spark-before-flush",
    "spark-after-flush",
    "spark-hashed",
    "spark-sealed",
    "spark-merged",
    "spark-swapped",
    "spark-swept",
    "spark-handed-over",
    "spark-moved-outside",
    "spark-voters-read",
    "spark-brought-back",
];

/// The same in the loop that archives.
#[cfg(feature = "archive")]
pub const ARCHIVE_FAIL_POINTS: &[&str] = &[
    "archive-sealed",
    "archive-file-put",
    "archive-files-put",
    "archive-committed",
    "archive-compacted",
    "prune-voters-put",
    "prune-committed",
];
