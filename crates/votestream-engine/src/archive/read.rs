//! One reading thread: its partitions' batches become rows of their open files; full or old files are sealed and handed over through a
//! bounded channel. It never talks to the archive's storage, but to read the open leaf again when it begins.

use super::ArchiveOptions;
use crate::count::{as_folded, only};
use crate::{EngineError, Shutdown};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{Duration, Instant};
use votestream_archive::manifest::VoterIds;
use votestream_archive::{Archive, Lane, Sealed};
use votestream_election::{Offset, PartitionId};
use votestream_log::{LogReader, PartitionReader};

/// Longest wait before looking whether to stop.
const WAIT_MAX: Duration = Duration::from_millis(50);
/// How soon a full channel is tried again.
const CHANNEL_RETRY: Duration = Duration::from_millis(2);
/// Batches taken from one partition before the next has its turn.
const BATCHES_A_TURN: usize = 8;

/// A thread's partitions.
pub(super) struct Reading<'a> {
    log: &'a LogReader,
    options: &'a ArchiveOptions,
    until: Option<&'a [Offset]>,
    lanes: Vec<Open>,
    /// Raised when to seal and return.
    stop: [&'a Shutdown; 2],
}

struct Open {
    lane: Lane,
    reader: PartitionReader,
    /// When the open file's first record was read.
    oldest: Option<Instant>,
}

impl<'a> Reading<'a> {
    /// Opens the partitions where the archive ends.
    pub(super) fn open(
        (log, archive): (&'a LogReader, &Archive),
        partitions: &[PartitionId],
        options: &'a ArchiveOptions,
        until: Option<&'a [Offset]>,
        stop: [&'a Shutdown; 2],
    ) -> Result<Self, EngineError> {
        let mut lanes = Vec::new();
        for partition in partitions {
            let mut lane = Lane::resume(archive, *partition, options.kept.clone())?;
            if archive.manifest().identity.voter_ids == VoterIds::Pseudonym {
                rebuild(log, archive, &mut lane, stop[0])?;
            }
            let reader = log.partition(*partition, lane.next())?;
            lanes.push(Open { lane, reader, oldest: None });
        }
        Ok(Self { log, options, until, lanes, stop })
    }

    /// Runs until the end, until told to stop, or until nobody takes what is sealed (`deaf`).
    pub(super) fn run(mut self, sender: &SyncSender<Sealed>, deaf: &Shutdown) -> Result<(), EngineError> {
        loop {
            let stopping = self.stop.iter().any(|stop| stop.is_raised()) || self.at_end();
            // Who is to stop reads no more, or a lively stream would never let it.
            let read = !stopping && self.turn()?;
            for sealed in self.seal(stopping)? {
                if !hand_over(sender, sealed, deaf) {
                    return Ok(());
                }
            }
            if stopping {
                return Ok(());
            }
            if !read {
                let mut past = vec![Offset(u64::MAX); self.log.partitions() as usize];
                for open in &self.lanes {
                    past[open.lane.partition().0 as usize] = open.lane.next();
                }
                self.log.wait_past(&past, WAIT_MAX)?;
            }
        }
    }

    fn at_end(&self) -> bool {
        self.until.is_some_and(|ends| {
            self.lanes.iter().all(|open| open.lane.next() >= ends[open.lane.partition().0 as usize])
        })
    }

    /// Takes some batches of each partition; false where there was nothing to read.
    fn turn(&mut self) -> Result<bool, EngineError> {
        let mut read = false;
        for open in &mut self.lanes {
            let end = self.until.map(|ends| ends[open.lane.partition().0 as usize]);
            for _ in 0..BATCHES_A_TURN {
                if end.is_some_and(|end| open.lane.next() >= end)
                    || open.lane.file_bytes() >= self.options.roll_bytes
                {
                    break;
                }
                let Some(batch) = open.reader.next_batch()? else { break };
                read = true;
                open.oldest.get_or_insert_with(Instant::now);
                if !batch.is_skipped() {
                    for record in batch.records() {
                        open.lane.record(&as_folded(&record?))?;
                    }
                }
                open.lane.end_batch(batch.next_offset(), batch.leader_epoch());
            }
        }
        Ok(read)
    }

    /// Seals files that are full, old, or the largest where memory is short; all of them before stopping.
    fn seal(&mut self, all: bool) -> Result<Vec<Sealed>, EngineError> {
        let share = self.options.memory_bytes / self.options.threads.max(1) as u64;
        let mut memory: u64 = self.lanes.iter().map(|open| open.lane.memory_bytes()).sum();
        self.lanes.sort_by_key(|open| std::cmp::Reverse(open.lane.memory_bytes()));
        let mut sealed = Vec::new();
        for open in &mut self.lanes {
            let old = open.oldest.is_some_and(|oldest| oldest.elapsed() >= self.options.roll_age);
            let full = open.lane.file_bytes() >= self.options.roll_bytes;
            if open.lane.is_open() && (all || old || full || memory > share) {
                memory -= open.lane.memory_bytes().min(memory);
                sealed.extend(open.lane.seal()?);
                open.oldest = None;
            }
        }
        if !sealed.is_empty() {
            fail::fail_point!("archive-sealed", |_| std::process::abort());
        }
        Ok(sealed)
    }
}

/// Hands a file over; false where nobody takes it.
fn hand_over(sender: &SyncSender<Sealed>, mut sealed: Sealed, deaf: &Shutdown) -> bool {
    loop {
        match sender.try_send(sealed) {
            Ok(()) => return true,
            Err(TrySendError::Disconnected(_)) => return false,
            Err(TrySendError::Full(back)) => sealed = back,
        }
        if deaf.wait(CHANNEL_RETRY) {
            return false;
        }
    }
}

/// Feeds the open leaf's records again, from the log: pseudonyms in the archive cannot be hashed as the ledger does.
fn rebuild(
    log: &LogReader,
    archive: &Archive,
    lane: &mut Lane,
    shutdown: &Shutdown,
) -> Result<(), EngineError> {
    let there = archive.partition(lane.partition());
    let (from, next) = (Lane::rebuild_from(there), there.next);
    if from >= next {
        return Ok(());
    }
    if log.start_offsets()?[lane.partition().0 as usize] > from {
        lane.leaf_is_lost();
        return Ok(());
    }
    let mut reader = log.partition(lane.partition(), from)?;
    while !shutdown.is_raised() {
        let Some(batch) = reader.next_batch()? else {
            log.wait_past(&only(log.partitions(), lane.partition(), reader.position()), WAIT_MAX)?;
            continue;
        };
        if !batch.is_skipped() {
            for record in batch.records() {
                let record = record?;
                if record.offset >= next {
                    return Ok(());
                }
                lane.again(&as_folded(&record));
            }
        }
        if batch.next_offset() >= next {
            return Ok(());
        }
    }
    Ok(())
}
