//! `recount`: the records counted again and compared with the store, or the store built anew from them.

#[cfg_attr(not(feature = "archive"), path = "recount/no_archive.rs")]
mod archived;

pub(super) mod claim;

mod rebuild;

use crate::args::Recount;
use crate::commands::{random, threads};
use crate::{Outcome, contest, memory, progress, signals, table};
use anyhow::{Result, bail};
use std::io::Write;
use votestream_election::Election;
use votestream_election::results::Results;
use votestream_engine::Shutdown;
use votestream_engine::recount::{
    Claim, LogSource, RecountOptions, RecountReport, Side, Source, claim_of_log, first_record, memory_min,
    other_voters, recount_log,
};
use votestream_log::LogReader;
use votestream_store::{ReaderStore, SeenReader, StoreUrl};

/// Runs the command.
pub fn run(args: &Recount) -> Result<Outcome> {
    if args.from_scratch && args.store.is_none() {
        bail!("--from-scratch builds a store: name it with --store");
    }
    let options = with_options(threads(args.threads), args.memory);
    let Some(log) = &args.log else { return archived::run(args, &options) };
    let log = LogReader::open_url(&log.parse()?)?;
    let Some(store) = &args.store else { return without_store(args, &log, &options) };
    let url: StoreUrl = store.parse()?;
    if args.from_scratch {
        return rebuild::from_log(args, &url, &log, options.threads);
    }
    let witness = args.archive.as_deref().map(archived::open).transpose()?;
    let store = ReaderStore::open(&url)?;
    let election = contest::stored(&args.election, &store)?;
    let shutdown = signals::listen()?;
    let report = compare_with(&election, &log, (&url, &store), &options, (&shutdown, witness.as_ref()))?;
    conclude(&report, &shutdown)
}

/// What a comparison came to, printed.
fn conclude(report: &RecountReport, shutdown: &Shutdown) -> Result<Outcome> {
    if shutdown.is_raised() {
        bail!("the recount was stopped before its end");
    }
    print(report)?;
    Ok(if report.differences.is_empty() { Outcome::Done } else { Outcome::No })
}

/// Counts the log and says what it holds.
fn without_store(args: &Recount, log: &LogReader, options: &RecountOptions) -> Result<Outcome> {
    let election = contest::defined(&args.election)?;
    let shutdown = signals::listen()?;
    let report = run_recount(&election, log, &claim_of_log(&election, log)?, options, &shutdown)?;
    say_what_is_held(&election, &report, &shutdown)
}

/// Results of records that are compared with nothing, printed.
fn say_what_is_held(election: &Election, report: &RecountReport, shutdown: &Shutdown) -> Result<Outcome> {
    if shutdown.is_raised() {
        bail!("the recount was stopped before its end");
    }
    let mut out = std::io::stdout();
    out.write_all(table::results(&Results::of(election, &report.found)).as_bytes())?;
    let records = progress::grouped(report.records);
    writeln!(
        out,
        "recount: {records} records counted without a store{}, ledger {}",
        carried(report),
        report.digest
    )?;
    Ok(Outcome::Done)
}

/// The options of a recount that nobody asked for by name: a thread a core, and half of the memory that is free.
pub fn default_options() -> RecountOptions {
    with_options(threads(None), None)
}

fn with_options(threads: usize, memory: Option<u64>) -> RecountOptions {
    let memory = memory.unwrap_or_else(|| memory::half_of_free().max(memory_min(threads)));
    RecountOptions { threads, memory, seed: random() }
}

/// Counts the log again beside the store's answer.
pub fn compare(
    election: &Election,
    log: &LogReader,
    store: (&StoreUrl, &ReaderStore),
    options: &RecountOptions,
    shutdown: &Shutdown,
) -> Result<RecountReport> {
    compare_with(election, log, store, options, (shutdown, None))
}

/// The same; where ledgers part, the archive tells which record it is.
fn compare_with(
    election: &Election,
    log: &LogReader,
    (url, store): (&StoreUrl, &ReaderStore),
    options: &RecountOptions,
    (shutdown, witness): (&Shutdown, Option<&archived::Opened>),
) -> Result<RecountReport> {
    let seen = SeenReader::open(url)?;
    let claim = claim::of_store(election, (store, &seen), &|_| None)?;
    let mut report = run_recount(election, log, &claim, options, shutdown)?;
    if !shutdown.is_raised() {
        let source = LogSource { election, log, pin: &claim.pin, shutdown };
        let witness = witness.and_then(|archive| archived::witness(election, archive, &claim));
        let sources: (&dyn Source, _) = (&source, witness.as_deref());
        trace(election, sources, &Side { store, seen: &seen }, &claim, &mut report, options.seed)?;
    }
    Ok(report)
}

/// Adds what the store's voters tell, and of each ledger that parts the first leaf and record.
fn trace(
    election: &Election,
    sources: (&dyn Source, Option<&dyn Source>),
    side: &Side<'_>,
    claim: &Claim,
    report: &mut RecountReport,
    seed: u64,
) -> Result<()> {
    report.differences.extend(other_voters(election, side, (claim, report), seed)?);
    for parting in report.partings.clone() {
        let (partition, leaf) = (parting.partition, parting.leaf);
        let record = first_record(election, sources, side, &parting)?;
        report.differences.push(format!(
            "partition {partition}: the ledger parts at leaf {leaf} (offsets {}..{}); {record}",
            parting.from, parting.to
        ));
    }
    Ok(())
}

fn run_recount(
    election: &Election,
    log: &LogReader,
    claim: &Claim,
    options: &RecountOptions,
    shutdown: &Shutdown,
) -> Result<RecountReport> {
    with_bar(|tell| Ok(recount_log(election, log, claim, options, (shutdown, tell))?))
}

/// Does something with a bar for its progress.
fn with_bar<T>(work: impl FnOnce(&(dyn Fn(u64, u64) + Sync)) -> Result<T>) -> Result<T> {
    let bar = progress::records(Some(0), "recounting");
    let done = work(&|done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    done
}

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
            "recount: identical, ledger {} ({records} records in {:.1} s{}{})",
            report.digest,
            report.elapsed.as_secs_f64(),
            if report.passes > 1 { format!(", {} passes", report.passes) } else { String::new() },
            carried(report)
        )
    } else {
        format!(
            "recount: {} differences in {records} records{}, ledger {}",
            report.differences.len(),
            carried(report),
            report.digest
        )
    }
}

/// What was not recounted, where rows were pruned.
fn carried(report: &RecountReport) -> String {
    match report.carried {
        0 => String::new(),
        carried => {
            format!("; {} records carried, not recounted: their rows were pruned", progress::grouped(carried))
        }
    }
}
