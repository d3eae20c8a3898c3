//! A log made anew from an archive that keeps every record's value: the same records with the same timestamps, each voter's in their
//! order, at new offsets.

use super::batcher::{Batcher, Router};
use super::ingest::IngestSummary;
use crate::{EngineError, Shutdown};
use votestream_archive::Archive;
use votestream_archive::manifest::entry::VoterIds;
use votestream_election::archived::ArchivedOutcome;
use votestream_election::event::VALUE_BYTES_MAX;
use votestream_election::ledger::ContentHasher;
use votestream_election::{PartitionId, RejectReason, SourceId};

/// The identity of an archive as a source: killed and started again, a restore goes on where it was.
pub fn source_of_archive(archive: &Archive) -> SourceId {
    let identity = &archive.manifest().identity;
    let mut hasher = ContentHasher::new();
    hasher.update(b"archive");
    hasher.update(&identity.log.id.to_be_bytes());
    hasher.update(identity.definition.as_bytes());
    SourceId(hasher.finish())
}

/// Whether a log can be made from the archive.
pub fn check_restorable(archive: &Archive) -> Result<(), EngineError> {
    let identity = &archive.manifest().identity;
    let refused = |what: &str| Err(EngineError::OtherArchive { url: archive.url(), what: what.to_owned() });
    if identity.voter_ids == VoterIds::Pseudonym {
        return refused("holds pseudonyms in place of voters: no log can be made from it");
    }
    if !identity.keep_bytes {
        return refused(
            "keeps what records say, and not the records (it was made without --keep-bytes): no log can be made from it; build a results store from it with `votestream recount --archive … --store … --from-scratch`",
        );
    }
    Ok(archive.refuse_pruned("no log can be made from what is left")?)
}

/// Appends every record of an archive that is [`check_restorable`]. A voter's records lie on one partition of the archive, so that
/// partition by partition their order is kept. `progress` is told the records read.
pub fn restore_log(
    archive: &Archive,
    batcher: &mut Batcher,
    (shutdown, progress): (&Shutdown, &dyn Fn(u64)),
) -> Result<IngestSummary, EngineError> {
    let partitions = archive.manifest().identity.log.partitions;
    let mut router = Router::new(archive.election(), batcher.partitions());
    let mut summary = IngestSummary::default();
    let mut index = 0;
    for partition in (0..partitions).map(PartitionId) {
        let mut rows = archive.rows(partition, archive.partition(partition).start);
        while let Some(batch) = rows.next_batch()? {
            if shutdown.is_raised() {
                batcher.finish()?;
                return Ok(summary);
            }
            for (place, row) in batch.rows().iter().enumerate() {
                // A null value is none; as an empty one it is as little of a vote.
                let value = batch.value(place).unwrap_or_default();
                let oversize =
                    matches!(row.outcome, ArchivedOutcome::Reject { reason: RejectReason::TooLarge, .. });
                let (to, judged) = router.route(index, value, row.timestamp, oversize);
                // How long it was is not archived: longer than any vote.
                let length = oversize.then_some(VALUE_BYTES_MAX as u64 + 1);
                if batcher.push(index, to, row.timestamp, router.key(), value, length)? {
                    summary.rejected += u64::from(judged.is_err());
                }
                index += 1;
                summary.bytes += value.len() as u64;
            }
            summary.records = index;
            (summary.appended, summary.passed) = (batcher.appended(), batcher.passed());
            progress(index);
        }
    }
    batcher.finish()?;
    summary.finished = true;
    Ok(summary)
}
