//! `archive`: a log into Parquet files and their manifest; `archive prune`: what leaves it again.

mod heads;

mod metrics;

mod prune;

use crate::args::{Archive, ArchiveAct, ArchiveCommand, VoterIds};
use crate::commands::{now, random, threads};
use crate::{Outcome, contest, progress, signals};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use votestream_archive::manifest::chain;
use votestream_archive::place::{self, Place};
use votestream_archive::{ArchiveUrl, Kept};
use votestream_election::Election;
use votestream_engine::Shutdown;
use votestream_engine::archive::{ArchiveOptions, ArchiveSummary, Archived, OnArchived, run as run_archive};
use votestream_log::{LogReader, LogUrl};
use votestream_store::{ReaderStore, StoreUrl};

/// How often it is said in the log how far archiving has come, at most.
const SAY_EVERY: Duration = Duration::from_secs(30);

/// How much longer than two files' age another archiver may say nothing before this one takes over, unless told otherwise.
const SILENCE_MORE: Duration = Duration::from_secs(30);

/// Runs the command.
pub fn run(command: &ArchiveCommand) -> Result<Outcome> {
    if let Some(ArchiveAct::Prune(args)) = &command.act {
        return prune::run(args);
    }
    let args = &command.archive;
    // Both are required where there is no subcommand.
    let named = args.log.as_deref().zip(args.archive.as_deref());
    let (log, archive_url) = named.context("name the log with --log and the archive with --archive")?;
    let log_url: LogUrl = log.parse()?;
    let archive_url: ArchiveUrl = archive_url.parse()?;
    let kept = kept(args)?;
    archive(args, (&log_url, &archive_url), kept)
        .with_context(|| format!("cannot archive {log_url} to {archive_url}"))
}

fn archive(args: &Archive, (log_url, archive_url): (&LogUrl, &ArchiveUrl), kept: Kept) -> Result<Outcome> {
    let (shutdown, starting) = signals::listen_while_starting()?;
    let place = place::open(archive_url)?;
    hurry(&place, &shutdown);
    let election = election(args, &*place)?;
    let place = heads::guarded(place, args.store.as_deref(), make_up())?;
    let log = Arc::new(LogReader::open_url(log_url)?);
    let options = ArchiveOptions {
        until_end: args.until_end,
        head_in_store: place.keeps_heads_elsewhere(),
        silence: args.silence.unwrap_or(args.roll_age * 2 + SILENCE_MORE),
        roll_bytes: args.roll_size,
        roll_age: args.roll_age,
        memory_bytes: args.memory,
        grace: args.grace,
        ..options(threads(args.threads).min(log.partitions() as usize), kept)
    };
    starting.over();
    let telling = metrics::Telling::default();
    if let Some(address) = args.metrics {
        metrics::serve(address, &telling, &log, &shutdown)?;
    }
    let bar = progress::line();
    let line = bar.clone();
    let said = Mutex::new(Instant::now());
    let on_archived: OnArchived = Arc::new(move |archived: &Archived| {
        metrics::tell(&telling, archived);
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.elapsed() >= SAY_EVERY {
            *said = Instant::now();
            let Archived { records, files, bytes, backlog, .. } = *archived;
            tracing::info!(records, files, bytes, backlog, "archived so far");
        }
        line.set_message(format!(
            "archiving · {} records · {} files · backlog {}",
            progress::grouped(archived.records),
            progress::grouped(archived.files),
            progress::grouped(archived.backlog)
        ));
    });
    let archived = run_archive(&election, &log, &place, &options, &shutdown, &on_archived);
    bar.finish_and_clear();
    report(&archived?);
    Ok(Outcome::Done)
}

/// Has a storage that does not answer waited for no longer than some seconds once `shutdown` is raised.
pub fn hurry(place: &Arc<dyn Place>, shutdown: &Shutdown) {
    let place = Arc::downgrade(place);
    shutdown.on_raise(move || {
        if let Some(place) = place.upgrade() {
            place.hurry();
        }
    });
}

/// How this program archives unless told otherwise; as the flags' defaults say it.
pub fn options(threads: usize, kept: Kept) -> ArchiveOptions {
    ArchiveOptions {
        threads,
        until_end: false,
        kept,
        head_in_store: false,
        silence: Duration::from_mins(10) + SILENCE_MORE,
        roll_bytes: 64 << 20,
        roll_age: Duration::from_mins(5),
        memory_bytes: 256 << 20,
        grace: Duration::from_hours(1),
        clock: now,
        make_up,
    }
}

/// A number that nobody else has.
fn make_up() -> u128 {
    u128::from(random()) << 64 | u128::from(random())
}

/// The election: as named, or the store's, or that of the archive that is there.
fn election(args: &Archive, place: &dyn Place) -> Result<Election> {
    if let Some(store) = &args.store {
        let store = ReaderStore::open(&store.parse::<StoreUrl>()?)?;
        return contest::stored(&args.election, &store);
    }
    if args.election.election.is_some() {
        return contest::defined(&args.election);
    }
    match chain::read(place)? {
        Some(manifest) => {
            contest::overridden(Election::from_json(&manifest.identity.definition)?, &args.election)
        }
        None => contest::defined(&args.election),
    }
}

fn kept(args: &Archive) -> Result<Kept> {
    let pseudonyms = match (args.voter_ids, &args.pseudonym_key) {
        (VoterIds::AsIs, _) => None,
        (VoterIds::Pseudonym, Some(file)) => Some(key(file)?),
        (VoterIds::Pseudonym, None) => bail!(
            "--voter-ids pseudonym needs a key: make one with `openssl rand -hex 32 > FILE`, keep it secret, and give it with --pseudonym-key FILE"
        ),
    };
    if pseudonyms.is_some() && args.keep_bytes {
        bail!(
            "--keep-bytes keeps every record's value, and with it the voter's id: leave it out, or --voter-ids pseudonym"
        );
    }
    Ok(Kept { every_value: args.keep_bytes, pseudonyms })
}

/// Reads a key of 64 hexadecimal digits.
fn key(file: &Path) -> Result<[u8; 32]> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the key for pseudonyms '{}'", file.display()))?;
    let digits = text.trim();
    let mut key = [0; 32];
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(byte).collect();
    match bytes.filter(|bytes| bytes.len() == 32 && digits.len() == 64) {
        Some(bytes) => key.copy_from_slice(&bytes),
        None => bail!("the key for pseudonyms in '{}' is not 64 hexadecimal digits", file.display()),
    }
    Ok(key)
}

fn report(summary: &ArchiveSummary) {
    let (archived, seconds) = (&summary.archived, summary.elapsed.as_secs_f64().max(1e-9));
    tracing::info!(
        "{} records archived in {seconds:.1} s ({} records/s, {} files of {} bytes, {} put together, {} swept)",
        progress::grouped(archived.records),
        progress::grouped((archived.records as f64 / seconds) as u64),
        progress::grouped(archived.files),
        progress::grouped(archived.bytes),
        progress::grouped(archived.compacted),
        progress::grouped(summary.swept)
    );
}
