//! Counting by epochs on Apache Spark: the loop that plans an epoch, has it counted, and commits what it came to under the same fence as
//! the native engine; beside it a thread hashes the leaves that Spark cannot. Where an epoch is counted is behind [`Epochs`].
//!
//! **Invariant:** a file of voters that no transaction of the store names does not exist; what lies of an attempt is swept only once a
//! newer epoch counts.

mod book;
mod change;
mod commit;
mod cut;
mod epochs;
mod sealing;
mod size;

pub use change::{bring_back, lies_outside};
pub use epochs::{Answer, EpochError, Epochs, Plan};
pub use size::RECORDS;

use crate::count::{
    CountOptions, CountSummary, OnCommit, chain, check_history, may_pass, prepare, report_held_back,
};
use crate::{EngineError, Shutdown};
use book::{Book, LogAt};
use commit::Committer;
use cut::Cut;
use sealing::Board;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use votestream_election::delta::{Engine, PartitionDelta, PartitionState, Pin, Progress, VoterFile};
use votestream_election::epoch::{Next, Range};
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
/// Into so many parts an epoch is divided at most, where it is too large for whoever counts it.
const PARTS_MAX: u64 = 1_024;

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
    /// Into how many parts an epoch is divided now.
    parts: u64,
    /// When the last epoch began.
    began: Option<Instant>,
    /// The next one, where it was read ahead.
    ahead: Option<Cut>,
    /// When files could not be merged.
    not_merged: Option<Instant>,
}

/// Whether an epoch is due.
enum Due {
    /// Of these ranges.
    Now(Vec<Range>),
    /// Not yet.
    Later,
    /// All is counted and sealed that ever will be.
    Never,
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
        let mut course = Course {
            files,
            partitioners: pin.partitioners,
            parts: 1,
            began: None,
            ahead: None,
            not_merged: None,
        };
        loop {
            self.committer.seal(books, &board.take()?)?;
            if self.shutdown.is_raised() {
                return Ok(());
            }
            let cut = match course.ahead.take() {
                Some(cut) => cut,
                None => match self.due(books, until, board, &course)? {
                    Due::Now(ranges) => Cut::of(self.log, ranges)?,
                    Due::Later => continue,
                    Due::Never => return Ok(()),
                },
            };
            course.began = Some(cut.at);
            self.advance(&cut, books, (pin.partitions, until.is_none()), &mut course)?;
            board.counted(books.iter().map(Book::next));
        }
    }

    /// Whether an epoch is due, and of what; else waits a little.
    fn due(
        &mut self,
        books: &[Book],
        until: Option<&[Offset]>,
        board: &Board,
        course: &Course,
    ) -> Result<Due, EngineError> {
        let waiting = self.waiting(books, until)?;
        let ranges = size::ranges(&waiting, (self.options.records / course.parts).max(1));
        if ranges.is_empty() {
            self.committer.release(false)?;
            let sealed = books.iter().all(Book::is_sealed);
            if until.is_some() && sealed {
                return Ok(Due::Never);
            }
            board.wait(if sealed { Duration::ZERO } else { LOOK_EVERY });
            if sealed {
                let next: Vec<_> = books.iter().map(Book::next).collect();
                self.log.wait_past(&next, LOOK_EVERY)?;
            }
            return Ok(Due::Later);
        }
        let backlog = size::backlog(&waiting);
        let since = course.began.map_or(Duration::MAX, |began| began.elapsed());
        if until.is_none() && backlog < self.options.records && since < self.options.live_every {
            self.shutdown.wait(self.options.live_every.saturating_sub(since).min(LOOK_EVERY));
            return Ok(Due::Later);
        }
        Ok(Due::Now(ranges))
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
        cut: &Cut,
        books: &mut [Book],
        (partitions, live): (u32, bool),
        course: &mut Course,
    ) -> Result<(), EngineError> {
        match self.epoch(cut, books, (partitions, live), course) {
            Ok(()) => course.parts = 1,
            Err(EngineError::Spark(error)) if error.too_large && course.parts < PARTS_MAX => {
                course.parts *= 2;
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

    /// Has one epoch counted and commits it. Live, the next one is cut and read meanwhile once it is due.
    fn epoch(
        &mut self,
        cut: &Cut,
        books: &mut [Book],
        (partitions, live): (u32, bool),
        course: &mut Course,
    ) -> Result<(), EngineError> {
        let attempt = (self.options.draw)();
        self.committer.begin_attempt(attempt, books[0].progress.epoch)?;
        fail::fail_point!("spark-attempt-begun", |_| std::process::abort());
        let minutes =
            cut.ranges.iter().map(|r| (r.partition, books[r.partition.0 as usize].minute())).collect();
        let after: Vec<(PartitionId, Offset)> = books
            .iter()
            .map(|book| {
                let range = cut.ranges.iter().find(|range| range.partition == book.partition());
                (book.partition(), range.map_or(book.next(), |range| range.to))
            })
            .collect();
        let (log, shutdown, records, ahead) =
            (self.log, self.shutdown, self.options.records, Mutex::new(None));
        let cut_ahead = || {
            let next = if shutdown.is_raised() { Ok(None) } else { Cut::ahead(log, &after, records) };
            let next = next.unwrap_or_else(|error| {
                tracing::debug!(error = %chain(&error), "the next epoch is not cut yet");
                None
            })?;
            let ranges = next.ranges.clone();
            *ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(next);
            Some(ranges)
        };
        let plan = Plan {
            election: self.election,
            partitions,
            ranges: &cut.ranges,
            seen: &course.files,
            attempt,
            partitioners: course.partitioners,
            misrouted_rejects: self.options.count.misrouted == Misrouted::Reject,
            minutes,
            now: (self.options.count.clock)(),
            next: live.then_some(Next { at: cut.at + self.options.live_every, ranges: &cut_ahead }),
        };
        let answer = self.epochs.run(&plan)?;
        fail::fail_point!("spark-epoch-answered", |_| std::process::abort());
        for part in &answer.partitions {
            if let Some(offset) = part.misrouted {
                return Err(FoldError::Misrouted { partition: part.range.partition, offset }.into());
            }
        }
        let deltas = self.deltas(&answer, &cut.leader_epochs, books)?;
        fail::fail_point!("spark-before-flush", |_| std::process::abort());
        self.committer.flush(&deltas, (attempt, &answer.files), cut.at)?;
        fail::fail_point!("spark-after-flush", |_| std::process::abort());
        for delta in &deltas {
            let book = &mut books[delta.partition.0 as usize];
            if let Some(part) = answer.partitions.iter().find(|part| part.range.partition == delta.partition)
            {
                book.committed(delta, part);
            }
        }
        course.files.extend(answer.files);
        course.partitioners = answer.partitioners;
        course.ahead = ahead.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.committer.tell(books)
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
