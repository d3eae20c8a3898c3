//! The threads of a recount: who judges which stretch of which pass, and who applies it. Stretches of one pass are judged side by side
//! and applied in order, each by one thread at a time, so that every core has work with one partition as with many.

use super::plan::{Expected, PASSES_MAX};
use super::source::{Feed, Source};
use crate::{EngineError, Shutdown};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use votestream_election::recount::{Carried, PassTally, Plain, Stretch, VoterPart};
use votestream_election::{Election, Offset, PartitionId};

/// Leaves that a thread judges at once where each pass has a thread of its own: what it judged is then still in the processor's cache.
const LEAVES_ALONE: u64 = 1;
/// Leaves judged at once where threads share a pass: where one leaves off, another must find its place first.
const LEAVES_SHARED: u64 = 8;
/// Stretches judged and not applied, for each thread.
const STRETCHES_A_THREAD: usize = 2;
/// Longest wait before looking whether to stop.
const WAIT_MAX: Duration = Duration::from_millis(50);

/// One partition to count again.
#[derive(Clone, Debug)]
pub(super) struct Range {
    pub(super) partition: PartitionId,
    /// What the records before come to, where they are carried.
    pub(super) carried: Option<Carried>,
    pub(super) from: Offset,
    pub(super) to: Offset,
    pub(super) expected: Expected,
}

/// What all threads need.
pub(super) struct Crew<'a> {
    pub(super) election: &'a Election,
    pub(super) source: &'a dyn Source,
    pub(super) ranges: &'a [Range],
    pub(super) threads: usize,
    /// Passes that go on at once.
    pub(super) at_once: usize,
    /// Bytes that the voters of one pass may take.
    pub(super) budget: u64,
    pub(super) seed: u64,
    pub(super) shutdown: &'a Shutdown,
    /// Told the offsets passed so far and in all, all passes together.
    pub(super) progress: &'a (dyn Fn(u64, u64) + Sync),
}

/// One pass, waiting or under way.
struct Pass<'s> {
    range: usize,
    part: VoterPart,
    /// First offset that nobody judges yet.
    next: Offset,
    /// Threads that judge a stretch of it.
    readers: usize,
    /// Judged and not applied, by first offset.
    judged: BTreeMap<Offset, Stretch>,
    /// Readers at rest.
    parked: Vec<Box<dyn Feed + 's>>,
    /// Away while a thread applies stretches.
    tally: Option<PassTally>,
    /// What is carried is in the tally.
    begun: bool,
}

#[derive(Default)]
struct State<'s> {
    waiting: VecDeque<(usize, VoterPart)>,
    active: Vec<Pass<'s>>,
    /// Passes of each range as last decided.
    passes: Vec<u32>,
    found: Vec<Plain>,
    /// Empty stretches, to be used again.
    spare: Vec<Stretch>,
    /// Stretches in anybody's hands.
    out: usize,
    done: u64,
    total: u64,
    failed: Option<EngineError>,
}

enum Job<'s> {
    /// Puts what is carried into a pass.
    Begin {
        range: usize,
        part: VoterPart,
        tally: PassTally,
    },
    Judge {
        range: usize,
        part: VoterPart,
        span: (Offset, Offset),
        feed: Option<Box<dyn Feed + 's>>,
        stretch: Stretch,
    },
    Apply {
        range: usize,
        part: VoterPart,
        tally: PassTally,
        stretches: Vec<Stretch>,
    },
}

impl Crew<'_> {
    /// Counts every range; of a stopped recount what was found so far. Answers the partitions and the most passes over one.
    pub(super) fn run(&self) -> Result<(Vec<Plain>, u32), EngineError> {
        let shared = (Mutex::new(self.first_state()), Condvar::new());
        std::thread::scope(|scope| {
            let crew: Vec<_> = (0..self.threads).map(|_| scope.spawn(|| self.work(&shared))).collect();
            for worker in crew {
                if worker.join().is_err() {
                    lock(&shared.0).failed.get_or_insert(EngineError::Thread("recounting"));
                }
            }
        });
        let state = shared.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        match state.failed {
            Some(error) => Err(error),
            None => Ok((state.found, state.passes.into_iter().max().unwrap_or(1))),
        }
    }

    fn first_state<'s>(&self) -> State<'s> {
        let mut state = State { found: vec![Plain::default(); self.ranges.len()], ..State::default() };
        for (range, Range { expected, .. }) in self.ranges.iter().enumerate() {
            state.passes.push(expected.passes(self.election.duplicate, self.budget));
            self.queue(&mut state, range);
        }
        state
    }

    /// Queues all passes of a range.
    fn queue(&self, state: &mut State<'_>, range: usize) {
        let passes = state.passes[range];
        let Range { from, to, .. } = self.ranges[range];
        state.waiting.extend(VoterPart::all(passes, self.seed).map(|part| (range, part)));
        state.total += (to.0 - from.0) * u64::from(passes);
    }

    fn work<'s>(&'s self, (state, news): &(Mutex<State<'s>>, Condvar)) {
        // Whoever ends by a panic must not leave the others waiting.
        let _alarm = Alarm(self.shutdown, news);
        let mut guard = lock(state);
        loop {
            if guard.failed.is_some() || self.shutdown.is_raised() || self.all_done(&mut guard) {
                drop(guard);
                news.notify_all();
                return;
            }
            let Some(job) = self.pick(&mut guard) else {
                guard = news.wait_timeout(guard, WAIT_MAX).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            };
            drop(guard);
            let outcome = self.carry_out(job);
            guard = lock(state);
            if let Err(error) = outcome.and_then(|done| self.settle(&mut guard, done)) {
                guard.failed.get_or_insert(error);
            }
            (self.progress)(guard.done, guard.total);
            news.notify_all();
        }
    }

    /// Starts what may start, and says whether nothing is left.
    fn all_done(&self, state: &mut State<'_>) -> bool {
        while state.active.len() < self.at_once
            && let Some((range, part)) = state.waiting.pop_front()
        {
            let Range { from, expected, ref carried, .. } = self.ranges[range];
            let room = expected.in_part(state.passes[range]);
            let tally = PassTally::new(self.election, (from, part), room, self.seed);
            state.active.push(Pass {
                range,
                part,
                next: from,
                readers: 0,
                judged: BTreeMap::new(),
                parked: Vec::new(),
                tally: Some(tally),
                begun: carried.is_none(),
            });
            self.end_passes(state);
        }
        state.active.is_empty() && state.waiting.is_empty()
    }

    /// Takes passes that are through out of the active ones.
    fn end_passes(&self, state: &mut State<'_>) {
        let ranges = self.ranges;
        let through = |pass: &mut Pass<'_>| {
            let tally = pass.tally.as_ref().filter(|_| pass.begun);
            tally.is_some_and(|tally| tally.next() >= ranges[pass.range].to)
        };
        while let Some(at) = state.active.iter_mut().position(through) {
            let pass = state.active.swap_remove(at);
            if let Some(tally) = pass.tally {
                state.found[pass.range].add(tally.finish(), pass.part);
            }
        }
    }

    /// What a thread with nothing to do does next: applying before judging, and judging where fewest are.
    fn pick<'s>(&self, state: &mut State<'s>) -> Option<Job<'s>> {
        for pass in &mut state.active {
            if !pass.begun
                && let Some(tally) = pass.tally.take()
            {
                return Some(Job::Begin { range: pass.range, part: pass.part, tally });
            }
            let Some(tally) = &pass.tally else { continue };
            let mut next = tally.next();
            let mut stretches = Vec::new();
            while let Some(stretch) = pass.judged.remove(&next) {
                next = stretch.to();
                stretches.push(stretch);
            }
            if !stretches.is_empty() {
                let tally = pass.tally.take()?;
                return Some(Job::Apply { range: pass.range, part: pass.part, tally, stretches });
            }
        }
        if state.out >= self.threads * STRETCHES_A_THREAD {
            return None;
        }
        let shared = self.threads > state.active.len();
        let ranges = self.ranges;
        let open = state.active.iter_mut().filter(|pass| pass.next < ranges[pass.range].to);
        let pass = open.min_by_key(|pass| pass.readers + pass.judged.len())?;
        let leaves = if shared { LEAVES_SHARED } else { LEAVES_ALONE };
        let span = (pass.next, Stretch::end_of(pass.next, leaves, ranges[pass.range].to));
        pass.next = span.1;
        pass.readers += 1;
        let rested = pass.parked.iter().position(|feed| feed.position() == span.0);
        let feed = rested.map(|at| pass.parked.swap_remove(at));
        // A reader that stands anywhere else is of no use any more.
        pass.parked.clear();
        state.out += 1;
        let stretch = state.spare.pop().unwrap_or_else(|| Stretch::new(self.election.layout()));
        Some(Job::Judge { range: pass.range, part: pass.part, span, feed, stretch })
    }

    fn carry_out<'s>(&'s self, job: Job<'s>) -> Result<Job<'s>, EngineError> {
        match job {
            Job::Begin { range, part, mut tally } => {
                let Range { partition, carried, .. } = &self.ranges[range];
                if let Some(carried) = carried {
                    tally.carry(carried);
                }
                self.source.carried_voters(*partition, &mut |voter| tally.carry_voter(voter))?;
                Ok(Job::Begin { range, part, tally })
            }
            Job::Judge { range, part, span, feed, mut stretch } => {
                let mut feed = match feed {
                    Some(feed) => feed,
                    None => self.source.feed(self.ranges[range].partition, span.0)?,
                };
                stretch.begin(span, part);
                feed.read(span.1, &mut |offset, judged| stretch.push(offset, judged))?;
                Ok(Job::Judge { range, part, span, feed: Some(feed), stretch })
            }
            Job::Apply { range, part, mut tally, mut stretches } => {
                for stretch in &mut stretches {
                    tally.apply(stretch);
                    // Looked at after each, however many have gathered: what comes after too many voters would be dropped anyway.
                    if self.is_crowded(range, &tally) {
                        break;
                    }
                }
                Ok(Job::Apply { range, part, tally, stretches })
            }
        }
    }

    /// Puts back what a thread has done.
    fn settle<'s>(&self, state: &mut State<'s>, job: Job<'s>) -> Result<(), EngineError> {
        let (Job::Begin { range, part, .. }
        | Job::Judge { range, part, .. }
        | Job::Apply { range, part, .. }) = &job;
        let key = (*range, *part);
        let Some(at) = state.active.iter().position(|pass| (pass.range, pass.part) == key) else {
            // Its range has been begun anew meanwhile, in more passes.
            state.out -= match job {
                Job::Begin { .. } => 0,
                Job::Judge { .. } => 1,
                Job::Apply { stretches, .. } => stretches.len(),
            };
            return Ok(());
        };
        let pass = &mut state.active[at];
        match job {
            Job::Begin { range, tally, .. } => {
                let crowded = self.is_crowded(range, &tally);
                (pass.tally, pass.begun) = (Some(tally), true);
                if crowded {
                    return self.begin_anew(state, range);
                }
                self.end_passes(state);
                Ok(())
            }
            Job::Judge { feed, stretch, .. } => {
                pass.readers -= 1;
                pass.parked.extend(feed);
                // What was stopped half-way is not applied.
                if !self.shutdown.is_raised() {
                    pass.judged.insert(stretch.from(), stretch);
                }
                Ok(())
            }
            Job::Apply { range, tally, stretches, .. } => {
                let crowded = self.is_crowded(range, &tally);
                pass.tally = Some(tally);
                state.out -= stretches.len();
                state.done += stretches.iter().map(|s| s.to().0 - s.from().0).sum::<u64>();
                state.spare.extend(stretches);
                if crowded {
                    return self.begin_anew(state, range);
                }
                self.end_passes(state);
                Ok(())
            }
        }
    }

    /// Whether a pass holds more voters than its memory allows, and is not through.
    fn is_crowded(&self, range: usize, tally: &PassTally) -> bool {
        tally.bytes() > self.budget && tally.next() < self.ranges[range].to
    }

    /// There are more voters than expected: the range is counted again from its start, in twice as many passes.
    fn begin_anew(&self, state: &mut State<'_>, range: usize) -> Result<(), EngineError> {
        let Range { partition, from, to, .. } = self.ranges[range];
        if state.passes[range] >= PASSES_MAX {
            return Err(EngineError::TooManyVoters { partition });
        }
        let passes = state.passes[range] * 2;
        tracing::warn!(
            "partition {partition} has more voters than expected; it is counted again from its start, in {passes} passes"
        );
        state.waiting.retain(|(other, _)| *other != range);
        let dropped = state.active.extract_if(.., |pass| pass.range == range);
        state.out -= dropped.map(|pass| pass.judged.len()).sum::<usize>();
        state.found[range] = Plain::default();
        state.total -= (to.0 - from.0) * u64::from(state.passes[range]);
        state.passes[range] = passes;
        self.queue(state, range);
        Ok(())
    }
}

/// Stops everybody where a thread ends by a panic.
struct Alarm<'a>(&'a Shutdown, &'a Condvar);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.raise();
            self.1.notify_all();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
