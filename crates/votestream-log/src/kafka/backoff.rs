//! How long to wait before trying again: from 50 ms, doubled each time up to 2 s, with jitter, so that nothing spins and not all
//! come at once. Who waits, and what ends the wait, is left to the callers.

use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// The first wait.
pub(crate) const WAIT_FIRST: Duration = Duration::from_millis(50);
/// The longest wait.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(2);

/// The waits of one thing that is tried again and again.
#[derive(Debug)]
pub(crate) struct Backoff {
    tries: u32,
    state: u64,
}

impl Backoff {
    /// Waits from the first on.
    pub(crate) fn new() -> Self {
        let seed = std::collections::hash_map::RandomState::new().build_hasher().finish();
        Self { tries: 0, state: seed | 1 }
    }

    /// The next wait: half to all of 50 ms · 2^tries, at most 2 s.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let full = WAIT_FIRST.saturating_mul(1 << self.tries.min(10)).min(WAIT_MAX);
        self.tries = self.tries.saturating_add(1);
        // Xorshift: jitter need not be better than that.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        full / 2 + full.mul_f64((self.state >> 11) as f64 / (1_u64 << 53) as f64) / 2
    }

    /// It worked: the next wait is the first again.
    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }

    /// How often it was tried in vain since it last worked.
    pub(crate) fn tries(&self) -> u32 {
        self.tries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_the_longest_and_start_again() {
        let mut backoff = Backoff::new();
        for round in 0..3 {
            for full_ms in [50_u64, 100, 200, 400, 800, 1600, 2000, 2000, 2000] {
                let full = Duration::from_millis(full_ms);
                let wait = backoff.next_wait();
                assert!((full / 2..=full).contains(&wait), "round {round}: {wait:?} of {full:?}");
            }
            assert_eq!(backoff.tries(), 9);
            backoff.reset();
        }
    }
}
