//! Records held in memory for measuring stages one by one: from all over the night, since its first minutes know few states.

use anyhow::{Context, Result};
use votestream_election::event::{EventParser, Vote};
use votestream_election::{Millis, PartitionId};
use votestream_sim::Simulation;

/// Most records of a sample.
pub const RECORDS_MAX: u64 = 1_000_000;
/// Stretches of the night that the sample is taken from.
const STRETCHES: u64 = 16;
/// Partitions, as a log has them unless told otherwise.
pub const PARTITIONS: u32 = 4;

/// Records and all that the stages make of them.
pub struct Sample {
    /// The values, one behind the other.
    pub bytes: Vec<u8>,
    /// Where each value ends.
    ends: Vec<usize>,
    /// Each record's timestamp.
    pub times: Vec<Millis>,
    /// Each record's partition.
    pub partitions: Vec<PartitionId>,
    /// Each record judged.
    pub votes: Vec<Vote>,
    /// Stretches of the source that they come from.
    pub stretches: Vec<(u64, u64)>,
}

impl Sample {
    /// Takes at most [`RECORDS_MAX`] records.
    pub fn take(simulation: &Simulation) -> Result<Self> {
        let wanted = simulation.records().min(RECORDS_MAX);
        let stretches: Vec<(u64, u64)> = (0..STRETCHES)
            .map(|n| {
                let from = simulation.records() / STRETCHES * n;
                (from, from + wanted / STRETCHES + if n == 0 { wanted % STRETCHES } else { 0 })
            })
            .collect();
        let (mut bytes, mut ends, mut times, mut partitions, mut votes) =
            (vec![], vec![], vec![], vec![], vec![]);
        let mut parser = EventParser::new(&simulation.election());
        for (from, to) in &stretches {
            let mut cursor = simulation.cursor_until(*from, *to);
            while let Some((meta, value)) = cursor.next_record() {
                bytes.extend_from_slice(value);
                ends.push(bytes.len());
                times.push(meta.timestamp);
                partitions.push(meta.partition(PARTITIONS));
                let vote = parser.judge(Some(value), meta.timestamp, false);
                votes.push(vote.ok().context(
                    "a simulated record is no vote: this is a fault of the program, please report it",
                )?);
            }
        }
        Ok(Self { bytes, ends, times, partitions, votes, stretches })
    }

    /// How many records.
    pub fn records(&self) -> u64 {
        self.ends.len() as u64
    }

    /// The values in order.
    pub fn values(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }

    /// Records of one partition, by number.
    pub fn of(&self, partition: PartitionId) -> impl Iterator<Item = usize> {
        self.partitions.iter().enumerate().filter(move |(_, p)| **p == partition).map(|(i, _)| i)
    }

    /// One value.
    pub fn value(&self, record: usize) -> &[u8] {
        let start = record.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[record]]
    }
}
