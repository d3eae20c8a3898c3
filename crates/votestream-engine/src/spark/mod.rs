//! Counting by epochs on Apache Spark: the loop that plans an epoch, has it counted, and commits what it came to under the same fence as
//! the native engine; beside it a thread hashes the leaves that Spark cannot. Where an epoch is counted is behind [`Epochs`].
//!
//! **Invariant:** a file of voters that no transaction of the store names does not exist; what lies of an attempt is swept only once a
//! newer epoch counts.

mod book;
mod change;
mod commit;
mod epochs;
mod sealing;
mod size;

pub use change::{bring_back, lies_outside};
pub use epochs::{Answer, EpochError, Epochs, Plan};
pub use size::RECORDS;

use crate::count::{
    CountOptions, CountSummary, OnCommit, chain, check_history, may_pass, only, prepare, report_held_back,
};
use crate::{EngineError, Shutdown};
use book::{Book, LogAt};
use commit::Committer;
use sealing::Board;
use std::time::{Duration, Instant};
use votestream_election::delta::{Engine, PartitionDelta, PartitionState, Pin, Progress, VoterFile};
use votestream_election::epoch::Range;
use votestream_election::fold::{FoldError, Misrouted};
use votestream_election::partitioner::PartitionerSet;
use votestream_election::{Election, Offset, PartitionId};
use votestream_log::LogReader;
use votestream_store::WriterStore;

/// How often a loop with nothing to count looks again.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long it waits after something that may pass.
const RETRY_EVERY: Duration = Duration::from_secs(2);
/// How long files of voters are left alone after they could not be merged.
const MERGE_AGAIN: Duration = Duration::from_mins(1);
/// Into so many parts an epoch is cut at most, where it is too large for whoever counts it.
const CUTS_MAX: u64 = 1_024;
/// How long the last batch of a range is waited for.
const TAIL_PATIENCE: Duration = Duration::from_secs(30);

/// How to count by epochs.
#[derive(Clone)]
pub struct SparkOptions {
    /// As the native engine's; threads, flush policy and seed are of no use here.
    pub count: CountOptions,
    /// Live, an epoch begins so long after the one before; with a backlog at once.
    pub live_every: Duration,
    /// Records of an epoch, where so many wait ([`RECORDS`]).
    pub records: u64,
    /// Draws an attempt's name, never the same twice.
    pub draw: fn() -> u128,
}

/// What a run goes on with from one takeover to the next.
pub(crate) struct Worker<'a> {
    election: &'a Election,
    log: &'a LogReader,
    options: &'a SparkOptions,
    epochs: &'a mut dyn Epochs,
    shutdown: &'a Shutdown,
    committer: Committer<'a>,
}

/// Counts until the end (with `until_end`), its leaves sealed, or until told to stop. What may pass, a server that is away above all, is
/// waited for.
pub fn run(
    election: &Election,
    log: &LogReader,
    store: &mut WriterStore,
    options: &SparkOptions,
    epochs: &mut dyn Epochs,
    (shutdown, on_commit): (&Shutdown, &OnCommit),
) -> Result<CountSummary, EngineError> {
    let ends = log.refresh_ends()?;
    prepare(election, log, store, &options.count)?;
    if options.count.until_end {
        report_held_back(&ends, &log.high_watermarks()?);
    }
    let until = options.count.until_end.then_some(ends);
    let committer = Committer::new(election, store, options.count.clock, on_commit);
    let mut worker = Worker { election, log, options, epochs, shutdown, committer };
    worker.committer.begin()?;
    loop {
        match worker.stretch(until.as_deref()) {
            Ok(()) => break,
            Err(error) => match may_pass(&error) {
                Some(why) => {
                    worker.committer.paused(why);
                    if shutdown.wait(RETRY_EVERY) {
                        break;
                    }
                }
                None => return Err(error),
            },
        }
    }
    worker.committer.finish()
}

/// What goes on from epoch to epoch.
struct Course {
    /// The files of voters that the store names.
    files: Vec<VoterFile>,
    partitioners: PartitionerSet,
    /// Into how many parts an epoch is cut now.
    cut: u64,
    /// When the last epoch began.
    began: Option<Instant>,
    /// When files could not be merged.
    not_merged: Option<Instant>,
}

impl Worker<'_> {
    /// From a takeover until the end, or until something goes wrong: what is remembered is then dropped, and loaded anew.
    fn stretch(&mut self, until: Option<&[Offset]>) -> Result<(), EngineError> {
        // Who cannot count takes nothing over.
        self.epochs.open()?;
        let pin = self.committer.store().pin(&self.election.id)?;
        let before = self.committer.store().snapshot(&self.election.id)?;
        let natively = before.progress.iter().any(|progress| progress.counted > progress.outside);
        if natively && !self.move_outside(&pin)? {
            return Ok(());
        }
        let states = self.take_over(&pin)?;
        let mut books: Vec<Book> = states.iter().map(Book::new).collect();
        sweep(self.election, self.committer.store(), self.epochs, books[0].progress.epoch)?;
        let board = Board::new(&states);
        let (election, log) = (self.election, self.log);
        std::thread::scope(|scope| {
            let hashing = scope.spawn(|| sealing::run(election, log, &pin, &states, &board));
            let done = self.count(&pin, &mut books, &board, until);
            board.close();
            if hashing.join().is_err() {
                return Err(EngineError::Thread("hashing"));
            }
            done
        })
    }

    fn take_over(&mut self, pin: &Pin) -> Result<Vec<PartitionState>, EngineError> {
        let all = pin.all();
        let states = self.committer.store().take_over(&self.election.id, &all, Engine::Spark)?;
        check_states(self.log, &states)?;
        tracing::info!(
            partitions = all.len(),
            voters = states.iter().map(|state| state.progress.outside).sum::<u64>(),
            "partitions taken over"
        );
        Ok(states)
    }

    /// Epoch after epoch.
    fn count(
        &mut self,
        pin: &Pin,
        books: &mut [Book],
        board: &Board,
        until: Option<&[Offset]>,
    ) -> Result<(), EngineError> {
        let files = self.committer.store().outside(&self.election.id)?.files;
        let mut course =
            Course { files, partitioners: pin.partitioners, cut: 1, began: None, not_merged: None };
        loop {
            self.committer.seal(books, &board.take()?)?;
            if self.shutdown.is_raised() {
                return Ok(());
            }
            let waiting = self.waiting(books, until)?;
            let ranges = size::ranges(&waiting, (self.options.records / course.cut).max(1));
            if ranges.is_empty() {
                self.committer.release(false)?;
                let sealed = books.iter().all(Book::is_sealed);
                if until.is_some() && sealed {
                    return Ok(());
                }
                board.wait(if sealed { Duration::ZERO } else { LOOK_EVERY });
                if sealed {
                    let next: Vec<_> = books.iter().map(Book::next).collect();
                    self.log.wait_past(&next, LOOK_EVERY)?;
                }
                continue;
            }
            let backlog: u64 = waiting.iter().map(|(_, next, end)| end.0.saturating_sub(next.0)).sum();
            let since = course.began.map_or(Duration::MAX, |began| began.elapsed());
            if until.is_none() && backlog < self.options.records && since < self.options.live_every {
                self.shutdown.wait(self.options.live_every.saturating_sub(since).min(LOOK_EVERY));
                continue;
            }
            course.began = Some(Instant::now());
            self.advance(ranges, books, pin.partitions, &mut course)?;
            board.counted(books.iter().map(Book::next));
        }
    }

    /// What waits in each partition: (partition, next, end).
    fn waiting(
        &self,
        books: &[Book],
        until: Option<&[Offset]>,
    ) -> Result<Vec<(PartitionId, Offset, Offset)>, EngineError> {
        let mut ends = self.log.refresh_ends()?;
        if let Some(until) = until {
            ends.iter_mut().zip(until).for_each(|(end, until)| *end = (*end).min(*until));
        }
        Ok(books.iter().zip(ends).map(|(book, end)| (book.partition(), book.next(), end)).collect())
    }

    /// One epoch more, and what is due after it.
    fn advance(
        &mut self,
        ranges: Vec<Range>,
        books: &mut [Book],
        partitions: u32,
        course: &mut Course,
    ) -> Result<(), EngineError> {
        match self.epoch((ranges, &mut course.files), books, (partitions, course.partitioners)) {
            Ok(left) => (course.partitioners, course.cut) = (left, 1),
            Err(EngineError::Spark(error)) if error.too_large && course.cut < CUTS_MAX => {
                course.cut *= 2;
                tracing::warn!(error = %chain(&error), "the epoch is tried again with half as many records");
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        if course.not_merged.is_some_and(|at| at.elapsed() < MERGE_AGAIN) {
            return Ok(());
        }
        course.not_merged = None;
        match self.merge(&mut course.files, books[0].progress.epoch) {
            // Many files are read more slowly, and no less rightly: counting goes on.
            Err(EngineError::Spark(error)) => {
                tracing::warn!(error = %chain(&error), "files of voters cannot be merged now");
                course.not_merged = Some(Instant::now());
                Ok(())
            }
            done => done,
        }
    }

    /// Has one epoch counted and commits it.
    fn epoch(
        &mut self,
        (mut ranges, files): (Vec<Range>, &mut Vec<VoterFile>),
        books: &mut [Book],
        (partitions, partitioners): (u32, PartitionerSet),
    ) -> Result<PartitionerSet, EngineError> {
        let began = Instant::now();
        let mut leader_epochs = Vec::with_capacity(ranges.len());
        for range in &mut ranges {
            leader_epochs.push(to_batch_end(self.log, range)?);
        }
        let attempt = (self.options.draw)();
        self.committer.begin_attempt(attempt, books[0].progress.epoch)?;
        fail::fail_point!("spark-attempt-begun", |_| std::process::abort());
        let minutes = ranges.iter().map(|r| (r.partition, books[r.partition.0 as usize].minute())).collect();
        let plan = Plan {
            election: self.election,
            partitions,
            ranges: &ranges,
            seen: files,
            attempt,
            partitioners,
            misrouted_rejects: self.options.count.misrouted == Misrouted::Reject,
            minutes,
            now: (self.options.count.clock)(),
        };
        let answer = self.epochs.run(&plan)?;
        fail::fail_point!("spark-epoch-answered", |_| std::process::abort());
        for part in &answer.partitions {
            if let Some(offset) = part.misrouted {
                return Err(FoldError::Misrouted { partition: part.range.partition, offset }.into());
            }
        }
        let deltas = self.deltas(&answer, &leader_epochs, books)?;
        fail::fail_point!("spark-before-flush", |_| std::process::abort());
        self.committer.flush(&deltas, (attempt, &answer.files), began)?;
        fail::fail_point!("spark-after-flush", |_| std::process::abort());
        for delta in &deltas {
            let book = &mut books[delta.partition.0 as usize];
            if let Some(part) = answer.partitions.iter().find(|part| part.range.partition == delta.partition)
            {
                book.committed(delta, part);
            }
        }
        files.extend(answer.files);
        self.committer.tell(books)?;
        Ok(answer.partitioners)
    }

    /// What an answer comes to, where the log is still the one that was read.
    fn deltas(
        &self,
        answer: &Answer,
        leader_epochs: &[i32],
        books: &[Book],
    ) -> Result<Vec<PartitionDelta>, EngineError> {
        // What was read may be of a log that was truncated and written anew meanwhile.
        let ends = self.log.refresh_ends()?;
        let mut deltas = Vec::with_capacity(answer.partitions.len());
        for (part, leader_epoch) in answer.partitions.iter().zip(leader_epochs.iter().copied()) {
            let book = &books[part.range.partition.0 as usize];
            let end = ends[part.range.partition.0 as usize];
            let read = Progress { next_offset: part.range.to, leader_epoch, ..book.progress.clone() };
            check_history(self.log, &read, end)?;
            deltas.push(book.delta(part, &LogAt { leader_epoch, end }, answer.partitioners));
        }
        deltas.sort_by_key(|delta| delta.partition);
        Ok(deltas)
    }

    /// Merges files of voters where there are many, and sweeps those that were merged.
    fn merge(&mut self, files: &mut Vec<VoterFile>, epoch: u64) -> Result<(), EngineError> {
        let Some(chosen) = size::to_merge(files, self.election.duplicate) else { return Ok(()) };
        let began = Instant::now();
        let attempt = (self.options.draw)();
        self.committer.begin_attempt(attempt, epoch)?;
        let merged = self.epochs.compact(self.election, attempt, &chosen)?;
        fail::fail_point!("spark-merged", |_| std::process::abort());
        self.committer.swap(&chosen, (attempt, &merged), epoch)?;
        fail::fail_point!("spark-swapped", |_| std::process::abort());
        files.retain(|file| !chosen.contains(file));
        files.extend(merged.iter().cloned());
        let ms = began.elapsed().as_millis();
        tracing::info!(files = chosen.len(), into = merged.len(), ms, "files of voters merged");
        sweep(self.election, self.committer.store(), self.epochs, 1)
    }
}

/// Whether the log still holds what was counted of these partitions.
fn check_states(log: &LogReader, states: &[PartitionState]) -> Result<(), EngineError> {
    let ends = log.refresh_ends()?;
    states.iter().zip(&ends).try_for_each(|(state, end)| check_history(log, &state.progress, *end))
}

/// Removes what attempts below an epoch left. What cannot be removed does no harm, and is tried again after the next takeover.
fn sweep(
    election: &Election,
    store: &mut WriterStore,
    epochs: &mut dyn Epochs,
    epoch: u64,
) -> Result<(), EngineError> {
    let attempts = store.outside(&election.id)?.attempts;
    let old: Vec<u128> = attempts.iter().filter(|one| one.epoch < epoch).map(|one| one.id).collect();
    if old.is_empty() {
        return Ok(());
    }
    match epochs.remove(election, &old) {
        Ok(()) => {
            fail::fail_point!("spark-swept", |_| std::process::abort());
            store.forget_attempts(&election.id, &old)?;
            tracing::info!(attempts = old.len(), "what earlier attempts left is removed");
        }
        Err(error) => {
            tracing::warn!(error = %chain(&error), attempts = old.len(), "what earlier attempts left cannot be removed");
        }
    }
    Ok(())
}

/// Extends a range to the end of the batch in which it ends; that batch's leader epoch.
fn to_batch_end(log: &LogReader, range: &mut Range) -> Result<i32, EngineError> {
    let mut reader = log.partition(range.partition, Offset(range.to.0 - 1))?;
    let began = Instant::now();
    loop {
        if let Some(batch) = reader.next_batch()? {
            range.to = range.to.max(batch.next_offset());
            return Ok(batch.leader_epoch());
        }
        if began.elapsed() > TAIL_PATIENCE {
            let lost = "the vote log does not hand over the last batch of what was counted just now";
            return Err(EpochError { may_pass: true, too_large: false, source: lost.into() }.into());
        }
        log.wait_past(&only(log.partitions(), range.partition, reader.position()), LOOK_EVERY)?;
    }
}
