//! What an epoch is to count: ranges of a topic, the voters that are known already, where new ones are written.

use std::time::Duration;
use votestream_election::delta::VoterFile;
use votestream_election::epoch::{Next, Range};
use votestream_election::ids::uuid_text;
use votestream_election::partitioner::PartitionerSet;
use votestream_election::{Election, Millis, Minute, PartitionId};

/// How long the server is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For a TCP connection, tried before each epoch: the client itself would try again silently for ten minutes.
    pub probe: Duration,
    /// For a session's first call, which a server that is there answers at once: one that is not there behind a proxy that is, would not be
    /// noticed otherwise.
    pub first: Duration,
    /// For each call; one that takes longer is cancelled and the session given up.
    pub call: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { probe: Duration::from_secs(5), first: Duration::from_mins(1), call: Duration::from_mins(10) }
    }
}

/// A topic as Spark's Kafka source reads it.
#[derive(Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Kafka's own options: `bootstrap.servers` at least, `security.protocol` and so on. What decides which records are read
    /// (isolation, offsets) is set here and not by them.
    pub options: Vec<(String, String)>,
}

impl std::fmt::Debug for Topic {
    /// Without the options' values: some are passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.options.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Topic").field("name", &self.name).field("options", &names).finish()
    }
}

/// Names what one attempt at an epoch writes; drawn at random by the caller, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempt(pub u128);

impl std::fmt::Display for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&uuid_text(self.0))
    }
}

/// One epoch. The same plan under another attempt gives the same answer: of what the session remembers nothing but the time it takes depends.
#[derive(Clone, Debug)]
pub struct EpochPlan<'a> {
    /// The election that is counted.
    pub election: &'a Election,
    /// The topic that is read.
    pub topic: &'a Topic,
    /// How many partitions the topic has, as the store has it.
    pub partitions: u32,
    /// What is read of it; at most one range a partition.
    pub ranges: &'a [Range],
    /// The files of voters that are committed: nobody in them is new.
    pub seen: &'a [VoterFile],
    /// The seen directory, a URL that Spark can write to: `file:///…`, `s3a://…`, `hdfs://…`.
    pub directory: &'a str,
    /// New files go below `<directory>/<election id>/<attempt>/`.
    pub attempt: Attempt,
    /// The partitioners that are still possible, as the store has them.
    pub partitioners: PartitionerSet,
    /// `--misrouted=reject`.
    pub misrouted_rejects: bool,
    /// The running maximum of the timeline's minutes at each range's `from`.
    pub minutes: Vec<(PartitionId, Option<Minute>)>,
    /// The worker's clock: moments more than five minutes ahead of it count at it on the timeline.
    pub now: Millis,
    /// What is read ahead for the epoch after this one.
    pub next: Option<Next<'a>>,
}
