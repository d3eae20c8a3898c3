//! `GET /api/live`: the newest results, as server-sent events. Every event is a full snapshot, made once and shared by all clients.
//!
//! A client that reads slowly gets fewer snapshots, never old ones; one that does not read at all is dropped. Neither slows others:
//! each has only its own place in the shared feed.

use crate::app::App;
use crate::feed::Watching;
use crate::limits::{LIVE_HZ, LIVE_KEEP_ALIVE, LIVE_LAG_MAX, LIVE_RETRY};
use crate::params::Params;
use crate::problem::Problem;
use crate::view::View;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use votestream_election::results::Results;

/// Live results, as server-sent events: each a full snapshot, the same object as `GET /api/results`, with its sequence as id.
///
/// The first comes at once, unless Last-Event-ID says that the client has it; then one on each change, at most `hz` a second.
/// In quiet times a comment comes every few seconds. The stream ends when the server stops: reconnect.
#[utoipa::path(
    get, path = "/api/live", tag = "results",
    params(
        ("hz" = Option<f64>, Query, description = "most snapshots a second, 1 to 20; 4 without"),
        ("election" = Option<String>, Query, description = "the election's id; needed only where the server shows several"),
        ("Last-Event-ID" = Option<u64>, Header, description = "the sequence that the client has"),
    ),
    responses(
        (status = 200, description = "the stream", body = Results, content_type = "text/event-stream"),
        (status = 400, description = "a parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such election", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "too many streams, nothing counted yet, or the store cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn live(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let params = Params::parse(query.as_deref(), &["hz", "election"])?;
    let hz = params.number("hz", LIVE_HZ.0, LIVE_HZ.1)?.unwrap_or(LIVE_HZ.2);
    let Ok(permit) = Arc::clone(&app.live).try_acquire_owned() else {
        let detail = format!(
            "{} pages are being streamed to, which is the most; poll /api/results instead",
            app.config.live_streams_max
        );
        return Err(Problem::unavailable("streams", detail));
    };
    let view = app.feeds.newest(params.text("election")).await?;
    let watching = app.feeds.watch();
    let stream = LiveStream {
        seen: last_event(&headers),
        watching,
        interval: Duration::from_secs_f64(1.0 / hz),
        shown: view,
        shown_at: Instant::now(),
        opened: false,
        handed: Instant::now(),
        shutdown: app.shutdown.clone(),
        app: Arc::clone(&app),
        _permit: permit,
    };
    let body = Body::from_stream(futures_util::stream::unfold(stream, |mut stream| async move {
        stream.next().await.map(|chunk| (Ok::<_, Infallible>(chunk), stream))
    }));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The sequence that a client that reconnects has already.
fn last_event(headers: &HeaderMap) -> Option<u64> {
    headers.get("last-event-id")?.to_str().ok()?.trim().parse().ok()
}

/// One client's place in the feed.
struct LiveStream {
    /// What the client had before it reconnected.
    seen: Option<u64>,
    watching: Watching,
    interval: Duration,
    /// What was shown last; before `opened`, what will be shown first.
    shown: Arc<View>,
    shown_at: Instant,
    opened: bool,
    /// When the last chunk was handed over.
    handed: Instant,
    shutdown: CancellationToken,
    app: Arc<App>,
    _permit: OwnedSemaphorePermit,
}

impl LiveStream {
    /// The next chunk; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Bytes> {
        if !std::mem::replace(&mut self.opened, true) {
            return Some(self.open());
        }
        if self.handed.elapsed() > LIVE_LAG_MAX {
            // The chunk before took so long to be read: the client is as good as gone.
            self.app.counters.live_dropped();
            return None;
        }
        let keep_alive = self.handed + LIVE_KEEP_ALIVE;
        let chunk = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => return None,
            view = newer(&self.app, &mut self.watching, &self.shown, self.shown_at + self.interval) => {
                let view = view?;
                self.show(view)
            }
            () = tokio::time::sleep_until(keep_alive) => Bytes::from_static(b": still here\n\n"),
        };
        self.handed = Instant::now();
        Some(chunk)
    }

    /// The first chunk: how long to wait before reconnecting, and the snapshot unless the client has it.
    fn open(&mut self) -> Bytes {
        self.handed = Instant::now();
        let retry = format!("retry: {}\n", LIVE_RETRY.as_millis());
        if self.seen == Some(self.shown.snapshot.sequence) {
            // Not an event: the page keeps what it has.
            return Bytes::from(format!("{retry}\n: up to date\n\n"));
        }
        let event = self.show(Arc::clone(&self.shown));
        Bytes::from([retry.as_bytes(), &event].concat())
    }

    fn show(&mut self, view: Arc<View>) -> Bytes {
        self.app.counters.live_snapshot();
        self.shown_at = Instant::now();
        let event = view.event.clone();
        self.shown = view;
        event
    }
}

/// Waits until the client may have another snapshot, then for one that is newer than `shown`. `None`: there will be none.
async fn newer(app: &App, watching: &mut Watching, shown: &View, from: Instant) -> Option<Arc<View>> {
    tokio::time::sleep_until(from).await;
    loop {
        // Before asking, so that a commit after the answer is not missed.
        watching.commits.borrow_and_update();
        match app.feeds.next(shown).await {
            Ok(view) if !view.is_of(&shown.snapshot) => return Some(view),
            // Nothing newer, or the store cannot be read now: both end with a commit that is noticed.
            Ok(_) | Err(_) => watching.commits.changed().await.ok()?,
        }
    }
}
