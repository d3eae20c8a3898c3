//! Merging rows of seen voters: read and merged outside, then replaced in one short transaction under the partition's epoch.

use super::fault::Done;
use super::flush::fence_of;
use super::takeover::seen_row;
use super::{Writer, corrupt, rows};
use crate::balance::entries;
use crate::compaction::{Group, plan};
use crate::types::Compaction;
use rusqlite::{Connection, TransactionBehavior};
use votestream_election::delta::{SeenPart, SeenRow};
use votestream_election::election::DuplicatePolicy;
use votestream_election::{PartitionId, seen};

impl Writer {
    /// Partitions, of those taken over, with rows worth merging. Looks at memory only.
    pub(crate) fn compaction_due(&mut self, id: &str) -> Done<Vec<PartitionId>> {
        let number = self.known(id)?.number;
        let due = self.groups.iter().filter(|((n, _), groups)| *n == number && plan(groups).is_some());
        let mut due: Vec<_> = due.map(|((_, partition), _)| PartitionId(*partition)).collect();
        due.sort_unstable();
        Ok(due)
    }

    pub(crate) fn compact_seen(&mut self, id: &str, partition: PartitionId) -> Done<Compaction> {
        let known = self.known(id)?;
        let key = (known.number, partition.0);
        let Some(range) = self.groups.get(&key).and_then(|groups| plan(groups)) else {
            return Ok(Compaction::NotDue);
        };
        let groups = &self.groups[&key][range.clone()];
        let (first, last) = (groups[0], groups[groups.len() - 1]);
        let Some(fence) = fence_of(&self.conn, known.number, partition)? else {
            return Ok(Compaction::Superseded);
        };
        let old = read(&self.conn, key, first.from, last.to)?;
        let parts = merge(&old)?;
        let found: u64 = old.iter().map(|r| r.seen.entries).sum();
        let kept = entries(&parts);
        if kept > found || (known.shape.duplicate == DuplicatePolicy::First && kept != found) {
            return Err(corrupt("a row of seen voters"));
        }
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        crash_point!("store-compact-after-begin");
        let now = fence_of(&tx, known.number, partition)?;
        if now.is_none_or(|now| (now.0, now.1) != (fence.0, fence.1))
            || delete(&tx, key, first.from, last.to)? != ranges(&old)
        {
            tx.rollback()?;
            self.groups.remove(&key);
            return Ok(Compaction::Superseded);
        }
        crash_point!("store-compact-after-delete");
        insert(&tx, key, (first.from, last.to), &parts)?;
        crash_point!("store-compact-before-commit");
        tx.commit()?;
        crash_point!("store-compact-after-commit");
        let bytes = parts.iter().map(|p| p.bytes.len() as u64).sum();
        let merged = Group { from: first.from, to: last.to, rows: parts.len().max(1) as u32, bytes };
        if let Some(groups) = self.groups.get_mut(&key) {
            groups.splice(range, [merged]);
        }
        Ok(Compaction::Merged { rows_before: old.len() as u64, rows_after: merged.rows.into(), bytes })
    }
}

fn read(conn: &Connection, (number, partition): super::Key, from: u64, to: u64) -> Done<Vec<SeenRow>> {
    let mut statement = conn.prepare_cached(include_str!("sql/seen_rows.sql"))?;
    let rows = statement.query_map((number, partition, from as i64, to as i64), seen_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn merge(rows: &[SeenRow]) -> Done<Vec<SeenPart>> {
    let parts: Vec<&SeenPart> = rows.iter().map(|r| &r.seen).filter(|s| s.entries > 0).collect();
    seen::merge(&parts).map_err(|_| corrupt("a row of seen voters"))
}

/// What identifies rows: from, part, to, entries.
type Ranges = Vec<(u64, u32, u64, u64)>;

fn ranges(rows: &[SeenRow]) -> Ranges {
    rows.iter().map(|r| (r.from.0, r.part, r.to.0, r.seen.entries)).collect()
}

/// Deletes the rows of a range; returns which they were, in order.
pub(super) fn delete(conn: &Connection, (number, partition): super::Key, from: u64, to: u64) -> Done<Ranges> {
    let mut statement = conn.prepare_cached(include_str!("sql/seen_delete.sql"))?;
    let rows = statement.query_map((number, partition, from as i64, to as i64), |r| {
        Ok((rows::unsigned(r, 0)?, r.get(1)?, rows::unsigned(r, 2)?, rows::unsigned(r, 3)?))
    })?;
    let mut gone: Ranges = rows.collect::<Result<_, _>>()?;
    gone.sort_unstable();
    Ok(gone)
}

/// Puts the rows of a range; one without voters where there are none.
pub(super) fn insert(
    conn: &Connection,
    (number, partition): super::Key,
    (from, to): (u64, u64),
    parts: &[SeenPart],
) -> Done<()> {
    let mut put = conn.prepare_cached(include_str!("sql/seen_put.sql"))?;
    if parts.is_empty() {
        put.execute((number, partition, from as i64, 0, to as i64, 0, [0_u8; 0].as_slice()))?;
    }
    for (part, seen) in parts.iter().enumerate() {
        put.execute((
            number,
            partition,
            from as i64,
            part as i64,
            to as i64,
            seen.entries as i64,
            &seen.bytes,
        ))?;
    }
    Ok(())
}
