//! `GET /api/export.csv` and `GET /api/export.json`: results to keep, now or of a past minute.

use super::{json, kept, newest, past};
use crate::app::App;
use crate::params::Params;
use crate::problem::Problem;
use crate::respond::Answer;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use std::borrow::Cow;
use std::sync::Arc;
use votestream_election::results::{Results, csv as table};

/// The results as CSV: a row a region, or a row a candidate where there are no regions.
#[utoipa::path(
    get, path = "/api/export.csv", tag = "results",
    params(
        ("at" = Option<String>, Query, description = "a past minute: an RFC 3339 time, or whole minutes since 1970-01-01T00:00Z"),
        ("election" = Option<String>, Query, description = "the election's id; needed only where the server shows several"),
    ),
    responses(
        (status = 200, description = "RFC 4180, UTF-8, with a header", body = String, content_type = "text/csv"),
        (status = 304, description = "If-None-Match names this state"),
        (status = 400, description = "a parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such election", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "nothing counted yet, or the store cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn csv(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    export(&app, query.as_deref(), &headers, "csv", |tag, results| {
        Ok(Answer::new("text/csv; charset=utf-8; header=present", tag, table::results(results)))
    })
    .await
}

/// The results as a JSON file: what `GET /api/results` says.
#[utoipa::path(
    get, path = "/api/export.json", tag = "results",
    params(
        ("at" = Option<String>, Query, description = "a past minute: an RFC 3339 time, or whole minutes since 1970-01-01T00:00Z"),
        ("election" = Option<String>, Query, description = "the election's id; needed only where the server shows several"),
    ),
    responses(
        (status = 200, description = "the results", body = Results),
        (status = 304, description = "If-None-Match names this state"),
        (status = 400, description = "a parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such election", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "nothing counted yet, or the store cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn json_file(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    export(&app, query.as_deref(), &headers, "json", json).await
}

async fn export(
    app: &App,
    query: Option<&str>,
    headers: &HeaderMap,
    ending: &str,
    encode: impl FnOnce(&str, &Results) -> Result<Answer, Problem>,
) -> Result<Response, Problem> {
    let params = Params::parse(query, &["at", "election"])?;
    let at = params.minute("at")?;
    let view = newest(app, &params).await?;
    let asked = format!("export {ending} at {:?}", at.map(|minute| minute.0));
    kept(app, &view, &asked, headers, || async {
        let results = match at {
            None => Cow::Borrowed(&view.results),
            Some(minute) => Cow::Owned(past(app, &view, minute).await?),
        };
        // Ids are lower-case letters, digits and dashes.
        Ok(encode(&view.tag, &results)?.named(format!("{}-{}.{ending}", view.election.id, results.sequence)))
    })
    .await
}
