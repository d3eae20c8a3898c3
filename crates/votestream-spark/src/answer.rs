//! What an epoch came to: all that a store's transaction needs of it.

use std::time::Duration;
use votestream_election::delta::VoterFile;
use votestream_election::epoch::PartitionAnswer;
use votestream_election::partitioner::PartitionerSet;

/// One epoch's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochAnswer {
    /// One for each range of the plan, in its order.
    pub partitions: Vec<PartitionAnswer>,
    /// Files of voters written by this attempt, in the order of their paths; Σ voters = Σ counted.
    pub files: Vec<VoterFile>,
    /// The plan's partitioners, narrowed by every valid vote of the epoch.
    pub partitioners: PartitionerSet,
    /// How long its parts took.
    pub timing: Timing,
}

/// How long the parts of an epoch took, and how much of it was judged here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// Reading and judging in Spark.
    pub judge: Duration,
    /// Judging what SQL left undecided, and sending it back.
    pub undecided: Duration,
    /// Writing new voters.
    pub voters: Duration,
    /// One vote per voter, the known left out; tally and timeline.
    pub tally: Duration,
    /// Records that SQL left undecided.
    pub undecided_records: u64,
}

/// One thing that was looked at for `doctor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: `remote`, `version`, `connector`, `seen directory`.
    pub what: &'static str,
    /// It is as it should be.
    pub fine: bool,
    /// What was found, and what to do where it is not fine.
    pub says: String,
}
