//! What a person may type to look at a set-up, or to begin one: `doctor`, `init`.

use super::ElectionArgs;
use clap::Args;
use std::path::PathBuf;

/// Check a set-up.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Directory of `up`, when log and store are not named
    #[arg(long, value_name = "DIR", env = "VOTESTREAM_DATA")]
    pub data: Option<PathBuf>,
    /// The log: dir:PATH or kafka://host:port/topic
    #[arg(long, value_name = "LOG-URL", env = "VOTESTREAM_LOG")]
    pub log: Option<String>,
    /// The results: sqlite:PATH or postgres://user@host:port/db
    #[arg(long, value_name = "STORE-URL", env = "VOTESTREAM_STORE")]
    pub store: Option<String>,
    /// An archive: file:PATH, s3://BUCKET/PREFIX or hdfs://NAMENODE:PORT/PATH
    #[arg(long, value_name = "ARCHIVE-URL", env = "VOTESTREAM_ARCHIVE")]
    pub archive: Option<String>,
    /// A Spark Connect server that is to count, sc://host:15002; looked at with the log's topic and the store's seen voters
    #[arg(long, value_name = "SC-URL", env = "VOTESTREAM_REMOTE", hide_env_values = true)]
    pub remote: Option<String>,
    /// With --remote: where seen voters lie [default: beside an SQLite store]
    #[arg(long, value_name = "DIR-URL", env = "VOTESTREAM_SEEN")]
    pub seen: Option<String>,
    /// A running `up` or `serve`, such as http://127.0.0.1:8501
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// Only whether what is named answers: for health checks
    #[arg(long)]
    pub quick: bool,
    /// The store is only to be read here, as by `serve`: that it cannot be written is no fault
    #[arg(long)]
    pub read_only: bool,
    /// Which election.
    #[command(flatten)]
    pub election: ElectionArgs,
}

/// Write a definition.
#[derive(Debug, Args)]
pub struct Init {
    /// Which preset to write out
    #[arg(long, value_name = "PRESET", default_value = "us-president-2024", env = "VOTESTREAM_ELECTION")]
    pub election: String,
    /// Draft a definition from these records instead
    #[arg(long, value_name = "FILE|LOG-URL")]
    pub sample: Option<String>,
    /// File to write; standard output without it
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}
