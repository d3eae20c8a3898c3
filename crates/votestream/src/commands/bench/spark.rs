//! `bench spark`: a topic of keyed votes counted by `count --engine spark`, in turn with Spark's own Structured Streaming on the same server, and
//! beside the native engine. All answers are checked.

use super::clock::machine_cpu;
use super::room::Room;
use super::{check, simulation_with};
use crate::args::Bench;
use crate::commands::count::{self, OnSpark};
use crate::commands::{random_wide, threads, writing};
use crate::progress::grouped;
use crate::{Outcome, progress, signals};
use anyhow::{Result, bail};
use serde::Serialize;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use votestream_election::Election;
use votestream_engine::Shutdown;
use votestream_engine::count::{CountOptions, Everything, OnCommit, run as run_count};
use votestream_engine::produce::{Batcher, Pace, simulate_into_log};
use votestream_engine::spark::{RECORDS, SparkOptions, run as run_epochs};
use votestream_log::{KafkaUrl, LogReader, LogUrl, create_topic, java_options};
use votestream_sim::{Order, Simulation};
use votestream_spark::{Limits, Remote, Session, Topic};
use votestream_store::{StoreUrl, WriterStore};

/// Partitions of the measured topic.
const PARTITIONS: u32 = 4;
/// Records on top of the votes that come from voters who were counted already.
const DUPLICATES: &str = "duplicates=0.01";
/// Rounds in turn, of which the best counts: in the first one the server's code is not compiled yet.
const ROUNDS: usize = 2;
/// How long one query may take: Structured Streaming takes the whole topic in one.
const CALL_MAX: Duration = Duration::from_hours(2);

/// What was measured.
#[derive(Serialize)]
struct SparkReport {
    topic: String,
    votes: u64,
    records: u64,
    cores: usize,
    structured_streaming: Speed,
    spark: Speed,
    native: Speed,
    /// Records a second on Spark for one of Structured Streaming.
    spark_to_structured_streaming: f64,
}

/// A speed, and what it costs the whole machine, where the system says.
#[derive(Clone, Copy, Serialize)]
struct Speed {
    records_per_s: f64,
    machine_cpu_s_per_million: Option<f64>,
}

impl Speed {
    const WORST: Self = Self { records_per_s: 0.0, machine_cpu_s_per_million: None };

    fn best(&mut self, other: Self) {
        if other.records_per_s > self.records_per_s {
            *self = other;
        }
    }
}

/// What is measured, and where.
struct Place<'a> {
    simulation: &'a Simulation,
    election: Election,
    url: KafkaUrl,
    topic: Topic,
    remote: Remote,
    room: &'a Room,
    /// A directory that Spark can write to, as it names it.
    seen: String,
    shutdown: &'a Shutdown,
}

/// Runs it.
pub fn run(args: &Bench) -> Result<Outcome> {
    let (Some(log), Some(remote)) = (&args.log, &args.remote) else {
        bail!(
            "bench spark needs servers: --log kafka://host:port/NAME (topics NAME-<random> are made and left there) and --remote sc://host:port, a Spark Connect server"
        );
    };
    let url = super::fresh_topic(log)?;
    let simulation = simulation_with(args.votes.parse()?, Order::Shuffled, DUPLICATES.parse()?)?;
    let shutdown = signals::listen()?;
    let room = Room::make(args.dir.as_deref(), &simulation)?;
    let beside = StoreUrl::sqlite(room.path().join("spark"));
    let place = Place {
        election: simulation.election(),
        simulation: &simulation,
        topic: Topic { name: url.topic.clone(), options: java_options(&url)? },
        url,
        remote: remote.parse()?,
        room: &room,
        seen: count::seen_directory(args.seen.as_deref(), &beside)?,
        shutdown: &shutdown,
    };
    let report = place.measure()?;
    super::print(args.format, &report, || table(&report))?;
    Ok(Outcome::Done)
}

impl Place<'_> {
    fn measure(&self) -> Result<SparkReport> {
        create_topic(&self.url, PARTITIONS, 1)?;
        self.produce()?;
        let mut report = SparkReport {
            topic: self.url.to_string(),
            votes: self.simulation.votes(),
            records: self.simulation.records(),
            cores: threads(None),
            structured_streaming: Speed::WORST,
            spark: Speed::WORST,
            native: Speed::WORST,
            spark_to_structured_streaming: 0.0,
        };
        for round in 1..=ROUNDS {
            tracing::info!("round {round} of {ROUNDS}: Structured Streaming, ours on Spark, ours natively");
            report.structured_streaming.best(self.structured_streaming(round)?);
            report.spark.best(self.spark(round)?);
            report.native.best(self.native(round)?);
        }
        report.spark_to_structured_streaming =
            report.spark.records_per_s / report.structured_streaming.records_per_s.max(1e-9);
        Ok(report)
    }

    fn produce(&self) -> Result<()> {
        let writer = writing::open(&self.url.to_string(), None)?;
        let mut batcher = Batcher::new(writer.handle(), writer.partitions(), None);
        let bar = progress::records(Some(self.simulation.records()), "producing");
        simulate_into_log(
            self.simulation,
            &mut batcher,
            Pace::Max,
            (self.shutdown, &|at| bar.set_position(at)),
        )?;
        writer.close()?;
        bar.finish_and_clear();
        check(self.shutdown)
    }

    /// What the work makes of all records.
    fn speed(&self, work: impl FnOnce() -> Result<()>) -> Result<Speed> {
        let (busy, began) = (machine_cpu(), Instant::now());
        work()?;
        let (records, wall) = (self.simulation.records() as f64, began.elapsed());
        check(self.shutdown)?;
        let spent = busy.zip(machine_cpu()).map(|(before, after)| after.saturating_sub(before));
        Ok(Speed {
            records_per_s: records / wall.as_secs_f64(),
            machine_cpu_s_per_million: spent.map(|spent| spent.as_secs_f64() / records * 1e6),
        })
    }

    fn structured_streaming(&self, round: usize) -> Result<Speed> {
        let limits = Limits { call: CALL_MAX, ..Limits::default() };
        let sink = self.url.with_topic(format!("{}-counts-{round}", self.url.topic));
        create_topic(&sink, 1, 1)?;
        let state = format!("{}/structured-streaming-{round}", self.seen);
        let mut counted = None;
        let speed = self.speed(|| {
            let session = Session::open(&self.remote, limits)?;
            counted = session.stream(&self.election, &self.topic, &sink.topic, &state)?;
            Ok(())
        })?;
        if counted != Some(self.simulation.votes()) {
            bail!("Structured Streaming counted {counted:?} votes of {}", self.simulation.votes());
        }
        Ok(speed)
    }

    /// `count --engine spark` into a new store.
    fn spark(&self, round: usize) -> Result<Speed> {
        let store_url = StoreUrl::sqlite(self.room.path().join(format!("spark-{round}.db")));
        let mut store = WriterStore::open(&store_url)?;
        let seen = format!("{}/{round}", self.seen);
        let speed = self.speed(|| {
            let log = LogReader::open_url(&LogUrl::Kafka(self.url.clone()))?;
            let mut epochs = OnSpark::new(self.remote.clone(), Limits::default(), self.topic.clone(), seen);
            let options = SparkOptions {
                count: CountOptions { until_end: true, ..count::options(1) },
                live_every: Duration::ZERO,
                records: RECORDS,
                draw: random_wide,
            };
            let bar = progress::records(Some(self.simulation.records()), "counting on Spark");
            let line = bar.clone();
            let on_commit: OnCommit = Arc::new(move |committed| line.set_position(committed.records));
            run_epochs(&self.election, &log, &mut store, &options, &mut epochs, (self.shutdown, &on_commit))?;
            bar.finish_and_clear();
            Ok(())
        })?;
        super::prove(&store_url, self.simulation)?;
        Ok(speed)
    }

    fn native(&self, round: usize) -> Result<Speed> {
        let store_url = StoreUrl::sqlite(self.room.path().join(format!("native-{round}.db")));
        let mut store = WriterStore::open(&store_url)?;
        let speed = self.speed(|| {
            let log = LogReader::open_url(&LogUrl::Kafka(self.url.clone()))?;
            let options = CountOptions {
                until_end: true,
                ..count::options(threads(None).min(log.partitions() as usize))
            };
            let quiet: OnCommit = Arc::new(|_| ());
            let every = Everything::of(&log);
            run_count(&self.election, &log, &mut store, &options, (&every, self.shutdown), &quiet)?;
            Ok(())
        })?;
        super::prove(&store_url, self.simulation)?;
        Ok(speed)
    }
}

fn table(report: &SparkReport) -> String {
    let mut text = format!(
        "topic {}: {} records of {} voters; {} cores, Spark's own included where it runs here\n{:<52} {:>12} {:>12} {:>20}\n",
        report.topic,
        grouped(report.records),
        grouped(report.votes),
        report.cores,
        "",
        "records/s",
        "× streaming",
        "CPU s a million"
    );
    let mut line = |name: &str, speed: &Speed| {
        let cpu = speed.machine_cpu_s_per_million.map_or_else(|| "–".to_owned(), |s| format!("{s:.1}"));
        let ratio = speed.records_per_s / report.structured_streaming.records_per_s.max(1e-9);
        // Writing to a text does not fail.
        let _ =
            writeln!(text, "{name:<52} {:>12} {ratio:>12.2} {cpu:>20}", grouped(speed.records_per_s as u64));
    };
    line("Structured Streaming → Kafka (the reference)", &report.structured_streaming);
    line("count --engine spark, exactly once", &report.spark);
    line("count, native, exactly once", &report.native);
    text.push_str("(processor seconds are the whole machine's: broker, Spark and this program)\n");
    text
}
