//! Answers that are made once and given many times: bytes with an ETag, their gzip form, and what a conditional request gets.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use std::io::Write;
use std::sync::OnceLock;

/// Caches may keep an answer for a second, browsers must ask each time; the ETag makes that cheap.
pub(crate) const REVALIDATE: &str = "public, max-age=0, s-maxage=1, must-revalidate";

/// Nothing below this is worth compressing.
const GZIP_FROM_BYTES: usize = 1_024;

/// A complete answer: made once, shared by all who ask.
pub(crate) struct Answer {
    mime: &'static str,
    /// Without quotes: store uuid and sequence.
    tag: String,
    body: Bytes,
    gzip: OnceLock<Option<Bytes>>,
    file_name: Option<String>,
    cache: &'static str,
}

impl Answer {
    /// An answer of a media type, true of the store's state `tag`.
    pub(crate) fn new(mime: &'static str, tag: &str, body: impl Into<Bytes>) -> Self {
        Self {
            mime,
            tag: tag.to_owned(),
            body: body.into(),
            gzip: OnceLock::new(),
            file_name: None,
            cache: REVALIDATE,
        }
    }

    /// JSON of `value`.
    pub(crate) fn json(tag: &str, value: &impl serde::Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self::new("application/json", tag, serde_json::to_vec(value)?))
    }

    /// Proposes a file name to save it under.
    pub(crate) fn named(mut self, file_name: String) -> Self {
        self.file_name = Some(file_name);
        self
    }

    /// Never kept by a cache without asking again.
    pub(crate) fn no_cache(mut self) -> Self {
        self.cache = "no-cache";
        self
    }

    /// Bytes it takes, about.
    pub(crate) fn size(&self) -> usize {
        self.body.len() + self.gzip.get().and_then(Option::as_ref).map_or(0, Bytes::len)
    }

    /// The state of the store that it is of.
    pub(crate) fn tag(&self) -> &str {
        &self.tag
    }

    /// Compresses now rather than in the first answer that needs it.
    pub(crate) fn compressed(&self) -> Option<&Bytes> {
        let make = || (self.body.len() >= GZIP_FROM_BYTES).then(|| gzip(&self.body));
        self.gzip.get_or_init(make).as_ref()
    }

    /// The answer to one request: whole, compressed, or "not modified".
    pub(crate) fn respond(&self, request: &HeaderMap) -> Response {
        let compressed = if accepts_gzip(request) { self.compressed() } else { None };
        let suffix = if compressed.is_some() { "-gz" } else { "" };
        let etag = format!("\"{}{suffix}\"", self.tag);
        let fresh = matches_tag(request, &self.tag);
        let body = match (fresh, compressed) {
            (true, _) => Body::empty(),
            (false, Some(bytes)) => Body::from(bytes.clone()),
            (false, None) => Body::from(self.body.clone()),
        };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        put(headers, header::ETAG, &etag);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(self.cache));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding, origin"));
        if fresh {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.mime));
        if compressed.is_some() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if let Some(name) = &self.file_name {
            put(headers, header::CONTENT_DISPOSITION, &format!("attachment; filename=\"{name}\""));
        }
        response
    }
}

/// Sets a header whose value is known to be clean, or leaves it out.
pub(crate) fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// gzip of some bytes.
pub(crate) fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), Compression::new(6));
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    Bytes::from(encoder.finish().unwrap_or_default())
}

/// Whether `If-None-Match` names `tag`, compared weakly and whatever its encoding was.
pub(crate) fn matches_tag(request: &HeaderMap, tag: &str) -> bool {
    let values = request.get_all(header::IF_NONE_MATCH);
    values.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(
        |candidate| {
            let candidate = candidate.trim();
            let candidate = candidate.strip_prefix("W/").unwrap_or(candidate).trim_matches('"');
            candidate == "*"
                || candidate.strip_suffix("-gz").or(candidate.strip_suffix("-br")).unwrap_or(candidate) == tag
        },
    )
}

/// Whether the request takes gzip.
pub(crate) fn accepts_gzip(request: &HeaderMap) -> bool {
    accepts(request, &header::ACCEPT_ENCODING, |coding| matches!(coding, "gzip" | "x-gzip" | "*"))
}

/// Whether a list header (`Accept`, `Accept-Encoding`) holds an entry that `wanted` takes and that is not refused by `q=0`.
pub(crate) fn accepts(request: &HeaderMap, name: &HeaderName, wanted: impl Fn(&str) -> bool) -> bool {
    let values = request.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let coding = parts.next().unwrap_or("").to_ascii_lowercase();
        let refused = parts.any(|part| {
            let weight = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
            weight.and_then(|q| q.trim().parse::<f32>().ok()) == Some(0.0)
        });
        !refused && wanted(&coding)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn conditional_requests_compare_weakly() {
        for (value, expect) in [
            ("\"a-1\"", true),
            ("W/\"a-1\"", true),
            ("\"x\", \"a-1-gz\"", true),
            ("*", true),
            ("\"a-2\"", false),
            ("\"a-1-zz\"", false),
        ] {
            assert_eq!(matches_tag(&request(header::IF_NONE_MATCH, value), "a-1"), expect, "{value}");
        }
    }

    #[test]
    fn gzip_is_taken_only_where_it_is_accepted() {
        for (value, expect) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("br", false),
            ("identity, *;q=0.1", true),
        ] {
            assert_eq!(accepts_gzip(&request(header::ACCEPT_ENCODING, value)), expect, "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
