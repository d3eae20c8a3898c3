//! Taking partitions over: the epochs are raised and committed, then everything is loaded in one snapshot and checked before use.

use super::elections::{Known, signed};
use super::fault::Done;
use super::link::Session;
use super::{Reader, Writer, check, elections, outside, raise, rows};
use crate::error::StoreError;
use std::sync::Arc;
use std::time::Duration;
use votestream_election::delta::{Engine, PartitionState, SeenPart, SeenRow};
use votestream_election::{Offset, PartitionId};

/// How long loading and checking what was taken over may take: the rows of seen voters are looked at, not read.
const LOAD_DEADLINE: Duration = Duration::from_mins(2);

impl Writer {
    pub(crate) fn take_over(
        &mut self,
        id: &str,
        partitions: &[PartitionId],
        engine: Engine,
    ) -> Result<Vec<PartitionState>, StoreError> {
        let known = self.known_anew(id)?;
        for partition in partitions {
            let key = (known.number, partition.0);
            self.bases.remove(&key);
            self.claims.remove(&key);
            self.doubts.remove(&key);
            self.groups.remove(&key);
            self.ungrouped.remove(&key);
        }
        let mut ascending = partitions.to_vec();
        ascending.sort_unstable();
        ascending.dedup();
        raise::patiently(self.link.get_mut(), &async |session: &Session| {
            raise_all(session, &known, &ascending, engine).await
        })?;
        crash_point!("store-takeover-after-commit");
        let loaded = self.load(&known, partitions)?;
        let mut states = Vec::with_capacity(loaded.len());
        for loaded in loaded {
            self.groups.insert((known.number, loaded.state.progress.partition.0), loaded.groups);
            states.push(loaded.state);
        }
        Ok(states)
    }

    fn load(
        &mut self,
        known: &Arc<Known>,
        partitions: &[PartitionId],
    ) -> Result<Vec<check::Loaded>, StoreError> {
        let link = self.link.get_mut();
        let done = link.within(LOAD_DEADLINE, async |session| {
            session.begin_snapshot().await?;
            session.batch("SET LOCAL statement_timeout = '100s'").await?;
            let mut loaded = Vec::with_capacity(partitions.len());
            for partition in partitions {
                loaded.push(check::load(session, known, *partition).await?);
            }
            outside::check_files(session, known).await?;
            session.commit().await?;
            Ok(loaded)
        });
        link.name(done)
    }
}

/// Ascending, as everybody locks them.
async fn raise_all(session: &Session, known: &Known, partitions: &[PartitionId], engine: Engine) -> Done<()> {
    session.begin().await?;
    for partition in partitions {
        let params = [&known.number as _, &signed(partition.0)? as _, &rows::engine_name(engine) as _];
        if session.execute(include_str!("sql/progress_raise.sql"), &params).await? == 0 {
            let fence = [&known.number as _, &signed(partition.0)? as _];
            let found = session.maybe(include_str!("sql/progress_fence.sql"), &fence).await?.is_some();
            let other = StoreError::OtherEngine { election: known.election.id.clone(), asked: engine };
            return Err(if found { other } else { unknown_partition(known, *partition) }.into());
        }
    }
    crash_point!("store-takeover-before-commit");
    session.commit().await
}

pub(super) fn unknown_partition(known: &Known, partition: PartitionId) -> StoreError {
    let (election, last) = (known.election.id.clone(), known.shape.partitions - 1);
    StoreError::UnknownPartition { election, partition, last }
}

impl Reader {
    /// Every row of seen voters of a partition, in the order of their ranges, in one snapshot, a page at a time; rows without voters are
    /// passed over.
    pub(crate) fn for_each_seen<E: From<StoreError>>(
        &self,
        id: &str,
        partition: PartitionId,
        each: &mut dyn FnMut(SeenRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let (number, process) = self.call(async |session, label| {
            session.begin_snapshot().await?;
            let row = elections::row(session, label, id).await?;
            session.keep_open();
            Ok((row.number, session.process))
        })?;
        let mut after: (i64, i32) = (-1, 0);
        loop {
            let page = self.call(async |session, _| {
                if !session.is_open(process) {
                    let source = "the connection was lost between two pages".into();
                    let store = self.label();
                    return Err(StoreError::Unreachable { store, source }.into());
                }
                let params = [&number as _, &signed(partition.0)? as _, &after.0 as _, &after.1 as _];
                let page = session.rows(include_str!("sql/seen_page.sql"), &params).await?;
                if page.is_empty() {
                    session.commit().await?;
                } else {
                    session.keep_open();
                }
                page.iter().map(seen_row).collect::<Done<Vec<_>>>()
            })?;
            let Some(last) = page.last() else { return Ok(()) };
            after = (last.from.0 as i64, last.part as i32);
            for row in page.into_iter().filter(|row| row.seen.entries > 0) {
                if let Err(stopped) = each(row) {
                    // Whatever was open is taken back with the call that does not keep it.
                    self.call(async |_, _| Ok(()))?;
                    return Err(stopped);
                }
            }
        }
    }
}

/// Reads a row of the `seen_*` statements.
pub(super) fn seen_row(row: &tokio_postgres::Row) -> Done<SeenRow> {
    Ok(SeenRow {
        from: Offset(rows::unsigned(row, 0)?),
        part: rows::small(row, 1)?,
        to: Offset(rows::unsigned(row, 2)?),
        seen: SeenPart { entries: rows::unsigned(row, 3)?, bytes: rows::get(row, 4)? },
    })
}
