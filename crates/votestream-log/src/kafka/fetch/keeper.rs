//! The thread that keeps the metadata fresh: who leads which partition, and whether the topic still is the one that was opened.

use super::{Shared, broker};
use crate::error::LogError;
use crate::kafka::backoff::{Backoff, WAIT_FIRST};
use crate::kafka::client::Client;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Metadata older than this are read anew though nothing seems to have changed: a topic may have been given more partitions.
const METADATA_AGE_MAX: Duration = Duration::from_secs(30);

/// Refreshes `client` when it is needed, until the log is closed; starts a thread for each broker that is read from.
pub(super) fn run(shared: &Arc<Shared>, mut client: Client) {
    let mut backoff = Backoff::new();
    let mut running = BTreeSet::new();
    let mut read = Instant::now();
    loop {
        let Some(wanted) = shared.next_refresh(&mut running, read + METADATA_AGE_MAX) else { return };
        for node in wanted.nodes {
            let shared_there = Arc::clone(shared);
            let thread = std::thread::Builder::new().name(format!("kafka-fetch-{}", node.0));
            if let Err(error) = thread.spawn(move || broker::run(&shared_there, node)) {
                running.remove(&node);
                shared.metadata_failed(&LogError::Unreachable {
                    place: format!("broker {}", node.0),
                    what: format!("no thread could be started: {error}"),
                    next: "raise the limit on threads (ulimit -u)",
                });
                shared.pause(backoff.next_wait());
            }
        }
        if !wanted.refresh {
            continue;
        }
        match client.refresh() {
            Ok(()) => {
                read = Instant::now();
                shared.learn_leaders(&client);
                // Where the leaders are still not known it is asked again, ever less often.
                let wait = if shared.wants_metadata() { backoff.next_wait() } else { WAIT_FIRST };
                if !shared.wants_metadata() {
                    backoff.reset();
                }
                shared.pause(wait);
            }
            Err(
                error @ (LogError::TopicRecreated { .. }
                | LogError::Repartitioned { .. }
                | LogError::Refused { .. }),
            ) => {
                tracing::error!(topic = shared.topic, %error, "the topic cannot be read any more");
                shared.fail_all(&error);
                return;
            }
            Err(error) => {
                shared.metadata_failed(&error);
                shared.pause(backoff.next_wait());
            }
        }
    }
}
