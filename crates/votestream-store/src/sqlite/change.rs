//! Changing the engine of an election: its voters move between rows and files in the transaction that gives its partitions to the other engine.

use super::compact::{delete, insert};
use super::fault::Done;
use super::{Writer, outside, rows};
use crate::handover::plan;
use crate::types::{EngineChange, OutsideChange};
use rusqlite::TransactionBehavior;
use votestream_election::delta::{Fence, Progress};

impl Writer {
    pub(crate) fn change_engine(
        &mut self,
        id: &str,
        fences: &[Fence],
        change: &EngineChange<'_>,
    ) -> Done<OutsideChange> {
        let known = self.known(id)?;
        let number = known.number;
        self.forget(number, 0..known.shape.partitions);
        // Whoever counts next takes over, and loads them.
        self.groups.retain(|(of, _), _| *of != number);
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let progress: Vec<Progress> = rows::all(&tx, number)?.into_iter().map(|row| row.progress).collect();
        let Some(moved) = plan(id, &progress, fences, change)? else {
            tx.rollback()?;
            return Ok(OutsideChange::Superseded);
        };
        for (row, moved) in progress.iter().zip(&moved) {
            let (engine, outside) = (rows::engine_name(moved.engine), moved.outside as i64);
            tx.prepare_cached(include_str!("sql/progress_change_engine.sql"))?.execute((
                number,
                row.partition.0,
                engine,
                outside,
            ))?;
        }
        crash_point!("store-change-fenced");
        for (row, moved) in progress.iter().zip(&moved) {
            let key = (number, row.partition.0);
            delete(&tx, key, 0, i64::MAX as u64)?;
            if row.start_offset < row.next_offset {
                insert(&tx, key, (row.start_offset.0, row.next_offset.0), moved.seen)?;
            }
        }
        crash_point!("store-change-moved");
        match *change {
            EngineChange::Outside(new) => {
                for new in new {
                    outside::name(&tx, number, new)?;
                }
            }
            EngineChange::Inside { files, .. } => {
                let retired = outside::delete(&tx, &known, files)?;
                let left = tx.prepare_cached(include_str!("sql/voter_file_all.sql"))?.exists([number])?;
                let (Some(retired), false) = (retired, left) else {
                    tx.rollback()?;
                    return Ok(OutsideChange::Superseded);
                };
                outside::retire(&tx, number, retired)?;
            }
        }
        crash_point!("store-change-before-commit");
        tx.commit()?;
        Ok(OutsideChange::Done)
    }
}
