//! Records into the vote log: from the simulator, from files and streams, from another server's event stream.
//! Every record is appended, valid or not; a source that can be read again goes on where the log left off.

mod batcher;

mod format;

mod ingest;

mod bridge;

mod pace;

mod simulate;

#[cfg(feature = "archive")]
mod restore;

pub use batcher::{Batcher, Router};
pub use bridge::{BridgeOptions, bridge};
pub use format::{Format, ZstdReader};
pub use ingest::{IngestOptions, IngestSummary, RejectList, ingest_reader, source_of_file};
pub use pace::Pace;
#[cfg(feature = "archive")]
pub use restore::{check_restorable, restore_log, source_of_archive};
pub use simulate::{SimulateSummary, simulate_into_log, simulate_ndjson};
