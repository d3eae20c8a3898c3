//! The thread that hashes what an epoch leaves pending, beside the epochs: told how far is counted, it hands leaves over to be committed by
//! the loop, under the loop's own fence.

use crate::count::{chain, may_pass};
use crate::sealing::Sealer;
use crate::{EngineError, Shutdown};
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use votestream_election::delta::{LedgerSeal, PartitionState, Pin};
use votestream_election::{Election, Offset};
use votestream_log::LogReader;

/// Offsets hashed before they are handed over: so much is hashed again when the worker is killed.
pub(super) const STEP_OFFSETS: u64 = 1_000_000;
/// Seals that wait to be committed; then hashing waits, for a long epoch or for a store that is away.
const WAITING_MAX: usize = 64;
/// How soon trouble with the log that may pass is tried again, and how often a look is taken whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What the loop and the hashing thread tell each other.
#[derive(Default)]
pub(super) struct Board {
    told: Mutex<Told>,
    changed: Condvar,
    /// Raised when the thread is to return.
    over: Shutdown,
}

#[derive(Default)]
struct Told {
    /// How far each partition is counted, in the order of the states.
    counted: Vec<Offset>,
    sealed: VecDeque<LedgerSeal>,
    failed: Option<EngineError>,
}

impl Board {
    pub(super) fn new(states: &[PartitionState]) -> Self {
        let counted = states.iter().map(|state| state.progress.next_offset).collect();
        Self { told: Mutex::new(Told { counted, ..Told::default() }), ..Self::default() }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says how far partitions are counted.
    pub(super) fn counted(&self, next: impl Iterator<Item = Offset>) {
        self.told().counted = next.collect();
        self.changed.notify_all();
    }

    /// Takes what was hashed; an error that ended the thread comes once.
    pub(super) fn take(&self) -> Result<Vec<LedgerSeal>, EngineError> {
        let mut told = self.told();
        let sealed: Vec<_> = told.sealed.drain(..).collect();
        self.changed.notify_all();
        match told.failed.take() {
            // What was hashed before is good; the error comes with the next call.
            Some(error) if !sealed.is_empty() => told.failed = Some(error),
            Some(error) => return Err(error),
            None => {}
        }
        Ok(sealed)
    }

    /// Waits for something to take, for at most `patience`.
    pub(super) fn wait(&self, patience: Duration) {
        let idle = |told: &mut Told| told.sealed.is_empty() && told.failed.is_none();
        drop(self.changed.wait_timeout_while(self.told(), patience, idle));
    }

    /// Lets the thread return.
    pub(super) fn close(&self) {
        self.over.raise();
        self.changed.notify_all();
    }
}

/// Hashes until the board is closed.
pub(super) fn run(election: &Election, log: &LogReader, pin: &Pin, states: &[PartitionState], board: &Board) {
    let mut sealers: Vec<Option<Sealer<'_>>> = states.iter().map(|_| None).collect();
    while !board.over.is_raised() {
        let mut hashed = false;
        for (at, state) in states.iter().enumerate() {
            match turn(election, log, pin, (at, state), &mut sealers[at], board) {
                Ok(more) => hashed |= more,
                // A sealer stands where it stood.
                Err(error) if may_pass(&error).is_some() => {
                    tracing::debug!(error = %chain(&error), "hashing waits for the vote log");
                }
                Err(error) => {
                    board.told().failed = Some(error);
                    board.changed.notify_all();
                    return;
                }
            }
        }
        if !hashed {
            board.over.wait(LOOK_EVERY);
        }
    }
}

/// Hashes a step of one partition; false where there is nothing to hash, or no room for what comes of it.
fn turn<'a>(
    election: &Election,
    log: &'a LogReader,
    pin: &Pin,
    (at, state): (usize, &PartitionState),
    slot: &mut Option<Sealer<'a>>,
    board: &Board,
) -> Result<bool, EngineError> {
    let (counted, full) = {
        let told = board.told();
        (told.counted[at], told.sealed.len() >= WAITING_MAX)
    };
    let hashed = slot.as_ref().map_or(state.progress.hashed_to(), Sealer::at);
    if full || hashed >= counted {
        return Ok(false);
    }
    if slot.is_none() {
        *slot = Sealer::open(election, log, pin, state, &board.over)?;
    }
    let Some(sealer) = slot else { return Ok(false) };
    let to = counted.min(hashed.plus(STEP_OFFSETS));
    let Some(seal) = sealer.advance(to, &board.over)? else { return Ok(false) };
    fail::fail_point!("spark-hashed", |_| std::process::abort());
    board.told().sealed.push_back(seal);
    board.changed.notify_all();
    Ok(true)
}
