//! Ctrl-C and SIGTERM: the first asks every loop to finish its flush, the second ends the process at once. While a command still starts, and
//! has begun nothing that must be finished, the first is enough: a server that does not answer is not waited for.

use anyhow::{Context, Result};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use votestream_engine::Shutdown;

/// How long a command that is told to stop while it starts has to end by itself.
const START_GRACE: Duration = Duration::from_secs(1);

/// A small runtime of its own thread that listens for signals for as long as the process lives.
pub fn listen() -> Result<Shutdown> {
    let (shutdown, starting) = listen_while_starting()?;
    starting.over();
    Ok(shutdown)
}

/// The same for a command that starts, to be called before it asks any server for anything.
pub fn listen_while_starting() -> Result<(Shutdown, Starting)> {
    let (shutdown, starting) = (Shutdown::new(), Starting(Arc::new(Mutex::new(true))));
    let told = (shutdown.clone(), Arc::clone(&starting.0));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the thread that listens for signals")?;
    let signals = {
        let _guard = runtime.enter();
        let interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
        (interrupt, signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?)
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || runtime.block_on(obey(signals, told)))
        .context("cannot start the thread that listens for signals")?;
    Ok((shutdown, starting))
}

/// A command that still starts: as long as this is there, it may be ended anywhere. What a start leaves half done the next one mends, as
/// after a kill.
pub struct Starting(Arc<Mutex<bool>>);

impl Starting {
    /// From now on what is begun is finished first.
    pub fn over(self) {
        drop(self);
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }
}

async fn obey(
    (mut interrupt, mut terminate): (Signal, Signal),
    (shutdown, starting): (Shutdown, Arc<Mutex<bool>>),
) {
    either(&mut interrupt, &mut terminate).await;
    tracing::info!("stopping: finishing what is begun; once more to stop at once");
    shutdown.raise();
    let again = either(&mut interrupt, &mut terminate);
    tokio::pin!(again);
    if tokio::time::timeout(START_GRACE, &mut again).await.is_err() {
        end_if(&starting);
        again.await;
    }
    std::process::exit(130);
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Ends the process where it still starts. It cannot get beyond that meanwhile: that would need the lock.
fn end_if(starting: &Mutex<bool>) {
    let starting = starting.lock().unwrap_or_else(PoisonError::into_inner);
    if *starting {
        tracing::info!("stopped while it was starting; nothing was begun");
        std::process::exit(0);
    }
}
