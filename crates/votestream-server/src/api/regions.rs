//! `GET /api/regions` and `GET /api/regions/{code}`: the public regions; one that is withheld is not found.

use super::{json, kept, newest, past};
use crate::app::App;
use crate::params::Params;
use crate::problem::Problem;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use std::sync::Arc;
use votestream_election::results::regions::{RegionDetail, Regions};

/// All public regions.
#[utoipa::path(
    get, path = "/api/regions", tag = "results",
    params(
        ("at" = Option<String>, Query, description = "a past minute: an RFC 3339 time, or whole minutes since 1970-01-01T00:00Z"),
        ("election" = Option<String>, Query, description = "the election's id; needed only where the server shows several"),
    ),
    responses(
        (status = 200, description = "the regions, in the definition's order", body = Regions),
        (status = 304, description = "If-None-Match names this state"),
        (status = 400, description = "a parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such election", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "nothing counted yet, or the store cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn regions(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let params = Params::parse(query.as_deref(), &["at", "election"])?;
    let at = params.minute("at")?;
    let view = newest(&app, &params).await?;
    let asked = format!("regions at {:?}", at.map(|minute| minute.0));
    kept(&app, &view, &asked, &headers, || async {
        match at {
            None => json(&view.tag, &Regions::of(&view.results)),
            Some(minute) => json(&view.tag, &Regions::of(&past(&app, &view, minute).await?)),
        }
    })
    .await
}

/// One public region, with its candidates ranked.
#[utoipa::path(
    get, path = "/api/regions/{code}", tag = "results",
    params(
        ("code" = String, Path, description = "the region's code, in any case"),
        ("at" = Option<String>, Query, description = "a past minute: an RFC 3339 time, or whole minutes since 1970-01-01T00:00Z"),
        ("election" = Option<String>, Query, description = "the election's id; needed only where the server shows several"),
    ),
    responses(
        (status = 200, description = "the region", body = RegionDetail),
        (status = 304, description = "If-None-Match names this state"),
        (status = 400, description = "a parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such election, or no such region that is public", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "nothing counted yet, or the store cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn region(
    State(app): State<Arc<App>>,
    Path(code): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let params = Params::parse(query.as_deref(), &["at", "election"])?;
    let at = params.minute("at")?;
    let view = newest(&app, &params).await?;
    let of_past = match at {
        Some(minute) => Some(past(&app, &view, minute).await?),
        None => None,
    };
    let results = of_past.as_ref().unwrap_or(&view.results);
    // Whether it is unknown or withheld is not told apart.
    let missing = || {
        Problem::not_found(format!(
            "there is no public region \"{code}\"; /api/regions lists those there are"
        ))
    };
    let detail = RegionDetail::of(&view.election, results, &code).ok_or_else(missing)?;
    Ok(json(&view.tag, &detail)?.respond(&headers))
}
