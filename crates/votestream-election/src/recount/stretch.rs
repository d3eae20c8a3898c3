//! A judged stretch of one partition: the votes of one part's voters as (voter, cell), and in the first pass rejects and leaves.
//! What of it counts is decided when it is applied.

use super::{Judged, VoterPart};
use crate::cells::CellLayout;
use crate::delta::OpenLeaf;
use crate::ids::Offset;
use crate::ledger::{Digest, LEAF_OFFSETS, LeafSeal, LedgerHasher};
use crate::reject::RejectReason;
use crate::voter::VoterKey;

/// A stretch being filled or filled. Its memory is used again.
pub struct Stretch {
    pub(super) from: Offset,
    pub(super) to: Offset,
    part: VoterPart,
    layout: CellLayout,
    pub(super) integers: Vec<(u64, u32)>,
    pub(super) texts: Vec<(u128, u32)>,
    records: u64,
    pub(super) rejects: Vec<(Offset, RejectReason)>,
    ledger: Option<LedgerHasher>,
}

impl Stretch {
    /// An empty stretch of an election of this shape.
    pub fn new(layout: CellLayout) -> Self {
        Self {
            from: Offset(0),
            to: Offset(0),
            part: VoterPart::ALL,
            layout,
            integers: Vec::new(),
            texts: Vec::new(),
            records: 0,
            rejects: Vec::new(),
            ledger: None,
        }
    }

    /// Begins anew: the offsets `from..to`, of which the voters of `part` are kept. In a first pass `from` must be the partition's
    /// start or the first offset of a leaf.
    pub fn begin(&mut self, (from, to): (Offset, Offset), part: VoterPart) {
        (self.from, self.to, self.part, self.records) = (from, to, part, 0);
        self.integers.clear();
        self.texts.clear();
        self.rejects.clear();
        self.ledger = part.is_first().then(|| LedgerHasher::new(from, Digest::default()));
    }

    /// Takes the next record, in offset order.
    #[inline]
    pub fn push(&mut self, offset: Offset, judged: &Judged) {
        debug_assert!((self.from..self.to).contains(&offset), "a record outside of its stretch");
        self.records += 1;
        match judged {
            Judged::Vote(vote) => {
                if let Some(ledger) = &mut self.ledger {
                    ledger.vote(offset, &vote.ledger_row());
                }
                if self.part.holds(vote.voter) {
                    let cell = self.layout.index(vote.candidate, vote.gender, vote.band);
                    let cell = (usize::from(vote.region.0) * self.layout.cells() + cell) as u32;
                    match vote.voter {
                        VoterKey::Integer(id) => self.integers.push((id, cell)),
                        VoterKey::Text(key) => self.texts.push((key, cell)),
                    }
                }
            }
            Judged::Reject(reason, digest) => {
                if let Some(ledger) = &mut self.ledger {
                    ledger.reject(offset, *reason, digest);
                    self.rejects.push((offset, *reason));
                }
            }
        }
    }

    /// First offset.
    pub fn from(&self) -> Offset {
        self.from
    }

    /// The offset after the last.
    pub fn to(&self) -> Offset {
        self.to
    }

    /// Records pushed.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Votes of voters whose id is a text, and of those whose id is an integer.
    pub fn kinds(&self) -> (u64, u64) {
        (self.texts.len() as u64, self.integers.len() as u64)
    }

    /// The leaves that end in it, chained on `chain`, and the leaf that is open at its end. Of a first pass only.
    pub(super) fn leaves(&mut self, mut chain: Digest) -> (Vec<LeafSeal>, OpenLeaf) {
        let Some(ledger) = &mut self.ledger else { return (Vec::new(), OpenLeaf::default()) };
        ledger.advance_to(self.to);
        let mut leaves = ledger.take_sealed();
        for leaf in &mut leaves {
            chain = crate::ledger::chain(&chain, &leaf.digest);
            leaf.chain = chain;
        }
        (leaves, ledger.open())
    }

    /// Where a stretch that begins at `from` may end: after `leaves` leaves, or at `end`.
    pub fn end_of(from: Offset, leaves: u64, end: Offset) -> Offset {
        end.min(Offset((from.0 / LEAF_OFFSETS).saturating_add(leaves).saturating_mul(LEAF_OFFSETS)))
    }
}
