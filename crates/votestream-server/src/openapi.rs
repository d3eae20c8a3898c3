//! `/openapi.json`: what the API takes and answers, for programs. Written from the handlers and the types themselves.

use crate::problem::Problem;
use crate::{api, intake, live, metrics, probes};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde_json::Value;
use std::sync::OnceLock;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

/// Every kind of problem and when it is met; `type` is `/docs#<kind>`.
pub const PROBLEMS: &[(&str, &str)] = &[
    (
        "parameter",
        "400: a query parameter or header is unknown, given twice or ill-formed; parameter and allowed say which and what is allowed",
    ),
    (
        "several-elections",
        "400: the store holds several elections and none was named; /api/elections lists them",
    ),
    ("body", "400: the body holds no record, is no whole JSON array, or broke off; nothing was appended"),
    ("token", "401: the bearer token is missing or wrong"),
    ("origin", "403: a page of another site tried to post votes to a server without a token"),
    ("not-found", "404: no such path, region or election; a region that is not public is not found either"),
    ("method", "405: the path takes other methods; the Allow header names them"),
    ("accept", "406: the outcomes of a POST can only be had as NDJSON or JSON"),
    ("timeout", "408: the body did not arrive in time, or 503: no answer in time"),
    ("too-large", "413: the body, or the number of its records, is over the bound; nothing was appended"),
    ("target", "414: the path with its query is too long"),
    ("encoding", "415: the body of a POST is compressed"),
    (
        "idempotency-key",
        "409: the first request with this Idempotency-Key is not done, or 422: it had another body",
    ),
    ("too-many", "429: as many POSTs are being served as may be; Retry-After says when to try again"),
    ("internal", "500: a fault of the server's; its log says more"),
    ("busy", "503: as many bodies are being read as may be; nothing was appended"),
    ("connections", "503: as many connections are open as may be"),
    ("streams", "503: as many streams are open as may be"),
    ("no-election", "503: nothing has been counted into the store yet"),
    ("store", "503: the results store cannot be read now"),
    (
        "log",
        "503: the log does not take votes now; appended says how many of the request are durable all the same",
    ),
    ("no-intake", "503: this server was started without a log, so it takes no votes"),
    ("no-payloads", "503: this server was started without a log, so it cannot show what was rejected"),
    ("paused", "503: counting is paused (readyz)"),
];

#[derive(OpenApi)]
#[openapi(
    info(
        title = "votestream",
        description = "Live election results: snapshots, a live stream, history, exports, and the intake of votes.\n\n\
            Every answer of results bears an ETag made of the store's identity and its sequence; ask again with If-None-Match. \
            A region that is held, or whose results are not yet public, is absent from every answer.",
    ),
    paths(
        api::results::results,
        live::live,
        live::live_csv,
        api::elections::elections,
        api::regions::regions,
        api::regions::region,
        api::demographics::demographics,
        api::timeline::timeline,
        api::ledger::ledger,
        api::photos::photo,
        api::rejects::rejects,
        api::desk::desk,
        api::engine::engine,
        api::export::csv,
        api::export::json_file,
        api::export::parquet,
        api::export::nist,
        intake::post_votes,
        probes::healthz,
        probes::readyz,
        metrics::metrics,
        document,
    ),
    components(schemas(Problem)),
    modifiers(&Token),
    tags(
        (name = "results", description = "What was counted"),
        (name = "votes", description = "Votes into the log"),
        (name = "operating", description = "For those who run it"),
    ),
)]
struct Api;

struct Token;

impl Modify for Token {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("The ingest token")).build();
        api.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "operating",
    responses((status = 200, description = "this document", body = Object, content_type = "application/json"))
)]
pub(crate) async fn document() -> Response {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| value().to_string()).as_str();
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))], text)
        .into_response()
}

/// The document as JSON.
pub(crate) fn value() -> Value {
    // A document of strings and maps always is JSON.
    serde_json::to_value(Api::openapi()).unwrap_or_default()
}
