//! `GET /api/export.csv`, `.json`, `.parquet` and `GET /api/export/nist.json`: results to keep, now or of a past minute.

use super::{json, kept, newest, past};
use crate::app::App;
use crate::params::Params;
use crate::problem::Problem;
use crate::respond::Answer;
use crate::view::View;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use serde::Serialize;
use std::borrow::Cow;
use std::sync::Arc;
use tracing::error;
use utoipa::ToSchema;
use votestream_election::results::nist::ElectionReport;
use votestream_election::results::{DeskEntry, DeskLog, Results, csv as table};
use votestream_election::{Millis, Minute};
use votestream_store::ReaderStore;

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
    export(&app, query.as_deref(), &headers, "csv", |tag, results, _| {
        Ok(Answer::new("text/csv; charset=utf-8; header=present", tag, table::results(results)))
    })
    .await
}

/// What `GET /api/export.json` says.
#[derive(Serialize, ToSchema)]
pub(crate) struct Export<'a> {
    #[serde(flatten)]
    results: &'a Results,
    /// Acts of the election desk, oldest first, as `GET /api/desk` tells them; of a past view, those up to its minute.
    desk: Vec<DeskEntry>,
}

/// The results as a JSON file: what `GET /api/results` says, and the desk's acts.
///
/// While a region is withheld its name may be among the acts; its numbers are not.
#[utoipa::path(
    get, path = "/api/export.json", tag = "results",
    params(
        ("at" = Option<String>, Query, description = "a past minute: an RFC 3339 time, or whole minutes since 1970-01-01T00:00Z"),
        ("election" = Option<String>, Query, description = "the election's id; needed only where the server shows several"),
    ),
    responses(
        (status = 200, description = "the results and the acts", body = Export),
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
    export(&app, query.as_deref(), &headers, "json", |tag, results, desk| {
        json(tag, &Export { results, desk: desk.acts })
    })
    .await
}

/// The results as a Parquet file: a row for each public region and candidate, or a row a candidate where there are no regions.
///
/// Columns: `election`, `sequence`, `as_of`, `region`, `region_name`, `seats`, `expected`, `region_status`, `candidate`,
/// `candidate_name`, `party`, `votes`. DuckDB, pandas and Spark read it as it is.
#[utoipa::path(
    get, path = "/api/export.parquet", tag = "results",
    params(
        ("at" = Option<String>, Query, description = "a past minute: an RFC 3339 time, or whole minutes since 1970-01-01T00:00Z"),
        ("election" = Option<String>, Query, description = "the election's id; needed only where the server shows several"),
    ),
    responses(
        (status = 200, description = "a Parquet file", body = [u8], content_type = "application/vnd.apache.parquet"),
        (status = 304, description = "If-None-Match names this state"),
        (status = 400, description = "a parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such election, or the small build, which has no Parquet", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "nothing counted yet, or the store cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn parquet(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Some(write) = app.parquet.clone() else {
        return Err(Problem::not_found(
            "this small build leaves Parquet out; build the whole one with `make build`, or take /api/export.csv",
        ));
    };
    export(&app, query.as_deref(), &headers, "parquet", |tag, results, _| {
        let file = write(results).map_err(|what| {
            error!(what, "cannot write results as Parquet");
            Problem::internal()
        })?;
        Ok(Answer::new("application/vnd.apache.parquet", tag, file))
    })
    .await
}

/// The results in the form of NIST SP 1500-100 version 2 (Election Results Reporting): an `ElectionReport`.
///
/// `/docs` has no schema of it: it is the standard's own. What the report does not say, and why, stands in docs/operating.md.
#[utoipa::path(
    get, path = "/api/export/nist.json", tag = "results",
    params(
        ("at" = Option<String>, Query, description = "a past minute: an RFC 3339 time, or whole minutes since 1970-01-01T00:00Z"),
        ("election" = Option<String>, Query, description = "the election's id; needed only where the server shows several"),
    ),
    responses(
        (status = 200, description = "an ElectionResults.ElectionReport", body = Object, content_type = "application/json"),
        (status = 304, description = "If-None-Match names this state"),
        (status = 400, description = "a parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such election", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "nothing counted yet, or the store cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn nist(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let params = Params::parse(query.as_deref(), &["at", "election"])?;
    let at = params.minute("at")?;
    let view = newest(&app, &params).await?;
    let asked = format!("export nist at {:?}", at.map(|minute| minute.0));
    kept(&app, &view, &asked, &headers, || async {
        let results = at_minute(&app, &view, at).await?;
        let created = created(&app, view.election_id()).await?;
        let report = ElectionReport::of(&view.election, &results, None, created);
        Ok(json(&view.tag, &report)?.named(format!("{}-{}-nist.json", view.election.id, results.sequence)))
    })
    .await
}

/// When an election was created in its store.
async fn created(app: &App, id: &str) -> Result<Millis, Problem> {
    let heads = app.readers.read(ReaderStore::elections).await?;
    let head = heads.into_iter().find(|head| head.id == id);
    head.map(|head| head.created).ok_or_else(|| Problem::not_found(format!("there is no election \"{id}\"")))
}

/// The results now, or at the end of a past minute.
async fn at_minute<'v>(app: &App, view: &'v View, at: Option<Minute>) -> Result<Cow<'v, Results>, Problem> {
    Ok(match at {
        None => Cow::Borrowed(&view.results),
        Some(minute) => Cow::Owned(past(app, view, minute).await?),
    })
}

async fn export(
    app: &App,
    query: Option<&str>,
    headers: &HeaderMap,
    ending: &str,
    encode: impl FnOnce(&str, &Results, DeskLog) -> Result<Answer, Problem>,
) -> Result<Response, Problem> {
    let params = Params::parse(query, &["at", "election"])?;
    let at = params.minute("at")?;
    let view = newest(app, &params).await?;
    let asked = format!("export {ending} at {:?}", at.map(|minute| minute.0));
    kept(app, &view, &asked, headers, || async {
        let results = at_minute(app, &view, at).await?;
        // Ids are lower-case letters, digits and dashes.
        let desk = DeskLog::of(&view.election, &view.snapshot.desk, view.results.sequence, at);
        Ok(encode(&view.tag, &results, desk)?
            .named(format!("{}-{}.{ending}", view.election.id, results.sequence)))
    })
    .await
}
