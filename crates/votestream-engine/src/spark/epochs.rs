//! One epoch of counting, as the loop sees it: what is to be counted, what it came to. Who counts it, and where, is behind [`Epochs`].

use std::error::Error;
use std::fmt;
use votestream_election::delta::VoterFile;
use votestream_election::epoch::{Next, PartitionAnswer, Range, SeenVoter};
use votestream_election::partitioner::PartitionerSet;
use votestream_election::{Election, Millis, Minute, PartitionId};

/// Counts epochs. Whatever is remembered of them: the same plan gives the same answer, whoever asks.
pub trait Epochs {
    /// Makes sure that whoever counts can be reached. Nothing that was read ahead before holds.
    fn open(&mut self) -> Result<(), EpochError>;

    /// Counts one epoch and writes its new voters to files below its attempt. Nothing of it holds until the store names the files.
    fn run(&mut self, plan: &Plan<'_>) -> Result<Answer, EpochError>;

    /// Merges files of voters into fewer, which hold the same voters, below an attempt of its own.
    fn compact(
        &mut self,
        election: &Election,
        attempt: u128,
        files: &[VoterFile],
    ) -> Result<Vec<VoterFile>, EpochError>;

    /// Writes voters whom the native engine has seen to files below an attempt of its own. Under `last` each has its choice.
    fn put(
        &mut self,
        election: &Election,
        attempt: u128,
        voters: &[SeenVoter],
    ) -> Result<Vec<VoterFile>, EpochError>;

    /// Reads the voters of these files back, everyone once, in any order, in pieces that fit memory. Under `last` each has the latest choice.
    fn voters(
        &mut self,
        election: &Election,
        files: &[VoterFile],
        each: &mut dyn FnMut(&[SeenVoter]),
    ) -> Result<(), EpochError>;

    /// Removes what these attempts left.
    fn remove(&mut self, election: &Election, attempts: &[u128]) -> Result<(), EpochError>;
}

/// Why an epoch was not counted.
#[derive(Debug)]
pub struct EpochError {
    /// Waiting may cure it: the same plan may be tried under another attempt.
    pub may_pass: bool,
    /// A smaller epoch may be counted.
    pub too_large: bool,
    /// What went wrong, and what to do.
    pub source: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for EpochError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.may_pass { "Apache Spark cannot count now" } else { "Apache Spark cannot count" })
    }
}

impl Error for EpochError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_ref())
    }
}

/// What an epoch is to count.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// The election.
    pub election: &'a Election,
    /// Partitions of the log.
    pub partitions: u32,
    /// What is read; at most one range a partition, none empty.
    pub ranges: &'a [Range],
    /// Files of voters: nobody in them is new.
    pub seen: &'a [VoterFile],
    /// Below what new files are written.
    pub attempt: u128,
    /// The partitioners that are still possible.
    pub partitioners: PartitionerSet,
    /// A valid vote of a voter who does not belong on its partition is a reject, not the end.
    pub misrouted_rejects: bool,
    /// The timeline's running maximum at the start of each range, in their order.
    pub minutes: Vec<(PartitionId, Option<Minute>)>,
    /// The worker's clock.
    pub now: Millis,
    /// What may be read ahead for the epoch after this one, live.
    pub next: Option<Next<'a>>,
}

/// What an epoch came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// One for each range, in their order.
    pub partitions: Vec<PartitionAnswer>,
    /// The files of its new voters.
    pub files: Vec<VoterFile>,
    /// The partitioners that are left.
    pub partitioners: PartitionerSet,
}
