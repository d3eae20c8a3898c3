//! What the scenarios share: votes, small logs, and all of a log as a list.

use std::path::Path;
use votestream_election::{Millis, Offset, PartitionId, SourceId};
use votestream_log::{BatchBuilder, DirLogUrl, LogError, LogReader, LogWriter, SealedBatch, WriterOptions};

/// A deterministic stream of numbers.
pub struct Draw(pub u64);

impl Draw {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// A directory for tests that open a log thousands of times: in memory where there is such a place, since each opening fsyncs.
pub fn quick_dir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A vote's JSON, from its number.
pub fn vote(n: u64) -> Vec<u8> {
    let mut draw = Draw(n);
    let id = 1_000_000_000_000_000 + draw.below(9_000_000_000_000_000);
    let state = ["Ohio", "California", "Texas", "New York", "North Carolina"][draw.below(5) as usize];
    let decision = ["Donald Trump", "Kamala Harris", "Jill Stein"][draw.below(3) as usize];
    let gender = ["Male", "Female"][draw.below(2) as usize];
    let age = 18 + draw.below(70);
    format!(r#"{{"id":{id},"gender":"{gender}","age":{age},"state":"{state}","decision":"{decision}"}}"#)
        .into_bytes()
}

/// A batch of the votes `numbers`, a millisecond apart.
pub fn batch(numbers: std::ops::Range<u64>, source: Option<SourceId>) -> SealedBatch {
    let mut builder = BatchBuilder::new(1 << 20);
    let last = numbers.end - 1;
    for n in numbers {
        builder.push(Millis(1_730_000_000_000 + n as i64), &vote(n), None);
    }
    builder.seal(source.map(|source| (source, last)))
}

pub fn url(dir: &Path, partitions: u32) -> DirLogUrl {
    DirLogUrl { partitions: Some(partitions), ..DirLogUrl::new(dir.join("log")) }
}

pub fn small_segments() -> WriterOptions {
    WriterOptions { segment_bytes: 4096, ..WriterOptions::default() }
}

pub fn open(url: &DirLogUrl) -> LogWriter {
    LogWriter::open(url, small_segments()).unwrap()
}

/// All values of a partition from `from` on, with their offsets, as a reader without the writer's watch sees them.
pub fn read(url: &DirLogUrl, partition: u32, from: u64) -> Result<Vec<(u64, Vec<u8>)>, LogError> {
    let mut reader = LogReader::open(url, None)?.partition(PartitionId(partition), Offset(from))?;
    let mut all = Vec::new();
    while let Some(batch) = reader.next_batch()? {
        for record in batch.records() {
            let record = record?;
            all.push((record.offset.0, record.value.unwrap_or_default().to_vec()));
        }
    }
    Ok(all)
}

/// What `read` must answer for the votes `numbers` that lie at the offsets of the same numbers.
pub fn votes(numbers: std::ops::Range<u64>) -> Vec<(u64, Vec<u8>)> {
    numbers.map(|n| (n, vote(n))).collect()
}
