//! When votes come in. Night: each region reports from its closing hour on along a curve, fast at first, with a long tail; within a
//! minute the regions are interleaved. Shuffled: all votes mixed over the same hours. Any vote's place is found by arithmetic.

use crate::lookup::Ranges;
use crate::options::{Order, SimError, SimOptions};
use crate::permute::Permutation;
use crate::seed::{Seed, below};
use crate::time_text::time_zone;
use jiff::civil::Date;
use votestream_election::{Election, Millis};

/// The grain of the reporting curve.
const STEP_MS: i64 = 60_000;
const HOUR_MS: f64 = 3_600_000.0;
/// How long the smallest region counts; the largest takes `COUNT_HOURS_SIZE` more, and chance adds up to `COUNT_HOURS_CHANCE`.
const COUNT_HOURS_MIN: f64 = 3.0;
const COUNT_HOURS_SIZE: f64 = 3.0;
const COUNT_HOURS_CHANCE: f64 = 1.5;
/// Where an election names no day: 2024-01-01T00:00Z.
const START_DEFAULT: Millis = Millis(1_704_067_200_000);

/// Which voter of the urn votes when. An urn's voters are numbered by cell: `rank` is that number.
#[derive(Clone, Debug)]
pub(crate) enum Sequence {
    Shuffled(Shuffled),
    Night(Night),
}

impl Sequence {
    /// The sequence of an urn with `regions` votes a region.
    pub(crate) fn new(
        election: &Election,
        regions: &[u64],
        options: &SimOptions,
        seed: Seed,
    ) -> Result<Self, SimError> {
        let windows = windows(election, regions, options, seed.child(1))?;
        let from = windows.iter().map(|w| w.from).min().unwrap_or(START_DEFAULT.0);
        let to = windows.iter().map(|w| w.to).max().unwrap_or(from + 1);
        Ok(match options.order {
            Order::Shuffled => Self::Shuffled(Shuffled::new(regions.iter().sum(), from, to, seed.child(2))),
            Order::Night => Self::Night(Night::new(regions, &windows, from, to, seed.child(3))),
        })
    }

    /// Rank and moment of vote number `vote`.
    pub(crate) fn place(&self, vote: u64) -> (u64, Millis) {
        match self {
            Self::Shuffled(shuffled) => shuffled.place(vote),
            Self::Night(night) => night.place(vote),
        }
    }

    /// How many votes have come in before `moment`.
    pub(crate) fn votes_before(&self, moment: Millis, votes: u64) -> u64 {
        let (mut low, mut high) = (0, votes);
        while low < high {
            let middle = low + (high - low) / 2;
            let (_, at) = self.place(middle);
            if at < moment {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// When a region's votes come in: from `from` until before `to`, in milliseconds; `lean` is the curve's shape, 0.0..1.0.
#[derive(Clone, Copy, Debug)]
struct Window {
    from: i64,
    to: i64,
    lean: f64,
}

fn windows(
    election: &Election,
    regions: &[u64],
    options: &SimOptions,
    seed: Seed,
) -> Result<Vec<Window>, SimError> {
    let largest = regions.iter().copied().max().unwrap_or(1).max(1) as f64;
    let start = start(election, options)?;
    let mut windows = Vec::with_capacity(regions.len());
    for (region, votes) in regions.iter().enumerate() {
        let item = region as u64;
        let (from, to) = if let Some((opens, ends)) = election.voting_hours {
            // Whole seconds, since a moment may be written without its milliseconds.
            let from =
                opens.0.div_euclid(1_000) * 1_000 + if opens.0.rem_euclid(1_000) == 0 { 0 } else { 1_000 };
            if ends.0 <= from {
                return Err(SimError::NoVotingHours { election: election.id.clone() });
            }
            (from, ends.0)
        } else {
            let closes = election.regions.get(region).and_then(|r| r.closes).unwrap_or(start).0;
            let size = (*votes as f64 / largest).sqrt();
            let hours = COUNT_HOURS_MIN + COUNT_HOURS_SIZE * size + COUNT_HOURS_CHANCE * seed.unit(2 * item);
            (closes, closes + (hours * HOUR_MS) as i64)
        };
        windows.push(Window { from, to, lean: seed.unit(2 * item + 1) });
    }
    Ok(windows)
}

/// When polls close where a region does not say.
fn start(election: &Election, options: &SimOptions) -> Result<Millis, SimError> {
    if let Some(start) = options.start {
        return Ok(start);
    }
    let Some(date) = election.date.as_deref().and_then(|date| date.parse::<Date>().ok()) else {
        return Ok(START_DEFAULT);
    };
    let evening = date.at(20, 0, 0, 0).to_zoned(time_zone(election)?);
    Ok(evening.map_or(START_DEFAULT, |evening| Millis(evening.timestamp().as_millisecond())))
}

/// All votes mixed, spread evenly over the hours.
#[derive(Clone, Debug)]
pub(crate) struct Shuffled {
    from: i64,
    /// Milliseconds a vote, in units of 2^-32.
    pace: u64,
    permutation: Permutation,
}

impl Shuffled {
    fn new(votes: u64, from: i64, to: i64, seed: Seed) -> Self {
        let pace = (((to - from) as u128) << 32) / u128::from(votes.max(1));
        let pace = u64::try_from(pace).unwrap_or(u64::MAX);
        Self { from, pace, permutation: Permutation::new(votes as u32, seed) }
    }

    #[inline]
    pub(crate) fn place(&self, vote: u64) -> (u64, Millis) {
        let passed = ((u128::from(vote) * u128::from(self.pace)) >> 32) as i64;
        (u64::from(self.permutation.of(vote as u32)), Millis(self.from.wrapping_add(passed)))
    }
}

/// Regions report after their polls close.
#[derive(Clone, Debug)]
pub(crate) struct Night {
    from: i64,
    /// Length of a step; shorter than a minute only where all is over sooner.
    step_ms: i64,
    /// `counted[step * regions + region]`: votes of the region before the step; one row more than steps.
    counted: Vec<u32>,
    /// Votes of all regions before the step; one more than steps.
    before: Vec<u64>,
    /// Rank of each region's first voter.
    first_rank: Vec<u64>,
    permutations: Vec<Permutation>,
    seed: Seed,
}

impl Night {
    fn new(regions: &[u64], windows: &[Window], from: i64, to: i64, seed: Seed) -> Self {
        let step_ms = STEP_MS.min(to - from).max(1);
        // Only whole steps: with voting hours, no moment may lie past the end.
        let steps = ((to - from) / step_ms).max(1);
        let (mut counted, mut before) =
            (Vec::with_capacity((steps as usize + 1) * regions.len()), Vec::new());
        for step in 0..=steps {
            let moment = from + step * step_ms;
            for (votes, window) in regions.iter().zip(windows) {
                let share = if step == steps { 1.0 } else { reported(window, moment) };
                let earlier = counted.len().checked_sub(regions.len()).map_or(0, |place| counted[place]);
                let now = ((*votes as f64 * share) as u64).min(*votes) as u32;
                counted.push(now.max(earlier));
            }
            before.push(counted[counted.len() - regions.len()..].iter().map(|votes| u64::from(*votes)).sum());
        }
        let mut first_rank = Vec::with_capacity(regions.len());
        let mut rank = 0;
        for votes in regions {
            first_rank.push(rank);
            rank += votes;
        }
        let permutations = regions
            .iter()
            .zip(0..)
            .map(|(votes, region)| Permutation::new((*votes).max(1) as u32, seed.child(0).child(region)));
        Self { from, step_ms, permutations: permutations.collect(), counted, before, first_rank, seed }
    }

    fn regions(&self) -> usize {
        self.first_rank.len()
    }

    /// Votes of a region before a step.
    fn counted(&self, step: usize, region: usize) -> u64 {
        u64::from(self.counted[step * self.regions() + region])
    }

    /// The step in which vote number `vote` comes in.
    fn step_of(&self, vote: u64) -> usize {
        self.before.partition_point(|before| *before <= vote) - 1
    }

    /// Rank and moment of a vote: what a [`Step`] gives, without laying one out.
    fn place(&self, vote: u64) -> (u64, Millis) {
        let number = self.step_of(vote);
        let (votes, within) = (self.votes_of(number), vote - self.before[number]);
        let drawn = u64::from(self.mixed(number).of(within as u32));
        let (mut region, mut start) = (0, 0);
        loop {
            let size = self.counted(number + 1, region) - self.counted(number, region);
            if drawn < start + size {
                break;
            }
            start += size;
            region += 1;
        }
        let passed = (u128::from(within) * u128::from(self.pace(votes))) >> 32;
        (self.rank(number, region, drawn - start), Millis(self.moment(number) + passed as i64))
    }

    /// The rank of the voter of a region that is `nth` in a step.
    #[inline]
    fn rank(&self, step: usize, region: usize, nth: u64) -> u64 {
        let reported = self.counted(step, region).wrapping_add(nth);
        self.first_rank[region].wrapping_add(u64::from(self.permutations[region].of(reported as u32)))
    }

    /// How a step interleaves its regions.
    fn mixed(&self, step: usize) -> Permutation {
        Permutation::new(self.votes_of(step).max(1) as u32, self.seed.child(1).child(step as u64))
    }

    fn votes_of(&self, step: usize) -> u64 {
        self.before[step + 1] - self.before[step]
    }

    /// Milliseconds a vote, in units of 2^-32, in a step of so many.
    fn pace(&self, votes: u64) -> u64 {
        ((self.step_ms as u64) << 32) / votes.max(1)
    }

    fn moment(&self, step: usize) -> i64 {
        self.from + step as i64 * self.step_ms
    }
}

/// The share of a region's votes that is in by `moment`: mixed of a parabola and a cubic, with a short run-up. Only the four basic
/// operations, so that every machine computes the same.
fn reported(window: &Window, moment: i64) -> f64 {
    const RUN_UP: f64 = 0.02;
    let x = ((moment - window.from) as f64 / (window.to - window.from).max(1) as f64).clamp(0.0, 1.0);
    let x = x * x / (x + RUN_UP) * (1.0 + RUN_UP);
    let left = 1.0 - x;
    (1.0 - left * left * (window.lean + (1.0 - window.lean) * left)).clamp(0.0, 1.0)
}

/// One step of the night, laid out for quick drawing.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    number: usize,
    /// Votes before the step, and before the next.
    first: u64,
    end: u64,
    mixed: Permutation,
    /// Each region's votes within the step.
    regions: Ranges,
    moment: i64,
    /// Milliseconds a vote, in units of 2^-32.
    pace: u64,
}

impl Step {
    /// The step that holds vote number `vote`.
    pub(crate) fn of(night: &Night, vote: u64) -> Self {
        let mut step = Self {
            number: 0,
            first: 0,
            end: 0,
            mixed: Permutation::new(1, night.seed),
            regions: Ranges::default(),
            moment: 0,
            pace: 0,
        };
        step.load(night, night.step_of(vote));
        step
    }

    fn load(&mut self, night: &Night, number: usize) {
        self.number = number;
        self.first = night.before[number];
        self.end = night.before[number + 1];
        let votes = night.votes_of(number);
        self.mixed = night.mixed(number);
        // A guide pays only for a step of many votes.
        let bits = votes.checked_ilog2().unwrap_or(0).clamp(4, 10);
        let sizes = (0..night.regions()).map(|r| night.counted(number + 1, r) - night.counted(number, r));
        self.regions.refill(sizes, bits);
        self.moment = night.moment(number);
        self.pace = night.pace(votes);
    }

    /// Rank and moment of a vote; moves on to its step, which must not lie before this one.
    #[inline]
    pub(crate) fn place(&mut self, night: &Night, vote: u64) -> (u64, Millis) {
        if vote >= self.end {
            self.load(night, night.step_of(vote));
        }
        let within = vote.wrapping_sub(self.first);
        let drawn = u64::from(self.mixed.of(within as u32));
        let region = self.regions.find(drawn);
        let nth = drawn.wrapping_sub(self.regions.start(region));
        let passed = ((u128::from(within) * u128::from(self.pace)) >> 32) as i64;
        (night.rank(self.number, region, nth), Millis(self.moment.wrapping_add(passed)))
    }
}

/// Walks a sequence forwards.
#[derive(Clone, Debug)]
pub(crate) enum Walk {
    Shuffled,
    Night(Step),
}

impl Walk {
    /// A walk that begins at vote number `vote`.
    pub(crate) fn from(sequence: &Sequence, vote: u64) -> Self {
        match sequence {
            Sequence::Shuffled(_) => Self::Shuffled,
            Sequence::Night(night) => Self::Night(Step::of(night, vote)),
        }
    }

    /// Rank and moment of vote number `vote`, which must not lie before the last one asked for.
    #[inline]
    pub(crate) fn place(&mut self, sequence: &Sequence, vote: u64) -> (u64, Millis) {
        match (self, sequence) {
            (Self::Night(step), Sequence::Night(night)) => step.place(night, vote),
            (_, sequence) => sequence.place(vote),
        }
    }
}

/// A vote well back in the stream or still to come, for faults that borrow a voter; `None` where that side is empty.
pub(crate) fn borrowed(random: u64, votes_before: u64, votes: u64) -> Option<u64> {
    match random % 3 {
        0 => Some(below(random, votes_before)),
        1 if votes > votes_before => Some(votes_before + below(random, votes - votes_before)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_voter_comes_once_and_alone_as_in_turn(
            regions in prop::collection::vec((0_u64..900, 0_i64..400, 1_i64..400, 0.0..1.0), 1..20), seed: u64,
        ) {
            let votes: Vec<u64> = regions.iter().map(|(votes, ..)| *votes).collect();
            let total: u64 = votes.iter().sum();
            prop_assume!(total > 0);
            let windows: Vec<Window> = regions
                .iter()
                .map(|(_, from, length, lean)| Window { from: from * 20_000, to: (from + length) * 20_000, lean: *lean })
                .collect();
            let (from, to) = (windows.iter().map(|w| w.from).min(), windows.iter().map(|w| w.to).max());
            let night = Sequence::Night(Night::new(&votes, &windows, from.unwrap(), to.unwrap(), Seed(seed)));
            let mut walk = Walk::from(&night, 0);
            let mut met = vec![false; total as usize];
            let mut last = Millis(i64::MIN);
            for vote in 0..total {
                let (rank, moment) = walk.place(&night, vote);
                prop_assert_eq!(night.place(vote), (rank, moment));
                prop_assert!(!std::mem::replace(&mut met[rank as usize], true));
                prop_assert!(moment >= last);
                last = moment;
            }
            prop_assert!(last < Millis(to.unwrap()));
        }
    }
}
