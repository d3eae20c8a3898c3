//! Loading a partition inside one snapshot, and whether all of its rows agree. What must agree is the same for every backend.

use super::elections::{Known, signed};
use super::fault::Done;
use super::link::Session;
use super::rows::{self, ProgressRow};
use super::takeover::unknown_partition;
use super::{audit, corrupt};
use crate::balance::{Shape, entries_wrong};
use crate::compaction::Group;
use crate::error::StoreError;
use votestream_election::PartitionId;
use votestream_election::delta::PartitionState;
use votestream_election::ledger::{Digest, LEAF_OFFSETS};

/// A partition as loaded.
pub(super) struct Loaded {
    pub(super) state: PartitionState,
    pub(super) groups: Vec<Group>,
}

/// Loads and checks a partition; call it inside a snapshot.
pub(super) async fn load(session: &Session, known: &Known, partition: PartitionId) -> Done<Loaded> {
    let some = vec![signed(partition.0)?];
    let row = session.maybe(include_str!("sql/progress_some.sql"), &[&known.number, &some]).await?;
    let row = rows::progress(&row.ok_or_else(|| unknown_partition(known, partition))?)?;
    let check = Check { session, known, row: &row };
    check.tally().await?;
    check.rejects().await?;
    check.ledger().await?;
    let groups = check.seen().await?;
    let state = PartitionState {
        progress: row.progress,
        totals: row.totals,
        chain: row.ledger.chain,
        leaves: row.ledger.leaves,
        open_leaf: row.ledger.open,
    };
    Ok(Loaded { state, groups })
}

/// Checks one partition's rows against its progress row.
struct Check<'a> {
    session: &'a Session,
    known: &'a Known,
    row: &'a ProgressRow,
}

impl Check<'_> {
    fn partition(&self) -> i32 {
        self.row.progress.partition.0 as i32
    }

    fn require(&self, what: &'static str, found: u64, expected: u64) -> Done<()> {
        StoreError::rows(&self.known.election.id, self.row.progress.partition, what, (found, expected))?;
        Ok(())
    }

    async fn one(&self, sql: &'static str) -> Done<u64> {
        rows::unsigned(&self.session.row(sql, &[&self.known.number, &self.partition()]).await?, 0)
    }

    async fn tally(&self) -> Done<()> {
        let Shape { layout, regions, .. } = self.known.shape;
        let params = [&self.known.number as _, &self.partition() as _];
        let mut cells = vec![0; regions * layout.cells()];
        for row in self.session.rows(include_str!("sql/tally_of_partition.sql"), &params).await? {
            add_cells(&self.known.shape, &row, &mut cells)?;
        }
        let sum: u64 = cells.iter().map(|c| *c as u64).sum();
        self.require("the sum of the tally", sum, self.row.progress.counted)?;
        let by_candidate = layout.by_candidate(&cells);
        self.require("the number of totals", self.row.totals.len() as u64, by_candidate.len() as u64)?;
        for (total, sum) in self.row.totals.iter().zip(by_candidate) {
            self.require("a region's total of a candidate", *total, sum as u64)?;
        }
        Ok(())
    }

    async fn rejects(&self) -> Done<()> {
        let rejected = self.row.progress.rejected;
        self.require("the sum of rejects by reason", self.row.reasons.total(), rejected)?;
        let listed = self.one(include_str!("sql/rejected_sum.sql")).await?;
        self.require("the number of rejects listed", listed, rejected)
    }

    async fn ledger(&self) -> Done<()> {
        let leaves = self.row.ledger.leaves;
        let stored = self.one(include_str!("sql/leaf_count.sql")).await?;
        self.require("the number of leaves", stored, leaves)?;
        let first = self.row.progress.start_offset.0 / LEAF_OFFSETS;
        self.require("the open leaf", first + leaves, self.row.progress.hashed_to().0 / LEAF_OFFSETS)?;
        let chain = match leaves.checked_sub(1) {
            None => Digest::default(),
            Some(before) => {
                let last =
                    audit::leaf(self.session, self.known.number, self.partition(), first + before).await?;
                last.map_or(Digest::default(), |leaf| leaf.chain)
            }
        };
        self.require("the ledger's chain (1: as sealed)", u64::from(chain == self.row.ledger.chain), 1)
    }

    /// Ranges of seen voters are contiguous from start to next, and hold as many entries as votes count.
    async fn seen(&self) -> Done<Vec<Group>> {
        let progress = &self.row.progress;
        let params = [&self.known.number as _, &self.partition() as _];
        let mut groups: Vec<Group> = Vec::new();
        let (mut end, mut entries) = (progress.start_offset.0, progress.outside);
        for row in self.session.rows(include_str!("sql/seen_ranges.sql"), &params).await? {
            let (from, to) = (rows::unsigned(&row, 0)?, rows::unsigned(&row, 2)?);
            let (part, bytes) = (rows::small(&row, 1)?, rows::unsigned(&row, 4)?);
            entries += rows::unsigned(&row, 3)?;
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
pub(super) async fn full_cells(session: &Session, known: &Known) -> Done<Vec<i64>> {
    let mut cells = vec![0; known.shape.regions * known.shape.layout.cells()];
    for row in session.rows(include_str!("sql/tally_of_election.sql"), &[&known.number]).await? {
        add_cells(&known.shape, &row, &mut cells)?;
    }
    Ok(cells)
}

/// Adds a (region, votes) row to region-major cells.
fn add_cells(shape: &Shape, row: &tokio_postgres::Row, cells: &mut [i64]) -> Done<()> {
    let wrong = || corrupt("a row of the tally");
    let width = shape.layout.cells();
    let region = rows::small(row, 0)? as usize;
    let place = cells.get_mut(region * width..(region + 1) * width).ok_or_else(wrong)?;
    let votes: Vec<i64> = rows::get(row, 1)?;
    if votes.len() != width || votes.iter().any(|v| *v < 0) {
        return Err(wrong());
    }
    for (sum, votes) in place.iter_mut().zip(votes) {
        *sum = sum.checked_add(votes).ok_or_else(wrong)?;
    }
    Ok(())
}
