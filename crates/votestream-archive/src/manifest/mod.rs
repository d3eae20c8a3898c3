//! The manifest: a chain of entries that decides what is in the archive. What no entry names does not exist.
//!
//! Pure but for `chain`, which reads entries and puts new ones; what the files hold is `file`'s business.

pub mod entry;

pub mod carried;

pub mod state;

pub mod chain;

mod hex;

pub use carried::{CarriedEntry, CellSum, LeafSum, VotersEntry};
pub use entry::{Act, Entry, FileEntry, Identity, LeafEntry, LogEntry, VoterIds};
pub use state::{Fault, Head, Manifest, PartitionManifest, Replaced};
