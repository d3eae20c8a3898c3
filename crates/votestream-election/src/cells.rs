//! The shape of a tally: how candidate × gender × band is laid out in one region's row of cells. No votes are kept here.

use crate::ids::{BandIx, CandidateIx, GenderIx};

/// Sizes of one region's dense array of cells: candidate-major, then gender, then band.
/// Genders include `unknown` as the last; bands have one more place than the election names, the last, for `unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellLayout {
    /// Candidates of the contest.
    pub candidates: usize,
    /// Genders, `unknown` included.
    pub genders: usize,
    /// Bands, `unknown` included.
    pub bands: usize,
}

impl CellLayout {
    /// Cells of one region.
    pub fn cells(self) -> usize {
        self.candidates * self.genders * self.bands
    }

    /// Where a vote's cell lies in its region's row.
    pub fn index(self, candidate: CandidateIx, gender: GenderIx, band: BandIx) -> usize {
        (usize::from(candidate.0) * self.genders + usize::from(gender.0)) * self.bands + usize::from(band.0)
    }

    /// Which candidate a cell belongs to.
    pub fn candidate_of(self, cell: usize) -> usize {
        cell / (self.genders * self.bands)
    }

    /// Sums a region's cells by candidate.
    pub fn by_candidate(self, cells: &[i64]) -> Vec<i64> {
        cells.chunks(self.genders * self.bands).map(|c| c.iter().sum()).collect()
    }
}
