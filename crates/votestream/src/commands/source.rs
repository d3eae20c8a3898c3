//! `source`: generated votes as an event stream, endless, for any number of clients.

use crate::args::Source as Args;
use crate::commands::{now, random};
use crate::{Outcome, contest, listen, signals};
use anyhow::{Context, Result};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use votestream_election::Election;
use votestream_engine::Shutdown;
use votestream_server::{EventSource, SourceConfig, serve_source};
use votestream_sim::Source;

/// Runs the command.
pub fn run(args: &Args) -> Result<Outcome> {
    let election = contest::defined(&args.election)?;
    let events = events(&election)?;
    let listener = listen::bind(Some(args.listen), 5000, "--listen")?;
    let shutdown = signals::listen()?;
    tracing::info!("votes at http://{}/api/stream_votes", listener.local_addr()?);
    let runtime = runtime()?;
    runtime.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        serve_source(listener, SourceConfig::default(), events, cancelled_by(&shutdown)).await;
        anyhow::Ok(())
    })?;
    Ok(Outcome::Done)
}

/// Makes each client its own stream; a seed makes it the same one again.
pub fn events(election: &Election) -> Result<EventSource> {
    let source = Source::new(election)?;
    Ok(Arc::new(move |request| {
        let mut stream = source.stream(request.seed.unwrap_or_else(random));
        Box::new(move |out: &mut Vec<u8>| {
            out.extend_from_slice(stream.next_event(now()));
            true
        })
    }))
}

/// The runtime of the servers.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("server")
        .enable_all()
        .build()
        .context("cannot start the threads of the server")
}

/// A token that is cancelled when `shutdown` is raised.
pub fn cancelled_by(shutdown: &Shutdown) -> CancellationToken {
    let token = CancellationToken::new();
    let (cancel, shutdown) = (token.clone(), shutdown.clone());
    std::thread::spawn(move || {
        while !shutdown.wait(std::time::Duration::from_hours(1)) {}
        cancel.cancel();
    });
    token
}
