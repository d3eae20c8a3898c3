//! A partition's absolute figures in memory, so that a flush need not read back what the last one wrote.
//!
//! **Invariant:** an entry is used only under its own epoch and next offset, and is dropped when a transaction that used it fails.

use super::fault::Done;
use super::{corrupt, rows};
use crate::balance::{Shape, unbalanced};
use crate::error::StoreError;
use crate::pack::{self, Reasons};
use crate::tail::{RejectedRow, Tail};
use rusqlite::{Connection, OptionalExtension};
use votestream_election::delta::{Engine, PartitionDelta};
use votestream_election::ledger::LEAF_OFFSETS;
use votestream_election::{Offset, PartitionId};

/// One partition as committed.
pub(super) struct Cached {
    pub(super) epoch: u64,
    pub(super) engine: Engine,
    pub(super) next: Offset,
    /// Region-major cells.
    pub(super) cells: Vec<i64>,
    /// Votes, region-major: `totals[region * candidates + candidate]`.
    pub(super) totals: Vec<u64>,
    pub(super) tail: Tail,
}

/// Reads a row of the `rejected` statements.
pub(super) fn rejected_row(row: &rusqlite::Row<'_>) -> Done<RejectedRow> {
    Ok(RejectedRow {
        from: Offset(rows::unsigned(row, 0)?),
        to: Offset(rows::unsigned(row, 1)?),
        records: rows::unsigned(row, 2)?,
        before: Reasons::unpack(rows::blob(row, 3)?).ok_or_else(|| corrupt("a row of rejects"))?,
        packed: row.get(4)?,
    })
}

/// Reads a partition's cells, region-major.
pub(super) fn cells(conn: &Connection, shape: &Shape, number: i64, partition: PartitionId) -> Done<Vec<i64>> {
    let mut cells = vec![0; shape.regions * shape.layout.cells()];
    let mut statement = conn.prepare_cached(include_str!("sql/tally_of_partition.sql"))?;
    let mut rows = statement.query((number, partition.0))?;
    while let Some(row) = rows.next()? {
        add_cells(shape, row, &mut cells)?;
    }
    Ok(cells)
}

/// Adds a (region, packed cells) row to region-major cells.
pub(super) fn add_cells(shape: &Shape, row: &rusqlite::Row<'_>, cells: &mut [i64]) -> Done<()> {
    let wrong = || corrupt("a row of the tally");
    let width = shape.layout.cells();
    let region = usize::from(row.get::<_, u16>(0)?);
    let place = cells.get_mut(region * width..(region + 1) * width).ok_or_else(wrong)?;
    let packed = pack::read_numbers(rows::blob(row, 1)?).filter(|p| p.len() == width).ok_or_else(wrong)?;
    for (sum, value) in place.iter_mut().zip(packed) {
        *sum = i64::try_from(value).ok().and_then(|v| sum.checked_add(v)).ok_or_else(wrong)?;
    }
    Ok(())
}

impl Cached {
    /// Reads a partition; call it inside the transaction that will use it.
    pub(super) fn load(
        conn: &Connection,
        shape: &Shape,
        number: i64,
        partition: PartitionId,
    ) -> Done<Option<Self>> {
        let Some(row) = rows::one(conn, number, partition)? else { return Ok(None) };
        let totals = pack::read_numbers(&row.totals).ok_or_else(|| corrupt("a partition's totals"))?;
        if totals.len() != shape.regions * shape.layout.candidates {
            return Err(corrupt("a partition's totals"));
        }
        let mut statement = conn.prepare_cached(include_str!("sql/rejected_last.sql"))?;
        let rejected =
            statement.query_row((number, partition.0), |r| Ok(rejected_row(r))).optional()?.transpose()?;
        Ok(Some(Self {
            epoch: row.progress.epoch,
            engine: row.progress.engine,
            next: row.progress.next_offset,
            cells: cells(conn, shape, number, partition)?,
            totals,
            tail: Tail {
                reasons: row.reasons,
                leaf: row.progress.start_offset.0 / LEAF_OFFSETS + row.ledger.leaves,
                chain: row.ledger.chain,
                open: row.ledger.open,
                sealed: row.progress.sealed,
                rejected,
            },
        }))
    }

    /// Whether a delta continues from here.
    pub(super) fn fits(&self, delta: &PartitionDelta) -> bool {
        let fence = delta.fence;
        (self.next, self.epoch, self.engine) == (fence.from, fence.epoch, fence.engine)
    }

    /// Adds a delta's tally, rejects by reason and leaves; they must go on from here without a gap.
    pub(super) fn apply(&mut self, shape: &Shape, delta: &PartitionDelta) -> Result<(), StoreError> {
        let width = shape.layout.cells();
        for (region, increments) in &delta.tally {
            let region = usize::from(region.0);
            let cells = &mut self.cells[region * width..(region + 1) * width];
            for (cell, more) in cells.iter_mut().zip(increments) {
                *cell += more;
                if *cell < 0 {
                    return unbalanced(delta, "a cell of the tally", (*cell).into(), 0);
                }
            }
            let candidates = shape.layout.candidates;
            let totals = &mut self.totals[region * candidates..(region + 1) * candidates];
            for (total, sum) in totals.iter_mut().zip(shape.layout.by_candidate(cells)) {
                *total = sum as u64;
            }
        }
        self.tail.apply(delta)?;
        self.next = delta.to;
        Ok(())
    }
}
