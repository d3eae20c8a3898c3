//! How fast a simulation is played: as fast as it goes, a steady rate, or a night compressed into minutes.

use std::time::Duration;
use votestream_election::Millis;

/// The pace of a simulation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As fast as it goes.
    Max,
    /// So many records a second.
    Rate(f64),
    /// The records' own timestamps, compressed so that the whole takes this long.
    Night(Duration),
}

/// What has to be played, to compress it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) first: Millis,
    pub(super) last: Millis,
}

impl Pace {
    /// How long after the start record number `played` (counted from where this run began, with its timestamp) is due.
    pub(super) fn due(self, played: u64, timestamp: Millis, span: Span) -> Duration {
        match self {
            Self::Max => Duration::ZERO,
            Self::Rate(rate) => Duration::from_secs_f64(played as f64 / rate),
            Self::Night(whole) => {
                let all = (span.last.0 - span.first.0).max(1) as f64;
                let part = (timestamp.0 - span.first.0).max(0) as f64;
                whole.mul_f64((part / all).min(1.0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_due_when_the_pace_says() {
        let span = Span { first: Millis(1_000), last: Millis(3_000) };
        assert_eq!(Pace::Max.due(9, Millis(0), span), Duration::ZERO);
        assert_eq!(Pace::Rate(100.0).due(50, Millis(0), span), Duration::from_millis(500));
        assert_eq!(Pace::Night(Duration::from_secs(10)).due(0, Millis(2_000), span), Duration::from_secs(5));
        assert_eq!(Pace::Night(Duration::from_secs(10)).due(0, Millis(9_000), span), Duration::from_secs(10));
    }
}
