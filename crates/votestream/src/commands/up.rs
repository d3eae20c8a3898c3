//! `up`: everything in one process: simulate into the log, count, serve results and page, serve generated votes. It goes on where it
//! stopped, whatever ended it.

mod plan;
mod status;

use crate::args::Up;
use crate::commands::simulate::{NIGHT, pace};
use crate::commands::source::{cancelled_by, events, runtime};
use crate::commands::{count, doctor, now, recount, serve, threads};
use crate::{Outcome, listen, progress, signals, table};
use anyhow::{Context, Result, bail};
pub use plan::Plan;
use std::io::Write;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use votestream_election::results::Results;
use votestream_election::{Election, health::EngineHealth};
use votestream_engine::Shutdown;
use votestream_engine::count::{Committed, CountOptions, Everything, OnCommit, prepare, run as run_count};
use votestream_engine::produce::{Batcher, Pace, simulate_into_log};
use votestream_log::{DirLogUrl, LogReader, LogUrl, LogWriter, WriterOptions};
use votestream_server::{Ingest, Seams, SourceConfig, serve_source};
use votestream_sim::Simulation;
use votestream_store::{StoreUrl, WriterStore};

/// Disk that a vote takes at most, log and results together, in bytes.
const DISK_BYTES_A_VOTE: u64 = 45;
/// Disk that is needed whatever the number of votes.
const DISK_BYTES_MIN: u64 = 64 << 20;
/// How often the status line is written.
const STATUS_EVERY: Duration = Duration::from_millis(200);
/// How long the servers get to end their answers.
const SERVERS_END_MAX: Duration = Duration::from_secs(5);

/// Runs the command.
pub fn run(args: &Up) -> Result<Outcome> {
    let pace = pace(args.simulation.rate.as_deref(), Pace::Night(NIGHT))?;
    // Ports that were asked for and cannot be had are found before anything is written.
    let listeners = Listeners {
        results: listen::bind(args.listen, 8501, "--listen")?,
        source: listen::bind(args.source_listen, 5000, "--source-listen")?,
    };
    serve::config(&args.guard, &args.webhooks)?.validate(listeners.results.local_addr()?)?;
    let plan = Plan::resume_or_make(args)?;
    let simulation = plan.simulation()?;
    check_disk(args, &simulation)?;
    let log_url = DirLogUrl::new(args.data.join("log"));
    let writer = LogWriter::open(&log_url, WriterOptions::default())?;
    let election = simulation.election();
    let options = CountOptions {
        voters_expected: simulation.votes(),
        ..count::options(threads(None).min(writer.partitions() as usize))
    };
    let log = LogReader::open(&log_url, Some(writer.watch()))?;
    let mut job = Job {
        args,
        store_url: StoreUrl::sqlite(args.data.join("results.db")),
        log_url,
        writer,
        log,
        simulation,
        election,
        options,
        pace,
        shutdown: signals::listen()?,
    };
    let mut store = WriterStore::open(&job.store_url)?;
    prepare(&job.election, &job.log, &mut store, &job.options)?;
    let finished = job.play(&mut store, listeners)?;
    drop(store);
    if args.exit_when_done && finished {
        return job.final_word();
    }
    job.writer.close()?;
    Ok(Outcome::Done)
}

struct Listeners {
    results: TcpListener,
    source: TcpListener,
}

/// All that a running `up` holds.
struct Job<'a> {
    args: &'a Up,
    store_url: StoreUrl,
    log_url: DirLogUrl,
    writer: LogWriter,
    log: LogReader,
    simulation: Simulation,
    election: Election,
    options: CountOptions,
    pace: Pace,
    shutdown: Shutdown,
}

impl Job<'_> {
    /// Simulates, counts and serves until told to stop, or until all is counted with `--exit-when-done`; true when all is counted.
    fn play(&mut self, store: &mut WriterStore, listeners: Listeners) -> Result<bool> {
        let (changed, changes) = watch::channel(0_u64);
        let (health, healths) = watch::channel(EngineHealth::default());
        let latest = Arc::new(Mutex::new(Committed::default()));
        let shared = Arc::clone(&latest);
        let on_commit: OnCommit = Arc::new(move |committed: &Committed| {
            changed.send_replace(committed.sequence);
            health.send_replace(committed.health.clone());
            shared.lock().unwrap_or_else(PoisonError::into_inner).clone_from(committed);
        });
        let address = listeners.results.local_addr()?;
        let runtime = runtime()?;
        let served = self.serve(&runtime, listeners, (changes, healths))?;
        eprintln!("votestream: results at http://{address} (Ctrl-C ends, the same command goes on)");
        if self.args.open {
            open_in_browser(&format!("http://{address}"));
        }
        let this = &*self;
        let generated = Mutex::new(false);
        let finished = std::thread::scope(|scope| {
            let producing = scope.spawn(|| this.generate(&generated));
            let counting = scope.spawn(|| {
                let counted = run_count(
                    &this.election,
                    &this.log,
                    store,
                    &this.options,
                    (&Everything::of(&this.log), &this.shutdown),
                    &on_commit,
                );
                // Whatever ended it, nothing else makes sense without it.
                this.shutdown.raise();
                counted
            });
            let finished = this.watch(&latest, &generated);
            let produced = producing.join().map_err(|_| anyhow::anyhow!("the simulating thread failed"))?;
            let counted = counting.join().map_err(|_| anyhow::anyhow!("the counting thread failed"))?;
            produced?;
            counted?;
            anyhow::Ok(finished)
        });
        // Requests end, and what webhooks have not delivered yet gets its moment.
        let ended = async { tokio::time::timeout(SERVERS_END_MAX, served).await };
        if runtime.block_on(ended).is_err() {
            tracing::warn!("the server did not end in time");
        }
        runtime.shutdown_timeout(SERVERS_END_MAX);
        finished
    }

    fn serve(
        &self,
        runtime: &tokio::runtime::Runtime,
        listeners: Listeners,
        (changed, health): (watch::Receiver<u64>, watch::Receiver<EngineHealth>),
    ) -> Result<JoinHandle<()>> {
        let seams = Seams {
            store: self.store_url.clone(),
            election_id: None,
            log_election: Some(self.election.id.clone()),
            ingest: Some(Ingest::open(
                self.writer.handle(),
                serve::partition_of(&self.election, self.writer.partitions()),
            )),
            health: Some(health),
            changed: Some(changed),
            page: &serve::page,
            payloads: Some(serve::payloads(&LogUrl::Dir(self.log_url.clone()))?),
            log_ends: None,
            parquet: serve::parquet(),
            clock: Arc::new(now),
        };
        let config = serve::config(&self.args.guard, &self.args.webhooks)?;
        let (events, cancel) = (events(&self.election)?, cancelled_by(&self.shutdown));
        listeners.source.set_nonblocking(true)?;
        let shutdown = self.shutdown.clone();
        let served = runtime.spawn(async move {
            if let Err(error) = serve::serve(listeners.results, config, seams, &shutdown).await {
                tracing::error!("the server ended: {error:#}");
                shutdown.raise();
            }
        });
        runtime.spawn(async move {
            match tokio::net::TcpListener::from_std(listeners.source) {
                Ok(listener) => serve_source(listener, SourceConfig::default(), events, cancel).await,
                Err(error) => tracing::error!("the generated stream ended: {error}"),
            }
        });
        Ok(served)
    }

    /// Plays the simulation into the log, from where the log has it.
    fn generate(&self, generated: &Mutex<bool>) -> Result<()> {
        let play = || -> Result<bool> {
            let durable = self.writer.resume(self.simulation.id())?;
            let source = Some((self.simulation.id(), durable));
            let mut batcher = Batcher::new(self.writer.handle(), self.writer.partitions(), source);
            Ok(simulate_into_log(&self.simulation, &mut batcher, self.pace, (&self.shutdown, &|_| ()))?
                .finished)
        };
        let played = play();
        match played {
            Ok(finished) => *generated.lock().unwrap_or_else(PoisonError::into_inner) = finished,
            Err(error) => {
                self.shutdown.raise();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Writes the status line until the end; true when all that was simulated is counted.
    fn watch(&self, latest: &Mutex<Committed>, generated: &Mutex<bool>) -> bool {
        let line = progress::line();
        let mut finished = false;
        while !self.shutdown.wait(STATUS_EVERY) {
            let committed = latest.lock().unwrap_or_else(PoisonError::into_inner).clone();
            line.set_message(status::line(&committed, &self.simulation));
            let generated = *generated.lock().unwrap_or_else(PoisonError::into_inner);
            if finished || !generated || !reaches(&committed, &self.writer) {
                continue;
            }
            finished = true;
            if self.args.exit_when_done {
                self.shutdown.raise();
            } else {
                line.suspend(|| {
                    eprintln!(
                        "votestream: all {} records are counted; the page stays up until Ctrl-C",
                        progress::grouped(self.simulation.records())
                    );
                });
            }
        }
        line.finish_and_clear();
        finished
    }

    /// The final table, and the proof that a recount gives the same.
    fn final_word(self) -> Result<Outcome> {
        self.writer.close()?;
        let store = votestream_store::ReaderStore::open(&self.store_url)?;
        let snapshot = store.snapshot(&self.election.id)?;
        let mut out = std::io::stdout();
        out.write_all(table::results(&Results::of(&self.election, &snapshot)).as_bytes())?;
        let shutdown = Shutdown::new();
        let log = LogReader::open(&self.log_url, None)?;
        let report = recount::compare(
            &self.election,
            &log,
            (&self.store_url, &store),
            &recount::default_options(),
            &shutdown,
        )?;
        recount::print(&report)?;
        Ok(if report.differences.is_empty() { Outcome::Done } else { Outcome::No })
    }
}

/// Whether all that is durable in the log is committed.
fn reaches(committed: &Committed, writer: &LogWriter) -> bool {
    let ends = writer.end_offsets();
    committed.next.len() == ends.len() && committed.next.iter().zip(&ends).all(|(next, end)| next >= end)
}

/// Refuses to begin what the disk cannot hold.
fn check_disk(args: &Up, simulation: &Simulation) -> Result<()> {
    let needed = simulation.records() * DISK_BYTES_A_VOTE + DISK_BYTES_MIN;
    let there = plan::bytes_under(&args.data);
    let missing = needed.saturating_sub(there);
    let mib = |bytes: u64| progress::grouped(bytes.div_ceil(1 << 20));
    tracing::info!(
        "{} votes will need up to {} MiB of disk in '{}'",
        progress::grouped(simulation.votes()),
        mib(needed),
        args.data.display()
    );
    match doctor::free_bytes(&args.data) {
        Some(free) if free < missing => bail!(
            "'{}' needs {} MiB more disk and {} MiB are free; free some, ask for fewer votes with --votes, or name another disk with --data",
            args.data.display(),
            mib(missing),
            mib(free)
        ),
        _ => Ok(()),
    }
}

/// Opens the page; a machine without a browser only gets a hint.
fn open_in_browser(url: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let opened = std::process::Command::new(program)
        .arg(url)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start '{program}'"));
    if let Err(error) = opened {
        tracing::warn!("no browser was opened ({error:#}); open {url} yourself");
    }
}
