//! The generated vote stream (`GET /api/stream_votes`): paces and sends what a generator that is handed in makes.
//! What an event says, and when there are no more, is the generator's business.

use crate::config::SourceConfig;
use crate::limits;
use crate::params::Params;
use crate::problem::Problem;
use crate::serve::{self, Connections};
use crate::shell;
use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderValue, header};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How fast a client wants events.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StreamRate {
    /// Events a second.
    PerSecond(f64),
    /// As fast as the client reads.
    Max,
}

/// What a client of the generated stream asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StreamRequest {
    /// How fast; pacing is done here, the generator need not look at it.
    pub rate: StreamRate,
    /// How many events at most; enforced here.
    pub limit: Option<u64>,
    /// `None`: the generator chooses.
    pub seed: Option<u64>,
}

/// Makes one client's events: each call appends one event's JSON, without a line end, and answers whether there was one.
pub type Events = Box<dyn FnMut(&mut Vec<u8>) -> bool + Send>;

/// Makes a client's generator. The same request with a seed makes the same events.
pub type EventSource = Arc<dyn Fn(StreamRequest) -> Events + Send + Sync>;

/// Serves the generated stream until `shutdown`.
pub async fn serve_source(
    listener: TcpListener,
    config: SourceConfig,
    source: EventSource,
    shutdown: CancellationToken,
) {
    let state = Arc::new(Source {
        events: source,
        clients: Arc::new(Semaphore::new(config.streams_max)),
        clients_max: config.streams_max,
        shutdown: shutdown.clone(),
    });
    let router = Router::new()
        .route("/", get(help))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/api/stream_votes", get(stream_votes))
        .fallback(shell::no_such_path)
        .method_not_allowed_fallback(shell::no_such_method)
        .layer(axum::middleware::from_fn(shell::guard))
        .with_state(state);
    // Beside the streams, some room for those that ask for help and health.
    let connections = Connections::new(config.streams_max.saturating_add(limits::REFUSALS_MAX));
    serve::run(listener, router, connections, shutdown).await;
}

struct Source {
    events: EventSource,
    clients: Arc<Semaphore>,
    clients_max: usize,
    shutdown: CancellationToken,
}

async fn help() -> &'static str {
    "generated votes: curl -N 'http://<this address>/api/stream_votes?rate=1000&limit=&seed=' (rate: events a second, or max)\n"
}

async fn stream_votes(
    State(state): State<Arc<Source>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let request = request(query.as_deref())?;
    let Ok(permit) = Arc::clone(&state.clients).try_acquire_owned() else {
        let detail = format!(
            "{} clients are being streamed to, which is the most; try again later",
            state.clients_max
        );
        return Err(Problem::unavailable("streams", detail));
    };
    let paced = Paced {
        events: (state.events)(request),
        pace: Pace::new(request.rate),
        left: request.limit.unwrap_or(u64::MAX),
        shutdown: state.shutdown.clone(),
        _permit: permit,
    };
    let body = Body::from_stream(futures_util::stream::unfold(paced, |mut paced| async move {
        paced.next().await.map(|chunk| (Ok::<_, Infallible>(chunk), paced))
    }));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// Reads `?rate=&limit=&seed=`.
fn request(query: Option<&str>) -> Result<StreamRequest, Problem> {
    let params = Params::parse(query, &["rate", "limit", "seed"])?;
    let rate = match params.text("rate") {
        None => StreamRate::PerSecond(limits::SOURCE_RATE),
        Some("max") => StreamRate::Max,
        Some(text) => match text.parse::<f64>() {
            Ok(rate) if (0.01..=limits::SOURCE_RATE_MAX).contains(&rate) => StreamRate::PerSecond(rate),
            _ => {
                let allowed = format!("events a second, 0.01 to {}, or max", limits::SOURCE_RATE_MAX);
                return Err(Problem::parameter("rate", format!("\"{text}\" is no such rate"), allowed));
            }
        },
    };
    let limit = params.number("limit", 0, u64::MAX)?;
    let seed = params.number("seed", 0, u64::MAX)?;
    Ok(StreamRequest { rate, limit, seed })
}

/// One client's stream: made only as fast as the client reads.
struct Paced {
    events: Events,
    pace: Pace,
    left: u64,
    shutdown: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

impl Paced {
    /// The next chunk of events; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if self.left == 0 {
            return None;
        }
        let due = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => return None,
            due = self.pace.due() => due,
        };
        let mut chunk = Vec::with_capacity(if due > 64 { limits::SOURCE_CHUNK_BYTES + 1_024 } else { 512 });
        let mut sent = 0;
        while sent < due.min(self.left) && chunk.len() < limits::SOURCE_CHUNK_BYTES {
            let start = chunk.len();
            chunk.extend_from_slice(b"data: ");
            if !(self.events)(&mut chunk) {
                chunk.truncate(start);
                self.left = sent;
                break;
            }
            chunk.extend_from_slice(b"\n\n");
            sent += 1;
        }
        self.left -= sent;
        self.pace.sent(sent);
        // An empty last chunk would be taken for an answer without end.
        (!chunk.is_empty()).then(|| Bytes::from(chunk))
    }
}

/// Says how many events are due, in batches of [`limits::SOURCE_TICK`].
struct Pace {
    rate: StreamRate,
    from: Instant,
    sent: u64,
}

impl Pace {
    fn new(rate: StreamRate) -> Self {
        Self { rate, from: Instant::now(), sent: 0 }
    }

    /// Waits until at least one event is due; answers how many are. The first is due at once.
    async fn due(&mut self) -> u64 {
        let StreamRate::PerSecond(rate) = self.rate else { return u64::MAX };
        loop {
            let passed = self.from.elapsed();
            let due = (passed.as_secs_f64() * rate).floor() as u64 + 1;
            let open = due.saturating_sub(self.sent);
            if open > rate as u64 + 1 {
                // The client read too slowly for a second: what it missed is not sent in one burst later.
                self.from = Instant::now();
                self.sent = 0;
                continue;
            }
            if open > 0 {
                return open;
            }
            let next = Duration::from_secs_f64(self.sent as f64 / rate).saturating_sub(passed);
            tokio::time::sleep(next.max(limits::SOURCE_TICK)).await;
        }
    }

    fn sent(&mut self, events: u64) {
        self.sent += events;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_and_refused_by_name() {
        let defaults = StreamRequest { rate: StreamRate::PerSecond(1_000.0), limit: None, seed: None };
        assert_eq!(request(None).unwrap(), defaults);
        let asked = StreamRequest { rate: StreamRate::Max, limit: Some(5), seed: Some(7) };
        assert_eq!(request(Some("rate=max&limit=5&seed=7")).unwrap(), asked);
        for (query, name) in [
            ("rate=0", "rate"),
            ("rate=fast", "rate"),
            ("rate=NaN", "rate"),
            ("limit=-1", "limit"),
            ("seed=x", "seed"),
            ("speed=1", "speed"),
        ] {
            assert_eq!(request(Some(query)).unwrap_err().parameter.as_deref(), Some(name), "{query}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_steady_rate_is_kept_and_no_burst_follows_a_pause() {
        let mut pace = Pace::new(StreamRate::PerSecond(1_000.0));
        let start = Instant::now();
        let mut sent = 0;
        while start.elapsed() < Duration::from_secs(10) {
            let due = pace.due().await;
            sent += due;
            pace.sent(due);
        }
        assert!((9_950..=10_050).contains(&sent), "{sent}");
        tokio::time::advance(Duration::from_mins(1)).await;
        assert!(pace.due().await <= 1_001);
    }
}
