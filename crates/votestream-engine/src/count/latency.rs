//! How long records wait from being readable to being committed: a histogram that forgets, and rates over the last seconds.

use hdrhistogram::Histogram;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Processor time of this thread so far.
pub(super) fn thread_cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Percentiles over a whole run.
#[derive(Clone, Copy, Debug, Default)]
pub struct LatencySummary {
    /// Median of the oldest record's wait in each flush, in milliseconds.
    pub p50_ms: f64,
    /// 99th percentile of the same.
    pub p99_ms: f64,
}

/// Rates and waits of the last few seconds, and waits of the whole run.
pub(crate) struct Latency {
    whole: Option<Histogram<u64>>,
    recent: VecDeque<(Instant, u64, u64)>,
}

/// How far back rates and recent percentiles look.
const WINDOW: Duration = Duration::from_secs(5);
/// Flushes remembered for the window.
const RECENT_MAX: usize = 1_000;

impl Latency {
    pub(crate) fn new() -> Self {
        // Three significant digits up to an hour in microseconds: the parameters are valid, so this is always `Some`.
        Self { whole: Histogram::new_with_max(3_600_000_000, 3).ok(), recent: VecDeque::new() }
    }

    pub(crate) fn flushed(&mut self, records: u64, waited: Duration) {
        let waited_us = waited.as_micros() as u64;
        if let Some(whole) = &mut self.whole {
            whole.saturating_record(waited_us);
        }
        let now = Instant::now();
        self.recent.push_back((now, records, waited_us));
        while self.recent.len() > RECENT_MAX
            || self.recent.front().is_some_and(|(at, ..)| now.duration_since(*at) > WINDOW)
        {
            self.recent.pop_front();
        }
    }

    /// Records a second over the window.
    pub(crate) fn rate(&self) -> f64 {
        let Some((first, ..)) = self.recent.front() else { return 0.0 };
        let seconds = first.elapsed().as_secs_f64().max(0.05);
        self.recent.iter().map(|(_, records, _)| *records).sum::<u64>() as f64 / seconds
    }

    /// Median and 99th percentile of the window, in milliseconds.
    pub(crate) fn recent_ms(&self) -> Option<(f64, f64)> {
        let mut waits: Vec<u64> = self.recent.iter().map(|(_, _, waited)| *waited).collect();
        waits.sort_unstable();
        let at = |share: f64| {
            waits.get(((waits.len() - 1) as f64 * share).round() as usize).map(|us| *us as f64 / 1000.0)
        };
        if waits.is_empty() { None } else { at(0.5).zip(at(0.99)) }
    }

    pub(crate) fn summary(&self) -> LatencySummary {
        self.whole.as_ref().map_or_else(LatencySummary::default, |h| LatencySummary {
            p50_ms: h.value_at_quantile(0.5) as f64 / 1000.0,
            p99_ms: h.value_at_quantile(0.99) as f64 / 1000.0,
        })
    }
}
