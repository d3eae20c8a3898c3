//! The wish to stop, passed to every loop: finish what is begun, commit, and return.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A flag that is raised once and can be waited for.
#[derive(Clone, Default)]
pub struct Shutdown(Arc<Inner>);

#[derive(Default)]
struct Inner {
    raised: AtomicBool,
    lock: Mutex<Vec<Hook>>,
    wake: Condvar,
}

/// What is done when it is raised.
type Hook = Box<dyn FnOnce() + Send>;

impl Shutdown {
    /// Not raised yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks every loop that holds this to stop.
    pub fn raise(&self) {
        let hooks = {
            let mut hooks = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.0.raised.store(true, Ordering::Release);
            std::mem::take(&mut *hooks)
        };
        self.0.wake.notify_all();
        for hook in hooks {
            hook();
        }
    }

    /// Does `hook` when it is raised, or now when it is: for those who wait for something else. It must not block.
    pub fn on_raise(&self, hook: impl FnOnce() + Send + 'static) {
        let mut hooks = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_raised() {
            drop(hooks);
            hook();
        } else {
            hooks.push(Box::new(hook));
        }
    }

    /// Whether to stop.
    pub fn is_raised(&self) -> bool {
        self.0.raised.load(Ordering::Acquire)
    }

    /// Waits up to `patience`; true when it was raised meanwhile.
    pub fn wait(&self, patience: Duration) -> bool {
        let guard = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.wake.wait_timeout_while(guard, patience, |_| !self.is_raised());
        drop(waited);
        self.is_raised()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_done_once_whenever_they_came() {
        let shutdown = Shutdown::new();
        let (tell, told) = std::sync::mpsc::channel();
        let early = tell.clone();
        shutdown.on_raise(move || early.send("early").unwrap());
        assert!(told.try_recv().is_err() && !shutdown.wait(Duration::ZERO));
        shutdown.raise();
        shutdown.on_raise(move || tell.send("late").unwrap());
        shutdown.raise();
        assert_eq!(told.iter().collect::<Vec<_>>(), ["early", "late"]);
    }
}
