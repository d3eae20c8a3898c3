//! The vote log: partitioned segment files that hold Kafka record batches (v2), written durably and read without copies.
//!
//! **Invariant:** nothing is acknowledged before it is durable, and no reader is given a byte that a power cut could take back.
//! **Invariant:** whatever bytes a file holds, reading neither panics nor allocates more than the named bounds.
//!
//! What the values mean is left to `votestream-election`; who reads and writes, and when, to `votestream-engine`.
//! The files are described in `docs/formats.md`, "Vote log, format 1".

pub mod url;

pub mod kafka_url;

pub mod error;

pub mod batch;

pub mod disk;

mod layout;

mod mark;

mod segment;

mod crash;

pub mod watch;

mod assigned;

pub mod writer;

pub mod reader;

#[cfg(feature = "kafka")]
pub mod kafka;

pub use assigned::Assigned;
pub use batch::{BatchBuilder, Record, SealedBatch};
pub use disk::Disk;
pub use error::LogError;
#[cfg(feature = "kafka")]
pub use kafka::admin::{
    BrokerFacts, KafkaFacts, PartitionFacts, PartitionOffsets, TopicConfig, create_topic, describe,
};
#[cfg(feature = "kafka")]
pub use kafka::group::Group;
#[cfg(feature = "kafka")]
pub use kafka::java::java_options;
#[cfg(feature = "kafka")]
pub use kafka::publish::Publisher;
#[cfg(feature = "kafka")]
pub use kafka::raw::{OrdinaryProducer, consume_all};
#[cfg(feature = "kafka")]
pub use kafka::route::{RouteOptions, RouteProgress, RouteSummary, copy_of, create_copy, route};
pub use kafka_url::{KafkaOptions, KafkaUrl, ReaderKind, SaslMechanism};
pub use reader::{Batch, LogReader, PartitionReader, Records};
pub use url::{Codec, DirLogUrl, LogUrl, UrlError};
pub use watch::LogWatch;
pub use writer::{Ack, AppendHandle, LogWriter, RecoveryReport, TornTail, TryAppendError, WriterOptions};

/// Every named fail point of the crate, in the order in which a log's life passes them. With the feature `failpoints`,
/// `FAILPOINTS="name=3*off->return"` aborts the process the fourth time that the point is reached.
pub const FAIL_POINTS: &[&str] = &[
    "log-create-before-identity",
    "log-create-identity-written",
    "log-incarnation-written",
    "log-recover-before-cut",
    "log-recover-cut",
    "log-append-before-write",
    "log-append-half-written",
    "log-append-written",
    "log-before-fsync",
    "log-after-fsync-before-mark",
    "log-after-mark-before-ack",
    "log-after-ack",
    "log-roll-before",
    "log-roll-synced-old",
    "log-roll-created",
    "log-roll-synced-file",
    "log-roll-synced-dir",
];

/// The same for a Kafka topic that is written.
#[cfg(feature = "kafka")]
pub const KAFKA_FAIL_POINTS: &[&str] = &[
    "kafka-source-fenced",
    "kafka-source-read",
    "kafka-transaction-begun",
    "kafka-produce-before-send",
    "kafka-produce-sent",
    "kafka-produce-answered",
    "kafka-transaction-before-commit",
    "kafka-transaction-committed",
    "kafka-transaction-acknowledged",
];
