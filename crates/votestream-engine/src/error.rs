//! What can stop a loop, each with its cause.

use thiserror::Error;
use votestream_election::fold::FoldError;
use votestream_election::protocol::LogRefused;
use votestream_log::LogError;
use votestream_store::StoreError;

/// Why a loop stopped without being done.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The log cannot be read or written.
    #[error("the vote log failed")]
    Log(#[from] LogError),
    /// The store cannot be read or written, and waiting would not cure it.
    #[error("the results store failed")]
    Store(#[source] StoreError),
    /// Counted by the other engine, whose voters this one does not have; the store says what to do.
    #[error(transparent)]
    OtherEngine(StoreError),
    /// The log is not the one counted so far.
    #[error("the vote log does not fit the results store")]
    Refused(#[from] LogRefused),
    /// The records cannot be counted one vote a voter.
    #[error("counting stopped")]
    Fold(#[from] FoldError),
    /// The log starts above offset 0, so that votes are missing from it.
    #[error(
        "partition {partition} of the log starts at offset {start}, not at 0: earlier votes are gone; count what is there with --from-log-start"
    )]
    StartsLate {
        /// Which partition.
        partition: votestream_election::PartitionId,
        /// Where it starts.
        start: votestream_election::Offset,
    },
    /// A log that forgets records.
    #[error(
        "the topic's cleanup.policy is compact: of each key only the last record may be left, so votes may be missing from it; count what is there with --from-log-start, or set cleanup.policy=delete for a topic of votes"
    )]
    Compacted,
    /// A log whose records need a schema to be read.
    #[error(
        "the topic's records are Avro or Protobuf (schema {schema} of a schema registry), and votestream reads JSON: have the producer write JSON or JSON Schema, or count a topic into which they were converted"
    )]
    Binary {
        /// The schema's id in the registry.
        schema: u32,
    },
    /// Another worker has taken partitions over.
    #[error("another counter has taken over partition {0}; only one may count a store at a time")]
    Fenced(votestream_election::PartitionId),
    /// Apache Spark cannot count.
    #[cfg(feature = "spark")]
    #[error(transparent)]
    Spark(#[from] crate::spark::EpochError),
    /// Packed voters in the store cannot be read.
    #[error(
        "the results store's seen voters of partition {partition} cannot be read; rebuild it with recount --from-scratch"
    )]
    Seen {
        /// Which partition.
        partition: votestream_election::PartitionId,
        /// What is wrong.
        source: votestream_election::seen::PackError,
    },
    /// The archive cannot be read or written.
    #[cfg(feature = "archive")]
    #[error("the archive failed")]
    Archive(#[from] votestream_archive::ArchiveError),
    /// The archive is of something else, or does not hold enough.
    #[error("the archive at {url} {what}")]
    OtherArchive {
        /// Where.
        url: String,
        /// Of what, and what to do.
        what: String,
    },
    /// A recount may not take what it needs at the least.
    #[error(
        "--memory is too little for a recount with {threads} threads, which needs {} MiB; allow it more, or fewer --threads",
        least.div_ceil(1 << 20)
    )]
    TooLittleMemory {
        /// Threads asked for.
        threads: usize,
        /// What they need, in bytes.
        least: u64,
    },
    /// More voters than any sensible number of passes can deal with in the memory allowed.
    #[error(
        "partition {partition} has more voters than fit the memory allowed in any sensible number of passes; allow more with --memory"
    )]
    TooManyVoters {
        /// Which partition.
        partition: votestream_election::PartitionId,
    },
    /// The log is not the one archived so far.
    #[cfg(feature = "archive")]
    #[error("partition {partition} of the log {what}; begin a new archive, and keep this one as it is")]
    ArchiveRefused {
        /// Which partition.
        partition: votestream_election::PartitionId,
        /// How it differs.
        what: String,
    },
    /// The log has forgotten records that are not archived.
    #[cfg(feature = "archive")]
    #[error(
        "partition {partition} of the log starts at offset {start}, and is archived up to {next}: records {next}..{start} are gone from the log and in no archive; begin a new archive with what is left, and keep this one"
    )]
    NotArchived {
        /// Which partition.
        partition: votestream_election::PartitionId,
        /// Where archiving had stopped.
        next: votestream_election::Offset,
        /// Where the log starts now.
        start: votestream_election::Offset,
    },
    /// What was to be pruned cannot be.
    #[cfg(feature = "archive")]
    #[error("partition {partition} cannot be pruned: {what}")]
    NotPruned {
        /// Which partition.
        partition: votestream_election::PartitionId,
        /// Why, and what to do.
        what: String,
    },
    /// An input file or stream cannot be read.
    #[error("cannot read '{name}'")]
    Input {
        /// File name, `-` or address.
        name: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// An input is not what it was taken for.
    #[error("'{name}' {what}")]
    Format {
        /// File name, `-` or address.
        name: String,
        /// What is wrong and what to do.
        what: String,
    },
    /// A file for the user cannot be written.
    #[error("cannot write '{name}'")]
    Output {
        /// File name.
        name: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A thread ended by a panic: a bug.
    #[error("the {0} thread ended unexpectedly; this is a fault of the program, please report it")]
    Thread(&'static str),
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::OtherEngine { .. } => Self::OtherEngine(error),
            error => Self::Store(error),
        }
    }
}
