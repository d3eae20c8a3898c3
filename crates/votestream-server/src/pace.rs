//! How counting goes as far as the store and the log tell, for a server whose engine runs elsewhere: records a second from successive
//! snapshots, and the log's ends.

use crate::limits::{ELECTIONS_REMEMBERED, ENDS_EVERY, PACE_EVERY, PACE_WINDOW};
use crate::seams::LogEnds;
use crate::view::View;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use tokio::task::JoinHandle;
use tracing::debug;
use votestream_election::Offset;

/// Records a second of each election, over the last [`PACE_WINDOW`].
#[derive(Default)]
pub(crate) struct Pace(Mutex<HashMap<String, VecDeque<Sample>>>);

/// What an election's public answer said at a moment.
struct Sample {
    at: Instant,
    records: u64,
    store_uuid: u128,
    /// Acts of the desk: after another one, numbers are of other regions.
    acts: usize,
}

impl Pace {
    /// Public records counted a second, as far as asked about before; `None` at first, and after an act of the desk.
    pub(crate) fn of(&self, view: &View, now: Instant) -> Option<f64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= ELECTIONS_REMEMBERED && !all.contains_key(view.election_id()) {
            all.clear();
        }
        let samples = all.entry(view.election_id().to_owned()).or_default();
        let next = Sample {
            at: now,
            records: view.results.records,
            store_uuid: view.snapshot.store_uuid,
            acts: view.snapshot.desk.len(),
        };
        samples.retain(|old| next.follows(old));
        let rate = samples.front().and_then(|first| {
            let seconds = now.saturating_duration_since(first.at).as_secs_f64();
            (seconds >= PACE_EVERY.as_secs_f64()).then(|| (next.records - first.records) as f64 / seconds)
        });
        if samples.back().is_none_or(|last| now.saturating_duration_since(last.at) >= PACE_EVERY) {
            samples.push_back(next);
        }
        rate
    }
}

impl Sample {
    /// Whether the difference to an older sample is what was counted in between.
    fn follows(&self, old: &Self) -> bool {
        old.store_uuid == self.store_uuid
            && old.acts == self.acts
            && old.records <= self.records
            && self.at.saturating_duration_since(old.at) <= PACE_WINDOW
    }
}

/// The log's ends, asked for at most once in [`ENDS_EVERY`] however many want them.
pub(crate) struct Ends {
    ask: Option<LogEnds>,
    state: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    ends: Option<Vec<Offset>>,
    asked: Option<Instant>,
    asking: Option<JoinHandle<Option<Vec<Offset>>>>,
}

impl Ends {
    pub(crate) fn new(ask: Option<LogEnds>) -> Self {
        Self { ask, state: Mutex::default() }
    }

    /// The ends as last told; the first time, and while the log does not answer, there are none. Waits for nothing.
    pub(crate) async fn get(&self) -> Option<Vec<Offset>> {
        let ask = self.ask.as_ref()?;
        let done = {
            let mut known = self.lock();
            let due = known.asked.is_none_or(|asked| asked.elapsed() >= ENDS_EVERY);
            if known.asking.is_none() && due {
                let ask = ask.clone();
                known.asked = Some(Instant::now());
                known.asking = Some(tokio::task::spawn_blocking(move || match ask() {
                    Ok(ends) => Some(ends),
                    Err(why) => {
                        debug!(why, "cannot tell where the log ends");
                        None
                    }
                }));
            }
            let finished = known.asking.as_ref().is_some_and(JoinHandle::is_finished);
            if finished { known.asking.take() } else { None }
        };
        if let Some(done) = done {
            // It has ended: this does not wait.
            let ends = done.await.ok().flatten();
            self.lock().ends = ends;
        }
        self.lock().ends.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
