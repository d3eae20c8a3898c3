//! Demographics are published as releases: which blocks may change so that no small cell shows. Keeping and serving them is others'.
//!
//! A block (region or whole election × candidate) changes as a whole or not at all. What an observer can work out from one answer, or from an
//! answer and the one before, must tell of nobody or of at least `min_cell` voters:
//!
//! - the change of each cell, and its complement against the candidate's live votes;
//! - for gender × age, the same of its sums by gender and by age;
//! - within a region, the difference between the blocks (gender × age summed up against gender, against age);
//! - the whole election less the regions' blocks (the rest, which is the votes of regions whose blocks are older or missing), and
//!   the change of that rest.
//!
//! Where not all blocks that could change may change together, the most are taken. What this does not audit: combinations of more than
//! two answers across several blocks.

mod rule;

use crate::cells::CellLayout;
use crate::election::Election;
use crate::ids::{CandidateIx, RegionIx};
use rule::{add, all_safe, by_band, by_gender, may_change, minus};
use std::collections::BTreeMap;

/// What a block's cells are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum BlockKind {
    /// One cell a gender.
    Gender = 1,
    /// One cell a band, the unknown last.
    Age = 2,
    /// Gender × band, gender-major, the unknown included: one candidate's part of a region's cells.
    AgeGender = 3,
}

impl BlockKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Gender, Self::Age, Self::AgeGender];

    /// The kind as kept in the store: `gender`, `age` or `age_gender`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gender => "gender",
            Self::Age => "age",
            Self::AgeGender => "age_gender",
        }
    }

    /// Reads what [`Self::name`] writes.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A released block; it stays published until a newer one of the same region, candidate and kind takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseBlock {
    /// Which region; `None`: the whole election.
    pub region: Option<RegionIx>,
    /// Which candidate's voters.
    pub candidate: CandidateIx,
    /// What the cells are.
    pub kind: BlockKind,
    /// Votes.
    pub cells: Vec<u64>,
}

/// The blocks to publish now: those that changed and may. `previous`: the newest release of each block. `live`: the cells of all
/// regions, region-major, each region's as [`CellLayout`] lays them out. `complete`: nothing more is expected, so that regions publish
/// gender × age too. Pure: the same arguments give the same plan. Cells below 0 (a damaged store) publish nothing of their block.
pub fn plan(
    previous: &[ReleaseBlock],
    live: &[i64],
    election: &Election,
    complete: bool,
) -> Vec<ReleaseBlock> {
    let layout = election.layout();
    if layout.genders * layout.bands == 1 || live.len() != layout.cells() * election.region_rows() {
        return Vec::new();
    }
    let published: BTreeMap<_, &[u64]> =
        previous.iter().map(|b| ((b.candidate, b.region, b.kind), b.cells.as_slice())).collect();
    let size = layout.genders * layout.bands;
    let mut blocks = Vec::new();
    for candidate in 0..election.candidates.len() {
        let cells = |region: usize| {
            let from = region * layout.cells() + candidate * size;
            &live[from..from + size]
        };
        let candidate = CandidateIx(candidate as u16);
        let old = |region: Option<RegionIx>, kind: BlockKind, size: usize| -> Vec<i64> {
            let cells = published.get(&(candidate, region, kind)).filter(|cells| cells.len() == size);
            cells.map_or_else(|| vec![0; size], |cells| cells.iter().map(|c| *c as i64).collect())
        };
        let regions: Vec<RegionMove> = (0..election.regions.len())
            .map(|region| {
                let old = |kind, size| old(Some(RegionIx(region as u16)), kind, size);
                RegionMove::new(layout, election.min_cell as i64, cells(region), old, complete)
            })
            .collect();
        let mut nation = vec![0; size];
        (0..election.region_rows()).for_each(|region| add(&mut nation, cells(region)));
        let before = old(None, BlockKind::AgeGender, size);
        let moves = Moves { layout, min_cell: election.min_cell as i64, before, after: nation, regions };
        moves.publish(candidate, &mut blocks);
    }
    blocks
}

/// One region's blocks of one candidate: as published, and as they may be published now.
struct RegionMove {
    before: [Vec<i64>; 3],
    after: [Vec<i64>; 3],
}

impl RegionMove {
    /// Takes the most blocks that may change together within the region.
    fn new(
        layout: CellLayout,
        min_cell: i64,
        cells: &[i64],
        old: impl Fn(BlockKind, usize) -> Vec<i64>,
        complete: bool,
    ) -> Self {
        let now = [by_gender(layout, cells), by_band(layout, cells), cells.to_vec()];
        let before = [
            old(BlockKind::Gender, layout.genders),
            old(BlockKind::Age, layout.bands),
            old(BlockKind::AgeGender, cells.len()),
        ];
        // A block of one cell is the candidate's votes; with one gender or one band, gender × age is age, or gender.
        let both = layout.genders > 1 && layout.bands > 1;
        let wanted = [layout.genders > 1, layout.bands > 1, both && complete];
        let sums = |cells: &[Vec<i64>; 3]| [by_gender(layout, &cells[2]), by_band(layout, &cells[2])];
        let may = |after: &[Vec<i64>; 3]| {
            let (old, new) = (sums(&before), sums(after));
            let shown = after[2].iter().any(|c| *c != 0);
            (0..3).all(|kind| may_change(&before[kind], &after[kind], min_cell))
                && (0..2).all(|kind| may_change(&old[kind], &new[kind], min_cell))
                && (0..2).all(|kind| {
                    !shown || !wanted[kind] || all_safe(&minus(&new[kind], &after[kind]), min_cell)
                })
        };
        let subset = |bits: usize| -> [Vec<i64>; 3] {
            std::array::from_fn(|kind| {
                let take = bits >> kind & 1 == 1 && wanted[kind] && cells.iter().all(|c| *c >= 0);
                if take { now[kind].clone() } else { before[kind].clone() }
            })
        };
        // All three, then two, then one; the last subset is none.
        let after = [7, 3, 5, 6, 1, 2, 4].into_iter().map(subset).find(may).unwrap_or_else(|| before.clone());
        Self { before, after }
    }

    fn moves(&self) -> bool {
        self.before != self.after
    }

    fn kind(&self, kind: BlockKind, moved: bool) -> &[i64] {
        let cells = if moved { &self.after } else { &self.before };
        &cells[kind as usize - 1]
    }
}

/// One candidate's blocks: what may change each on its own, and which of that may change together.
struct Moves {
    layout: CellLayout,
    min_cell: i64,
    before: Vec<i64>,
    after: Vec<i64>,
    regions: Vec<RegionMove>,
}

/// The rest by gender, by band, and by both: the whole election less the regions.
#[derive(Clone)]
struct Rest([Vec<i64>; 3]);

impl Moves {
    fn publish(&self, candidate: CandidateIx, blocks: &mut Vec<ReleaseBlock>) {
        let chosen = self.choose();
        let block = |region, kind, cells: &[i64]| {
            let cells = cells.iter().map(|c| *c as u64).collect();
            ReleaseBlock { region, candidate, kind, cells }
        };
        if chosen.nation && self.before != self.after {
            blocks.push(block(None, BlockKind::AgeGender, &self.after));
        }
        for (region, (moved, part)) in (0..).zip(chosen.regions.iter().zip(&self.regions)) {
            for kind in BlockKind::ALL {
                if *moved && part.kind(kind, true) != part.kind(kind, false) {
                    blocks.push(block(Some(RegionIx(region)), kind, part.kind(kind, true)));
                }
            }
        }
    }

    /// The largest choice found: all; else all but one region; else one by one, the whole election first where it is behind the regions.
    fn choose(&self) -> Choice {
        let nation = self.nation_may();
        let none = Choice { nation: false, regions: vec![false; self.regions.len()] };
        let all = Choice { nation, regions: self.regions.iter().map(RegionMove::moves).collect() };
        let before = self.rest(&none);
        let rest = self.rest(&all);
        if self.is_safe(&before, &rest, &all) {
            return all;
        }
        for region in (0..self.regions.len()).filter(|region| all.regions[*region]) {
            let mut fewer = all.clone();
            fewer.regions[region] = false;
            if self.is_safe(&before, &self.moved(&rest, region, -1), &fewer) {
                return fewer;
            }
        }
        self.one_by_one(&before, &none, &all)
    }

    fn one_by_one(&self, before: &Rest, none: &Choice, all: &Choice) -> Choice {
        let behind = before.0[0].iter().sum::<i64>() < 0;
        let mut chosen = none.clone();
        let mut rest = before.clone();
        let try_nation = |chosen: &mut Choice, rest: &mut Rest| {
            let mut more = chosen.clone();
            more.nation = all.nation;
            let moved = self.rest(&more);
            if more.nation && self.is_safe(before, &moved, &more) {
                (*chosen, *rest) = (more, moved);
            }
        };
        if behind {
            try_nation(&mut chosen, &mut rest);
        }
        for region in (0..self.regions.len()).filter(|region| all.regions[*region]) {
            let moved = self.moved(&rest, region, 1);
            chosen.regions[region] = true;
            if self.is_safe(before, &moved, &chosen) {
                rest = moved;
            } else {
                chosen.regions[region] = false;
            }
        }
        if !behind {
            try_nation(&mut chosen, &mut rest);
        }
        chosen
    }

    /// Whether the block of the whole election may change on its own.
    fn nation_may(&self) -> bool {
        let sums = |cells: &[i64]| [by_gender(self.layout, cells), by_band(self.layout, cells)];
        let (old, new) = (sums(&self.before), sums(&self.after));
        self.after.iter().all(|c| *c >= 0)
            && may_change(&self.before, &self.after, self.min_cell)
            && (0..2).all(|kind| may_change(&old[kind], &new[kind], self.min_cell))
    }

    /// The rest under a choice.
    fn rest(&self, choice: &Choice) -> Rest {
        let nation = if choice.nation { &self.after } else { &self.before };
        let mut rest = [by_gender(self.layout, nation), by_band(self.layout, nation), nation.clone()];
        for (region, moved) in self.regions.iter().zip(&choice.regions) {
            for (kind, rest) in BlockKind::ALL.into_iter().zip(&mut rest) {
                rest.iter_mut().zip(region.kind(kind, *moved)).for_each(|(rest, cell)| *rest -= cell);
            }
        }
        Rest(rest)
    }

    /// The rest after one region more (`by` 1) or less (`by` −1) moves.
    fn moved(&self, rest: &Rest, region: usize, by: i64) -> Rest {
        let mut rest = rest.clone();
        let part = &self.regions[region];
        for (kind, rest) in BlockKind::ALL.into_iter().zip(&mut rest.0) {
            let change = minus(part.kind(kind, true), part.kind(kind, false));
            rest.iter_mut().zip(change).for_each(|(rest, change)| *rest -= by * change);
        }
        rest
    }

    /// Whether the rest, and its change, tell of nobody or of enough voters.
    fn is_safe(&self, before: &Rest, after: &Rest, choice: &Choice) -> bool {
        if self.regions.is_empty() || (!choice.nation && self.before.iter().all(|c| *c == 0)) {
            // Without regions, or with nothing published of the whole election, there is no rest to be known.
            return true;
        }
        let dims = [self.layout.genders > 1, self.layout.bands > 1, true];
        (0..3).filter(|kind| dims[*kind] && self.any_region(*kind, choice)).all(|kind| {
            let (before, after) = (&before.0[kind], &after.0[kind]);
            all_safe(after, self.min_cell) && all_safe(&minus(after, before), self.min_cell)
        })
    }

    /// Whether any region publishes a block of that kind (counted from 0).
    fn any_region(&self, kind: usize, choice: &Choice) -> bool {
        let kind = BlockKind::ALL[kind];
        self.regions
            .iter()
            .zip(&choice.regions)
            .any(|(region, moved)| region.kind(kind, *moved).iter().any(|c| *c != 0))
    }
}

/// What changes together.
#[derive(Clone)]
struct Choice {
    nation: bool,
    regions: Vec<bool>,
}

#[cfg(test)]
mod tests;
