//! How many passes over the voters a recount needs so that what it remembers of them fits the memory it may use. Pure.

use votestream_election::election::DuplicatePolicy;
use votestream_election::seen::SeenVoters;

/// What the program takes beside voters: itself, rejects, leaves.
const BASE_BYTES: u64 = 24 << 20;
/// What a thread takes: a reader's buffers and the stretches that it fills.
const THREAD_BYTES: u64 = 12 << 20;
/// Voters of one pass that are always remembered, however little memory there is.
const VOTERS_BYTES_MIN: u64 = 4 << 20;
/// More passes than this are not sensible.
pub(super) const PASSES_MAX: u32 = 1 << 14;

/// What is known of a partition's voters beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    /// Voters with integers for ids.
    pub(super) integers: u64,
    /// Voters with texts.
    pub(super) texts: u64,
}

/// The least memory that a recount with so many threads can do with.
pub fn memory_min(threads: usize) -> u64 {
    BASE_BYTES + threads as u64 * (THREAD_BYTES + VOTERS_BYTES_MIN)
}

/// What one pass may take for voters, with so many passes going on at once; `None`: `memory` is not enough for anything.
pub(super) fn budget(memory: u64, threads: usize, at_once: usize) -> Option<u64> {
    let left = memory.checked_sub(BASE_BYTES + threads as u64 * THREAD_BYTES)? / at_once.max(1) as u64;
    (left >= VOTERS_BYTES_MIN).then_some(left)
}

impl Expected {
    /// Voters in each of so many parts, with room for parts that are not quite of one size.
    pub(super) fn in_part(self, passes: u32) -> (u64, u64) {
        let share = |voters: u64| match (voters, passes) {
            (0, _) => 0,
            (voters, 1) => voters,
            (voters, passes) => {
                let mean = voters.div_ceil(u64::from(passes));
                mean + mean / 50 + 4 * mean.isqrt()
            }
        };
        (share(self.integers), share(self.texts))
    }

    /// The least number of passes whose voters fit `budget` bytes each; at most [`PASSES_MAX`].
    pub(super) fn passes(self, policy: DuplicatePolicy, budget: u64) -> u32 {
        let fits = |passes: u32| SeenVoters::bytes_for(policy, self.in_part(passes)) <= budget;
        let whole = SeenVoters::bytes_for(policy, (self.integers, self.texts));
        let mut passes = u32::try_from(whole.div_ceil(budget.max(1)).max(1)).unwrap_or(PASSES_MAX);
        while passes < PASSES_MAX && !fits(passes) {
            passes += 1 + passes / 64;
        }
        passes.min(PASSES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_fit_and_are_no_more_than_needed() {
        let expected = Expected { integers: 155_000_000, texts: 0 };
        for policy in [DuplicatePolicy::First, DuplicatePolicy::Last] {
            for budget in [4 << 20, 64 << 20, 1 << 30, 4 << 30_u64] {
                let passes = expected.passes(policy, budget);
                assert!(SeenVoters::bytes_for(policy, expected.in_part(passes)) <= budget);
                let whole = SeenVoters::bytes_for(policy, expected.in_part(1));
                assert!(u64::from(passes) <= whole.div_ceil(budget) * 5 / 4 + 1, "{passes} for {budget}");
            }
        }
        assert_eq!(Expected { integers: 10, texts: 0 }.passes(DuplicatePolicy::First, 4 << 20), 1);
        let texts = Expected { integers: 0, texts: 10_000_000 };
        assert!(texts.passes(DuplicatePolicy::First, 64 << 20) >= 4);
    }

    #[test]
    fn too_little_memory_is_said() {
        assert_eq!(budget(memory_min(2) - 1, 2, 2), None);
        assert_eq!(budget(memory_min(2), 2, 2), Some(VOTERS_BYTES_MIN));
    }
}
