//! What moves between the counting fold and the results store: progress, fences, sealed deltas, snapshots.
//! Types only; the fold that makes them is in `fold`, the SQL that keeps them in `votestream-store`.

use crate::ids::{LogId, Millis, Minute, Offset, PartitionId, RegionIx};
use crate::ledger::{Digest, LEAF_OFFSETS, LeafSeal};
use crate::partitioner::PartitionerSet;
use crate::reject::RejectReason;
use serde::{Deserialize, Serialize};

/// Who counts: part of the fence, so that two engines never move one partition at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// This program's own loops.
    Native,
    /// Apache Spark, driven over Spark Connect.
    Spark,
}

/// What is pinned when an election is created in a store, and compared ever after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// `dir` or `kafka`.
    pub log_kind: String,
    /// The log's own identity.
    pub log_id: LogId,
    /// How many partitions the log has.
    pub partitions: u32,
    /// First offset of each partition that is counted, in partition order.
    pub start_offsets: Vec<Offset>,
    /// The partitioners that are still consistent with every valid vote counted.
    pub partitioners: PartitionerSet,
}

impl Pin {
    /// The log's partitions, in order.
    pub fn all(&self) -> Vec<PartitionId> {
        (0..self.partitions).map(PartitionId).collect()
    }
}

/// How far one partition is counted. counted + duplicate + rejected = records; records + skipped = next − start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which partition.
    pub partition: PartitionId,
    /// Raised by each takeover; a flush of an older epoch fails its fence.
    pub epoch: u64,
    /// Who counts it.
    pub engine: Engine,
    /// First offset that counts.
    pub start_offset: Offset,
    /// First offset not yet counted.
    pub next_offset: Offset,
    /// Leader epoch (embedded log: incarnation) of the last batch counted; −1 before the first.
    pub leader_epoch: i32,
    /// Votes that count: one a voter.
    pub counted: u64,
    /// Records of voters already counted.
    pub duplicate: u64,
    /// Records that are no vote.
    pub rejected: u64,
    /// Offsets that hold no record of ours.
    pub skipped: u64,
    /// Flushes committed.
    pub flushes: u64,
    /// Running maximum of the timeline's minutes; `None` before the first vote.
    pub minute: Option<Minute>,
    /// The log's end as this partition's worker last saw it: backlog = log_end − next_offset.
    pub log_end: Offset,
    /// How far the ledger is hashed, where an engine that cannot hash left leaves pending; `None`: as far as is counted.
    pub sealed: Option<Offset>,
    /// Voters who lie in files outside the store, as [`VoterFile`]s of the election.
    pub outside: u64,
}

impl Progress {
    /// A partition of which nothing is counted yet: from `start` on, under `epoch`, by this program's own loops.
    pub fn begin(partition: PartitionId, epoch: u64, start: Offset) -> Self {
        Self {
            partition,
            epoch,
            engine: Engine::Native,
            start_offset: start,
            next_offset: start,
            leader_epoch: -1,
            counted: 0,
            duplicate: 0,
            rejected: 0,
            skipped: 0,
            flushes: 0,
            minute: None,
            log_end: start,
            sealed: None,
            outside: 0,
        }
    }

    /// Records counted, duplicate or rejected.
    pub fn records(&self) -> u64 {
        self.counted + self.duplicate + self.rejected
    }

    /// Whether all that the native engine goes on from is in the store: voters, and a ledger hashed as far as is counted.
    pub fn is_inside(&self) -> bool {
        self.outside == 0 && self.sealed.is_none()
    }

    /// The fence of whoever goes on from here.
    pub fn fence(&self) -> Fence {
        Fence { from: self.next_offset, epoch: self.epoch, engine: self.engine }
    }

    /// How far the ledger is hashed.
    pub fn hashed_to(&self) -> Offset {
        self.sealed.unwrap_or(self.next_offset)
    }

    /// Leaves, the open one included, that are counted and not hashed, or not as far as counted.
    pub fn pending_leaves(&self) -> u64 {
        self.sealed.map_or(0, |sealed| self.next_offset.0.div_ceil(LEAF_OFFSETS) - sealed.0 / LEAF_OFFSETS)
    }
}

/// What must still be true in the store for a flush to be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence {
    /// `next_offset` as the worker believes it to be.
    pub from: Offset,
    /// The epoch under which the worker took the partition over.
    pub epoch: u64,
    /// Who counts.
    pub engine: Engine,
}

/// One partition's part of one flush: sealed, never decided again.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionDelta {
    /// Which partition.
    pub partition: PartitionId,
    /// What must still hold in the store.
    pub fence: Fence,
    /// The new `next_offset`.
    pub to: Offset,
    /// Leader epoch of the last batch counted.
    pub leader_epoch: i32,
    /// Increments of the progress row.
    pub counts: Counts,
    /// For each region with any change, the increments of its packed cells (layout: `CellLayout`), in region order.
    pub tally: Vec<(RegionIx, Vec<i64>)>,
    /// Timeline rows to insert or replace, ascending by minute.
    pub timeline: Vec<TimelineRow>,
    /// Voters first seen (under `last`: also changed) in this range.
    pub seen: Vec<SeenPart>,
    /// How many voters first seen in it lie in files outside the store instead, which the flush names.
    pub outside: u64,
    /// Rejects in offset order.
    pub rejects: Vec<(Offset, RejectReason)>,
    /// Leaves that this range completed, ascending.
    pub leaves: Vec<LeafSeal>,
    /// The leaf begun and not complete at `to`; replaces the stored one. `None`: this range is counted and not hashed, its leaves are
    /// pending until a [`LedgerSeal`] comes.
    pub open_leaf: Option<OpenLeaf>,
    /// The partition's running maximum minute at `to`.
    pub minute: Option<Minute>,
    /// The log's end as the worker saw it when it sealed this.
    pub log_end: Offset,
    /// Narrowed set of partitioners, if this range narrowed it.
    pub partitioners: PartitionerSet,
}

/// How the offsets of a range were accounted for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Votes that count.
    pub counted: u64,
    /// Records of voters already counted.
    pub duplicate: u64,
    /// Records that are no vote.
    pub rejected: u64,
    /// Offsets without a record of ours.
    pub skipped: u64,
}

impl Counts {
    /// Records counted, duplicate or rejected.
    pub fn records(&self) -> u64 {
        self.counted + self.duplicate + self.rejected
    }

    /// Adds another range's counts.
    pub fn add(&mut self, other: &Self) {
        self.counted += other.counted;
        self.duplicate += other.duplicate;
        self.rejected += other.rejected;
        self.skipped += other.skipped;
    }
}

/// One partition's cumulative totals at the end of a minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineRow {
    /// The minute that these totals close.
    pub minute: Minute,
    /// Cumulative counts of the partition.
    pub counts: Counts,
    /// Cumulative votes, region-major: `totals[region * candidates + candidate]`.
    pub totals: Vec<u64>,
}

/// A packed run of seen voters, at most 1 MB. Packing: `seen_pack`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenPart {
    /// How many entries it holds.
    pub entries: u64,
    /// The packed bytes.
    pub bytes: Vec<u8>,
}

/// The unfinished leaf of a partition's ledger, as far as counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenLeaf {
    /// Records in it so far.
    pub records: u64,
    /// Digest over its rows so far.
    pub digest: Digest,
}

/// A file of voters outside the store. One that no transaction of the store names does not exist, whatever lies there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VoterFile {
    /// Its path below the place where the election's seen voters are kept.
    pub path: String,
    /// How many rows it has: voters, and under `last` changes of their votes.
    pub rows: u64,
    /// How many of its rows are of voters whom no earlier file names: of all files together, as many as voters lie outside.
    pub voters: u64,
}

/// Leaves that were pending, hashed by who can read the log: moves the ledger of a partition, and nothing else.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerSeal {
    /// Which partition.
    pub partition: PartitionId,
    /// Who counts it; `from`: how far the ledger was hashed.
    pub fence: Fence,
    /// How far it is now; at most the partition's next offset.
    pub to: Offset,
    /// Leaves that this completed, ascending.
    pub leaves: Vec<LeafSeal>,
    /// The leaf begun and not complete at `to`.
    pub open_leaf: OpenLeaf,
}

/// One row of the store's `seen` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenRow {
    /// First offset of the range in which these voters were first seen.
    pub from: Offset,
    /// Number of the part, where a range needs more than one row.
    pub part: u32,
    /// Exclusive end of the range.
    pub to: Offset,
    /// The packed voters.
    pub seen: SeenPart,
}

/// Everything a worker needs of a partition to go on counting; the seen voters are streamed apart.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionState {
    /// The progress row, under the raised epoch.
    pub progress: Progress,
    /// Cumulative votes, region-major, of this partition.
    pub totals: Vec<u64>,
    /// Chain value over the sealed leaves (zeros before the first) and how many they are.
    pub chain: Digest,
    /// Number of sealed leaves.
    pub leaves: u64,
    /// The open leaf as far as counted: the rebuilt one must equal it.
    pub open_leaf: OpenLeaf,
}

impl PartitionState {
    /// A partition with `progress` and none of so many `totals` (regions × candidates) and no leaf yet.
    pub fn begin(progress: Progress, totals: usize) -> Self {
        Self {
            progress,
            totals: vec![0; totals],
            chain: Digest::default(),
            leaves: 0,
            open_leaf: OpenLeaf::default(),
        }
    }
}

/// What became of a flush.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlushOutcome {
    /// All of it is committed.
    Committed {
        /// The store's sequence after it.
        sequence: u64,
    },
    /// Nothing was committed; these partitions failed their fence. Drop them and send the rest again.
    Fenced(Vec<PartitionId>),
}

/// What an election desk did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeskAction {
    /// Declared final: an embargoed region becomes public; what still comes is reported apart.
    Close,
    /// Takes back a close or a hold.
    Reopen,
    /// Leaves every public answer until reopened.
    Hold,
}

/// One act of the desk, as kept in the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeskAct {
    /// Which act it was, counted from 1.
    pub number: u64,
    /// What was done.
    pub action: DeskAction,
    /// To which region's code; `None`: to the whole election.
    pub region: Option<String>,
    /// When, by the wall clock.
    pub at: Millis,
    /// Counted votes of that region (or of all) at that moment, so that later ones can be reported apart.
    pub counted: u64,
}

/// All that a page needs, read in one snapshot of the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The store's identity; changes when it is rebuilt from scratch.
    pub store_uuid: u128,
    /// Σ flushes + desk acts + releases: unique and monotone within a store.
    pub sequence: u64,
    /// Wall clock of the newest commit held here; `None` before the first.
    pub as_of: Option<Millis>,
    /// One row a partition, in partition order.
    pub progress: Vec<Progress>,
    /// Votes, region-major: `totals[region * candidates + candidate]`, summed over partitions.
    pub totals: Vec<u64>,
    /// The ledger's head of each partition, in partition order.
    pub ledger: Vec<LedgerHead>,
    /// Rejects so far by reason, only reasons that occurred.
    pub rejects: Vec<(RejectReason, u64)>,
    /// Acts of the desk, oldest first.
    pub desk: Vec<DeskAct>,
    /// `Some` for a past view: the minute asked for.
    pub at: Option<Minute>,
}

impl Snapshot {
    /// Whether the native engine can go on with every partition.
    pub fn is_inside(&self) -> bool {
        self.progress.iter().all(Progress::is_inside)
    }
}

/// A partition's ledger as far as counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerHead {
    /// Sealed leaves.
    pub leaves: u64,
    /// Chain value over them.
    pub chain: Digest,
    /// The open leaf.
    pub open: OpenLeaf,
}
