//! What a record is, for a recount: the parser's judgement and the voter's place, with nothing remembered from record to record.

use crate::archived::digest;
use crate::cells::CellLayout;
use crate::election::Election;
use crate::event::{AGE_IS_BAND, AGE_UNKNOWN, EventParser, Vote};
use crate::fold::{Record, agreeing};
use crate::ids::{BandIx, PartitionId};
use crate::ledger::{Digest, LedgerVote};
use crate::partitioner::PartitionerSet;
use crate::reject::RejectReason;

/// A record as the ledger has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// A valid vote, counted or a duplicate.
    Vote(Vote),
    /// No vote: why, and BLAKE3 of its value.
    Reject(RejectReason, Digest),
}

/// Judges records of one partition, in any order.
pub struct Judge {
    parser: EventParser,
    partition: PartitionId,
    partitions: u32,
    partitioners: PartitionerSet,
}

impl Judge {
    /// `partitioners` is the set as narrowed by all that was counted: a voter who agrees with one left in it agreed with it at
    /// any time before, too. A misrouted vote is a reject: where it was not counted as one, counting had stopped before it.
    pub fn new(
        election: &Election,
        partition: PartitionId,
        (partitions, partitioners): (u32, PartitionerSet),
    ) -> Self {
        Self { parser: EventParser::new(election), partition, partitions, partitioners }
    }

    /// What the record is.
    pub fn record(&mut self, record: &Record<'_>) -> Judged {
        let reason = match self.parser.judge(record.value, record.timestamp, record.oversize) {
            Ok(vote) if !self.agreeing(&vote, record).is_empty() => return Judged::Vote(vote),
            Ok(_) => RejectReason::Misrouted,
            Err(reason) => reason,
        };
        Judged::Reject(reason, digest(record.value.unwrap_or_default()))
    }

    /// Leaves of the partitioners only those that put this record's voter here; all, where none does or it is no vote. For logs of
    /// which nothing was counted yet.
    pub fn narrow(&mut self, record: &Record<'_>) -> PartitionerSet {
        if let Ok(vote) = self.parser.judge(record.value, record.timestamp, record.oversize) {
            let left = self.agreeing(&vote, record);
            if !left.is_empty() {
                self.partitioners = left;
            }
        }
        self.partitioners
    }

    #[inline]
    fn agreeing(&self, vote: &Vote, record: &Record<'_>) -> PartitionerSet {
        let place = (self.partition, self.partitions);
        agreeing(&self.parser, (vote.voter, record), place, self.partitioners)
    }
}

impl Judged {
    /// A vote from its row in a ledger or an archive; `None` where the row names what the election does not have.
    pub fn of_row(election: &Election, row: &LedgerVote) -> Option<Self> {
        let CellLayout { candidates, genders, bands } = election.layout();
        let band = match row.age {
            AGE_UNKNOWN => bands as u16 - 1,
            age if age & AGE_IS_BAND != 0 => age & !AGE_IS_BAND,
            age => u16::from(election.band_of(age)),
        };
        let known = usize::from(row.region) < election.region_rows()
            && usize::from(row.candidate) < candidates
            && usize::from(row.gender) < genders
            && usize::from(band) < bands;
        known.then(|| Self::Vote(Vote::of_row(row, BandIx(band as u8))))
    }
}
