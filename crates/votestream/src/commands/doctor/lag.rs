//! How far counting is behind, from two looks at the store and at the log's ends. Looking is left to the caller.

use super::lines::{Lines, many};
use crate::progress::grouped;
use std::time::Duration;
use votestream_election::{Offset, PartitionId};

/// One partition at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Which.
    pub(super) partition: PartitionId,
    /// Counted up to here (exclusive).
    pub(super) next: Offset,
    /// The log's end (exclusive).
    pub(super) end: Offset,
}

impl Place {
    fn lag(self) -> u64 {
        self.end.0.saturating_sub(self.next.0)
    }
}

/// Whether anything is behind, so that a second look is worth the wait.
pub(super) fn behind(places: &[Place]) -> bool {
    places.iter().any(|place| place.lag() > 0)
}

/// What two looks, `apart` from one another, say. Both hold the same partitions in the same order.
pub(super) fn judge(election: &str, first: &[Place], second: &[Place], apart: Duration, lines: &mut Lines) {
    let sum = |places: &[Place], of: fn(Place) -> u64| places.iter().map(|place| of(*place)).sum::<u64>();
    let lag = sum(second, Place::lag);
    let counted = sum(second, |p| p.next.0).saturating_sub(sum(first, |p| p.next.0));
    let came = sum(second, |p| p.end.0).saturating_sub(sum(first, |p| p.end.0));
    if let Some(lost) = second.iter().find(|place| place.next > place.end) {
        lines.fault(
            format!(
                "election '{election}', partition {}: counted up to offset {}, but the log ends at {}: it was cut or is another",
                lost.partition, lost.next, lost.end
            ),
            "name the log that was counted, or restore it; if it is lost for good, count what there is anew with `votestream recount --from-scratch`",
        );
        return;
    }
    if lag == 0 {
        lines.well(format!(
            "election '{election}': counted to the log's end on {}",
            many(second.len() as u64, "partition")
        ));
        return;
    }
    let behind: Vec<String> = second
        .iter()
        .filter(|place| place.lag() > 0)
        .map(|place| format!("{}: {}", place.partition, grouped(place.lag())))
        .collect();
    let what = format!(
        "election '{election}': {} not counted yet (partition {})",
        many(lag, "record"),
        behind.join(", ")
    );
    let seconds = apart.as_secs_f64().max(1e-3);
    let per_second = |records: u64| grouped((records as f64 / seconds) as u64);
    let stuck: Vec<String> = first
        .iter()
        .zip(second)
        .filter(|(before, now)| now.lag() > 0 && now.next == before.next)
        .map(|(_, now)| now.partition.to_string())
        .collect();
    if counted == 0 {
        lines.fault(
            what,
            "nothing counted while this looked: is `votestream count` running? start it, or read what it says (journalctl, kubectl logs)",
        );
    } else if came > counted {
        lines.fault(
            format!("{what}; it grows: {} records a second come in, {} are counted", per_second(came), per_second(counted)),
            "start more workers (at most one a partition is busy), give the store a faster disk, or slow the producers",
        );
    } else if !stuck.is_empty() && stuck.len() < second.len() && apart >= Duration::from_secs(1) {
        lines.fault(
            format!("{what}; partition {} did not move while others did", stuck.join(", ")),
            "its worker may have just died: look again after the session timeout (10 s); if it stays, read what the workers say",
        );
    } else {
        lines.well(format!("{what}; being counted at {} a second", per_second(counted)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn places(of: &[(u64, u64)]) -> Vec<Place> {
        let place = |(p, (next, end)): (usize, &(u64, u64))| Place {
            partition: PartitionId(p as u32),
            next: Offset(*next),
            end: Offset(*end),
        };
        of.iter().enumerate().map(place).collect()
    }

    fn check(first: &[(u64, u64)], second: &[(u64, u64)], expect: &str) {
        let mut lines = Lines::default();
        judge("e", &places(first), &places(second), SECOND, &mut lines);
        assert!(lines.text().contains(expect), "{expect:?} not in {}", lines.text());
    }

    #[test]
    fn lags_of_every_kind() {
        check(
            &[(5, 5), (7, 7)],
            &[(5, 5), (7, 7)],
            "✓ election 'e': counted to the log's end on 2 partitions",
        );
        check(
            &[(5, 9), (7, 7)],
            &[(5, 9), (7, 7)],
            "✗ election 'e': 4 records not counted yet (partition 0: 4)",
        );
        check(&[(5, 9)], &[(5, 9)], "is `votestream count` running?");
        check(
            &[(0, 5_000)],
            &[(2_000, 9_000)],
            "it grows: 4,000 records a second come in, 2,000 are counted",
        );
        check(
            &[(0, 9_000)],
            &[(4_000, 9_000)],
            "✓ election 'e': 5,000 records not counted yet (partition 0: 5,000); being counted at 4,000 a second",
        );
        check(
            &[(0, 90), (0, 90)],
            &[(50, 90), (0, 90)],
            "✗ election 'e': 130 records not counted yet (partition 0: 40, 1: 90); partition 1 did not move",
        );
        check(
            &[(9, 9)],
            &[(9, 3)],
            "✗ election 'e', partition 0: counted up to offset 9, but the log ends at 3",
        );
        assert!(behind(&places(&[(1, 2)])) && !behind(&places(&[(2, 2)])));
    }
}
