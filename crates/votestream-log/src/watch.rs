//! In-process notice of how far each partition is synced. Other processes read the `synced` sidecar instead.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use votestream_election::{Offset, PartitionId};

/// The synced ends of a log's partitions, as its writer in this process publishes them. Clones see the same.
#[derive(Clone, Debug)]
pub struct LogWatch {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    ends: Vec<AtomicU64>,
    gate: Mutex<()>,
    moved: Condvar,
}

impl LogWatch {
    pub(crate) fn new(ends: &[Offset]) -> Self {
        let ends = ends.iter().map(|end| AtomicU64::new(end.0)).collect();
        Self { shared: Arc::new(Shared { ends, gate: Mutex::new(()), moved: Condvar::new() }) }
    }

    /// Each partition's synced end (exclusive), in partition order.
    pub fn ends(&self) -> Vec<Offset> {
        self.shared.ends.iter().map(|end| Offset(end.load(Ordering::Acquire))).collect()
    }

    /// One partition's synced end (exclusive).
    ///
    /// # Panics
    /// When the log has no such partition.
    pub fn end(&self, partition: PartitionId) -> Offset {
        Offset(self.shared.ends[partition.0 as usize].load(Ordering::Acquire))
    }

    /// Waits until a partition is synced beyond its place in `past`, for at most `timeout`. Says whether one is. Does not spin.
    pub fn wait_past(&self, past: &[Offset], timeout: Duration) -> bool {
        if self.is_past(past) {
            return true;
        }
        let deadline = Instant::now() + timeout;
        let mut gate = self.shared.gate.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if self.is_past(past) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            gate = self.shared.moved.wait_timeout(gate, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Moves a partition's synced end forward. Wakes nobody: see [`LogWatch::wake`].
    pub(crate) fn advance(&self, partition: PartitionId, end: Offset) {
        self.shared.ends[partition.0 as usize].fetch_max(end.0, Ordering::AcqRel);
    }

    /// Wakes all who wait; called once after a round of advances.
    pub(crate) fn wake(&self) {
        drop(self.shared.gate.lock().unwrap_or_else(PoisonError::into_inner));
        self.shared.moved.notify_all();
    }

    fn is_past(&self, past: &[Offset]) -> bool {
        self.shared.ends.iter().zip(past).any(|(end, past)| end.load(Ordering::Acquire) > past.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_until_advanced() {
        let watch = LogWatch::new(&[Offset(3), Offset(0)]);
        assert!(watch.wait_past(&[Offset(2), Offset(9)], Duration::ZERO));
        assert!(!watch.wait_past(&[Offset(3), Offset(0)], Duration::from_millis(1)));
        let other = watch.clone();
        let waiter =
            std::thread::spawn(move || other.wait_past(&[Offset(3), Offset(0)], Duration::from_mins(1)));
        watch.advance(PartitionId(1), Offset(5));
        watch.advance(PartitionId(1), Offset(4));
        watch.wake();
        assert!(waiter.join().unwrap());
        assert_eq!(watch.ends(), [Offset(3), Offset(5)]);
    }
}
