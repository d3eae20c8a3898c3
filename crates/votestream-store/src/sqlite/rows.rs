//! The `progress` row, as read: how far a partition is counted, its totals, rejects by reason and ledger head.

use super::corrupt;
use super::fault::Done;
use crate::pack::Reasons;
use rusqlite::{Connection, Row};
use votestream_election::delta::{Engine, LedgerHead, OpenLeaf, Progress};
use votestream_election::ledger::Digest;
use votestream_election::{Millis, Minute, Offset, PartitionId};

/// One partition's `progress` row; the totals stay packed.
pub(super) struct ProgressRow {
    pub(super) progress: Progress,
    pub(super) as_of: Option<Millis>,
    pub(super) ledger: LedgerHead,
    pub(super) totals: Vec<u8>,
    pub(super) reasons: Reasons,
}

/// All partitions of an election, in order.
pub(super) fn all(conn: &Connection, number: i64) -> Done<Vec<ProgressRow>> {
    let mut statement = conn.prepare_cached(include_str!("sql/progress_all.sql"))?;
    let mut rows = statement.query([number])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}

/// One partition, if the election has it.
pub(super) fn one(conn: &Connection, number: i64, partition: PartitionId) -> Done<Option<ProgressRow>> {
    let mut statement = conn.prepare_cached(include_str!("sql/progress_one.sql"))?;
    let mut rows = statement.query((number, partition.0))?;
    rows.next()?.map(read).transpose()
}

/// The text that stands for an engine.
pub(super) fn engine_name(engine: Engine) -> &'static str {
    match engine {
        Engine::Native => "native",
        Engine::Spark => "spark",
    }
}

/// Reads what [`engine_name`] wrote.
pub(super) fn engine(name: &str) -> Done<Engine> {
    match name {
        "native" => Ok(Engine::Native),
        "spark" => Ok(Engine::Spark),
        _ => Err(corrupt("the engine of a partition")),
    }
}

/// An unsigned number out of a column that SQLite keeps signed.
pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value = row.get::<_, i64>(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

/// How far a ledger is hashed, where that is less than is counted.
fn sealed(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Offset>> {
    let value = row.get::<_, Option<i64>>(column)?;
    value.map(|_| Ok(Offset(unsigned(row, column)?))).transpose()
}

/// A column's bytes.
pub(super) fn blob<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<&'a [u8]> {
    Ok(row.get_ref(column)?.as_blob()?)
}

fn read(row: &Row<'_>) -> Done<ProgressRow> {
    let progress = Progress {
        partition: PartitionId(row.get(0)?),
        epoch: unsigned(row, 1)?,
        engine: engine(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?)?,
        start_offset: Offset(unsigned(row, 3)?),
        next_offset: Offset(unsigned(row, 4)?),
        leader_epoch: row.get(5)?,
        counted: unsigned(row, 6)?,
        duplicate: unsigned(row, 7)?,
        rejected: unsigned(row, 8)?,
        skipped: unsigned(row, 9)?,
        flushes: unsigned(row, 10)?,
        minute: row.get::<_, Option<i64>>(11)?.map(Minute),
        log_end: Offset(unsigned(row, 12)?),
        sealed: sealed(row, 20)?,
        outside: unsigned(row, 21)?,
    };
    let ledger = LedgerHead {
        leaves: unsigned(row, 14)?,
        chain: Digest(row.get(15)?),
        open: OpenLeaf { records: unsigned(row, 16)?, digest: Digest(row.get(17)?) },
    };
    Ok(ProgressRow {
        progress,
        as_of: row.get::<_, Option<i64>>(13)?.map(Millis),
        ledger,
        totals: row.get(18)?,
        reasons: Reasons::unpack(blob(row, 19)?).ok_or_else(|| corrupt("a partition's rejects by reason"))?,
    })
}
