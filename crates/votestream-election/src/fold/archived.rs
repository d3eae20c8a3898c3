//! Counting rows of an archive as the records that they were: the same rule of places, the same ledger, the same votes.

use super::{FoldError, Misrouted, PartitionCount};
use crate::archived::{ArchivedOutcome, ArchivedRow};
use crate::election::Election;
use crate::ids::Offset;
use crate::ledger::{Digest, LedgerVote};
use crate::partitioner::PartitionerSet;
use crate::recount::Judged;
use crate::reject::RejectReason;

impl PartitionCount {
    /// Counts one archived row as the record it is of. Offsets between the last one and this one hold no record.
    pub fn archived(&mut self, election: &Election, row: &ArchivedRow) -> Result<(), FoldError> {
        let (partition, offset) = (self.partition, row.offset);
        self.skip_to(offset)?;
        match &row.outcome {
            ArchivedOutcome::Vote { vote, routes, value_digest } => {
                let left = routes.intersect(self.partitioners);
                match (left.is_empty(), self.misrouted) {
                    (false, _) => self.archived_vote(election, offset, (vote, left))?,
                    (true, Misrouted::Stop) => return Err(FoldError::Misrouted { partition, offset }),
                    (true, Misrouted::Reject) => {
                        let digest = value_digest.ok_or(FoldError::NoDigest { partition, offset })?;
                        self.archived_reject(offset, RejectReason::Misrouted, &digest);
                    }
                }
            }
            ArchivedOutcome::Reject { reason, value_digest } => {
                self.archived_reject(offset, *reason, value_digest);
            }
        }
        self.next = offset.plus(1);
        Ok(())
    }

    fn archived_vote(
        &mut self,
        election: &Election,
        offset: Offset,
        (vote, left): (&LedgerVote, PartitionerSet),
    ) -> Result<(), FoldError> {
        let partition = self.partition;
        let Some(Judged::Vote(judged)) = Judged::of_row(election, vote) else {
            return Err(FoldError::ForeignRow { partition, offset });
        };
        self.partitioners = left;
        self.ledger.vote(offset, vote);
        self.voted(judged);
        Ok(())
    }

    fn archived_reject(&mut self, offset: Offset, reason: RejectReason, digest: &Digest) {
        self.ledger.reject(offset, reason, digest);
        self.rejected(offset, reason);
    }
}
