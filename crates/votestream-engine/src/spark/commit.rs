//! What the loop commits, and what it tells whoever watches: epochs, leaves, files. Every refusal of a fence means that somebody else counts.

use super::book::Book;
use crate::EngineError;
use crate::count::{Clock, Committed, CountSummary, Latency, OnCommit, release};
use std::time::{Duration, Instant};
use votestream_election::delta::{FlushOutcome, LedgerSeal, PartitionDelta, VoterFile};
use votestream_election::health::EngineHealth;
use votestream_election::{Election, Minute, Offset, PartitionId};
use votestream_store::{NewFiles, OutsideChange, WriterStore};

/// Shortest time between two releases of demographics.
const RELEASE_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Committer<'a> {
    election: &'a Election,
    store: &'a mut WriterStore,
    clock: Clock,
    on_commit: &'a OnCommit,
    latency: Latency,
    began: Instant,
    summary: CountSummary,
    notice: Committed,
    minute: Option<Minute>,
    released: Option<Instant>,
    release_due: bool,
}

impl<'a> Committer<'a> {
    pub(super) fn new(
        election: &'a Election,
        store: &'a mut WriterStore,
        clock: Clock,
        on_commit: &'a OnCommit,
    ) -> Self {
        Self {
            election,
            store,
            clock,
            on_commit,
            latency: Latency::new(),
            began: Instant::now(),
            summary: CountSummary::default(),
            notice: Committed { leads: true, ..Committed::default() },
            minute: None,
            released: None,
            release_due: true,
        }
    }

    pub(super) fn store(&mut self) -> &mut WriterStore {
        self.store
    }

    /// Tells how far counting had come.
    pub(super) fn begin(&mut self) -> Result<(), EngineError> {
        let snapshot = self.store.snapshot(&self.election.id)?;
        self.notice.next = snapshot.progress.iter().map(|progress| progress.next_offset).collect();
        self.notice.sequence = snapshot.sequence;
        self.minute = snapshot.progress.iter().filter_map(|progress| progress.minute).max();
        self.notice.health.voters = snapshot.progress.iter().map(|progress| progress.outside).sum();
        (self.on_commit)(&self.notice);
        Ok(())
    }

    pub(super) fn begin_attempt(&mut self, attempt: u128, epoch: u64) -> Result<(), EngineError> {
        ours(self.store.begin_attempt(&self.election.id, attempt, epoch)?)
    }

    /// Commits an epoch. An answer that is lost is not waited for: the loop takes over again, and reads how far it came.
    pub(super) fn flush(
        &mut self,
        deltas: &[PartitionDelta],
        (attempt, files): (u128, &[VoterFile]),
        began: Instant,
    ) -> Result<(), EngineError> {
        let files = NewFiles { attempt, files };
        let outcome = self.store.flush_outside(&self.election.id, deltas, &files, (self.clock)())?;
        self.notice.sequence = committed(outcome)?;
        if files.files.is_empty() {
            // It wrote nothing that could be swept.
            self.store.forget_attempts(&self.election.id, &[attempt])?;
        }
        let records = deltas.iter().map(|delta| delta.counts.records()).sum();
        self.latency.flushed(records, began.elapsed());
        self.summary.records += records;
        self.summary.flushes += 1;
        self.summary.elapsed = self.began.elapsed();
        self.minute = deltas.iter().map(|delta| delta.minute).fold(self.minute, Option::max);
        self.release_due = true;
        Ok(())
    }

    /// Commits leaves that were hashed.
    pub(super) fn seal(&mut self, books: &mut [Book], seals: &[LedgerSeal]) -> Result<(), EngineError> {
        if seals.is_empty() {
            return Ok(());
        }
        let outcome = self.store.seal_ledger(&self.election.id, seals, (self.clock)())?;
        self.notice.sequence = committed(outcome)?;
        fail::fail_point!("spark-sealed", |_| std::process::abort());
        for seal in seals {
            books[seal.partition.0 as usize].sealed(seal.to);
        }
        (self.on_commit)(&self.notice);
        Ok(())
    }

    pub(super) fn swap(
        &mut self,
        old: &[VoterFile],
        (attempt, files): (u128, &[VoterFile]),
        epoch: u64,
    ) -> Result<(), EngineError> {
        ours(self.store.swap_files(&self.election.id, old, &NewFiles { attempt, files }, epoch)?)
    }

    /// Tells how an epoch went.
    pub(super) fn tell(&mut self, books: &[Book]) -> Result<(), EngineError> {
        let recent = self.latency.recent_ms();
        self.notice.records = self.summary.records;
        self.notice.next = books.iter().map(Book::next).collect::<Vec<Offset>>();
        self.notice.health = EngineHealth {
            records_per_s: self.latency.rate(),
            commit_p50_ms: recent.map(|r| r.0),
            commit_p99_ms: recent.map(|r| r.1),
            backlog: books.iter().map(|book| book.progress.log_end.0 - book.next().0).sum(),
            workers: 1,
            voters: books.iter().map(|book| book.progress.outside).sum(),
            voters_bytes: 0,
            paused: None,
        };
        (self.on_commit)(&self.notice);
        self.release(false)
    }

    /// Says why counting waits, and what for.
    pub(super) fn paused(&mut self, why: String) {
        if self.notice.health.paused.is_none() {
            tracing::warn!("counting waits, for this may pass: {why}");
        }
        self.notice.health.paused = Some(why);
        (self.on_commit)(&self.notice);
    }

    /// Publishes the demographics that may be published.
    pub(super) fn release(&mut self, last: bool) -> Result<(), EngineError> {
        let soon = self.released.is_some_and(|at| at.elapsed() < RELEASE_EVERY);
        if !self.release_due || (soon && !last) || !release::has_demographics(self.election) {
            return Ok(());
        }
        let Some(minute) = self.minute else { return Ok(()) };
        self.released = Some(Instant::now());
        let published = release::publish(self.store, self.election, minute, (self.clock)())?;
        self.release_due = false;
        if let Some(sequence) = published {
            self.notice.sequence = sequence;
            (self.on_commit)(&self.notice);
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<CountSummary, EngineError> {
        self.release(true)?;
        self.summary.latency = self.latency.summary();
        Ok(self.summary)
    }
}

pub(super) fn committed(outcome: FlushOutcome) -> Result<u64, EngineError> {
    match outcome {
        FlushOutcome::Committed { sequence } => Ok(sequence),
        FlushOutcome::Fenced(partitions) => {
            Err(EngineError::Fenced(partitions.first().copied().unwrap_or(PartitionId(0))))
        }
    }
}

pub(super) fn ours(change: OutsideChange) -> Result<(), EngineError> {
    match change {
        OutsideChange::Done => Ok(()),
        OutsideChange::Superseded => Err(EngineError::Fenced(PartitionId(0))),
    }
}
