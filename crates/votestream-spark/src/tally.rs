//! Summing up on the server: how many votes each cell, choice and minute has; and the steps of the timeline by which that is asked.

use crate::assemble::Parts;
use crate::error::SparkError;
use crate::rows;
use crate::session::Session;
use crate::summary::{Class, Step};
use crate::views::Names;
use crate::voters;
use spark_connect::row::{Row, Value};
use votestream_election::election::DuplicatePolicy;
use votestream_election::epoch::Range;

/// Bits of an offset within a block: steps are found block by block.
const BLOCK_BITS: u32 = 10;

impl Session {
    /// A view of the valid votes with the step in which each lies.
    pub(crate) fn steps(
        &self,
        names: &Names,
        parts: &[(Range, Vec<Step>)],
        stepped: bool,
    ) -> Result<(), SparkError> {
        let view = format!("CREATE OR REPLACE TEMPORARY VIEW {} AS", names.stepped);
        let sql = if stepped {
            self.local(
                &names.steps,
                blocks(parts),
                "struct<partition:int,block:bigint,lo:bigint,hi:bigint,step:int>",
            )?;
            format!(
                "{view} SELECT /*+ BROADCAST(s) */ v.*, s.step FROM {} v JOIN {} s ON v.partition = s.partition \
                 AND shiftright(v.offset, {BLOCK_BITS}) = s.block AND v.offset >= s.lo AND v.offset < s.hi",
                names.valid, names.steps
            )
        } else {
            format!("{view} SELECT *, 0 AS step FROM {}", names.valid)
        };
        self.run_sql("naming the steps of the timeline", sql).map(drop)
    }

    /// Fills in what was counted.
    pub(crate) fn tally(
        &self,
        names: &Names,
        policy: DuplicatePolicy,
        classes: &[Class],
        stepped: bool,
        cells_of_choice: usize,
        found: &mut [(Range, Parts)],
    ) -> Result<(), SparkError> {
        let fresh = match (policy, stepped) {
            (DuplicatePolicy::Last, _) => names.fresh.clone(),
            (DuplicatePolicy::First, false) => format!("(SELECT *, 0 AS step FROM {})", names.fresh),
            (DuplicatePolicy::First, true) => format!(
                "(SELECT /*+ BROADCAST(s) */ v.*, s.step FROM {} v JOIN {} s ON v.partition = s.partition \
                 AND shiftright(v.offset, {BLOCK_BITS}) = s.block AND v.offset >= s.lo AND v.offset < s.hi)",
                names.fresh, names.steps
            ),
        };
        let moves = voters::moves(policy, &fresh);
        let sql = format!("SELECT partition, cell, sum(n) FROM ({moves}) GROUP BY partition, cell");
        for row in self.run_sql("tallying", sql)? {
            let (parts, cell, n) = (part(found, &row)?, rows::index(&row, 1)?, rows::long(&row, 2)?);
            *slot(&mut parts.cells, cell)? += n;
            if !stepped {
                *slot(&mut parts.votes[0], cell / cells_of_choice)? += n;
                parts.counted[0] = add(parts.counted[0], n)?;
            }
        }
        if !stepped {
            for (range, parts) in found.iter_mut() {
                let here = classes.iter().filter(|class| class.partition == range.partition);
                parts.valid[0] = here.map(|class| class.records).sum();
            }
            return Ok(());
        }
        let sql = format!(
            "SELECT partition, step, choice, sum(n) FROM (SELECT partition, step, cell div {cells_of_choice} AS choice, n FROM ({moves})) \
             GROUP BY partition, step, choice"
        );
        // Under `last` a step's moves may come in any order of rows: counted is what they come to.
        let mut sums: Vec<Vec<i64>> = found.iter().map(|(_, parts)| vec![0; parts.steps.len()]).collect();
        for row in self.run_sql("tallying by minute", sql)? {
            let place = place(found, &row)?;
            let (step, choice, n) = (rows::index(&row, 1)?, rows::index(&row, 2)?, rows::long(&row, 3)?);
            let votes = found[place].1.votes.get_mut(step).ok_or_else(foreign)?;
            *slot(votes, choice)? += n;
            *slot(&mut sums[place], step)? += n;
        }
        for ((_, parts), sums) in found.iter_mut().zip(sums) {
            for (counted, n) in parts.counted.iter_mut().zip(sums) {
                *counted = add(0, n)?;
            }
        }
        let sql = format!("SELECT partition, step, count(*) FROM {} GROUP BY partition, step", names.stepped);
        for row in self.run_sql("counting valid votes by minute", sql)? {
            let parts = part(found, &row)?;
            *parts.valid.get_mut(rows::index(&row, 1)?).ok_or_else(foreign)? += rows::count(&row, 2)?;
        }
        Ok(())
    }
}

/// The steps, cut into blocks of offsets, so that each vote is compared with those of its block alone.
fn blocks(parts: &[(Range, Vec<Step>)]) -> Vec<Row> {
    let fields = ["partition", "block", "lo", "hi", "step"].map(str::to_owned).to_vec();
    let mut rows = Vec::new();
    for (range, steps) in parts {
        for (step, number) in steps.iter().zip(0_i32..) {
            let (lo, hi) = (step.from.0, step.to.0);
            for block in lo >> BLOCK_BITS..=(hi.max(1) - 1) >> BLOCK_BITS {
                let values = vec![
                    Value::Integer(range.partition.0.cast_signed()),
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

/// Which part a row is about, by its first column.
fn place(found: &[(Range, Parts)], row: &Row) -> Result<usize, SparkError> {
    let partition = rows::partition(row, 0)?;
    found.iter().position(|(range, _)| range.partition == partition).ok_or_else(foreign)
}

fn part<'f>(found: &'f mut [(Range, Parts)], row: &Row) -> Result<&'f mut Parts, SparkError> {
    let place = place(found, row)?;
    Ok(&mut found[place].1)
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
                at(0) == 3 && at(1) == offset >> BLOCK_BITS && (at(2)..at(3)).contains(&offset)
            });
            assert_eq!(here.count(), 1, "{offset}");
        }
    }
}
