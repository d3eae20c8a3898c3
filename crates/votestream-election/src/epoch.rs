//! One epoch of counting, as whoever plans it and whoever counts it tell each other: ranges of partitions, what they came to, and voters who
//! are handed over between engines.

use crate::delta::Counts;
use crate::{Minute, Offset, PartitionId, RegionIx, RejectReason, VoterKey};
use std::fmt;
use std::time::Instant;

/// Offsets of a partition that are to be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Which partition.
    pub partition: PartitionId,
    /// The first.
    pub from: Offset,
    /// The end, exclusive; at most the last stable offset.
    pub to: Offset,
}

impl Range {
    /// How many offsets it has.
    pub fn len(&self) -> u64 {
        self.to.0.saturating_sub(self.from.0)
    }

    /// It has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The epoch after the one that is being counted, so that it may be read while that one is summed up and written.
#[derive(Clone, Copy)]
pub struct Next<'a> {
    /// It is not begun before then.
    pub at: Instant,
    /// What it will count, asked once at most; `None`: nothing that can be told yet. What is told is what the next plan asks for, unless this
    /// epoch fails.
    pub ranges: &'a (dyn Fn() -> Option<Vec<Range>> + Sync),
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("at", &self.at).finish_non_exhaustive()
    }
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

/// A voter as files outside the store hold one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeenVoter {
    /// Who.
    pub voter: VoterKey,
    /// Where the voter's records lie.
    pub partition: PartitionId,
    /// Under `last`: the cell, `region × cells + cell`, and an offset at or after the record that chose it, before any later choice's.
    pub choice: Option<(u32, Offset)>,
}
