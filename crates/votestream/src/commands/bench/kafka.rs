//! `bench kafka`: a topic of keyed votes written, then counted into PostgreSQL, in turn with librdkafka's raw consumer, which does nothing
//! with its messages; what more workers cost; how soon another takes over from one that was killed. All answers are checked.

mod report;
mod workers;

use super::clock::{Cost, Watch};
use crate::args::{Bench, BenchBatches};
use crate::commands::{count, threads, writing};
use crate::{Outcome, progress, signals};
use anyhow::{Result, bail};
use report::{KafkaReport, Rate};
use std::sync::Arc;
use std::time::Duration;
use votestream_election::Election;
use votestream_election::framing::Piece;
use votestream_engine::Shutdown;
use votestream_engine::count::{
    CountOptions, CountSummary, Everything, OnCommit, first_pin, run as run_count,
};
use votestream_engine::produce::{Batcher, Pace, simulate_into_log};
use votestream_log::{KafkaUrl, LogReader, LogUrl, OrdinaryProducer, ReaderKind, consume_all, create_topic};
use votestream_sim::{Order, Simulation};
use votestream_store::{StoreUrl, WriterStore};

/// Partitions of the measured topic.
const PARTITIONS: u32 = 4;
/// Records on top of the votes that come from voters who were counted already.
const DUPLICATES: &str = "duplicates=0.01";
/// Records between two looks whether to stop.
const LOOK_RECORDS: u64 = 65_536;
/// Rounds in turn, of which the best counts. A broker that has just been started compiles its code during the first few, on the same processors.
const ROUNDS: usize = 6;

/// What is measured, and where.
struct Place<'a> {
    simulation: &'a Simulation,
    election: Election,
    topic: KafkaUrl,
    store: StoreUrl,
    /// The same as it was typed.
    store_text: String,
    batches: BenchBatches,
    shutdown: &'a Shutdown,
}

/// Runs it.
pub fn run(args: &Bench) -> Result<Outcome> {
    let (Some(log), Some(store)) = (&args.log, &args.store) else {
        bail!(
            "bench kafka needs servers: --log kafka://host:port/NAME (a topic NAME-<random> is made and left there) and --store postgres://user@host:port/db (a database of its own)"
        );
    };
    let topic = super::fresh_topic(log)?;
    let simulation = super::simulation_with(args.votes.parse()?, Order::Shuffled, DUPLICATES.parse()?)?;
    let shutdown = signals::listen()?;
    let place = Place {
        election: simulation.election(),
        simulation: &simulation,
        topic,
        store: store.parse()?,
        store_text: store.clone(),
        batches: args.batches,
        shutdown: &shutdown,
    };
    let report = place.measure()?;
    super::print(args.format, &report, || report.to_string())?;
    Ok(Outcome::Done)
}

impl Place<'_> {
    fn measure(&self) -> Result<KafkaReport> {
        create_topic(&self.topic, PARTITIONS, 1)?;
        let produced = match self.batches {
            BenchBatches::Large => self.produce()?,
            BenchBatches::Small => self.produce_as_others()?,
        };
        let records = self.simulation.records();
        let mut report = KafkaReport {
            topic: self.topic.to_string(),
            votes: self.simulation.votes(),
            records,
            batches: match self.batches {
                BenchBatches::Large => "large",
                BenchBatches::Small => "small",
            },
            records_per_batch: 0.0,
            produce: Rate::of(records, produced),
            raw: Rate::WORST,
            native: Rate::WORST,
            librdkafka: Rate::WORST,
            read: Rate::WORST,
            route: None,
            flush_cpu_share: 0.0,
            workers: Vec::new(),
            takeover: None,
        };
        for round in 1..=ROUNDS {
            tracing::info!("round {round} of {ROUNDS}: raw consumer, ours, ours reading through librdkafka");
            report.raw.best(self.raw()?);
            let (rate, flush_cpu_share) = self.count(ReaderKind::Native)?;
            if report.native.best(rate) {
                report.flush_cpu_share = flush_cpu_share;
            }
            report.librdkafka.best(self.count(ReaderKind::Librdkafka)?.0);
            let (rate, batches) = self.read()?;
            report.read.best(rate);
            report.records_per_batch = records as f64 / batches.max(1) as f64;
        }
        report.route = Some(self.route()?);
        // What more workers cost, and a takeover, do not depend on how the topic was written.
        if self.batches == BenchBatches::Large {
            report.workers = workers::scaling(self)?;
            report.takeover = Some(workers::takeover(self)?);
        }
        Ok(report)
    }

    /// Simulates into the topic.
    fn produce(&self) -> Result<Cost> {
        let writer = writing::open(&self.topic.to_string(), None)?;
        let durable = writer.resume(self.simulation.id())?;
        let mut batcher =
            Batcher::new(writer.handle(), writer.partitions(), Some((self.simulation.id(), durable)));
        let bar = progress::records(Some(self.simulation.records()), "producing");
        let watch = Watch::start();
        simulate_into_log(
            self.simulation,
            &mut batcher,
            Pace::Max,
            (self.shutdown, &|at| bar.set_position(at)),
        )?;
        writer.close()?;
        let cost = watch.cost();
        bar.finish_and_clear();
        super::check(self.shutdown)?;
        Ok(cost)
    }

    /// Simulates into the topic through librdkafka's producer.
    fn produce_as_others(&self) -> Result<Cost> {
        let mut producer = OrdinaryProducer::new(&self.topic)?;
        let bar = progress::records(Some(self.simulation.records()), "producing");
        let watch = Watch::start();
        let mut cursor = self.simulation.cursor(0);
        while let Some((meta, bytes)) = cursor.next_record() {
            let key = meta.voter.as_ref().map(|voter| &voter.key[..]);
            producer.send(meta.timestamp, key, Piece::of_record(bytes).bytes)?;
            if meta.index.is_multiple_of(LOOK_RECORDS) {
                bar.set_position(meta.index);
                super::check(self.shutdown)?;
            }
        }
        producer.finish()?;
        let cost = watch.cost();
        bar.finish_and_clear();
        Ok(cost)
    }

    /// librdkafka, doing nothing with what it gets.
    fn raw(&self) -> Result<Rate> {
        let watch = Watch::start();
        let (records, wall) = consume_all(&self.topic)?;
        let cost = watch.cost();
        super::check(self.shutdown)?;
        if records != self.simulation.records() {
            bail!("the raw consumer got {records} of {} records", self.simulation.records());
        }
        Ok(Rate::of(records, Cost { wall, ..cost }))
    }

    /// All of the way, from the broker to PostgreSQL's commit, from scratch. Also: which share of its processor time flushes took.
    fn count(&self, reader: ReaderKind) -> Result<(Rate, f64)> {
        let mut topic = self.topic.clone();
        topic.options.reader = reader;
        let mut store = WriterStore::open(&self.store)?;
        let watch = Watch::start();
        let log = LogReader::open_url(&LogUrl::Kafka(topic))?;
        let options = CountOptions {
            until_end: true,
            voters_expected: self.simulation.votes(),
            ..count::options(threads(None).min(log.partitions() as usize))
        };
        store.start_over(&self.election, &first_pin(&log, &options)?, crate::commands::now())?;
        let quiet: OnCommit = Arc::new(|_| ());
        let every = Everything::of(&log);
        let summary: CountSummary =
            run_count(&self.election, &log, &mut store, &options, (&every, self.shutdown), &quiet)?;
        let cost = watch.cost();
        super::check(self.shutdown)?;
        drop(store);
        super::prove(&self.store, self.simulation)?;
        let share = summary.flush_cpu.as_secs_f64() / cost.cpu.as_secs_f64().max(1e-9);
        Ok((Rate::of(summary.records, Cost { wall: summary.elapsed, ..cost }), share))
    }

    /// Copies the topic by voter. Its records are so already; each is looked at and copied all the same.
    fn route(&self) -> Result<Rate> {
        let options = CountOptions { until_end: true, ..count::options(1) };
        let watch = Watch::start();
        let summary =
            count::route::run(&self.topic, &self.election, &options, std::slice::from_ref(self.shutdown))?;
        let cost = watch.cost();
        super::check(self.shutdown)?;
        let records = self.simulation.records();
        if summary.routed != records {
            bail!("{} of {records} records were routed", summary.routed);
        }
        Ok(Rate::of(records, cost))
    }

    /// Fetching, checking, decompressing and walking records, all in one thread, nothing more. Also: how many batches there are.
    fn read(&self) -> Result<(Rate, u64)> {
        let watch = Watch::start();
        let log = LogReader::open_url(&LogUrl::Kafka(self.topic.clone()))?;
        let ends = log.refresh_ends()?;
        let mut readers = Vec::new();
        for (partition, start) in log.start_offsets()?.into_iter().enumerate() {
            readers.push(log.partition(votestream_election::PartitionId(partition as u32), start)?);
        }
        let (mut records, mut batches) = (0, 0);
        while readers.iter().zip(&ends).any(|(reader, end)| reader.position() < *end) {
            let mut idle = true;
            for reader in &mut readers {
                while let Some(batch) = reader.next_batch()? {
                    idle = false;
                    if !batch.is_skipped() {
                        batches += 1;
                        for record in batch.records() {
                            std::hint::black_box(record?.value);
                            records += 1;
                        }
                    }
                }
            }
            if idle {
                let past: Vec<_> = readers.iter().map(votestream_log::PartitionReader::position).collect();
                log.wait_past(&past, Duration::from_millis(100))?;
            }
            super::check(self.shutdown)?;
        }
        Ok((Rate::of(records, watch.cost()), batches))
    }
}
