//! The exactly-once decisions: facts in, decision out. Who gathers the facts and carries the decision out is the engine.

use crate::delta::Pin;
use crate::ids::{LogId, Offset, PartitionId};
use std::time::Duration;
use thiserror::Error;

/// When an open delta is sealed and flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlushPolicy {
    /// With nothing left to read: flush when the oldest uncommitted record has waited this long.
    pub idle_age: Duration,
    /// With a backlog: flush when the oldest uncommitted record has waited this long …
    pub busy_age: Duration,
    /// … or when a delta holds this many records.
    pub records_max: u64,
}

impl Default for FlushPolicy {
    fn default() -> Self {
        Self { idle_age: Duration::from_millis(20), busy_age: Duration::from_secs(1), records_max: 1_000_000 }
    }
}

/// What is known of the open deltas of one worker.
#[derive(Clone, Copy, Debug)]
pub struct OpenFacts {
    /// Records decided and not sealed.
    pub records: u64,
    /// How long the oldest of them has waited.
    pub oldest_age: Duration,
    /// Nothing more can be read now.
    pub backlog_empty: bool,
    /// A bound inside the delta (rejects, timeline rows) is near.
    pub crowded: bool,
}

/// What to do with the open deltas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushDecision {
    /// Nothing to flush.
    Nothing,
    /// Flush, but not for this long yet.
    After(Duration),
    /// Seal and flush.
    Now,
}

/// Decides whether to flush.
pub fn decide_flush(policy: &FlushPolicy, facts: &OpenFacts) -> FlushDecision {
    if facts.records == 0 {
        return FlushDecision::Nothing;
    }
    if facts.crowded || facts.records >= policy.records_max {
        return FlushDecision::Now;
    }
    let age = if facts.backlog_empty { policy.idle_age } else { policy.busy_age };
    match age.checked_sub(facts.oldest_age) {
        None | Some(Duration::ZERO) => FlushDecision::Now,
        Some(left) => FlushDecision::After(left),
    }
}

/// What became of a flush whose answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// It had been committed.
    Committed {
        /// The epoch just raised: that of all that follows.
        epoch: u64,
    },
    /// It had not; apply the same delta under this epoch.
    ApplyAgain {
        /// The epoch just raised.
        epoch: u64,
    },
    /// Somebody else has moved the partition: load it anew.
    Reload,
}

/// Decides what became of a flush `from..to`, given what raising the epoch returned (`None`: the epoch was no longer ours).
pub fn resolve_commit(from: Offset, to: Offset, raised: Option<(u64, Offset)>) -> Resolution {
    match raised {
        Some((epoch, next)) if next == to => Resolution::Committed { epoch },
        Some((epoch, next)) if next == from => Resolution::ApplyAgain { epoch },
        _ => Resolution::Reload,
    }
}

/// What a log says of itself when counting begins or goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFacts {
    /// Its identity.
    pub log_id: LogId,
    /// How many partitions it has.
    pub partitions: u32,
    /// End of each partition, in partition order.
    pub ends: Vec<Offset>,
}

/// Why a log cannot be counted on: nothing that waiting would cure.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum LogRefused {
    /// Another log than the one counted so far.
    #[error(
        "this election was counted from log {stored}, and this is log {given}; give the log it was begun with, or start a new store"
    )]
    OtherLog {
        /// The pinned log.
        stored: LogId,
        /// The log at hand.
        given: LogId,
    },
    /// The number of partitions changed.
    #[error(
        "the log had {stored} partitions when counting began and has {given} now; voters would change partitions: recount with --from-scratch"
    )]
    Repartitioned {
        /// The pinned number.
        stored: u32,
        /// The number now.
        given: u32,
    },
    /// The log ends before what is already counted.
    #[error(
        "partition {partition} of the log ends at offset {end}, but {next} is already counted: the log was truncated; recount with --from-scratch"
    )]
    Truncated {
        /// Which partition.
        partition: PartitionId,
        /// Its end now.
        end: Offset,
        /// The store's next offset.
        next: Offset,
    },
    /// The batch that ends where counting stopped is another one than was counted.
    #[error(
        "partition {partition} of the log has another history before offset {next} than was counted (leader epoch {given:?}, counted {stored}): it was truncated and written anew; recount with --from-scratch"
    )]
    Regrown {
        /// Which partition.
        partition: PartitionId,
        /// The store's next offset.
        next: Offset,
        /// Leader epoch of the last batch counted.
        stored: i32,
        /// Leader epoch of the batch that now ends there.
        given: Option<i32>,
    },
}

/// Compares a log with what was pinned.
pub fn check_log(pin: &Pin, facts: &LogFacts) -> Result<(), LogRefused> {
    if pin.log_id != facts.log_id {
        return Err(LogRefused::OtherLog { stored: pin.log_id, given: facts.log_id });
    }
    if pin.partitions != facts.partitions {
        return Err(LogRefused::Repartitioned { stored: pin.partitions, given: facts.partitions });
    }
    Ok(())
}

/// Compares one partition of the log with how far it is counted. `epoch_at_next` is the leader epoch of the batch that ends at
/// `next`, or `None` where no batch ends there.
pub fn check_partition(
    partition: PartitionId,
    (start, next): (Offset, Offset),
    stored_epoch: i32,
    end: Offset,
    epoch_at_next: Option<i32>,
) -> Result<(), LogRefused> {
    if end < next {
        return Err(LogRefused::Truncated { partition, end, next });
    }
    if next > start && epoch_at_next != Some(stored_epoch) {
        return Err(LogRefused::Regrown { partition, next, stored: stored_epoch, given: epoch_at_next });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_waits_for_age_and_not_for_company() {
        let policy = FlushPolicy::default();
        let facts = |records, age, backlog_empty| OpenFacts {
            records,
            oldest_age: Duration::from_millis(age),
            backlog_empty,
            crowded: false,
        };
        assert_eq!(decide_flush(&policy, &facts(0, 9_000, true)), FlushDecision::Nothing);
        assert_eq!(
            decide_flush(&policy, &facts(1, 5, true)),
            FlushDecision::After(Duration::from_millis(15))
        );
        assert_eq!(decide_flush(&policy, &facts(1, 20, true)), FlushDecision::Now);
        assert_eq!(
            decide_flush(&policy, &facts(1, 20, false)),
            FlushDecision::After(Duration::from_millis(980))
        );
        assert_eq!(decide_flush(&policy, &facts(1_000_000, 0, false)), FlushDecision::Now);
        assert_eq!(
            decide_flush(&policy, &OpenFacts { crowded: true, ..facts(1, 0, false) }),
            FlushDecision::Now
        );
    }

    #[test]
    fn a_lost_answer_is_resolved_by_where_the_store_stands() {
        let (from, to) = (Offset(10), Offset(20));
        assert_eq!(resolve_commit(from, to, Some((3, to))), Resolution::Committed { epoch: 3 });
        assert_eq!(resolve_commit(from, to, Some((3, from))), Resolution::ApplyAgain { epoch: 3 });
        assert_eq!(resolve_commit(from, to, Some((3, Offset(15)))), Resolution::Reload);
        assert_eq!(resolve_commit(from, to, None), Resolution::Reload);
    }

    #[test]
    fn a_log_that_lost_counted_records_is_refused() {
        let p = PartitionId(1);
        let counted = (Offset(0), Offset(50));
        assert_eq!(check_partition(p, counted, 2, Offset(50), Some(2)), Ok(()));
        assert!(matches!(
            check_partition(p, counted, 2, Offset(49), Some(2)),
            Err(LogRefused::Truncated { .. })
        ));
        assert!(matches!(
            check_partition(p, counted, 2, Offset(60), Some(3)),
            Err(LogRefused::Regrown { .. })
        ));
        assert!(matches!(check_partition(p, counted, 2, Offset(60), None), Err(LogRefused::Regrown { .. })));
        assert_eq!(check_partition(p, (Offset(0), Offset(0)), -1, Offset(0), None), Ok(()));
    }
}
