//! What stretches come to, applied in order: one vote a voter, and in the first pass rejects, gaps and the ledger.

use super::{Stretch, VoterPart, mixed};
use crate::delta::{Counts, LedgerHead};
use crate::election::{DuplicatePolicy, Election};
use crate::ids::Offset;
use crate::ledger::{ContentHasher, Digest, LeafSeal, LedgerHasher};
use crate::reject::RejectReason;
use crate::seen::{Insertion, NEAR_GROUP, Near, SeenVoters};
use crate::voter::VoterKey;

/// One pass over one partition.
pub struct PassTally {
    part: VoterPart,
    policy: DuplicatePolicy,
    seen: SeenVoters,
    next: Offset,
    seed: u64,
    plain: Plain,
}

/// What a partition comes to, or one pass over it; passes add up.
#[derive(Clone, Debug, Default)]
pub struct Plain {
    /// Votes counted and duplicates of all passes; rejects and gaps of the first.
    pub counts: Counts,
    /// Votes by region and cell, region-major.
    pub cells: Vec<i64>,
    /// A sum over the voters counted, whatever their order. Under the same seed the same voters give the same sum.
    pub voters: u128,
    /// What the first pass saw beside voters.
    pub first: FirstPass,
}

/// What belongs to no voter: only the first pass looks at it.
#[derive(Clone, Debug, Default)]
pub struct FirstPass {
    /// Rejects by reason, only reasons that occurred.
    pub rejects: Vec<(RejectReason, u64)>,
    /// The list of rejects.
    pub reject_list: RejectDigest,
    /// Sealed leaves.
    pub leaves: Vec<LeafSeal>,
    /// The ledger's head.
    pub head: LedgerHead,
}

/// What a partition's records before the first that is counted again are known to come to; who was counted of them is handed over
/// voter by voter.
#[derive(Clone, Debug, Default)]
pub struct Carried {
    /// All of these.
    pub counts: Counts,
    /// Votes by region and cell, region-major.
    pub cells: Vec<i64>,
    /// Rejects by reason, only reasons that occurred.
    pub rejects: Vec<(RejectReason, u64)>,
    /// Their leaves: they end where one does.
    pub leaves: Vec<LeafSeal>,
}

/// A list of rejects as a number and a digest, so that two lists can be compared without holding either.
#[derive(Clone, Debug, Default)]
pub struct RejectDigest {
    /// How many.
    pub rejects: u64,
    hasher: ContentHasher,
}

impl RejectDigest {
    /// Adds the next reject, in offset order.
    pub fn add(&mut self, offset: Offset, reason: RejectReason) {
        self.rejects += 1;
        self.hasher.update(&offset.0.to_le_bytes());
        self.hasher.update(&[reason as u8]);
    }

    /// A digest of the list.
    pub fn digest(&self) -> u64 {
        self.hasher.finish()
    }
}

impl PassTally {
    /// A pass over the voters of `part`, from `start` on. So many voters with integer ids, and with texts, are expected. `seed`
    /// spreads the table's slots.
    pub fn new(
        election: &Election,
        (start, part): (Offset, VoterPart),
        (integers, texts): (u64, u64),
        seed: u64,
    ) -> Self {
        let cells = vec![0; election.layout().cells() * election.region_rows()];
        let open = LedgerHasher::new(start, Digest::default()).open();
        let first = FirstPass { head: LedgerHead { open, ..LedgerHead::default() }, ..FirstPass::default() };
        Self {
            part,
            policy: election.duplicate,
            seen: SeenVoters::with_room(election.duplicate, (integers, texts), seed),
            next: start,
            seed,
            plain: Plain { cells, first, ..Plain::default() },
        }
    }

    /// Begins with what is carried, before any stretch.
    pub fn carry(&mut self, carried: &Carried) {
        if !self.part.is_first() {
            return;
        }
        let Plain { counts, cells, first, .. } = &mut self.plain;
        counts.add(&carried.counts);
        cells.iter_mut().zip(&carried.cells).for_each(|(sum, cell)| *sum += cell);
        first.rejects.clone_from(&carried.rejects);
        first.leaves.clone_from(&carried.leaves);
        first.head.leaves = carried.leaves.len() as u64;
        first.head.chain = carried.leaves.last().map_or(Digest::default(), |leaf| leaf.chain);
    }

    /// One of those who were counted in what is carried: whatever comes of them is a duplicate.
    pub fn carry_voter(&mut self, voter: VoterKey) {
        if self.part.holds(voter) && matches!(self.seen.insert(voter, 0), Insertion::New) {
            self.plain.voters = self.plain.voters.wrapping_add(voter_sum(voter, self.seed));
        }
    }

    /// Offset of the stretch that comes next.
    pub fn next(&self) -> Offset {
        self.next
    }

    /// Bytes of memory that the voters take.
    pub fn bytes(&self) -> u64 {
        self.seen.bytes()
    }

    /// Applies the next stretch, which must begin where the last one ended.
    pub fn apply(&mut self, stretch: &mut Stretch) {
        assert_eq!(stretch.from, self.next, "stretches are applied in order");
        self.next = stretch.to;
        if self.part.is_first() {
            self.first(stretch);
        }
        let mut near = Near::default();
        for group in stretch.integers.chunks(NEAR_GROUP) {
            self.group(group.iter().map(|(id, cell)| (VoterKey::Integer(*id), *cell)), &mut near);
        }
        for group in stretch.texts.chunks(NEAR_GROUP) {
            self.group(group.iter().map(|(key, cell)| (VoterKey::Text(*key), *cell)), &mut near);
        }
    }

    /// Looks a group of votes up together and counts them in order.
    fn group(&mut self, votes: impl Iterator<Item = (VoterKey, u32)> + Clone, near: &mut Near) {
        self.seen.bring_near(votes.clone().map(|(voter, _)| voter), near);
        for (place, (voter, cell)) in votes.enumerate() {
            self.count((near, place), voter, cell);
        }
    }

    #[inline]
    fn count(&mut self, near: (&Near, usize), voter: VoterKey, cell: u32) {
        match (self.seen.insert_near(near, voter, cell), self.policy) {
            (Insertion::New, _) => {
                self.plain.counts.counted += 1;
                self.plain.cells[cell as usize] += 1;
                self.plain.voters = self.plain.voters.wrapping_add(voter_sum(voter, self.seed));
            }
            (Insertion::Known(_), DuplicatePolicy::First) => self.plain.counts.duplicate += 1,
            (Insertion::Known(old), DuplicatePolicy::Last) => {
                self.plain.counts.duplicate += 1;
                self.plain.cells[old as usize] -= 1;
                self.plain.cells[cell as usize] += 1;
            }
        }
    }

    fn first(&mut self, stretch: &mut Stretch) {
        let Plain { counts, first, .. } = &mut self.plain;
        counts.rejected += stretch.rejects.len() as u64;
        counts.skipped += stretch.to.0 - stretch.from.0 - stretch.records();
        for (offset, reason) in &stretch.rejects {
            first.reject_list.add(*offset, *reason);
            match first.rejects.iter_mut().find(|(r, _)| r == reason) {
                Some((_, n)) => *n += 1,
                None => first.rejects.push((*reason, 1)),
            }
        }
        let (leaves, open) = stretch.leaves(first.head.chain);
        if let Some(last) = leaves.last() {
            first.head.chain = last.chain;
        }
        first.head.leaves += leaves.len() as u64;
        first.head.open = open;
        first.leaves.extend(leaves);
    }

    /// What the pass came to.
    pub fn finish(self) -> Plain {
        self.plain
    }
}

impl Plain {
    /// Adds another pass over the same partition, over the voters of `part`.
    pub fn add(&mut self, other: Self, part: VoterPart) {
        self.counts.add(&other.counts);
        if self.cells.is_empty() {
            self.cells = other.cells;
        } else {
            self.cells.iter_mut().zip(other.cells).for_each(|(sum, cell)| *sum += cell);
        }
        self.voters = self.voters.wrapping_add(other.voters);
        if part.is_first() {
            self.first = other.first;
        }
    }
}

/// A voter's share of the sum over voters. Without the seed nobody can choose voters whose shares cancel out.
pub fn voter_sum(voter: VoterKey, seed: u64) -> u128 {
    let (kind, folded) = match voter {
        VoterKey::Integer(id) => (0, id),
        VoterKey::Text(key) => (0xa076_1d64_78bd_642f, (key >> 64) as u64 ^ key as u64),
    };
    let second = seed ^ kind ^ 0x5851_f42d_4c95_7f2d;
    u128::from(mixed(folded, seed ^ kind)) << 64 | u128::from(mixed(folded, second))
}
