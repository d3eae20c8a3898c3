//! The recount: the log counted again from its start, beside what the store holds. Nothing of the store is used but its answer.

use crate::count::{Clock, check_history, fold_batch, only, possible_partitioners};
use crate::{EngineError, Shutdown};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use votestream_election::cells::CellLayout;
use votestream_election::delta::{
    Counts, Engine, LedgerHead, OpenLeaf, PartitionState, Pin, Progress, Snapshot,
};
use votestream_election::event::EventParser;
use votestream_election::fold::{Misrouted, PartitionCount};
use votestream_election::ledger::{ContentHasher, Digest, LeafSeal, election_digest};
use votestream_election::protocol::{LogFacts, check_log};
use votestream_election::seen::SeenVoters;
use votestream_election::{Election, Offset, PartitionId, RejectReason};
use votestream_log::LogReader;

/// What the store claims.
pub struct Claim {
    /// The pinned log.
    pub pin: Pin,
    /// Progress, rejects and ledger heads.
    pub snapshot: Snapshot,
    /// Votes by region and cell, region-major.
    pub cells: Vec<i64>,
    /// Sealed leaves of each partition.
    pub leaves: Vec<Vec<LeafSeal>>,
    /// The list of rejects of each partition.
    pub reject_lists: Vec<RejectDigest>,
}

/// A list of rejects as a number and a digest, so that two lists can be compared without holding either.
#[derive(Clone, Debug, Default)]
pub struct RejectDigest {
    rejects: u64,
    hasher: ContentHasher,
}

impl RejectDigest {
    /// Adds the next reject, in offset order.
    pub fn add(&mut self, offset: Offset, reason: RejectReason) {
        self.rejects += 1;
        self.hasher.update(&offset.0.to_le_bytes());
        self.hasher.update(&[reason as u8]);
    }
}

/// How to recount.
pub struct RecountOptions {
    /// Partitions counted side by side.
    pub threads: usize,
    /// Spreads slots of the voter table.
    pub seed: u64,
    /// The wall clock; no answer depends on it.
    pub clock: Clock,
}

/// What a recount found.
#[derive(Clone, Debug)]
pub struct RecountReport {
    /// Each difference in words; empty: identical.
    pub differences: Vec<String>,
    /// Records recounted.
    pub records: u64,
    /// Voters found.
    pub counted: u64,
    /// What was found, as a store would say it.
    pub found: Snapshot,
    /// The ledger's digest as recomputed.
    pub digest: Digest,
    /// How long it took.
    pub elapsed: Duration,
}

/// One partition, counted again.
struct Recounted {
    counts: Counts,
    cells: Vec<i64>,
    rejects: Vec<(RejectReason, u64)>,
    reject_list: RejectDigest,
    leaves: Vec<LeafSeal>,
    head: LedgerHead,
}

/// Records folded before the open delta is emptied, so that memory stays flat.
const SEAL_EVERY: u64 = 1_000_000;
/// How long one wait for records of the log lasts.
const PATIENCE: Duration = Duration::from_millis(200);
/// Differences of one kind that are listed.
const LISTED_MAX: usize = 20;

/// Counts the log again as far as the store has counted it, and compares. `progress` is told the records so far.
pub fn recount_log(
    election: &Election,
    log: &LogReader,
    claim: &Claim,
    options: &RecountOptions,
    (shutdown, progress): (&Shutdown, &(dyn Fn(u64) + Sync)),
) -> Result<RecountReport, EngineError> {
    let began = Instant::now();
    let ends = log.refresh_ends()?;
    check_log(
        &claim.pin,
        &LogFacts { log_id: log.log_id(), partitions: log.partitions(), ends: ends.clone() },
    )?;
    let todo = Mutex::new(claim.snapshot.progress.iter().rev().collect::<Vec<_>>());
    let next = || todo.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
    let seen_records = AtomicU64::new(0);
    let tell = |records| progress(seen_records.fetch_add(records, Ordering::Relaxed) + records);
    let work = || -> Result<Vec<(u32, Recounted)>, EngineError> {
        let mut done = Vec::new();
        while let Some(partition) = next() {
            check_history(log, partition, ends[partition.partition.0 as usize])?;
            done.push((
                partition.partition.0,
                recount_partition(election, log, partition, &claim.pin, options, shutdown, &tell)?,
            ));
        }
        Ok(done)
    };
    let mut parts = Vec::new();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..options.threads.max(1)).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            parts.extend(worker.join().unwrap_or(Err(EngineError::Thread("recounting")))?);
        }
        Ok::<_, EngineError>(())
    })?;
    parts.sort_by_key(|(partition, _)| *partition);
    let parts: Vec<Recounted> = parts.into_iter().map(|(_, part)| part).collect();
    let heads: Vec<LedgerHead> = parts.iter().map(|p| p.head.clone()).collect();
    Ok(RecountReport {
        differences: compare(election, claim, &parts),
        records: parts.iter().map(|p| p.counts.records()).sum(),
        counted: parts.iter().map(|p| p.counts.counted).sum(),
        found: found(election, claim, &parts),
        digest: election_digest(&heads),
        elapsed: began.elapsed(),
    })
}

fn recount_partition(
    election: &Election,
    log: &LogReader,
    claimed: &Progress,
    pin: &Pin,
    options: &RecountOptions,
    shutdown: &Shutdown,
    tell: &dyn Fn(u64),
) -> Result<Recounted, EngineError> {
    let layout = election.layout();
    let state = PartitionState {
        progress: Progress {
            epoch: 0,
            engine: Engine::Native,
            next_offset: claimed.start_offset,
            leader_epoch: -1,
            counted: 0,
            duplicate: 0,
            rejected: 0,
            skipped: 0,
            flushes: 0,
            minute: None,
            ..claimed.clone()
        },
        totals: vec![0; layout.candidates * election.region_rows()],
        chain: Digest::default(),
        leaves: 0,
        open_leaf: OpenLeaf::default(),
    };
    let seen = SeenVoters::new(election.duplicate, claimed.counted, options.seed);
    // A misrouted vote was either counted as a reject, or counting would have stopped before it.
    let mut fold =
        PartitionCount::new(election, state, seen, (pin.partitions, pin.partitioners), Misrouted::Reject);
    fold.set_clock((options.clock)());
    let mut parser = EventParser::new(election);
    let mut reader = log.partition(claimed.partition, claimed.start_offset)?;
    let mut sum = Recounted {
        counts: Counts::default(),
        cells: vec![0; layout.cells() * election.region_rows()],
        rejects: Vec::new(),
        reject_list: RejectDigest::default(),
        leaves: Vec::new(),
        head: LedgerHead { open: fold.open_leaf(), ..LedgerHead::default() },
    };
    while fold.next() < claimed.next_offset && !shutdown.is_raised() {
        let Some(batch) = reader.next_batch()? else {
            // Over a network what was there may still be on its way.
            log.wait_past(&only(log.partitions(), claimed.partition, reader.position()), PATIENCE)?;
            continue;
        };
        fold_batch(&mut fold, &mut parser, &batch)?;
        if fold.open_records() >= SEAL_EVERY || fold.crowded() {
            tell(sum.add(&mut fold, layout));
        }
    }
    tell(sum.add(&mut fold, layout));
    Ok(sum)
}

impl Recounted {
    /// Empties the fold's open delta into the sums; returns the records in it.
    fn add(&mut self, fold: &mut PartitionCount, layout: CellLayout) -> u64 {
        let Some(delta) = fold.seal(fold.next()) else { return 0 };
        self.counts.add(&delta.counts);
        for (region, cells) in &delta.tally {
            let at = usize::from(region.0) * layout.cells();
            for (sum, cell) in self.cells[at..].iter_mut().zip(cells) {
                *sum += cell;
            }
        }
        for (offset, reason) in &delta.rejects {
            self.reject_list.add(*offset, *reason);
            match self.rejects.iter_mut().find(|(r, _)| r == reason) {
                Some((_, n)) => *n += 1,
                None => self.rejects.push((*reason, 1)),
            }
        }
        if let Some(last) = delta.leaves.last() {
            self.head.chain = last.chain;
        }
        self.head.leaves += delta.leaves.len() as u64;
        self.head.open = delta.open_leaf;
        self.leaves.extend(delta.leaves);
        delta.counts.records()
    }
}

/// What was recounted, in the form of a store's snapshot.
fn found(election: &Election, claim: &Claim, parts: &[Recounted]) -> Snapshot {
    let layout = election.layout();
    let mut snapshot = claim.snapshot.clone();
    for (progress, part) in snapshot.progress.iter_mut().zip(parts) {
        progress.counted = part.counts.counted;
        progress.duplicate = part.counts.duplicate;
        progress.rejected = part.counts.rejected;
        progress.skipped = part.counts.skipped;
    }
    let sum = |i: usize| parts.iter().map(|p| p.cells[i]).sum::<i64>();
    let cells: Vec<i64> = (0..layout.cells() * election.region_rows()).map(sum).collect();
    let by_candidate = cells.chunks(layout.cells()).flat_map(|row| layout.by_candidate(row));
    snapshot.totals = by_candidate.map(|votes| votes.max(0) as u64).collect();
    snapshot.ledger = parts.iter().map(|p| p.head.clone()).collect();
    snapshot
}

/// What a log alone says: all of it, from its start to its end, nothing claimed of what it holds.
pub fn claim_of_log(election: &Election, log: &LogReader) -> Result<Claim, EngineError> {
    let (starts, ends) = (log.start_offsets()?, log.refresh_ends()?);
    let mut progress = Vec::new();
    for (p, (start, end)) in starts.iter().zip(&ends).enumerate() {
        let partition = PartitionId(p as u32);
        let leader_epoch = if end > start { log.epoch_ending_at(partition, *end, -1)? } else { None };
        progress.push(Progress {
            partition,
            epoch: 0,
            engine: Engine::Native,
            start_offset: *start,
            next_offset: *end,
            leader_epoch: leader_epoch.unwrap_or(-1),
            counted: 0,
            duplicate: 0,
            rejected: 0,
            skipped: 0,
            flushes: 0,
            minute: None,
            log_end: *end,
        });
    }
    let pin = Pin {
        log_kind: log.kind().to_owned(),
        log_id: log.log_id(),
        partitions: log.partitions(),
        start_offsets: starts,
        partitioners: possible_partitioners(log),
    };
    let snapshot = Snapshot {
        store_uuid: 0,
        sequence: 0,
        as_of: None,
        progress,
        totals: Vec::new(),
        ledger: Vec::new(),
        rejects: Vec::new(),
        desk: Vec::new(),
        at: None,
    };
    let cells = vec![0; election.layout().cells() * election.region_rows()];
    Ok(Claim { pin, snapshot, cells, leaves: Vec::new(), reject_lists: Vec::new() })
}

/// Each difference between the claim and the recount, in words.
fn compare(election: &Election, claim: &Claim, parts: &[Recounted]) -> Vec<String> {
    let mut differences = Vec::new();
    for (claimed, part) in claim.snapshot.progress.iter().zip(parts) {
        let sums = [
            ("counted", claimed.counted, part.counts.counted),
            ("duplicate", claimed.duplicate, part.counts.duplicate),
            ("rejected", claimed.rejected, part.counts.rejected),
            ("skipped", claimed.skipped, part.counts.skipped),
        ];
        for (name, stored, recounted) in sums.into_iter().filter(|(_, a, b)| a != b) {
            differences
                .push(format!("partition {} {name}: store {stored}, recount {recounted}", claimed.partition));
        }
    }
    let layout = election.layout();
    let cells =
        (0..claim.cells.len()).map(|i| (i, claim.cells[i], parts.iter().map(|p| p.cells[i]).sum::<i64>()));
    let differing: Vec<_> = cells.filter(|(_, stored, recounted)| stored != recounted).collect();
    for (i, stored, recounted) in differing.iter().take(LISTED_MAX) {
        differences.push(format!("{}: store {stored}, recount {recounted}", cell_name(election, layout, *i)));
    }
    if differing.len() > LISTED_MAX {
        differences.push(format!("and {} more cells", differing.len() - LISTED_MAX));
    }
    for reason in RejectReason::ALL {
        let of = |list: &[(RejectReason, u64)]| {
            list.iter().filter(|(r, _)| *r == reason).map(|(_, n)| *n).sum::<u64>()
        };
        let (stored, recounted) =
            (of(&claim.snapshot.rejects), parts.iter().map(|p| of(&p.rejects)).sum::<u64>());
        if stored != recounted {
            differences.push(format!("rejected as {}: store {stored}, recount {recounted}", reason.name()));
        }
    }
    for (p, (stored, part)) in claim.reject_lists.iter().zip(parts).enumerate() {
        let recounted = &part.reject_list;
        if stored.rejects != recounted.rejects {
            let (stored, recounted) = (stored.rejects, recounted.rejects);
            differences.push(format!(
                "partition {p}: the store lists {stored} rejected records, the recount {recounted}"
            ));
        } else if stored.hasher.finish() != recounted.hasher.finish() {
            differences.push(format!("partition {p}: the store's list of rejected records is another one"));
        }
    }
    ledger_differences(claim, parts, &mut differences);
    differences
}

fn ledger_differences(claim: &Claim, parts: &[Recounted], differences: &mut Vec<String>) {
    for (p, part) in parts.iter().enumerate() {
        let stored = claim.leaves.get(p).map_or(&[][..], Vec::as_slice);
        let first = stored.iter().zip(&part.leaves).find(|(a, b)| a != b).map(|(a, _)| a.number);
        let first = first.or_else(|| {
            (stored.len() != part.leaves.len()).then(|| stored.len().min(part.leaves.len()) as u64)
        });
        if let Some(leaf) = first {
            let from = leaf * votestream_election::ledger::LEAF_OFFSETS;
            differences.push(format!(
                "partition {p}: the ledger parts at leaf {leaf} (offsets {from}..{})",
                from + votestream_election::ledger::LEAF_OFFSETS
            ));
        } else if claim.snapshot.ledger.get(p).is_some_and(|head| head.open != part.head.open) {
            differences.push(format!("partition {p}: the ledger's open leaf differs"));
        }
    }
}

/// Region, candidate, gender and band of a cell, for a person.
fn cell_name(election: &Election, layout: CellLayout, index: usize) -> String {
    let (region, cell) = (index / layout.cells(), index % layout.cells());
    let region = election.regions.get(region).map_or("all", |r| r.code.as_str());
    let candidate = &election.candidates[layout.candidate_of(cell)].id;
    let gender = &election.genders[cell / layout.bands % layout.genders];
    let band = election.bands.get(cell % layout.bands).map_or("unknown age", |b| b.label.as_str());
    format!("cell {region} · {candidate} · {gender} · {band}")
}
