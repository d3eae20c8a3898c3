//! `/metrics`: the results' counts, the engine's reports and the server's own counters, in Prometheus' text format.
//! Names are part of the interface: they are listed in [`METRICS`] and only added to.

use crate::app::App;
use crate::view::View;
use crate::webhooks::queue::{Outcome, Queue};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};
use std::fmt::{Display, Write};
use std::sync::Arc;
use votestream_election::health::EngineHealth;

/// Every metric: its name, its kind and what it says.
pub const METRICS: &[(&str, &str, &str)] = &[
    ("votestream_ready", "gauge", "1 when results can be read from the store, else 0"),
    ("votestream_sequence", "gauge", "the store's sequence: flushes, desk acts and releases so far"),
    ("votestream_records_total", "counter", "records judged, by outcome, as far as results are public"),
    ("votestream_rejected_total", "counter", "rejected records by reason"),
    ("votestream_ledger_pending_leaves", "gauge", "leaves of the ledger that are counted and not hashed yet"),
    ("votestream_voters_outside", "gauge", "voters who are kept in files outside the store"),
    ("votestream_counting_epoch", "gauge", "how often the election's partitions were taken over"),
    ("votestream_expected_votes", "gauge", "votes expected in all, where that is known"),
    ("votestream_engine_records_per_second", "gauge", "records counted a second, over the last few seconds"),
    (
        "votestream_engine_commit_seconds",
        "gauge",
        "from a record's arrival in the log to its commit, by quantile",
    ),
    ("votestream_engine_backlog_records", "gauge", "records in the log that are not counted yet"),
    ("votestream_engine_workers", "gauge", "threads that decide"),
    ("votestream_engine_paused", "gauge", "1 while counting is paused, else 0"),
    ("votestream_posted_records_total", "counter", "records that POST /api/votes made durable"),
    ("votestream_http_requests_total", "counter", "requests answered, by route and status"),
    ("votestream_http_connections", "gauge", "connections open now"),
    (
        "votestream_http_connections_refused_total",
        "counter",
        "connections refused because there were too many",
    ),
    ("votestream_live_viewers", "gauge", "live streams open now"),
    ("votestream_live_snapshots_total", "counter", "snapshots sent to live streams"),
    ("votestream_live_dropped_total", "counter", "live streams ended because nobody read them"),
    ("votestream_webhook_attempts_total", "counter", "attempts to post an event, by webhook"),
    ("votestream_webhook_deliveries_total", "counter", "events that were posted, by webhook and outcome"),
    ("votestream_webhook_waiting", "gauge", "events that wait or are under way, by webhook"),
];

/// The route of votes: where each POST is one vote, their number is that of the votes.
const INTAKE: &str = "/api/votes";

/// The metrics now.
///
/// While a region is withheld, what would tell its votes (speed, backlog, posted records) is told only to those who bear the token.
#[utoipa::path(
    get, path = "/metrics", tag = "operating",
    security((), ("token" = [])),
    responses((status = 200, description = "metrics in Prometheus' text format; names begin with votestream_",
               body = String, content_type = "text/plain"))
)]
pub(crate) async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let view = app.feeds.newest(None).await;
    // What goes by all records would, with what is public, tell how many are withheld. Of several elections any may have something to hide.
    let open = app.bears_token(&headers) || view.as_ref().is_ok_and(|view| view.results.withheld == 0);
    let mut page = Page::default();
    // Several elections and none named: there is something to read, but no one of them to count here.
    let ready = view.as_ref().map_or_else(|problem| problem.status == 400, |_| true);
    page.add("votestream_ready", "", u8::from(ready));
    if let Ok(view) = &view {
        add_results(&mut page, view);
    }
    if let Some(health) = &app.health {
        add_engine(&mut page, &health.borrow(), open);
    }
    add_server(&mut page, &app, open);
    add_webhooks(&mut page, &app.webhooks);
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    let cache = HeaderValue::from_static("no-store");
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)], page.text).into_response()
}

fn add_results(page: &mut Page, view: &View) {
    let results = &view.results;
    page.add("votestream_sequence", "", results.sequence);
    for (outcome, records) in
        [("counted", results.counted), ("duplicate", results.duplicate), ("rejected", results.rejected)]
    {
        page.add("votestream_records_total", &format!("outcome=\"{outcome}\""), records);
    }
    for (reason, records) in &view.snapshot.rejects {
        page.add("votestream_rejected_total", &format!("reason=\"{}\"", reason.name()), records);
    }
    // Numbers of voters go with what is public: nothing where a region is withheld.
    if results.withheld == 0 {
        let progress = &view.snapshot.progress;
        page.add("votestream_ledger_pending_leaves", "", results.ledger.pending);
        page.add("votestream_voters_outside", "", progress.iter().map(|p| p.outside).sum::<u64>());
        page.add("votestream_counting_epoch", "", progress.iter().map(|p| p.epoch).max().unwrap_or(0));
    }
    if let Some(expected) = results.expected {
        page.add("votestream_expected_votes", "", expected);
    }
}

fn add_engine(page: &mut Page, health: &EngineHealth, open: bool) {
    if open {
        page.add("votestream_engine_records_per_second", "", health.records_per_s);
    }
    for (quantile, millis) in [("0.5", health.commit_p50_ms), ("0.99", health.commit_p99_ms)] {
        if let Some(millis) = millis {
            page.add(
                "votestream_engine_commit_seconds",
                &format!("quantile=\"{quantile}\""),
                millis / 1_000.0,
            );
        }
    }
    if open {
        page.add("votestream_engine_backlog_records", "", health.backlog);
    }
    page.add("votestream_engine_workers", "", health.workers);
    page.add("votestream_engine_paused", "", u8::from(health.paused.is_some()));
}

fn add_server(page: &mut Page, app: &App, open: bool) {
    let (posted, snapshots, dropped) = app.counters.totals();
    if open {
        page.add("votestream_posted_records_total", "", posted);
    }
    for ((route, status), requests) in app.counters.requests() {
        if !open && route == INTAKE {
            continue;
        }
        page.add(
            "votestream_http_requests_total",
            &format!("route=\"{route}\",status=\"{status}\""),
            requests,
        );
    }
    page.add("votestream_http_connections", "", app.connections.open());
    page.add("votestream_http_connections_refused_total", "", app.connections.refused());
    page.add("votestream_live_viewers", "", app.feeds.watchers());
    page.add("votestream_live_snapshots_total", "", snapshots);
    page.add("votestream_live_dropped_total", "", dropped);
}

/// Webhooks are numbered from 1 as they were named; their addresses may be secret.
fn add_webhooks(page: &mut Page, queues: &[Arc<Queue>]) {
    let numbered =
        || (1..).zip(queues).map(|(number, queue): (usize, _)| (format!("hook=\"{number}\""), queue));
    for (hook, queue) in numbered() {
        page.add("votestream_webhook_attempts_total", &hook, queue.attempts());
    }
    for (hook, queue) in numbered() {
        for (outcome, name) in Outcome::ALL {
            let labels = format!("{hook},outcome=\"{name}\"");
            page.add("votestream_webhook_deliveries_total", &labels, queue.counted(outcome));
        }
    }
    for (hook, queue) in numbered() {
        page.add("votestream_webhook_waiting", &hook, queue.len());
    }
}

/// The page as it grows; a metric's samples must follow each other.
#[derive(Default)]
struct Page {
    text: String,
    last: &'static str,
}

impl Page {
    fn add(&mut self, name: &'static str, labels: &str, value: impl Display) {
        if self.last != name {
            self.last = name;
            let known = METRICS.iter().find(|(known, _, _)| *known == name);
            debug_assert!(known.is_some(), "{name} is not listed");
            if let Some((_, kind, help)) = known {
                // Writing to a string does not fail.
                let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
            }
        }
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(self.text, "{name}{labels} {value}");
    }
}

/// The route that a path belongs to, from a closed set, so that nobody can make labels up.
pub(crate) fn route_of(path: &str) -> &'static str {
    const ROUTES: &[&str] = &[
        "/",
        "/api/results",
        "/api/live",
        "/api/live.csv",
        "/api/elections",
        "/api/regions",
        "/api/demographics",
        "/api/timeline",
        "/api/ledger",
        "/api/rejects",
        "/api/desk",
        "/api/engine",
        "/api/export.csv",
        "/api/export.json",
        "/api/export.parquet",
        "/api/votes",
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/docs",
    ];
    match ROUTES.iter().find(|route| **route == path) {
        Some(route) => route,
        None if path.starts_with("/api/regions/") => "/api/regions/{code}",
        None if path.starts_with("/api/photos/") => "/api/photos/{candidate}",
        None => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_a_metric_share_its_heading() {
        let mut page = Page::default();
        page.add("votestream_records_total", "outcome=\"counted\"", 7_u64);
        page.add("votestream_records_total", "outcome=\"rejected\"", 1_u64);
        page.add("votestream_ready", "", 1);
        assert_eq!(
            page.text,
            "# HELP votestream_records_total records judged, by outcome, as far as results are public\n\
             # TYPE votestream_records_total counter\n\
             votestream_records_total{outcome=\"counted\"} 7\n\
             votestream_records_total{outcome=\"rejected\"} 1\n\
             # HELP votestream_ready 1 when results can be read from the store, else 0\n\
             # TYPE votestream_ready gauge\n\
             votestream_ready 1\n"
        );
    }

    #[test]
    fn paths_become_a_closed_set_of_routes() {
        assert_eq!(route_of("/api/regions/OH"), "/api/regions/{code}");
        assert_eq!(route_of("/api/results"), "/api/results");
        assert_eq!(route_of("/made/up"), "other");
    }
}
