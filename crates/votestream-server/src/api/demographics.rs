//! `GET /api/demographics`: who voted how, as released: no cell, nor the difference of two answers, shows fewer than `min_cell` votes.

use super::{json, kept, newest, public_region};
use crate::app::App;
use crate::params::Params;
use crate::problem::Problem;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use std::sync::Arc;
use votestream_election::results::DeskState;
use votestream_election::results::demographics::{Demographics, Moment};

/// The released demographics.
#[utoipa::path(
    get, path = "/api/demographics", tag = "results",
    params(
        ("at" = Option<String>, Query, description = "a past minute: an RFC 3339 time, or whole minutes since 1970-01-01T00:00Z"),
        ("region" = Option<String>, Query, description = "only this region's blocks, by its code"),
        ("election" = Option<String>, Query, description = "the election's id; needed only where the server shows several"),
    ),
    responses(
        (status = 200, description = "the released blocks", body = Demographics),
        (status = 304, description = "If-None-Match names this state"),
        (status = 400, description = "a parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such election, or no such region that is public", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "nothing counted yet, or the store cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn demographics(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let params = Params::parse(query.as_deref(), &["at", "region", "election"])?;
    let at = params.minute("at")?;
    let view = newest(&app, &params).await?;
    let region = params.text("region").map(|code| public_region(&view, code)).transpose()?;
    let asked = format!("demographics {at:?} {region:?}");
    kept(&app, &view, &asked, &headers, || async {
        let read_view = Arc::clone(&view);
        let demographics = app.readers.read(move |reader| {
            let view = read_view;
            let released = reader.demographics(view.election_id(), at)?;
            let desk = DeskState::of(&view.election, &view.snapshot.desk);
            let moment = Moment { sequence: view.snapshot.sequence, as_of: view.snapshot.as_of, at };
            Ok(Demographics::of(&view.election, &desk, moment, &released, region))
        });
        json(&view.tag, &demographics.await?)
    })
    .await
}
