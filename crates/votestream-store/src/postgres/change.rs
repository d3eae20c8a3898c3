//! Changing the engine of an election: its voters move between rows and files in the transaction that gives its partitions to the other engine.

use super::elections::signed;
use super::fault::Done;
use super::link::Session;
use super::{Key, Writer, compact, outside, raise, rows};
use crate::error::StoreError;
use crate::handover::{Moved, plan};
use crate::types::{EngineChange, OutsideChange};
use std::time::Duration;
use votestream_election::delta::{Fence, Progress, SeenPart};

/// How long it may take: all rows of seen voters go or come.
const CHANGE_DEADLINE: Duration = Duration::from_mins(15);
/// Rows of seen voters, of at most 1 MiB each, that are sent at once.
const ROWS_AT_ONCE: usize = 16;

impl Writer {
    pub(crate) fn change_engine(
        &mut self,
        id: &str,
        fences: &[Fence],
        change: &EngineChange<'_>,
    ) -> Result<OutsideChange, StoreError> {
        let known = self.known(id)?;
        let number = known.number;
        // Whoever counts next takes over, and loads all this.
        self.bases.retain(|key, _| key.0 != number);
        self.groups.retain(|key, _| key.0 != number);
        self.ungrouped.retain(|key| key.0 != number);
        self.claims.retain(|key, _| key.0 != number);
        self.doubts.retain(|key, _| key.0 != number);
        raise::patiently_within(self.link.get_mut(), CHANGE_DEADLINE, &async |session: &Session| {
            session.begin().await?;
            session.batch("SET LOCAL statement_timeout = '100s'").await?;
            let progress = locked(session, number, known.shape.partitions).await?;
            let Some(moved) = plan(id, &progress, fences, change)? else {
                return Ok(OutsideChange::Superseded);
            };
            hand_over(session, number, &progress, &moved).await?;
            match *change {
                EngineChange::Outside(new) => {
                    for new in new {
                        outside::name(session, number, new).await?;
                    }
                }
                EngineChange::Inside { files, .. } => {
                    let retired = outside::delete(session, &known, files).await?;
                    let left = session.rows(include_str!("sql/voter_file_all.sql"), &[&number]).await?;
                    let (Some(retired), true) = (retired, left.is_empty()) else {
                        return Ok(OutsideChange::Superseded);
                    };
                    outside::retire(session, number, retired).await?;
                }
            }
            crash_point!("store-change-before-commit");
            session.commit().await?;
            Ok(OutsideChange::Done)
        })
    }
}

/// All partitions' rows; nobody moves them before the transaction ends. Ascending, as everybody locks them.
async fn locked(session: &Session, number: i32, partitions: u32) -> Done<Vec<Progress>> {
    for partition in 0..partitions {
        session.maybe(include_str!("sql/progress_lock.sql"), &[&number, &signed(partition)?]).await?;
    }
    let rows = session.rows(include_str!("sql/progress_all.sql"), &[&number]).await?;
    rows.iter().map(|row| Ok(rows::progress(row)?.progress)).collect()
}

/// Gives the partitions to the other engine, with the rows of seen voters that it finds there.
async fn hand_over(session: &Session, number: i32, progress: &[Progress], moved: &[Moved<'_>]) -> Done<()> {
    for (row, moved) in progress.iter().zip(moved) {
        let (partition, outside) = (signed(row.partition.0)?, moved.outside as i64);
        let params = [&number as _, &partition as _, &rows::engine_name(moved.engine) as _, &outside as _];
        session.execute(include_str!("sql/progress_change_engine.sql"), &params).await?;
    }
    crash_point!("store-change-fenced");
    for (row, moved) in progress.iter().zip(moved) {
        let range = (row.start_offset.0, row.next_offset.0);
        put_seen(session, (number, row.partition.0), range, moved.seen).await?;
    }
    crash_point!("store-change-moved");
    Ok(())
}

/// Puts these rows in the place of all that a partition has.
async fn put_seen(
    session: &Session,
    (number, partition): Key,
    (from, to): (u64, u64),
    seen: &[SeenPart],
) -> Done<()> {
    let (partition, from, to) = (signed(partition)?, from as i64, to as i64);
    let all = [&number as _, &partition as _, &0_i64 as _, &i64::MAX as _];
    session.rows(include_str!("sql/seen_delete.sql"), &all).await?;
    if from == to {
        return Ok(());
    }
    if seen.is_empty() {
        return compact::put(session, (number, partition), (from, to), 0, &[]).await;
    }
    for (at, parts) in seen.chunks(ROWS_AT_ONCE).enumerate() {
        compact::put(session, (number, partition), (from, to), at * ROWS_AT_ONCE, parts).await?;
    }
    Ok(())
}
