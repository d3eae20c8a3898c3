//! `GET /api/ledger`: the digests that the count can be verified against, per partition, and leaf by leaf on request.

use super::{json, kept, newest};
use crate::app::App;
use crate::params::Params;
use crate::problem::Problem;
use crate::view::View;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use votestream_election::PartitionId;
use votestream_election::ledger::{LEAF_OFFSETS, LeafSeal};
use votestream_election::results::LedgerInfo;

/// What `GET /api/ledger` says.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the name in the results, and so in the JSON")]
pub(crate) struct Ledger {
    /// The election's identifier.
    election: String,
    /// The state of the store that this shows.
    sequence: u64,
    /// Wall clock of the newest commit held here; null before the first.
    as_of: Option<String>,
    /// As in the results.
    ledger: LedgerInfo,
    /// Offsets that one leaf covers.
    leaf_offsets: u64,
    /// One a partition, in order; empty while a region is withheld, because numbers of records could tell its votes.
    partitions: Vec<PartitionLedger>,
    /// With `?partition=`: its sealed leaves, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    leaves: Option<Vec<Leaf>>,
}

/// One partition's ledger as far as counted.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartitionLedger {
    /// Which partition.
    partition: u32,
    /// First offset that counts.
    start_offset: u64,
    /// First offset that is not counted yet.
    next_offset: u64,
    /// Sealed leaves.
    leaves: u64,
    /// BLAKE3 chain over them, 64 hexadecimal digits.
    chain: String,
    /// Records in the open leaf.
    open_records: u64,
    /// BLAKE3 over the open leaf's rows, 64 hexadecimal digits.
    open_digest: String,
}

/// A sealed leaf.
#[derive(Serialize, ToSchema)]
pub(crate) struct Leaf {
    /// Which leaf: it covers offsets from `number * leaf_offsets`.
    number: u64,
    /// Records in it.
    records: u64,
    /// BLAKE3 over its rows, 64 hexadecimal digits.
    digest: String,
    /// BLAKE3 of the chain before it and its digest.
    chain: String,
}

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
        json(&view.tag, &of(&view, leaves))
    })
    .await
}

async fn leaves(app: &App, view: &View, partition: PartitionId) -> Result<Vec<Leaf>, Problem> {
    let id = view.election_id().to_owned();
    let sealed = app.readers.read(move |reader| reader.leaves(&id, partition)).await?;
    // The store may have gone on: only what this state holds is told.
    let head = view.snapshot.ledger.get(partition.0 as usize).map_or(0, |head| head.leaves) as usize;
    let leaf = |seal: LeafSeal| Leaf {
        number: seal.number,
        records: seal.records,
        digest: seal.digest.to_string(),
        chain: seal.chain.to_string(),
    };
    Ok(sealed.into_iter().take(head).map(leaf).collect())
}

fn of(view: &View, leaves: Option<Vec<Leaf>>) -> Ledger {
    let partitions =
        view.snapshot.progress.iter().zip(&view.snapshot.ledger).map(|(progress, head)| PartitionLedger {
            partition: progress.partition.0,
            start_offset: progress.start_offset.0,
            next_offset: progress.next_offset.0,
            leaves: head.leaves,
            chain: head.chain.to_string(),
            open_records: head.open.records,
            open_digest: head.open.digest.to_string(),
        });
    Ledger {
        election: view.election.id.clone(),
        sequence: view.results.sequence,
        as_of: view.results.as_of.clone(),
        ledger: view.results.ledger.clone(),
        leaf_offsets: LEAF_OFFSETS,
        partitions: if view.results.withheld == 0 { partitions.collect() } else { Vec::new() },
        leaves,
    }
}
