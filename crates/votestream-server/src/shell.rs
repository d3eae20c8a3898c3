//! What every request passes, whatever it asks for: lengths, time, a name for every "no", and headers that keep browsers careful.

use crate::limits;
use crate::problem::Problem;
use crate::respond::put;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

/// The bounds of a request that hold on every listener, and the headers of every answer.
pub(crate) async fn guard(request: Request, next: Next) -> Response {
    let head = request.method() == Method::HEAD;
    let mut response = bounded(request, next).await;
    add_careful_headers(response.headers_mut());
    if response.status() == StatusCode::METHOD_NOT_ALLOWED && head {
        *response.body_mut() = axum::body::Body::empty();
    }
    response
}

async fn bounded(request: Request, next: Next) -> Response {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > limits::TARGET_BYTES_MAX {
        let detail =
            format!("the path and query are {target} bytes long; the most is {}", limits::TARGET_BYTES_MAX);
        return Problem::new(StatusCode::URI_TOO_LONG, "target", "the address is too long", detail)
            .into_response();
    }
    let Ok(response) = tokio::time::timeout(limits::REQUEST_TIME_MAX, next.run(request)).await else {
        let detail = format!("no answer within {} s; try again", limits::REQUEST_TIME_MAX.as_secs());
        return Problem::unavailable("timeout", detail).into_response();
    };
    response
}

/// Headers against sniffing and leaking; the page's content security policy is added where the page is served.
fn add_careful_headers(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), microphone=(), geolocation=()"),
    );
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
        headers.insert(header::CONTENT_SECURITY_POLICY, nothing);
    }
}

/// The content security policy of HTML pages: nothing from elsewhere, nothing inline; framed only by those allowed to.
pub(crate) fn page_policy(allowed_origins: &[String]) -> String {
    let mut ancestors = String::from("'self'");
    for origin in allowed_origins {
        ancestors.push(' ');
        ancestors.push_str(origin);
    }
    format!(
        "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; \
         object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors {ancestors}"
    )
}

/// 404 for all that no route takes.
pub(crate) async fn no_such_path(request: Request) -> Problem {
    Problem::not_found(format!("there is nothing at \"{}\"; /docs lists what there is", request.uri().path()))
}

/// 405 where a path takes other methods; the `Allow` header says which.
pub(crate) async fn no_such_method(request: Request) -> Problem {
    let detail =
        format!("\"{}\" does not take {}; see the Allow header", request.uri().path(), request.method());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "the method is not allowed", detail)
}

/// Adds what lets the pages of allowed origins read an answer.
pub(crate) fn add_cors(headers: &mut HeaderMap, origin: &str, preflight: bool) {
    put(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let exposed = HeaderValue::from_static("etag, retry-after, content-disposition");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    if preflight {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, POST"));
        let allowed = HeaderValue::from_static(
            "authorization, content-type, idempotency-key, if-none-match, last-event-id",
        );
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
}
