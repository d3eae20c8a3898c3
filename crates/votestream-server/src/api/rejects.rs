//! `GET /api/rejects`: how many records were no votes and why; which they were, and their bytes, only for those who bear the token.

use super::{json, newest};
use crate::app::App;
use crate::limits::{REJECTS_PAGE, REJECTS_PAGE_MAX};
use crate::params::Params;
use crate::problem::Problem;
use crate::view::View;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use tracing::warn;
use utoipa::ToSchema;
use votestream_election::results::rejects::RejectCounts;
use votestream_election::{Offset, PartitionId, RejectReason, base64};

/// What `GET /api/rejects` says.
#[derive(Serialize, ToSchema)]
pub(crate) struct Rejects {
    /// The election's identifier.
    election: String,
    /// The state of the store that this shows.
    sequence: u64,
    /// Rejected records in all.
    rejected: u64,
    /// How many of each reason that occurred.
    reasons: BTreeMap<&'static str, u64>,
    /// With the token: the records, in the order of partitions and offsets.
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<Vec<RejectedRecord>>,
    /// With the token: what to send as `?after=` for the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A rejected record.
#[derive(Serialize, ToSchema)]
pub(crate) struct RejectedRecord {
    /// Its partition.
    partition: u32,
    /// Its offset.
    offset: u64,
    /// Why it is no vote.
    reason: &'static str,
    /// Its bytes, where they are UTF-8; the kept start of one that was too large.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    /// Its bytes in base64, where they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
}

/// Rejected records by reason; with the ingest token also which, and their payloads.
#[utoipa::path(
    get, path = "/api/rejects", tag = "results",
    params(
        ("election" = Option<String>, Query, description = "the election's id; needed only where the server shows several"),
        ("limit" = Option<usize>, Query, description = "with the token: records on a page, 1 to 1000; 100 without"),
        ("after" = Option<String>, Query, description = "with the token: partition:offset, from the page before"),
    ),
    security((), ("token" = [])),
    responses(
        (status = 200, description = "the rejects", body = Rejects),
        (status = 304, description = "If-None-Match names this state"),
        (status = 400, description = "a parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "records were asked for without the token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such election", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "nothing counted yet, the store cannot be read, or there is no log to read payloads from",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn rejects(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let params = Params::parse(query.as_deref(), &["election", "limit", "after"])?;
    let limit = params.number("limit", 1, REJECTS_PAGE_MAX)?;
    let after = after(&params)?;
    let asks_records = limit.is_some() || after.is_some() || headers.contains_key(header::AUTHORIZATION);
    if asks_records && !app.bears_token(&headers) {
        return Err(Problem::unauthorized());
    }
    let view = newest(&app, &params).await?;
    let mut answer = counts(&view);
    if !asks_records {
        return Ok(json(&view.tag, &answer)?.respond(&headers));
    }
    let limit = limit.unwrap_or(REJECTS_PAGE);
    let records = records(&app, &view, limit, after).await?;
    let last = records.last().filter(|_| records.len() == limit);
    answer.next = last.map(|last| format!("{}:{}", last.partition, last.offset));
    answer.records = Some(records);
    Ok(([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(answer)).into_response())
}

fn counts(view: &View) -> Rejects {
    let RejectCounts { election, sequence, rejected, reasons } =
        RejectCounts::of(&view.snapshot, &view.results);
    Rejects { election, sequence, rejected, reasons, records: None, next: None }
}

/// Reads `?after=partition:offset`.
fn after(params: &Params) -> Result<Option<(PartitionId, Offset)>, Problem> {
    let Some(text) = params.text("after") else { return Ok(None) };
    let parsed = text.split_once(':').and_then(|(partition, offset)| {
        Some((PartitionId(partition.parse().ok()?), Offset(offset.parse().ok()?)))
    });
    let wrong = || {
        Problem::parameter(
            "after",
            format!("\"{text}\" is no place"),
            "partition:offset, as `next` of the page before says",
        )
    };
    parsed.map(Some).ok_or_else(wrong)
}

async fn records(
    app: &App,
    view: &View,
    limit: usize,
    after: Option<(PartitionId, Offset)>,
) -> Result<Vec<RejectedRecord>, Problem> {
    let Some(payloads) = app.payloads.clone().filter(|_| app.has_log_of(view.election_id())) else {
        let detail = "this server was started without this election's log, so it cannot show what was rejected; start it with --log";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no-payloads", "no log at hand", detail));
    };
    let id = view.election_id().to_owned();
    let rejected: Vec<(PartitionId, Offset, RejectReason)> =
        app.readers.read(move |reader| reader.rejects(&id, limit, after)).await?;
    let places: Vec<(PartitionId, Offset)> =
        rejected.iter().map(|(partition, offset, _)| (*partition, *offset)).collect();
    let read = tokio::task::spawn_blocking(move || payloads(&places)).await;
    let values = match read {
        Ok(Ok(values)) => values,
        Ok(Err(why)) => {
            warn!(why, "cannot read rejected records from the log");
            return Err(Problem::unavailable("log", "the log cannot be read now; try again in a moment"));
        }
        Err(_) => return Err(Problem::internal()),
    };
    let record =
        |((partition, offset, reason), value): ((PartitionId, Offset, RejectReason), Option<Bytes>)| {
            let text = value.as_deref().map(std::str::from_utf8);
            RejectedRecord {
                partition: partition.0,
                offset: offset.0,
                reason: reason.name(),
                payload: text.and_then(Result::ok).map(str::to_owned),
                payload_base64: value
                    .as_deref()
                    .filter(|_| text.is_some_and(|text| text.is_err()))
                    .map(base64::encode),
            }
        };
    Ok(rejected.into_iter().zip(values).map(record).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_strictly() {
        let read = |text: &str| after(&Params::parse(Some(&format!("after={text}")), &["after"]).unwrap());
        assert_eq!(read("3:17").unwrap(), Some((PartitionId(3), Offset(17))));
        assert!(read("3").is_err());
        assert!(read("-1:2").is_err());
    }
}
