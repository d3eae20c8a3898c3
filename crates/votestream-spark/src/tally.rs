//! Summing up on the server: how many votes each cell, choice and minute has; and the steps of the timeline by which that is asked.

use crate::assemble::Parts;
use crate::error::SparkError;
use crate::line::Line;
use crate::rows;
use crate::summary::{Class, Step};
use crate::views::STEPS;
use spark_connect::row::{Row, Value};
use votestream_election::epoch::Range;

/// Bits of an offset within a block: steps are found block by block.
const BLOCK_BITS: u32 = 10;
/// A block's number and its partition are one integer, which Spark joins by faster than by two. An offset is below 2^39 (`voters::CELL_BITS`), its
/// block below 2^29.
const PARTITION_SHIFT: u32 = 30;
/// What a row of the tally by step is about: a cell of the range, a choice of a step, a step's valid votes.
const CELLS: i64 = 0;
const CHOICES: i64 = 1;
const VALID: i64 = 2;

/// A query of votes, `partition, offset, …`, with the `step` in which each lies.
pub(crate) fn with_steps(votes: &str, stepped: bool) -> String {
    if stepped {
        format!(
            "SELECT /*+ BROADCAST(s) */ v.*, s.step FROM ({votes}) v JOIN {STEPS} s \
             ON shiftleft(CAST(v.partition AS BIGINT), {PARTITION_SHIFT}) | shiftright(v.offset, {BLOCK_BITS}) = s.block \
             AND v.offset >= s.lo AND v.offset < s.hi"
        )
    } else {
        format!("SELECT *, 0 AS step FROM ({votes})")
    }
}

impl Line {
    /// Sends the steps along.
    pub(crate) fn steps(&self, parts: &[(Range, Vec<Step>)]) -> Result<(), SparkError> {
        let schema = "struct<block:bigint,lo:bigint,hi:bigint,step:int>";
        self.local(STEPS, blocks(parts), schema)
    }

    /// Fills in what was counted, where no range has more than one step.
    pub(crate) fn tally(
        &self,
        moves: &str,
        classes: &[Class],
        cells_of_choice: usize,
        found: &mut [(Range, Parts)],
    ) -> Result<(), SparkError> {
        let sql = format!(
            "SELECT {CELLS} AS kind, partition, cell, sum(n) FROM ({moves}) GROUP BY partition, cell"
        );
        for row in self.run_sql("tallying", sql)? {
            let place = place(found, &row)?;
            let (parts, cell, n) = (&mut found[place].1, rows::index(&row, 2)?, rows::long(&row, 3)?);
            *slot(&mut parts.cells, cell)? += n;
            *slot(&mut parts.votes[0], cell / cells_of_choice)? += n;
            parts.counted[0] = add(parts.counted[0], n)?;
        }
        for (range, parts) in found.iter_mut() {
            let here = classes.iter().filter(|class| class.partition == range.partition);
            parts.valid[0] = here.map(|class| class.records).sum();
        }
        Ok(())
    }

    /// The same where the timeline goes on to another minute within a range: by cell, by step, and the valid votes of each step, in one
    /// query, as each costs its planning.
    pub(crate) fn tally_by_step(
        &self,
        moves: &str,
        valid_steps: &str,
        cells_of_choice: usize,
        found: &mut [(Range, Parts)],
    ) -> Result<(), SparkError> {
        let sql = format!(
            "SELECT CASE WHEN cell IS NULL THEN {CHOICES} ELSE {CELLS} END AS kind, partition, coalesce(step, 0) AS step, \
             coalesce(CAST(cell AS BIGINT), choice) AS what, sum(n) \
             FROM (SELECT partition, step, cell, cell div {cells_of_choice} AS choice, n FROM ({moves})) \
             GROUP BY partition, step, cell, choice GROUPING SETS ((partition, cell), (partition, step, choice)) \
             UNION ALL SELECT {VALID} AS kind, partition, step, 0L AS what, count(*) FROM ({valid_steps}) GROUP BY partition, step"
        );
        // Under `last` a step's moves may come in any order of rows: counted is what they come to.
        let mut sums: Vec<Vec<i64>> = found.iter().map(|(_, parts)| vec![0; parts.steps.len()]).collect();
        for row in self.run_sql("tallying", sql)? {
            let place = place(found, &row)?;
            let parts = &mut found[place].1;
            let (step, what, n) = (rows::index(&row, 2)?, rows::index(&row, 3)?, rows::long(&row, 4)?);
            match rows::long(&row, 0)? {
                CELLS => *slot(&mut parts.cells, what)? += n,
                CHOICES => {
                    *slot(parts.votes.get_mut(step).ok_or_else(foreign)?, what)? += n;
                    *slot(&mut sums[place], step)? += n;
                }
                VALID => *parts.valid.get_mut(step).ok_or_else(foreign)? += rows::count(&row, 4)?,
                _ => return Err(foreign()),
            }
        }
        for ((_, parts), sums) in found.iter_mut().zip(sums) {
            for (counted, n) in parts.counted.iter_mut().zip(sums) {
                *counted = add(0, n)?;
            }
        }
        Ok(())
    }
}

/// The steps, cut into blocks of offsets, so that each vote is compared with those of its block alone.
fn blocks(parts: &[(Range, Vec<Step>)]) -> Vec<Row> {
    let fields = ["block", "lo", "hi", "step"].map(str::to_owned).to_vec();
    let mut rows = Vec::new();
    for (range, steps) in parts {
        for (step, number) in steps.iter().zip(0_i32..) {
            let (lo, hi) = (step.from.0, step.to.0);
            for block in lo >> BLOCK_BITS..=(hi.max(1) - 1) >> BLOCK_BITS {
                let block = u64::from(range.partition.0) << PARTITION_SHIFT | block;
                let values = vec![
                    Value::Long(block.cast_signed()),
                    Value::Long(lo.cast_signed()),
                    Value::Long(hi.cast_signed()),
                    Value::Integer(number),
                ];
                rows.push(Row::new(fields.clone(), values));
            }
        }
    }
    rows
}

pub(crate) fn foreign() -> SparkError {
    SparkError::Inconsistent {
        says: "a row names a partition, step or cell that was not asked for".to_owned(),
    }
}

/// Which part a row is about, by its second column.
fn place(found: &[(Range, Parts)], row: &Row) -> Result<usize, SparkError> {
    let partition = rows::partition(row, 1)?;
    found.iter().position(|(range, _)| range.partition == partition).ok_or_else(foreign)
}

fn slot(list: &mut [i64], place: usize) -> Result<&mut i64, SparkError> {
    list.get_mut(place).ok_or_else(foreign)
}

fn add(sum: u64, n: i64) -> Result<u64, SparkError> {
    sum.checked_add_signed(n)
        .ok_or_else(|| SparkError::Inconsistent { says: "fewer than no votes count".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use votestream_election::{Minute, Offset, PartitionId};

    #[test]
    fn each_offset_lies_in_one_row_of_its_block() {
        let range = Range { partition: PartitionId(3), from: Offset(1_000), to: Offset(9_000) };
        let bounds = [1_000, 1_023, 1_024, 5_000, 5_001, 9_000];
        let steps: Vec<Step> = bounds
            .windows(2)
            .map(|at| Step { from: Offset(at[0]), to: Offset(at[1]), minute: Some(Minute(0)) })
            .collect();
        let rows = blocks(&[(range, steps)]);
        for offset in 1_000_i64..9_000 {
            let here = rows.iter().filter(|row| {
                let at = |column| rows::long(row, column).unwrap();
                at(0) == 3 << PARTITION_SHIFT | offset >> BLOCK_BITS && (at(1)..at(2)).contains(&offset)
            });
            assert_eq!(here.count(), 1, "{offset}");
        }
    }
}
