//! The committing thread's loop: sealed deltas into one store transaction after another, in order. While the store cannot take them
//! (full, busy) counting pauses and the log keeps the votes. It also publishes releases of demographics and compacts seen voters.

use super::latency::{Latency, thread_cpu};
use super::patience::chain;
use super::session::Session;
use super::{Committed, CountSummary, OnCommit, Sealed, Until, release};
use crate::{EngineError, Shutdown};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use votestream_election::delta::{Engine, FlushOutcome, PartitionDelta, PartitionState};
use votestream_election::fold::PartitionCount;
use votestream_election::health::EngineHealth;
use votestream_election::protocol::Resolution;
use votestream_election::{Minute, PartitionId};
use votestream_store::{StoreError, WriterStore};

/// Shortest time between two releases of demographics.
const RELEASE_EVERY: Duration = Duration::from_secs(1);
/// How often a store that cannot take a flush is tried again.
const RETRY_EVERY: Duration = Duration::from_millis(500);
/// For how long it is tried again when counting is to stop: what is not committed is in the log, and counted at the next start.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// For how long, where others could count instead.
const STAND_DOWN_AFTER: Duration = Duration::from_secs(30);

/// What the committing thread knows.
pub(super) struct Committer<'a> {
    session: Session<'a>,
    store: &'a mut WriterStore,
    on_commit: &'a OnCommit,
    latency: Latency,
    /// When the first partitions were taken over.
    began: Option<Instant>,
    /// Voters and bytes by deciding thread.
    voters: Vec<(usize, (u64, u64))>,
    backlogs: Vec<(u32, u64)>,
    /// Epochs raised since a partition was taken over, because an answer was lost.
    epochs: BTreeMap<PartitionId, u64>,
    /// Partitions that somebody else has moved in this stretch; what is sealed of them is dropped.
    lost: BTreeSet<PartitionId>,
    /// This worker has given its partitions back, because it cannot reach the store.
    stood_down: bool,
    minute: Option<Minute>,
    released: Instant,
    release_due: bool,
    notice: Committed,
}

impl<'a> Committer<'a> {
    pub(super) fn new(session: &Session<'a>, store: &'a mut WriterStore, on_commit: &'a OnCommit) -> Self {
        Self {
            session: *session,
            store,
            on_commit,
            latency: Latency::new(),
            began: None,
            voters: Vec::new(),
            backlogs: Vec::new(),
            epochs: BTreeMap::new(),
            lost: BTreeSet::new(),
            stood_down: false,
            minute: None,
            released: Instant::now(),
            release_due: true,
            notice: Committed::default(),
        }
    }

    pub(super) fn store(&self) -> &WriterStore {
        self.store
    }

    /// Tells how far counting had come.
    pub(super) fn begin(&mut self) -> Result<(), EngineError> {
        let snapshot = self.store.snapshot(&self.session.election.id)?;
        self.notice.next = snapshot.progress.iter().map(|progress| progress.next_offset).collect();
        self.tell(snapshot.sequence, None);
        Ok(())
    }

    /// Takes partitions over.
    pub(super) fn take_over(
        &mut self,
        partitions: &[PartitionId],
    ) -> Result<Vec<PartitionState>, EngineError> {
        self.began.get_or_insert_with(Instant::now);
        let states = self.store.take_over(&self.session.election.id, partitions, Engine::Native)?;
        for partition in partitions {
            self.epochs.remove(partition);
        }
        Ok(states)
    }

    /// Commits until all deciding threads are done; answers which partitions somebody else has moved. Raises `interrupt` where
    /// there are any.
    pub(super) fn run(
        &mut self,
        sealed: &Receiver<Sealed>,
        interrupt: &Shutdown,
        summary: &mut CountSummary,
    ) -> Result<BTreeSet<PartitionId>, EngineError> {
        self.voters.clear();
        self.lost.clear();
        let mut waiting: VecDeque<Sealed> = VecDeque::new();
        loop {
            match sealed.recv_timeout(RELEASE_EVERY) {
                Ok(one) => waiting.push_back(one),
                Err(RecvTimeoutError::Disconnected) if waiting.is_empty() => break,
                Err(RecvTimeoutError::Timeout) => self.look_at_log(),
                Err(RecvTimeoutError::Disconnected) => {}
            }
            waiting.extend(sealed.try_iter());
            while !waiting.is_empty() {
                let together = take_together(&mut waiting);
                self.commit(together, interrupt, summary)?;
                summary.elapsed = self.began.map(|began| began.elapsed()).unwrap_or_default();
            }
            later(self.release(false))?;
        }
        Ok(std::mem::take(&mut self.lost))
    }

    /// Tells whether this worker publishes for all from now on, where that changes.
    pub(super) fn lead(&mut self, held: &[PartitionCount]) {
        let leads = held.iter().any(|count| count.partition() == PartitionId(0));
        if std::mem::replace(&mut self.notice.leads, leads) != leads {
            self.tell(self.notice.sequence, self.notice.health.paused.clone());
        }
    }

    /// Who counts, from now on: epochs as raised since.
    pub(super) fn stretch_of(&mut self, counts: &mut [PartitionCount]) {
        for count in counts.iter_mut() {
            if let Some(epoch) = self.epochs.remove(&count.partition()) {
                count.set_epoch(epoch);
            }
        }
        self.backlogs.retain(|(partition, _)| counts.iter().any(|count| count.partition().0 == *partition));
    }

    /// Ends counting: what may still be published is.
    pub(super) fn finish(&mut self, summary: &mut CountSummary) -> Result<(), EngineError> {
        later(self.release(true))?;
        summary.latency = self.latency.summary();
        Ok(())
    }

    /// Whether all partitions are counted up to the end asked for.
    pub(super) fn all_counted(&self, until: &Until) -> Result<bool, EngineError> {
        let Some(ends) = until else { return Ok(false) };
        match self.store.snapshot(&self.session.election.id) {
            Ok(snapshot) => {
                Ok(snapshot.progress.iter().zip(ends).all(|(progress, end)| progress.next_offset >= *end))
            }
            Err(error) if error.is_transient() && self.session.assignment.shared() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks for partitions again where this worker had stood down and the store answers again. Says whether it did.
    pub(super) fn stand_up(&mut self) -> Result<bool, EngineError> {
        let mut pause = Pause::default();
        while self.stood_down && !self.session.shutdown.is_raised() {
            match self.store.snapshot(&self.session.election.id) {
                Ok(_) => {
                    tracing::info!("the results store answers again; this worker asks for partitions");
                    self.stood_down = false;
                    self.session.assignment.stand_down(false);
                    return Ok(true);
                }
                Err(error) if error.is_transient() => self.pause(&mut pause, error)?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }

    /// One transaction for at most one delta of each partition.
    fn commit(
        &mut self,
        together: Vec<Sealed>,
        interrupt: &Shutdown,
        summary: &mut CountSummary,
    ) -> Result<(), EngineError> {
        let Some(oldest) = together.iter().map(|s| s.oldest).min() else { return Ok(()) };
        for one in &together {
            self.voters.retain(|(thread, _)| *thread != one.thread);
            self.voters.push((one.thread, one.voters));
        }
        let mut deltas: Vec<PartitionDelta> = together.into_iter().flat_map(|s| s.deltas).collect();
        deltas.sort_by_key(|delta| delta.partition);
        fail::fail_point!("count-before-flush", |_| std::process::abort());
        let before = thread_cpu();
        let flushed = self.flush(deltas)?;
        summary.flush_cpu += thread_cpu().saturating_sub(before);
        fail::fail_point!("count-after-flush", |_| std::process::abort());
        if !self.lost.is_empty() {
            interrupt.raise();
        }
        let Some((deltas, sequence)) = flushed else { return Ok(()) };
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
        for partition in self.store.compaction_due(&self.session.election.id)? {
            self.store.compact_seen(&self.session.election.id, partition)?;
        }
        Ok(())
    }

    /// Commits what is still this worker's, waiting as long as the store is full, busy or away, but not for long once counting is to
    /// stop. Answers what was committed, and the sequence after it.
    fn flush(
        &mut self,
        mut open: Vec<PartitionDelta>,
    ) -> Result<Option<(Vec<PartitionDelta>, u64)>, EngineError> {
        let (mut done, mut pause) = (Vec::new(), Pause::default());
        let mut sequence = self.notice.sequence;
        loop {
            open.retain(|delta| !self.lost.contains(&delta.partition));
            for delta in &mut open {
                if let Some(epoch) = self.epochs.get(&delta.partition) {
                    delta.fence.epoch = *epoch;
                }
            }
            if open.is_empty() {
                break;
            }
            match self.store.flush(&self.session.election.id, &open, (self.session.options.clock)()) {
                Ok(FlushOutcome::Committed { sequence: now }) => {
                    sequence = now;
                    done.append(&mut open);
                }
                Ok(FlushOutcome::Fenced(partitions)) if self.session.assignment.shared() => {
                    self.lose(&partitions);
                }
                Ok(FlushOutcome::Fenced(partitions)) => {
                    return Err(EngineError::Fenced(partitions.first().copied().unwrap_or(PartitionId(0))));
                }
                Err(error) if error.is_transient() => {
                    self.pause(&mut pause, error)?;
                    self.resolve(&mut open, &mut done, &mut pause)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if pause.since.is_some() && !self.stood_down {
            tracing::info!("the results store takes commits again");
        }
        done.sort_by_key(|delta: &PartitionDelta| delta.partition);
        Ok((!done.is_empty()).then_some((done, sequence)))
    }

    /// Finds out what became of deltas whose flush was answered with an error: those committed move to `done`.
    fn resolve(
        &mut self,
        open: &mut Vec<PartitionDelta>,
        done: &mut Vec<PartitionDelta>,
        pause: &mut Pause,
    ) -> Result<(), EngineError> {
        for delta in std::mem::take(open) {
            loop {
                if self.lost.contains(&delta.partition) {
                    break;
                }
                match self.store.resolve(&self.session.election.id, &delta) {
                    Ok(Resolution::Committed { epoch }) => {
                        self.epochs.insert(delta.partition, epoch);
                        done.push(delta);
                        break;
                    }
                    Ok(Resolution::ApplyAgain { epoch }) => {
                        self.epochs.insert(delta.partition, epoch);
                        open.push(delta);
                        break;
                    }
                    Ok(Resolution::Reload) => {
                        self.lose(&[delta.partition]);
                        break;
                    }
                    Err(error) if error.is_transient() => self.pause(pause, error)?,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// Drops what is remembered of partitions that have been moved otherwise: they are loaded anew, by whoever has them then.
    fn lose(&mut self, partitions: &[PartitionId]) {
        tracing::warn!(
            ?partitions,
            "partitions were taken over meanwhile; what was not committed of them is dropped and counted again from the log"
        );
        self.lost.extend(partitions);
    }

    /// Waits a little before partitions are taken over again.
    pub(super) fn wait(&mut self, pause: &mut Pause, error: EngineError) -> Result<(), EngineError> {
        match error {
            EngineError::Store(error) => self.pause(pause, error),
            // Brokers have been asked for long by then; where others reach them, the group gives them our partitions.
            error => {
                tracing::warn!(error = %chain(&error), "taking partitions over again: the vote log did not answer");
                self.session.shutdown.wait(RETRY_EVERY);
                Ok(())
            }
        }
    }

    /// Waits a little because of a transient error. Gives up where counting is to stop; where others count too, and this goes on for
    /// long, gives the partitions back for them.
    fn pause(&mut self, pause: &mut Pause, error: StoreError) -> Result<(), EngineError> {
        let since = *pause.since.get_or_insert_with(Instant::now);
        if self.session.shutdown.is_raised() && since.elapsed() >= STOP_PATIENCE {
            return Err(error.into());
        }
        if self.notice.health.paused.is_none() {
            tracing::warn!(error = %chain(&error), "counting is paused: the results store cannot take a commit; the log keeps the votes");
        }
        if since.elapsed() >= STAND_DOWN_AFTER && self.session.assignment.shared() && !self.stood_down {
            tracing::warn!(
                "the results store has been out of reach for long; this worker gives its partitions back"
            );
            self.stood_down = true;
            self.session.assignment.stand_down(true);
            self.lost.extend((0..self.notice.next.len() as u32).map(PartitionId));
        }
        self.tell(self.notice.sequence, Some(chain(&error)));
        std::thread::park_timeout(RETRY_EVERY);
        Ok(())
    }

    /// Says when the log cannot be read, and when it can again.
    fn look_at_log(&mut self) {
        let trouble = self.session.log.trouble();
        if trouble != self.notice.health.paused {
            if let Some(trouble) = &trouble {
                tracing::warn!("counting waits for the vote log: {trouble}");
            }
            self.tell(self.notice.sequence, trouble);
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
            workers: self.session.options.threads as u32,
            voters: voters.0,
            voters_bytes: voters.1,
            paused,
        };
        (self.on_commit)(&self.notice);
    }

    /// Publishes the demographics that may be published, at most once a second, or now when it is the last time.
    fn release(&mut self, last: bool) -> Result<(), EngineError> {
        if !self.notice.leads || !self.release_due || (!last && self.released.elapsed() < RELEASE_EVERY) {
            return Ok(());
        }
        let (Some(minute), true) = (self.minute, release::has_demographics(self.session.election)) else {
            return Ok(());
        };
        self.released = Instant::now();
        let now = (self.session.options.clock)();
        let published = release::publish(self.store, self.session.election, minute, now)?;
        self.release_due = false;
        let Some(sequence) = published else { return Ok(()) };
        let paused = self.notice.health.paused.take();
        self.tell(sequence, paused);
        Ok(())
    }
}

/// Since when a store has not answered.
#[derive(Default)]
pub(super) struct Pause {
    since: Option<Instant>,
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
