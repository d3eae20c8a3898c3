//! What the votes of a simulation add up to: the certified figures, or figures drawn from the seed, scaled by largest remainder.
//! The figures themselves are `votestream-election`'s.

use crate::options::{SimError, VOTES_MAX, Votes};
use crate::seed::Seed;
use votestream_election::Election;
use votestream_election::electorate::{Electorate, certified};

/// Votes where neither figures nor expectations say how many.
const VOTES_DEFAULT: u64 = 1_000_000;

/// An electorate to draw from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    /// Votes, region-major: `cells[region * candidates + candidate]`; one region where the election has none.
    pub(crate) cells: Vec<u64>,
    pub(crate) shape: Shape,
}

/// How a candidate's voters spread over genders and bands: `weights[(candidate * genders + gender) * bands + band]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shape {
    /// Genders of the election, `unknown` included.
    pub(crate) genders: usize,
    /// Bands of the election and one for `unknown`, as in `CellLayout`.
    pub(crate) bands: usize,
    pub(crate) weights: Vec<f64>,
}

impl Target {
    /// The election's electorate, scaled to as many votes as asked for. The regions' votes are those of `Election::scaled`.
    pub(crate) fn new(election: &Election, votes: Votes, seed: Seed) -> Result<Self, SimError> {
        let figures = figures(election);
        let whole = figures.as_ref().map(Electorate::total);
        let asked = match votes {
            Votes::Count(count) => count,
            Votes::All => election.expected.or(whole).or(known(election)).unwrap_or(VOTES_DEFAULT),
        };
        if asked == 0 || asked > VOTES_MAX {
            return Err(SimError::VotesOutOfRange { asked });
        }
        if let Some(available) = whole.filter(|available| asked > *available) {
            return Err(SimError::NotEnoughVoters { asked, available });
        }
        let cells = match &figures {
            Some(electorate) => scale(&electorate.votes, asked),
            None => made_up(election, asked, seed.child(1)),
        };
        let shape = figures.and_then(|electorate| Shape::certified(election, &electorate));
        Ok(Self { cells, shape: shape.unwrap_or_else(|| Shape::plausible(election, seed.child(2))) })
    }
}

/// The certified figures, unscaled.
fn figures(election: &Election) -> Option<Electorate> {
    let mut whole = election.clone();
    whole.expected = None;
    certified(&whole)
}

/// What the regions expect in all, where they say.
fn known(election: &Election) -> Option<u64> {
    let sum: Option<u64> = election.regions.iter().map(|region| region.expected).sum();
    sum.filter(|sum| *sum > 0)
}

/// Regions weigh what they expect (or alike); candidates' strengths are drawn from the seed and lean a little by region.
fn made_up(election: &Election, total: u64, seed: Seed) -> Vec<u64> {
    let expected: Vec<u64> = election.regions.iter().map(|region| region.expected.unwrap_or(0)).collect();
    let weights =
        if expected.iter().all(|weight| *weight == 0) { vec![1; election.region_rows()] } else { expected };
    let candidates = election.candidates.len() as u64;
    let mut cells = Vec::with_capacity(weights.len() * election.candidates.len());
    for (region, votes) in (0..).zip(scale(&weights, total)) {
        let local = seed.child(1).child(region);
        let strength = |c| (0.25 + seed.unit(c)) * (0.7 + 0.6 * local.unit(c));
        let strengths: Vec<u64> = (0..candidates).map(|c| (strength(c) * 1e6) as u64).collect();
        cells.extend(scale(&strengths, votes));
    }
    cells
}

impl Shape {
    /// The shape that goes with the figures; `None` where those know none of the election's genders and bands.
    fn certified(election: &Election, electorate: &Electorate) -> Option<Self> {
        let layout = election.layout();
        let weights: Vec<f64> = electorate.shape.iter().map(|weight| *weight as f64).collect();
        let shape = Self { genders: layout.genders, bands: layout.bands, weights };
        let known = |cell: usize| layout.bands == 1 || cell % layout.bands + 1 < layout.bands;
        let size = layout.genders * layout.bands;
        let complete = (0..layout.candidates).all(|candidate| {
            (0..size).any(|cell| known(cell) && shape.weights[candidate * size + cell] > 0.0)
        });
        complete.then_some(shape)
    }

    /// Men and women about equal, others few, bands by their width; each candidate's voters a little different.
    fn plausible(election: &Election, seed: Seed) -> Self {
        let layout = election.layout();
        let mut weights = vec![0.0; layout.cells()];
        for (cell, weight) in weights.iter_mut().enumerate() {
            let (gender, band) = (cell / layout.bands % layout.genders, cell % layout.bands);
            let unknown = gender + 1 == layout.genders && layout.genders > 1;
            let share = if unknown { 0.0 } else { [1.0, 1.0, 0.04][gender.min(2)] };
            let width = match election.bands.get(band) {
                Some(b) => f64::from(b.to.unwrap_or(OLDEST).min(OLDEST)) - f64::from(b.from) + 1.0,
                None => f64::from(u8::from(election.bands.is_empty())),
            };
            *weight = share * width.max(0.0) * (0.7 + 0.6 * seed.unit(cell as u64));
        }
        Self { genders: layout.genders, bands: layout.bands, weights }
    }
}

/// The oldest age that is drawn.
pub(crate) const OLDEST: u16 = 95;

/// Shares `total` out over `weights` by largest remainder (Hare quota); of equal remainders the earlier cell's comes first. The sum of
/// the result is `total`; scaled to their own sum the weights stay as they are. All weights 0: all of it to the first.
pub fn scale(weights: &[u64], total: u64) -> Vec<u64> {
    let sum: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    if sum == 0 {
        let mut shares = vec![0; weights.len()];
        shares.iter_mut().take(1).for_each(|first| *first = total);
        return shares;
    }
    let exact = |weight: u64| u128::from(weight) * u128::from(total);
    let mut shares: Vec<u64> = weights.iter().map(|weight| (exact(*weight) / sum) as u64).collect();
    let left = total - shares.iter().sum::<u64>();
    let mut cells: Vec<usize> = (0..weights.len()).collect();
    cells.sort_by_key(|cell| std::cmp::Reverse(exact(weights[*cell]) % sum));
    for cell in cells.into_iter().take(left as usize) {
        shares[cell] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shares_go_to_the_largest_remainders() {
        for (weights, total, expect) in [
            (vec![47_000, 16_000, 15_800, 12_000, 6_100, 3_100], 10, vec![5, 2, 1, 1, 1, 0]),
            (vec![1, 1, 1], 2, vec![1, 1, 0]),
            (vec![0, 0], 7, vec![7, 0]),
            (vec![10, 0, 5], 15, vec![10, 0, 5]),
        ] {
            assert_eq!(scale(&weights, total), expect);
        }
    }

    proptest! {
        #[test]
        fn shares_add_up_and_stay_within_one(weights in prop::collection::vec(0_u64..1 << 40, 1..60), total in 0_u64..1 << 40) {
            let shares = scale(&weights, total);
            prop_assert_eq!(shares.iter().sum::<u64>(), total);
            let sum: u64 = weights.iter().sum();
            prop_assume!(sum > 0);
            for (share, weight) in shares.iter().zip(&weights) {
                let quota = u128::from(*weight) * u128::from(total) / u128::from(sum);
                prop_assert!(u128::from(*share) == quota || u128::from(*share) == quota + 1);
            }
        }
    }
}
