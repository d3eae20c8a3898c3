//! `GET /api/results`: the newest results, or those of a past minute.

use super::{json, kept, newest, past};
use crate::app::App;
use crate::params::Params;
use crate::problem::Problem;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use std::sync::Arc;
use votestream_election::results::Results;

/// The results of an election, now or at a past minute.
///
/// counted = Σ candidates.votes = Σ regions.counted; counted + duplicate + rejected = records.
#[utoipa::path(
    get, path = "/api/results", tag = "results",
    params(
        ("at" = Option<String>, Query, description = "a past minute: an RFC 3339 time, or whole minutes since 1970-01-01T00:00Z"),
        ("election" = Option<String>, Query, description = "the election's id; needed only where the server shows several"),
    ),
    responses(
        (status = 200, description = "the results", body = Results, headers(("etag" = String, description = "store uuid and sequence"))),
        (status = 304, description = "If-None-Match names this state"),
        (status = 400, description = "a parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such election", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "nothing counted yet, or the store cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn results(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let params = Params::parse(query.as_deref(), &["at", "election"])?;
    let at = params.minute("at")?;
    let view = newest(&app, &params).await?;
    let Some(minute) = at else { return Ok(view.answer.respond(&headers)) };
    let asked = format!("results at {}", minute.0);
    kept(&app, &view, &asked, &headers, || async { json(&view.tag, &past(&app, &view, minute).await?) }).await
}
