//! An archive as the source of a recount: its rows are the records, each file compared with the manifest as it is read. Beside the
//! store's answer the manifest's own leaves are compared, so that neither can be changed alone.

use super::carried;
use super::claim::uncounted;
use super::source::{Feed, Source};
use super::{Claim, FEEDS_BESIDE, RecountOptions, RecountReport, memory_min, recount};
use crate::{EngineError, Shutdown};
use std::collections::VecDeque;
use votestream_archive::manifest::entry::VoterIds;
use votestream_archive::{Archive, ArchiveRows};
use votestream_election::archived::{ArchivedOutcome, ArchivedRow};
use votestream_election::delta::Pin;
use votestream_election::fold::FoldError;
use votestream_election::ledger::{LEAF_OFFSETS, LeafSeal};
use votestream_election::partitioner::PartitionerSet;
use votestream_election::recount::{Carried, Judged};
use votestream_election::{Election, Offset, PartitionId, RejectReason, VoterKey};

/// An archive as a source.
pub struct ArchiveSource<'a> {
    /// The election whose votes these are.
    pub election: &'a Election,
    /// The archive.
    pub archive: &'a Archive,
    /// Partitioners as narrowed by all that was counted.
    pub partitioners: PartitionerSet,
}

struct ArchiveFeed<'a> {
    source: &'a ArchiveSource<'a>,
    partition: PartitionId,
    rows: ArchiveRows,
    position: Offset,
    /// Rows of the last batch beyond the end that was asked for.
    ahead: VecDeque<ArchivedRow>,
}

impl Source for ArchiveSource<'_> {
    fn feed(&self, partition: PartitionId, from: Offset) -> Result<Box<dyn Feed + '_>, EngineError> {
        Ok(Box::new(ArchiveFeed {
            source: self,
            partition,
            rows: self.archive.rows(partition, from),
            position: from,
            ahead: VecDeque::new(),
        }))
    }

    fn carried_to(&self, partition: PartitionId) -> Option<Offset> {
        let there = self.archive.partition(partition);
        (!there.carried.is_empty()).then(|| there.rows_from())
    }

    fn carried(&self, partition: PartitionId) -> Result<Option<Carried>, EngineError> {
        carried::of(self.election, self.archive, partition, self.partitioners)
    }

    fn carried_voters(
        &self,
        partition: PartitionId,
        each: &mut dyn FnMut(VoterKey),
    ) -> Result<(), EngineError> {
        Ok(self.archive.carried_voters(partition, each)?)
    }

    fn feed_bytes(&self) -> u64 {
        file_bytes(self.archive)
    }
}

impl Feed for ArchiveFeed<'_> {
    fn read(&mut self, to: Offset, each: &mut dyn FnMut(Offset, &Judged)) -> Result<(), EngineError> {
        while let Some(row) = self.ahead.pop_front_if(|row| row.offset < to) {
            each(row.offset, &self.source.judged(self.partition, &row)?);
        }
        // What is ahead lies beyond `to`, and so does all that follows it.
        while self.ahead.is_empty() && self.rows.position() < to {
            let Some(batch) = self.rows.next_batch()? else { break };
            for row in batch.rows() {
                if row.offset < to {
                    each(row.offset, &self.source.judged(self.partition, row)?);
                } else {
                    self.ahead.push_back(*row);
                }
            }
        }
        self.position = to;
        Ok(())
    }

    fn position(&self) -> Offset {
        self.position
    }
}

impl ArchiveSource<'_> {
    /// A row as the count has it.
    #[inline]
    pub(crate) fn judged(&self, partition: PartitionId, row: &ArchivedRow) -> Result<Judged, EngineError> {
        let offset = row.offset;
        Ok(match &row.outcome {
            ArchivedOutcome::Vote { vote, routes, .. } if !routes.intersect(self.partitioners).is_empty() => {
                Judged::of_row(self.election, vote).ok_or(FoldError::ForeignRow { partition, offset })?
            }
            ArchivedOutcome::Vote { value_digest, .. } => {
                let digest = value_digest.ok_or(FoldError::NoDigest { partition, offset })?;
                Judged::Reject(RejectReason::Misrouted, digest)
            }
            ArchivedOutcome::Reject { reason, value_digest } => Judged::Reject(*reason, *value_digest),
        })
    }
}

/// Counts the archive again as far as the store has counted, and compares: cells, rejects, and leaves with the store's and with the
/// manifest's. With pseudonyms for voters the leaves cannot be made from the rows; then the manifest's are compared with the store's.
pub fn recount_archive(
    election: &Election,
    archive: &Archive,
    claim: &Claim,
    options: &RecountOptions,
    (shutdown, progress): (&Shutdown, &(dyn Fn(u64, u64) + Sync)),
) -> Result<RecountReport, EngineError> {
    check_archive(election, archive, claim)?;
    let source = ArchiveSource { election, archive, partitioners: claim.pin.partitioners };
    let mut report = recount(election, &source, claim, options, (shutdown, progress))?;
    if shutdown.is_raised() {
        return Ok(report);
    }
    if pseudonymous(archive) {
        report.carry_ledger(claim);
    }
    for (partition, leaves) in (0..).map(PartitionId).zip(&report.leaves) {
        let claimed = claim.leaves.get(partition.0 as usize).map_or(&[][..], Vec::as_slice);
        let (beside, whose) =
            if pseudonymous(archive) { (claimed, "the store") } else { (&leaves[..], "the rows") };
        let archived = archive.partition(partition).leaves();
        report.differences.extend(other_leaf(partition, &archived, beside, whose));
    }
    Ok(report)
}

/// The least memory that a recount of the archive with so many threads can do with: its files are read whole.
pub fn archive_memory_min(archive: &Archive, threads: usize) -> u64 {
    memory_min(threads) + file_bytes(archive) * (threads as u64 + FEEDS_BESIDE)
}

fn file_bytes(archive: &Archive) -> u64 {
    let files = archive.manifest().partitions.iter().flat_map(|partition| &partition.files);
    files.map(|file| file.bytes).max().unwrap_or(0)
}

/// Whether voters are archived under pseudonyms.
pub fn pseudonymous(archive: &Archive) -> bool {
    archive.manifest().identity.voter_ids == VoterIds::Pseudonym
}

/// The first leaf of the manifest that is another than that beside it, in words.
fn other_leaf(
    partition: PartitionId,
    archived: &[LeafSeal],
    beside: &[LeafSeal],
    whose: &str,
) -> Option<String> {
    let by_number = |number: u64| beside.iter().find(|leaf| leaf.number == number);
    let differs = archived.iter().find_map(|leaf| {
        let other = by_number(leaf.number)?;
        ((leaf.records, leaf.digest) != (other.records, other.digest)).then_some((leaf, other))
    });
    differs.map(|(leaf, other)| {
        let from = leaf.number * LEAF_OFFSETS;
        format!(
            "partition {partition}: the archive's manifest has leaf {} (offsets {from}..{}) as {} of {} records, {whose} give {} of {}",
            leaf.number,
            from + LEAF_OFFSETS,
            leaf.digest,
            leaf.records,
            other.digest,
            other.records
        )
    })
}

/// Whether this is the archive of what the store has counted, as far as it has.
fn check_archive(election: &Election, archive: &Archive, claim: &Claim) -> Result<(), EngineError> {
    let manifest = archive.manifest();
    let (identity, log) = (&manifest.identity, &manifest.identity.log);
    let other = |what: String| Err(EngineError::OtherArchive { url: archive.url(), what });
    if identity.election != election.id {
        return other(format!("is of election '{}', not '{}'", identity.election, election.id));
    }
    if identity.definition != election.to_json() {
        return other(format!("is of another definition of election '{}' than the store's", election.id));
    }
    if log.log_id() != claim.pin.log_id {
        return other(format!(
            "is of log {}, and the store was counted from log {}",
            log.log_id(),
            claim.pin.log_id
        ));
    }
    for progress in &claim.snapshot.progress {
        let partition = progress.partition;
        let Some(archived) = manifest.partitions.get(partition.0 as usize) else {
            return other(format!("has no partition {partition}, which the store has counted"));
        };
        let (start, next) = (progress.start_offset, progress.next_offset);
        if archived.start > start {
            return other(format!(
                "begins at offset {} of partition {partition}, and the store has counted from {start} on; recount from the log",
                archived.start
            ));
        }
        let rows = archived.rows_from();
        if rows > archived.start && (archived.start != start || rows > next) {
            return other(format!(
                "was pruned: of offsets {}..{rows} of partition {partition} it holds sums only, and the store has counted {start}..{next}; recount from the log",
                archived.start
            ));
        }
        if archived.next < next {
            return other(format!(
                "ends at offset {} of partition {partition}, and the store has counted up to {next}; let `votestream archive` catch up first",
                archived.next
            ));
        }
    }
    Ok(())
}

/// What an archive alone says: all of it, nothing claimed of what it holds.
pub fn claim_of_archive(election: &Election, archive: &Archive) -> Claim {
    let partitions = (0..).map(PartitionId).zip(&archive.manifest().partitions);
    let progress = partitions
        .map(|(partition, at)| uncounted(partition, (at.start, at.next), at.leader_epoch))
        .collect();
    Claim::unstored(election, pin_of(archive), progress)
}

/// The log that was archived, as a store pins it; partitioners are those that every archived vote agrees with.
pub fn pin_of(archive: &Archive) -> Pin {
    let (log, partitions) = (&archive.manifest().identity.log, &archive.manifest().partitions);
    let agreed = partitions.iter().map(|p| p.partitioners).reduce(PartitionerSet::intersect);
    Pin {
        log_kind: log.kind.clone(),
        log_id: log.log_id(),
        partitions: log.partitions,
        start_offsets: log.starts(),
        partitioners: agreed.filter(|set| !set.is_empty()).unwrap_or(PartitionerSet::ALL),
    }
}
