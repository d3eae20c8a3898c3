//! From what Spark summed up to a partition's answer: counts, tally, timeline. Pure.

use crate::summary::Step;
use votestream_election::cells::CellLayout;
use votestream_election::delta::Counts;
use votestream_election::epoch::{PartitionAnswer, Range};
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

#[cfg(test)]
mod tests {
    use super::*;
    use votestream_election::PartitionId;

    const LAYOUT: CellLayout = CellLayout { candidates: 2, genders: 1, bands: 2 };

    fn parts(steps: &[(u64, u64, Option<i64>)]) -> Parts {
        let step = |(from, to, minute): &(u64, u64, Option<i64>)| Step {
            from: Offset(*from),
            to: Offset(*to),
            minute: minute.map(Minute),
        };
        Parts::new(steps.iter().map(step).collect(), LAYOUT, 2)
    }

    fn range(from: u64, to: u64) -> Range {
        Range { partition: PartitionId(0), from: Offset(from), to: Offset(to) }
    }

    #[test]
    fn rejects_and_gaps_fall_into_their_minutes() {
        // Two rejects and a gap before the first vote of all; a minute with votes; one with a duplicate and a reject.
        let mut parts = parts(&[(0, 4, None), (4, 10, Some(7)), (10, 20, Some(9))]);
        (parts.valid, parts.counted) = (vec![0, 6, 2], vec![0, 5, 1]);
        parts.votes = vec![vec![0; 4], vec![5, 0, 0, 0], vec![0, 0, 1, 0]];
        parts.cells = vec![5, 0, 0, 0, 1, 0, 0, 0];
        parts.rejects = [0, 3, 19].map(|at| (Offset(at), RejectReason::Malformed)).to_vec();
        let answer = parts.answer(range(0, 20), LAYOUT).unwrap();
        let counts = |counted, duplicate, rejected, skipped| Counts { counted, duplicate, rejected, skipped };
        assert_eq!(answer.counts, counts(6, 2, 3, 9));
        assert_eq!(answer.minute, Some(Minute(9)));
        assert_eq!(answer.tally, [(RegionIx(0), vec![5, 0, 0, 0]), (RegionIx(1), vec![1, 0, 0, 0])]);
        assert_eq!(
            answer.timeline,
            [
                (Minute(7), counts(5, 1, 2, 2), vec![5, 0, 0, 0]),
                (Minute(9), counts(1, 1, 1, 7), vec![0, 0, 1, 0])
            ]
        );
    }

    #[test]
    fn a_range_of_gaps_has_no_row() {
        let answer = parts(&[(0, 4, Some(7))]).answer(range(0, 4), LAYOUT).unwrap();
        assert_eq!((answer.counts.skipped, answer.timeline.len(), answer.minute), (4, 0, Some(Minute(7))));
    }

    #[test]
    fn parts_that_cannot_be_have_no_answer() {
        let mut too_many = parts(&[(0, 4, Some(7))]);
        too_many.valid = vec![5];
        assert_eq!(too_many.answer(range(0, 4), LAYOUT), None);
        let mut more_counted = parts(&[(0, 4, Some(7))]);
        (more_counted.valid, more_counted.counted) = (vec![1], vec![2]);
        assert_eq!(more_counted.answer(range(0, 4), LAYOUT), None);
    }
}
