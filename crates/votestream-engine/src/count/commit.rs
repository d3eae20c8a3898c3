//! The committing thread's loop: sealed deltas into one store transaction after another, in order. While the store cannot take them
//! (full, busy) counting pauses and the log keeps the votes. It also publishes releases of demographics and compacts seen voters.

use super::latency::Latency;
use super::{Committed, CountOptions, CountSummary, OnCommit, Sealed};
use crate::{EngineError, Shutdown};
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use votestream_election::delta::{FlushOutcome, PartitionDelta};
use votestream_election::health::EngineHealth;
use votestream_election::releases;
use votestream_election::results::is_complete;
use votestream_election::{Election, Minute};
use votestream_store::WriterStore;

/// Shortest time between two releases of demographics.
const RELEASE_EVERY: Duration = Duration::from_secs(1);
/// How often a store that cannot take a flush is tried again.
const RETRY_EVERY: Duration = Duration::from_millis(500);
/// For how long it is tried again when counting is to stop: what is not committed is in the log, and counted at the next start.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

pub(super) struct Committer<'a> {
    election: &'a Election,
    store: &'a mut WriterStore,
    options: &'a CountOptions,
    on_commit: &'a OnCommit,
    shutdown: &'a Shutdown,
    latency: Latency,
    /// Voters and bytes by deciding thread.
    voters: Vec<(usize, (u64, u64))>,
    backlogs: Vec<(u32, u64)>,
    minute: Option<Minute>,
    released: Instant,
    release_due: bool,
    notice: Committed,
}

impl<'a> Committer<'a> {
    pub(super) fn new(
        election: &'a Election,
        store: &'a mut WriterStore,
        options: &'a CountOptions,
        (on_commit, shutdown): (&'a OnCommit, &'a Shutdown),
        next: Vec<votestream_election::Offset>,
    ) -> Self {
        Self {
            election,
            store,
            options,
            on_commit,
            shutdown,
            latency: Latency::new(),
            voters: Vec::new(),
            backlogs: Vec::new(),
            minute: None,
            released: Instant::now(),
            release_due: true,
            notice: Committed { next, ..Committed::default() },
        }
    }

    /// Commits until all deciding threads are done.
    pub(super) fn run(
        mut self,
        sealed: &Receiver<Sealed>,
        summary: &mut CountSummary,
    ) -> Result<(), EngineError> {
        // Whoever watches learns at once how far counting had come.
        self.tell(self.store.snapshot(&self.election.id)?.sequence, None);
        let began = Instant::now();
        let mut waiting: VecDeque<Sealed> = VecDeque::new();
        loop {
            match sealed.recv_timeout(RELEASE_EVERY) {
                Ok(one) => waiting.push_back(one),
                Err(RecvTimeoutError::Disconnected) if waiting.is_empty() => break,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            waiting.extend(sealed.try_iter());
            while !waiting.is_empty() {
                let together = take_together(&mut waiting);
                self.commit(together, summary)?;
                summary.elapsed = began.elapsed();
            }
            later(self.release(false))?;
        }
        later(self.release(true))?;
        summary.latency = self.latency.summary();
        Ok(())
    }

    /// One transaction for at most one delta of each partition.
    fn commit(&mut self, together: Vec<Sealed>, summary: &mut CountSummary) -> Result<(), EngineError> {
        let Some(oldest) = together.iter().map(|s| s.oldest).min() else { return Ok(()) };
        for one in &together {
            self.voters.retain(|(thread, _)| *thread != one.thread);
            self.voters.push((one.thread, one.voters));
        }
        let mut deltas: Vec<PartitionDelta> = together.into_iter().flat_map(|s| s.deltas).collect();
        deltas.sort_by_key(|delta| delta.partition);
        fail::fail_point!("count-before-flush", |_| std::process::abort());
        let outcome = self.flush(&deltas)?;
        fail::fail_point!("count-after-flush", |_| std::process::abort());
        let sequence = match outcome {
            FlushOutcome::Committed { sequence } => sequence,
            FlushOutcome::Fenced(partitions) => {
                return Err(EngineError::Fenced(partitions.first().copied().unwrap_or(deltas[0].partition)));
            }
        };
        let records = deltas.iter().map(|d| d.counts.records()).sum();
        self.latency.flushed(records, oldest.elapsed());
        summary.records += records;
        summary.flushes += 1;
        for delta in &deltas {
            self.backlogs.retain(|(partition, _)| *partition != delta.partition.0);
            self.backlogs.push((delta.partition.0, delta.log_end.0 - delta.to.0));
            self.minute = self.minute.max(delta.minute);
            self.notice.next[delta.partition.0 as usize] = delta.to;
        }
        self.release_due = true;
        self.notice.records = summary.records;
        self.tell(sequence, None);
        later(self.compact())
    }

    fn compact(&mut self) -> Result<(), EngineError> {
        for partition in self.store.compaction_due(&self.election.id)? {
            self.store.compact_seen(&self.election.id, partition)?;
        }
        Ok(())
    }

    /// Flushes, waiting as long as the store is full, busy or away, but not for long once counting is to stop.
    fn flush(&mut self, deltas: &[PartitionDelta]) -> Result<FlushOutcome, EngineError> {
        let mut paused: Option<Instant> = None;
        loop {
            match self.store.flush(&self.election.id, deltas, (self.options.clock)()) {
                Ok(outcome) => {
                    if paused.is_some() {
                        tracing::info!("the results store takes commits again");
                    }
                    return Ok(outcome);
                }
                Err(error) if error.is_transient() => {
                    let since = *paused.get_or_insert_with(Instant::now);
                    if self.shutdown.is_raised() && since.elapsed() >= STOP_PATIENCE {
                        return Err(error.into());
                    }
                    if self.notice.health.paused.is_none() {
                        tracing::warn!(error = %chain(&error), "counting is paused: the results store cannot take a commit; the log keeps the votes");
                    }
                    self.tell(self.notice.sequence, Some(chain(&error)));
                    std::thread::park_timeout(RETRY_EVERY);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn tell(&mut self, sequence: u64, paused: Option<String>) {
        let recent = self.latency.recent_ms();
        let voters = self.voters.iter().fold((0, 0), |sum, (_, one)| (sum.0 + one.0, sum.1 + one.1));
        self.notice.sequence = sequence;
        self.notice.health = EngineHealth {
            records_per_s: self.latency.rate(),
            commit_p50_ms: recent.map(|r| r.0),
            commit_p99_ms: recent.map(|r| r.1),
            backlog: self.backlogs.iter().map(|(_, records)| *records).sum(),
            workers: self.options.threads as u32,
            voters: voters.0,
            voters_bytes: voters.1,
            paused,
        };
        (self.on_commit)(&self.notice);
    }

    /// Publishes the demographics that may be published, at most once a second, or now when it is the last time.
    fn release(&mut self, last: bool) -> Result<(), EngineError> {
        if !self.release_due || (!last && self.released.elapsed() < RELEASE_EVERY) {
            return Ok(());
        }
        let (Some(minute), true) =
            (self.minute, self.election.layout().genders * self.election.layout().bands > 1)
        else {
            return Ok(());
        };
        self.released = Instant::now();
        let complete = is_complete(self.election, &self.store.snapshot(&self.election.id)?);
        let live = self.store.full_cells(&self.election.id)?;
        let previous = self.store.demographics(&self.election.id)?;
        let blocks = releases::plan(&previous, &live, self.election, complete);
        if blocks.is_empty() {
            self.release_due = false;
            return Ok(());
        }
        let sequence = self.store.release(&self.election.id, &blocks, minute, (self.options.clock)())?;
        self.release_due = false;
        let paused = self.notice.health.paused.take();
        self.tell(sequence, paused);
        Ok(())
    }
}

/// The longest prefix in which no thread stands twice: its deltas fit one transaction.
fn take_together(waiting: &mut VecDeque<Sealed>) -> Vec<Sealed> {
    let mut together: Vec<Sealed> = Vec::new();
    while let Some(next) = waiting.front() {
        if together.iter().any(|one| one.thread == next.thread) {
            break;
        }
        together.extend(waiting.pop_front());
    }
    together
}

/// What is no part of a count may wait until the store can take it.
fn later(done: Result<(), EngineError>) -> Result<(), EngineError> {
    match done {
        Err(EngineError::Store(error)) if error.is_transient() => {
            tracing::debug!(error = %chain(&error), "put off: the results store cannot take it now");
            Ok(())
        }
        done => done,
    }
}

/// An error and its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
