//! `/healthz` and `/readyz`: for those who start, stop and balance servers.

use crate::app::App;
use crate::problem::Problem;
use axum::extract::State;
use std::sync::Arc;

/// The process answers.
#[utoipa::path(
    get, path = "/healthz", tag = "operating",
    responses((status = 200, description = "the process answers", body = String, content_type = "text/plain"))
)]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// The store can be read, holds an election, and counting is not paused.
#[utoipa::path(
    get, path = "/readyz", tag = "operating",
    responses(
        (status = 200, description = "results can be had", body = String, content_type = "text/plain"),
        (status = 503, description = "the store cannot be read, holds no election, or counting is paused: the detail says which",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Result<&'static str, Problem> {
    let paused = app.health.as_ref().and_then(|health| health.borrow().paused.clone());
    if let Some(why) = paused {
        return Err(Problem::unavailable("paused", format!("counting is paused: {why}")));
    }
    match app.feeds.newest(None).await {
        // Several elections and none named: there is something to read.
        Err(problem) if problem.status != 400 => Err(problem),
        _ => Ok("ok\n"),
    }
}
