//! What an epoch came to: all that a store's transaction needs of it.

use crate::plan::{Range, VoterFile};
use std::time::Duration;
use votestream_election::delta::Counts;
use votestream_election::partitioner::PartitionerSet;
use votestream_election::{Minute, Offset, RegionIx, RejectReason};

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

/// One partition's part of an epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionAnswer {
    /// The range that it is about.
    pub range: Range,
    /// How its offsets were accounted for.
    pub counts: Counts,
    /// For each region with any change, the increments of its packed cells (layout: `CellLayout`), in region order.
    pub tally: Vec<(RegionIx, Vec<i64>)>,
    /// Minute by minute, ascending, what was added while it was the running maximum: counts, and votes region-major
    /// (`[region * candidates + candidate]`). What came before the first vote of all is in the first row; skipped offsets at the end of a
    /// minute that saw nothing else are in the next row, or in none.
    pub timeline: Vec<(Minute, Counts, Vec<i64>)>,
    /// Rejects in offset order.
    pub rejects: Vec<(Offset, RejectReason)>,
    /// The running maximum of minutes at the range's end.
    pub minute: Option<Minute>,
    /// The first valid vote of a voter who does not belong on this partition, where that is no reject: counting must stop and nothing of
    /// the epoch may be committed. Everything else in the answer is then empty, and no file was written.
    pub misrouted: Option<Offset>,
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
