//! One flush, one statement, so one transaction in one round trip: the fences of all its partitions first, then everything they moved.
//! Nothing can be pipelined past the fence, and a worker stopped anywhere holds no lock while it is stopped, unless in mid-message.

use super::doubt::Claim;
use super::elections::{Known, signed};
use super::fault::{Done, FENCED, Fault, NEGATIVE, NO_PARTITIONER};
use super::link::{Param, Session};
use super::{Key, Writer, corrupt, outside, rows};
use crate::balance;
use crate::compaction::Group;
use crate::error::StoreError;
use crate::pack::Reasons;
use crate::tail::{RejectedRow, Tail};
use crate::types::NewFiles;
use std::collections::HashMap;
use std::sync::Arc;
use votestream_election::delta::{Fence, FlushOutcome, OpenLeaf, PartitionDelta};
use votestream_election::ledger::LEAF_OFFSETS;
use votestream_election::partitioner::PartitionerSet;
use votestream_election::{Millis, Offset, PartitionId};

/// One partition as committed: what a flush goes on from.
#[derive(Clone)]
pub(super) struct Base {
    fence: Fence,
    totals: Vec<i64>,
    tail: Tail,
}

impl Writer {
    pub(crate) fn flush(
        &mut self,
        id: &str,
        deltas: &[PartitionDelta],
        files: Option<&NewFiles<'_>>,
        now: Millis,
    ) -> Result<FlushOutcome, StoreError> {
        let known = self.known(id)?;
        balance::check(&known.shape, id, deltas)?;
        balance::check_files(deltas, files.map_or(&[], |new| new.files))?;
        let partitioners = balance::narrowed(known.partitioners, id, deltas)?;
        let rest = match self.settle(&known, deltas)? {
            Ok(rest) => rest,
            Err(outcome) => return Ok(outcome),
        };
        let outcome = self.flush_checked(&known, (&rest, files), partitioners, now);
        if let (Ok(FlushOutcome::Committed { .. }), Some(partitioners)) = (&outcome, partitioners) {
            let Known { number, ref election, shape, .. } = *known;
            let narrowed = Known { number, election: election.clone(), shape, partitioners };
            self.known.insert(id.to_owned(), Arc::new(narrowed));
        }
        outcome
    }

    fn flush_checked(
        &mut self,
        known: &Known,
        (deltas, files): (&[&PartitionDelta], Option<&NewFiles<'_>>),
        partitioners: Option<PartitionerSet>,
        now: Millis,
    ) -> Result<FlushOutcome, StoreError> {
        let fences: Vec<Fence> = deltas.iter().map(|d| self.fence(known, d)).collect();
        let mut bases = match self.bases(known, deltas, &fences)? {
            Ok(bases) => bases,
            Err(fenced) => return Ok(FlushOutcome::Fenced(fenced)),
        };
        let mut message = Message::new(known, partitioners, now);
        for ((delta, fence), base) in deltas.iter().zip(&fences).zip(&mut bases) {
            message.add(known, delta, *fence, base)?;
        }
        let done = if message.lagging.is_empty() && files.is_none() {
            self.send(&message)
        } else {
            self.send_outside(&message, files)
        };
        match done {
            Ok(sequence) => {
                for (delta, base) in deltas.iter().zip(bases) {
                    let key = (known.number, delta.partition.0);
                    self.bases.insert(key, base);
                    if let Some(groups) = self.groups.get_mut(&key) {
                        groups.push(Group::of(delta));
                    }
                }
                self.regroup(known);
                Ok(FlushOutcome::Committed { sequence })
            }
            Err(fault) => {
                // What the server said about it, it has also taken back; all else is in doubt.
                let link = self.link.get_mut();
                if fault.database().is_none() || fault.is_lost() {
                    link.hang_up();
                    for delta in deltas {
                        self.doubts.insert((known.number, delta.partition.0), (delta.fence.from, delta.to));
                    }
                }
                match raised(&fault, known, deltas) {
                    Some(outcome) => outcome,
                    None => Err(fault.named(link.place(), true)),
                }
            }
        }
    }

    fn send(&mut self, message: &Message<'_>) -> Done<u64> {
        self.link.get_mut().once(async |session| {
            crash_point!("store-before-commit");
            let row = session.maybe(include_str!("sql/flush.sql"), &message.params()).await?;
            crash_point!("store-after-commit");
            // No row of the election, with all fences holding, cannot be.
            rows::unsigned(&row.ok_or_else(|| corrupt("an election"))?, 0)
        })
    }

    /// The same, with what lies outside, as several statements in one transaction: rows stay locked while a worker stops in between, and
    /// whoever takes over ends its connection.
    fn send_outside(&mut self, message: &Message<'_>, files: Option<&NewFiles<'_>>) -> Done<u64> {
        self.link.get_mut().once(async |session| {
            session.begin().await?;
            let row = session.maybe(include_str!("sql/flush.sql"), &message.params()).await?;
            for (partition, sealed, outside) in &message.lagging {
                let params = [&message.election as _, partition as _, sealed as _, outside as _];
                session.execute(include_str!("sql/progress_outside.sql"), &params).await?;
            }
            if let Some(new) = files {
                outside::name(session, message.election, new).await?;
            }
            crash_point!("store-before-commit");
            session.commit().await?;
            crash_point!("store-after-commit");
            rows::unsigned(&row.ok_or_else(|| corrupt("an election"))?, 0)
        })
    }

    /// The fence under which a delta is sent: its own, or the one raised since by this writer itself.
    fn fence(&self, known: &Known, delta: &PartitionDelta) -> Fence {
        let claim = self.claims.get(&(known.number, delta.partition.0));
        Fence { epoch: claim.map_or(delta.fence.epoch, |c| c.current(delta.fence.epoch)), ..delta.fence }
    }

    /// What each delta goes on from, or the partitions whose fences do not hold.
    fn bases(
        &mut self,
        known: &Known,
        deltas: &[&PartitionDelta],
        fences: &[Fence],
    ) -> Result<Result<Vec<Base>, Vec<PartitionId>>, StoreError> {
        let key = |delta: &PartitionDelta| (known.number, delta.partition.0);
        // Taken out: only a commit puts them back.
        let mut bases: HashMap<Key, Base> = HashMap::with_capacity(deltas.len());
        for delta in deltas {
            bases.extend(self.bases.remove(&key(delta)).map(|base| (key(delta), base)));
        }
        let fits = |bases: &HashMap<Key, Base>, delta: &PartitionDelta, fence: &Fence| {
            bases.get(&key(delta)).is_some_and(|base| base.fence == *fence)
        };
        if !deltas.iter().zip(fences).all(|(d, f)| fits(&bases, d, f)) {
            let partitions: Vec<PartitionId> = deltas.iter().map(|d| d.partition).collect();
            bases = self.read(&async |session: &Session, _: &str| load(session, known, &partitions).await)?;
        }
        let fenced: Vec<_> = deltas
            .iter()
            .zip(fences)
            .filter(|(d, f)| !fits(&bases, d, f))
            .map(|(d, _)| d.partition)
            .collect();
        if !fenced.is_empty() {
            return Ok(Err(fenced));
        }
        Ok(Ok(deltas.iter().filter_map(|d| bases.remove(&key(d))).collect()))
    }

    /// Σ flushes + desk acts + releases.
    pub(super) fn sequence(&self, number: i32) -> Result<u64, StoreError> {
        self.read(&async |session: &Session, _: &str| sequence(session, number).await)
    }
}

pub(super) async fn sequence(session: &Session, number: i32) -> Done<u64> {
    rows::unsigned(&session.row(include_str!("sql/sequence.sql"), &[&number]).await?, 0)
}

/// What `votestream.flush` itself refused.
fn raised(
    fault: &Fault,
    known: &Known,
    deltas: &[&PartitionDelta],
) -> Option<Result<FlushOutcome, StoreError>> {
    let said = fault.database()?;
    let mut detail = said.detail().unwrap_or_default().split(',').map(str::parse::<i64>);
    let partition = |n: i64| u32::try_from(n).ok().map(PartitionId);
    match said.code().code() {
        FENCED => Some(Ok(FlushOutcome::Fenced(detail.filter_map(|n| partition(n.ok()?)).collect()))),
        NEGATIVE => {
            let (of, cell) = (partition(detail.next()?.ok()?)?, detail.next()?.ok()?);
            let delta = deltas.iter().find(|d| d.partition == of)?;
            balance::unbalanced(delta, "a cell of the tally", cell.into(), 0).err().map(Err)
        }
        NO_PARTITIONER => Some(Err(StoreError::Partitioners { election: known.election.id.clone() })),
        _ => None,
    }
}

async fn load(session: &Session, known: &Known, partitions: &[PartitionId]) -> Done<HashMap<Key, Base>> {
    let partitions = partitions.iter().map(|p| signed(p.0)).collect::<Done<Vec<_>>>()?;
    let mut bases = HashMap::new();
    for row in session.rows(include_str!("sql/tail_load.sql"), &[&known.number, &partitions]).await? {
        let totals: Vec<i64> = rows::get(&row, 8)?;
        if totals.len() != known.shape.regions * known.shape.layout.candidates {
            return Err(corrupt("a partition's totals"));
        }
        let rejected = match rows::get::<Option<i64>>(&row, 9)? {
            None => None,
            Some(_) => Some(rejected_row(&row, 9)?),
        };
        let fence = Fence {
            epoch: rows::unsigned(&row, 1)?,
            engine: rows::engine(rows::get(&row, 2)?)?,
            from: Offset(rows::unsigned(&row, 3)?),
        };
        let tail = Tail {
            leaf: rows::unsigned(&row, 4)? / LEAF_OFFSETS + rows::unsigned(&row, 5)?,
            chain: rows::digest(&row, 6)?,
            reasons: rows::reasons(&row, 7)?,
            open: OpenLeaf { records: rows::unsigned(&row, 14)?, digest: rows::digest(&row, 15)? },
            sealed: rows::sealed(&row, 16)?,
            rejected,
        };
        bases.insert((known.number, rows::small(&row, 0)?), Base { fence, totals, tail });
    }
    Ok(bases)
}

/// Reads a row of rejects whose columns begin at `first`.
pub(super) fn rejected_row(row: &tokio_postgres::Row, first: usize) -> Done<RejectedRow> {
    let before: &[u8] = rows::get(row, first + 3)?;
    Ok(RejectedRow {
        from: Offset(rows::unsigned(row, first)?),
        to: Offset(rows::unsigned(row, first + 1)?),
        records: rows::unsigned(row, first + 2)?,
        before: Reasons::unpack(before).ok_or_else(|| corrupt("a row of rejects"))?,
        packed: rows::get(row, first + 4)?,
    })
}

impl Claim {
    /// Deltas sealed since the partition was taken over belong to whoever raised its epoch since: this writer.
    fn current(self, sealed: u64) -> u64 {
        if (self.taken..=self.raised).contains(&sealed) { self.raised } else { sealed }
    }
}

/// The arguments of `votestream.flush`, in its order.
#[derive(Default)]
struct Message<'d> {
    election: i32,
    now: i64,
    width: i32,
    cells: i32,
    narrowed: Option<&'static str>,
    partition: Vec<i32>,
    from: Vec<i64>,
    epoch: Vec<i64>,
    engine: Vec<&'static str>,
    to: Vec<i64>,
    leader_epoch: Vec<i32>,
    counts: [Vec<i64>; 4],
    minute: Vec<Option<i64>>,
    log_end: Vec<i64>,
    leaves: Vec<i64>,
    chain: Vec<Vec<u8>>,
    open_records: Vec<i64>,
    open_digest: Vec<Vec<u8>>,
    reasons: Vec<Vec<u8>>,
    totals: Vec<i64>,
    tally: Tally,
    timeline: Timeline,
    seen: Seen<'d>,
    rejected: Rejected,
    leaf: Leaves,
    /// Partitions whose ledger lags behind, how far it is hashed, and entries of voters that go outside: no argument of the function.
    lagging: Vec<(i32, Option<i64>, i64)>,
}

#[derive(Default)]
struct Tally {
    partition: Vec<i32>,
    region: Vec<i32>,
    upto: Vec<i32>,
    cell: Vec<i32>,
    add: Vec<i64>,
}

#[derive(Default)]
struct Timeline {
    partition: Vec<i32>,
    minute: Vec<i64>,
    counts: [Vec<i64>; 4],
    totals: Vec<i64>,
}

#[derive(Default)]
struct Seen<'d> {
    partition: Vec<i32>,
    from: Vec<i64>,
    part: Vec<i32>,
    to: Vec<i64>,
    entries: Vec<i64>,
    ids: Vec<&'d [u8]>,
}

#[derive(Default)]
struct Rejected {
    partition: Vec<i32>,
    from: Vec<i64>,
    to: Vec<i64>,
    records: Vec<i64>,
    before: Vec<Vec<u8>>,
    packed: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Leaves {
    partition: Vec<i32>,
    number: Vec<i64>,
    records: Vec<i64>,
    digest: Vec<Vec<u8>>,
    chain: Vec<Vec<u8>>,
}

impl<'d> Message<'d> {
    fn new(known: &Known, partitioners: Option<PartitionerSet>, now: Millis) -> Self {
        Self {
            election: known.number,
            now: now.0,
            width: (known.shape.regions * known.shape.layout.candidates) as i32,
            cells: known.shape.layout.cells() as i32,
            narrowed: partitioners.map(PartitionerSet::to_text),
            ..Self::default()
        }
    }

    /// Adds a delta, and moves its base to where the delta ends.
    fn add(
        &mut self,
        known: &Known,
        delta: &'d PartitionDelta,
        fence: Fence,
        base: &mut Base,
    ) -> Result<(), StoreError> {
        let partition = delta.partition.0 as i32;
        let before = base.tail.reasons.clone();
        base.tail.apply(delta)?;
        base.fence = Fence { from: delta.to, ..fence };
        self.add_tally(known, delta, &mut base.totals);
        self.add_seen(delta);
        self.add_rejects(partition, base.tail.rejected_rows(&before, delta));
        for row in &delta.timeline {
            let timeline = &mut self.timeline;
            timeline.partition.push(partition);
            timeline.minute.push(row.minute.0);
            add_counts(&mut timeline.counts, &row.counts);
            timeline.totals.extend(row.totals.iter().map(|v| *v as i64));
        }
        for leaf in &delta.leaves {
            self.leaf.partition.push(partition);
            self.leaf.number.push(leaf.number as i64);
            self.leaf.records.push(leaf.records as i64);
            self.leaf.digest.push(leaf.digest.0.to_vec());
            self.leaf.chain.push(leaf.chain.0.to_vec());
        }
        self.partition.push(partition);
        self.from.push(fence.from.0 as i64);
        self.epoch.push(fence.epoch as i64);
        self.engine.push(rows::engine_name(fence.engine));
        self.to.push(delta.to.0 as i64);
        self.leader_epoch.push(delta.leader_epoch);
        add_counts(&mut self.counts, &delta.counts);
        self.minute.push(delta.minute.map(|m| m.0));
        self.log_end.push(delta.log_end.0 as i64);
        self.leaves.push(delta.leaves.len() as i64);
        self.chain.push(base.tail.chain.0.to_vec());
        let open = &base.tail.open;
        self.open_records.push(open.records as i64);
        self.open_digest.push(open.digest.0.to_vec());
        if base.tail.sealed.is_some() || delta.outside > 0 {
            let sealed = base.tail.sealed.map(|sealed| sealed.0 as i64);
            self.lagging.push((partition, sealed, delta.outside as i64));
        }
        self.reasons.push(base.tail.reasons.pack());
        self.totals.extend(&base.totals);
        Ok(())
    }

    fn add_tally(&mut self, known: &Known, delta: &PartitionDelta, totals: &mut [i64]) {
        let layout = known.shape.layout;
        for (region, increments) in &delta.tally {
            for (cell, add) in increments.iter().enumerate().filter(|(_, add)| **add != 0) {
                // PostgreSQL counts from 1.
                self.tally.cell.push(cell as i32 + 1);
                self.tally.add.push(*add);
            }
            self.tally.partition.push(delta.partition.0 as i32);
            self.tally.region.push(region.0.into());
            self.tally.upto.push(self.tally.cell.len() as i32);
            let first = usize::from(region.0) * layout.candidates;
            for (total, add) in totals.iter_mut().skip(first).zip(layout.by_candidate(increments)) {
                *total += add;
            }
        }
    }

    /// Every range leaves a row, without voters too, so that a takeover can see that none is missing.
    fn add_seen(&mut self, delta: &'d PartitionDelta) {
        let parts = delta.seen.iter().map(|s| (s.entries, s.bytes.as_slice()));
        let none = delta.seen.is_empty().then_some((0, [].as_slice()));
        for (part, (entries, ids)) in parts.chain(none).enumerate() {
            self.seen.partition.push(delta.partition.0 as i32);
            self.seen.from.push(delta.fence.from.0 as i64);
            self.seen.part.push(part as i32);
            self.seen.to.push(delta.to.0 as i64);
            self.seen.entries.push(entries as i64);
            self.seen.ids.push(ids);
        }
    }

    fn add_rejects(&mut self, partition: i32, rows: Vec<RejectedRow>) {
        for row in rows {
            self.rejected.partition.push(partition);
            self.rejected.from.push(row.from.0 as i64);
            self.rejected.to.push(row.to.0 as i64);
            self.rejected.records.push(row.records as i64);
            self.rejected.before.push(row.before.pack());
            self.rejected.packed.push(row.packed);
        }
    }

    #[rustfmt::skip]
    fn params(&self) -> [Param<'_>; 52] {
        let Self { tally, timeline, seen, rejected, leaf, .. } = self;
        [
            &self.election, &self.now, &self.width, &self.cells, &self.narrowed,
            &self.partition, &self.from, &self.epoch, &self.engine, &self.to, &self.leader_epoch,
            &self.counts[0], &self.counts[1], &self.counts[2], &self.counts[3], &self.minute, &self.log_end,
            &self.leaves, &self.chain, &self.open_records, &self.open_digest, &self.reasons, &self.totals,
            &tally.partition, &tally.region, &tally.upto, &tally.cell, &tally.add,
            &timeline.partition, &timeline.minute, &timeline.counts[0], &timeline.counts[1], &timeline.counts[2],
            &timeline.counts[3], &timeline.totals,
            &seen.partition, &seen.from, &seen.part, &seen.to, &seen.entries, &seen.ids,
            &rejected.partition, &rejected.from, &rejected.to, &rejected.records, &rejected.before, &rejected.packed,
            &leaf.partition, &leaf.number, &leaf.records, &leaf.digest, &leaf.chain,
        ]
    }
}

fn add_counts(columns: &mut [Vec<i64>; 4], counts: &votestream_election::delta::Counts) {
    let values = [counts.counted, counts.duplicate, counts.rejected, counts.skipped];
    for (column, value) in columns.iter_mut().zip(values) {
        column.push(value as i64);
    }
}
