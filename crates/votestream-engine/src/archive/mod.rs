//! Archiving: threads that read the log and make files, one that puts them and moves the manifest. How far a partition is archived is
//! the manifest's to say, so that whoever goes on after a kill repeats what was not committed and nothing else.

mod commit;

mod read;

mod sums;

mod prune;

pub use prune::{PruneOptions, PruneSummary, Pruned, prune};
pub use sums::{Before, Counted};

use crate::count::chain;
use crate::count::patiently;
use crate::{EngineError, Shutdown};
use commit::Committer;
use std::sync::Arc;
use std::time::{Duration, Instant};
use votestream_archive::manifest::chain::{ManifestWriter, catch_up};
use votestream_archive::manifest::{Identity, LogEntry, Manifest, VoterIds};
use votestream_archive::place::{Place, Trouble};
use votestream_archive::{Archive, ArchiveError, Kept};
use votestream_election::protocol::{LogRefused, check_partition};
use votestream_election::{Election, Millis, Offset, PartitionId};
use votestream_log::LogReader;

/// How long an archiver that starts waits for storage and brokers that do not answer.
const START_PATIENCE: Duration = Duration::from_mins(1);
/// How often a waiting archiver looks at the manifest.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How to archive.
#[derive(Clone, Debug)]
pub struct ArchiveOptions {
    /// Threads that read; each has some of the partitions.
    pub threads: usize,
    /// Stop at the log's end as it is at start.
    pub until_end: bool,
    /// What is kept of each record.
    pub kept: Kept,
    /// The manifest's head is kept in a results store.
    pub head_in_store: bool,
    /// How long another archiver may say nothing before this one takes over.
    pub silence: Duration,
    /// A file ends at about this size …
    pub roll_bytes: u64,
    /// … or when its first record has waited this long.
    pub roll_age: Duration,
    /// Memory for files that are being made, all together.
    pub memory_bytes: u64,
    /// How long files live on that were put together.
    pub grace: Duration,
    /// The wall clock.
    pub clock: fn() -> Millis,
    /// Makes numbers up that nobody else has.
    pub make_up: fn() -> u128,
}

/// What a caller is told after each commit.
#[derive(Clone, Debug, Default)]
pub struct Archived {
    /// Records archived so far by this run.
    pub records: u64,
    /// Bytes of the files made by this run.
    pub bytes: u64,
    /// Files made by this run.
    pub files: u64,
    /// Files put together into larger ones by this run.
    pub compacted: u64,
    /// Another archiver writes, and this one waits.
    pub waiting: bool,
    /// First offset of each partition that is not archived.
    pub next: Vec<Offset>,
    /// Offsets of the log, as far as known, that are not archived.
    pub backlog: u64,
}

/// Receives a notice after each commit; it must not block.
pub type OnArchived = Arc<dyn Fn(&Archived) + Send + Sync>;

/// What a finished run did.
#[derive(Clone, Debug, Default)]
pub struct ArchiveSummary {
    /// What it archived.
    pub archived: Archived,
    /// Files of earlier writers that nobody named, and replaced ones, deleted.
    pub swept: u64,
    /// Time from the start of reading to the last commit.
    pub elapsed: Duration,
}

/// How a stretch of archiving ended.
enum End {
    /// At the end asked for, or told to stop.
    Done,
    /// Another archiver writes now.
    Overtaken(String),
}

/// Archives until the end (with `until_end`) or until told to stop.
pub fn run(
    election: &Election,
    log: &LogReader,
    place: &Arc<dyn Place>,
    options: &ArchiveOptions,
    shutdown: &Shutdown,
    on_archived: &OnArchived,
) -> Result<ArchiveSummary, EngineError> {
    let mut summary = ArchiveSummary::default();
    let began = patiently(shutdown, START_PATIENCE, may_pass, || {
        Ok((log.refresh_ends()?, identity(election, log, options)?))
    })?;
    let Some((ends, identity)) = began else { return Ok(summary) };
    if options.until_end {
        crate::count::report_held_back(&ends, &log.high_watermarks()?);
    }
    let until = options.until_end.then_some(ends);
    let began = Instant::now();
    let mut patience = START_PATIENCE;
    loop {
        let first = patience != Duration::MAX;
        let why = |error: &EngineError| may_pass(error).filter(|_| !(first && is_refusal(error)));
        let taken = patiently(shutdown, patience, why, || {
            let now = (options.clock)().0;
            Ok(ManifestWriter::take_over(Arc::clone(place), &identity, options.make_up, now)?)
        })?;
        let Some(writer) = taken else { return Ok(summary) };
        patience = Duration::MAX;
        let fits = patiently(shutdown, patience, may_pass, || check_log(log, writer.manifest()))?;
        if fits.is_none() {
            return Ok(summary);
        }
        let mut committer = Committer::new(writer, options, shutdown, (&mut summary, on_archived), log);
        let end = committer.stretch(until.as_deref())?;
        summary.elapsed = began.elapsed();
        match end {
            End::Done => return Ok(summary),
            End::Overtaken(why) => {
                tracing::warn!("{why}; waiting: this one goes on when the other archives no more");
                summary.archived.waiting = true;
                on_archived(&summary.archived);
                if stand_by(place, log, options, until.as_deref(), shutdown)? {
                    return Ok(summary);
                }
                tracing::info!("the other has finished or gone quiet; taking over");
                summary.archived.waiting = false;
            }
        }
    }
}

/// Waits while another archiver archives. True: all that was asked for is archived, or told to stop.
fn stand_by(
    place: &Arc<dyn Place>,
    log: &LogReader,
    options: &ArchiveOptions,
    until: Option<&[Offset]>,
    shutdown: &Shutdown,
) -> Result<bool, EngineError> {
    let read = || {
        let archive = Archive::open(Arc::clone(place))?;
        Ok(archive.manifest().clone())
    };
    let Some(mut manifest) = patiently(shutdown, Duration::MAX, may_pass, read)? else { return Ok(true) };
    let mut heard = Instant::now();
    loop {
        let reached = |ends: &[Offset]| manifest.next().iter().zip(ends).all(|(next, end)| next >= end);
        if until.is_some_and(reached) || shutdown.wait(LOOK_EVERY) {
            return Ok(true);
        }
        let looked = patiently(shutdown, Duration::MAX, may_pass, || {
            let moved = catch_up(&**place, &mut manifest)?;
            Ok((moved, log.refresh_ends()?))
        })?;
        let Some((moved, ends)) = looked else { return Ok(true) };
        if manifest.released {
            return Ok(false);
        }
        if moved || manifest.next().iter().zip(&ends).all(|(next, end)| next >= end) {
            heard = Instant::now();
        }
        if heard.elapsed() >= options.silence {
            return Ok(false);
        }
    }
}

/// What a first run pins.
fn identity(election: &Election, log: &LogReader, options: &ArchiveOptions) -> Result<Identity, EngineError> {
    let kept = &options.kept;
    Ok(Identity {
        election: election.id.clone(),
        definition: election.to_json(),
        log: LogEntry {
            kind: log.kind().to_owned(),
            id: log.log_id().0,
            partitions: log.partitions(),
            start_offsets: log.start_offsets()?.iter().map(|start| start.0).collect(),
            partitioners: crate::count::possible_partitioners(log).to_text().to_owned(),
        },
        keep_bytes: kept.every_value,
        voter_ids: if kept.pseudonyms.is_some() { VoterIds::Pseudonym } else { VoterIds::AsIs },
        key_check: kept.key_check(),
        head_in_store: options.head_in_store,
    })
}

/// Whether the log still holds what was archived of it, and all that comes next.
fn check_log(log: &LogReader, manifest: &Manifest) -> Result<(), EngineError> {
    let (starts, ends) = (log.start_offsets()?, log.refresh_ends()?);
    for (p, there) in manifest.partitions.iter().enumerate() {
        let (partition, end) = (PartitionId(p as u32), ends[p]);
        if starts[p] > there.next {
            return Err(EngineError::NotArchived { partition, next: there.next, start: starts[p] });
        }
        let archived_in = there.leader_epoch;
        let epoch = match archived_in {
            // What the log has forgotten cannot be asked for.
            0.. if there.next > there.start && there.next > starts[p] && end >= there.next => {
                log.epoch_ending_at(partition, there.next, archived_in)?
            }
            0.. if end < there.next => None,
            _ => Some(archived_in),
        };
        check_partition(partition, (there.start, there.next), archived_in, end, epoch)
            .map_err(|refused| EngineError::ArchiveRefused { partition, what: refusal(&refused) })?;
    }
    Ok(())
}

/// What is wrong with a partition of the log.
fn refusal(refused: &LogRefused) -> String {
    match refused {
        LogRefused::Truncated { end, next, .. } => {
            format!("ends at offset {end}, but {next} is already archived: the log was truncated")
        }
        LogRefused::Regrown { next, .. } => {
            format!(
                "has another history before offset {next} than was archived: it was truncated and written anew"
            )
        }
        other => other.to_string(),
    }
}

/// Whether waiting for the storage, or for the log's brokers, may cure it.
fn may_pass(error: &EngineError) -> Option<String> {
    let transient = match error {
        EngineError::Archive(error) => error.is_transient(),
        EngineError::Log(error) => error.is_transient(),
        _ => false,
    };
    transient.then(|| chain(error))
}

/// Rights or credentials are missing: at the start more likely a mistake than something that passes.
fn is_refusal(error: &EngineError) -> bool {
    matches!(error, EngineError::Archive(ArchiveError::Place { source, .. })
        if matches!(source.trouble, Trouble::Denied | Trouble::Credentials))
}

/// Who has taken over, where that is what happened.
fn overtaken(error: &EngineError) -> Option<String> {
    match error {
        EngineError::Archive(error @ ArchiveError::Overtaken { .. }) => Some(error.to_string()),
        _ => None,
    }
}
