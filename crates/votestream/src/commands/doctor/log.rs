//! What is said of the log: whether it answers, whether its ends can be read, and what a sample of it holds.

use super::lines::{Lines, many};
use super::sample::{Looked, Origin, Sample};
use crate::commands::now;
use crate::commands::peek::{self, Room};
use std::time::{Duration, Instant};
use votestream_election::{Election, Offset, PartitionId};
use votestream_log::{LogError, LogReader, LogUrl};

/// Records looked at: half of them the first, half the last of their partitions.
const SAMPLE_RECORDS: u64 = 20_000;
/// Bytes of them.
const SAMPLE_BYTES: u64 = 32 << 20;
/// Longest that sampling takes.
const SAMPLE_TIME_MAX: Duration = Duration::from_secs(10);

/// Opens the log; says what it is, or why not.
pub(super) fn open(url: &LogUrl, quick: bool, lines: &mut Lines) -> Option<LogReader> {
    match url {
        LogUrl::Dir(dir) => open_dir(url, &dir.path.display().to_string(), lines),
        #[cfg(feature = "kafka")]
        LogUrl::Kafka(kafka) => open_kafka(url, kafka, quick, lines),
        #[cfg(not(feature = "kafka"))]
        LogUrl::Kafka(_) => {
            let _ = quick;
            open_dir(url, "kafka", lines)
        }
    }
}

fn open_dir(url: &LogUrl, name: &str, lines: &mut Lines) -> Option<LogReader> {
    let opened = LogReader::open_url(url).and_then(|log| log.end_offsets().map(|ends| (log, ends)));
    match opened {
        Ok((log, ends)) => {
            let records: u64 = ends.iter().map(|end| end.0).sum();
            lines.well(format!(
                "log '{name}': {} on {}",
                many(records, "record"),
                many(u64::from(log.partitions()), "partition")
            ));
            tails(&log, &ends, lines);
            Some(log)
        }
        Err(error) => {
            lines.fault(
                format!("log: {error}"),
                "the message says what to do; `votestream up` makes a log where there is none",
            );
            None
        }
    }
}

#[cfg(feature = "kafka")]
fn open_kafka(
    url: &LogUrl,
    kafka: &votestream_log::KafkaUrl,
    quick: bool,
    lines: &mut Lines,
) -> Option<LogReader> {
    let facts = match votestream_log::describe(kafka) {
        Ok(facts) => facts,
        Err(error) => {
            super::topic::unreached(kafka, &error, lines);
            return None;
        }
    };
    if quick {
        lines.well(format!("log {}: answers", kafka.place()));
        return None;
    }
    super::topic::judge(kafka, &facts, lines);
    match LogReader::open_url(url) {
        Ok(log) => Some(log),
        Err(error) => {
            super::topic::unreached(kafka, &error, lines);
            None
        }
    }
}

/// Whether each partition can be read at its end: a cut or damaged last segment shows here.
fn tails(log: &LogReader, ends: &[Offset], lines: &mut Lines) {
    for (p, end) in ends.iter().enumerate().filter(|(_, end)| end.0 > 0) {
        let partition = PartitionId(p as u32);
        let last = Offset(end.0 - 1);
        let read = log
            .partition(partition, last)
            .and_then(|mut reader| reader.next_batch().map(|batch| batch.is_some()));
        let what = match read {
            Ok(true) => continue,
            Ok(false) => format!("partition {p} of the log does not reach its last synced offset {end}"),
            Err(error) => format!("partition {p} of the log cannot be read at its end: {error}"),
        };
        lines.fault(what, "restore the log's files from a copy; what is counted stays counted");
    }
}

/// Looks at the first and the last records of each partition.
pub(super) fn sample(log: &LogReader, url: &str, election: &Election, lines: &mut Lines) {
    let mut sample = Sample::new(election, log.partitions());
    if let Err(error) = fill(log, &mut sample) {
        lines.failure("a sample of the log cannot be read", &error, "see what is said above of the log");
        return;
    }
    if let Some(trouble) = log.trouble() {
        lines.fault(
            format!("the log cannot be read at the moment: {trouble}"),
            "see what is said above of the brokers; reading is tried again by itself",
        );
        return;
    }
    let origin = Origin { log: url, kafka: log.kind() == "kafka" };
    sample.judge(origin, now(), lines);
}

fn fill(log: &LogReader, sample: &mut Sample<'_>) -> Result<(), LogError> {
    let (starts, ends) = (log.start_offsets()?, log.refresh_ends()?);
    let share = u64::from(log.partitions().max(1)) * 2;
    let room = Room {
        records: (SAMPLE_RECORDS / share).max(1),
        bytes: (SAMPLE_BYTES / share).max(1),
        deadline: Instant::now() + SAMPLE_TIME_MAX,
    };
    for (p, (start, end)) in starts.into_iter().zip(ends).enumerate() {
        let partition = PartitionId(p as u32);
        let mut look = |record: &votestream_log::Record<'_>| {
            sample.look(Looked {
                partition,
                timestamp: record.timestamp,
                key: record.key,
                value: record.value,
                oversize: record.oversize,
            });
        };
        let middle = Offset(
            end.0.saturating_sub(room.records).max(start.0 + room.records.min(end.0 - start.0.min(end.0))),
        );
        peek::records(log, partition, (start, middle.min(end)), room, &mut look)?;
        if middle < end {
            peek::records(log, partition, (middle, end), room, &mut look)?;
        }
    }
    Ok(())
}
