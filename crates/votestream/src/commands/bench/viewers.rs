//! `bench viewers`: what a server costs that shows live results to many at once. `serve` runs as a process of its own over a store that
//! changes a few times a second; the viewers are connections of this process, on loopback, that count what they are sent.

mod client;

mod night;

use super::clock::Watch;
use crate::args::Bench;
use crate::commands::source::runtime;
use crate::progress::grouped;
use crate::{Outcome, listen, signals};
use anyhow::{Context, Result, bail};
use client::Viewer;
use night::Night;
use serde::Serialize;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use votestream_engine::Shutdown;

/// Time between two commits: four snapshots a second.
const COMMIT_EVERY: Duration = Duration::from_millis(250);
/// How long is measured.
const MEASURED: Duration = Duration::from_secs(15);
/// How long everybody may take to be connected, and to have the last snapshot.
const PATIENCE: Duration = Duration::from_secs(30);
/// Rounds of the reference: encoding one snapshot.
const ENCODED: u32 = 200;
/// Linux reports processor time of processes in hundredths of a second.
const TICKS_PER_S: f64 = 100.0;

/// What was measured.
#[derive(Debug, Serialize)]
struct ViewersReport {
    /// Streams open at once.
    viewers: usize,
    /// Whether they were compressed.
    gzip: bool,
    /// How long was measured, in seconds.
    seconds: f64,
    /// Commits, and so snapshots, in that time.
    snapshots: u64,
    /// Snapshots that the viewer with the fewest was sent.
    fewest: u64,
    /// Snapshots that the viewer with the most was sent.
    most: u64,
    /// Bytes of one snapshot as sent, on average.
    event_bytes: f64,
    /// Processor time of the server by time: cores.
    cores: f64,
    /// Processor time of the server for one snapshot to one viewer, in microseconds.
    delivery_us: f64,
    /// Processor time of working out and encoding one snapshot, in microseconds.
    encode_us: f64,
}

impl fmt::Display for ViewersReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let coding = if self.gzip { "gzip" } else { "not compressed" };
        writeln!(f, "{} viewers, {coding}, for {:.1} s", grouped(self.viewers as u64), self.seconds)?;
        writeln!(
            f,
            "  snapshots made       {}  ({:.1} a second)",
            self.snapshots,
            self.snapshots as f64 / self.seconds
        )?;
        writeln!(
            f,
            "  sent to each viewer  {} to {}, {:.0} bytes each",
            self.fewest, self.most, self.event_bytes
        )?;
        writeln!(f, "  server               {:.2} cores", self.cores)?;
        writeln!(f, "  one delivery         {:.1} µs of processor time", self.delivery_us)?;
        writeln!(
            f,
            "  encoding a snapshot  {:.0} µs once, {:.0} times a delivery",
            self.encode_us,
            self.encode_us / self.delivery_us.max(f64::MIN_POSITIVE)
        )
    }
}

/// Runs it.
pub fn run(args: &Bench) -> Result<Outcome> {
    let shutdown = signals::listen()?;
    listen::allow_many_connections();
    let room = super::room::Room::small(args.dir.as_deref())?;
    let mut reports = Vec::new();
    for gzip in [true, false] {
        let dir = room.sub(if gzip { "gzip" } else { "plain" })?;
        reports.push(measure(&dir, usize::from(args.viewers), gzip, &shutdown)?);
    }
    super::print(args.format, &reports, || reports.iter().map(ToString::to_string).collect())?;
    let starved = reports.iter().any(|report| report.fewest < report.snapshots);
    Ok(if starved { Outcome::No } else { Outcome::Done })
}

fn measure(dir: &Path, viewers: usize, gzip: bool, shutdown: &Shutdown) -> Result<ViewersReport> {
    let store = format!("sqlite:{}", dir.join("results.db").display());
    let mut night = Night::begin(&store)?;
    let server = Server::start(&store)?;
    let runtime = runtime()?;
    let watched: Vec<Arc<Viewer>> = (0..viewers).map(|_| Arc::default()).collect();
    for viewer in &watched {
        runtime.spawn(client::watch(server.address, gzip, Arc::clone(viewer)));
    }
    until(shutdown, "every viewer to have a first snapshot", || {
        watched.iter().all(|viewer| viewer.events() >= 1)
    })?;
    let before: Vec<(u64, u64)> = watched.iter().map(|viewer| (viewer.events(), viewer.bytes())).collect();
    let (cpu, began) = (server.cpu()?, Instant::now());
    let mut snapshots = 0_u32;
    while began.elapsed() < MEASURED {
        super::check(shutdown)?;
        night.go_on()?;
        snapshots += 1;
        shutdown.wait((COMMIT_EVERY * snapshots).saturating_sub(began.elapsed()));
    }
    let (cpu, seconds) = (server.cpu()? - cpu, began.elapsed().as_secs_f64());
    let snapshots = u64::from(snapshots);
    let sent = || watched.iter().zip(&before).map(|(viewer, (events, _))| viewer.events() - events);
    let all_there = || sent().all(|events| events >= snapshots);
    // Who is short by then was left out of some.
    let _ = until(shutdown, "the last snapshot", all_there);
    super::check(shutdown)?;
    let events: u64 = sent().sum();
    let bytes: u64 = watched.iter().zip(&before).map(|(viewer, (_, bytes))| viewer.bytes() - bytes).sum();
    let report = ViewersReport {
        viewers,
        gzip,
        seconds,
        snapshots,
        fewest: sent().min().unwrap_or(0),
        most: sent().max().unwrap_or(0),
        event_bytes: bytes as f64 / events.max(1) as f64,
        cores: cpu / seconds,
        delivery_us: cpu * 1e6 / events.max(1) as f64,
        encode_us: encode_us(&night)?,
    };
    runtime.shutdown_background();
    server.stop()?;
    Ok(report)
}

/// What working out and encoding a snapshot takes, as the server does it.
fn encode_us(night: &Night) -> Result<f64> {
    let snapshot = night.snapshot()?;
    let watch = Watch::start();
    for _ in 0..ENCODED {
        std::hint::black_box(serde_json::to_vec(&night.results(&snapshot))?);
    }
    Ok(watch.cost().cpu.as_secs_f64() * 1e6 / f64::from(ENCODED))
}

/// Waits for something that others bring about.
fn until(shutdown: &Shutdown, what: &str, done: impl Fn() -> bool) -> Result<()> {
    let since = Instant::now();
    while !done() {
        super::check(shutdown)?;
        if since.elapsed() > PATIENCE {
            bail!("waited {} s for {what}", PATIENCE.as_secs());
        }
        shutdown.wait(Duration::from_millis(10));
    }
    Ok(())
}

/// `serve` in a process of its own.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start(store: &str) -> Result<Self> {
        let program = std::env::current_exe().context("cannot tell where this program is")?;
        let mut process = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "text", "--store", store])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start the server")?;
        let said = process.stderr.take().context("the server says nothing")?;
        let mut lines = BufReader::new(said).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            line.split_once("results at http://").and_then(|(_, rest)| rest.trim().parse().ok())
        });
        // What else it says must be read, or it would wait for that.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let Some(address) = address else {
            let status = process.wait()?;
            bail!("the server ended before it listened ({status})");
        };
        Ok(Self { process, address })
    }

    /// Processor time so far, in seconds.
    fn cpu(&self) -> Result<f64> {
        let file = format!("/proc/{}/stat", self.process.id());
        let text = std::fs::read_to_string(&file).with_context(|| {
            format!("cannot read '{file}': processor time of the server is measured on Linux only")
        })?;
        // User and system time are the 14th and 15th field; the second, a name in parentheses, may hold spaces.
        let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
        let ticks: Vec<f64> = fields.skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
        Ok(ticks.iter().sum::<f64>() / TICKS_PER_S)
    }

    /// Ends it.
    fn stop(mut self) -> Result<()> {
        self.process.kill().context("cannot end the server")?;
        self.process.wait().context("cannot await the server's end")?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, or by `stop`.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
