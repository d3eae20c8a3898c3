//! What the server is handed because it may not depend on it: the store's address, the way into the log, the engine's reports,
//! the page's files. The binary makes these; nothing here knows where they come from.

use bytes::Bytes;
use std::any::Any;
use std::sync::Arc;
use tokio::sync::watch;
use votestream_election::health::EngineHealth;
use votestream_election::results::Results;
use votestream_election::{Millis, Offset, PartitionId};
use votestream_log::{AppendHandle, LogError};
use votestream_store::StoreUrl;

/// Everything the results API is made of besides its own code.
pub struct Seams {
    /// The results store; opened here, read-only, on threads of its own.
    pub store: StoreUrl,
    /// The election that is shown where a request names none. `None`: there must be exactly one in the store.
    pub election_id: Option<String>,
    /// The election whose log is at hand: that of `ingest`, `health`, `payloads` and `log_ends`. `None`: of whichever is asked for.
    pub log_election: Option<String>,
    /// The way into the log for `POST /api/votes`. `None`: this server takes no votes.
    pub ingest: Option<Ingest>,
    /// Reports of an engine in the same process. `None`: there is none.
    pub health: Option<watch::Receiver<EngineHealth>>,
    /// The store's sequence as an engine in the same process commits it, so that nothing needs to be polled for.
    pub changed: Option<watch::Receiver<u64>>,
    /// The page's files.
    pub page: PageFiles,
    /// Reads rejected records back from the log. `None`: there is no log at hand.
    pub payloads: Option<Payloads>,
    /// Asks where the log ends. `None`: there is no log at hand.
    pub log_ends: Option<LogEnds>,
    /// Writes results as Parquet. `None`: this build leaves it out.
    pub parquet: Option<ParquetFile>,
    /// The wall clock, for the timestamps of posted records.
    pub clock: Arc<dyn Fn() -> Millis + Send + Sync>,
}

/// The way into the log.
#[derive(Clone)]
pub struct Ingest {
    /// Opens the log for one request, or says why it cannot be written now.
    pub log: LogDoor,
    /// The partition and the key of a record, valid or not: by its voter where it has one.
    pub partition_of: PartitionOf,
}

/// Opens the log for one request. May block.
pub type LogDoor = Arc<dyn Fn() -> Result<LogLease, LogError> + Send + Sync>;

/// An open log, for as long as this is held.
pub struct LogLease {
    /// Appends batches.
    pub log: AppendHandle,
    /// Whatever keeps the log open.
    pub open: Option<Arc<dyn Any + Send + Sync>>,
}

impl Ingest {
    /// A log that is open for as long as the server runs.
    pub fn open(log: AppendHandle, partition_of: PartitionOf) -> Self {
        Self { log: Arc::new(move || Ok(LogLease { log: log.clone(), open: None })), partition_of }
    }
}

/// The partition of a record's bytes, and its voter's canonical text: the key in a log whose records have keys. For a line beyond
/// `RECORD_BYTES_MAX` it is given the kept start.
pub type PartitionOf = Arc<dyn Fn(&[u8]) -> (PartitionId, Option<Vec<u8>>) + Send + Sync>;

/// The bytes of records, in the order asked for; `None` where the log does not hold one any more. May block.
pub type Payloads = Arc<dyn Fn(&[(PartitionId, Offset)]) -> Result<Vec<Option<Bytes>>, String> + Send + Sync>;

/// The end of each partition, in partition order. May block.
pub type LogEnds = Arc<dyn Fn() -> Result<Vec<Offset>, String> + Send + Sync>;

/// Public results as a Parquet file. May take a few milliseconds; does not wait for anything.
pub type ParquetFile = Arc<dyn Fn(&Results) -> Result<Bytes, String> + Send + Sync>;

/// A file of the page by its path without the leading slash; `index.html` is also the page itself.
pub type PageFiles = &'static (dyn Fn(&str) -> Option<Asset> + Send + Sync);

/// A file of the page, compressed beforehand.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// The file.
    pub bytes: &'static [u8],
    /// Its media type, such as `text/html; charset=utf-8`.
    pub mime: &'static str,
    /// The file in gzip.
    pub gzip: Option<&'static [u8]>,
    /// The file in Brotli.
    pub br: Option<&'static [u8]>,
    /// A digest of the file, with or without quotes.
    pub etag: &'static str,
    /// Its name holds a digest of it: it may be kept for ever.
    pub immutable: bool,
}
