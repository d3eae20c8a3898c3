//! Problem details (RFC 9457): the one shape in which this server says no. Which request meets which problem is decided where it
//! is served; how a problem is written is decided here.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// What went wrong, as `application/problem+json`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// A stable name of the kind of problem, relative to `/docs`: `/docs#parameter`.
    #[serde(rename = "type", serialize_with = "kind_link")]
    pub kind: &'static str,
    /// The kind of problem in a few words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong with this request and what to do next.
    #[schema(value_type = String)]
    pub detail: Box<str>,
    /// The parameter or header that is wrong, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub parameter: Option<Box<str>>,
    /// What would have been allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub allowed: Option<Box<str>>,
    /// Records of this request that were made durable all the same (after a failure of the log half way).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appended: Option<u64>,
    #[serde(skip)]
    #[schema(ignore)]
    retry_after_s: Option<u32>,
}

impl Problem {
    /// A problem of a kind (`/docs#<kind>`).
    pub fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<Box<str>>,
    ) -> Self {
        Self {
            kind,
            title,
            status: status.as_u16(),
            detail: detail.into(),
            parameter: None,
            allowed: None,
            appended: None,
            retry_after_s: None,
        }
    }

    /// 400: a query parameter is wrong; says which one and what is allowed.
    pub fn parameter(name: &str, detail: impl Into<Box<str>>, allowed: impl Into<Box<str>>) -> Self {
        let mut problem = Self::new(StatusCode::BAD_REQUEST, "parameter", "a parameter is wrong", detail);
        problem.parameter = Some(name.into());
        problem.allowed = Some(allowed.into());
        problem
    }

    /// 400: the store holds several elections and none is named.
    pub fn several_elections(ids: &[&str]) -> Self {
        let detail =
            "the store holds several elections; name one with ?election=, as /api/elections lists them";
        let title = "several elections";
        let mut problem = Self::new(StatusCode::BAD_REQUEST, "several-elections", title, detail);
        problem.parameter = Some("election".into());
        problem.allowed = Some(ids.join(", ").into());
        problem
    }

    /// 404: there is nothing of that name.
    pub fn not_found(detail: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "not found", detail)
    }

    /// 503: not now; try again.
    pub fn unavailable(kind: &'static str, detail: impl Into<Box<str>>) -> Self {
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, kind, "not available now", detail);
        problem.retry_after(crate::limits::RETRY_AFTER_S)
    }

    /// 500: a fault of the server's; the particulars are in its log.
    pub fn internal() -> Self {
        let detail = "the server met a fault of its own; its log says more";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "a fault in the server", detail)
    }

    /// 401: the bearer token is missing or wrong.
    pub fn unauthorized() -> Self {
        let detail = "this needs the ingest token; send it as `Authorization: Bearer <token>`";
        Self::new(StatusCode::UNAUTHORIZED, "token", "the token is missing or wrong", detail)
    }

    /// Adds `Retry-After`.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Adds how many records were made durable all the same.
    #[must_use]
    pub fn with_appended(mut self, appended: u64) -> Self {
        self.appended = Some(appended);
        self
    }
}

fn kind_link<S: Serializer>(kind: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("/docs#{kind}"))
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"votestream\""));
        }
        response
    }
}
