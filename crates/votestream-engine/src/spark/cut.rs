//! What an epoch is to count: ranges up to the ends of batches, cut when it begins or, for the next one, while an epoch is still being counted.

use super::{LOOK_EVERY, size};
use crate::EngineError;
use crate::count::only;
use crate::spark::EpochError;
use std::time::{Duration, Instant};
use votestream_election::epoch::Range;
use votestream_election::{Offset, PartitionId};
use votestream_log::LogReader;

/// How long the last batch of a range is waited for.
const TAIL_PATIENCE: Duration = Duration::from_secs(30);

/// The same for a range that is read ahead: whoever counts waits for it.
const TAIL_PATIENCE_AHEAD: Duration = Duration::from_millis(500);

/// An epoch's ranges.
pub(super) struct Cut {
    /// One a partition at most, none empty.
    pub(super) ranges: Vec<Range>,
    /// The leader epoch of each range's last batch.
    pub(super) leader_epochs: Vec<i32>,
    /// When it was cut.
    pub(super) at: Instant,
}

impl Cut {
    /// These ranges, each to the end of the batch in which it ends.
    pub(super) fn of(log: &LogReader, ranges: Vec<Range>) -> Result<Self, EngineError> {
        Self::within(log, ranges, TAIL_PATIENCE)
    }

    /// What waits behind `next` of each partition, `records` of it, where that is something and no backlog.
    pub(super) fn ahead(
        log: &LogReader,
        next: &[(PartitionId, Offset)],
        records: u64,
    ) -> Result<Option<Self>, EngineError> {
        let ends = log.refresh_ends()?;
        let waiting: Vec<_> =
            next.iter().map(|(partition, next)| (*partition, *next, ends[partition.0 as usize])).collect();
        let backlog = size::backlog(&waiting);
        if backlog == 0 || backlog > size::AHEAD_MAX {
            return Ok(None);
        }
        let ranges = size::ranges(&waiting, records);
        Self::within(log, ranges, TAIL_PATIENCE_AHEAD).map(Some)
    }

    fn within(log: &LogReader, mut ranges: Vec<Range>, patience: Duration) -> Result<Self, EngineError> {
        let at = Instant::now();
        let leader_epochs = ranges
            .iter_mut()
            .map(|range| to_batch_end(log, range, patience))
            .collect::<Result<Vec<_>, EngineError>>()?;
        Ok(Self { ranges, leader_epochs, at })
    }
}

/// Extends a range to the end of the batch in which it ends; that batch's leader epoch.
fn to_batch_end(log: &LogReader, range: &mut Range, patience: Duration) -> Result<i32, EngineError> {
    let mut reader = log.partition(range.partition, Offset(range.to.0 - 1))?;
    let began = Instant::now();
    loop {
        if let Some(batch) = reader.next_batch()? {
            range.to = range.to.max(batch.next_offset());
            return Ok(batch.leader_epoch());
        }
        if began.elapsed() >= patience {
            let lost = "the vote log does not hand over the last batch of what was counted just now";
            return Err(EpochError { may_pass: true, too_large: false, source: lost.into() }.into());
        }
        log.wait_past(&only(log.partitions(), range.partition, reader.position()), LOOK_EVERY)?;
    }
}
