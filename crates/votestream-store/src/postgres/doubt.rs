//! A commit whose answer was lost: raising the epoch waits for the transaction in doubt, tells how it ended, and kills any late copy of it.

use super::Writer;
use super::elections::{Known, signed};
use super::link::Session;
use super::{raise, rows};
use crate::compaction::Group;
use crate::error::StoreError;
use votestream_election::Offset;
use votestream_election::delta::{FlushOutcome, PartitionDelta};
use votestream_election::protocol::{Resolution, resolve_commit};

/// Epochs of a partition that are this writer's own: the one under which it took the partition over, and the last it raised it to since.
#[derive(Clone, Copy)]
pub(super) struct Claim {
    pub(super) taken: u64,
    pub(super) raised: u64,
}

impl Writer {
    /// What became of a delta whose flush was answered with an error. Deltas sealed under the older epoch stay good here: the epoch was
    /// raised by this writer itself.
    pub(crate) fn resolve(&mut self, id: &str, delta: &PartitionDelta) -> Result<Resolution, StoreError> {
        let known = self.known(id)?;
        self.resolve_known(&known, delta)
    }

    fn resolve_known(&mut self, known: &Known, delta: &PartitionDelta) -> Result<Resolution, StoreError> {
        let key = (known.number, delta.partition.0);
        self.bases.remove(&key);
        let claim = self.claims.get(&key).copied();
        let held = claim.map_or(delta.fence.epoch, |c| c.raised.max(delta.fence.epoch));
        let engine = rows::engine_name(delta.fence.engine);
        // Over a new connection, the old one being hung up: what it still has under way can only come late, and fails its fence.
        let raised = raise::patiently(self.link.get_mut(), &async |session: &Session| {
            let partition = signed(delta.partition.0)?;
            let params = [&known.number as _, &partition as _, &(held as i64) as _, &engine as _];
            let row = session.maybe(include_str!("sql/progress_resolve.sql"), &params).await?;
            row.map(|r| Ok((rows::unsigned(&r, 0)?, Offset(rows::unsigned(&r, 1)?)))).transpose()
        })?;
        self.doubts.remove(&key);
        let resolution = resolve_commit(delta.fence.from, delta.to, raised);
        let Some((raised, _)) = raised.filter(|_| resolution != Resolution::Reload) else {
            self.claims.remove(&key);
            self.groups.remove(&key);
            return Ok(resolution);
        };
        let taken = claim.map_or(delta.fence.epoch, |c| c.taken.min(delta.fence.epoch));
        self.claims.insert(key, Claim { taken, raised });
        if matches!(resolution, Resolution::Committed { .. })
            && let Some(groups) = self.groups.get_mut(&key)
            && groups.last().is_none_or(|last| last.to == delta.fence.from.0)
        {
            groups.push(Group::of(delta));
        }
        Ok(resolution)
    }

    /// Resolves those deltas that are in doubt before they are sent again. Returns those that are still to be sent, or what the whole
    /// flush comes to without sending anything.
    pub(super) fn settle<'d>(
        &mut self,
        known: &Known,
        deltas: &'d [PartitionDelta],
    ) -> Result<Result<Vec<&'d PartitionDelta>, FlushOutcome>, StoreError> {
        let (mut rest, mut fenced) = (Vec::with_capacity(deltas.len()), Vec::new());
        for delta in deltas {
            let doubt = self.doubts.get(&(known.number, delta.partition.0));
            if doubt != Some(&(delta.fence.from, delta.to)) {
                rest.push(delta);
                continue;
            }
            match self.resolve_known(known, delta)? {
                Resolution::Committed { .. } => {}
                Resolution::ApplyAgain { .. } => rest.push(delta),
                Resolution::Reload => fenced.push(delta.partition),
            }
        }
        if !fenced.is_empty() {
            return Ok(Err(FlushOutcome::Fenced(fenced)));
        }
        if rest.is_empty() && !deltas.is_empty() {
            return Ok(Err(FlushOutcome::Committed { sequence: self.sequence(known.number)? }));
        }
        Ok(Ok(rest))
    }
}
