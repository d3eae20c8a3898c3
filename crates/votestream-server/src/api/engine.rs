//! `GET /api/engine`: how counting is doing, and how many watch; for the page's health section.

use super::newest;
use crate::app::App;
use crate::params::Params;
use crate::problem::Problem;
use axum::Json;
use axum::extract::{RawQuery, State};
use http::{HeaderName, HeaderValue, header};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use votestream_election::health::EngineHealth;

/// What `GET /api/engine` says.
#[derive(Serialize, ToSchema)]
pub(crate) struct EngineAnswer {
    /// The engine's last report; null where none runs in this process.
    engine: Option<EngineReport>,
    /// Live streams open now.
    viewers: usize,
    /// Records in the log that are not counted yet, as far as the store knows.
    backlog: u64,
}

/// One report of the counting engine.
#[derive(Serialize, ToSchema)]
pub(crate) struct EngineReport {
    /// Records counted a second, over the last few seconds.
    records_per_s: f64,
    /// From a record's arrival in the log to its commit, median, in milliseconds; null before the first measurement.
    commit_p50_ms: Option<f64>,
    /// The same, 99th percentile.
    commit_p99_ms: Option<f64>,
    /// Records in the log that are not counted yet.
    backlog: u64,
    /// Threads that decide.
    workers: u32,
    /// Voters remembered in memory; null while a region is withheld, whose votes it would tell.
    voters: Option<u64>,
    /// Bytes of memory that remembering them takes; null in the same case.
    voters_bytes: Option<u64>,
    /// Why counting is paused, when it is.
    paused: Option<String>,
}

/// How counting is doing.
#[utoipa::path(
    get, path = "/api/engine", tag = "operating",
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
) -> Result<([(HeaderName, HeaderValue); 1], Json<EngineAnswer>), Problem> {
    let params = Params::parse(query.as_deref(), &["election"])?;
    let view = newest(&app, &params).await?;
    let open = view.results.withheld == 0;
    let report = app.health.as_ref().map(|health| report(&health.borrow(), open));
    let waiting = view.snapshot.progress.iter().map(|p| p.log_end.0.saturating_sub(p.next_offset.0)).sum();
    let answer = EngineAnswer { engine: report, viewers: app.feeds.watchers(), backlog: waiting };
    Ok(([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(answer)))
}

fn report(health: &EngineHealth, open: bool) -> EngineReport {
    EngineReport {
        records_per_s: health.records_per_s,
        commit_p50_ms: health.commit_p50_ms,
        commit_p99_ms: health.commit_p99_ms,
        backlog: health.backlog,
        workers: health.workers,
        voters: Some(health.voters).filter(|_| open),
        voters_bytes: Some(health.voters_bytes).filter(|_| open),
        paused: health.paused.clone(),
    }
}
