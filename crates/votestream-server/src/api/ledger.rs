//! `GET /api/ledger`: the digests that the count can be verified against, per partition, and leaf by leaf on request.

use super::{json, kept, newest};
use crate::app::App;
use crate::params::Params;
use crate::problem::Problem;
use crate::view::View;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use std::sync::Arc;
use votestream_election::PartitionId;
use votestream_election::results::ledger::{Leaf, Ledger};

/// The digests that the count can be verified against.
#[utoipa::path(
    get, path = "/api/ledger", tag = "results",
    params(
        ("partition" = Option<u32>, Query, description = "also list this partition's sealed leaves"),
        ("election" = Option<String>, Query, description = "the election's id; needed only where the server shows several"),
    ),
    responses(
        (status = 200, description = "the ledger", body = Ledger),
        (status = 304, description = "If-None-Match names this state"),
        (status = 400, description = "a parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such election", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "nothing counted yet, or the store cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn ledger(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let params = Params::parse(query.as_deref(), &["partition", "election"])?;
    let partition = params.number::<u32>("partition", 0, u32::MAX)?;
    let view = newest(&app, &params).await?;
    let partitions = view.snapshot.progress.len();
    if let Some(asked) = partition.filter(|asked| *asked as usize >= partitions) {
        let allowed = format!("0 to {}", partitions.saturating_sub(1));
        return Err(Problem::parameter("partition", format!("there is no partition {asked}"), allowed));
    }
    let asked = format!("ledger of {partition:?}");
    kept(&app, &view, &asked, &headers, || async {
        let leaves = match partition {
            None => None,
            Some(_) if view.results.withheld > 0 => Some(Vec::new()),
            Some(partition) => Some(leaves(&app, &view, PartitionId(partition)).await?),
        };
        json(&view.tag, &Ledger::of(&view.snapshot, &view.results, leaves))
    })
    .await
}

async fn leaves(app: &App, view: &View, partition: PartitionId) -> Result<Vec<Leaf>, Problem> {
    let id = view.election_id().to_owned();
    let sealed = app.readers.read(move |reader| reader.leaves(&id, partition)).await?;
    // The store may have gone on: only what this state holds is told.
    let head = view.snapshot.ledger.get(partition.0 as usize).map_or(0, |head| head.leaves) as usize;
    Ok(sealed.into_iter().take(head).map(Leaf::from).collect())
}
