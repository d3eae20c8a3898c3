//! From a listener to answered requests: the accept loop, the bounds on connections and times, and the end of it all.
//! What is answered is the routers' business.

use crate::io::StallGuard;
use crate::limits;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// How many connections there may be, and how many there are.
#[derive(Clone)]
pub(crate) struct Connections {
    max: usize,
    permits: Arc<Semaphore>,
    refused: Arc<AtomicUsize>,
}

impl Connections {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, permits: Arc::new(Semaphore::new(max)), refused: Arc::default() }
    }

    /// Connections being served.
    pub(crate) fn open(&self) -> usize {
        self.max - self.permits.available_permits()
    }

    /// Connections refused since the start because of the bound.
    pub(crate) fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }
}

/// Serves `router` until `shutdown`; then takes no new connection, lets requests in flight finish for
/// [`limits::SHUTDOWN_TIME_MAX`], and returns. Streams must end by themselves on `shutdown`.
pub(crate) async fn run(
    listener: TcpListener,
    router: Router,
    connections: Connections,
    shutdown: CancellationToken,
) {
    let tracker = TaskTracker::new();
    let abandon = CancellationToken::new();
    let refusals = Arc::new(Semaphore::new(limits::REFUSALS_MAX));
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    pause_after(&error).await;
                    continue;
                }
            },
            () = shutdown.cancelled() => break,
        };
        let Ok(permit) = Arc::clone(&connections.permits).try_acquire_owned() else {
            connections.refused.fetch_add(1, Ordering::Relaxed);
            if let Ok(turn) = Arc::clone(&refusals).try_acquire_owned() {
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(Duration::from_secs(2), refuse(stream)).await;
                    drop(turn);
                });
            }
            continue;
        };
        let connection = connection(stream, router.clone(), shutdown.clone(), abandon.clone());
        tracker.spawn(async move {
            connection.await;
            drop(permit);
        });
    }
    drop(listener);
    tracker.close();
    if tokio::time::timeout(limits::SHUTDOWN_TIME_MAX, tracker.wait()).await.is_err() {
        warn!(connections = tracker.len(), "requests did not finish in time; closing their connections");
        abandon.cancel();
        tracker.wait().await;
    }
}

/// Serves one connection to its end.
async fn connection(
    stream: TcpStream,
    router: Router,
    shutdown: CancellationToken,
    abandon: CancellationToken,
) {
    // Neither is needed for an answer to be right.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_send_buffer_size(limits::SEND_BUFFER_BYTES);
    let io = TokioIo::new(StallGuard::new(stream, limits::WRITE_STALL_MAX));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEAD_TIME_MAX)
        .max_buf_size(limits::HEAD_BYTES_MAX)
        .serve_connection(io, TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                served = connection.as_mut() => served,
                () = abandon.cancelled() => return,
            }
        }
    };
    if let Err(error) = served {
        debug!(error = &error as &dyn std::error::Error, "connection ended early");
    }
}

/// Tells a client that there is no room, as problem details, and closes.
async fn refuse(mut stream: TcpStream) -> io::Result<()> {
    const BODY: &str = "{\"type\":\"/docs#connections\",\"title\":\"not available now\",\"status\":503,\
        \"detail\":\"the server has as many connections as it takes; try again in a moment\"}";
    // Read what was sent, so that closing does not reset the connection before the answer is read.
    let mut head = [0_u8; 4096];
    let _ = stream.read(&mut head).await?;
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\
         retry-after: {}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n{BODY}",
        BODY.len(),
        limits::RETRY_AFTER_S,
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// After a failed accept: a client that gave up is nothing; a lack of descriptors needs a breath.
async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        return;
    }
    warn!(
        error = error as &dyn std::error::Error,
        "cannot accept a connection; raise the limit of open files if this goes on"
    );
    tokio::time::sleep(Duration::from_millis(50)).await;
}
