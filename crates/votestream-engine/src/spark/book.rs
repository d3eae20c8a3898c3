//! What a partition has come to, so that an epoch's increments become a delta: the timeline's rows are cumulative.

use votestream_election::delta::{
    Counts, Engine, Fence, PartitionDelta, PartitionState, Progress, TimelineRow,
};
use votestream_election::epoch::PartitionAnswer;
use votestream_election::partitioner::PartitionerSet;
use votestream_election::{Minute, Offset, PartitionId};

/// One partition as committed.
pub(super) struct Book {
    pub(super) progress: Progress,
    /// Cumulative votes, region-major.
    totals: Vec<u64>,
}

/// What is known of the log where a range ends.
pub(super) struct LogAt {
    /// Leader epoch of the last batch.
    pub(super) leader_epoch: i32,
    /// The log's end.
    pub(super) end: Offset,
}

impl Book {
    pub(super) fn new(state: &PartitionState) -> Self {
        Self { progress: state.progress.clone(), totals: state.totals.clone() }
    }

    pub(super) fn partition(&self) -> PartitionId {
        self.progress.partition
    }

    pub(super) fn next(&self) -> Offset {
        self.progress.next_offset
    }

    pub(super) fn minute(&self) -> Option<Minute> {
        self.progress.minute
    }

    /// The delta that an answer comes to.
    pub(super) fn delta(
        &self,
        answer: &PartitionAnswer,
        log: &LogAt,
        partitioners: PartitionerSet,
    ) -> PartitionDelta {
        let Progress { partition, epoch, .. } = self.progress;
        PartitionDelta {
            partition,
            fence: Fence { from: answer.range.from, epoch, engine: Engine::Spark },
            to: answer.range.to,
            leader_epoch: log.leader_epoch,
            counts: answer.counts,
            tally: answer.tally.clone(),
            timeline: self.timeline(answer),
            seen: Vec::new(),
            outside: answer.counts.counted,
            rejects: answer.rejects.clone(),
            leaves: Vec::new(),
            open_leaf: None,
            minute: answer.minute,
            log_end: log.end.max(answer.range.to),
            partitioners,
        }
    }

    fn timeline(&self, answer: &PartitionAnswer) -> Vec<TimelineRow> {
        let (mut counts, mut totals) = (self.counts(), self.totals.clone());
        let mut rows: Vec<TimelineRow> = Vec::with_capacity(answer.timeline.len());
        for (minute, more, votes) in &answer.timeline {
            counts.add(more);
            add(&mut totals, votes);
            rows.push(TimelineRow { minute: *minute, counts, totals: totals.clone() });
        }
        rows
    }

    fn counts(&self) -> Counts {
        let Progress { counted, duplicate, rejected, skipped, .. } = self.progress;
        Counts { counted, duplicate, rejected, skipped }
    }

    /// Goes on from a delta that was committed.
    pub(super) fn committed(&mut self, delta: &PartitionDelta, answer: &PartitionAnswer) {
        for (_, _, votes) in &answer.timeline {
            add(&mut self.totals, votes);
        }
        let progress = &mut self.progress;
        progress.sealed.get_or_insert(progress.next_offset);
        progress.next_offset = delta.to;
        progress.leader_epoch = delta.leader_epoch;
        progress.counted += delta.counts.counted;
        progress.duplicate += delta.counts.duplicate;
        progress.rejected += delta.counts.rejected;
        progress.skipped += delta.counts.skipped;
        progress.outside += delta.outside;
        progress.minute = delta.minute;
        progress.log_end = delta.log_end;
    }

    /// Goes on from leaves that were sealed up to `to`.
    pub(super) fn sealed(&mut self, to: Offset) {
        self.progress.sealed = Some(to).filter(|to| *to < self.progress.next_offset);
    }

    /// Whether the ledger is hashed as far as is counted.
    pub(super) fn is_sealed(&self) -> bool {
        self.progress.sealed.is_none()
    }
}

/// Adds increments to cumulative votes. One that would take more than there is fails the store's own check of the cells.
fn add(totals: &mut [u64], votes: &[i64]) {
    for (total, votes) in totals.iter_mut().zip(votes) {
        *total = total.saturating_add_signed(*votes);
    }
}
