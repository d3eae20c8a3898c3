//! Hashing what another engine counted: a fold that only writes ledger rows, for leaves that were left pending.

use super::PartitionCount;
use crate::delta::{Fence, LedgerSeal, PartitionState, Progress};
use crate::election::Election;
use crate::fold::Misrouted;
use crate::ids::Offset;
use crate::partitioner::PartitionerSet;
use crate::seen::SeenVoters;

impl PartitionCount {
    /// A fold for [`Self::rebuild`] alone: it goes on from where the partition's ledger is hashed to, and remembers no voter. The records of
    /// the open leaf come first; [`Self::rebuilt`] then says whether they are those that were hashed. A vote that does not belong
    /// on the partition was counted as a reject, or counting would have stopped there.
    pub fn hashing(
        election: &Election,
        state: &PartitionState,
        (partitions, partitioners): (u32, PartitionerSet),
    ) -> Self {
        let next_offset = state.progress.hashed_to();
        let progress = Progress { next_offset, sealed: None, ..state.progress.clone() };
        let state = PartitionState { progress, ..state.clone() };
        let seen = SeenVoters::new(election.duplicate, 0, 0);
        Self::new(election, state, seen, (partitions, partitioners), Misrouted::Reject)
    }

    /// What was hashed since the last call, all records below `to` having been fed to [`Self::rebuild`].
    pub fn take_hashed(&mut self, to: Offset) -> LedgerSeal {
        self.ledger.advance_to(to);
        let from = std::mem::replace(&mut self.next, to);
        let fence = Fence { from, epoch: self.epoch, engine: self.engine };
        let open_leaf = self.ledger.open();
        LedgerSeal { partition: self.partition, fence, to, leaves: self.ledger.take_sealed(), open_leaf }
    }
}
