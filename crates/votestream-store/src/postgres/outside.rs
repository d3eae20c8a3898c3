//! What an engine keeps outside the database, and leaves that it left pending: files of voters named, merged and swept, leaves sealed
//! behind a fence of their own. What lies in the files is no business of the store's.

use super::elections::{self, Known, signed};
use super::fault::Done;
use super::link::Session;
use super::{Writer, rows};
use crate::balance::voters;
use crate::error::StoreError;
use crate::tail::chained;
use crate::types::{Attempt, NewFiles, Outside, OutsideChange};
use votestream_election::Millis;
use votestream_election::delta::{Engine, FlushOutcome, LedgerSeal, VoterFile};
use votestream_election::ledger::LEAF_OFFSETS;

impl Writer {
    pub(crate) fn outside(&self, id: &str) -> Result<Outside, StoreError> {
        self.read(&async |session: &Session, label: &str| {
            session.begin_snapshot().await?;
            let number = elections::row(session, label, id).await?.number;
            let mut outside = Outside::default();
            for row in session.rows(include_str!("sql/voter_file_all.sql"), &[&number]).await? {
                let (rows, voters) = (rows::unsigned(&row, 1)?, rows::unsigned(&row, 2)?);
                outside.files.push(VoterFile { path: rows::get(&row, 0)?, rows, voters });
            }
            for row in session.rows(include_str!("sql/attempt_all.sql"), &[&number]).await? {
                outside.attempts.push(Attempt { id: rows::wide(&row, 0)?, epoch: rows::unsigned(&row, 1)? });
            }
            session.commit().await?;
            Ok(outside)
        })
    }

    pub(crate) fn begin_attempt(
        &mut self,
        id: &str,
        attempt: u128,
        epoch: u64,
    ) -> Result<OutsideChange, StoreError> {
        let number = self.known(id)?.number;
        let attempt = attempt.to_be_bytes();
        let put = self.call(async |session, _| {
            let params = [&number as _, &attempt.as_slice() as _, &(epoch as i64) as _];
            session.execute(include_str!("sql/attempt_put.sql"), &params).await
        })?;
        Ok(if put == 1 { OutsideChange::Done } else { OutsideChange::Superseded })
    }

    pub(crate) fn forget_attempts(&mut self, id: &str, attempts: &[u128]) -> Result<(), StoreError> {
        let number = self.known(id)?.number;
        self.call(async |session, _| {
            for attempt in attempts {
                let attempt = attempt.to_be_bytes();
                let params = [&number as _, &attempt.as_slice() as _];
                session.execute(include_str!("sql/attempt_delete.sql"), &params).await?;
            }
            Ok(())
        })
    }

    pub(crate) fn swap_files(
        &mut self,
        id: &str,
        old: &[VoterFile],
        new: &NewFiles<'_>,
        epoch: u64,
    ) -> Result<OutsideChange, StoreError> {
        let known = self.known(id)?;
        StoreError::files(id, voters(new.files), voters(old))?;
        self.call(async |session, _| {
            session.begin().await?;
            let first = signed(0)?;
            let row = session.maybe(include_str!("sql/progress_lock.sql"), &[&known.number, &first]).await?;
            let Some(row) = row else { return Ok(OutsideChange::Superseded) };
            let fence: (i64, &str) = (rows::get(&row, 0)?, rows::get(&row, 1)?);
            if fence != (epoch as i64, rows::engine_name(Engine::Spark)) {
                return Ok(OutsideChange::Superseded);
            }
            let Some(retired) = delete(session, &known, old).await? else {
                return Ok(OutsideChange::Superseded);
            };
            name(session, known.number, new).await?;
            retire(session, known.number, retired).await?;
            crash_point!("store-swap-before-commit");
            session.commit().await?;
            Ok(OutsideChange::Done)
        })
    }

    pub(crate) fn seal_ledger(
        &mut self,
        id: &str,
        seals: &[LedgerSeal],
        now: Millis,
    ) -> Result<FlushOutcome, StoreError> {
        let known = self.known(id)?;
        for seal in seals {
            // What the next flush goes on from is another ledger then.
            self.bases.remove(&(known.number, seal.partition.0));
        }
        self.call(async |session, _| {
            session.begin().await?;
            let mut fenced = Vec::new();
            for seal in seals {
                if !seal_one(session, &known, seal, now).await? {
                    fenced.push(seal.partition);
                }
            }
            if !fenced.is_empty() {
                return Ok(FlushOutcome::Fenced(fenced));
            }
            let sequence = super::flush::sequence(session, known.number).await?;
            crash_point!("store-seal-before-commit");
            session.commit().await?;
            Ok(FlushOutcome::Committed { sequence })
        })
    }
}

/// Makes files part of the store, and their attempt one no more.
pub(super) async fn name(session: &Session, number: i32, new: &NewFiles<'_>) -> Done<()> {
    if new.files.is_empty() {
        return Ok(());
    }
    let attempt = new.attempt.to_be_bytes();
    let attempt = attempt.as_slice();
    session.execute(include_str!("sql/attempt_delete.sql"), &[&number, &attempt]).await?;
    let paths: Vec<&str> = new.files.iter().map(|file| file.path.as_str()).collect();
    let rows: Vec<i64> = new.files.iter().map(|file| file.rows as i64).collect();
    let voters: Vec<i64> = new.files.iter().map(|file| file.voters as i64).collect();
    let params = [&number as _, &attempt as _, &paths as _, &rows as _, &voters as _];
    session.execute(include_str!("sql/voter_file_put.sql"), &params).await?;
    crash_point!("store-files-named");
    Ok(())
}

/// Makes attempts ones again of which no file is named.
pub(super) async fn retire(session: &Session, number: i32, attempts: Vec<Vec<u8>>) -> Done<()> {
    for attempt in attempts {
        session.execute(include_str!("sql/attempt_retire.sql"), &[&number, &attempt]).await?;
    }
    Ok(())
}

/// Deletes files; the attempts that had written them, or nothing where one is not there as given.
pub(super) async fn delete(
    session: &Session,
    known: &Known,
    files: &[VoterFile],
) -> Done<Option<Vec<Vec<u8>>>> {
    let mut attempts = Vec::with_capacity(files.len());
    for file in files {
        let params = [&known.number as _, &file.path as _];
        let gone = session.maybe(include_str!("sql/voter_file_delete.sql"), &params).await?;
        let Some(row) = gone else { return Ok(None) };
        if (rows::unsigned(&row, 0)?, rows::unsigned(&row, 1)?) != (file.rows, file.voters) {
            return Ok(None);
        }
        attempts.push(rows::get::<Vec<u8>>(&row, 2)?);
    }
    attempts.sort_unstable();
    attempts.dedup();
    Ok(Some(attempts))
}

/// Says whether the fence held.
async fn seal_one(session: &Session, known: &Known, seal: &LedgerSeal, now: Millis) -> Done<bool> {
    let (partition, fence) = (signed(seal.partition.0)?, seal.fence);
    session.maybe(include_str!("sql/progress_lock.sql"), &[&known.number, &partition]).await?;
    let some = vec![partition];
    let row = session.maybe(include_str!("sql/progress_some.sql"), &[&known.number, &some]).await?;
    let Some(row) = row else { return Ok(false) };
    let row = rows::progress(&row)?;
    let progress = &row.progress;
    if (progress.sealed, progress.epoch, progress.engine) != (Some(fence.from), fence.epoch, fence.engine) {
        return Ok(false);
    }
    let leaf = progress.start_offset.0 / LEAF_OFFSETS + row.ledger.leaves;
    let chain = chained(leaf, row.ledger.chain, seal)?;
    let (open, to) = (&seal.open_leaf, seal.to.0 as i64);
    let hit = session
        .execute(
            include_str!("sql/progress_seal.sql"),
            &[
                &(seal.leaves.len() as i64),
                &chain.0.as_slice(),
                &(open.records as i64),
                &open.digest.0.as_slice(),
                &now.0,
                &to,
                &known.number,
                &partition,
                &(fence.from.0 as i64),
                &(fence.epoch as i64),
                &rows::engine_name(fence.engine),
            ],
        )
        .await?;
    for leaf in &seal.leaves {
        let (digest, chain) = (leaf.digest.0.as_slice(), leaf.chain.0.as_slice());
        let (number, records) = (leaf.number as i64, leaf.records as i64);
        let params =
            [&known.number as _, &partition as _, &number as _, &records as _, &digest as _, &chain as _];
        session.execute(include_str!("sql/leaf_put.sql"), &params).await?;
    }
    Ok(hit == 1)
}

/// Checks that the files of voters hold what the partitions say lies outside.
pub(super) async fn check_files(session: &Session, known: &Known) -> Done<()> {
    let row = session.row(include_str!("sql/voter_file_sum.sql"), &[&known.number]).await?;
    let (found, outside) = (rows::unsigned(&row, 0)?, rows::unsigned(&row, 1)?);
    StoreError::files(&known.election.id, found, outside)?;
    Ok(())
}
