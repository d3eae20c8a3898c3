//! The syncing thread: group commit. Fsyncs what was written, then moves the marks, then tells who waits. Never before.

use super::Ack;
use super::queue::{Shared, State, Unsynced, wait};
use crate::crash::point;
use crate::error::LogError;
use crate::mark::MarkFile;
use std::ops::Range;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use votestream_election::{Offset, PartitionId};

/// The longest that a batch whose producer waits is left unsynced, so that others share its fsync.
pub const ACKED_WAIT: Duration = Duration::from_millis(4);
/// The longest that a batch nobody waits for is left unsynced.
pub const UNACKED_WAIT: Duration = Duration::from_millis(25);
/// With so much unsynced, nobody waits longer.
pub const UNSYNCED_BYTES_SOON: u64 = 8 << 20;

pub(super) struct Syncer {
    pub(super) shared: Arc<Shared>,
    pub(super) marks: Vec<MarkFile>,
}

/// What one round makes durable.
struct Round {
    unsynced: Vec<(PartitionId, Unsynced)>,
    acks: Vec<(Range<Offset>, Ack)>,
    written: u64,
}

impl Syncer {
    /// Runs until the log is closed and all is synced, or fails.
    pub(super) fn run(self) {
        while let Some(round) = self.next_round() {
            let Round { unsynced, acks, written } = round;
            if let Err(error) = self.sync(&unsynced) {
                self.shared.fail(&error);
                for (_, ack) in acks {
                    ack(Err(error.clone()));
                }
                return;
            }
            self.shared.all_synced(written);
            point("log-after-mark-before-ack");
            for (range, ack) in acks {
                ack(Ok(range));
            }
            point("log-after-ack");
        }
        let ended_well = self.shared.lock().failed().is_ok();
        if let Some(Err(error)) = ended_well.then(|| self.marks.iter().try_for_each(MarkFile::sync)) {
            self.shared.fail(&error);
        }
    }

    fn next_round(&self) -> Option<Round> {
        let mut state = self.shared.lock();
        loop {
            if state.failed().is_err() {
                return None;
            }
            match due(&state) {
                Due::Now => break,
                Due::In(left) => {
                    let waited = self.shared.dirty.wait_timeout(state, left);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                Due::Idle if state.writing_ended => return None,
                Due::Idle => state = wait(&self.shared.dirty, state),
            }
        }
        Some(take(&mut state))
    }

    fn sync(&self, unsynced: &[(PartitionId, Unsynced)]) -> Result<(), LogError> {
        point("log-before-fsync");
        for (_, Unsynced { file, .. }) in unsynced {
            file.sync().map_err(|error| LogError::io("sync", file.path(), error))?;
        }
        point("log-after-fsync-before-mark");
        for (partition, Unsynced { end, .. }) in unsynced {
            self.marks[partition.0 as usize].write(*end)?;
            self.shared.watch.advance(*partition, *end);
        }
        self.shared.watch.wake();
        Ok(())
    }
}

enum Due {
    Now,
    In(Duration),
    Idle,
}

/// When the next fsync is due.
fn due(state: &State) -> Due {
    let Some(since) = state.unsynced_since else { return Due::Idle };
    let flushing = state.flush_to > state.synced;
    let flush_is_written = flushing && state.written >= state.flush_to;
    if flush_is_written || state.writing_ended || state.unsynced_bytes >= UNSYNCED_BYTES_SOON {
        return Due::Now;
    }
    let wait = if state.acks.is_empty() && !flushing { UNACKED_WAIT } else { ACKED_WAIT };
    match (since + wait).saturating_duration_since(Instant::now()) {
        Duration::ZERO => Due::Now,
        left => Due::In(left),
    }
}

fn take(state: &mut MutexGuard<'_, State>) -> Round {
    state.unsynced_bytes = 0;
    state.unsynced_since = None;
    let places = state.unsynced.iter_mut().enumerate();
    let unsynced = places.filter_map(|(at, place)| Some((PartitionId(at as u32), place.take()?))).collect();
    Round { unsynced, acks: std::mem::take(&mut state.acks), written: state.written }
}
