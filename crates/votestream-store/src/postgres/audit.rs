//! What an audit reads: leaves of the ledger, and rejects one by one. Payloads of rejects are in the log.

use super::fault::Done;
use super::flush::rejected_row;
use super::link::Session;
use super::{corrupt, elections, rows};
use crate::pack::{Reasons, each_reject};
use tokio_postgres::Row;
use votestream_election::delta::Progress;
use votestream_election::ledger::LeafSeal;
use votestream_election::{Offset, PartitionId, RejectReason};

/// The sealed leaves of a partition, ascending.
pub(super) async fn leaves(
    session: &Session,
    label: &str,
    id: &str,
    partition: PartitionId,
) -> Done<Vec<LeafSeal>> {
    let number = elections::row(session, label, id).await?.number;
    let partition = elections::signed(partition.0)?;
    let found = session.rows(include_str!("sql/leaf_all.sql"), &[&number, &partition]).await?;
    found.iter().map(leaf_row).collect()
}

/// One sealed leaf.
pub(super) async fn leaf(
    session: &Session,
    number: i32,
    partition: i32,
    leaf: u64,
) -> Done<Option<LeafSeal>> {
    let params = [&number as _, &partition as _, &(leaf as i64) as _];
    session.maybe(include_str!("sql/leaf_one.sql"), &params).await?.map(|r| leaf_row(&r)).transpose()
}

fn leaf_row(row: &Row) -> Done<LeafSeal> {
    Ok(LeafSeal {
        number: rows::unsigned(row, 0)?,
        records: rows::unsigned(row, 1)?,
        digest: rows::digest(row, 2)?,
        chain: rows::digest(row, 3)?,
    })
}

/// At most `limit` rejects after a place, by partition and offset.
pub(super) async fn rejects(
    session: &Session,
    label: &str,
    id: &str,
    limit: usize,
    after: Option<(PartitionId, Offset)>,
) -> Done<Vec<(PartitionId, Offset, RejectReason)>> {
    session.begin_snapshot().await?;
    let election = elections::row(session, label, id).await?;
    let (first, mut least) =
        after.map_or((0, 0), |(partition, offset)| (partition.0, offset.0.saturating_add(1)));
    let mut found = Vec::new();
    for partition in (first..election.partitions).map(PartitionId) {
        // A page of rows after the other, until enough are found or none is left.
        while found.len() < limit {
            let place = elections::signed(partition.0)?;
            let from = i64::try_from(least).unwrap_or(i64::MAX);
            let sql = include_str!("sql/rejected_from.sql");
            let page = session.rows(sql, &[&election.number, &place, &from]).await?;
            let Some(last) = page.last() else { break };
            let end = rejected_row(last, 0)?.to.0;
            for row in &page {
                let row = rejected_row(row, 0)?;
                each_reject(row.from, &row.packed, |offset, reason| {
                    if offset.0 >= least && found.len() < limit {
                        found.push((partition, offset, reason));
                    }
                    found.len() < limit
                })
                .ok_or_else(|| corrupt("a row of rejects"))?;
            }
            least = end;
        }
        least = 0;
    }
    session.commit().await?;
    Ok(found)
}

/// The reasons of a partition's first rejects, as many as a past progress row says.
pub(super) async fn reasons_of_first(session: &Session, number: i32, past: &Progress) -> Done<Reasons> {
    let partition = past.partition.0 as i32;
    let mut below = past.next_offset.0 as i64;
    loop {
        let sql = include_str!("sql/rejected_upto.sql");
        let page = session.rows(sql, &[&number, &partition, &below]).await?;
        let Some(last) = page.last() else { return Ok(Reasons::default()) };
        below = rows::get(last, 0)?;
        // The row in which the last of them lies is the first, or close to it.
        for row in &page {
            let row = rejected_row(row, 0)?;
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
    }
}
