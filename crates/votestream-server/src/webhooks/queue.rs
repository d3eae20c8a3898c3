//! The events that wait for one receiver: in order, bounded, and what became of them.

use crate::limits::WEBHOOK_QUEUE_MAX;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// One event for one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// Stays the same over all attempts.
    pub(crate) id: String,
    /// The event's name.
    pub(crate) event: &'static str,
    /// The JSON object.
    pub(crate) body: Bytes,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The receiver took it.
    Delivered,
    /// The receiver said that it never will.
    Refused,
    /// It was tried as often, or for as long, as is tried.
    GivenUp,
    /// There were too many waiting.
    Overflowed,
}

impl Outcome {
    /// All of them with their names in `/metrics`.
    pub(crate) const ALL: [(Self, &'static str); 4] = [
        (Self::Delivered, "delivered"),
        (Self::Refused, "refused"),
        (Self::GivenUp, "given_up"),
        (Self::Overflowed, "overflowed"),
    ];
}

/// A receiver's queue. The oldest goes when it is full: what is newest matters most.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    news: Notify,
    attempts: AtomicU64,
    outcomes: [AtomicU64; 4],
}

#[derive(Default)]
struct Waiting {
    deliveries: VecDeque<Arc<Delivery>>,
    /// One of them is with the receiver, and no longer among those that wait.
    under_way: bool,
    closed: bool,
}

impl Queue {
    /// Adds an event. Never waits; true where another had to go for it.
    pub(crate) fn push(&self, delivery: Arc<Delivery>) -> bool {
        let mut waiting = self.waiting();
        let full = waiting.deliveries.len() >= WEBHOOK_QUEUE_MAX;
        if full {
            waiting.deliveries.pop_front();
        }
        waiting.deliveries.push_back(delivery);
        drop(waiting);
        if full {
            self.count(Outcome::Overflowed);
        }
        self.news.notify_one();
        full
    }

    /// The oldest that waits; `None` once the queue is closed and empty. For one task.
    pub(crate) async fn next(&self) -> Option<Arc<Delivery>> {
        loop {
            {
                let mut waiting = self.waiting();
                let next = waiting.deliveries.pop_front();
                waiting.under_way = next.is_some();
                if next.is_some() || waiting.closed {
                    return next;
                }
            }
            self.news.notified().await;
        }
    }

    /// No more will come.
    pub(crate) fn close(&self) {
        self.waiting().closed = true;
        self.news.notify_one();
    }

    /// Events that wait or are under way.
    pub(crate) fn len(&self) -> usize {
        let waiting = self.waiting();
        waiting.deliveries.len() + usize::from(waiting.under_way)
    }

    pub(crate) fn attempted(&self) {
        self.attempts.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Attempts so far.
    pub(crate) fn attempts(&self) -> u64 {
        self.attempts.load(Ordering::Relaxed)
    }

    /// Deliveries with that outcome so far.
    pub(crate) fn counted(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize].load(Ordering::Relaxed)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // It is changed in single steps, so a panic elsewhere does not spoil it.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(n: usize) -> Arc<Delivery> {
        Arc::new(Delivery { id: n.to_string(), event: "complete", body: Bytes::new() })
    }

    #[tokio::test]
    async fn a_full_queue_gives_up_its_oldest_and_keeps_the_order() {
        let queue = Queue::default();
        for n in 0..WEBHOOK_QUEUE_MAX + 3 {
            assert_eq!(queue.push(delivery(n)), n >= WEBHOOK_QUEUE_MAX);
        }
        assert_eq!((queue.len(), queue.counted(Outcome::Overflowed)), (WEBHOOK_QUEUE_MAX, 3));
        queue.close();
        for n in 3..WEBHOOK_QUEUE_MAX + 3 {
            assert_eq!(queue.next().await, Some(delivery(n)));
        }
        assert_eq!((queue.next().await, queue.len()), (None, 0));
    }

    #[tokio::test]
    async fn who_waits_is_woken_by_an_event_and_by_the_end() {
        let queue = Arc::new(Queue::default());
        let waits = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { (queue.next().await, queue.next().await) }
        });
        queue.push(delivery(1));
        tokio::task::yield_now().await;
        queue.close();
        assert_eq!(waits.await.unwrap(), (Some(delivery(1)), None));
    }
}
