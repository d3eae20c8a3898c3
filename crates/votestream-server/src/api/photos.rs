//! `GET /api/photos/{candidate}`: a candidate's picture, as kept with the definition.

use super::newest;
use crate::app::App;
use crate::params::Params;
use crate::problem::Problem;
use crate::respond::{matches_tag, put};
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::sync::Arc;

/// A candidate's picture; results name its address.
///
/// With the digest that results name it may be kept for ever; another picture has another address.
#[utoipa::path(
    get, path = "/api/photos/{candidate}", tag = "results",
    params(
        ("candidate" = String, Path, description = "the candidate's id"),
        ("v" = Option<String>, Query, description = "the picture's digest, as in results"),
        ("election" = Option<String>, Query, description = "the election's id; needed only where the server shows several"),
    ),
    responses(
        (status = 200, description = "a PNG, JPEG, WebP or AVIF picture of at most 64 KiB", body = String, content_type = "image/*"),
        (status = 304, description = "If-None-Match names this picture"),
        (status = 400, description = "a parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such election or candidate, or no picture", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "nothing counted yet, or the store cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn photo(
    State(app): State<Arc<App>>,
    Path(candidate): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let params = Params::parse(query.as_deref(), &["v", "election"])?;
    let view = newest(&app, &params).await?;
    let missing = || Problem::not_found(format!("there is no picture of a candidate \"{candidate}\""));
    let found = view.election.candidates.iter().find(|known| known.id == candidate);
    let photo = found.and_then(|known| known.photo.as_ref()).ok_or_else(missing)?;
    let fresh = matches_tag(&headers, photo.digest());
    let mut response =
        Response::new(if fresh { Body::empty() } else { Body::from(Bytes::copy_from_slice(photo.bytes())) });
    let headers = response.headers_mut();
    put(headers, header::ETAG, &format!("\"{}\"", photo.digest()));
    // Only the address that names this very picture stays true.
    let named = params.text("v") == Some(photo.digest());
    let cache = if named { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if fresh {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(photo.mime()));
    }
    Ok(response)
}
