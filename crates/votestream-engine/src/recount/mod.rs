//! The recount: every record counted again from the start, beside what the store holds. Nothing of the store is used but its answer.
//! All cores judge; memory is bounded by passes over the voters; what counts is decided in `votestream_election::recount`.

#[cfg(feature = "archive")]
mod archive;

#[cfg(feature = "archive")]
mod carried;

mod claim;

mod compare;

mod crew;

mod evidence;

mod plan;

#[cfg(feature = "archive")]
mod restore;

mod source;

#[cfg(feature = "archive")]
pub use archive::{
    ArchiveSource, archive_memory_min, claim_of_archive, pin_of, pseudonymous, recount_archive,
};
pub use claim::{Claim, claim_of_log};
pub use compare::Parting;
pub use evidence::{Side, first_record, other_voters};
pub use plan::memory_min;
#[cfg(feature = "archive")]
pub use restore::{RestoreOptions, restore_store};
pub use source::{Feed, LogSource, Source};

use crate::count::check_history;
use crate::{EngineError, Shutdown};
use crew::{Crew, Range};
use plan::Expected;
use std::time::{Duration, Instant};
use votestream_election::Election;
use votestream_election::delta::{LedgerHead, Snapshot};
#[cfg(feature = "archive")]
use votestream_election::ledger::LeafSeal;
use votestream_election::ledger::{Digest, election_digest};
use votestream_election::protocol::{LogFacts, check_log};
use votestream_election::recount::{Plain, Stretch, VoterPart};
use votestream_log::LogReader;

/// How to recount.
pub struct RecountOptions {
    /// Threads that judge and apply.
    pub threads: usize,
    /// Bytes that the recount may take, at least [`memory_min`].
    pub memory: u64,
    /// Spreads slots of the voter table and deals voters out to passes; no result depends on it.
    pub seed: u64,
}

/// What a recount found.
pub struct RecountReport {
    /// Each difference in words; empty: identical.
    pub differences: Vec<String>,
    /// Where ledgers part, the first leaf of each partition.
    pub partings: Vec<Parting>,
    /// Records recounted.
    pub records: u64,
    /// Records that are known by what they came to only: carried, not recounted.
    pub carried: u64,
    /// Voters found.
    pub counted: u64,
    /// What was found, as a store would say it.
    pub found: Snapshot,
    /// The ledger's digest as recomputed.
    pub digest: Digest,
    /// How often the records were read, so that the voters fit the memory.
    pub passes: u32,
    /// How long it took.
    pub elapsed: Duration,
    /// Each partition's sealed leaves as recomputed.
    #[cfg(feature = "archive")]
    leaves: Vec<Vec<LeafSeal>>,
    /// A sum over each partition's voters, under the options' seed; none where voters are not known by their own keys.
    voters: Option<Vec<u128>>,
}

#[cfg(feature = "archive")]
impl RecountReport {
    /// Takes the ledger as claimed: what was counted again cannot say anything about it.
    fn carry_ledger(&mut self, claim: &Claim) {
        self.partings.clear();
        self.voters = None;
        self.found.ledger.clone_from(&claim.snapshot.ledger);
        self.digest = election_digest(&claim.snapshot.ledger);
    }
}

/// Feeds' bytes that are held beside those of one feed a thread: files that one thread has left and another may want.
const FEEDS_BESIDE: u64 = 2;
/// How long one wait for records of the log lasts.
const PATIENCE: Duration = Duration::from_millis(200);
/// Offsets looked at beforehand to learn whether ids are integers or texts.
const SAMPLE_OFFSETS: u64 = 4_096;

/// Counts the log again as far as the store has counted it, and compares. `progress` is told the offsets passed and in all.
pub fn recount_log(
    election: &Election,
    log: &LogReader,
    claim: &Claim,
    options: &RecountOptions,
    (shutdown, progress): (&Shutdown, &(dyn Fn(u64, u64) + Sync)),
) -> Result<RecountReport, EngineError> {
    let ends = log.refresh_ends()?;
    check_log(
        &claim.pin,
        &LogFacts { log_id: log.log_id(), partitions: log.partitions(), ends: ends.clone() },
    )?;
    for partition in &claim.snapshot.progress {
        check_history(log, partition, ends[partition.partition.0 as usize])?;
    }
    recount(
        election,
        &LogSource { election, log, pin: &claim.pin, shutdown },
        claim,
        options,
        (shutdown, progress),
    )
}

/// Counts what `source` holds again as far as the store has counted, and compares.
pub fn recount(
    election: &Election,
    source: &dyn Source,
    claim: &Claim,
    options: &RecountOptions,
    (shutdown, progress): (&Shutdown, &(dyn Fn(u64, u64) + Sync)),
) -> Result<RecountReport, EngineError> {
    let began = Instant::now();
    let threads = options.threads.max(1);
    let ranges = ranges(election, source, claim)?;
    let at_once = threads.min(ranges.iter().filter(|range| range.to > range.from).count());
    let feeds = source.feed_bytes() * (threads as u64 + FEEDS_BESIDE);
    let budget = plan::budget(options.memory.saturating_sub(feeds), threads, at_once)
        .ok_or(EngineError::TooLittleMemory { threads, least: memory_min(threads) + feeds })?;
    let crew = Crew {
        election,
        source,
        ranges: &ranges,
        threads,
        at_once: at_once.max(1),
        budget,
        seed: options.seed,
        shutdown,
        progress,
    };
    let (parts, passes) = crew.run()?;
    let carried = ranges.iter().filter_map(|range| range.carried.as_ref());
    let carried: u64 = carried.map(|carried| carried.counts.records()).sum();
    let heads: Vec<LedgerHead> = parts.iter().map(|p| p.first.head.clone()).collect();
    let compared = claim.stored && !shutdown.is_raised();
    let differences = if compared { compare::differences(election, claim, &parts) } else { Vec::new() };
    let partings = if compared { compare::partings(claim, &parts) } else { Vec::new() };
    Ok(RecountReport {
        differences,
        partings,
        records: parts.iter().map(|p| p.counts.records()).sum::<u64>().saturating_sub(carried),
        carried,
        counted: parts.iter().map(|p| p.counts.counted).sum(),
        found: found(election, claim, &parts),
        digest: election_digest(&heads),
        passes,
        elapsed: began.elapsed(),
        voters: Some(parts.iter().map(|p| p.voters).collect()),
        #[cfg(feature = "archive")]
        leaves: parts.into_iter().map(|p| p.first.leaves).collect(),
    })
}

/// What is to be counted, and how many voters it may hold: as many as the store has counted, or as there are offsets.
fn ranges(election: &Election, source: &dyn Source, claim: &Claim) -> Result<Vec<Range>, EngineError> {
    let mut ranges = Vec::new();
    for progress in &claim.snapshot.progress {
        let (from, to) = (progress.start_offset, progress.next_offset);
        let offsets = to.0 - from.0;
        let voters = if progress.records() == 0 { offsets } else { progress.counted.min(offsets) };
        let expected = Expected { integers: voters, texts: 0 };
        let (partition, carried) = (progress.partition, source.carried(progress.partition)?);
        let from = source.carried_to(partition).map_or(from, |rows| rows.max(from));
        ranges.push(Range { partition, carried, from, to, expected });
    }
    if let Some(first) = ranges.iter().find(|range| range.to > range.from) {
        let mut sample = Stretch::new(election.layout());
        let to = first.to.min(first.from.plus(SAMPLE_OFFSETS));
        sample.begin((first.from, to), VoterPart::ALL);
        let mut feed = source.feed(first.partition, first.from)?;
        feed.read(to, &mut |offset, judged| sample.push(offset, judged))?;
        let (texts, integers) = sample.kinds();
        for Range { expected, .. } in &mut ranges {
            let share = expected.integers as f64 * texts as f64 / (texts + integers).max(1) as f64;
            expected.texts = share.ceil() as u64;
            expected.integers = expected.integers.saturating_sub(share as u64);
        }
    }
    Ok(ranges)
}

/// What was recounted, in the form of a store's snapshot.
fn found(election: &Election, claim: &Claim, parts: &[Plain]) -> Snapshot {
    let layout = election.layout();
    let mut snapshot = claim.snapshot.clone();
    for (progress, part) in snapshot.progress.iter_mut().zip(parts) {
        progress.counted = part.counts.counted;
        progress.duplicate = part.counts.duplicate;
        progress.rejected = part.counts.rejected;
        progress.skipped = part.counts.skipped;
    }
    let mut cells = vec![0; layout.cells() * election.region_rows()];
    for part in parts {
        cells.iter_mut().zip(&part.cells).for_each(|(sum, cell): (&mut i64, _)| *sum += cell);
    }
    let by_candidate = cells.chunks(layout.cells()).flat_map(|row| layout.by_candidate(row));
    snapshot.totals = by_candidate.map(|votes| votes.max(0) as u64).collect();
    snapshot.ledger = parts.iter().map(|p| p.first.head.clone()).collect();
    snapshot
}
