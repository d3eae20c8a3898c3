//! Ctrl-C and SIGTERM: the first asks every loop to finish its flush, the second ends the process at once.

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use votestream_engine::Shutdown;

/// A small runtime of its own thread that listens for signals for as long as the process lives.
pub fn listen() -> Result<Shutdown> {
    let shutdown = Shutdown::new();
    let raised = shutdown.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the thread that listens for signals")?;
    let (mut interrupt, mut terminate) = {
        let _guard = runtime.enter();
        let interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
        (interrupt, signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?)
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            runtime.block_on(async move {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                    }
                    if raised.is_raised() {
                        std::process::exit(130);
                    }
                    tracing::info!("stopping: finishing what is begun; once more to stop at once");
                    raised.raise();
                }
            });
        })
        .context("cannot start the thread that listens for signals")?;
    Ok(shutdown)
}
