//! The timeline of one partition: cumulative totals closed minute by minute. A minute never goes back, whatever moments say.

use crate::delta::{Counts, TimelineRow};
use crate::ids::{Millis, Minute};

/// A moment further ahead of the worker's clock than this counts at the clock's minute.
const AHEAD_MAX_MS: i64 = 5 * 60_000;
/// Rows in one delta before it asks to be sealed; bounds memory where moments jump about.
const ROWS_MAX: usize = 1_000;

pub(super) struct Timeline {
    candidates: usize,
    /// Cumulative over the partition's whole life.
    counts: Counts,
    totals: Vec<u64>,
    minute: Option<Minute>,
    /// First moment after the current minute: most votes need only this comparison.
    minute_end: i64,
    now: Millis,
    closed: Vec<TimelineRow>,
    changed: bool,
}

impl Timeline {
    pub(super) fn new(candidates: usize, counts: Counts, totals: Vec<u64>, minute: Option<Minute>) -> Self {
        let mut timeline = Self {
            candidates,
            counts,
            totals,
            minute: None,
            minute_end: i64::MIN,
            now: Millis(i64::MAX),
            closed: Vec::new(),
            changed: false,
        };
        if let Some(minute) = minute {
            timeline.enter(minute);
        }
        timeline
    }

    pub(super) fn set_clock(&mut self, now: Millis) {
        self.now = now;
    }

    fn enter(&mut self, minute: Minute) {
        self.minute = Some(minute);
        self.minute_end = minute.0.saturating_add(1).saturating_mul(60_000);
    }

    /// Moves to the minute of a vote's moment, if that is later, closing the one before.
    #[inline]
    pub(super) fn advance(&mut self, moment: Millis) {
        if moment.0 >= self.minute_end {
            self.advance_slow(moment);
        }
    }

    #[cold]
    fn advance_slow(&mut self, moment: Millis) {
        let moment = if moment.0 > self.now.0.saturating_add(AHEAD_MAX_MS) { self.now } else { moment };
        let minute = moment.minute();
        if self.minute.is_some_and(|current| minute <= current) {
            return;
        }
        if self.changed {
            self.close();
        }
        self.enter(minute);
    }

    fn close(&mut self) {
        if let Some(minute) = self.minute {
            self.closed.push(TimelineRow { minute, counts: self.counts, totals: self.totals.clone() });
            self.changed = false;
        }
    }

    #[inline]
    pub(super) fn counted(&mut self, region: usize, candidate: usize) {
        self.counts.counted += 1;
        self.totals[region * self.candidates + candidate] += 1;
        self.changed = true;
    }

    pub(super) fn duplicate(&mut self) {
        self.counts.duplicate += 1;
        self.changed = true;
    }

    pub(super) fn reject(&mut self) {
        self.counts.rejected += 1;
        self.changed = true;
    }

    pub(super) fn skip(&mut self, offsets: u64) {
        self.counts.skipped += offsets;
    }

    pub(super) fn replaced(&mut self, was: usize, was_candidate: usize, region: usize, candidate: usize) {
        self.totals[was * self.candidates + was_candidate] -= 1;
        self.totals[region * self.candidates + candidate] += 1;
    }

    /// The rows to write: minutes closed, and the current one as far as it is.
    pub(super) fn take(&mut self) -> Vec<TimelineRow> {
        if self.changed {
            self.close();
        }
        std::mem::take(&mut self.closed)
    }

    pub(super) fn minute(&self) -> Option<Minute> {
        self.minute
    }

    pub(super) fn crowded(&self) -> bool {
        self.closed.len() >= ROWS_MAX
    }
}
