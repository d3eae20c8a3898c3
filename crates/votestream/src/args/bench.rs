//! What a person may type to measure: `bench`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Measure.
#[derive(Debug, Args)]
pub struct Bench {
    /// What to measure: this program by itself, `kafka` or `spark`, with real servers, the `archive`, or `viewers` of a server [default: this program by itself]
    #[arg(value_enum, value_name = "WHAT")]
    pub what: Option<BenchWhat>,
    /// Of `kafka` and `spark`: where a topic is made, kafka://host:port/NAME
    #[arg(long, value_name = "LOG-URL")]
    pub log: Option<String>,
    /// Of `kafka`: a database for the results, postgres://user@host:port/db
    #[arg(long, value_name = "STORE-URL")]
    pub store: Option<String>,
    /// Of `spark`: a Spark Connect server, sc://host:15002
    #[arg(long, value_name = "SC-URL", env = "VOTESTREAM_REMOTE", hide_env_values = true)]
    pub remote: Option<String>,
    /// Of `spark`: a directory that Spark can write to [default: in the measurement's own, which needs Spark on this machine]
    #[arg(long, value_name = "DIR-URL", env = "VOTESTREAM_SEEN")]
    pub seen: Option<String>,
    /// Votes that are generated, counted, recounted and loaded again
    #[arg(long, value_name = "N|all", default_value = "10000000")]
    pub votes: String,
    /// Of `kafka`: how the measured topic is written
    #[arg(long, value_enum, default_value_t = BenchBatches::Large)]
    pub batches: BenchBatches,
    /// Directory in which the measured log and store are made, and removed afterwards [default: the system's temporary one]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Records a second while waits from acknowledged to committed are measured
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub rate: u64,
    /// Of `viewers`: live streams at once
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=2_000))]
    pub viewers: u16,
    /// Only these parts [default: all]
    #[arg(long, value_enum, value_name = "PART,…", value_delimiter = ',')]
    pub only: Vec<BenchPart>,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = BenchFormat::Table)]
    pub format: BenchFormat,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BenchWhat {
    /// Kafka to PostgreSQL, beside librdkafka's raw consumer
    Kafka,
    /// A log archived to files and read back, beside counting it
    Archive,
    /// Kafka counted on Apache Spark, beside Spark's own Structured Streaming and the native engine
    Spark,
    /// What a server costs that shows live results to many at once
    Viewers,
}

/// How the measured topic is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BenchBatches {
    /// By this program: thousands of records a batch
    Large,
    /// As most producers do, by librdkafka with its defaults: a batch every 5 ms
    Small,
}

/// A part of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BenchPart {
    /// From generation to the committed count on all cores, then the recount, beside a naive count
    Path,
    /// What a start after a kill loads again; needs the path and runs it too
    Resume,
    /// Waits from acknowledged to committed at a steady rate
    Latency,
    /// Each stage alone, beside a reference on the same data
    Stages,
}

/// Form of printed measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BenchFormat {
    /// For people
    Table,
    /// One JSON object
    Json,
}
