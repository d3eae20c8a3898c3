//! `GET /api/live`: the newest results, as server-sent events. Every event is a full snapshot, made once and shared by all clients.
//!
//! A client that reads slowly gets fewer snapshots, never old ones; one that does not read at all is dropped. Neither slows others:
//! each has only its own place in the shared feed.

use crate::app::App;
use crate::event::{Coder, Event};
use crate::feed::Watching;
use crate::limits::{LIVE_HZ, LIVE_KEEP_ALIVE, LIVE_LAG_MAX};
use crate::params::Params;
use crate::problem::Problem;
use crate::respond::{accepts, accepts_gzip};
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
/// Compressed for those who take gzip. In quiet times a comment comes every few seconds. The stream ends when the server stops: reconnect.
#[utoipa::path(
    get, path = "/api/live", tag = "results",
    params(
        ("format" = Option<String>, Query, description = "what events say: json (the default) or csv, as /api/live.csv"),
        ("hz" = Option<f64>, Query, description = "most snapshots a second, 1 to 20; 4 without"),
        ("election" = Option<String>, Query, description = "the election's id; needed only where the server shows several"),
        ("Last-Event-ID" = Option<u64>, Header, description = "the sequence that the client has"),
    ),
    responses(
        (status = 200, description = "the stream; with Accept: text/csv what /api/live.csv says", body = Results, content_type = "text/event-stream"),
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
    let params = Params::parse(query.as_deref(), &["hz", "format", "election"])?;
    let form = form(&params)?;
    if form.is_none() && wants_csv(&headers) {
        let view = app.feeds.newest(params.text("election")).await?;
        let mut response = view.csv().answer.respond(&headers);
        response
            .headers_mut()
            .insert(header::VARY, HeaderValue::from_static("accept, accept-encoding, origin"));
        return Ok(response);
    }
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
    let gzip = accepts_gzip(&headers);
    let stream = LiveStream {
        seen: last_event(&headers),
        form: form.unwrap_or(Form::Json),
        watching,
        interval: Duration::from_secs_f64(1.0 / hz),
        shown: view,
        shown_at: Instant::now(),
        coder: Coder::new(gzip),
        stage: Stage::Opens,
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
    headers.insert(header::VARY, HeaderValue::from_static("accept, accept-encoding, origin"));
    if gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The newest results as one CSV document, for graphics systems that poll: one row a candidate, of the whole election (`region` is empty),
/// then of each public region.
///
/// A text that a spreadsheet would take for a formula has an apostrophe before it.
#[utoipa::path(
    get, path = "/api/live.csv", tag = "results",
    params(("election" = Option<String>, Query, description = "the election's id; needed only where the server shows several")),
    responses(
        (status = 200, description = "RFC 4180, UTF-8, with a header", body = String, content_type = "text/csv"),
        (status = 304, description = "If-None-Match names this state"),
        (status = 400, description = "a parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such election", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "nothing counted yet, or the store cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn live_csv(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let params = Params::parse(query.as_deref(), &["election"])?;
    let view = app.feeds.newest(params.text("election")).await?;
    Ok(view.csv().answer.respond(&headers))
}

/// What the events of a stream say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Csv,
}

fn form(params: &Params) -> Result<Option<Form>, Problem> {
    match params.text("format") {
        None => Ok(None),
        Some("json") => Ok(Some(Form::Json)),
        Some("csv") => Ok(Some(Form::Csv)),
        Some(other) => {
            Err(Problem::parameter("format", format!("there is no format \"{other}\" here"), "json, csv"))
        }
    }
}

/// Asks for CSV by name, and not for a stream.
fn wants_csv(headers: &HeaderMap) -> bool {
    let names = |kind: &'static str| accepts(headers, &header::ACCEPT, move |accepted| accepted == kind);
    names("text/csv") && !names("text/event-stream")
}

/// The sequence that a client that reconnects has already.
fn last_event(headers: &HeaderMap) -> Option<u64> {
    headers.get("last-event-id")?.to_str().ok()?.trim().parse().ok()
}

/// One client's place in the feed.
struct LiveStream {
    /// What the client had before it reconnected.
    seen: Option<u64>,
    form: Form,
    watching: Watching,
    interval: Duration,
    coder: Coder,
    stage: Stage,
    /// What was shown last; before anything was, what will be shown first.
    shown: Arc<View>,
    shown_at: Instant,
    /// When the last chunk was handed over.
    handed: Instant,
    shutdown: CancellationToken,
    app: Arc<App>,
    _permit: OwnedSemaphorePermit,
}

/// How far a stream is.
#[derive(Clone, Copy)]
enum Stage {
    Opens,
    Flows,
    Ended,
}

impl LiveStream {
    /// The next chunk; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Bytes> {
        match self.stage {
            Stage::Opens => {
                self.stage = Stage::Flows;
                return Some(self.open());
            }
            Stage::Flows => {}
            Stage::Ended => return None,
        }
        if self.handed.elapsed() > LIVE_LAG_MAX {
            // The chunk before took so long to be read: the client is as good as gone.
            self.app.counters.live_dropped();
            return None;
        }
        let keep_alive = self.handed + LIVE_KEEP_ALIVE;
        let event = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => return self.end(),
            view = newer(&self.app, &mut self.watching, &self.shown, self.shown_at + self.interval) => {
                match view {
                    Some(view) => self.show(view),
                    None => return self.end(),
                }
            }
            () = tokio::time::sleep_until(keep_alive) => Event::still_here(),
        };
        self.handed = Instant::now();
        Some(self.coder.add(&event))
    }

    /// The last chunk, where there is one.
    fn end(&mut self) -> Option<Bytes> {
        self.stage = Stage::Ended;
        self.coder.end()
    }

    /// The first chunk: how long to wait before reconnecting, and the snapshot unless the client has it.
    fn open(&mut self) -> Bytes {
        self.handed = Instant::now();
        let event = if self.seen == Some(self.shown.snapshot.sequence) {
            Event::up_to_date()
        } else {
            self.show(Arc::clone(&self.shown))
        };
        let (start, retry) = (self.coder.start(), self.coder.add(&Event::retry()));
        Bytes::from([start, retry, self.coder.add(&event)].concat())
    }

    fn show(&mut self, view: Arc<View>) -> Event {
        self.app.counters.live_snapshot();
        self.shown_at = Instant::now();
        let event = match self.form {
            Form::Json => view.event.clone(),
            Form::Csv => view.csv().event.clone(),
        };
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
