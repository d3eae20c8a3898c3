//! HTTP: the results API and its live stream, the intake of votes, the generated stream, the page's files.
//!
//! **Invariant:** nothing is shown that is not committed in the store (`tests/it/reading.rs`); a POST is answered 202 only for what is
//! durable in the log, and 4xx only where nothing was appended (`tests/it/post_votes.rs`).
//! **Invariant:** no client slows another: whoever does not read is dropped after a bounded time, and costs bounded memory
//! (`tests/it/live_stream.rs`, `tests/it/source_stream.rs`).
//! **Invariant:** a region that is withheld is in no public answer (`tests/it/held_regions.rs`).
//!
//! What results say is decided in `votestream-election`; SQL is `votestream-store`'s, files are `votestream-log`'s. The engine is
//! met only in channel ends that the binary hands in ([`Seams`]).

mod app;

pub mod config;

pub mod seams;

pub mod limits;

mod serve;

mod io;

mod shell;

mod problem;

mod params;

mod respond;

mod feed;

mod event;

mod view;

mod readers;

mod live;

mod api;

mod intake;

mod source;

mod page;

mod probes;

pub mod webhooks;

mod counters;

mod pace;

mod metrics;

mod exporter;

mod openapi;

mod docs;

pub use app::{ServeError, Server, serve};
pub use config::{ConfigError, ServerConfig, SourceConfig};
pub use exporter::{MetricsText, serve_metrics};
pub use metrics::METRICS;
pub use openapi::PROBLEMS;
pub use problem::Problem;
pub use seams::{
    Asset, Ingest, LogDoor, LogEnds, LogLease, PageFiles, ParquetFile, PartitionOf, Payloads, Seams,
};
pub use source::{EventSource, Events, StreamRate, StreamRequest, serve_source};
