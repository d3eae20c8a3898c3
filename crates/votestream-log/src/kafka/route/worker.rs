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
        let mut producer = match self.open(jobs) {
            Ok((producer, begin)) => {
                self.tell(events, EventKind::Opened(begin));
                Some(producer)
            }
            Err(failed) => {
                self.tell(events, failed);
                None
            }
        };
        while let Ok(job) = jobs.recv() {
            let (batches, next) = gather(job, jobs);
            let Some(sound) = &mut producer else { continue };
            let done = sound.send(batches).and_then(|()| match next {
                Some(next) => sound.commit(self.partition, next).map(|()| true),
                None => Ok(false),
            });
            match done {
                Ok(true) => self.tell(events, EventKind::Committed),
                Ok(false) => {}
                Err(error) => {
                    self.tell(events, failed(error));
                    producer = None;
                }
            }
        }
        // The lane is gone: what it had begun must not hold back the copy's readers until it times out.
        if let Some(Err(error)) = producer.map(Producer::abort) {
            // Another router has taken over and ended it, or the brokers soon do.
            tracing::debug!(partition = self.partition.0, %error, "nothing aborted");
        }
    }

    fn tell(&self, events: &Sender<Event>, kind: EventKind) {
        // Nobody listens any more when routing has ended.
        let _ = events.send(Event { partition: self.partition, lane: self.lane, kind });
    }

    /// Fences whoever routed the partition before, ends what it had begun, and asks how far it came. An error is what is to be told.
    fn open(&self, jobs: &Receiver<Job>) -> Result<(Producer, Begin), EventKind> {
        // Nothing is asked of the lane before it is open.
        let gone = || matches!(jobs.try_recv(), Err(TryRecvError::Disconnected));
        let producer = Producer::open(&self.site, self.partition, gone).map_err(failed)?;
        let begin = self.begin().map_err(|error| {
            let told = librdkafka::failed(&self.site.url, "take a partition's routing over", &error);
            if librdkafka::is_denied(&error) { EventKind::Denied(told) } else { EventKind::Failed(told) }
        })?;
        Ok((producer, begin))
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

/// What is told of the producer's failure: whether opening anew may help.
fn failed(error: LogError) -> EventKind {
    let passes = match &error {
        LogError::Kafka { code, .. } => {
            producing::is_ended_by_others(*code)
                || producing::is_too_large(*code)
                || matches!(
                    E::try_from_code(*code),
                    Some(E::OutOfOrderSequenceNumber | E::DuplicateSequenceNumber | E::CorruptMessage)
                )
        }
        LogError::Closed => true,
        _ => false,
    };
    if passes || error.is_transient() { EventKind::Failed(error) } else { EventKind::Denied(error) }
}
