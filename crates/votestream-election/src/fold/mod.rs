//! The counting fold of one partition: record by record into an open delta, which is then sealed for the store.
//! No clock, no randomness, no I/O: the engine reads the log, hands records in, and carries sealed deltas to the store.
//!
//! **Invariant:** every offset passed is counted, duplicate, rejected or skipped, once. (`tests/fold.rs`)

mod archived;

mod hashing;

mod place;

mod timeline;

pub(crate) use place::agreeing;

use crate::cells::CellLayout;
use crate::delta::{Counts, Engine, Fence, OpenLeaf, PartitionDelta, PartitionState};
use crate::election::{DuplicatePolicy, Election};
use crate::event::{EventParser, Vote};
use crate::ids::{Millis, Offset, PartitionId, RegionIx};
use crate::ledger::{LEAF_OFFSETS, LedgerHasher};
use crate::partitioner::PartitionerSet;
use crate::reject::RejectReason;
use crate::seen::{Insertion, NEAR_GROUP, Near, SeenVoters, Unpacked, pack};
use crate::voter::VoterKey;
use thiserror::Error;
use timeline::Timeline;

/// A record of the log as the fold needs it.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its offset.
    pub offset: Offset,
    /// The log's timestamp.
    pub timestamp: Millis,
    /// Its key, where it has one: that of a valid vote must be the voter's canonical text.
    pub key: Option<&'a [u8]>,
    /// Its value; `None` for a tombstone.
    pub value: Option<&'a [u8]>,
    /// The value is a stub of something longer than 65,536 bytes.
    pub oversize: bool,
}

/// What to do with a valid vote on a partition where its voter does not belong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Misrouted {
    /// Stop before anything of it is committed.
    #[default]
    Stop,
    /// Count it as a reject, as explicitly asked for.
    Reject,
}

/// Why the fold cannot go on.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FoldError {
    /// A voter's records would be spread over partitions: one vote per voter could not be kept.
    #[error(
        "the record at offset {offset} of partition {partition} is of a voter who belongs on another partition, or has a key that is not the voter's id: the topic is not keyed by the voter with murmur2 or crc32, or was written with several partitioners; count it with --route (a dir: log: ingest its records anew with the election that counts them), or count such records as rejects with --misrouted=reject"
    )]
    Misrouted {
        /// Which partition.
        partition: PartitionId,
        /// Where.
        offset: Offset,
    },
    /// The log's own order is broken.
    #[error("partition {partition} gave offset {offset} where {expected} or more was expected")]
    Order {
        /// Which partition.
        partition: PartitionId,
        /// What came.
        offset: Offset,
        /// The least that should have come.
        expected: Offset,
    },
    /// An archived vote that must be a reject here, without what the ledger needs of it.
    #[error(
        "the archived vote at offset {offset} of partition {partition} does not belong there by what other partitions' votes agree with, and the archive keeps no digest of it: recount from the log"
    )]
    NoDigest {
        /// Which partition.
        partition: PartitionId,
        /// Where.
        offset: Offset,
    },
    /// An archived vote that names what the election does not have.
    #[error(
        "the archived vote at offset {offset} of partition {partition} names a region, candidate, gender or band that the election does not have"
    )]
    ForeignRow {
        /// Which partition.
        partition: PartitionId,
        /// Where.
        offset: Offset,
    },
    /// The open leaf rebuilt from the log differs from the one counted.
    #[error(
        "the log's records {from}..{to} of partition {partition} are not those that were counted (their ledger digest differs); recount with --from-scratch"
    )]
    LedgerDiffers {
        /// Which partition.
        partition: PartitionId,
        /// First offset of the open leaf.
        from: Offset,
        /// Where counting had stopped.
        to: Offset,
    },
}

/// Rejects in one delta before it asks to be sealed: bounds memory and the store's row.
const REJECTS_MAX: usize = 100_000;

/// One partition's counting state.
pub struct PartitionCount {
    partition: PartitionId,
    partitions: u32,
    partitioners: PartitionerSet,
    misrouted: Misrouted,
    policy: DuplicatePolicy,
    layout: CellLayout,
    epoch: u64,
    engine: Engine,
    /// `next_offset` in the store once all sealed deltas are committed.
    from: Offset,
    next: Offset,
    leader_epoch: i32,
    counts: Counts,
    /// Increments, region-major.
    cells: Vec<i64>,
    touched: Vec<bool>,
    timeline: Timeline,
    seen: SeenVoters,
    fresh: Unpacked,
    rejects: Vec<(Offset, RejectReason)>,
    ledger: LedgerHasher,
    /// Votes judged, to be looked up together.
    group: Vec<Vote>,
    near: Near,
}

impl PartitionCount {
    /// Goes on from what the store holds. `seen` must hold exactly the voters of the partition's rows.
    pub fn new(
        election: &Election,
        state: PartitionState,
        seen: SeenVoters,
        (partitions, partitioners): (u32, PartitionerSet),
        misrouted: Misrouted,
    ) -> Self {
        let layout = election.layout();
        let progress = state.progress;
        let counts = Counts {
            counted: progress.counted,
            duplicate: progress.duplicate,
            rejected: progress.rejected,
            skipped: progress.skipped,
        };
        Self {
            partition: progress.partition,
            partitions,
            partitioners,
            misrouted,
            policy: election.duplicate,
            layout,
            epoch: progress.epoch,
            engine: progress.engine,
            from: progress.next_offset,
            next: progress.next_offset,
            leader_epoch: progress.leader_epoch,
            counts: Counts::default(),
            cells: vec![0; layout.cells() * election.region_rows()],
            touched: vec![false; election.region_rows()],
            timeline: Timeline::new(layout.candidates, counts, state.totals, progress.minute),
            seen,
            fresh: Unpacked::default(),
            rejects: Vec::new(),
            ledger: LedgerHasher::new(progress.next_offset, state.chain),
            group: Vec::with_capacity(NEAR_GROUP),
            near: Near::default(),
        }
    }

    /// First offset of the open leaf's records that must be fed to [`Self::rebuild`] before counting goes on.
    pub fn rebuild_from(start: Offset, next: Offset) -> Offset {
        start.max(Offset(next.0 / LEAF_OFFSETS * LEAF_OFFSETS))
    }

    /// Feeds one already counted record of the open leaf to the ledger again.
    pub fn rebuild(&mut self, parser: &mut EventParser, record: &Record<'_>) {
        // A misrouted vote was counted as a reject, or counting would have stopped there.
        drop(self.judge(parser, record));
    }

    /// Checks the rebuilt leaf against the stored one.
    pub fn rebuilt(&mut self, stored: &OpenLeaf) -> Result<(), FoldError> {
        let (partition, to) = (self.partition, self.next);
        let from = Offset(to.0 / LEAF_OFFSETS * LEAF_OFFSETS);
        if self.ledger.open() == *stored {
            Ok(())
        } else {
            Err(FoldError::LedgerDiffers { partition, from, to })
        }
    }

    /// Tells the fold the worker's clock: moments further ahead than five minutes are placed at it on the timeline.
    pub fn set_clock(&mut self, now: Millis) {
        self.timeline.set_clock(now);
    }

    /// Counts one record. Offsets between the last record and this one hold no record and are skipped.
    pub fn record(&mut self, parser: &mut EventParser, record: &Record<'_>) -> Result<(), FoldError> {
        self.skip_to(record.offset)?;
        match self.judge(parser, record) {
            Ok(vote) => self.voted(vote),
            Err(Judged::Reject(reason)) => self.rejected(record.offset, reason),
            Err(Judged::Stop(error)) => return Err(error),
        }
        self.next = record.offset.plus(1);
        Ok(())
    }

    fn voted(&mut self, vote: Vote) {
        self.group.push(vote);
        if self.group.len() == NEAR_GROUP {
            self.settle();
        }
    }

    fn rejected(&mut self, offset: Offset, reason: RejectReason) {
        // In order: votes before this record move the timeline first.
        self.settle();
        self.counts.rejected += 1;
        self.timeline.reject();
        self.rejects.push((offset, reason));
    }

    /// Ends a batch: all offsets below `end` have been seen. `leader_epoch` is the batch's.
    pub fn end_batch(&mut self, end: Offset, leader_epoch: i32) -> Result<(), FoldError> {
        self.settle();
        self.skip_to(end)?;
        self.leader_epoch = leader_epoch;
        Ok(())
    }

    fn skip_to(&mut self, offset: Offset) -> Result<(), FoldError> {
        if offset == self.next {
            return Ok(());
        }
        let (partition, expected) = (self.partition, self.next);
        let gap = offset.0.checked_sub(expected.0).ok_or(FoldError::Order { partition, offset, expected })?;
        // In order: votes before the gap move the timeline first.
        self.settle();
        self.counts.skipped += gap;
        self.timeline.skip(gap);
        self.next = offset;
        Ok(())
    }

    /// Judges a record and writes its ledger row.
    fn judge(&mut self, parser: &mut EventParser, record: &Record<'_>) -> Result<Vote, Judged> {
        let judged = parser.judge(record.value, record.timestamp, record.oversize);
        let reason = match judged {
            Ok(vote) if self.belongs(parser, vote.voter, record) => {
                self.ledger.vote(record.offset, &vote.ledger_row());
                return Ok(vote);
            }
            Ok(_) if self.misrouted == Misrouted::Stop => {
                return Err(Judged::Stop(FoldError::Misrouted {
                    partition: self.partition,
                    offset: record.offset,
                }));
            }
            Ok(_) => RejectReason::Misrouted,
            Err(reason) => reason,
        };
        self.ledger.reject(record.offset, reason, &crate::archived::digest(record.value.unwrap_or_default()));
        Err(Judged::Reject(reason))
    }

    /// Whether a partitioner is left that puts the voter here; narrows the set to those.
    #[inline]
    fn belongs(&mut self, parser: &EventParser, voter: VoterKey, record: &Record<'_>) -> bool {
        let place = (self.partition, self.partitions);
        let left = agreeing(parser, (voter, record), place, self.partitioners);
        if left.is_empty() {
            return false;
        }
        self.partitioners = left;
        true
    }

    /// Looks a group of votes up together and counts them in order.
    fn settle(&mut self) {
        let group = std::mem::take(&mut self.group);
        let mut near = std::mem::take(&mut self.near);
        self.seen.bring_near(group.iter().map(|vote| vote.voter), &mut near);
        for (place, vote) in group.iter().enumerate() {
            self.count(vote, (&near, place));
        }
        self.near = near;
        self.group = group;
        self.group.clear();
    }

    fn count(&mut self, vote: &Vote, near: (&Near, usize)) {
        let region = usize::from(vote.region.0);
        let cell = region * self.layout.cells() + self.layout.index(vote.candidate, vote.gender, vote.band);
        let candidate = usize::from(vote.candidate.0);
        self.timeline.advance(vote.moment);
        match (self.seen.insert_near(near, vote.voter, cell as u32), self.policy) {
            (Insertion::New, _) => {
                self.counts.counted += 1;
                self.timeline.counted(region, candidate);
                self.add(region, cell, 1);
                self.remember(vote.voter, cell as u32);
            }
            (Insertion::Known(_), DuplicatePolicy::First) => {
                self.counts.duplicate += 1;
                self.timeline.duplicate();
            }
            (Insertion::Known(old), DuplicatePolicy::Last) => {
                self.counts.duplicate += 1;
                self.timeline.duplicate();
                let old = old as usize;
                if old != cell {
                    let was = old / self.layout.cells();
                    self.add(was, old, -1);
                    self.add(region, cell, 1);
                    self.timeline.replaced(
                        was,
                        self.layout.candidate_of(old % self.layout.cells()),
                        region,
                        candidate,
                    );
                    self.remember(vote.voter, cell as u32);
                }
            }
        }
    }

    fn add(&mut self, region: usize, cell: usize, n: i64) {
        self.cells[cell] += n;
        self.touched[region] = true;
    }

    fn remember(&mut self, voter: VoterKey, cell: u32) {
        let last = self.policy == DuplicatePolicy::Last;
        match voter {
            VoterKey::Integer(id) => {
                self.fresh.integers.push(id);
                if last {
                    self.fresh.integer_cells.push(cell);
                }
            }
            VoterKey::Text(key) => {
                self.fresh.texts.push(key);
                if last {
                    self.fresh.text_cells.push(cell);
                }
            }
        }
    }

    /// Seals what was counted since the last seal; `None` where nothing was. Call it between batches only.
    pub fn seal(&mut self, log_end: Offset) -> Option<PartitionDelta> {
        self.settle();
        if self.next == self.from {
            return None;
        }
        self.ledger.advance_to(self.next);
        let leaves = self.ledger.take_sealed();
        self.fresh.sort();
        let seen = pack(&self.fresh);
        self.fresh.clear();
        let delta = PartitionDelta {
            partition: self.partition,
            fence: Fence { from: self.from, epoch: self.epoch, engine: self.engine },
            to: self.next,
            leader_epoch: self.leader_epoch,
            counts: std::mem::take(&mut self.counts),
            tally: self.take_tally(),
            timeline: self.timeline.take(),
            seen,
            outside: 0,
            rejects: std::mem::take(&mut self.rejects),
            leaves,
            open_leaf: Some(self.ledger.open()),
            minute: self.timeline.minute(),
            log_end: log_end.max(self.next),
            partitioners: self.partitioners,
        };
        self.from = self.next;
        Some(delta)
    }

    fn take_tally(&mut self) -> Vec<(RegionIx, Vec<i64>)> {
        let cells = self.layout.cells();
        let mut tally = Vec::new();
        for (region, touched) in self.touched.iter_mut().enumerate() {
            if std::mem::take(touched) {
                let row = &mut self.cells[region * cells..(region + 1) * cells];
                tally.push((RegionIx(region as u16), row.to_vec()));
                row.fill(0);
            }
        }
        tally
    }

    /// Which partition this is.
    pub fn partition(&self) -> PartitionId {
        self.partition
    }

    /// First offset not yet handed in.
    pub fn next(&self) -> Offset {
        self.next
    }

    /// Records in the open delta.
    pub fn open_records(&self) -> u64 {
        self.counts.records() + self.group.len() as u64
    }

    /// The open delta is close to one of its bounds.
    pub fn crowded(&self) -> bool {
        self.rejects.len() >= REJECTS_MAX || self.timeline.crowded()
    }

    /// The ledger's open leaf as far as handed in.
    pub fn open_leaf(&mut self) -> OpenLeaf {
        self.ledger.open()
    }

    /// The voters remembered.
    pub fn seen(&self) -> &SeenVoters {
        &self.seen
    }

    /// The partitioners that every valid vote so far agrees with.
    pub fn partitioners_left(&self) -> PartitionerSet {
        self.partitioners
    }

    /// Records under this epoch from now on (a flush had to be applied again).
    pub fn set_epoch(&mut self, epoch: u64) {
        self.epoch = epoch;
    }
}

enum Judged {
    Reject(RejectReason),
    Stop(FoldError),
}
