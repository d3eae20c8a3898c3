//! From what Spark summed up to a partition's answer: counts, tally, timeline. Pure.

use crate::answer::PartitionAnswer;
use crate::plan::Range;
use crate::summary::Step;
use votestream_election::cells::CellLayout;
use votestream_election::delta::Counts;
use votestream_election::{Minute, Offset, RegionIx, RejectReason};

/// What is known of one partition's range.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts {
    /// Its steps.
    pub(crate) steps: Vec<Step>,
    /// Valid votes of each step.
    pub(crate) valid: Vec<u64>,
    /// Votes of each step that count.
    pub(crate) counted: Vec<u64>,
    /// Increments of each step, `[region * candidates + candidate]`.
    pub(crate) votes: Vec<Vec<i64>>,
    /// Increments of the range, region-major cells.
    pub(crate) cells: Vec<i64>,
    /// Rejects in offset order.
    pub(crate) rejects: Vec<(Offset, RejectReason)>,
}

impl Parts {
    /// Nothing yet, in these shapes.
    pub(crate) fn new(steps: Vec<Step>, layout: CellLayout, regions: usize) -> Self {
        let n = steps.len();
        Self {
            steps,
            valid: vec![0; n],
            counted: vec![0; n],
            votes: vec![vec![0; regions * layout.candidates]; n],
            cells: vec![0; regions * layout.cells()],
            rejects: Vec::new(),
        }
    }

    /// The answer. `None`: the parts do not add up.
    pub(crate) fn answer(self, range: Range, layout: CellLayout) -> Option<PartitionAnswer> {
        let (mut counts, mut pending, mut timeline) = (Counts::default(), Counts::default(), Vec::new());
        let mut changed = false;
        let mut rejects = self.rejects.iter().map(|(offset, _)| *offset).peekable();
        let stretches = self.steps.iter().zip(&self.valid).zip(&self.counted).zip(self.votes);
        for (((step, valid), counted), votes) in stretches {
            let mut rejected = 0;
            while rejects.next_if(|offset| *offset < step.to).is_some() {
                rejected += 1;
            }
            let offsets = step.to.0.checked_sub(step.from.0)?;
            let part = Counts {
                counted: *counted,
                duplicate: valid.checked_sub(*counted)?,
                rejected,
                skipped: offsets.checked_sub(valid + rejected)?,
            };
            counts.add(&part);
            pending.add(&part);
            changed |= part.records() > 0;
            if let Some(minute) = step.minute
                && changed
            {
                timeline.push((minute, std::mem::take(&mut pending), votes));
                changed = false;
            }
        }
        let tally = self
            .cells
            .chunks(layout.cells())
            .enumerate()
            .filter(|(_, cells)| cells.iter().any(|n| *n != 0))
            .map(|(region, cells)| (RegionIx(region as u16), cells.to_vec()))
            .collect();
        let minute = self.steps.last().and_then(|step| step.minute);
        Some(PartitionAnswer {
            range,
            counts,
            tally,
            timeline,
            rejects: self.rejects,
            minute,
            misrouted: None,
        })
    }
}

/// An answer that says where an epoch must stop.
pub(crate) fn stopped(range: Range, minute: Option<Minute>, misrouted: Option<Offset>) -> PartitionAnswer {
    PartitionAnswer {
        range,
        counts: Counts::default(),
        tally: Vec::new(),
        timeline: Vec::new(),
        rejects: Vec::new(),
        minute,
        misrouted,
    }
}
