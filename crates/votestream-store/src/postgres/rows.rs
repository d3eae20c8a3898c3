//! Columns as this program counts them, and the `progress` row: how far a partition is counted, its totals, rejects and ledger head.

use super::corrupt;
use super::fault::Done;
use crate::pack::Reasons;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;
use votestream_election::delta::{Engine, LedgerHead, OpenLeaf, Progress};
use votestream_election::ledger::Digest;
use votestream_election::{Millis, Minute, Offset, PartitionId};

/// One partition's `progress` row.
pub(super) struct ProgressRow {
    pub(super) progress: Progress,
    pub(super) as_of: Option<Millis>,
    pub(super) ledger: LedgerHead,
    pub(super) totals: Vec<u64>,
    pub(super) reasons: Reasons,
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

/// Any column.
pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Done<T> {
    Ok(row.try_get(column)?)
}

/// An unsigned number out of a column that PostgreSQL keeps signed.
pub(super) fn unsigned(row: &Row, column: usize) -> Done<u64> {
    u64::try_from(get::<i64>(row, column)?).map_err(|_| corrupt("a number below zero"))
}

/// How far a ledger is hashed, where that is less than is counted.
pub(super) fn sealed(row: &Row, column: usize) -> Done<Option<Offset>> {
    let value = get::<Option<i64>>(row, column)?;
    value.map(|_| Ok(Offset(unsigned(row, column)?))).transpose()
}

/// An unsigned number that fits 32 bits.
pub(super) fn small(row: &Row, column: usize) -> Done<u32> {
    u32::try_from(get::<i32>(row, column)?).map_err(|_| corrupt("a number below zero"))
}

/// 16 bytes, as one number.
pub(super) fn wide(row: &Row, column: usize) -> Done<u128> {
    let bytes = get::<&[u8]>(row, column)?.try_into().map_err(|_| corrupt("an identity"))?;
    Ok(u128::from_be_bytes(bytes))
}

/// 32 bytes.
pub(super) fn digest(row: &Row, column: usize) -> Done<Digest> {
    Ok(Digest(get::<&[u8]>(row, column)?.try_into().map_err(|_| corrupt("a digest"))?))
}

/// Packed rejects by reason.
pub(super) fn reasons(row: &Row, column: usize) -> Done<Reasons> {
    Reasons::unpack(get(row, column)?).ok_or_else(|| corrupt("a partition's rejects by reason"))
}

/// An array of votes.
pub(super) fn votes(row: &Row, column: usize) -> Done<Vec<u64>> {
    let votes: Vec<i64> = get(row, column)?;
    votes.into_iter().map(|v| u64::try_from(v).map_err(|_| corrupt("a partition's totals"))).collect()
}

/// Adds a partition's votes to `sums`, which grows to their length.
pub(super) fn add_votes(votes: &[u64], sums: &mut Vec<u64>) -> Done<()> {
    if sums.len() < votes.len() {
        sums.resize(votes.len(), 0);
    }
    for (sum, votes) in sums.iter_mut().zip(votes) {
        *sum = sum.checked_add(*votes).ok_or_else(|| corrupt("a partition's totals"))?;
    }
    Ok(())
}

/// Reads a row of the `progress_*` statements.
pub(super) fn progress(row: &Row) -> Done<ProgressRow> {
    let progress = Progress {
        partition: PartitionId(small(row, 0)?),
        epoch: unsigned(row, 1)?,
        engine: engine(get(row, 2)?)?,
        start_offset: Offset(unsigned(row, 3)?),
        next_offset: Offset(unsigned(row, 4)?),
        leader_epoch: get(row, 5)?,
        counted: unsigned(row, 6)?,
        duplicate: unsigned(row, 7)?,
        rejected: unsigned(row, 8)?,
        skipped: unsigned(row, 9)?,
        flushes: unsigned(row, 10)?,
        minute: get::<Option<i64>>(row, 11)?.map(Minute),
        log_end: Offset(unsigned(row, 12)?),
        sealed: sealed(row, 20)?,
        outside: unsigned(row, 21)?,
    };
    let ledger = LedgerHead {
        leaves: unsigned(row, 14)?,
        chain: digest(row, 15)?,
        open: OpenLeaf { records: unsigned(row, 16)?, digest: digest(row, 17)? },
    };
    Ok(ProgressRow {
        progress,
        as_of: get::<Option<i64>>(row, 13)?.map(Millis),
        ledger,
        reasons: reasons(row, 18)?,
        totals: votes(row, 19)?,
    })
}
