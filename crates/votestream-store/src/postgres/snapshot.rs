//! All that a page needs, read in one transaction: now, or as it was at the end of a minute. Never touches tallies or seen voters, on
//! which a reader has no right.

use super::fault::Done;
use super::history::{Past, past};
use super::link::Session;
use super::rows::{ProgressRow, add_votes};
use super::{audit, corrupt, desk, elections, rows};
use crate::pack::Reasons;
use votestream_election::delta::{LedgerHead, OpenLeaf, Progress, Snapshot};
use votestream_election::ledger::LEAF_OFFSETS;
use votestream_election::{Millis, Minute};

/// Reads a snapshot; `at` asks for a past view: of each partition the totals of its latest minute up to it. A past view has the
/// sequence of now (acts of the desk change it too), all acts of the desk, and of the ledger only leaves sealed by then.
pub(super) async fn snapshot(session: &Session, label: &str, id: &str, at: Option<Minute>) -> Done<Snapshot> {
    session.begin_snapshot().await?;
    let election = elections::row(session, label, id).await?;
    let found = session.rows(include_str!("sql/progress_all.sql"), &[&election.number]).await?;
    let found = found.iter().map(rows::progress).collect::<Done<Vec<_>>>()?;
    let flushes: u64 = found.iter().map(|r| r.progress.flushes).sum();
    let mut snapshot = Snapshot {
        store_uuid: elections::store_uuid(session).await?,
        sequence: flushes + election.desk_acts + election.releases,
        as_of: None,
        progress: Vec::with_capacity(found.len()),
        totals: Vec::new(),
        ledger: Vec::with_capacity(found.len()),
        rejects: Vec::new(),
        desk: desk::acts(session, election.number).await?,
        at,
    };
    let mut reasons = Reasons::default();
    for row in found {
        match at {
            None => add_now(&mut snapshot, &mut reasons, row)?,
            Some(at) => add_past(session, election.number, &mut snapshot, &mut reasons, &row, at).await?,
        }
    }
    if at.is_none() {
        snapshot.as_of = snapshot.as_of.max(as_of_acts(session, election.number).await?);
    }
    session.commit().await?;
    snapshot.rejects = reasons.occurred();
    Ok(snapshot)
}

fn add_now(snapshot: &mut Snapshot, reasons: &mut Reasons, row: ProgressRow) -> Done<()> {
    add_votes(&row.totals, &mut snapshot.totals)?;
    reasons.merge(&row.reasons);
    snapshot.as_of = snapshot.as_of.max(row.as_of);
    snapshot.progress.push(row.progress);
    snapshot.ledger.push(row.ledger);
    Ok(())
}

async fn add_past(
    session: &Session,
    number: i32,
    snapshot: &mut Snapshot,
    reasons: &mut Reasons,
    row: &ProgressRow,
    at: Minute,
) -> Done<()> {
    let partition = row.progress.partition.0 as i32;
    let Some(past) = past(session, number, partition, at).await? else {
        // Nothing yet: zeros of the right length.
        add_votes(&vec![0; row.totals.len()], &mut snapshot.totals)?;
        snapshot.progress.push(as_it_was(&row.progress, None));
        snapshot.ledger.push(LedgerHead { open: OpenLeaf::default(), ..LedgerHead::default() });
        return Ok(());
    };
    add_votes(&past.totals, &mut snapshot.totals)?;
    snapshot.as_of = snapshot.as_of.max(Some(past.as_of));
    let progress = as_it_was(&row.progress, Some(&past));
    reasons.merge(&audit::reasons_of_first(session, number, &progress).await?);
    let first = row.progress.start_offset.0 / LEAF_OFFSETS;
    let leaves = (progress.next_offset.0 / LEAF_OFFSETS - first).min(row.ledger.leaves);
    let mut head = LedgerHead { leaves, ..LedgerHead::default() };
    if let Some(last) = leaves.checked_sub(1) {
        let leaf = audit::leaf(session, number, partition, first + last).await?;
        head.chain = leaf.ok_or_else(|| corrupt("the ledger of a partition"))?.chain;
    }
    snapshot.progress.push(progress);
    snapshot.ledger.push(head);
    Ok(())
}

/// The progress row as it was when a minute closed; before the first, with nothing counted.
fn as_it_was(now: &Progress, past: Option<&Past>) -> Progress {
    let counts = past.map(|p| p.counts).unwrap_or_default();
    let next_offset = now.start_offset.plus(counts.records() + counts.skipped);
    Progress {
        next_offset,
        sealed: now.sealed.filter(|sealed| *sealed < next_offset),
        counted: counts.counted,
        duplicate: counts.duplicate,
        rejected: counts.rejected,
        skipped: counts.skipped,
        minute: past.map(|p| p.minute),
        ..now.clone()
    }
}

/// Wall clock of the newest act of the desk or release.
async fn as_of_acts(session: &Session, number: i32) -> Done<Option<Millis>> {
    let row = session.row(include_str!("sql/as_of_acts.sql"), &[&number]).await?;
    let at: i64 = rows::get(&row, 0)?;
    Ok((at != 0).then_some(Millis(at)))
}
