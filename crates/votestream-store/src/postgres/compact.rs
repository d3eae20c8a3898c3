//! Merging rows of seen voters: read and merged outside, then replaced in one short transaction under the partition's epoch.

use super::check;
use super::elections::{Known, signed};
use super::fault::Done;
use super::link::Session;
use super::takeover::seen_row;
use super::{Key, Writer, corrupt, rows};
use crate::balance::entries;
use crate::compaction::{Group, plan};
use crate::error::StoreError;
use crate::types::Compaction;
use votestream_election::delta::{SeenPart, SeenRow};
use votestream_election::election::DuplicatePolicy;
use votestream_election::{PartitionId, seen};

impl Writer {
    /// Partitions, of those taken over, with rows worth merging. Looks at memory only.
    pub(crate) fn compaction_due(&mut self, id: &str) -> Result<Vec<PartitionId>, StoreError> {
        let number = self.known(id)?.number;
        let due = self.groups.iter().filter(|((n, _), groups)| *n == number && plan(groups).is_some());
        let mut due: Vec<_> = due.map(|((_, partition), _)| PartitionId(*partition)).collect();
        due.sort_unstable();
        Ok(due)
    }

    /// Looks again which rows there are, where a merger ended in nobody knows what. Whatever stands in the way may wait.
    pub(super) fn regroup(&mut self, known: &Known) {
        let due: Vec<_> = self.ungrouped.iter().copied().filter(|key| key.0 == known.number).collect();
        for key in due {
            self.ungrouped.remove(&key);
            let partition = PartitionId(key.1);
            let loaded = self.read(&async |session: &Session, _: &str| {
                session.begin_snapshot().await?;
                let loaded = check::load(session, known, partition).await?;
                session.commit().await?;
                Ok(loaded)
            });
            match loaded {
                Ok(loaded) => drop(self.groups.insert(key, loaded.groups)),
                Err(error) => {
                    tracing::debug!(error = %error, "rows of seen voters not looked at again yet");
                    self.ungrouped.insert(key);
                }
            }
        }
    }

    pub(crate) fn compact_seen(
        &mut self,
        id: &str,
        partition: PartitionId,
    ) -> Result<Compaction, StoreError> {
        let known = self.known(id)?;
        let key = (known.number, partition.0);
        let Some((range, chosen)) = self.groups.get(&key).and_then(|groups| {
            let range = plan(groups)?;
            Some((range.clone(), groups.get(range)?.to_vec()))
        }) else {
            return Ok(Compaction::NotDue);
        };
        let (Some(first), Some(last)) = (chosen.first().copied(), chosen.last().copied()) else {
            return Ok(Compaction::NotDue);
        };
        let policy = known.shape.duplicate;
        let done = self.call(async |session, _| replace(session, key, (first.from, last.to), policy).await);
        let (rows_before, parts) = match done {
            Ok(Some(merged)) => merged,
            Ok(None) => {
                self.groups.remove(&key);
                return Ok(Compaction::Superseded);
            }
            Err(error) => {
                // Nobody knows which rows there are now: looked at again after the next flush.
                if self.groups.remove(&key).is_some() {
                    self.ungrouped.insert(key);
                }
                return Err(error);
            }
        };
        let bytes = parts.iter().map(|p| p.bytes.len() as u64).sum();
        let merged = Group { from: first.from, to: last.to, rows: parts.len().max(1) as u32, bytes };
        if let Some(groups) = self.groups.get_mut(&key) {
            groups.splice(range, [merged]);
        }
        Ok(Compaction::Merged { rows_before, rows_after: merged.rows.into(), bytes })
    }
}

/// Replaces the rows of a range by their merger. Returns how many they were and what they became, or nothing where the partition has
/// been taken over or the rows are not those that were read.
async fn replace(
    session: &Session,
    (number, partition): Key,
    (from, to): (u64, u64),
    policy: DuplicatePolicy,
) -> Done<Option<(u64, Vec<SeenPart>)>> {
    let (partition, from, to) = (signed(partition)?, from as i64, to as i64);
    let fence = session.maybe(include_str!("sql/progress_fence.sql"), &[&number, &partition]).await?;
    let Some(fence) = fence else { return Ok(None) };
    let fence: (i64, String) = (rows::get(&fence, 0)?, rows::get(&fence, 1)?);
    let range = [&number as _, &partition as _, &from as _, &to as _];
    let old = session.rows(include_str!("sql/seen_rows.sql"), &range).await?;
    let old = old.iter().map(seen_row).collect::<Done<Vec<_>>>()?;
    let parts = merge(&old)?;
    let (found, kept) = (old.iter().map(|r| r.seen.entries).sum::<u64>(), entries(&parts));
    if kept > found || (policy == DuplicatePolicy::First && kept != found) {
        return Err(corrupt("a row of seen voters"));
    }
    session.begin().await?;
    crash_point!("store-compact-after-begin");
    let now = session.maybe(include_str!("sql/progress_lock.sql"), &[&number, &partition]).await?;
    let now =
        now.map(|r| Ok::<(i64, String), super::Fault>((rows::get(&r, 0)?, rows::get(&r, 1)?))).transpose()?;
    if now != Some(fence) {
        return Ok(None);
    }
    let gone = session.rows(include_str!("sql/seen_delete.sql"), &range).await?;
    let mut gone = gone
        .iter()
        .map(|r| {
            Ok((rows::unsigned(r, 0)?, rows::small(r, 1)?, rows::unsigned(r, 2)?, rows::unsigned(r, 3)?))
        })
        .collect::<Done<Ranges>>()?;
    gone.sort_unstable();
    if gone != ranges(&old) {
        return Ok(None);
    }
    crash_point!("store-compact-after-delete");
    put(session, (number, partition), (from, to), 0, &parts).await?;
    crash_point!("store-compact-before-commit");
    session.commit().await?;
    crash_point!("store-compact-after-commit");
    Ok(Some((old.len() as u64, parts)))
}

/// Puts rows of a range, the first of them as its part `first`; one without voters where there are none.
pub(super) async fn put(
    session: &Session,
    (number, partition): (i32, i32),
    (from, to): (i64, i64),
    first: usize,
    parts: &[SeenPart],
) -> Done<()> {
    let none = [SeenPart { entries: 0, bytes: Vec::new() }];
    let kept = if parts.is_empty() { &none[..] } else { parts };
    let places: Vec<i32> = (first..first + kept.len()).map(|part| part as i32).collect();
    let entries: Vec<i64> = kept.iter().map(|p| p.entries as i64).collect();
    let ids: Vec<&[u8]> = kept.iter().map(|p| p.bytes.as_slice()).collect();
    let params =
        [&number as _, &partition as _, &from as _, &to as _, &places as _, &entries as _, &ids as _];
    session.execute(include_str!("sql/seen_put.sql"), &params).await?;
    Ok(())
}

fn merge(rows: &[SeenRow]) -> Done<Vec<SeenPart>> {
    let parts: Vec<&SeenPart> = rows.iter().map(|r| &r.seen).filter(|s| s.entries > 0).collect();
    seen::merge(&parts).map_err(|_| corrupt("a row of seen voters"))
}

/// What identifies rows: from, part, to, entries.
type Ranges = Vec<(u64, u32, u64, u64)>;

fn ranges(rows: &[SeenRow]) -> Ranges {
    rows.iter().map(|r| (r.from.0, r.part, r.to.0, r.seen.entries)).collect()
}
