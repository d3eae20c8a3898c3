//! What can go wrong with a log, each said with its file, its place and what to do next. Who is told is left to the callers.

use crate::url::Codec;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use votestream_election::{LogId, Offset, PartitionId};

/// A failure of the log. Cloning is cheap: one failure is told to everyone who waits.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogError {
    /// A reader was asked for a log that nobody made yet.
    #[error("no vote log at \"{}\"; check the path, or start what writes it", path.display())]
    NotFound {
        /// The log's directory.
        path: PathBuf,
    },
    /// The directory holds something else.
    #[error("\"{}\" is not a vote log: it has no log.json but holds \"{found}\"; choose an empty or new directory", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// The first thing found in it that no log has.
        found: String,
    },
    /// Written by a newer votestream.
    #[error("the vote log at \"{}\" has format {found}, this build knows up to {supported}; use a newer votestream", path.display())]
    NewerFormat {
        /// The log's directory.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest format that this build knows.
        supported: u64,
    },
    /// Another partition count was asked for than the log has.
    #[error("the vote log at \"{}\" has {stored} partitions, not {asked}; leave partitions out, or choose another directory", path.display())]
    OtherPartitions {
        /// The log's directory.
        path: PathBuf,
        /// What it has.
        stored: u32,
        /// What was asked for.
        asked: u32,
    },
    /// Another codec was asked for than the log has.
    #[error("the vote log at \"{}\" is written with codec {stored}, not {asked}; leave codec out, or choose another directory", path.display())]
    OtherCodec {
        /// The log's directory.
        path: PathBuf,
        /// What it has.
        stored: Codec,
        /// What was asked for.
        asked: Codec,
    },
    /// Another process, or another writer in this one, has it open for writing.
    #[error("a second writer of the vote log at \"{}\" is refused: another votestream writes it; stop that one first", path.display())]
    SecondWriter {
        /// The log's directory.
        path: PathBuf,
    },
    /// No right to write, or a read-only file system.
    #[error("\"{}\" may not be written; check its owner, its rights and whether it is mounted read-only", path.display())]
    NotWritable {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// No room left.
    #[error("no room left on the disk of \"{}\"; free some and start again, nothing acknowledged is lost", path.display())]
    DiskFull {
        /// The file that could not grow.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// Any other failure of the file system.
    #[error("could not {doing} \"{}\"", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried: "read", "write", "sync", …
        doing: &'static str,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// Bytes that were durable once are not what was written. Nothing is repaired by itself.
    #[error("\"{}\" is damaged at byte {position}: {what}; restore the file from a copy", file.display())]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// The byte position in it.
        position: u64,
        /// What is wrong there.
        what: String,
    },
    /// A batch that a broker sent is not what a producer can have written, or cannot be read.
    #[error(
        "topic \"{topic}\", partition {partition}: the batch at offset {offset} cannot be read: {what}; compare it on the brokers with kafka-dump-log"
    )]
    CorruptTopic {
        /// The topic's name.
        topic: String,
        /// The partition.
        partition: PartitionId,
        /// The batch's first offset.
        offset: Offset,
        /// What is wrong with it.
        what: String,
    },
    /// The log ends before a place that a reader has been at, or knows of.
    #[error(
        "partition {partition} of {log} ends at offset {end}, before {wanted}: it was cut or made anew; restore it, or recount --from-scratch"
    )]
    Truncated {
        /// Which log, as words: `the vote log at "…"` or `topic "…"`.
        log: String,
        /// The partition.
        partition: PartitionId,
        /// The offset asked for.
        wanted: Offset,
        /// The synced end.
        end: Offset,
    },
    /// The log has fewer partitions.
    #[error("the vote log has {partitions} partitions; there is no partition {partition}")]
    NoSuchPartition {
        /// The partition asked for.
        partition: PartitionId,
        /// How many there are.
        partitions: u32,
    },
    /// A batch over the bound that every reader relies on.
    #[error("a batch of {bytes} bytes is over the bound of {bound}; seal smaller batches")]
    BatchTooLarge {
        /// Its size, uncompressed.
        bytes: usize,
        /// The bound.
        bound: usize,
    },
    /// An earlier write or fsync failed, so the end of the log is not known any more: the writer refuses all that follows.
    #[error("the vote log's writer has stopped after a failure ({first}); start it again")]
    Poisoned {
        /// The failure that stopped it.
        first: Arc<LogError>,
    },
    /// A bug in the writer: one of its threads panicked.
    #[error("a thread of the vote log's writer panicked; what it was doing is said above")]
    Panicked,
    /// The offset asked for is older than the log.
    #[error(
        "partition {partition} of {log} starts at offset {start}, after {wanted}: its beginning is gone; restore it, or recount --from-scratch"
    )]
    BeforeStart {
        /// Which log, as words: `the vote log at "…"` or `topic "…"`.
        log: String,
        /// The partition.
        partition: PartitionId,
        /// The offset asked for.
        wanted: Offset,
        /// The first offset there is.
        start: Offset,
    },
    /// The writer was closed.
    #[error("the vote log's writer is closed")]
    Closed,
    /// Known, but not in this build.
    #[error("{what} is not in this build; {instead}")]
    NotBuilt {
        /// What was asked for.
        what: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// A Kafka broker cannot be spoken to at the moment: refused, cut off, silent, no such host.
    #[error("cannot reach the Kafka broker at \"{place}\": {what}; {next}")]
    Unreachable {
        /// `host:port`.
        place: String,
        /// What happened.
        what: String,
        /// What a person may do about it.
        next: &'static str,
    },
    /// What answers is no Kafka broker, or none that understands us as we speak to it (TLS or not). Waiting does not help.
    #[error("\"{place}\" does not answer as a Kafka broker does: {what}; {next}")]
    NotKafka {
        /// `host:port`.
        place: String,
        /// What it did.
        what: String,
        /// What a person may do about it.
        next: &'static str,
    },
    /// A broker that answered well before sent bytes that are no answer. A new connection may help.
    #[error(
        "the Kafka broker at \"{place}\" sent an answer that does not hold: {what}; if it comes again, see the broker's log"
    )]
    Garbled {
        /// `host:port`.
        place: String,
        /// What is wrong with it.
        what: String,
    },
    /// Who we are, or what we want, is refused: credentials, certificates, rights.
    #[error("the Kafka broker at \"{place}\" is refused or refuses: {what}; {next}")]
    Refused {
        /// `host:port`, or the topic's place.
        place: String,
        /// What is refused.
        what: String,
        /// What a person may do about it.
        next: &'static str,
    },
    /// A file or variable that says how to connect cannot be used.
    #[error("{what}; {next}")]
    Credentials {
        /// Which, and what is wrong with it; never its contents.
        what: String,
        /// What to do.
        next: &'static str,
    },
    /// There is no such topic.
    #[error(
        "there is no topic \"{topic}\" on the Kafka brokers {brokers}; check its name, or create it with --create-topic partitions=N,replication=N"
    )]
    NoSuchTopic {
        /// Its name.
        topic: String,
        /// The brokers asked, `host:port,host:port`.
        brokers: String,
    },
    /// The topic was deleted and made anew: its offsets mean other records now.
    #[error(
        "Kafka topic \"{topic}\" was deleted and made anew (its id was {was}, is {now}); what was counted came from the old one: recount --from-scratch, or restore the topic"
    )]
    TopicRecreated {
        /// Its name.
        topic: String,
        /// The id it had.
        was: LogId,
        /// The id it has.
        now: LogId,
    },
    /// The topic has another partition count than before, or than asked for.
    #[error(
        "Kafka topic \"{topic}\" has {now} partitions, not {was}; a voter belongs to one partition of a fixed number: name a topic with as many, or recount this one --from-scratch"
    )]
    Repartitioned {
        /// Its name.
        topic: String,
        /// As before, or as asked for.
        was: u32,
        /// As it is.
        now: u32,
    },
    /// A source is produced twice at once.
    #[error(
        "another run of this source is producing to Kafka topic \"{topic}\"; let one of the two do it: it goes on where the log leaves off"
    )]
    OtherRun {
        /// The topic.
        topic: String,
    },
    /// Closing, or a request to stop, came before the brokers had taken all.
    #[error(
        "Kafka topic \"{topic}\" has not acknowledged {records} records in {batches} batches in time; they may or may not be in it: start again, a source goes on where the log leaves off"
    )]
    NotAcknowledged {
        /// The topic.
        topic: String,
        /// Batches.
        batches: u64,
        /// Their records.
        records: u64,
    },
    /// A broker has lost what it had acknowledged.
    #[error(
        "Kafka has lost records of partition {partition} of topic \"{topic}\" that it had acknowledged (an unclean leader election?); restore them, or produce again into a new topic"
    )]
    AcknowledgedLost {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
    },
    /// One record alone is too large.
    #[error(
        "Kafka topic \"{topic}\" takes no batch of {bytes} bytes, though it holds one record; raise the topic's max.message.bytes"
    )]
    MessageTooLarge {
        /// The topic.
        topic: String,
        /// The encoded batch.
        bytes: usize,
    },
    /// The batch is in the log; its offsets are not known.
    #[error("the batch is in the Kafka topic, but its broker does not say at which offsets")]
    PlaceUnknown,
    /// A topic that is there but cannot be used as asked.
    #[error("\"{place}\" cannot be used so: {what}; {next}")]
    Unfit {
        /// The topic's place.
        place: String,
        /// Why.
        what: String,
        /// What to do.
        next: &'static str,
    },
    /// A broker answered with an error code.
    #[error("Kafka answered {name} ({code}) to {doing} at \"{place}\"{detail}; {next}")]
    Kafka {
        /// `host:port`, or the topic's place.
        place: String,
        /// What was asked.
        doing: &'static str,
        /// Kafka's number.
        code: i16,
        /// Kafka's name.
        name: Box<str>,
        /// What the broker says beyond it, after ": ", or nothing.
        detail: Box<str>,
        /// What to do about it.
        next: &'static str,
        /// Asking again later may help.
        transient: bool,
    },
}

/// A directory log's name in errors.
pub(crate) fn log_at(root: &Path) -> String {
    format!("the vote log at \"{}\"", root.display())
}

impl LogError {
    /// Whether waiting and trying again may help, with nothing changed by a person.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Garbled { .. } => true,
            Self::Kafka { transient, .. } => *transient,
            Self::Poisoned { first } => first.is_transient(),
            _ => false,
        }
    }

    /// Gives a failure of the file system its place, and its kind where a person can act on it.
    pub(crate) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let (path, source) = (path.to_owned(), Arc::new(source));
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path, source },
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied if doing != "read" => {
                Self::NotWritable { path, source }
            }
            _ => Self::Io { path, doing, source },
        }
    }

    pub(crate) fn corrupt(file: &Path, position: u64, what: impl Into<String>) -> Self {
        Self::Corrupt { file: file.to_owned(), position, what: what.into() }
    }
}
