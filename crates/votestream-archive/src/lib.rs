//! The archive: every record of a vote log, judged by itself, in Parquet files on disk, on S3 or in HDFS, with a manifest that decides
//! what is there. Reading the log and deciding when to write is the engine's business.
//!
//! **Invariant:** what no entry of the manifest names does not exist, and what one names is there, whole, with the digest it says.

pub mod url;

pub mod error;

pub mod place;

pub mod name;

pub mod manifest;

pub mod file;

pub mod archive;

pub mod lane;

pub mod compact;

pub mod results;

mod crash;

pub use archive::{Archive, ArchiveRows};
pub use error::ArchiveError;
pub use file::RowBatch;
pub use lane::{Kept, Lane, Sealed};
pub use manifest::Manifest;
pub use url::ArchiveUrl;

/// Every named fail point of the crate. With the feature `failpoints`, `FAILPOINTS="name=3*off->return"` aborts the process the fourth
/// time that the point is reached.
pub const FAIL_POINTS: &[&str] = &[
    "archive-probed",
    "archive-entry-before-put",
    "archive-entry-put",
    "archive-taken-over",
    "archive-swept-one",
    "head-moved",
];
