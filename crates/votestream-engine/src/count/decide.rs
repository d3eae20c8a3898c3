//! One deciding thread: reads its partitions' batches, folds them, and seals deltas when it is time. It never waits for the store
//! except through the bounded channel, and never talks to it.

use super::session::Session;
use super::{Sealed, Until};
use crate::{EngineError, Shutdown};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{Duration, Instant};
use votestream_election::Offset;
use votestream_election::event::EventParser;
use votestream_election::fold::{PartitionCount, Record};
use votestream_election::protocol::{FlushDecision, OpenFacts, decide_flush};
use votestream_log::PartitionReader;

/// Longest wait before looking whether to stop.
const WAIT_MAX: Duration = Duration::from_millis(50);
/// How soon a full channel is tried again.
const CHANNEL_RETRY: Duration = Duration::from_millis(1);
/// Batches taken from one partition before the next has its turn.
const BATCHES_A_TURN: usize = 4;

pub(super) struct Decider<'a> {
    parser: EventParser,
    session: Session<'a>,
    parts: Vec<PartitionCount>,
    /// Raised when this stretch is to end: flush and return.
    interrupt: Shutdown,
    oldest: Option<Instant>,
}

impl<'a> Decider<'a> {
    pub(super) fn new(session: Session<'a>, parts: Vec<PartitionCount>, interrupt: Shutdown) -> Self {
        Self { parser: EventParser::new(session.election), session, parts, interrupt, oldest: None }
    }

    /// Runs until the end, until told to stop, or until the committing side is gone (`deaf`). Gives the partitions' state back.
    pub(super) fn run(
        mut self,
        sender: &SyncSender<Sealed>,
        deaf: &Shutdown,
    ) -> Result<Vec<PartitionCount>, EngineError> {
        let mut readers = Vec::new();
        for part in &self.parts {
            readers.push(self.session.log.partition(part.partition(), part.next())?);
        }
        loop {
            let stopping = self.session.shutdown.is_raised() || self.interrupt.is_raised() || self.at_end();
            // Who is to stop reads no more, or a backlog or a lively stream would never let it.
            let read = !stopping && self.turn(&mut readers)?;
            let decision = if stopping { self.last_flush() } else { self.decide(!read) };
            match decision {
                FlushDecision::Now => {
                    if !self.flush(sender, deaf)? {
                        return Ok(self.parts);
                    }
                }
                FlushDecision::Nothing if stopping => return Ok(self.parts),
                FlushDecision::Nothing if !read => self.wait(WAIT_MAX)?,
                FlushDecision::After(left) if !read => self.wait(left.min(WAIT_MAX))?,
                FlushDecision::Nothing | FlushDecision::After(_) => {}
            }
        }
    }

    /// Folds some batches of each partition; false where there was nothing to read.
    fn turn(&mut self, readers: &mut [PartitionReader]) -> Result<bool, EngineError> {
        let mut read = false;
        for (part, reader) in self.parts.iter_mut().zip(readers) {
            part.set_clock((self.session.options.clock)());
            for _ in 0..BATCHES_A_TURN {
                if reached(self.session.until, part) {
                    break;
                }
                let Some(batch) = reader.next_batch()? else { break };
                read = true;
                self.oldest.get_or_insert_with(Instant::now);
                fold_batch(part, &mut self.parser, &batch)?;
                if part.open_records() >= self.session.options.flush.records_max {
                    break;
                }
            }
        }
        Ok(read)
    }

    fn at_end(&self) -> bool {
        self.session.until.is_some() && self.parts.iter().all(|part| reached(self.session.until, part))
    }

    fn last_flush(&self) -> FlushDecision {
        if self.oldest.is_some() { FlushDecision::Now } else { FlushDecision::Nothing }
    }

    fn decide(&self, backlog_empty: bool) -> FlushDecision {
        let Some(oldest) = self.oldest else { return FlushDecision::Nothing };
        let facts = OpenFacts {
            // A batch may hold no record of ours (all skipped): its offsets still have to be passed.
            records: self.parts.iter().map(PartitionCount::open_records).sum::<u64>().max(1),
            oldest_age: oldest.elapsed(),
            backlog_empty,
            crowded: self.parts.iter().any(PartitionCount::crowded),
        };
        decide_flush(&self.session.options.flush, &facts)
    }

    /// Seals all open deltas and hands them over; false where the committing side is gone.
    fn flush(&mut self, sender: &SyncSender<Sealed>, deaf: &Shutdown) -> Result<bool, EngineError> {
        let ends = self.session.log.end_offsets()?;
        let deltas: Vec<_> =
            self.parts.iter_mut().filter_map(|part| part.seal(ends[part.partition().0 as usize])).collect();
        fail::fail_point!("count-after-seal", |_| std::process::abort());
        let Some(oldest) = self.oldest.take().filter(|_| !deltas.is_empty()) else { return Ok(true) };
        let thread = self.parts[0].partition().0 as usize;
        let voters = self.parts.iter().map(|p| (p.seen().len(), p.seen().bytes()));
        let voters = voters.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let mut sealed = Sealed { thread, deltas, oldest, voters };
        loop {
            match sender.try_send(sealed) {
                Ok(()) => return Ok(true),
                Err(TrySendError::Disconnected(_)) => return Ok(false),
                Err(TrySendError::Full(back)) => sealed = back,
            }
            if deaf.wait(CHANNEL_RETRY) {
                return Ok(false);
            }
        }
    }

    fn wait(&self, patience: Duration) -> Result<(), EngineError> {
        let mut seen: Vec<Offset> = vec![Offset(u64::MAX); self.session.log.partitions() as usize];
        for part in &self.parts {
            seen[part.partition().0 as usize] = part.next();
        }
        self.session.log.wait_past(&seen, patience)?;
        Ok(())
    }
}

pub(super) fn reached(until: &Until, part: &PartitionCount) -> bool {
    until.as_ref().is_some_and(|ends| part.next() >= ends[part.partition().0 as usize])
}

/// Folds one batch of the log.
fn fold_batch(
    part: &mut PartitionCount,
    parser: &mut EventParser,
    batch: &votestream_log::Batch<'_>,
) -> Result<(), EngineError> {
    if !batch.is_skipped() {
        for record in batch.records() {
            let record = record?;
            part.record(parser, &as_folded(&record))?;
        }
    }
    part.end_batch(batch.next_offset(), batch.leader_epoch())?;
    Ok(())
}

/// A record of the log as the fold takes it.
pub(crate) fn as_folded<'a>(record: &votestream_log::Record<'a>) -> Record<'a> {
    Record {
        offset: record.offset,
        timestamp: record.timestamp,
        key: record.key,
        value: record.value,
        oversize: record.oversize,
    }
}
