//! What the server counts about itself, for `/metrics` and the page's health section.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Counters since the start.
#[derive(Default)]
pub(crate) struct Counters {
    /// By route and status. Routes are a closed set, so this stays small.
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
    posted: AtomicU64,
    live_snapshots: AtomicU64,
    live_dropped: AtomicU64,
}

impl Counters {
    pub(crate) fn request(&self, route: &'static str, status: u16) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((route, status)).or_default() += 1;
    }

    pub(crate) fn posted(&self, records: u64) {
        self.posted.fetch_add(records, Ordering::Relaxed);
    }

    pub(crate) fn live_snapshot(&self) {
        self.live_snapshots.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn live_dropped(&self) {
        self.live_dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests answered, by route and status.
    pub(crate) fn requests(&self) -> BTreeMap<(&'static str, u16), u64> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records made durable for `POST /api/votes`; snapshots sent to live streams; live streams ended because nobody read.
    pub(crate) fn totals(&self) -> (u64, u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.posted), read(&self.live_snapshots), read(&self.live_dropped))
    }
}
