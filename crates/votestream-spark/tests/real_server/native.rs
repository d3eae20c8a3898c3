//! The domain's own fold over records of a topic, epoch by epoch, as the native engine runs it, put into the shape of Spark's answers.

use crate::topic::Lying;
use votestream_election::delta::{Counts, PartitionState, Progress, TimelineRow};
use votestream_election::epoch::PartitionAnswer;
use votestream_election::event::EventParser;
use votestream_election::fold::{Misrouted, PartitionCount, Record};
use votestream_election::partitioner::PartitionerSet;
use votestream_election::seen::SeenVoters;
use votestream_election::{Election, Millis, Minute, Offset, PartitionId, RegionIx, RejectReason};

/// What both are compared by.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub counts: Counts,
    pub tally: Vec<(RegionIx, Vec<i64>)>,
    pub timeline: Vec<TimelineRow>,
    pub rejects: Vec<(Offset, RejectReason)>,
    pub minute: Option<Minute>,
}

/// One partition's fold.
pub struct Native {
    fold: PartitionCount,
    parser: EventParser,
    pub partitioners: PartitionerSet,
}

impl Native {
    pub fn new(
        election: &Election,
        partition: u32,
        (partitions, possible): (u32, PartitionerSet),
        rejects: bool,
        now: Millis,
    ) -> Self {
        let progress = Progress::begin(PartitionId(partition), 1, Offset(0));
        let state = PartitionState::begin(progress, election.candidates.len() * election.region_rows());
        let misrouted = if rejects { Misrouted::Reject } else { Misrouted::Stop };
        let seen = SeenVoters::new(election.duplicate, 0, 7);
        let mut fold = PartitionCount::new(election, state, seen, (partitions, possible), misrouted);
        fold.set_clock(now);
        Self { fold, parser: EventParser::new(election), partitioners: possible }
    }

    /// Counts the records below `to`; the error is the offset of a misrouted one.
    pub fn epoch(&mut self, records: &[Lying], to: u64) -> Result<Option<Part>, u64> {
        let from = self.fold.next().0;
        for lying in records.iter().filter(|r| r.offset >= from && r.offset < to) {
            let record = Record {
                offset: Offset(lying.offset),
                timestamp: Millis(lying.timestamp),
                key: lying.key.as_deref(),
                value: lying.value.as_deref(),
                oversize: lying.stub,
            };
            self.fold.record(&mut self.parser, &record).map_err(|_| lying.offset)?;
        }
        self.fold.end_batch(Offset(to), 0).unwrap();
        let Some(delta) = self.fold.seal(Offset(to)) else { return Ok(None) };
        self.partitioners = delta.partitioners;
        Ok(Some(Part {
            counts: delta.counts,
            tally: delta.tally.into_iter().filter(|(_, cells)| cells.iter().any(|n| *n != 0)).collect(),
            timeline: delta.timeline,
            rejects: delta.rejects,
            minute: delta.minute,
        }))
    }
}

/// Adds up Spark's answers of one partition, so that its timeline is cumulative as a store's.
#[derive(Default)]
pub struct Adding {
    counts: Counts,
    totals: Vec<u64>,
}

impl Adding {
    pub fn part(&mut self, election: &Election, answer: &PartitionAnswer) -> Part {
        self.totals.resize(election.candidates.len() * election.region_rows(), 0);
        let start = self.counts;
        let mut at = start;
        let mut timeline = Vec::new();
        for (minute, counts, votes) in &answer.timeline {
            at.add(counts);
            for (total, n) in self.totals.iter_mut().zip(votes) {
                *total = total.checked_add_signed(*n).expect("a total below zero");
            }
            timeline.push(TimelineRow { minute: *minute, counts: at, totals: self.totals.clone() });
        }
        self.counts.add(&answer.counts);
        Part {
            counts: answer.counts,
            tally: answer.tally.clone(),
            timeline,
            rejects: answer.rejects.clone(),
            minute: answer.minute,
        }
    }
}
