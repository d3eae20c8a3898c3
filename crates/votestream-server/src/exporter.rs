//! Metrics of a process that serves nothing else: `/metrics` and `/healthz`. What they say is the caller's.

use crate::serve::{self, Connections};
use crate::shell;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, header};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Scrapers at once; one more is refused.
const CONNECTIONS_MAX: usize = 32;

/// Says what is to be scraped now, in Prometheus' text format. May block for a moment.
pub type MetricsText = Arc<dyn Fn() -> String + Send + Sync>;

/// Serves the metrics until `shutdown`.
pub async fn serve_metrics(listener: TcpListener, text: MetricsText, shutdown: CancellationToken) {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .fallback(shell::no_such_path)
        .method_not_allowed_fallback(shell::no_such_method)
        .layer(axum::middleware::from_fn(shell::guard))
        .with_state(text);
    serve::run(listener, router, Connections::new(CONNECTIONS_MAX), shutdown).await;
}

async fn metrics(State(text): State<MetricsText>) -> Response {
    let text = tokio::task::spawn_blocking(move || text()).await.unwrap_or_default();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    let cache = HeaderValue::from_static("no-store");
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)], text).into_response()
}
