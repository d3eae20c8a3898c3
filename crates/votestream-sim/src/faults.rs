//! Which records of the stream are faults, of what kind, and which voter they concern: all by arithmetic on the record's index, so
//! that the right answer stays known. What an invalid line looks like is `invalid`'s business.

use crate::options::SimError;
use crate::permute::Permutation;
use crate::seed::{Seed, below, mix};
use std::fmt;
use std::str::FromStr;

/// Rates of extra records, as shares of the number of votes; they come on top of the votes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// An earlier voter's record again, with the same choice.
    pub duplicates: f64,
    /// An earlier voter's record again, with another choice or from another region.
    pub changed: f64,
    /// Records that are no vote: every reason that the election can give, in turn.
    pub invalid: f64,
    /// Records cut off in the middle: `malformed`.
    pub torn: f64,
}

impl Faults {
    /// Nothing but votes.
    pub const NONE: Self = Self { duplicates: 0.0, changed: 0.0, invalid: 0.0, torn: 0.0 };
}

impl FromStr for Faults {
    type Err = SimError;

    fn from_str(text: &str) -> Result<Self, SimError> {
        let mut faults = Self::NONE;
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, rate) = part.split_once('=').unwrap_or((part, ""));
            let (name, rate) = (name.trim(), rate.trim());
            let place = match name {
                "duplicates" => &mut faults.duplicates,
                "changed" => &mut faults.changed,
                "invalid" => &mut faults.invalid,
                "torn" => &mut faults.torn,
                _ => return Err(SimError::FaultName { name: name.to_owned() }),
            };
            *place = rate
                .parse()
                .ok()
                .filter(|rate| (0.0..=1.0).contains(rate))
                .ok_or_else(|| SimError::FaultRate { name: name.to_owned(), text: rate.to_owned() })?;
        }
        Ok(faults)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "duplicates={},changed={},", self.duplicates, self.changed)?;
        write!(f, "invalid={},torn={}", self.invalid, self.torn)
    }
}

/// What a record of the stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The vote of that number, counted from 0 in the order's sequence.
    Vote(u64),
    /// The fault of that number, after so many votes.
    Fault { number: u64, votes_before: u64 },
}

/// What a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The vote of that number again.
    Duplicate { vote: u64 },
    /// The vote of that number with another choice, drawn from `random`.
    Changed { vote: u64, random: u64 },
    /// The invalid record of that ordinal, drawn from `random`.
    Invalid { ordinal: u64, random: u64 },
    /// A vote cut off, drawn from `random`.
    Torn { random: u64 },
}

/// Where the faults lie: spread evenly over the stream, their kinds well mixed.
#[derive(Clone, Debug)]
pub(crate) struct FaultPlan {
    pub(crate) votes: u64,
    pub(crate) duplicates: u64,
    pub(crate) changed: u64,
    pub(crate) invalid: u64,
    pub(crate) torn: u64,
    kinds: Permutation,
    draws: Seed,
}

/// Half of the repeated votes lie at most this far back, as a client's retries do; the others anywhere.
const RECENT_VOTES: u64 = 1_000;

impl FaultPlan {
    pub(crate) fn new(votes: u64, faults: &Faults, seed: Seed) -> Self {
        let count = |rate: f64| (rate * votes as f64).round() as u64;
        let mut plan = Self {
            votes,
            duplicates: count(faults.duplicates),
            changed: count(faults.changed),
            invalid: count(faults.invalid),
            torn: count(faults.torn),
            kinds: Permutation::new(1, seed),
            draws: seed.child(1),
        };
        plan.kinds = Permutation::new(plan.faults().max(1) as u32, seed.child(2));
        plan
    }

    /// All faults.
    pub(crate) fn faults(&self) -> u64 {
        self.duplicates + self.changed + self.invalid + self.torn
    }

    /// Votes and faults.
    pub(crate) fn records(&self) -> u64 {
        self.votes + self.faults()
    }

    /// Faults among the first `index` records.
    pub(crate) fn faults_before(&self, index: u64) -> u64 {
        (u128::from(index) * u128::from(self.faults()) / u128::from(self.records())) as u64
    }

    /// What the record at `index` is.
    pub(crate) fn slot(&self, index: u64) -> Slot {
        let faults = self.faults_before(index);
        if self.faults_before(index + 1) > faults {
            Slot::Fault { number: faults, votes_before: index - faults }
        } else {
            Slot::Vote(index - faults)
        }
    }

    /// Where the fault of that number lies in the stream.
    pub(crate) fn index_of(&self, number: u64) -> u64 {
        let end = (u128::from(number) + 1) * u128::from(self.records());
        (end.div_ceil(u128::from(self.faults())) - 1) as u64
    }

    /// What the fault of that number is.
    pub(crate) fn fault(&self, number: u64, votes_before: u64) -> Fault {
        let random = self.draws.bits(number);
        let vote = earlier(random, votes_before);
        let mut kind = u64::from(self.kinds.of(number as u32));
        if kind < self.duplicates {
            return Fault::Duplicate { vote };
        }
        kind -= self.duplicates;
        if kind < self.changed {
            return Fault::Changed { vote, random: mix(random) };
        }
        kind -= self.changed;
        if kind < self.invalid {
            return Fault::Invalid { ordinal: kind, random: mix(random) };
        }
        Fault::Torn { random: mix(random) }
    }

    /// The numbers of all faults that repeat a vote, duplicates first, in no order: with the vote and, if changed, what it is drawn from.
    pub(crate) fn repeats(&self, changed: bool) -> impl Iterator<Item = (u64, Fault)> {
        let kinds =
            if changed { self.duplicates..self.duplicates + self.changed } else { 0..self.duplicates };
        kinds.map(move |kind| {
            let number = u64::from(self.kinds.inverse(kind as u32));
            (number, self.fault(number, self.index_of(number) - number))
        })
    }
}

/// A vote among the first `votes_before` (≥ 1).
fn earlier(random: u64, votes_before: u64) -> u64 {
    let reach = if random & 1 == 0 { votes_before } else { votes_before.min(RECENT_VOTES) };
    votes_before - 1 - below(random, reach)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rates_are_read() {
        let faults: Faults = "duplicates=0.01, invalid=0.001,changed=1".parse().unwrap();
        assert_eq!(faults, Faults { duplicates: 0.01, changed: 1.0, invalid: 0.001, torn: 0.0 });
        assert_eq!("".parse(), Ok(Faults::NONE));
        assert_eq!(faults.to_string().parse(), Ok(faults));
    }

    #[test]
    fn wrong_rates_are_named() {
        for (text, expect) in [
            ("dupes=0.1", "fault \"dupes\" does not exist"),
            ("invalid", "rate of fault \"invalid\" is \"\""),
            ("invalid=2", "rate of fault \"invalid\" is \"2\""),
            ("torn=-0.1", "rate of fault \"torn\" is \"-0.1\""),
            ("changed=NaN", "rate of fault \"changed\" is \"NaN\""),
        ] {
            let message = Faults::from_str(text).unwrap_err().to_string();
            assert!(message.starts_with(expect), "{message}");
        }
    }

    proptest! {
        #[test]
        fn every_vote_and_every_fault_has_one_place(
            votes in 1_u64..3_000, d in 0.0..1.0, c in 0.0..1.0, i in 0.0..1.0, t in 0.0..1.0,
        ) {
            let faults = Faults { duplicates: d, changed: c, invalid: i, torn: t };
            let plan = FaultPlan::new(votes, &faults, Seed(3));
            let (mut votes_met, mut faults_met, mut kinds) = (0, 0, [0_u64; 4]);
            for index in 0..plan.records() {
                match plan.slot(index) {
                    Slot::Vote(vote) => {
                        prop_assert_eq!(vote, votes_met);
                        votes_met += 1;
                    }
                    Slot::Fault { number, votes_before } => {
                        prop_assert_eq!((number, votes_before), (faults_met, votes_met));
                        prop_assert_eq!(plan.index_of(number), index);
                        faults_met += 1;
                        match plan.fault(number, votes_before) {
                            Fault::Duplicate { vote } => {
                                prop_assert!(vote < votes_before);
                                kinds[0] += 1;
                            }
                            Fault::Changed { vote, .. } => {
                                prop_assert!(vote < votes_before);
                                kinds[1] += 1;
                            }
                            Fault::Invalid { .. } => kinds[2] += 1,
                            Fault::Torn { .. } => kinds[3] += 1,
                        }
                    }
                }
            }
            prop_assert_eq!(votes_met, votes);
            prop_assert_eq!(kinds, [plan.duplicates, plan.changed, plan.invalid, plan.torn]);
            prop_assert_eq!(plan.repeats(true).count() as u64, plan.changed);
            let is_change = |(_, fault)| matches!(fault, Fault::Changed { .. });
            prop_assert!(plan.repeats(true).all(is_change));
            prop_assert!(!plan.repeats(false).any(is_change));
        }
    }
}
