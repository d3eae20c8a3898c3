//! `count`: a log into a results store.

#[cfg(feature = "kafka")]
mod members;
#[cfg(feature = "spark")]
mod on_spark;
#[cfg(feature = "kafka")]
mod publish;
#[cfg(feature = "kafka")]
pub mod route;
#[cfg(feature = "spark")]
mod spark;

#[cfg(feature = "spark")]
pub(super) use {on_spark::OnSpark, spark::directory as seen_directory};

use crate::args::Count;
use crate::commands::{now, random, threads};
use crate::{Outcome, contest, progress, signals};
use anyhow::{Context, Result, bail};
use std::sync::Arc;
use std::time::Duration;
use votestream_election::Election;
use votestream_election::fold::Misrouted;
use votestream_election::protocol::FlushPolicy;
use votestream_engine::Shutdown;
use votestream_engine::count::{
    Assignment, Committed, CountOptions, CountSummary, Everything, OnCommit, chain, patiently,
    run as run_count,
};
use votestream_log::{LogError, LogReader, LogUrl};
use votestream_store::{StoreError, StoreUrl, WriterStore};

/// How long a worker that starts waits for a store that was there, or that says it is not ready.
const START_PATIENCE: Duration = Duration::from_mins(1);

/// Runs the command.
pub fn run(args: &Count) -> Result<Outcome> {
    if args.engine == "spark" {
        #[cfg(feature = "spark")]
        return spark::run(args);
        #[cfg(not(feature = "spark"))]
        bail!(
            "--engine spark is left out of this build; build one that has it with `make build FEATURES=spark` (target/release/votestream)"
        );
    }
    let store_url: StoreUrl = args.store.parse()?;
    let log_url: LogUrl = args.log.parse()?;
    if args.route && matches!(log_url, LogUrl::Dir(_)) {
        bail!(
            "--route copies a Kafka topic; the votes of a dir: log are already on their voters' partitions"
        );
    }
    // A definition that cannot be read, or a log that is not there, is found before a store is made.
    contest::defined(&args.election)?;
    let threads = threads(args.threads);
    let misrouted = if args.misrouted.is_some() { Misrouted::Reject } else { Misrouted::Stop };
    let options = CountOptions {
        until_end: args.until_end,
        from_log_start: args.from_log_start,
        misrouted,
        ..options(threads)
    };
    count(args, (&log_url, &store_url), &options)
        .with_context(|| format!("cannot count {log_url} into {store_url}"))
}

fn count(
    args: &Count,
    (log_url, store_url): (&LogUrl, &StoreUrl),
    options: &CountOptions,
) -> Result<Outcome> {
    let (shutdown, starting) = signals::listen_while_starting()?;
    let counted_url = if args.route { copied(log_url, options)? } else { log_url.clone() };
    let log = LogReader::open_url(&counted_url)?;
    // Opening it for writing also mends what a kill left half done; only then is it read.
    let opened = patiently(
        &shutdown,
        START_PATIENCE,
        |e: &StoreError| e.is_not_ready().then(|| chain(e)),
        || WriterStore::open(store_url),
    )?;
    let Some(mut store) = opened else { return Ok(Outcome::Done) };
    let patience = if store.exclusive() { Duration::ZERO } else { START_PATIENCE };
    let chosen =
        patiently(&shutdown, patience, may_pass, || contest::counted(&args.election, &store.reader()?))?;
    let Some(election) = chosen else { return Ok(Outcome::Done) };
    let options = CountOptions { threads: options.threads.min(log.partitions() as usize), ..options.clone() };
    #[cfg(feature = "spark")]
    if !spark::bring_back(
        args,
        (&counted_url, store_url),
        (&election, &log, &mut store),
        &options,
        &shutdown,
    )? {
        return Ok(Outcome::Done);
    }
    // Routing begins transactions, which are finished.
    let starting = Some(starting).filter(|_| !args.route);
    let routing = Route::start(args.route, log_url, (&election, &log, &mut store), &options, &shutdown)?;
    let assigned = patiently(&shutdown, patience, may_pass, || {
        assignment(&counted_url, &log, &mut store, &election, &options)
    })?;
    let Some(assignment) = assigned else { return routing.finish().map(|()| Outcome::Done) };
    let bar = progress::line();
    let line = bar.clone();
    let started = patiently(&shutdown, patience, may_pass, || {
        Publish::start(args.publish.as_deref(), &store, &election, &shutdown)
    })?;
    let Some(publishing) = started else { return routing.finish().map(|()| Outcome::Done) };
    let publish = publishing.notifier();
    let on_commit: OnCommit = Arc::new(move |committed: &Committed| {
        publish(committed);
        let health = &committed.health;
        line.set_message(format!(
            "counting · {} records · {} records/s · backlog {}",
            progress::grouped(committed.records),
            progress::grouped(health.records_per_s as u64),
            progress::grouped(health.backlog)
        ));
    });
    drop(starting);
    let counted =
        run_count(&election, &log, &mut store, &options, (assignment.as_ref(), &shutdown), &on_commit);
    bar.finish_and_clear();
    // Where routing failed, that is what ended the count.
    routing.finish()?;
    let summary = counted?;
    publishing.finish()?;
    report(&summary);
    Ok(Outcome::Done)
}

/// What to say of an error that waiting for the results store or for the brokers may cure.
fn may_pass(error: &anyhow::Error) -> Option<String> {
    let transient = error.chain().any(|cause| {
        cause.downcast_ref().is_some_and(StoreError::is_transient)
            || cause.downcast_ref().is_some_and(LogError::is_transient)
    });
    transient.then(|| format!("{error:#}"))
}

/// The routed copy of a topic.
#[cfg(feature = "kafka")]
fn copied(url: &LogUrl, options: &CountOptions) -> Result<LogUrl> {
    match url {
        LogUrl::Kafka(url) => Ok(LogUrl::Kafka(route::copy(url, options)?)),
        LogUrl::Dir(_) => Ok(url.clone()),
    }
}

#[cfg(not(feature = "kafka"))]
#[expect(clippy::unnecessary_wraps, reason = "the full build may fail to make a topic")]
fn copied(url: &LogUrl, _: &CountOptions) -> Result<LogUrl> {
    // Opening it says how to get a build that can.
    Ok(url.clone())
}

/// Routing, where it was asked for.
struct Route {
    #[cfg(feature = "kafka")]
    routing: Option<route::Routing>,
}

#[cfg(feature = "kafka")]
impl Route {
    fn start(
        asked: bool,
        source: &LogUrl,
        (election, log, store): (&Election, &LogReader, &mut WriterStore),
        options: &CountOptions,
        shutdown: &Shutdown,
    ) -> Result<Self> {
        let (true, LogUrl::Kafka(source)) = (asked, source) else { return Ok(Self { routing: None }) };
        route::pin_to_copy(election, log, store, options)?;
        let routing = route::Routing::start(source, election, options, shutdown)?;
        // What was routed just now is to be counted.
        log.refresh_ends()?;
        Ok(Self { routing })
    }

    fn finish(self) -> Result<()> {
        self.routing.map_or(Ok(()), route::Routing::finish)
    }
}

#[cfg(not(feature = "kafka"))]
impl Route {
    #[expect(clippy::unnecessary_wraps, reason = "the full build may fail to route")]
    fn start(
        _: bool,
        _: &LogUrl,
        _: (&Election, &LogReader, &mut WriterStore),
        _: &CountOptions,
        _: &Shutdown,
    ) -> Result<Self> {
        Ok(Self {})
    }

    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "the full build may fail to route")]
    fn finish(self) -> Result<()> {
        Ok(())
    }
}

/// Publishing, where it was asked for.
struct Publish {
    #[cfg(feature = "kafka")]
    publishing: Option<publish::Publishing>,
}

#[cfg(feature = "kafka")]
impl Publish {
    fn start(
        url: Option<&str>,
        store: &WriterStore,
        election: &Election,
        shutdown: &Shutdown,
    ) -> Result<Self> {
        let start = |url| publish::Publishing::start(url, store.reader()?, election.clone(), shutdown);
        Ok(Self { publishing: url.map(start).transpose()? })
    }

    fn notifier(&self) -> impl Fn(&Committed) + Send + Sync + 'static {
        let notify = self.publishing.as_ref().map(publish::Publishing::notifier);
        move |committed| {
            if let Some(notify) = &notify {
                notify(committed);
            }
        }
    }

    fn finish(self) -> Result<()> {
        self.publishing.map_or(Ok(()), publish::Publishing::finish)
    }
}

#[cfg(not(feature = "kafka"))]
impl Publish {
    fn start(url: Option<&str>, _: &WriterStore, _: &Election, _: &Shutdown) -> Result<Self> {
        if url.is_some() {
            bail!(
                "--publish writes to Kafka, which this small build leaves out; build the whole one with `make build`"
            );
        }
        Ok(Self {})
    }

    #[expect(clippy::unused_self, reason = "the full build tells its publisher")]
    fn notifier(&self) -> impl Fn(&Committed) + Send + Sync + 'static {
        |_| ()
    }

    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "the full build may fail to publish")]
    fn finish(self) -> Result<()> {
        Ok(())
    }
}

/// Workers share a topic where the store lets several write; else this process has all of the log.
#[cfg(feature = "kafka")]
fn assignment(
    url: &LogUrl,
    log: &LogReader,
    store: &mut WriterStore,
    election: &Election,
    options: &CountOptions,
) -> Result<Box<dyn Assignment>> {
    let LogUrl::Kafka(url) = url else { return Ok(Box::new(Everything::of(log))) };
    if store.exclusive() {
        return Ok(Box::new(Everything::of(log)));
    }
    votestream_engine::count::prepare(election, log, store, options)?;
    let uuid = store.snapshot(&election.id)?.store_uuid;
    Ok(Box::new(members::Member::join(url, members::group_id(uuid, &election.id))?))
}

#[cfg(not(feature = "kafka"))]
#[expect(clippy::unnecessary_wraps, reason = "the full build may fail to join a group")]
fn assignment(
    _: &LogUrl,
    log: &LogReader,
    _: &mut WriterStore,
    _: &Election,
    _: &CountOptions,
) -> Result<Box<dyn Assignment>> {
    Ok(Box::new(Everything::of(log)))
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
