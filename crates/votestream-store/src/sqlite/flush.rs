//! One flush, one transaction: the fences of all its partitions first, then everything they moved, then commit.

use super::cache::Cached;
use super::elections::Known;
use super::fault::{Done, Fault};
use super::{Writer, outside, rows};
use crate::balance;
use crate::compaction::Group;
use crate::pack::{self, Reasons};
use crate::types::NewFiles;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::collections::HashMap;
use std::sync::Arc;
use votestream_election::delta::{FlushOutcome, PartitionDelta};
use votestream_election::ledger::LeafSeal;
use votestream_election::partitioner::PartitionerSet;
use votestream_election::protocol::{Resolution, resolve_commit};
use votestream_election::{Millis, Offset, PartitionId};

impl Writer {
    pub(crate) fn flush(
        &mut self,
        id: &str,
        deltas: &[PartitionDelta],
        files: Option<&NewFiles<'_>>,
        now: Millis,
    ) -> Done<FlushOutcome> {
        let known = self.known(id)?;
        balance::check(&known.shape, id, deltas)?;
        balance::check_files(deltas, files.map_or(&[], |new| new.files))?;
        let partitioners = balance::narrowed(known.partitioners, id, deltas)?;
        let outcome = self.flush_checked(&known, (deltas, files), partitioners, now);
        if !matches!(outcome, Ok(FlushOutcome::Committed { .. })) {
            self.forget(known.number, deltas.iter().map(|d| d.partition.0));
            return outcome;
        }
        if let Some(partitioners) = partitioners {
            let Known { number, ref election, shape, .. } = *known;
            let narrowed = Known { number, election: election.clone(), shape, partitioners };
            self.known.insert(id.to_owned(), Arc::new(narrowed));
        }
        for delta in deltas {
            if let Some(groups) = self.groups.get_mut(&(known.number, delta.partition.0)) {
                groups.push(Group::of(delta));
            }
        }
        self.bound_wal();
        outcome
    }

    fn flush_checked(
        &mut self,
        known: &Known,
        (deltas, files): (&[PartitionDelta], Option<&NewFiles<'_>>),
        partitioners: Option<PartitionerSet>,
        now: Millis,
    ) -> Done<FlushOutcome> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        crash_point!("store-after-begin");
        let mut fenced = Vec::new();
        let mut moved = Vec::with_capacity(deltas.len());
        for delta in deltas {
            match advance(&tx, &mut self.cache, known, delta, now)? {
                Some(before) => moved.push((delta, before)),
                None => fenced.push(delta.partition),
            }
        }
        if !fenced.is_empty() {
            tx.rollback()?;
            return Ok(FlushOutcome::Fenced(fenced));
        }
        crash_point!("store-after-fence");
        for (delta, before) in moved {
            let key = (known.number, delta.partition.0);
            // Put there by `advance` just now.
            let Some(cached) = self.cache.get_mut(&key) else { continue };
            put_tally(&tx, known, delta, cached)?;
            crash_point!("store-after-tally");
            put_timeline(&tx, known.number, delta, now)?;
            crash_point!("store-after-timeline");
            put_seen(&tx, known.number, delta)?;
            crash_point!("store-after-seen");
            put_rejects(&tx, known.number, delta, cached, &before)?;
            put_leaves(&tx, known.number, delta.partition, &delta.leaves)?;
            crash_point!("store-after-rejects");
        }
        if let Some(new) = files {
            outside::name(&tx, known.number, new)?;
        }
        if let Some(partitioners) = partitioners {
            tx.prepare_cached(include_str!("sql/partitioners_set.sql"))?
                .execute((known.number, partitioners.to_text()))?;
        }
        let sequence = sequence(&tx, known.number)?;
        crash_point!("store-before-commit");
        tx.commit()?;
        crash_point!("store-after-commit");
        Ok(FlushOutcome::Committed { sequence })
    }

    /// What became of a flush whose answer was lost. One process writes, so nothing late can come: the store is read again.
    pub(crate) fn resolve(&mut self, id: &str, delta: &PartitionDelta) -> Done<Resolution> {
        let known = self.known(id)?;
        self.forget(known.number, [delta.partition.0]);
        let row = rows::one(&self.conn, known.number, delta.partition)?;
        let ours = row
            .map(|r| r.progress)
            .filter(|p| (p.epoch, p.engine) == (delta.fence.epoch, delta.fence.engine));
        Ok(resolve_commit(delta.fence.from, delta.to, ours.map(|p| (p.epoch, p.next_offset))))
    }
}

/// Σ flushes + desk acts + releases.
pub(super) fn sequence(conn: &Connection, number: i64) -> Done<u64> {
    let mut statement = conn.prepare_cached(include_str!("sql/sequence.sql"))?;
    Ok(statement.query_row([number], |r| rows::unsigned(r, 0))?)
}

/// Moves the progress row behind its fence. Returns the partition's rejects by reason before, or `None` where the fence failed.
fn advance(
    tx: &Transaction<'_>,
    cache: &mut HashMap<super::Key, Cached>,
    known: &Known,
    delta: &PartitionDelta,
    now: Millis,
) -> Done<Option<Reasons>> {
    let key = (known.number, delta.partition.0);
    if !cache.get(&key).is_some_and(|c| c.fits(delta)) {
        cache.remove(&key);
        match Cached::load(tx, &known.shape, known.number, delta.partition)? {
            Some(loaded) if loaded.fits(delta) => cache.insert(key, loaded),
            _ => return Ok(None),
        };
    }
    let Some(cached) = cache.get_mut(&key) else { return Ok(None) };
    let before = cached.tail.reasons.clone();
    cached.apply(&known.shape, delta)?;
    let counts = &delta.counts;
    let hit = tx.prepare_cached(include_str!("sql/progress_advance.sql"))?.execute(rusqlite::params![
        delta.to.0 as i64,
        delta.leader_epoch,
        counts.counted as i64,
        counts.duplicate as i64,
        counts.rejected as i64,
        counts.skipped as i64,
        delta.minute.map(|m| m.0),
        delta.log_end.0 as i64,
        now.0,
        delta.leaves.len() as i64,
        cached.tail.chain.0,
        cached.tail.open.records as i64,
        cached.tail.open.digest.0,
        pack::numbers(cached.totals.iter().copied()),
        cached.tail.reasons.pack(),
        known.number,
        delta.partition.0,
        delta.fence.from.0 as i64,
        delta.fence.epoch as i64,
        rows::engine_name(delta.fence.engine),
        cached.tail.sealed.map(|sealed| sealed.0 as i64),
        delta.outside as i64,
    ])?;
    Ok((hit == 1).then_some(before))
}

fn put_tally(tx: &Transaction<'_>, known: &Known, delta: &PartitionDelta, cached: &Cached) -> Done<()> {
    let width = known.shape.layout.cells();
    let mut put = tx.prepare_cached(include_str!("sql/tally_put.sql"))?;
    for (region, _) in &delta.tally {
        let at = usize::from(region.0) * width;
        // Not negative: checked as they were added up.
        let packed = pack::numbers(cached.cells[at..at + width].iter().map(|c| *c as u64));
        put.execute((known.number, delta.partition.0, region.0, packed))?;
    }
    Ok(())
}

fn put_timeline(tx: &Transaction<'_>, number: i64, delta: &PartitionDelta, now: Millis) -> Done<()> {
    let mut put = tx.prepare_cached(include_str!("sql/timeline_put.sql"))?;
    for row in &delta.timeline {
        put.execute((
            number,
            delta.partition.0,
            row.minute.0,
            row.counts.counted as i64,
            row.counts.duplicate as i64,
            row.counts.rejected as i64,
            row.counts.skipped as i64,
            now.0,
            pack::numbers(row.totals.iter().copied()),
        ))?;
    }
    Ok(())
}

/// Every range leaves a row, without voters too, so that a takeover can see that none is missing.
fn put_seen(tx: &Transaction<'_>, number: i64, delta: &PartitionDelta) -> Done<()> {
    let mut put = tx.prepare_cached(include_str!("sql/seen_put.sql"))?;
    let (from, to) = (delta.fence.from.0 as i64, delta.to.0 as i64);
    if delta.seen.is_empty() {
        put.execute((number, delta.partition.0, from, 0, to, 0, [0_u8; 0].as_slice()))?;
    }
    for (part, seen) in delta.seen.iter().enumerate() {
        put.execute((number, delta.partition.0, from, part as i64, to, seen.entries as i64, &seen.bytes))?;
    }
    Ok(())
}

fn put_rejects(
    tx: &Transaction<'_>,
    number: i64,
    delta: &PartitionDelta,
    cached: &mut Cached,
    before: &Reasons,
) -> Done<()> {
    let mut put = tx.prepare_cached(include_str!("sql/rejected_put.sql"))?;
    for row in cached.tail.rejected_rows(before, delta) {
        let (from, to) = (row.from.0 as i64, row.to.0 as i64);
        put.execute((
            number,
            delta.partition.0,
            from,
            to,
            row.records as i64,
            row.before.pack(),
            row.packed,
        ))?;
    }
    Ok(())
}

pub(super) fn put_leaves(
    conn: &Connection,
    number: i64,
    partition: PartitionId,
    leaves: &[LeafSeal],
) -> Done<()> {
    let mut put = conn.prepare_cached(include_str!("sql/leaf_put.sql"))?;
    for leaf in leaves {
        let (digest, chain) = (leaf.digest.0, leaf.chain.0);
        put.execute((number, partition.0, leaf.number as i64, leaf.records as i64, digest, chain))?;
    }
    Ok(())
}

/// Where a partition's fence stands now.
pub(super) fn fence_of(
    conn: &Connection,
    number: i64,
    partition: PartitionId,
) -> Done<Option<(u64, String, Offset)>> {
    let mut statement = conn.prepare_cached(include_str!("sql/progress_epoch.sql"))?;
    let mut rows = statement.query((number, partition.0))?;
    let row = rows.next()?;
    row.map(|r| Ok::<_, Fault>((rows::unsigned(r, 0)?, r.get(1)?, Offset(rows::unsigned(r, 2)?)))).transpose()
}
