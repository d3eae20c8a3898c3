//! What `bench kafka` measured: as numbers for JSON, and as a table for people.

use crate::commands::bench::clock::Cost;
use crate::progress::grouped;
use serde::Serialize;
use std::fmt;

/// All of one run.
#[derive(Debug, Serialize)]
pub struct KafkaReport {
    /// The topic, which is left in place.
    pub topic: String,
    /// Voters.
    pub votes: u64,
    /// Records, duplicates included.
    pub records: u64,
    /// How the topic was written: `large` by us, `small` by librdkafka's producer with its defaults.
    pub batches: &'static str,
    /// Records of a batch, on average.
    pub records_per_batch: f64,
    /// Simulated and written, acknowledged by all: by us in transactions, or by librdkafka's producer.
    pub produce: Rate,
    /// librdkafka's consumer, doing nothing with its messages.
    pub raw: Rate,
    /// Our reader to PostgreSQL's commit.
    pub native: Rate,
    /// The same with librdkafka as reader.
    pub librdkafka: Rate,
    /// Our reader alone, one thread: fetched, checked, decompressed, walked.
    pub read: Rate,
    /// Copied by voter, as `count --route` does before it counts: from the group's joining to the last transaction.
    pub route: Option<Rate>,
    /// Of our count's processor time what was spent on flushes, 0 to 1.
    pub flush_cpu_share: f64,
    /// Processes that count side by side.
    pub workers: Vec<Workers>,
    /// From one worker's kill to the other's commit.
    pub takeover: Option<Takeover>,
}

/// A speed, and what it costs.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Rate {
    /// Records a second.
    pub per_s: f64,
    /// Processor time of all threads of this process, in nanoseconds a record.
    pub cpu_ns: f64,
}

/// Some processes that count side by side.
#[derive(Debug, Serialize)]
pub struct Workers {
    /// How many.
    pub processes: usize,
    /// Processor seconds of all of them for a million records.
    pub cpu_s_per_million: f64,
    /// From the first one's start to the last one's end.
    pub seconds: f64,
}

/// A takeover.
#[derive(Debug, Serialize)]
pub struct Takeover {
    /// Voters read back.
    pub voters: u64,
    /// From the kill to the first commit of votes that came after it, on every partition.
    pub seconds: f64,
}

impl Rate {
    /// Before anything is measured.
    pub const WORST: Self = Self { per_s: 0.0, cpu_ns: f64::INFINITY };

    /// Of so many records at this cost.
    pub fn of(records: u64, cost: Cost) -> Self {
        let records = records as f64;
        Self { per_s: records / cost.wall.as_secs_f64(), cpu_ns: cost.cpu.as_nanos() as f64 / records }
    }

    /// Keeps the faster; says whether that is the other.
    pub fn best(&mut self, other: Self) -> bool {
        let better = other.per_s > self.per_s;
        if better {
            *self = other;
        }
        better
    }
}

impl fmt::Display for KafkaReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "topic {}: {} records of {} voters, {} batches of {} records on average",
            self.topic,
            grouped(self.records),
            grouped(self.votes),
            self.batches,
            grouped(self.records_per_batch as u64)
        )?;
        writeln!(f, "{:<52} {:>12} {:>8} {:>11}", "", "records/s", "× raw", "CPU ns each")?;
        let mut line = |name: &str, rate: &Rate| {
            let ratio = rate.per_s / self.raw.per_s;
            writeln!(f, "{name:<52} {:>12} {ratio:>8.2} {:>11.0}", grouped(rate.per_s as u64), rate.cpu_ns)
        };
        line("librdkafka's raw consumer (the reference)", &self.raw)?;
        line("Kafka → dedup → tally → PostgreSQL, exactly once", &self.native)?;
        line("the same, reading through librdkafka", &self.librdkafka)?;
        line("our reader alone, one thread", &self.read)?;
        let how = if self.batches == "small" {
            "simulate → Kafka, librdkafka's producer"
        } else {
            "simulate → Kafka, transactional, acks=all"
        };
        line(how, &self.produce)?;
        if let Some(route) = &self.route {
            line("Kafka → by voter → Kafka, in transactions (--route)", route)?;
        }
        writeln!(f, "flushes take {:.1} % of the count's processor time", 100.0 * self.flush_cpu_share)?;
        for workers in &self.workers {
            writeln!(
                f,
                "{} worker{}: {:.2} CPU seconds per million records, {:.1} s",
                workers.processes,
                if workers.processes == 1 { "" } else { "s" },
                workers.cpu_s_per_million,
                workers.seconds
            )?;
        }
        if let Some(takeover) = &self.takeover {
            let voters = grouped(takeover.voters);
            writeln!(
                f,
                "a killed worker's {voters} voters taken over, counting again after {:.1} s",
                takeover.seconds
            )?;
        }
        Ok(())
    }
}
