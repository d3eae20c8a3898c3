//! What an engine keeps outside the file, and leaves that it left pending: files of voters named, merged and swept, leaves sealed behind a
//! fence of their own. What lies in the files is no business of the store's.

use super::elections::{self, Known};
use super::fault::Done;
use super::flush::sequence;
use super::{Writer, rows};
use crate::balance::voters;
use crate::error::StoreError;
use crate::tail::chained;
use crate::types::{Attempt, NewFiles, Outside, OutsideChange};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use votestream_election::delta::{Engine, FlushOutcome, LedgerSeal, VoterFile};
use votestream_election::ledger::LEAF_OFFSETS;
use votestream_election::{Millis, PartitionId};

impl Writer {
    pub(crate) fn outside(&self, id: &str) -> Done<Outside> {
        let tx = self.conn.unchecked_transaction()?;
        let number = elections::row(&tx, &self.label, id)?.number;
        let mut files = tx.prepare_cached(include_str!("sql/voter_file_all.sql"))?;
        let files = files.query_map([number], |r| {
            Ok(VoterFile { path: r.get(0)?, rows: rows::unsigned(r, 1)?, voters: rows::unsigned(r, 2)? })
        })?;
        let mut attempts = tx.prepare_cached(include_str!("sql/attempt_all.sql"))?;
        let attempts = attempts.query_map([number], |r| {
            Ok(Attempt { id: u128::from_be_bytes(r.get(0)?), epoch: rows::unsigned(r, 1)? })
        })?;
        Ok(Outside { files: files.collect::<Result<_, _>>()?, attempts: attempts.collect::<Result<_, _>>()? })
    }

    pub(crate) fn begin_attempt(&mut self, id: &str, attempt: u128, epoch: u64) -> Done<OutsideChange> {
        let number = self.known(id)?.number;
        let mut put = self.conn.prepare_cached(include_str!("sql/attempt_put.sql"))?;
        let put = put.execute((number, attempt.to_be_bytes(), epoch as i64))?;
        Ok(if put == 1 { OutsideChange::Done } else { OutsideChange::Superseded })
    }

    pub(crate) fn forget_attempts(&mut self, id: &str, attempts: &[u128]) -> Done<()> {
        let number = self.known(id)?.number;
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for attempt in attempts {
            tx.prepare_cached(include_str!("sql/attempt_delete.sql"))?
                .execute((number, attempt.to_be_bytes()))?;
        }
        tx.commit()?;
        Ok(())
    }

    pub(crate) fn swap_files(
        &mut self,
        id: &str,
        old: &[VoterFile],
        new: &NewFiles<'_>,
        epoch: u64,
    ) -> Done<OutsideChange> {
        let known = self.known(id)?;
        StoreError::files(id, voters(new.files), voters(old))?;
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let fence = super::flush::fence_of(&tx, known.number, PartitionId(0))?;
        let ours = fence.is_some_and(|f| (f.0, f.1.as_str()) == (epoch, rows::engine_name(Engine::Spark)));
        let Some(retired) = (if ours { delete(&tx, &known, old)? } else { None }) else {
            tx.rollback()?;
            return Ok(OutsideChange::Superseded);
        };
        name(&tx, known.number, new)?;
        retire(&tx, known.number, retired)?;
        crash_point!("store-swap-before-commit");
        tx.commit()?;
        Ok(OutsideChange::Done)
    }

    pub(crate) fn seal_ledger(&mut self, id: &str, seals: &[LedgerSeal], now: Millis) -> Done<FlushOutcome> {
        let known = self.known(id)?;
        // What the next flush goes on from is another ledger then.
        self.forget(known.number, seals.iter().map(|seal| seal.partition.0));
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut fenced = Vec::new();
        for seal in seals {
            if !seal_one(&tx, &known, seal, now)? {
                fenced.push(seal.partition);
            }
        }
        if !fenced.is_empty() {
            tx.rollback()?;
            return Ok(FlushOutcome::Fenced(fenced));
        }
        let sequence = sequence(&tx, known.number)?;
        crash_point!("store-seal-before-commit");
        tx.commit()?;
        Ok(FlushOutcome::Committed { sequence })
    }
}

/// Makes files part of the store, and their attempt one no more.
pub(super) fn name(tx: &Transaction<'_>, number: i64, new: &NewFiles<'_>) -> Done<()> {
    let attempt = new.attempt.to_be_bytes();
    if new.files.is_empty() {
        return Ok(());
    }
    tx.prepare_cached(include_str!("sql/attempt_delete.sql"))?.execute((number, attempt))?;
    let mut put = tx.prepare_cached(include_str!("sql/voter_file_put.sql"))?;
    for file in new.files {
        put.execute((number, attempt, &file.path, file.rows as i64, file.voters as i64))?;
    }
    crash_point!("store-files-named");
    Ok(())
}

/// Makes attempts ones again of which no file is named.
pub(super) fn retire(tx: &Transaction<'_>, number: i64, attempts: Vec<[u8; 16]>) -> Done<()> {
    let mut retire = tx.prepare_cached(include_str!("sql/attempt_retire.sql"))?;
    for attempt in attempts {
        retire.execute((number, attempt))?;
    }
    Ok(())
}

/// Deletes files; the attempts that had written them, or nothing where one is not there as given.
pub(super) fn delete(
    tx: &Transaction<'_>,
    known: &Known,
    files: &[VoterFile],
) -> Done<Option<Vec<[u8; 16]>>> {
    let mut statement = tx.prepare_cached(include_str!("sql/voter_file_delete.sql"))?;
    let mut attempts = Vec::with_capacity(files.len());
    for file in files {
        let gone = statement
            .query_row((known.number, &file.path), |r| {
                Ok((rows::unsigned(r, 0)?, rows::unsigned(r, 1)?, r.get(2)?))
            })
            .optional()?;
        match gone {
            Some((rows, voters, attempt)) if (rows, voters) == (file.rows, file.voters) => {
                attempts.push(attempt);
            }
            _ => return Ok(None),
        }
    }
    attempts.sort_unstable();
    attempts.dedup();
    Ok(Some(attempts))
}

/// Says whether the fence held.
fn seal_one(conn: &Connection, known: &Known, seal: &LedgerSeal, now: Millis) -> Done<bool> {
    let Some(row) = rows::one(conn, known.number, seal.partition)? else { return Ok(false) };
    let (progress, fence) = (&row.progress, seal.fence);
    if (progress.sealed, progress.epoch, progress.engine) != (Some(fence.from), fence.epoch, fence.engine) {
        return Ok(false);
    }
    let leaf = progress.start_offset.0 / LEAF_OFFSETS + row.ledger.leaves;
    let chain = chained(leaf, row.ledger.chain, seal)?;
    let mut update = conn.prepare_cached(include_str!("sql/progress_seal.sql"))?;
    let hit = update.execute(rusqlite::params![
        seal.leaves.len() as i64,
        chain.0,
        seal.open_leaf.records as i64,
        seal.open_leaf.digest.0,
        now.0,
        seal.to.0 as i64,
        known.number,
        seal.partition.0,
        fence.from.0 as i64,
        fence.epoch as i64,
        rows::engine_name(fence.engine),
    ])?;
    super::flush::put_leaves(conn, known.number, seal.partition, &seal.leaves)?;
    Ok(hit == 1)
}
