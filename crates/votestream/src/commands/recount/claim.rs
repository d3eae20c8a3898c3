//! What the store claims, read so that all of it is of one moment. Who compares it is `recount`.

use anyhow::{Result, bail};
use votestream_election::delta::Snapshot;
use votestream_election::recount::RejectDigest;
use votestream_election::{Election, Offset, PartitionId};
use votestream_engine::recount::Claim;
use votestream_store::{ReaderStore, SeenReader};

/// What the store claims, all of one moment: read again where somebody commits meanwhile. Of the lists of rejects only what lies at
/// `rows_from` or later is claimed, where the records before it are not there to be compared.
pub(in crate::commands) fn of_store(
    election: &Election,
    (store, seen): (&ReaderStore, &SeenReader),
    rows_from: &dyn Fn(PartitionId) -> Option<Offset>,
) -> Result<Claim> {
    for _ in 0..CLAIM_TRIES_MAX {
        let snapshot = store.snapshot(&election.id)?;
        let each = snapshot.progress.iter().map(|p| store.leaves(&election.id, p.partition));
        let leaves = each.collect::<Result<_, _>>()?;
        let claim = Claim {
            stored: true,
            pin: store.pin(&election.id)?,
            cells: seen.full_cells(&election.id)?,
            leaves,
            reject_lists: reject_lists(election, store, &snapshot, rows_from)?,
            snapshot,
        };
        if store.sequence(&election.id)? == claim.snapshot.sequence {
            return Ok(claim);
        }
    }
    bail!("the store changes too fast to be compared; recount when counting is less busy, or stop it first")
}

/// The store's rejects, partition by partition.
fn reject_lists(
    election: &Election,
    store: &ReaderStore,
    snapshot: &Snapshot,
    rows_from: &dyn Fn(PartitionId) -> Option<Offset>,
) -> Result<Vec<RejectDigest>> {
    let from: Vec<Offset> =
        snapshot.progress.iter().map(|p| rows_from(p.partition).unwrap_or(Offset(0))).collect();
    let mut lists = vec![RejectDigest::default(); snapshot.progress.len()];
    let mut after = None;
    loop {
        let page = store.rejects(&election.id, REJECTS_A_PAGE, after)?;
        for (partition, offset, reason) in &page {
            let place = partition.0 as usize;
            if let Some(list) = lists.get_mut(place).filter(|_| *offset >= from[place]) {
                list.add(*offset, *reason);
            }
        }
        match page.last() {
            Some((partition, offset, _)) if page.len() == REJECTS_A_PAGE => {
                after = Some((*partition, *offset));
            }
            _ => return Ok(lists),
        }
    }
}

/// Rejects read at once.
const REJECTS_A_PAGE: usize = 100_000;

/// Times that a store which changes while it is read is read again.
const CLAIM_TRIES_MAX: u32 = 1_000;
