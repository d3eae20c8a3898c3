//! What a recount is compared with, and what a log alone claims.

use super::PATIENCE;
use crate::EngineError;
use crate::count::{as_folded, only, possible_partitioners};
use votestream_election::delta::{Pin, Progress, Snapshot};
use votestream_election::ledger::LeafSeal;
use votestream_election::partitioner::PartitionerSet;
use votestream_election::recount::{Judge, RejectDigest};
use votestream_election::{Election, Offset, PartitionId};
use votestream_log::LogReader;

/// What the store claims.
pub struct Claim {
    /// Whether a store says so; else there is nothing to compare with.
    pub stored: bool,
    /// The pinned log.
    pub pin: Pin,
    /// Progress, rejects and ledger heads.
    pub snapshot: Snapshot,
    /// Votes by region and cell, region-major.
    pub cells: Vec<i64>,
    /// Sealed leaves of each partition; none: nothing is claimed of the ledger.
    pub leaves: Vec<Vec<LeafSeal>>,
    /// The list of rejects of each partition.
    pub reject_lists: Vec<RejectDigest>,
}

impl Claim {
    /// Where there is no store: how far each partition goes, and nothing of what it holds.
    pub(super) fn unstored(election: &Election, pin: Pin, progress: Vec<Progress>) -> Self {
        let snapshot = Snapshot {
            store_uuid: 0,
            sequence: 0,
            as_of: None,
            progress,
            totals: Vec::new(),
            ledger: Vec::new(),
            rejects: Vec::new(),
            desk: Vec::new(),
            at: None,
        };
        let cells = vec![0; election.layout().cells() * election.region_rows()];
        Self { stored: false, pin, snapshot, cells, leaves: Vec::new(), reject_lists: Vec::new() }
    }
}

/// What a log alone says: all of it, from its start to its end, nothing claimed of what it holds.
pub fn claim_of_log(election: &Election, log: &LogReader) -> Result<Claim, EngineError> {
    let (starts, ends) = (log.start_offsets()?, log.refresh_ends()?);
    let mut progress = Vec::new();
    for (p, (start, end)) in starts.iter().zip(&ends).enumerate() {
        let partition = PartitionId(p as u32);
        let leader_epoch = if end > start { log.epoch_ending_at(partition, *end, -1)? } else { None };
        progress.push(uncounted(partition, (*start, *end), leader_epoch.unwrap_or(-1)));
    }
    let pin = Pin {
        log_kind: log.kind().to_owned(),
        log_id: log.log_id(),
        partitions: log.partitions(),
        partitioners: narrowed(election, log, &progress)?,
        start_offsets: starts,
    };
    Ok(Claim::unstored(election, pin, progress))
}

/// A range of a partition of which nobody says what it holds.
pub(super) fn uncounted(
    partition: PartitionId,
    (start_offset, next_offset): (Offset, Offset),
    leader_epoch: i32,
) -> Progress {
    Progress {
        next_offset,
        leader_epoch,
        log_end: next_offset,
        ..Progress::begin(partition, 0, start_offset)
    }
}

/// The partitioner that the log's first votes agree with; both, as long as all votes agree with both.
fn narrowed(
    election: &Election,
    log: &LogReader,
    progress: &[Progress],
) -> Result<PartitionerSet, EngineError> {
    let (mut left, partitions) = (possible_partitioners(log), log.partitions());
    for Progress { partition, start_offset, next_offset, .. } in progress {
        let mut judge = Judge::new(election, *partition, (partitions, left));
        let mut reader = log.partition(*partition, *start_offset)?;
        // Where there is one partition every voter belongs on it.
        while partitions > 1 && left == PartitionerSet::ALL && reader.position() < *next_offset {
            let at = reader.position();
            let Some(batch) = reader.next_batch()? else {
                log.wait_past(&only(partitions, *partition, at), PATIENCE)?;
                continue;
            };
            for record in batch.records().take_while(|_| !batch.is_skipped()) {
                left = judge.narrow(&as_folded(&record?));
            }
        }
    }
    Ok(left)
}
