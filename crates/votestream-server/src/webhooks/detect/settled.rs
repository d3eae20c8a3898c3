//! A value that is told when it has settled: not at each flicker, not oftener than in a while, and never not at all.

use super::Rules;
use std::time::Duration;

/// What was told last, and what may be told next.
#[derive(Debug)]
pub(super) struct Settled<T> {
    told: Option<T>,
    /// When it was told; `None`: it is what was found at the start.
    told_at: Option<Duration>,
    /// Something else, seen at every look since.
    next: Option<(Option<T>, Duration)>,
    /// Whether the first value after none is told at once.
    eager: bool,
}

impl<T> Default for Settled<T> {
    fn default() -> Self {
        Self { told: None, told_at: None, next: None, eager: false }
    }
}

impl<T: Clone + PartialEq> Settled<T> {
    /// What is found at the start counts as told.
    pub(super) fn begin(found: Option<T>) -> Self {
        Self { told: found, ..Self::default() }
    }

    /// The same; and where nothing is found, the first value is told at once when it comes.
    pub(super) fn eager(found: Option<T>) -> Self {
        Self { eager: true, ..Self::begin(found) }
    }

    /// What was told last.
    pub(super) fn told(&self) -> Option<&T> {
        self.told.as_ref()
    }

    /// What is seen at `now`. `Some(previous)`: it is to be told.
    #[expect(
        clippy::option_option,
        reason = "whether it is to be told, and what was told before, if anything"
    )]
    pub(super) fn look(&mut self, rules: &Rules, now: Duration, seen: Option<T>) -> Option<Option<T>> {
        if seen == self.told {
            self.next = None;
            return None;
        }
        let since = match &self.next {
            Some((next, since)) if *next == seen => *since,
            _ => {
                self.next = Some((seen.clone(), now));
                now
            }
        };
        let lasted = now.saturating_sub(since) >= rules.settle;
        let rested = self.told_at.is_none_or(|at| now.saturating_sub(at) >= rules.gap);
        let first = self.eager && self.told.is_none() && self.told_at.is_none();
        if !(first || lasted && rested) {
            return None;
        }
        self.next = None;
        self.told_at = Some(now);
        Some(std::mem::replace(&mut self.told, seen))
    }

    /// Nothing can be said at this look; what was about to settle begins anew.
    pub(super) fn wait(&mut self) {
        self.next = None;
    }

    /// Tells it at once. Answers what was told before.
    pub(super) fn set(&mut self, now: Duration, value: T) -> Option<T> {
        self.next = None;
        self.told_at = Some(now);
        self.told.replace(value)
    }
}
