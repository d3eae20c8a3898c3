//! Who votes how in a simulated election: certified votes by region and candidate, and the shape of the electorate by gender and age.
//! Drawing single voters from it is `votestream-sim`'s business.

pub(crate) mod figures;

use crate::definition::{US_PRESIDENT_2024, largest_remainder};
use crate::election::Election;

/// The target of a simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Electorate {
    /// How many candidates there are: the length of a region's part of `votes`.
    pub candidates: usize,
    /// Votes, region-major: `votes[region * candidates + candidate]`.
    pub votes: Vec<u64>,
    /// Relative weights of gender × band among a candidate's voters, laid out as one region's cells are
    /// ([`crate::cells::CellLayout::index`], the unknown places included, with weight 0). Integers: exact everywhere. A candidate's weights
    /// are never all 0.
    pub shape: Vec<u64>,
}

impl Electorate {
    /// Votes in all.
    pub fn total(&self) -> u64 {
        self.votes.iter().sum()
    }

    /// One candidate's weights, gender-major: `genders × (bands + 1)` of them.
    pub fn shape_of(&self, candidate: usize) -> &[u64] {
        let size = self.shape.len() / self.candidates;
        &self.shape[candidate * size..(candidate + 1) * size]
    }
}

/// The certified figures behind a preset, scaled by largest remainder over region × candidate where the election expects another number
/// of votes than were cast; `None` where no figures are known for this election.
pub fn certified(election: &Election) -> Option<Electorate> {
    if election.id != US_PRESIDENT_2024 {
        return None;
    }
    let states = figures::states();
    let same = election.regions.len() == states.len()
        && election.regions.iter().zip(&states).all(|(region, state)| region.code == state.code)
        && election.candidates.iter().map(|c| c.id.as_str()).eq(figures::CANDIDATES);
    if !same {
        return None;
    }
    let cast: Vec<u64> = states.iter().flat_map(|state| state.votes).collect();
    let votes = match election.expected {
        Some(expected) if expected != cast.iter().sum::<u64>() => largest_remainder(&cast, expected),
        _ => cast,
    };
    Some(Electorate { candidates: election.candidates.len(), votes, shape: shape(election) })
}

/// Without figures: `total` votes split over the regions by what they expect (or evenly) and among the candidates 5 : 4 : 3 : 2 : 1 and
/// so on down to 1, every known gender and band alike. For trying out an election of one's own.
pub fn made_up(election: &Election, total: u64) -> Electorate {
    let candidates = election.candidates.len();
    let by_candidate: Vec<u64> =
        (0..candidates).map(|i| (candidates.min(4) + 1).saturating_sub(i).max(1) as u64).collect();
    let known: Vec<u64> = election.regions.iter().map(|r| r.expected.unwrap_or(0)).collect();
    let regions = if known.iter().any(|votes| *votes > 0) { known } else { vec![1; election.region_rows()] };
    let weights: Vec<u64> = regions.iter().flat_map(|r| by_candidate.iter().map(move |c| r * c)).collect();
    let layout = election.layout();
    let alike = (0..layout.cells()).map(|cell| u64::from(is_known(election, cell))).collect();
    Electorate { candidates, votes: largest_remainder(&weights, total), shape: alike }
}

/// Whether a cell lies at a known gender and band, as far as the election has any.
fn is_known(election: &Election, cell: usize) -> bool {
    let layout = election.layout();
    let (gender, band) = (cell / layout.bands % layout.genders, cell % layout.bands);
    (layout.genders == 1 || gender + 1 < layout.genders) && (layout.bands == 1 || band + 1 < layout.bands)
}

/// P(gender, band | candidate) ∝ share(gender) · support(candidate | gender) · share(band) · support(candidate | band): gender and age
/// are taken as independent given the choice, which the exit poll's tables do not contradict and do not show.
fn shape(election: &Election) -> Vec<u64> {
    let layout = election.layout();
    let groups = figures::groups();
    let find = |group: &str, label: &str| groups.iter().find(|g| g.by == group && g.value == label);
    let mut shape = vec![0; layout.cells()];
    for (cell, weight) in shape.iter_mut().enumerate() {
        let gender = election.genders.get(cell / layout.bands % layout.genders);
        let band = election.bands.get(cell % layout.bands);
        let gender = gender.and_then(|label| find("gender", label));
        let band = band.and_then(|band| find("age", &band.label));
        if let (Some(gender), Some(band)) = (gender, band) {
            let support = |g: &figures::Group| g.support[layout.candidate_of(cell).min(2)];
            *weight = gender.share * support(gender) * band.share * support(band);
        }
    }
    for candidate in shape.chunks_mut(layout.genders * layout.bands) {
        // A definition that names other bands or genders than the poll: all voters unknown, rather than none.
        if candidate.iter().all(|w| *w == 0)
            && let Some(last) = candidate.last_mut()
        {
            *last = 1;
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preset() -> Election {
        Election::preset(US_PRESIDENT_2024).unwrap()
    }

    #[test]
    fn certified_figures_add_up() {
        let electorate = certified(&preset()).unwrap();
        assert_eq!(electorate.total(), 155_212_715);
        assert_eq!(electorate.votes.len(), 51 * 4);
        let seats: Vec<u32> = (0..2)
            .map(|candidate| {
                let regions = preset().regions.into_iter().zip(electorate.votes.chunks(4));
                regions.filter(|(_, v)| v[candidate] == *v.iter().max().unwrap()).map(|(r, _)| r.seats).sum()
            })
            .collect();
        assert_eq!(seats, [312, 226]);
    }

    #[test]
    fn one_in_ten_comes_out_exactly() {
        let scaled = preset().scaled(15_521_272);
        let electorate = certified(&scaled).unwrap();
        assert_eq!(electorate.total(), 15_521_272);
        assert_eq!(scaled.expected, Some(15_521_272));
        assert_eq!(scaled.regions.iter().map(|r| r.expected.unwrap()).sum::<u64>(), 15_521_272);
        let whole = certified(&preset()).unwrap();
        assert!(electorate.votes.iter().zip(&whole.votes).all(|(part, all)| part.abs_diff(all / 10) <= 1));
        assert!(
            scaled
                .note
                .unwrap()
                .starts_with("One ballot in ten of each state and candidate, by largest remainder. ")
        );
    }

    #[test]
    fn the_shape_gives_back_the_exit_polls_margins() {
        let election = preset();
        let electorate = certified(&election).unwrap();
        // Harris voters: 0.53 · 0.53 women against 0.47 · 0.43 men.
        let harris = electorate.shape_of(1);
        let by_gender: Vec<u64> = harris.chunks(5).map(|bands| bands.iter().sum()).collect();
        let women = by_gender[1] as f64 / harris.iter().sum::<u64>() as f64;
        assert!((women - 0.2809 / (0.2809 + 0.2021)).abs() < 1e-12, "{women}");
        assert_eq!(by_gender[2..], [0, 0], "nobody of the poll is of another or unknown gender");
        assert!((0..4).all(|c| electorate.shape_of(c).iter().any(|w| *w > 0)));
    }

    #[test]
    fn an_election_of_ones_own_has_no_figures_but_can_be_made_up() {
        let poll = Election::preset("poll").unwrap();
        assert_eq!(certified(&poll), None);
        let electorate = made_up(&poll, 1_000);
        assert_eq!(electorate.total(), 1_000);
        assert_eq!(electorate.votes, [445, 333, 222]);
        assert_eq!(electorate.shape, [1, 1, 1]);
    }
}
