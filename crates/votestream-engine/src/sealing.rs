//! Sealing leaves of the ledger that an engine left pending because it cannot hash: their records are read once more, natively, judged by
//! the same rules and hashed. Who may commit what comes of it is decided by the store's fence.

use crate::count::{as_folded, only};
use crate::{EngineError, Shutdown};
use std::time::Duration;
use votestream_election::delta::{LedgerSeal, PartitionState, Pin};
use votestream_election::event::EventParser;
use votestream_election::fold::PartitionCount;
use votestream_election::{Election, Offset};
use votestream_log::{LogReader, PartitionReader};

/// How long one wait for records of the log lasts.
const PATIENCE: Duration = Duration::from_millis(200);

/// Hashes one partition, from where its ledger ends.
pub(crate) struct Sealer<'a> {
    log: &'a LogReader,
    parser: EventParser,
    count: PartitionCount,
    reader: Option<PartitionReader>,
    at: Offset,
}

impl<'a> Sealer<'a> {
    /// Feeds the open leaf again, as far as it was hashed, and checks that it is what was hashed. `None`: told to stop meanwhile.
    pub(crate) fn open(
        election: &Election,
        log: &'a LogReader,
        pin: &Pin,
        state: &PartitionState,
        shutdown: &Shutdown,
    ) -> Result<Option<Self>, EngineError> {
        let (start, hashed) = (state.progress.start_offset, state.progress.hashed_to());
        let count = PartitionCount::hashing(election, state, (pin.partitions, pin.partitioners));
        let at = PartitionCount::rebuild_from(start, hashed);
        let mut sealer = Self { log, parser: EventParser::new(election), count, reader: None, at };
        if !sealer.feed(hashed, shutdown)? {
            return Ok(None);
        }
        if hashed > start {
            sealer.count.rebuilt(&state.open_leaf)?;
        }
        Ok(Some(sealer))
    }

    /// How far it has hashed.
    pub(crate) fn at(&self) -> Offset {
        self.at
    }

    /// Hashes up to `to`, which must be counted. `None`: told to stop meanwhile, and nothing may be asked of it any more.
    pub(crate) fn advance(
        &mut self,
        to: Offset,
        shutdown: &Shutdown,
    ) -> Result<Option<LedgerSeal>, EngineError> {
        Ok(self.feed(to, shutdown)?.then(|| self.count.take_hashed(to)))
    }

    /// Feeds all records below `to`; false when told to stop meanwhile.
    fn feed(&mut self, to: Offset, shutdown: &Shutdown) -> Result<bool, EngineError> {
        while self.at < to {
            if shutdown.is_raised() {
                return Ok(false);
            }
            let mut reader = match self.reader.take() {
                Some(reader) => reader,
                None => self.log.partition(self.count.partition(), self.at)?,
            };
            let Some(batch) = reader.next_batch()? else {
                // Over a network what was counted before may still be on its way.
                let past = only(self.log.partitions(), self.count.partition(), reader.position());
                self.log.wait_past(&past, PATIENCE)?;
                self.reader = Some(reader);
                continue;
            };
            if !batch.is_skipped() {
                for record in batch.records() {
                    let record = record?;
                    if record.offset >= to {
                        break;
                    }
                    self.count.rebuild(&mut self.parser, &as_folded(&record));
                }
            }
            let end = batch.next_offset();
            self.at = end.min(to);
            // A batch that goes on beyond `to` is read again: a reader does not go back.
            self.reader = (end <= to).then_some(reader);
        }
        Ok(true)
    }
}
