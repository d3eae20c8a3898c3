//! `recount --from-scratch`: a store built anew. The records are the log's; the election is the store's, or that which is named.

use crate::args::Recount;
use crate::commands::up::Plan;
use crate::commands::{count, now};
use crate::{Outcome, contest, progress, signals};
use anyhow::{Context, Result, bail};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use votestream_election::Election;
use votestream_election::fold::Misrouted;
use votestream_engine::count::{CountOptions, Everything, OnCommit, first_pin, run as run_count};
use votestream_log::LogReader;
use votestream_store::{StoreError, StoreUrl, WriterStore};

/// Builds the store anew, under a new identity. The desk's acts stay: what is held back stays held back.
pub(super) fn from_log(args: &Recount, url: &StoreUrl, log: &LogReader, threads: usize) -> Result<Outcome> {
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
        misrouted: if args.misrouted.is_some() { Misrouted::Reject } else { Misrouted::Stop },
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
pub(super) fn open_or_set_aside(url: &StoreUrl) -> Result<WriterStore> {
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
