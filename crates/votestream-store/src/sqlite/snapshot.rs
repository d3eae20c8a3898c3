//! All that a page needs, read in one transaction: now, or as it was at the end of a minute.

use super::fault::Done;
use super::history::{Past, past};
use super::rows::ProgressRow;
use super::{audit, corrupt, desk, elections, rows};
use crate::pack::{self, Reasons};
use rusqlite::Connection;
use votestream_election::delta::{LedgerHead, OpenLeaf, Progress, Snapshot};
use votestream_election::ledger::LEAF_OFFSETS;
use votestream_election::{Millis, Minute};

/// Reads a snapshot; `at` asks for a past view: of each partition the totals of its latest minute up to it. A past view has the
/// sequence of now (acts of the desk change it too), all acts of the desk, and of the ledger only leaves sealed by then.
pub(super) fn snapshot(conn: &Connection, label: &str, id: &str, at: Option<Minute>) -> Done<Snapshot> {
    let tx = conn.unchecked_transaction()?;
    let election = elections::row(&tx, label, id)?;
    let rows = rows::all(&tx, election.number)?;
    let flushes: u64 = rows.iter().map(|r| r.progress.flushes).sum();
    let mut snapshot = Snapshot {
        store_uuid: elections::store_uuid(&tx)?,
        sequence: flushes + election.desk_acts + election.releases,
        as_of: None,
        progress: Vec::with_capacity(rows.len()),
        totals: Vec::new(),
        ledger: Vec::with_capacity(rows.len()),
        rejects: Vec::new(),
        desk: desk::acts(&tx, election.number)?,
        at,
    };
    let mut reasons = Reasons::default();
    for row in rows {
        match at {
            None => add_now(&mut snapshot, &mut reasons, row)?,
            Some(at) => add_past(&tx, election.number, &mut snapshot, &mut reasons, &row, at)?,
        }
    }
    if at.is_none() {
        snapshot.as_of = snapshot.as_of.max(as_of_acts(&tx, election.number)?);
    }
    snapshot.rejects = reasons.occurred();
    tx.commit()?;
    Ok(snapshot)
}

fn add_now(snapshot: &mut Snapshot, reasons: &mut Reasons, row: ProgressRow) -> Done<()> {
    add_totals(snapshot, &row.totals)?;
    reasons.merge(&row.reasons);
    snapshot.as_of = snapshot.as_of.max(row.as_of);
    snapshot.progress.push(row.progress);
    snapshot.ledger.push(row.ledger);
    Ok(())
}

fn add_past(
    conn: &Connection,
    number: i64,
    snapshot: &mut Snapshot,
    reasons: &mut Reasons,
    row: &ProgressRow,
    at: Minute,
) -> Done<()> {
    let partition = row.progress.partition;
    let Some(past) = past(conn, number, partition, at)? else {
        // Nothing yet: zeros of the right length.
        let places = pack::read_numbers(&row.totals).ok_or_else(|| corrupt("a partition's totals"))?.len();
        add_totals(snapshot, &pack::numbers(std::iter::repeat_n(0, places)))?;
        snapshot.progress.push(as_it_was(&row.progress, None));
        snapshot.ledger.push(LedgerHead { open: OpenLeaf::default(), ..LedgerHead::default() });
        return Ok(());
    };
    add_totals(snapshot, &past.totals)?;
    snapshot.as_of = snapshot.as_of.max(Some(past.as_of));
    let progress = as_it_was(&row.progress, Some(&past));
    reasons.merge(&audit::reasons_of_first(conn, number, &progress)?);
    let first = row.progress.start_offset.0 / LEAF_OFFSETS;
    let leaves = (progress.next_offset.0 / LEAF_OFFSETS - first).min(row.ledger.leaves);
    let mut head = LedgerHead { leaves, ..LedgerHead::default() };
    if let Some(last) = leaves.checked_sub(1) {
        let leaf = audit::leaf(conn, number, partition.0, first + last)?;
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

fn add_totals(snapshot: &mut Snapshot, packed: &[u8]) -> Done<()> {
    pack::add_numbers(packed, &mut snapshot.totals).ok_or_else(|| corrupt("a partition's totals"))
}

/// Wall clock of the newest act of the desk or release.
fn as_of_acts(conn: &Connection, number: i64) -> Done<Option<Millis>> {
    let mut statement = conn.prepare_cached(include_str!("sql/as_of_acts.sql"))?;
    let at: i64 = statement.query_row([number], |r| r.get(0))?;
    Ok((at != 0).then_some(Millis(at)))
}
