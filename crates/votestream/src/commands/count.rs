//! `count`: a log into a results store.

use crate::args::Count;
use crate::commands::{dir_log, now, random, threads};
use crate::{Outcome, contest, progress, signals};
use anyhow::{Result, bail};
use std::sync::Arc;
use votestream_election::fold::Misrouted;
use votestream_election::protocol::FlushPolicy;
use votestream_engine::count::{CountOptions, CountSummary, Everything, run as run_count};
use votestream_log::LogReader;
use votestream_store::{StoreUrl, WriterStore};

/// Runs the command.
pub fn run(args: &Count) -> Result<Outcome> {
    if args.engine == "spark" {
        bail!("this build counts natively only; the Spark engine comes with a later version");
    }
    if args.route {
        bail!(
            "--route copies a Kafka topic; the votes of a dir: log are already on their voters' partitions"
        );
    }
    let store_url: StoreUrl = args.store.parse()?;
    // A definition that cannot be read, or a log that is not there, is found before a store is made.
    contest::defined(&args.election)?;
    let log = LogReader::open(&dir_log(&args.log)?, None)?;
    // Opening it for writing also mends what a kill left half done; only then is it read.
    let mut store = WriterStore::open(&store_url)?;
    let election = contest::counted(&args.election, &store.reader()?)?;
    let shutdown = signals::listen()?;
    let misrouted = if args.misrouted.is_some() { Misrouted::Reject } else { Misrouted::Stop };
    let options = CountOptions {
        until_end: args.until_end,
        from_log_start: args.from_log_start,
        misrouted,
        ..options(threads(args.threads).min(log.partitions() as usize))
    };
    let bar = progress::line();
    let line = bar.clone();
    let on_commit = move |committed: &votestream_engine::count::Committed| {
        let health = &committed.health;
        line.set_message(format!(
            "counting · {} records · {} records/s · backlog {}",
            progress::grouped(committed.records),
            progress::grouped(health.records_per_s as u64),
            progress::grouped(health.backlog)
        ));
    };
    let on_commit: votestream_engine::count::OnCommit = Arc::new(on_commit);
    let summary =
        run_count(&election, &log, &mut store, &options, (&Everything::of(&log), &shutdown), &on_commit)?;
    bar.finish_and_clear();
    report(&summary);
    Ok(Outcome::Done)
}

/// How this program counts unless told otherwise.
pub fn options(threads: usize) -> CountOptions {
    CountOptions {
        threads,
        until_end: false,
        from_log_start: false,
        misrouted: Misrouted::Stop,
        flush: FlushPolicy::default(),
        clock: now,
        seed: random(),
        voters_expected: 0,
    }
}

fn report(summary: &CountSummary) {
    let seconds = summary.elapsed.as_secs_f64().max(1e-9);
    tracing::info!(
        "{} records counted in {seconds:.1} s ({} records/s, {} flushes)",
        progress::grouped(summary.records),
        progress::grouped((summary.records as f64 / seconds) as u64),
        progress::grouped(summary.flushes)
    );
}
