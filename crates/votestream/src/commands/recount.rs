//! `recount`: the log counted again and compared with the store, or the store built anew from the log.

use crate::args::Recount;
use crate::commands::up::Plan;
use crate::commands::{count, now, random, threads};
use crate::{Outcome, contest, progress, signals, table};
use anyhow::{Context, Result, bail};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use votestream_election::Election;
use votestream_election::delta::Snapshot;
use votestream_election::results::Results;
use votestream_engine::Shutdown;
use votestream_engine::count::{CountOptions, Everything, OnCommit, first_pin, run as run_count};
use votestream_engine::recount::{
    Claim, RecountOptions, RecountReport, RejectDigest, claim_of_log, recount_log,
};
use votestream_log::LogReader;
use votestream_store::{ReaderStore, SeenReader, StoreError, StoreUrl, WriterStore};

/// Runs the command.
pub fn run(args: &Recount) -> Result<Outcome> {
    let log = LogReader::open_url(&args.log.parse()?)?;
    let threads = threads(args.threads);
    let Some(store) = &args.store else { return without_store(args, &log, threads) };
    let url: StoreUrl = store.parse()?;
    if args.from_scratch {
        return from_scratch(args, &url, &log, threads);
    }
    let store = ReaderStore::open(&url)?;
    let election = contest::stored(&args.election, &store)?;
    let shutdown = signals::listen()?;
    let report = compare(&election, &log, (&url, &store), threads, &shutdown)?;
    if shutdown.is_raised() {
        bail!("the recount was stopped before its end");
    }
    print(&report)?;
    Ok(if report.differences.is_empty() { Outcome::Done } else { Outcome::No })
}

/// Counts the log and says what it holds.
fn without_store(args: &Recount, log: &LogReader, threads: usize) -> Result<Outcome> {
    if args.from_scratch {
        bail!("--from-scratch builds a store: name it with --store");
    }
    let election = contest::defined(&args.election)?;
    let shutdown = signals::listen()?;
    let report = run_recount(&election, log, &claim_of_log(&election, log)?, threads, &shutdown)?;
    if shutdown.is_raised() {
        bail!("the recount was stopped before its end");
    }
    let mut out = std::io::stdout();
    out.write_all(table::results(&Results::of(&election, &report.found)).as_bytes())?;
    let records = progress::grouped(report.records);
    writeln!(out, "recount: {records} records counted without a store, ledger {}", report.digest)?;
    Ok(Outcome::Done)
}

/// Counts the log again beside the store's answer.
pub fn compare(
    election: &Election,
    log: &LogReader,
    (url, store): (&StoreUrl, &ReaderStore),
    threads: usize,
    shutdown: &Shutdown,
) -> Result<RecountReport> {
    run_recount(election, log, &claim(election, url, store)?, threads, shutdown)
}

fn run_recount(
    election: &Election,
    log: &LogReader,
    claim: &Claim,
    threads: usize,
    shutdown: &Shutdown,
) -> Result<RecountReport> {
    let offsets = claim.snapshot.progress.iter().map(|p| p.next_offset.0 - p.start_offset.0);
    let bar = progress::records(Some(offsets.sum()), "recounting");
    let options = RecountOptions { threads, seed: random(), clock: now };
    let report =
        recount_log(election, log, claim, &options, (shutdown, &|records| bar.set_position(records)))?;
    bar.finish_and_clear();
    Ok(report)
}

/// What the store claims, all of one moment: read again where somebody commits meanwhile.
fn claim(election: &Election, url: &StoreUrl, store: &ReaderStore) -> Result<Claim> {
    let cells = SeenReader::open(url)?;
    for _ in 0..CLAIM_TRIES_MAX {
        let snapshot = store.snapshot(&election.id)?;
        let each = snapshot.progress.iter().map(|p| store.leaves(&election.id, p.partition));
        let leaves = each.collect::<Result<_, _>>()?;
        let claim = Claim {
            pin: store.pin(&election.id)?,
            cells: cells.full_cells(&election.id)?,
            leaves,
            reject_lists: reject_lists(election, store, &snapshot)?,
            snapshot,
        };
        if store.sequence(&election.id)? == claim.snapshot.sequence {
            return Ok(claim);
        }
    }
    bail!("the store changes too fast to be compared; recount when counting is less busy, or stop it first")
}

/// The store's rejects, partition by partition.
fn reject_lists(election: &Election, store: &ReaderStore, snapshot: &Snapshot) -> Result<Vec<RejectDigest>> {
    let mut lists = vec![RejectDigest::default(); snapshot.progress.len()];
    let mut after = None;
    loop {
        let page = store.rejects(&election.id, REJECTS_A_PAGE, after)?;
        for (partition, offset, reason) in &page {
            if let Some(list) = lists.get_mut(partition.0 as usize) {
                list.add(*offset, *reason);
            }
        }
        match page.last() {
            Some((partition, offset, _)) if page.len() == REJECTS_A_PAGE => {
                after = Some((*partition, *offset));
            }
            _ => return Ok(lists),
        }
    }
}

/// Rejects read at once.
const REJECTS_A_PAGE: usize = 100_000;

/// Times that a store which changes while it is read is read again.
const CLAIM_TRIES_MAX: u32 = 1_000;

/// One line that says what a recount found, and each difference.
pub fn print(report: &RecountReport) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{}", proof(report))?;
    for difference in &report.differences {
        writeln!(out, "  {difference}")?;
    }
    Ok(())
}

fn proof(report: &RecountReport) -> String {
    let records = progress::grouped(report.records);
    if report.differences.is_empty() {
        format!(
            "recount: identical, ledger {} ({records} records in {:.1} s)",
            report.digest,
            report.elapsed.as_secs_f64()
        )
    } else {
        format!(
            "recount: {} differences in {records} records, ledger {}",
            report.differences.len(),
            report.digest
        )
    }
}

/// Builds the store anew, under a new identity. The desk's acts stay: what is held back stays held back.
fn from_scratch(args: &Recount, url: &StoreUrl, log: &LogReader, threads: usize) -> Result<Outcome> {
    let mut store = open_or_set_aside(url)?;
    let known = !store.reader()?.elections()?.is_empty();
    let election =
        if known { contest::stored(&args.election, &store.reader()?)? } else { lost_election(args, url)? };
    let shutdown = signals::listen()?;
    let bar = progress::records(Some(log.end_offsets()?.iter().map(|end| end.0).sum()), "recounting");
    let line = bar.clone();
    let options = CountOptions {
        until_end: true,
        from_log_start: true,
        ..count::options(threads.min(log.partitions() as usize))
    };
    if known {
        store.start_over(&election, &first_pin(log, &options)?, now())?;
    }
    let on_commit: OnCommit = Arc::new(move |c| line.set_position(c.records));
    let summary =
        run_count(&election, log, &mut store, &options, (&Everything::of(log), &shutdown), &on_commit)?;
    bar.finish_and_clear();
    if shutdown.is_raised() {
        bail!("the recount was stopped before its end; `votestream count --until-end` goes on with it");
    }
    writeln!(
        std::io::stdout(),
        "recount: store rebuilt from {} records under a new identity",
        progress::grouped(summary.records)
    )?;
    Ok(Outcome::Done)
}

/// The election of a store that was lost: as named, or that of the `up` whose directory the store lies in.
fn lost_election(args: &Recount, url: &StoreUrl) -> Result<Election> {
    if args.election.election.is_none()
        && let StoreUrl::Sqlite(path) = url
        && let Some(plan) = Plan::beside(path)?
    {
        return Ok(plan.simulation()?.election());
    }
    contest::defined(&args.election)
}

/// The store, or a new one where there is none or where the old one is too damaged to be opened; that one is kept aside.
fn open_or_set_aside(url: &StoreUrl) -> Result<WriterStore> {
    let error = match WriterStore::open(url) {
        Ok(store) => return Ok(store),
        Err(error) => error,
    };
    let (StoreUrl::Sqlite(path), StoreError::Corrupt { .. }) = (url, &error) else {
        return Err(error.into());
    };
    let aside = beside(path, ".damaged");
    tracing::warn!("{error}; it is kept as '{}', and with it the desk's acts: repeat them", aside.display());
    for suffix in ["", "-wal", "-shm"] {
        let file = beside(path, suffix);
        if file.exists() {
            std::fs::rename(&file, beside(&aside, suffix))
                .with_context(|| format!("cannot rename '{}'", file.display()))?;
        }
    }
    Ok(WriterStore::open(url)?)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
