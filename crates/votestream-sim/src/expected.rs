//! The right answer: what counting every record of a simulation must come to, known without counting them.

use crate::faults::Fault;
use crate::simulation::{Parts, Simulation};
use votestream_election::delta::{Counts, Progress, Snapshot};
use votestream_election::election::DuplicatePolicy;
use votestream_election::{Election, Offset, PartitionId, RejectReason};

/// What a simulation must come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Votes that count, region-major: `totals[region * candidates + candidate]`; one region where the election has none.
    pub totals: Vec<u64>,
    /// How the records are accounted for; none is skipped.
    pub counts: Counts,
    /// Rejects by reason, in the order of judging; only reasons that occur.
    pub rejects: Vec<(RejectReason, u64)>,
}

impl Simulation {
    /// The right answer under the election's own rule for a voter's second record.
    pub fn expected(&self) -> Expected {
        self.expected_under(self.parts.election.duplicate)
    }

    /// The right answer under either rule. Under `last` it takes time and memory in proportion to the changed records.
    pub fn expected_under(&self, policy: DuplicatePolicy) -> Expected {
        let parts = &*self.parts;
        let mut totals = parts.cells.clone();
        if policy == DuplicatePolicy::Last {
            for (from, to) in moves(parts) {
                totals[from] -= 1;
                totals[to] += 1;
            }
        }
        let plan = &parts.plan;
        let rejects = rejects(parts);
        let counts = Counts {
            counted: plan.votes,
            duplicate: plan.duplicates + plan.changed,
            rejected: rejects.iter().map(|(_, count)| count).sum(),
            skipped: 0,
        };
        Expected { totals, counts, rejects }
    }

    /// The election as this simulation decides it: expected votes, by region too, are exact, and each number comes about. Equal to
    /// `Election::scaled` unless changed records move voters to other regions; always marked as simulated.
    pub fn election(&self) -> Election {
        let mut election = self.parts.election.scaled(self.votes());
        let candidates = election.candidates.len();
        election.simulated = true;
        for (region, row) in election.regions.iter_mut().zip(self.expected().totals.chunks(candidates)) {
            region.expected = Some(row.iter().sum());
        }
        election
    }
}

impl Expected {
    /// The answer as the snapshot of a store that has counted all, for writing it as results are written. It has no ledger: that
    /// depends on partitions.
    pub fn snapshot(&self) -> Snapshot {
        let end = Offset(self.counts.records());
        let progress = Progress {
            next_offset: end,
            counted: self.counts.counted,
            duplicate: self.counts.duplicate,
            rejected: self.counts.rejected,
            log_end: end,
            ..Progress::begin(PartitionId(0), 0, Offset(0))
        };
        Snapshot {
            store_uuid: 0,
            sequence: 0,
            as_of: None,
            progress: vec![progress],
            totals: self.totals.clone(),
            ledger: Vec::new(),
            rejects: self.rejects.clone(),
            desk: Vec::new(),
            at: None,
        }
    }
}

fn rejects(parts: &Parts) -> Vec<(RejectReason, u64)> {
    let mut by_reason = [0_u64; RejectReason::ALL.len() + 1];
    for ordinal in 0..parts.plan.invalid {
        by_reason[parts.invalid.reason(ordinal) as usize] += 1;
    }
    by_reason[RejectReason::Malformed as usize] += parts.plan.torn;
    let counts = RejectReason::ALL.into_iter().map(|reason| (reason, by_reason[reason as usize]));
    counts.filter(|(_, count)| *count > 0).collect()
}

/// Of each voter whose last record has another cell than the first: from which cell to which.
fn moves(parts: &Parts) -> Vec<(usize, usize)> {
    // Of each vote that was changed, the last change.
    let changes = parts.plan.repeats(true).filter_map(|(number, fault)| match fault {
        Fault::Changed { vote, random } => Some((vote, number, random)),
        _ => None,
    });
    let mut last: Vec<(u64, u64, u64)> = changes.collect();
    last.sort_unstable_by_key(|(vote, number, _)| (*vote, std::cmp::Reverse(*number)));
    last.dedup_by_key(|(vote, ..)| *vote);
    // A duplicate after it takes it back.
    let mut stands = vec![true; last.len()];
    if !last.is_empty() {
        for (number, fault) in parts.plan.repeats(false) {
            if let Fault::Duplicate { vote } = fault
                && let Ok(place) = last.binary_search_by_key(&vote, |(vote, ..)| *vote)
            {
                stands[place] &= last[place].1 > number;
            }
        }
    }
    let standing = last.iter().zip(stands).filter(|(_, stands)| *stands);
    let cells = standing.map(|((vote, _, random), _)| {
        let first = parts.ballot(*vote);
        (first.cell, parts.changed(first, *random).cell)
    });
    cells.collect()
}
