//! What a flush goes on from besides offsets and tallies: rejects by reason, the last row of rejects, the ledger's head. Pure; loading
//! and writing it are the backends' business.
//!
//! **Invariant:** a tail is used only under the fence it was loaded or left at, and is dropped when a transaction that used it fails.

use crate::balance::unbalanced;
use crate::error::StoreError;
use crate::pack::{self, Reasons};
use votestream_election::Offset;
use votestream_election::delta::{LedgerSeal, OpenLeaf, PartitionDelta};
use votestream_election::ledger::{self, Digest, LEAF_OFFSETS};

/// A row of rejects is added to until it is this long.
const REJECTED_BYTES: usize = 3_000;

/// The end of one partition as committed.
#[derive(Clone)]
pub(crate) struct Tail {
    pub(crate) reasons: Reasons,
    /// Number of the next leaf to seal, and the chain up to it.
    pub(crate) leaf: u64,
    pub(crate) chain: Digest,
    /// The leaf begun, as far as hashed.
    pub(crate) open: OpenLeaf,
    /// How far the ledger is hashed, where that is less than is counted.
    pub(crate) sealed: Option<Offset>,
    pub(crate) rejected: Option<RejectedRow>,
}

/// A row of `rejected`.
#[derive(Clone)]
pub(crate) struct RejectedRow {
    pub(crate) from: Offset,
    /// Exclusive: one past the last reject in it.
    pub(crate) to: Offset,
    pub(crate) records: u64,
    /// Rejects by reason before this row.
    pub(crate) before: Reasons,
    pub(crate) packed: Vec<u8>,
}

/// Checks that hashed leaves go on from where a partition's ledger stands: the number of its next leaf and the chain before that. Returns
/// the chain after them.
pub(crate) fn chained(mut leaf: u64, mut before: Digest, seal: &LedgerSeal) -> Result<Digest, StoreError> {
    let wrong = |what, found: u64, expected: u64| {
        let partition = seal.partition;
        Err(StoreError::Unbalanced { partition, what, found: found.into(), expected: expected.into() })
    };
    for next in &seal.leaves {
        if next.number != leaf || next.chain != ledger::chain(&before, &next.digest) {
            return wrong("the next leaf of the ledger", next.number, leaf);
        }
        (leaf, before) = (leaf + 1, next.chain);
    }
    if leaf != seal.to.0 / LEAF_OFFSETS {
        return wrong("the open leaf of the ledger", leaf, seal.to.0 / LEAF_OFFSETS);
    }
    Ok(before)
}

impl Tail {
    /// Adds a delta's rejects by reason, and its leaves, which must go on from here without a gap; or leaves them pending.
    pub(crate) fn apply(&mut self, delta: &PartitionDelta) -> Result<(), StoreError> {
        delta.rejects.iter().for_each(|(_, reason)| self.reasons.add(*reason));
        let from = delta.fence.from;
        let Some(open) = &delta.open_leaf else {
            self.sealed.get_or_insert(from);
            return Ok(());
        };
        if let Some(sealed) = self.sealed {
            return unbalanced(delta, "how far the ledger was hashed", sealed.0.into(), from.0.into());
        }
        self.open.clone_from(open);
        for leaf in &delta.leaves {
            if leaf.number != self.leaf || leaf.chain != ledger::chain(&self.chain, &leaf.digest) {
                return unbalanced(
                    delta,
                    "the next leaf of the ledger",
                    leaf.number.into(),
                    self.leaf.into(),
                );
            }
            self.leaf += 1;
            self.chain = leaf.chain;
        }
        if self.leaf != delta.to.0 / LEAF_OFFSETS {
            return unbalanced(
                delta,
                "the open leaf of the ledger",
                self.leaf.into(),
                (delta.to.0 / LEAF_OFFSETS).into(),
            );
        }
        Ok(())
    }

    /// Adds a delta's rejects to the rows of rejects; returns the rows to write. `before`: rejects by reason before the delta.
    pub(crate) fn rejected_rows(&mut self, before: &Reasons, delta: &PartitionDelta) -> Vec<RejectedRow> {
        let mut rows = Vec::new();
        let mut before = before.clone();
        for (offset, reason) in &delta.rejects {
            if let Some(full) = self.rejected.take_if(|t| t.packed.len() >= REJECTED_BYTES)
                && full.to > delta.fence.from
            {
                rows.push(full);
            }
            let row = self.rejected.get_or_insert_with(|| RejectedRow {
                from: *offset,
                to: *offset,
                records: 0,
                before: before.clone(),
                packed: Vec::new(),
            });
            let last = if row.records == 0 { *offset } else { Offset(row.to.0 - 1) };
            pack::put_reject(&mut row.packed, last, *offset, *reason);
            row.to = offset.plus(1);
            row.records += 1;
            before.add(*reason);
        }
        if !delta.rejects.is_empty() {
            rows.extend(self.rejected.clone());
        }
        rows
    }
}
