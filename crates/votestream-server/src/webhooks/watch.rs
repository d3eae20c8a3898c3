//! The task that looks: at the newest public results of every election shown, twice a second; what the detector says is put into
//! every receiver's queue. Nothing here waits for a receiver.

use super::WebhookConfig;
use super::deliver::Receiver;
use super::detect::{Detector, Look};
use super::event::{Event, body, delivery_id};
use super::queue::{Delivery, Queue};
use crate::app::App;
use crate::limits::{WEBHOOK_DRAIN_MAX, WEBHOOK_ELECTIONS_MAX, WEBHOOK_LOOK};
use crate::view::View;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{error, info, warn};
use votestream_election::results::Results;
use votestream_election::results::millis_text;

/// Looks and delivers until the shutdown; then looks once more and gives what waits a moment to be delivered.
pub(crate) async fn run(app: Arc<App>, config: WebhookConfig, queues: Vec<Arc<Queue>>) {
    let mut receivers = JoinSet::new();
    for ((number, target), queue) in (1..).zip(&config.targets).zip(&queues) {
        info!(hook = number, to = %target, "events are posted");
        let receiver = Receiver {
            number,
            target: target.clone(),
            queue: Arc::clone(queue),
            secret: config.secret.clone(),
            tls: config.tls.clone(),
            clock: Arc::clone(&app.clock),
        };
        receivers.spawn(receiver.run());
    }
    let begun = Instant::now();
    let mut watch = Watch { app, config, queues, begun, seen: HashMap::new(), failing: false };
    let mut ticks = tokio::time::interval(WEBHOOK_LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let shutdown = watch.app.shutdown.clone();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.cancelled() => break,
        }
        watch.look().await;
    }
    watch.look().await;
    watch.queues.iter().for_each(|queue| queue.close());
    let drained = async { while receivers.join_next().await.is_some() {} };
    if tokio::time::timeout(WEBHOOK_DRAIN_MAX, drained).await.is_err() {
        let events: usize = watch.queues.iter().map(|queue| queue.len()).sum();
        warn!(events, "webhooks were not delivered before the end; these events are dropped");
    }
}

struct Watch {
    app: Arc<App>,
    config: WebhookConfig,
    queues: Vec<Arc<Queue>>,
    begun: Instant,
    /// By election.
    seen: HashMap<String, Seen>,
    /// The last look could not read the store.
    failing: bool,
}

/// An election that was looked at.
struct Seen {
    detector: Detector,
    /// The newest view; what is told while the store cannot be read is told of it.
    view: Arc<View>,
}

impl Watch {
    async fn look(&mut self) {
        let now = self.begun.elapsed();
        let elections = self.elections().await;
        self.failing = false;
        for id in elections {
            let told = if let Ok(view) = self.app.feeds.newest(Some(&id)).await {
                // Where counting has died, only the log tells what waits.
                let waiting = self.app.waiting(&view).await;
                self.seen(now, &view, waiting)
            } else {
                self.failing = true;
                self.blind(now, &id)
            };
            for (event, view) in told {
                self.tell(&event, &view.results);
            }
        }
    }

    /// The elections to look at: the one that is shown, or all of the store; those known, while it cannot be read.
    async fn elections(&self) -> Vec<String> {
        if let Some(id) = &self.app.election_id {
            return vec![id.clone()];
        }
        if self.failing && !self.seen.is_empty() {
            return self.seen.keys().cloned().collect();
        }
        match self.app.readers.read(votestream_store::ReaderStore::elections).await {
            Ok(heads) => heads.into_iter().map(|head| head.id).take(WEBHOOK_ELECTIONS_MAX).collect(),
            Err(_) => self.seen.keys().cloned().collect(),
        }
    }

    fn seen(&mut self, now: Duration, view: &Arc<View>, waiting: u64) -> Vec<(Event, Arc<View>)> {
        let progress = &view.snapshot.progress;
        let reported = self.app.health.as_ref().map_or(0, |health| health.borrow().backlog);
        let look = Look {
            results: &view.results,
            records: progress.iter().map(|p| p.counted + p.duplicate + p.rejected).sum(),
            backlog: waiting.max(reported),
        };
        let events = match self.seen.get_mut(view.election_id()) {
            Some(seen) if seen.view.snapshot.store_uuid == view.snapshot.store_uuid => {
                seen.view = Arc::clone(view);
                seen.detector.look(now, &look)
            }
            // Seen for the first time, or another store than before: telling begins here.
            _ => {
                let detector = Detector::new(self.config.rules, now, &look);
                let id = view.election_id().to_owned();
                info!(
                    election = id,
                    sequence = view.results.sequence,
                    "webhooks tell what happens from here on"
                );
                self.seen.insert(id, Seen { detector, view: Arc::clone(view) });
                Vec::new()
            }
        };
        events.into_iter().map(|event| (event, Arc::clone(view))).collect()
    }

    fn blind(&mut self, now: Duration, id: &str) -> Vec<(Event, Arc<View>)> {
        let Some(seen) = self.seen.get_mut(id) else { return Vec::new() };
        seen.detector.blind(now).map(|event| (event, Arc::clone(&seen.view))).into_iter().collect()
    }

    fn tell(&self, event: &Event, results: &Results) {
        let name = event.name();
        let body = match body(event, results, &millis_text((self.app.clock)())) {
            Ok(body) => Bytes::from(body),
            Err(failed) => {
                error!(error = &failed as &dyn std::error::Error, event = name, "cannot encode an event");
                return;
            }
        };
        let delivery = Arc::new(Delivery { id: delivery_id(&body), event: name, body });
        for (number, queue) in (1..).zip(&self.queues) {
            if queue.push(Arc::clone(&delivery)) {
                let hook: usize = number;
                warn!(hook, "a webhook's receiver is too slow; its oldest event is dropped");
            }
        }
    }
}
