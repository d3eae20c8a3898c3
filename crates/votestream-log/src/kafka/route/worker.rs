//! A lane's thread: takes a partition over, commits its transactions, aborts what is left open.

use super::lane::Site;
use super::producer::{OPEN_WAIT, Producer};
use super::recover;
use crate::batch::SealedBatch;
use crate::error::LogError;
use crate::kafka::librdkafka;
use crate::kafka::producing;
use kafka_protocol::ResponseError as E;
use rdkafka::error::KafkaError;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use votestream_election::{Offset, PartitionId};

/// What a lane asks of its thread.
pub(super) enum Job {
    /// Send a batch to a partition of the copy.
    Send { partition: PartitionId, batch: SealedBatch },
    /// Commit what was sent, and the position after it.
    Commit { next: Offset },
}

/// What a lane's thread has to tell.
pub(super) struct Event {
    pub(super) partition: PartitionId,
    pub(super) lane: u64,
    pub(super) kind: EventKind,
}

pub(super) enum EventKind {
    /// Ready to copy.
    Opened(Begin),
    /// The transaction is in the copy.
    Committed,
    /// It is not, or may not be: open anew.
    Failed(LogError),
    /// It never will be.
    Denied(LogError),
}

/// Where a lane begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum Begin {
    /// At a committed position.
    Committed(Offset),
    /// After the last copy that was found, without a position.
    Found(Offset),
    /// At the source's start: nothing is routed.
    Start,
}

/// A lane's thread.
pub(super) struct Worker {
    pub(super) site: Arc<Site>,
    pub(super) partition: PartitionId,
    pub(super) lane: u64,
}

impl Worker {
    pub(super) fn run(self, jobs: &Receiver<Job>, events: &Sender<Event>) {
        let opened = self.open(jobs);
        let mut producer = self.tell(events, opened).flatten();
        while let Ok(job) = jobs.recv() {
            let (batches, next) = gather(job, jobs);
            let Some(sound) = &mut producer else { continue };
            let done = sound.send(batches).and_then(|()| {
                let Some(next) = next else { return Ok(None) };
                sound.commit(self.partition, next).map(|()| Some(EventKind::Committed))
            });
            if self.tell(events, done.map(|kind| ((), kind)).map_err(Failure::of)).is_none() {
                producer = None;
            }
        }
        // The lane is gone: what it had begun must not hold back the copy's readers until it times out.
        if let Some(Err(error)) = producer.map(Producer::abort) {
            // Another router has taken over and ended it, or the brokers soon do.
            tracing::debug!(partition = self.partition.0, %error, "nothing aborted");
        }
    }

    /// Tells the router what was done, if it is to know, and gives the rest back; `None`: it failed.
    fn tell<T>(&self, events: &Sender<Event>, told: Result<(T, Option<EventKind>), Failure>) -> Option<T> {
        let (rest, kind) = match told {
            Ok((rest, kind)) => (Some(rest), kind),
            Err(Failure { error, denied: true }) => (None, Some(EventKind::Denied(error))),
            Err(Failure { error, denied: false }) => (None, Some(EventKind::Failed(error))),
        };
        if let Some(kind) = kind {
            // Nobody listens any more when routing has ended.
            let _ = events.send(Event { partition: self.partition, lane: self.lane, kind });
        }
        rest
    }

    /// Fences whoever routed the partition before, ends what it had begun, and asks how far it came.
    fn open(&self, jobs: &Receiver<Job>) -> Result<(Option<Producer>, Option<EventKind>), Failure> {
        // Nothing is asked of the lane before it is open.
        let gone = || matches!(jobs.try_recv(), Err(TryRecvError::Disconnected));
        let producer = Producer::open(&self.site, self.partition, gone).map_err(Failure::of)?;
        let begin = self.begin().map_err(|error| Failure {
            denied: librdkafka::is_denied(&error),
            error: librdkafka::failed(&self.site.url, "take a partition's routing over", &error),
        })?;
        Ok((Some(producer), Some(EventKind::Opened(begin))))
    }

    fn begin(&self) -> Result<Begin, KafkaError> {
        if let Some(position) = self.site.committed(self.partition, OPEN_WAIT)? {
            return Ok(Begin::Committed(position));
        }
        let found = recover::position(&self.site, self.partition)?;
        Ok(found.map_or(Begin::Start, Begin::Found))
    }
}

/// All that is asked by now, up to a commit.
fn gather(first: Job, jobs: &Receiver<Job>) -> (Vec<(PartitionId, SealedBatch)>, Option<Offset>) {
    let mut batches = Vec::new();
    for job in std::iter::once(first).chain(jobs.try_iter()) {
        match job {
            Job::Send { partition, batch } => batches.push((partition, batch)),
            Job::Commit { next } => return (batches, Some(next)),
        }
    }
    (batches, None)
}

/// What went wrong, and whether opening anew does not help.
struct Failure {
    error: LogError,
    denied: bool,
}

impl Failure {
    /// Of the producer.
    fn of(error: LogError) -> Self {
        let denied = match &error {
            LogError::Kafka { code, .. } => {
                let passes = producing::is_ended_by_others(*code)
                    || matches!(
                        E::try_from_code(*code),
                        Some(
                            E::OutOfOrderSequenceNumber
                                | E::DuplicateSequenceNumber
                                | E::MessageTooLarge
                                | E::RecordListTooLarge
                                | E::CorruptMessage
                        )
                    );
                !error.is_transient() && !passes
            }
            LogError::Closed => false,
            error => !error.is_transient(),
        };
        Self { error, denied }
    }
}
