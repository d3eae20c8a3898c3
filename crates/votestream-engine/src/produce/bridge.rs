//! Another server's event stream into the log: connects, reads, and connects again with growing pauses. A server that ends its stream
//! has reached its end; one that breaks off is tried again.

use super::batcher::Batcher;
use super::format::Format;
use super::ingest::{IngestOptions, IngestSummary, RejectList, ingest_reader};
use crate::{EngineError, Shutdown};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use votestream_election::Election;

/// How to reach the stream.
pub struct BridgeOptions {
    /// `http://host[:port]/path`.
    pub url: String,
    /// Shortest pause before connecting again; doubles up to [`BridgeOptions::pause_max`].
    pub pause_min: Duration,
    /// Longest pause.
    pub pause_max: Duration,
    /// Failures in a row after which it gives up; `None`: never.
    pub attempts_max: Option<u32>,
}

/// Longest wait for a connection and for the answer's head.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Chunks under way between the network and the log.
const CHUNKS_MAX: usize = 64;

/// Why an attempt ended, when not by the stream's own end.
enum Broken {
    /// Trying again may help.
    Lost(String),
    /// It will not.
    Refused(String),
}

/// Follows the stream until it ends or `shutdown` is raised.
pub fn bridge(
    options: &BridgeOptions,
    election: &Election,
    batcher: &mut Batcher,
    rejects: &mut RejectList,
    ingest: &IngestOptions,
    (shutdown, progress): (&Shutdown, &dyn Fn(u64, u64)),
) -> Result<IngestSummary, EngineError> {
    let refused = |what: String| EngineError::Format { name: options.url.clone(), what };
    let uri: Uri = options.url.parse().map_err(|error| refused(format!("is not an address: {error}")))?;
    if uri.scheme_str() != Some("http") || uri.host().is_none() {
        return Err(refused("is not an http:// address; https is not read, put the log beside the source or a TLS proxy between".into()));
    }
    let ingest = IngestOptions { format: ingest.format.or(Some(Format::Sse)), ..*ingest };
    let mut total = IngestSummary::default();
    let (mut pause, mut failures) = (options.pause_min, 0_u32);
    while !shutdown.is_raised() {
        let (sender, receiver) = sync_channel(CHUNKS_MAX);
        let broken = std::thread::scope(|scope| {
            let network = scope.spawn(|| fetch(&uri, sender, shutdown));
            let reader = Box::new(Chunks { receiver, left: Bytes::new() });
            let summary = ingest_reader(
                (&options.url, reader),
                election,
                batcher,
                rejects,
                &ingest,
                (shutdown, progress),
            )?;
            total.add(&summary);
            let broken =
                network.join().unwrap_or_else(|_| Err(Broken::Refused("the network thread failed".into())));
            if summary.records > 0 {
                (pause, failures) = (options.pause_min, 0);
            }
            Ok::<_, EngineError>(broken)
        })?;
        match broken {
            Ok(()) => {
                total.finished = true;
                break;
            }
            Err(Broken::Refused(what)) => return Err(refused(what)),
            Err(Broken::Lost(what)) => {
                failures += 1;
                if options.attempts_max.is_some_and(|max| failures >= max) {
                    return Err(refused(format!(
                        "cannot be read: {what}; tried {failures} times, is the server running?"
                    )));
                }
                tracing::warn!(
                    url = options.url,
                    pause_ms = pause.as_millis(),
                    "the stream was lost ({what}); connecting again"
                );
                shutdown.wait(pause);
                pause = (pause * 2).min(options.pause_max);
            }
        }
    }
    Ok(total)
}

/// One connection, read to its end; `sender` is dropped with it.
fn fetch(uri: &Uri, sender: SyncSender<Bytes>, shutdown: &Shutdown) -> Result<(), Broken> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Broken::Refused(format!("cannot be read: {error}")))?;
    runtime.block_on(stream(uri, sender, shutdown))
}

async fn stream(uri: &Uri, sender: SyncSender<Bytes>, shutdown: &Shutdown) -> Result<(), Broken> {
    let lost = |error: &dyn std::fmt::Display| Broken::Lost(error.to_string());
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let connect = tokio::net::TcpStream::connect((host, uri.port_u16().unwrap_or(80)));
    let socket =
        tokio::time::timeout(CONNECT_MAX, connect).await.map_err(|e| lost(&e))?.map_err(|e| lost(&e))?;
    let (mut client, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(|e| lost(&e))?;
    let connection = tokio::spawn(connection);
    let request = Request::get(uri.path_and_query().map_or("/", |p| p.as_str()))
        .header("host", uri.authority().map_or("", |a| a.as_str()))
        .header("accept", "text/event-stream")
        .body(Empty::<Bytes>::new())
        .map_err(|e| Broken::Refused(e.to_string()))?;
    let answer = tokio::time::timeout(CONNECT_MAX, client.send_request(request)).await;
    let answer = answer.map_err(|e| lost(&e))?.map_err(|e| lost(&e))?;
    match answer.status() {
        StatusCode::OK => {}
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            return Err(lost(&status));
        }
        status => {
            return Err(Broken::Refused(format!("answers {status}; is it the address of an event stream?")));
        }
    }
    let mut body = answer.into_body();
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            () = tokio::time::sleep(Duration::from_millis(100)) => {
                if shutdown.is_raised() { break }
                continue;
            }
        };
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|e| lost(&e))?;
        if let Ok(data) = frame.into_data()
            && sender.send(data).is_err()
        {
            break;
        }
    }
    connection.abort();
    Ok(())
}

/// The chunks as a reader; its end is the end of the connection.
struct Chunks {
    receiver: Receiver<Bytes>,
    left: Bytes,
}

impl Read for Chunks {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.left.is_empty() {
            match self.receiver.recv() {
                Ok(next) => self.left = next,
                Err(_) => return Ok(0),
            }
        }
        let n = self.left.len().min(into.len());
        into[..n].copy_from_slice(&self.left.split_to(n));
        Ok(n)
    }
}
