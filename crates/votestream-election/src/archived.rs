//! A record as the archive keeps it: what it is by itself, before anyone asks who has voted already. Enough for a count without the log:
//! the vote or the reason why it is none, and the partitioners that agree with its place, so that the rule of [`crate::fold`] can be
//! applied again. How rows lie on disk is `votestream-archive`'s business.

use crate::event::{EventParser, Vote};
use crate::fold::Record;
use crate::ids::{Millis, Offset, PartitionId};
use crate::ledger::{Digest, LeafSeal, LedgerHasher, LedgerVote};
use crate::partitioner::{PartitionerSet, crc32_partition, murmur2_partition};
use crate::reject::RejectReason;
use crate::voter::{VoterKey, decimal};

/// A record of the log, judged by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchivedRow {
    /// Its offset.
    pub offset: Offset,
    /// The log's timestamp.
    pub timestamp: Millis,
    /// What it is.
    pub outcome: ArchivedOutcome,
}

/// What a record is by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchivedOutcome {
    /// A vote, if its voter belongs on this partition.
    Vote {
        /// What it says.
        vote: LedgerVote,
        /// The partitioners that put this voter on this partition, of those that all earlier votes of the partition agree with; none
        /// where the record's key is not the voter's id. A count whose own set has nothing in common with it rejects the vote as
        /// misrouted (or stops), else narrows its set to what is in both.
        routes: PartitionerSet,
        /// BLAKE3 of the value, which the ledger's row needs should the vote be rejected as misrouted: there wherever `routes` is not
        /// all that was still possible.
        value_digest: Option<Digest>,
    },
    /// Not a vote.
    Reject {
        /// Why.
        reason: RejectReason,
        /// BLAKE3 of the value.
        value_digest: Digest,
    },
}

/// Makes the rows of one partition, in offset order, and the ledger's leaves over them as a count makes them that goes on past misrouted
/// votes.
pub struct RowMaker {
    parser: EventParser,
    partition: PartitionId,
    partitions: u32,
    possible: PartitionerSet,
    ledger: LedgerHasher,
    text: Vec<u8>,
}

impl RowMaker {
    /// Goes on at `next`, with the partitioners that are still possible there. The records of the leaf that `next` lies in must be fed
    /// first: from its start, with `next` at that start.
    pub fn new(
        parser: EventParser,
        (partition, partitions): (PartitionId, u32),
        possible: PartitionerSet,
        next: Offset,
    ) -> Self {
        // The chain of digests is made by who reads the leaves: here only the leaves count.
        let ledger = LedgerHasher::new(next, Digest::default());
        Self { parser, partition, partitions, possible, ledger, text: Vec::new() }
    }

    /// The row of the next record.
    #[inline]
    pub fn row(&mut self, record: &Record<'_>) -> ArchivedRow {
        let value = record.value.unwrap_or_default();
        let outcome = match self.parser.judge(record.value, record.timestamp, record.oversize) {
            Ok(vote) => self.vote(record, &ledger_vote(&vote)),
            Err(reason) => {
                let value_digest = digest(value);
                self.ledger.reject(record.offset, reason, &value_digest);
                ArchivedOutcome::Reject { reason, value_digest }
            }
        };
        ArchivedRow { offset: record.offset, timestamp: record.timestamp, outcome }
    }

    #[inline]
    fn vote(&mut self, record: &Record<'_>, vote: &LedgerVote) -> ArchivedOutcome {
        let routes = self.routes(vote.voter, record.key);
        if routes == self.possible {
            self.ledger.vote(record.offset, vote);
            return ArchivedOutcome::Vote { vote: *vote, routes, value_digest: None };
        }
        let value_digest = digest(record.value.unwrap_or_default());
        if routes.is_empty() {
            self.ledger.reject(record.offset, RejectReason::Misrouted, &value_digest);
        } else {
            self.ledger.vote(record.offset, vote);
            self.possible = routes;
        }
        ArchivedOutcome::Vote { vote: *vote, routes, value_digest: Some(value_digest) }
    }

    /// Of the partitioners still possible, those that put the voter here; none where the key is not the voter's id.
    #[inline]
    fn routes(&mut self, voter: VoterKey, key: Option<&[u8]>) -> PartitionerSet {
        let (digits, first);
        let text = match voter {
            VoterKey::Integer(id) => {
                (digits, first) = decimal(id);
                &digits[first..]
            }
            VoterKey::Text(_) => {
                self.text.clear();
                self.parser.canonical_text(voter, &mut self.text);
                &self.text
            }
        };
        if key.is_some_and(|key| key != text) {
            return PartitionerSet::from_text("").unwrap_or(self.possible);
        }
        PartitionerSet {
            murmur2: self.possible.murmur2 && murmur2_partition(text, self.partitions) == self.partition,
            crc32: self.possible.crc32 && crc32_partition(text, self.partitions) == self.partition,
        }
    }

    /// Feeds a row that is archived already, for the digest of the leaf it lies in.
    pub fn again(&mut self, row: &ArchivedRow) {
        match &row.outcome {
            ArchivedOutcome::Vote { routes, value_digest, .. } if routes.is_empty() => {
                self.ledger.reject(row.offset, RejectReason::Misrouted, &value_digest.unwrap_or_default());
            }
            ArchivedOutcome::Vote { vote, .. } => self.ledger.vote(row.offset, vote),
            ArchivedOutcome::Reject { reason, value_digest } => {
                self.ledger.reject(row.offset, *reason, value_digest);
            }
        }
    }

    /// Appends the canonical text of the voter of the row made last, whose key is `voter`.
    pub fn canonical_text(&self, voter: VoterKey, out: &mut Vec<u8>) {
        self.parser.canonical_text(voter, out);
    }

    /// All offsets below `offset` have been seen.
    pub fn advance_to(&mut self, offset: Offset) {
        self.ledger.advance_to(offset);
    }

    /// The leaves completed since the last call. Their chain begins where this was made, and is of no use.
    pub fn take_leaves(&mut self) -> Vec<LeafSeal> {
        self.ledger.take_sealed()
    }

    /// The partitioners that are still possible.
    pub fn possible(&self) -> PartitionerSet {
        self.possible
    }
}

/// BLAKE3 of a record's value.
pub fn digest(value: &[u8]) -> Digest {
    Digest(*blake3::hash(value).as_bytes())
}

fn ledger_vote(vote: &Vote) -> LedgerVote {
    LedgerVote {
        voter: vote.voter,
        region: vote.region.0,
        candidate: vote.candidate.0,
        gender: vote.gender.0,
        age: vote.age,
        moment: vote.moment.0,
    }
}
