//! How the engine is doing: what the counting loop reports and the server shows. No clock is read here.

use serde::Serialize;

/// One report of the counting engine, at most a few a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct EngineHealth {
    /// Records counted a second, over the last few seconds.
    pub records_per_s: f64,
    /// From a record's arrival in the log to its commit, median, in milliseconds; absent before the first measurement.
    pub commit_p50_ms: Option<f64>,
    /// The same, 99th percentile.
    pub commit_p99_ms: Option<f64>,
    /// Records in the log that are not counted yet.
    pub backlog: u64,
    /// Threads that decide.
    pub workers: u32,
    /// Voters remembered in memory.
    pub voters: u64,
    /// Bytes of memory that remembering them takes.
    pub voters_bytes: u64,
    /// Why counting is paused, when it is: the error and what is being waited for.
    pub paused: Option<String>,
}
