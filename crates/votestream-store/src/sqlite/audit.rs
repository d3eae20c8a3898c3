//! What an audit reads: leaves of the ledger, and rejects one by one. Payloads of rejects are in the log.

use super::cache::rejected_row;
use super::fault::Done;
use super::{corrupt, elections, rows};
use crate::pack::{Reasons, each_reject};
use rusqlite::{Connection, OptionalExtension, Row};
use votestream_election::delta::Progress;
use votestream_election::ledger::{Digest, LeafSeal};
use votestream_election::{Offset, PartitionId, RejectReason};

/// The sealed leaves of a partition, ascending.
pub(super) fn leaves(
    conn: &Connection,
    label: &str,
    id: &str,
    partition: PartitionId,
) -> Done<Vec<LeafSeal>> {
    let number = elections::row(conn, label, id)?.number;
    let mut statement = conn.prepare_cached(include_str!("sql/leaf_all.sql"))?;
    let rows = statement.query_map((number, partition.0), leaf_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One sealed leaf.
pub(super) fn leaf(conn: &Connection, number: i64, partition: u32, leaf: u64) -> Done<Option<LeafSeal>> {
    let mut statement = conn.prepare_cached(include_str!("sql/leaf_one.sql"))?;
    Ok(statement.query_row((number, partition, leaf as i64), leaf_row).optional()?)
}

fn leaf_row(row: &Row<'_>) -> rusqlite::Result<LeafSeal> {
    Ok(LeafSeal {
        number: rows::unsigned(row, 0)?,
        records: rows::unsigned(row, 1)?,
        digest: Digest(row.get(2)?),
        chain: Digest(row.get(3)?),
    })
}

/// At most `limit` rejects after a place, by partition and offset.
pub(super) fn rejects(
    conn: &Connection,
    label: &str,
    id: &str,
    limit: usize,
    after: Option<(PartitionId, Offset)>,
) -> Done<Vec<(PartitionId, Offset, RejectReason)>> {
    let tx = conn.unchecked_transaction()?;
    let election = elections::row(&tx, label, id)?;
    let (first, mut least) =
        after.map_or((0, 0), |(partition, offset)| (partition.0, offset.0.saturating_add(1)));
    let mut found = Vec::new();
    for partition in (first..election.partitions).map(PartitionId) {
        let mut statement = tx.prepare_cached(include_str!("sql/rejected_from.sql"))?;
        let mut rows =
            statement.query((election.number, partition.0, i64::try_from(least).unwrap_or(i64::MAX)))?;
        while found.len() < limit
            && let Some(row) = rows.next()?
        {
            let row = rejected_row(row)?;
            each_reject(row.from, &row.packed, |offset, reason| {
                if offset.0 >= least {
                    found.push((partition, offset, reason));
                }
                found.len() < limit
            })
            .ok_or_else(|| corrupt("a row of rejects"))?;
        }
        least = 0;
    }
    Ok(found)
}

/// The reasons of a partition's first rejects, as many as a past progress row says.
pub(super) fn reasons_of_first(conn: &Connection, number: i64, past: &Progress) -> Done<Reasons> {
    let mut statement = conn.prepare_cached(include_str!("sql/rejected_upto.sql"))?;
    let mut rows = statement.query((number, past.partition.0, past.next_offset.0 as i64))?;
    // The row in which the last of them lies is the first, or close to it.
    while let Some(row) = rows.next()? {
        let row = rejected_row(row)?;
        let mut reasons = row.before;
        if reasons.total() >= past.rejected && past.rejected > 0 {
            continue;
        }
        each_reject(row.from, &row.packed, |_, reason| {
            let more = reasons.total() < past.rejected;
            if more {
                reasons.add(reason);
            }
            more
        })
        .ok_or_else(|| corrupt("a row of rejects"))?;
        return Ok(reasons);
    }
    Ok(Reasons::default())
}
