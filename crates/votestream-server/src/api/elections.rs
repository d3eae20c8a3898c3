//! `GET /api/elections`: the elections of the store.

use crate::app::App;
use crate::params::Params;
use crate::problem::Problem;
use axum::Json;
use axum::extract::{RawQuery, State};
use http::{HeaderName, HeaderValue, header};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use votestream_election::results::millis_text;
use votestream_store::{ElectionHead, ReaderStore};

/// What `GET /api/elections` says.
#[derive(Serialize, ToSchema)]
pub(crate) struct Elections {
    /// In the order of their creation.
    elections: Vec<ElectionEntry>,
}

/// One election of the store.
#[derive(Serialize, ToSchema)]
pub(crate) struct ElectionEntry {
    /// Short identifier, for `?election=`.
    id: String,
    /// What people call it.
    name: String,
    /// The day of the vote, `YYYY-MM-DD`; null for an open poll.
    date: Option<String>,
    /// When it was created in this store, RFC 3339.
    created: String,
}

/// The elections that can be asked for.
#[utoipa::path(
    get, path = "/api/elections", tag = "results",
    responses(
        (status = 200, description = "the elections", body = Elections),
        (status = 503, description = "the store cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn elections(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<([(HeaderName, HeaderValue); 1], Json<Elections>), Problem> {
    Params::parse(query.as_deref(), &[])?;
    let heads = app.readers.read(ReaderStore::elections).await?;
    let entry = |head: ElectionHead| ElectionEntry {
        id: head.id,
        name: head.name,
        date: head.date,
        created: millis_text(head.created),
    };
    let list = Elections { elections: heads.into_iter().map(entry).collect() };
    Ok(([(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))], Json(list)))
}
