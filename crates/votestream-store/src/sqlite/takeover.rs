//! Taking partitions over: the epoch is raised and committed, then everything is loaded in one snapshot and checked before use.

use super::cache::{self, Cached};
use super::elections::Known;
use super::fault::{Done, InStore};
use super::rows::{self, ProgressRow};
use super::{Reader, Writer, corrupt};
use crate::balance::{Shape, entries_wrong};
use crate::compaction::Group;
use crate::error::StoreError;
use rusqlite::{Connection, TransactionBehavior};
use votestream_election::delta::{Engine, PartitionState, SeenPart, SeenRow};
use votestream_election::ledger::{Digest, LEAF_OFFSETS};
use votestream_election::{Offset, PartitionId};

impl Writer {
    pub(crate) fn take_over(
        &mut self,
        id: &str,
        partitions: &[PartitionId],
        engine: Engine,
    ) -> Done<Vec<PartitionState>> {
        let known = self.known(id)?;
        self.forget(known.number, partitions.iter().map(|p| p.0));
        self.raise(&known, partitions, engine)?;
        crash_point!("store-takeover-after-commit");
        let tx = self.conn.transaction()?;
        let mut states = Vec::with_capacity(partitions.len());
        for partition in partitions {
            let (state, groups) = load(&tx, &known, *partition)?;
            states.push(state);
            self.groups.insert((known.number, partition.0), groups);
        }
        check_files(&tx, &known)?;
        tx.commit()?;
        Ok(states)
    }

    fn raise(&mut self, known: &Known, partitions: &[PartitionId], engine: Engine) -> Done<()> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for partition in partitions {
            let mut raise = tx.prepare_cached(include_str!("sql/progress_take_over.sql"))?;
            if raise.execute((known.number, partition.0, rows::engine_name(engine)))? == 0 {
                let found = super::flush::fence_of(&tx, known.number, *partition)?.is_some();
                let other = StoreError::OtherEngine { election: known.election.id.clone(), asked: engine };
                return Err(if found { other } else { unknown_partition(known, *partition) }.into());
            }
        }
        crash_point!("store-takeover-before-commit");
        tx.commit()?;
        Ok(())
    }
}

impl Reader {
    /// Every row of seen voters of a partition, in the order of their ranges; rows without voters are passed over.
    pub(crate) fn for_each_seen<E: From<StoreError>>(
        &self,
        id: &str,
        partition: PartitionId,
        each: &mut dyn FnMut(SeenRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let number = super::elections::row(&self.conn, &self.label, id).in_store(&self.label)?.number;
        let mut statement = self.sql(self.conn.prepare_cached(include_str!("sql/seen_rows.sql")))?;
        let mut rows = self.sql(statement.query((number, partition.0, 0, i64::MAX)))?;
        while let Some(row) = self.sql(rows.next())? {
            let row = self.sql(seen_row(row))?;
            if row.seen.entries > 0 {
                each(row)?;
            }
        }
        Ok(())
    }

    fn sql<T>(&self, result: rusqlite::Result<T>) -> Result<T, StoreError> {
        result.map_err(Into::into).in_store(&self.label)
    }
}

/// Reads a row of `seen_rows.sql`.
pub(super) fn seen_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<SeenRow> {
    Ok(SeenRow {
        from: Offset(rows::unsigned(row, 0)?),
        part: row.get(1)?,
        to: Offset(rows::unsigned(row, 2)?),
        seen: SeenPart { entries: rows::unsigned(row, 3)?, bytes: row.get(4)? },
    })
}

fn unknown_partition(known: &Known, partition: PartitionId) -> StoreError {
    let (election, last) = (known.election.id.clone(), known.shape.partitions - 1);
    StoreError::UnknownPartition { election, partition, last }
}

/// Loads a partition inside one snapshot and checks that all of its rows agree.
fn load(conn: &Connection, known: &Known, partition: PartitionId) -> Done<(PartitionState, Vec<Group>)> {
    let row = rows::one(conn, known.number, partition)?.ok_or_else(|| unknown_partition(known, partition))?;
    let cached =
        Cached::load(conn, &known.shape, known.number, partition)?.ok_or_else(|| corrupt("a partition"))?;
    let check = Check { conn, known, row: &row };
    check.tally(&cached)?;
    check.rejects()?;
    check.ledger()?;
    let groups = check.seen()?;
    let state = PartitionState {
        progress: row.progress.clone(),
        totals: cached.totals,
        chain: row.ledger.chain,
        leaves: row.ledger.leaves,
        open_leaf: row.ledger.open.clone(),
    };
    Ok((state, groups))
}

/// Checks that a partition's rows agree.
pub(super) fn check(conn: &Connection, known: &Known, partition: PartitionId) -> Done<()> {
    load(conn, known, partition).map(|_| ())
}

/// Checks that the files of voters hold what the partitions say lies outside.
pub(super) fn check_files(conn: &Connection, known: &Known) -> Done<()> {
    let mut statement = conn.prepare_cached(include_str!("sql/voter_file_sum.sql"))?;
    let (found, outside) =
        statement.query_row([known.number], |r| Ok((rows::unsigned(r, 0)?, rows::unsigned(r, 1)?)))?;
    StoreError::files(&known.election.id, found, outside)?;
    Ok(())
}

/// Checks one partition's rows against its progress row.
struct Check<'a> {
    conn: &'a Connection,
    known: &'a Known,
    row: &'a ProgressRow,
}

impl Check<'_> {
    fn key(&self) -> (i64, u32) {
        (self.known.number, self.row.progress.partition.0)
    }

    fn require(&self, what: &'static str, found: u64, expected: u64) -> Done<()> {
        StoreError::rows(&self.known.election.id, self.row.progress.partition, what, (found, expected))?;
        Ok(())
    }

    fn tally(&self, cached: &Cached) -> Done<()> {
        let Shape { layout, .. } = self.known.shape;
        let sum: u64 = cached.cells.iter().map(|c| *c as u64).sum();
        self.require("the sum of the tally", sum, self.row.progress.counted)?;
        let by_candidate = layout.by_candidate(&cached.cells);
        for (total, sum) in cached.totals.iter().zip(by_candidate) {
            self.require("a region's total of a candidate", *total, sum as u64)?;
        }
        Ok(())
    }

    fn rejects(&self) -> Done<()> {
        let rejected = self.row.progress.rejected;
        self.require("the sum of rejects by reason", self.row.reasons.total(), rejected)?;
        let mut statement = self.conn.prepare_cached(include_str!("sql/rejected_sum.sql"))?;
        let listed = statement.query_row(self.key(), |r| rows::unsigned(r, 0))?;
        self.require("the number of rejects listed", listed, rejected)
    }

    fn ledger(&self) -> Done<()> {
        let (number, partition) = self.key();
        let leaves = self.row.ledger.leaves;
        let mut statement = self.conn.prepare_cached(include_str!("sql/leaf_count.sql"))?;
        let stored = statement.query_row((number, partition), |r| rows::unsigned(r, 0))?;
        self.require("the number of leaves", stored, leaves)?;
        let first = self.row.progress.start_offset.0 / LEAF_OFFSETS;
        self.require("the open leaf", first + leaves, self.row.progress.hashed_to().0 / LEAF_OFFSETS)?;
        let chain = match leaves.checked_sub(1) {
            None => Digest::default(),
            Some(before) => super::audit::leaf(self.conn, number, partition, first + before)?
                .map_or(Digest::default(), |leaf| leaf.chain),
        };
        self.require("the ledger's chain (1: as sealed)", u64::from(chain == self.row.ledger.chain), 1)
    }

    /// Ranges of seen voters are contiguous from start to next, and hold as many entries as votes count.
    fn seen(&self) -> Done<Vec<Group>> {
        let progress = &self.row.progress;
        let mut statement = self.conn.prepare_cached(include_str!("sql/seen_ranges.sql"))?;
        let mut rows = statement.query(self.key())?;
        let mut groups: Vec<Group> = Vec::new();
        let (mut end, mut entries) = (progress.start_offset.0, progress.outside);
        while let Some(row) = rows.next()? {
            let (from, to) = (rows::unsigned(row, 0)?, rows::unsigned(row, 2)?);
            let (part, bytes): (u32, u64) = (row.get(1)?, rows::unsigned(row, 4)?);
            entries += rows::unsigned(row, 3)?;
            match groups.last_mut() {
                Some(last) if part > 0 && part == last.rows && (last.from, last.to) == (from, to) => {
                    last.rows += 1;
                    last.bytes += bytes;
                }
                _ => {
                    self.require("the start of a range of seen voters", from, end)?;
                    self.require("the first part of a range of seen voters", part.into(), 0)?;
                    groups.push(Group { from, to, rows: 1, bytes });
                }
            }
            end = to;
        }
        self.require("the end of the ranges of seen voters", end, progress.next_offset.0)?;
        match entries_wrong(self.known.shape.duplicate, entries, progress.counted, progress.duplicate) {
            None => Ok(groups),
            Some(expected) => self.require("the number of seen voters", entries, expected).map(|()| groups),
        }
    }
}

/// Region-major cells of a whole election.
pub(super) fn full_cells(conn: &Connection, known: &Known) -> Done<Vec<i64>> {
    let mut cells = vec![0; known.shape.regions * known.shape.layout.cells()];
    let mut statement = conn.prepare_cached(include_str!("sql/tally_of_election.sql"))?;
    let mut rows = statement.query([known.number])?;
    while let Some(row) = rows.next()? {
        cache::add_cells(&known.shape, row, &mut cells)?;
    }
    Ok(cells)
}
