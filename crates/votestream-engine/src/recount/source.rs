//! Where the records of a recount come from. What they come to is `election::recount`'s business; which thread reads what, `crew`'s.

use super::PATIENCE;
use crate::count::{as_folded, only};
use crate::{EngineError, Shutdown};
use votestream_election::delta::Pin;
use votestream_election::recount::{Carried, Judge, Judged};
use votestream_election::{Election, Offset, PartitionId, VoterKey};
use votestream_log::{LogReader, PartitionReader};

/// Something that holds all records of an election: a log, or an archive of it, whose first rows may have been pruned.
pub trait Source: Sync {
    /// A feed of one partition's records from `from` on, beside any others.
    fn feed(&self, partition: PartitionId, from: Offset) -> Result<Box<dyn Feed + '_>, EngineError>;

    /// The first offset of a partition whose records it holds, where those before are carried: known by what they came to.
    fn carried_to(&self, _: PartitionId) -> Option<Offset> {
        None
    }

    /// What the carried records of a partition came to.
    fn carried(&self, _: PartitionId) -> Result<Option<Carried>, EngineError> {
        Ok(None)
    }

    /// Hands over every voter who was counted in the carried records of a partition.
    fn carried_voters(&self, _: PartitionId, _: &mut dyn FnMut(VoterKey)) -> Result<(), EngineError> {
        Ok(())
    }

    /// Bytes that a feed holds at once, beyond some small buffers.
    fn feed_bytes(&self) -> u64 {
        0
    }
}

/// The records of one partition, in offset order, each as the ledger has it.
pub trait Feed: Send {
    /// Hands over every record below `to` that was not handed over yet. Returns early, with fewer, only where told to stop.
    fn read(&mut self, to: Offset, each: &mut dyn FnMut(Offset, &Judged)) -> Result<(), EngineError>;

    /// The offset after the last one handed over or passed.
    fn position(&self) -> Offset;
}

/// A log as a source.
pub struct LogSource<'a> {
    /// The election that judges the records.
    pub election: &'a Election,
    /// The log.
    pub log: &'a LogReader,
    /// Partitions and partitioners.
    pub pin: &'a Pin,
    /// Asks to stop waiting for records.
    pub shutdown: &'a Shutdown,
}

impl Source for LogSource<'_> {
    fn feed(&self, partition: PartitionId, from: Offset) -> Result<Box<dyn Feed + '_>, EngineError> {
        Ok(Box::new(LogFeed {
            source: self,
            reader: self.log.partition(partition, from)?,
            judge: Judge::new(self.election, partition, (self.pin.partitions, self.pin.partitioners)),
            position: from,
            ahead: Vec::new(),
        }))
    }
}

struct LogFeed<'a> {
    source: &'a LogSource<'a>,
    reader: PartitionReader,
    judge: Judge,
    position: Offset,
    /// What the last batch held beyond the end that was asked for.
    ahead: Vec<(Offset, Judged)>,
}

impl Feed for LogFeed<'_> {
    fn read(&mut self, to: Offset, each: &mut dyn FnMut(Offset, &Judged)) -> Result<(), EngineError> {
        let within = self.ahead.partition_point(|(offset, _)| *offset < to);
        for (offset, judged) in self.ahead.drain(..within) {
            each(offset, &judged);
        }
        while self.reader.position() < to {
            let at = self.reader.position();
            let Some(batch) = self.reader.next_batch()? else {
                if self.source.shutdown.is_raised() {
                    return Ok(());
                }
                // Over a network what was there may still be on its way.
                let log = self.source.log;
                log.wait_past(&only(log.partitions(), self.reader.partition(), at), PATIENCE)?;
                continue;
            };
            if batch.is_skipped() {
                continue;
            }
            for record in batch.records() {
                let record = as_folded(&record?);
                let judged = self.judge.record(&record);
                if record.offset < to {
                    each(record.offset, &judged);
                } else {
                    self.ahead.push((record.offset, judged));
                }
            }
        }
        self.position = to;
        Ok(())
    }

    fn position(&self) -> Offset {
        self.position
    }
}
