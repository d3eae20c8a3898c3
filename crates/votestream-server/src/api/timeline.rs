//! `GET /api/timeline`: how the count went, minute by minute, and the changes of the lead.

use super::{json, kept, newest, public_region};
use crate::app::App;
use crate::limits::TIMELINE_BUCKET_MAX;
use crate::params::Params;
use crate::problem::Problem;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use std::sync::Arc;
use votestream_election::results::DeskState;
use votestream_election::timeline::{Timeline, TimelineQuery, TimelineRow};

/// Cumulative totals at the end of each minute that had any news.
#[utoipa::path(
    get, path = "/api/timeline", tag = "results",
    params(
        ("from" = Option<String>, Query, description = "the first minute: an RFC 3339 time, or whole minutes since 1970-01-01T00:00Z"),
        ("to" = Option<String>, Query, description = "the last minute, inclusive"),
        ("region" = Option<String>, Query, description = "only this region's votes, by its code"),
        ("bucket" = Option<u32>, Query, description = "minutes a point spans, 1 to 1440; 1 without"),
        ("election" = Option<String>, Query, description = "the election's id; needed only where the server shows several"),
    ),
    responses(
        (status = 200, description = "the timeline", body = Timeline),
        (status = 304, description = "If-None-Match names this state"),
        (status = 400, description = "a parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such election, or no such region that is public", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "nothing counted yet, or the store cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn timeline(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let params = Params::parse(query.as_deref(), &["from", "to", "region", "bucket", "election"])?;
    let (from, to) = (params.minute("from")?, params.minute("to")?);
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        return Err(Problem::parameter("from", "the first minute is after the last", "from before or at to"));
    }
    let bucket_minutes = params.number("bucket", 1, TIMELINE_BUCKET_MAX)?.unwrap_or(1);
    let view = newest(&app, &params).await?;
    let region = params.text("region").map(|code| public_region(&view, code)).transpose()?;
    let asked = format!("timeline {from:?} {to:?} {region:?} {bucket_minutes}");
    kept(&app, &view, &asked, &headers, || async {
        let read_view = Arc::clone(&view);
        let timeline = app.readers.read(move |reader| {
            let view = read_view;
            let points = reader.timeline(view.election_id(), from, to)?;
            let desk = DeskState::of(&view.election, &view.snapshot.desk);
            let query = TimelineQuery { sequence: view.snapshot.sequence, region, bucket_minutes };
            let rows = points.iter().map(|point| TimelineRow {
                minute: point.minute,
                counts: &point.counts,
                totals: &point.totals,
            });
            Ok(Timeline::of(&view.election, &desk, query, rows))
        });
        json(&view.tag, &timeline.await?)
    })
    .await
}
