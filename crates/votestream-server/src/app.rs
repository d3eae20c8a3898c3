//! The results API as a whole: its shared state, its routes, and what every request of it passes. Each route is served elsewhere.

use crate::api;
use crate::api::elections::Listed;
use crate::config::{ConfigError, ServerConfig};
use crate::counters::Counters;
use crate::feed::Feeds;
use crate::intake::{self, Intake};
use crate::pace::{Ends, Pace};
use crate::problem::Problem;
use crate::readers::{Answers, Readers};
use crate::seams::{Ingest, PageFiles, ParquetFile, Payloads, Seams};
use crate::serve::{self, Connections};
use crate::view::View;
use crate::webhooks::WebhookConfig;
use crate::webhooks::queue::Queue;
use crate::{docs, live, metrics, openapi, page, probes, shell, webhooks};
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, Method, StatusCode, header};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::error;
use votestream_election::Millis;
use votestream_election::health::EngineHealth;
use votestream_store::StoreError;

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A choice that cannot be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The results store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The listener does not say where it listens.
    #[error("cannot tell the address that the server listens on")]
    Address(#[source] std::io::Error),
}

/// A results API that is ready to serve. Its listener takes connections already; they are answered once [`Server::run`] is awaited.
pub struct Server {
    listener: TcpListener,
    router: Router,
    connections: Connections,
    shutdown: CancellationToken,
    /// Looks for events and delivers them, for as long as requests are served.
    hooks: Option<JoinHandle<()>>,
}

/// Serves the results API until `shutdown`; then streams end, requests in flight finish, and it returns.
pub async fn serve(
    listener: TcpListener,
    config: ServerConfig,
    seams: Seams,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    Server::bind(listener, config, seams, shutdown)?.run().await;
    Ok(())
}

impl Server {
    /// Checks the choices and opens the store. Needs a Tokio runtime; the store's file is opened on this thread.
    pub fn bind(
        listener: TcpListener,
        config: ServerConfig,
        seams: Seams,
        shutdown: CancellationToken,
    ) -> Result<Self, ServeError> {
        config.validate(listener.local_addr().map_err(ServeError::Address)?)?;
        let connections = Connections::new(config.connections_max);
        let feeds = Feeds::open(seams.store.clone(), seams.election_id.clone())?;
        let queues = config.webhooks.as_ref().map(WebhookConfig::queues).unwrap_or_default();
        let app = Arc::new(App {
            live: Arc::new(Semaphore::new(config.live_streams_max)),
            feeds,
            election_id: seams.election_id,
            webhooks: queues.clone(),
            readers: Readers::new(seams.store),
            answers: Answers::default(),
            listed: Listed::default(),
            ingest: seams.ingest,
            intake: Intake::new(),
            health: seams.health,
            page: seams.page,
            payloads: seams.payloads,
            log_election: seams.log_election,
            ends: Ends::new(seams.log_ends),
            parquet: seams.parquet,
            pace: Pace::default(),
            clock: seams.clock,
            counters: Counters::default(),
            connections: connections.clone(),
            page_policy: shell::page_policy(&config.allowed_origins),
            shutdown: shutdown.clone(),
            config,
        });
        if let Some(changed) = seams.changed {
            tokio::spawn(pass_on(Arc::clone(&app), changed));
        }
        let hooks = app.config.webhooks.clone();
        let hooks = hooks.map(|config| tokio::spawn(webhooks::watch::run(Arc::clone(&app), config, queues)));
        Ok(Self { listener, router: router(app), connections, shutdown, hooks })
    }

    /// Serves until the shutdown.
    pub async fn run(self) {
        serve::run(self.listener, self.router, self.connections, self.shutdown).await;
        if let Some(Err(failed)) = async { Some(self.hooks?.await) }.await {
            error!(error = &failed as &dyn std::error::Error, "the task of the webhooks failed");
        }
    }
}

/// What all requests share.
pub(crate) struct App {
    pub(crate) config: ServerConfig,
    pub(crate) feeds: Feeds,
    pub(crate) election_id: Option<String>,
    /// The queues of the webhooks' receivers, for `/metrics`.
    pub(crate) webhooks: Vec<Arc<Queue>>,
    pub(crate) readers: Readers,
    pub(crate) answers: Answers,
    pub(crate) parquet: Option<ParquetFile>,
    pub(crate) listed: Listed,
    pub(crate) live: Arc<Semaphore>,
    pub(crate) ingest: Option<Ingest>,
    pub(crate) intake: Intake,
    pub(crate) health: Option<watch::Receiver<EngineHealth>>,
    pub(crate) page: PageFiles,
    pub(crate) payloads: Option<Payloads>,
    pub(crate) log_election: Option<String>,
    pub(crate) ends: Ends,
    pub(crate) pace: Pace,
    pub(crate) clock: Arc<dyn Fn() -> Millis + Send + Sync>,
    pub(crate) counters: Counters,
    pub(crate) connections: Connections,
    pub(crate) page_policy: String,
    pub(crate) shutdown: CancellationToken,
}

/// Tells the feeds of every commit of the engine in this process.
async fn pass_on(app: Arc<App>, mut changed: watch::Receiver<u64>) {
    let shutdown = app.shutdown.clone();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            result = changed.changed() => match result {
                Ok(()) => app.feeds.changed(),
                Err(_) => return,
            },
        }
    }
}

/// Every route, in the order in which `/docs` explains them.
fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/api/results", get(api::results::results))
        .route("/api/live", get(live::live))
        .route("/api/live.csv", get(live::live_csv))
        .route("/api/elections", get(api::elections::elections))
        .route("/api/regions", get(api::regions::regions))
        .route("/api/regions/{code}", get(api::regions::region))
        .route("/api/demographics", get(api::demographics::demographics))
        .route("/api/timeline", get(api::timeline::timeline))
        .route("/api/ledger", get(api::ledger::ledger))
        .route("/api/photos/{candidate}", get(api::photos::photo))
        .route("/api/rejects", get(api::rejects::rejects))
        .route("/api/desk", get(api::desk::desk))
        .route("/api/engine", get(api::engine::engine))
        .route("/api/export.csv", get(api::export::csv))
        .route("/api/export.json", get(api::export::json_file))
        .route("/api/export.parquet", get(api::export::parquet))
        .route("/api/export/nist.json", get(api::export::nist))
        .route("/api/votes", post(intake::post_votes))
        .route("/healthz", get(probes::healthz))
        .route("/readyz", get(probes::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(openapi::document))
        .route("/docs", get(docs::page))
        .route("/docs/docs.css", get(docs::style))
        .route("/", get(page::index))
        .fallback(page::file)
        .method_not_allowed_fallback(shell::no_such_method)
        .layer(from_fn_with_state(Arc::clone(&app), observe))
        .layer(from_fn(shell::guard))
        .with_state(app)
}

/// Counts each request, and lets the pages of allowed origins read the answers.
async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let route = metrics::route_of(request.uri().path());
    let origin = request.headers().get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let origin = origin.filter(|origin| app.allows_origin(origin)).map(str::to_owned);
    let asks = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let preflight = origin.is_some() && asks && request.method() == Method::OPTIONS;
    let mut response =
        if preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    if let Some(origin) = origin {
        shell::add_cors(response.headers_mut(), &origin, preflight);
    }
    app.counters.request(route, response.status().as_u16());
    response
}

impl App {
    /// Whether the request bears the configured token. Without a configured one nobody does.
    pub(crate) fn bears_token(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.config.ingest_token else { return false };
        let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or("");
        let Some((scheme, given)) = value.split_once(' ') else { return false };
        scheme.eq_ignore_ascii_case("bearer") && same(given.trim().as_bytes(), token.as_bytes())
    }

    /// Whether a request may post votes: with the token where there is one; else from this machine, and not from another site's page.
    pub(crate) fn authorize_post(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if self.config.ingest_token.is_some() {
            return if self.bears_token(headers) { Ok(()) } else { Err(Problem::unauthorized()) };
        }
        let Some(origin) = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()) else {
            return Ok(());
        };
        if self.allows_origin(origin) || is_loopback_origin(origin) {
            return Ok(());
        }
        let detail = format!(
            "pages of \"{origin}\" may not post votes here; allow the origin, or configure an ingest token"
        );
        Err(Problem::new(StatusCode::FORBIDDEN, "origin", "not from this page", detail))
    }

    /// Whether the log and the engine at hand are of this election.
    pub(crate) fn has_log_of(&self, election: &str) -> bool {
        self.log_election.as_deref().is_none_or(|log| log == election)
    }

    /// Records that wait, as the log at hand says, else as the workers last saw it.
    pub(crate) async fn waiting(&self, view: &View) -> u64 {
        let ends = if self.has_log_of(view.election_id()) { self.ends.get().await } else { None };
        let end = |place: usize| ends.as_ref().and_then(|ends| ends.get(place)).map_or(0, |end| end.0);
        let each = view.snapshot.progress.iter().enumerate();
        each.map(|(place, p)| p.log_end.0.max(end(place)).saturating_sub(p.next_offset.0)).sum()
    }

    fn allows_origin(&self, origin: &str) -> bool {
        self.config
            .allowed_origins
            .iter()
            .any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(origin))
    }
}

/// Compares without telling by its duration where the first difference is.
fn same(given: &[u8], token: &[u8]) -> bool {
    given.len() == token.len() && given.iter().zip(token).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

/// A page of this machine. A name is not looked up: another site may point its own name here.
fn is_loopback_origin(origin: &str) -> bool {
    let Some((_, authority)) = origin.split_once("://") else { return false };
    let host = match authority.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or(""),
        None => authority.split(':').next().unwrap_or(""),
    };
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_this_machine_are_told_from_others() {
        for (origin, expect) in [
            ("http://localhost:8501", true),
            ("http://127.0.0.1:8501", true),
            ("http://[::1]:8501", true),
            ("http://app.localhost", true),
            ("http://localhost.evil.example", false),
            ("http://192.168.1.4:8501", false),
            ("https://evil.example", false),
            ("null", false),
        ] {
            assert_eq!(is_loopback_origin(origin), expect, "{origin}");
        }
    }

    #[test]
    fn tokens_are_compared_whole() {
        assert!(same(b"secret", b"secret"));
        assert!(!same(b"secre", b"secret"));
        assert!(!same(b"Secret", b"secret"));
    }
}
