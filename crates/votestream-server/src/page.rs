//! The page's files: found by name, sent compressed as they were built, kept for ever where the name says what they hold.

use crate::app::App;
use crate::problem::Problem;
use crate::respond::{accepts, accepts_gzip, matches_tag, put};
use crate::seams::Asset;
use crate::shell;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::sync::Arc;

/// The page itself.
pub(crate) async fn index(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Problem> {
    let missing =
        || Problem::not_found("this server was built without the page; /docs lists what else there is");
    Ok(send((app.page)("index.html").ok_or_else(missing)?, &app, &headers))
}

/// Any other file of it, for all that no route takes.
pub(crate) async fn file(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    let path = request.uri().path();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match (app.page)(path.trim_start_matches('/')).filter(|_| reads) {
        Some(asset) => Ok(send(asset, &app, request.headers())),
        None => Err(shell::no_such_path(request).await),
    }
}

fn send(asset: Asset, app: &App, request: &HeaderMap) -> Response {
    let br = asset.br.filter(|_| accepts(request, &header::ACCEPT_ENCODING, |coding| coding == "br"));
    let gzip = asset.gzip.filter(|_| accepts_gzip(request));
    let (bytes, encoding, suffix) = match (br, gzip) {
        (Some(br), _) => (br, Some("br"), "-br"),
        (None, Some(gzip)) => (gzip, Some("gzip"), "-gz"),
        (None, None) => (asset.bytes, None, ""),
    };
    let tag = asset.etag.trim_matches('"');
    let fresh = matches_tag(request, tag);
    let mut response =
        Response::new(if fresh { Body::empty() } else { Body::from(Bytes::from_static(bytes)) });
    let headers = response.headers_mut();
    put(headers, header::ETAG, &format!("\"{tag}{suffix}\""));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    let cache = if asset.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    put(headers, header::CONTENT_SECURITY_POLICY, &app.page_policy);
    if fresh {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.mime));
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}
