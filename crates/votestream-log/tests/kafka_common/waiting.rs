//! How tests on real brokers wait: for a condition, with a deadline, and for nothing else.

#![allow(dead_code, reason = "each test target uses a part of it")]

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// How long anything may take before a test gives it up: the machine is shared.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks at a condition.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits until `ready` answers something.
#[track_caller]
pub fn eventually<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let deadline = Deadline::start();
    loop {
        if let Some(found) = ready() {
            return found;
        }
        deadline.ahead(|| what);
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Waits until `holds`.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    eventually(what, || holds().then_some(()));
}

/// The end of patience, for a loop that does something meanwhile.
pub struct Deadline(Instant);

impl Deadline {
    pub fn start() -> Self {
        Self(Instant::now() + PATIENCE)
    }

    /// Fails with what is still missing once patience is at its end.
    #[track_caller]
    pub fn ahead<T: std::fmt::Display>(&self, missing: impl FnOnce() -> T) {
        assert!(Instant::now() < self.0, "not within {PATIENCE:?}: {}", missing());
    }

    /// What is left of it.
    pub fn left(&self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// Waits for a future; a thread that polls librdkafka wakes it.
pub fn wait_for<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
