//! Waiting for clients that answer when they like: a runtime of their own, and a bound on every operation.

use super::{PlaceError, Trouble};
use std::time::Duration;
#[cfg(feature = "hdfs")]
use tokio::runtime::Handle;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// What it may take on top for each of these many bytes: half a MiB a second.
const STEP_BYTES: u64 = 1 << 19;

/// After so long without an answer that is told.
const SILENCE: Duration = Duration::from_secs(10);

/// After a stop was asked for, what is under way or begun has this long left.
const HURRY: Duration = Duration::from_secs(5);

/// Threads of a client's runtime: they wait more than they work.
const THREADS: usize = 2;

/// Where a client runs, and how long it is waited for.
#[derive(Debug)]
pub struct Waits {
    runtime: Runtime,
    patience: Duration,
    hurried: watch::Sender<bool>,
}

impl Waits {
    /// Threads for a client, whose operations may take `patience` at most, and more for many bytes.
    pub fn new(patience: Duration) -> Result<Self, PlaceError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("archive-client")
            .enable_all()
            .build()
            .map_err(|error| PlaceError {
                act: "reach",
                name: "the archive".to_owned(),
                what: format!("threads for its client cannot be started: {error}"),
                trouble: Trouble::Other,
            })?;
        Ok(Self { runtime, patience, hurried: watch::Sender::new(false) })
    }

    /// Where a client may spawn what it does by itself.
    #[cfg(feature = "hdfs")]
    pub fn handle(&self) -> Handle {
        self.runtime.handle().clone()
    }

    /// From now on nothing is waited for any longer than [`HURRY`], and what many bytes take on top.
    pub fn hurry(&self) {
        self.hurried.send_replace(true);
    }

    /// Carries an operation on `bytes` out, within bounds.
    pub fn within<T>(
        &self,
        (act, name, bytes): (&'static str, &str, u64),
        operation: impl Future<Output = Result<T, PlaceError>>,
    ) -> Result<T, PlaceError> {
        let more = Duration::from_secs(bytes / STEP_BYTES);
        let (patience, silence) = (self.patience + more, self.patience.min(SILENCE) + more);
        let waited = async {
            let mut operation = std::pin::pin!(operation);
            if let Ok(done) = timeout(silence, &mut operation).await {
                return Ok(done);
            }
            let left = patience.saturating_sub(silence);
            if !left.is_zero() {
                tracing::warn!(
                    "the archive's storage has not answered for {} s to {act} '{name}'; it is waited for {} s more",
                    silence.as_secs(),
                    left.as_secs()
                );
            }
            timeout(left, operation).await.map_err(|_| format!("no answer within {} s", patience.as_secs()))
        };
        let mut hurried = self.hurried.subscribe();
        let hurry = async {
            // Cannot fail: the sender is ours.
            let _ = hurried.wait_for(|hurried| *hurried).await;
            sleep(HURRY + more).await;
            format!("no answer within {} s after it was told to stop", (HURRY + more).as_secs())
        };
        let done = self.runtime.block_on(async {
            tokio::select! {
                done = waited => done,
                late = hurry => Err(late),
            }
        });
        done.unwrap_or_else(|what| {
            Err(PlaceError { act, name: name.to_owned(), what, trouble: Trouble::Away })
        })
    }
}

/// The first line of a message: servers send whole stack traces.
pub fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}
