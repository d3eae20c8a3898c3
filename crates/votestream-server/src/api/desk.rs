//! `GET /api/desk`: what the election desk did, and when: closes, reopens, holds.

use super::{json, kept, newest};
use crate::app::App;
use crate::params::Params;
use crate::problem::Problem;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use std::sync::Arc;
use votestream_election::results::DeskLog;

/// Acts of the election desk, oldest first: the audit log of what was declared final, held back and brought back.
///
/// Names of held regions are told, their numbers are not.
#[utoipa::path(
    get, path = "/api/desk", tag = "results",
    params(
        ("at" = Option<String>, Query, description = "a past minute: an RFC 3339 time, or whole minutes since 1970-01-01T00:00Z"),
        ("election" = Option<String>, Query, description = "the election's id; needed only where the server shows several"),
    ),
    responses(
        (status = 200, description = "the acts", body = DeskLog),
        (status = 304, description = "If-None-Match names this state"),
        (status = 400, description = "a parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such election", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "nothing counted yet, or the store cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn desk(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let params = Params::parse(query.as_deref(), &["at", "election"])?;
    let at = params.minute("at")?;
    let view = newest(&app, &params).await?;
    let asked = format!("desk {at:?}");
    kept(&app, &view, &asked, &headers, || async {
        json(&view.tag, &DeskLog::of(&view.election, &view.snapshot.desk, view.results.sequence, at))
    })
    .await
}
