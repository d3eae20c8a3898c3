//! What a person may type. Meanings are checked where they are used; this is only their form and their help.

mod archive;

mod bench;

mod server;

mod setup;

mod sign;

pub use archive::ArchiveCommand;
#[cfg(feature = "archive")]
pub use archive::{Archive, ArchiveAct, Prune, VoterIds};
#[cfg(feature = "kafka")]
pub use bench::BenchBatches;
pub use bench::{Bench, BenchFormat, BenchPart, BenchWhat};
pub use server::{GuardArgs, Top, WebhookArgs};
pub use setup::{Doctor, Init};
pub use sign::{Keygen, SigningArgs, Verify};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Turns a stream of votes into live, trustworthy election results.
#[derive(Debug, Parser)]
#[command(name = "votestream", version, max_term_width = 110, propagate_version = true)]
#[command(
    after_help = "Start with `votestream up`: a simulated election night, counted live, with a page at http://127.0.0.1:8501."
)]
pub struct Cli {
    /// What applies to every command.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What applies to every command.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// How messages are written to standard error
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, env = "VOTESTREAM_LOG_FORMAT", help_heading = "Messages")]
    pub log_format: LogFormat,
    /// Say less: warnings and errors only
    #[arg(short, long, global = true, help_heading = "Messages", conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more; twice for still more
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Messages")]
    pub verbose: u8,
    /// A TOML file of settings, keys named as the flags; environment variables and flags override it
    #[arg(long, global = true, value_name = "FILE", env = "VOTESTREAM_CONFIG", help_heading = "Messages")]
    pub config: Option<PathBuf>,
}

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run everything in one process: simulate, log, count, serve results and page
    Up(Up),
    /// Generate votes into a log or onto standard output
    Simulate(Simulate),
    /// Serve generated votes as an event stream
    Source(Source),
    /// Append records from files, standard input or another server's stream to a log
    Ingest(Ingest),
    /// Count a log into a results store, one vote per voter, exactly once
    Count(Count),
    /// Keep every record of a log in Parquet files on disk, S3 or HDFS, exactly once
    Archive(Box<ArchiveCommand>),
    /// Serve the results API and the page
    Serve(Serve),
    /// Print results
    Results(Results),
    /// Watch a count in the terminal: leader, seats, regions, engine
    Top(Top),
    /// Count again from the log and compare with the store
    Recount(Recount),
    /// Make a key to sign bundles with
    Keygen(Keygen),
    /// Check a bundle of results, ledger and signature, with no access to log or store
    Verify(Verify),
    /// Declare a region or the whole election final
    Close(Desk),
    /// Take back a close or a hold
    Reopen(Desk),
    /// Take a region out of every public answer until it is reopened
    Hold(Desk),
    /// Check a set-up: log, store, ports, disk, lag; each line ✓ or ✗ with what to do
    Doctor(Doctor),
    /// Measure each stage on this machine, beside a reference in the same run
    Bench(Bench),
    /// Write a commented election definition, or draft one from real records
    Init(Init),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
    /// Print the names of the kill points of a build made for crash tests
    #[command(hide = true)]
    FailPoints,
}

/// Which election.
#[derive(Clone, Debug, Default, Args)]
pub struct ElectionArgs {
    /// A preset (us-president-2024, poll), a TOML file, or the id of an election in the store
    #[arg(long, value_name = "PRESET|FILE|ID", env = "VOTESTREAM_ELECTION", help_heading = "Election")]
    pub election: Option<String>,
    /// How an event's fields are named, instead of what the definition says
    #[arg(long, value_name = "NAME", env = "VOTESTREAM_MAPPING", value_parser = ["presidential", "votestream", "poll"], help_heading = "Election")]
    pub mapping: Option<String>,
    /// Which of a voter's records counts, instead of what the definition says
    #[arg(
        long,
        value_enum,
        value_name = "first|last",
        env = "VOTESTREAM_DUPLICATE",
        help_heading = "Election"
    )]
    pub duplicate: Option<Duplicate>,
}

/// Which of a voter's records counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Duplicate {
    /// The first; later ones are duplicates
    First,
    /// The last; it replaces the one before
    Last,
}

/// How a simulation is drawn.
#[derive(Clone, Debug, Args)]
pub struct SimulationArgs {
    /// Seed of the simulation: other voters in another order, the same totals
    #[arg(long, value_name = "N", env = "VOTESTREAM_SEED", help_heading = "Simulation")]
    pub seed: Option<u64>,
    /// The order in which votes come in: as the night's polls close, or shuffled
    #[arg(long, value_enum, env = "VOTESTREAM_ORDER", help_heading = "Simulation")]
    pub order: Option<Order>,
    /// Records a second, or max; without it, night sets the pace
    #[arg(long, value_name = "N|max", env = "VOTESTREAM_RATE", help_heading = "Simulation")]
    pub rate: Option<String>,
}

/// In which order votes come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// Region after region, as their polls close
    Night,
    /// All mixed
    Shuffled,
}

/// Everything in one process.
#[derive(Debug, Args)]
pub struct Up {
    /// Directory of the log and the results; made when absent, resumed when present
    #[arg(long, value_name = "DIR", default_value = "votestream-data", env = "VOTESTREAM_DATA")]
    pub data: PathBuf,
    /// How many voters vote; without it one ballot in ten
    #[arg(long, value_name = "N|all", env = "VOTESTREAM_VOTES", help_heading = "Simulation")]
    pub votes: Option<String>,
    /// How the simulation is drawn.
    #[command(flatten)]
    pub simulation: SimulationArgs,
    /// Which election.
    #[command(flatten)]
    pub election: ElectionArgs,
    /// Open the page in a browser
    #[arg(long)]
    pub open: bool,
    /// Where results and page are served [default: 127.0.0.1:8501, or the next free port]
    #[arg(long, value_name = "ADDR", env = "VOTESTREAM_LISTEN", help_heading = "Network")]
    pub listen: Option<SocketAddr>,
    /// Where generated votes are served [default: 127.0.0.1:5000, or the next free port]
    #[arg(long, value_name = "ADDR", env = "VOTESTREAM_SOURCE_LISTEN", help_heading = "Network")]
    pub source_listen: Option<SocketAddr>,
    /// Stop when all is counted, print the final table and the proof of a recount
    #[arg(long)]
    pub exit_when_done: bool,
    /// How the server is guarded.
    #[command(flatten)]
    pub guard: GuardArgs,
    /// Who is told what happens.
    #[command(flatten)]
    pub webhooks: WebhookArgs,
}

/// Generate votes.
#[derive(Debug, Args)]
pub struct Simulate {
    /// How many voters vote once
    #[arg(long, value_name = "N|all")]
    pub votes: String,
    /// How the simulation is drawn.
    #[command(flatten)]
    pub simulation: SimulationArgs,
    /// Extra records on top, as rates: duplicates=0.01,invalid=0.001,changed=0.001,torn=0.0001
    #[arg(long, value_name = "KIND=RATE,…", help_heading = "Simulation")]
    pub faults: Option<String>,
    /// A log (dir:PATH or kafka://HOST:PORT/TOPIC), or - for NDJSON on standard output
    #[arg(long, value_name = "LOG-URL|-", default_value = "-")]
    pub to: String,
    /// Create the Kafka topic where there is none, such as partitions=4,replication=3
    #[arg(long, value_name = "partitions=N,replication=N")]
    pub create_topic: Option<CreateTopic>,
    /// Write the right answer here, in the JSON shape of results
    #[arg(long, value_name = "FILE")]
    pub expected: Option<PathBuf>,
    /// Which election.
    #[command(flatten)]
    pub election: ElectionArgs,
}

/// How a topic is to be made where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreateTopic {
    /// Its partitions.
    pub partitions: u32,
    /// On how many brokers each is kept; −1: as the cluster is configured.
    pub replication: i16,
}

impl std::str::FromStr for CreateTopic {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut partitions, mut replication) = (None, None);
        for part in text.split(',') {
            match part.split_once('=') {
                Some(("partitions", n)) if partitions.is_none() => {
                    partitions = n.parse().ok().filter(|n| *n > 0);
                }
                Some(("replication", n)) if replication.is_none() => {
                    replication = Some(
                        n.parse()
                            .ok()
                            .filter(|n| *n > 0)
                            .ok_or("replication must be a whole number from 1")?,
                    );
                }
                _ => return Err(format!("'{part}' is not understood; write partitions=N,replication=N")),
            }
        }
        let partitions = partitions.ok_or("partitions must be given, a whole number from 1")?;
        Ok(Self { partitions, replication: replication.unwrap_or(-1) })
    }
}

/// Serve generated votes.
#[derive(Debug, Args)]
pub struct Source {
    /// Where to listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5000", env = "VOTESTREAM_SOURCE_LISTEN")]
    pub listen: SocketAddr,
    /// Which election.
    #[command(flatten)]
    pub election: ElectionArgs,
}

/// Append records to a log.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("input").required(true).args(["files", "from", "archive"]))]
pub struct Ingest {
    /// Files to read, - for standard input; NDJSON, JSON array, SSE or CSV, plain or in gzip or zstd
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// An event stream to follow, such as http://127.0.0.1:5000/api/stream_votes
    #[arg(long, value_name = "URL")]
    pub from: Option<String>,
    /// An archive made with --keep-bytes, whose records are appended: file:PATH, s3://BUCKET/PREFIX or hdfs://NAMENODE:PORT/PATH
    #[arg(long, value_name = "ARCHIVE-URL", conflicts_with_all = ["format", "rejects"])]
    pub archive: Option<String>,
    /// The log to append to: dir:PATH[?codec=lz4|zstd&partitions=4] or kafka://HOST:PORT/TOPIC[?codec=lz4|zstd|none]
    #[arg(long, value_name = "LOG-URL", env = "VOTESTREAM_LOG")]
    pub log: String,
    /// Create the Kafka topic where there is none, such as partitions=4,replication=3
    #[arg(long, value_name = "partitions=N,replication=N")]
    pub create_topic: Option<CreateTopic>,
    /// Form of the input, instead of telling it from its first bytes
    #[arg(long, value_name = "FORM", value_parser = ["ndjson", "array", "sse", "csv"])]
    pub format: Option<String>,
    /// Exit with status 1 if a record will be rejected
    #[arg(long)]
    pub strict: bool,
    /// List here which records will be rejected and why, as NDJSON
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// Append a file again that the log already has
    #[arg(long)]
    pub again: bool,
    /// Which election.
    #[command(flatten)]
    pub election: ElectionArgs,
}

/// Count a log.
#[derive(Debug, Args)]
pub struct Count {
    /// The log to count: dir:PATH or kafka://host:port/topic
    #[arg(long, value_name = "LOG-URL", env = "VOTESTREAM_LOG")]
    pub log: String,
    /// Where results are kept: sqlite:PATH or postgres://user@host:port/db
    #[arg(long, value_name = "STORE-URL", env = "VOTESTREAM_STORE")]
    pub store: String,
    /// Stop at the log's end as it is now
    #[arg(long)]
    pub until_end: bool,
    /// Count a log whose beginning is gone, from what is left
    #[arg(long)]
    pub from_log_start: bool,
    /// Count votes on a partition where their voter does not belong as rejects, instead of stopping
    #[arg(long, value_name = "WHAT", value_parser = ["reject"])]
    pub misrouted: Option<String>,
    /// Copy a topic that is not keyed by the voter first (Kafka)
    #[arg(long)]
    pub route: bool,
    /// Publish results by region and candidate to a compacted Kafka topic as they change
    #[arg(long, value_name = "LOG-URL")]
    pub publish: Option<String>,
    /// Which engine counts; a running election goes from one to the other with --remote
    #[arg(long, value_name = "ENGINE", value_parser = ["native", "spark"], default_value = "native")]
    pub engine: String,
    /// The Spark Connect server that counts with --engine spark, or that an election is brought back from with --engine native:
    /// sc://host:15002, with /;use_ssl=true;token_file=FILE where it asks for it
    #[arg(long, value_name = "SC-URL", env = "VOTESTREAM_REMOTE", hide_env_values = true)]
    #[cfg_attr(not(feature = "spark"), allow(dead_code, reason = "only the build with Spark reads it"))]
    pub remote: Option<String>,
    /// With --remote: where Spark's seen voters lie, file:PATH, s3://bucket/prefix or hdfs://namenode:port/path [default: beside an SQLite store]
    #[arg(long, value_name = "DIR-URL", env = "VOTESTREAM_SEEN")]
    #[cfg_attr(not(feature = "spark"), allow(dead_code, reason = "only the build with Spark reads it"))]
    pub seen: Option<String>,
    /// With --engine spark: records of an epoch, for tests [default: 2 million]
    #[arg(long, value_name = "N", hide = true)]
    #[cfg_attr(not(feature = "spark"), allow(dead_code, reason = "only the build with Spark reads it"))]
    pub epoch_records: Option<u64>,
    /// Threads that decide [default: one a core, at most one a partition]
    #[arg(long, value_name = "N", env = "VOTESTREAM_THREADS")]
    pub threads: Option<usize>,
    /// Which election.
    #[command(flatten)]
    pub election: ElectionArgs,
}

/// Serve results.
#[derive(Debug, Args)]
pub struct Serve {
    /// Where results are kept: sqlite:PATH or postgres://user@host:port/db
    #[arg(long, value_name = "STORE-URL", env = "VOTESTREAM_STORE")]
    pub store: String,
    /// The log, to take votes by POST and to show rejected records to those with the token
    #[arg(long, value_name = "LOG-URL", env = "VOTESTREAM_LOG")]
    pub log: Option<String>,
    /// Where to listen [default: 127.0.0.1:8501, or the next free port]
    #[arg(long, value_name = "ADDR", env = "VOTESTREAM_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// How the server is guarded.
    #[command(flatten)]
    pub guard: GuardArgs,
    /// Who is told what happens.
    #[command(flatten)]
    pub webhooks: WebhookArgs,
    /// Which election.
    #[command(flatten)]
    pub election: ElectionArgs,
}

/// Print results.
#[derive(Debug, Args)]
pub struct Results {
    /// Where results are kept: sqlite:PATH or postgres://user@host:port/db
    #[arg(long, value_name = "STORE-URL", env = "VOTESTREAM_STORE")]
    pub store: String,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = ResultsFormat::Table)]
    pub format: ResultsFormat,
    /// Only this region, by code; not with html, where every region can be chosen
    #[arg(long, value_name = "CODE")]
    pub region: Option<String>,
    /// As they were at this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Which election.
    #[command(flatten)]
    pub election: ElectionArgs,
    /// What signs a bundle.
    #[command(flatten)]
    pub signing: SigningArgs,
}

/// Form of printed results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ResultsFormat {
    /// For people
    Table,
    /// As GET /api/results
    Json,
    /// A row a region
    Csv,
    /// NIST SP 1500-100 version 2, JSON: an ElectionReport, as GET /api/export/nist.json
    Nist,
    /// The dashboard in one HTML file that needs no server: votestream results --format html > page.html
    Html,
    /// Results, ledger, releases and definition in one file for `votestream verify`; signed with --key
    Bundle,
}

/// Count again.
#[derive(Debug, Args)]
pub struct Recount {
    /// The log: dir:PATH or kafka://host:port/topic
    #[arg(long, value_name = "LOG-URL", env = "VOTESTREAM_LOG", required_unless_present = "archive")]
    pub log: Option<String>,
    /// The archive, in place of the log; or beside it, to tell which record differs: file:PATH, s3://BUCKET/PREFIX or
    /// hdfs://NAMENODE:PORT/PATH
    #[arg(long, value_name = "ARCHIVE-URL", env = "VOTESTREAM_ARCHIVE")]
    pub archive: Option<String>,
    /// The results to compare with: sqlite:PATH or postgres://user@host:port/db; without it, what the records hold is printed
    #[arg(long, value_name = "STORE-URL", env = "VOTESTREAM_STORE")]
    pub store: Option<String>,
    /// Build the store anew from the records, under a new identity, instead of comparing
    #[arg(long)]
    pub from_scratch: bool,
    /// With --from-scratch: count votes on a partition where their voter does not belong as rejects, instead of stopping
    #[arg(long, value_name = "WHAT", value_parser = ["reject"], requires = "from_scratch")]
    pub misrouted: Option<String>,
    /// Memory that it may take, such as 512M or 2G; with less, the records are read more often [default: half of what is free]
    #[arg(long, value_name = "SIZE", env = "VOTESTREAM_MEMORY", value_parser = archive::size)]
    pub memory: Option<u64>,
    /// Threads that count [default: one a core]
    #[arg(long, value_name = "N", env = "VOTESTREAM_THREADS")]
    pub threads: Option<usize>,
    /// Which election.
    #[command(flatten)]
    pub election: ElectionArgs,
}

/// An act of the election desk.
#[derive(Debug, Args)]
pub struct Desk {
    /// Where results are kept: sqlite:PATH or postgres://user@host:port/db
    #[arg(long, value_name = "STORE-URL", env = "VOTESTREAM_STORE")]
    pub store: String,
    /// Only this region, by code
    #[arg(long, value_name = "CODE")]
    pub region: Option<String>,
    /// Which election.
    #[command(flatten)]
    pub election: ElectionArgs,
}
