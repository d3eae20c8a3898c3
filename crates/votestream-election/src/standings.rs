//! Who leads, by how much, and whether what can still come could change it. Pure arithmetic over votes; whose votes and which may be
//! seen is `results`' business.

use crate::election::DuplicatePolicy;
use crate::ids::CandidateIx;

/// Where the candidates stand in one region, or in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Votes of all candidates.
    pub counted: u64,
    /// The only one with the most votes; `None` without votes or in a tie.
    pub leader: Option<CandidateIx>,
    /// All that share the most votes, in the definition's order, when they are more than one and have votes; else empty.
    pub tied: Vec<CandidateIx>,
    /// Votes between the first and the second; the leader's own where nobody else stands.
    pub margin: u64,
}

impl Standing {
    /// Of votes in the definition's order of candidates.
    pub fn of(votes: &[u64]) -> Self {
        let counted = votes.iter().sum();
        let most = votes.iter().copied().max().unwrap_or(0);
        let mut first = (0..).zip(votes).filter(|(_, v)| **v == most).map(|(i, _)| CandidateIx(i));
        if most == 0 {
            return Self { counted, ..Self::default() };
        }
        let leader = first.next();
        if let Some(second) = first.next() {
            let tied = leader.into_iter().chain([second]).chain(first).collect();
            return Self { counted, leader: None, tied, margin: 0 };
        }
        let second = votes.iter().copied().filter(|v| *v != most).max().unwrap_or(0);
        Self { counted, leader, tied: Vec::new(), margin: most - second }
    }
}

/// Candidates by votes, most first; ties keep the definition's order.
pub fn ranked(votes: &[u64]) -> Vec<CandidateIx> {
    let mut order: Vec<usize> = (0..votes.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(votes[i]));
    order.into_iter().map(|i| CandidateIx(i as u16)).collect()
}

/// What is known of the votes that are still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ceiling {
    /// The exact number of votes that there will be, where it is known (a simulation).
    pub exact: Option<u64>,
    /// Voters registered: no more votes than these.
    pub registered: Option<u64>,
    /// Whether a vote that is counted may still be replaced by the same voter's next.
    pub duplicate: DuplicatePolicy,
    /// Nothing more will come at all: the exact total of the whole election is reached and no record waits.
    pub over: bool,
}

impl Ceiling {
    /// Votes that can still come after `counted`; `None`: nobody knows, also where more are counted than the ceiling allows, for then
    /// it is none.
    pub fn outstanding(&self, counted: u64) -> Option<u64> {
        if self.over {
            return Some(0);
        }
        let by_exact = self.exact.and_then(|exact| exact.checked_sub(counted));
        let by_register = self.registered.and_then(|registered| registered.checked_sub(counted));
        by_exact.or(by_register)
    }

    /// Whether the leader stays the leader whatever comes. Where votes can be replaced, each counted one may still change sides,
    /// so that nothing is decided before all is over.
    pub fn decides(&self, standing: &Standing) -> bool {
        let replaceable = self.duplicate == DuplicatePolicy::Last && !self.over;
        standing.leader.is_some()
            && !replaceable
            && self.outstanding(standing.counted).is_some_and(|outstanding| standing.margin > outstanding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(votes: &[u64], leader: Option<u16>, tied: &[u16], margin: u64) {
        let standing = Standing::of(votes);
        assert_eq!(standing.leader, leader.map(CandidateIx), "{votes:?}");
        assert_eq!(standing.tied, tied.iter().copied().map(CandidateIx).collect::<Vec<_>>(), "{votes:?}");
        assert_eq!(standing.margin, margin, "{votes:?}");
    }

    #[test]
    fn leaders_ties_and_margins() {
        check(&[], None, &[], 0);
        check(&[0, 0], None, &[], 0);
        check(&[7], Some(0), &[], 7);
        check(&[3, 5, 4], Some(1), &[], 1);
        check(&[5, 3, 5, 5], None, &[0, 2, 3], 0);
        check(&[0, 1], Some(1), &[], 1);
    }

    #[test]
    fn ranking_keeps_the_definitions_order_in_ties() {
        assert_eq!(ranked(&[2, 5, 2, 5]), [1, 3, 0, 2].map(CandidateIx));
    }

    #[test]
    fn what_can_still_come_must_be_known() {
        let ceiling =
            |exact, registered| Ceiling { exact, registered, duplicate: DuplicatePolicy::First, over: false };
        assert_eq!(ceiling(None, None).outstanding(5), None);
        assert_eq!(ceiling(Some(9), None).outstanding(5), Some(4));
        assert_eq!(
            ceiling(Some(9), Some(20)).outstanding(10),
            Some(10),
            "an exact total that is passed was none"
        );
        assert_eq!(ceiling(None, Some(9)).outstanding(10), None);
    }

    #[test]
    fn a_tie_or_an_equal_margin_decides_nothing() {
        let ceiling =
            Ceiling { exact: Some(10), registered: None, duplicate: DuplicatePolicy::First, over: false };
        assert!(!ceiling.decides(&Standing::of(&[5, 2])), "3 outstanding, margin 3: a tie can still come");
        assert!(ceiling.decides(&Standing::of(&[6, 2])));
        assert!(!ceiling.decides(&Standing::of(&[5, 5])));
        let last = Ceiling { duplicate: DuplicatePolicy::Last, ..ceiling };
        assert!(!last.decides(&Standing::of(&[10, 0])), "all ten can still change sides");
        assert!(Ceiling { over: true, ..last }.decides(&Standing::of(&[6, 4])));
    }

    proptest! {
        #[test]
        fn what_is_decided_never_changes(
            votes in prop::collection::vec(0_u64..200, 1..6),
            extra in prop::collection::vec((0_usize..6, 0_u64..20), 0..8),
            outstanding in 0_u64..80,
        ) {
            let register = votes.iter().sum::<u64>() + outstanding;
            let ceiling = Ceiling { exact: None, registered: Some(register), duplicate: DuplicatePolicy::First, over: false };
            let before = Standing::of(&votes);
            prop_assert_eq!(ceiling.decides(&before), before.leader.is_some() && before.margin > outstanding);
            prop_assume!(ceiling.decides(&before));
            let mut after = votes.clone();
            for (candidate, more) in extra {
                let room = register - after.iter().sum::<u64>();
                let candidate = candidate % after.len();
                after[candidate] += more.min(room);
            }
            prop_assert_eq!(Standing::of(&after).leader, before.leader);
        }

        #[test]
        fn a_standing_is_what_a_sort_says(votes in prop::collection::vec(0_u64..5, 1..7)) {
            let mut sorted = votes.clone();
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            let standing = Standing::of(&votes);
            let second = sorted.get(1).copied().unwrap_or(0);
            prop_assert_eq!(standing.margin, sorted[0] - second);
            prop_assert_eq!(standing.leader.is_some(), sorted[0] > second);
            let order = ranked(&votes);
            let right = order.windows(2).all(|w| {
                let (a, b) = (votes[usize::from(w[0].0)], votes[usize::from(w[1].0)]);
                a > b || (a == b && w[0] < w[1])
            });
            prop_assert!(right, "{:?}", order);
        }
    }
}
