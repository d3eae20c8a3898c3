//! `GET /api/engine`: how counting is doing, and how many watch; for the page's health section.

use super::newest;
use crate::app::App;
use crate::params::Params;
use crate::problem::Problem;
use axum::Json;
use axum::extract::{RawQuery, State};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;
use utoipa::ToSchema;
use votestream_election::health::EngineHealth;

/// What `GET /api/engine` says.
#[derive(Serialize, ToSchema)]
pub(crate) struct EngineAnswer {
    /// The engine's last report; null where none runs in this process. What follows is also told where counting runs elsewhere, as far
    /// as the store and the log tell it.
    engine: Option<EngineReport>,
    /// Live streams open now.
    viewers: usize,
    /// Records in the log that are not counted yet: as the engine here says, else as the log at hand says, else as far as the store knows.
    /// Null while a region is withheld, without the token.
    backlog: Option<u64>,
    /// Records counted a second: as the engine here says over the last few seconds, else as successive public answers say over the last
    /// 15 s; null until there are two of them. While a region is withheld, without the token, only public records are told.
    records_per_s: Option<f64>,
    /// From a record's arrival in the log to its commit, median, in milliseconds; null where no engine runs here.
    commit_p50_ms: Option<f64>,
    /// The same, 99th percentile.
    commit_p99_ms: Option<f64>,
    /// Threads that decide; null where no engine runs here.
    workers: Option<u32>,
    /// Wall clock of the newest commit, RFC 3339; null before the first.
    last_commit: Option<String>,
}

/// One report of the counting engine.
#[derive(Serialize, ToSchema)]
pub(crate) struct EngineReport {
    /// Records counted a second, over the last few seconds; null while a region is withheld, without the token.
    records_per_s: Option<f64>,
    /// From a record's arrival in the log to its commit, median, in milliseconds; null before the first measurement.
    commit_p50_ms: Option<f64>,
    /// The same, 99th percentile.
    commit_p99_ms: Option<f64>,
    /// Records in the log that are not counted yet; null in the same case.
    backlog: Option<u64>,
    /// Threads that decide.
    workers: u32,
    /// Voters remembered in memory; null in the same case.
    voters: Option<u64>,
    /// Bytes of memory that remembering them takes; null in the same case.
    voters_bytes: Option<u64>,
    /// Why counting is paused, when it is.
    paused: Option<String>,
}

/// How counting is doing.
#[utoipa::path(
    get, path = "/api/engine", tag = "operating",
    security((), ("token" = [])),
    params(("election" = Option<String>, Query, description = "the election's id; needed only where the server shows several")),
    responses(
        (status = 200, description = "the engine's report", body = EngineAnswer),
        (status = 400, description = "a parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such election", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "nothing counted yet, or the store cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn engine(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<([(HeaderName, HeaderValue); 1], Json<EngineAnswer>), Problem> {
    let params = Params::parse(query.as_deref(), &["election"])?;
    let view = newest(&app, &params).await?;
    // Speed and backlog are of all records: with what is public, they would tell how many are withheld.
    let open = view.results.withheld == 0 || app.bears_token(&headers);
    let here = app.health.as_ref().filter(|_| app.has_log_of(view.election_id()));
    let engine = here.map(|health| report(&health.borrow(), open));
    let waiting = match &engine {
        Some(engine) => engine.backlog,
        None => Some(app.waiting(&view).await),
    };
    let pace = app.pace.of(&view, Instant::now());
    let answer = EngineAnswer {
        viewers: app.feeds.watchers(),
        backlog: waiting.filter(|_| open),
        records_per_s: engine.as_ref().and_then(|engine| engine.records_per_s).or(pace),
        commit_p50_ms: engine.as_ref().and_then(|engine| engine.commit_p50_ms),
        commit_p99_ms: engine.as_ref().and_then(|engine| engine.commit_p99_ms),
        workers: engine.as_ref().map(|engine| engine.workers),
        last_commit: view.results.as_of.clone(),
        engine,
    };
    Ok(([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(answer)))
}

fn report(health: &EngineHealth, open: bool) -> EngineReport {
    EngineReport {
        records_per_s: Some(health.records_per_s).filter(|_| open),
        commit_p50_ms: health.commit_p50_ms,
        commit_p99_ms: health.commit_p99_ms,
        backlog: Some(health.backlog).filter(|_| open),
        workers: health.workers,
        voters: Some(health.voters).filter(|_| open),
        voters_bytes: Some(health.voters_bytes).filter(|_| open),
        paused: health.paused.clone(),
    }
}
