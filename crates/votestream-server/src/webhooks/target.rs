//! An address that events are posted to, taken apart and checked at start.

use super::WebhookError;
use http::Uri;
use std::fmt;

/// Longest address, in bytes.
const ADDRESS_BYTES_MAX: usize = 2_048;

/// A receiver's address. Shown without its path, which may be all that guards it.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    pub(super) secure: bool,
    pub(super) host: String,
    pub(super) port: u16,
    /// `host[:port]` as it was written, for the Host header.
    pub(super) authority: String,
    /// Path with its query.
    pub(super) path: String,
}

impl Target {
    /// Reads `http[s]://host[:port]/path`. `number` names it in errors, which do not repeat it.
    pub(super) fn parse(number: usize, address: &str) -> Result<Self, WebhookError> {
        let bad = |what| WebhookError::Address { number, what };
        let address = address.trim();
        if address.len() > ADDRESS_BYTES_MAX {
            return Err(bad("is longer than 2048 bytes"));
        }
        let uri: Uri = address.parse().map_err(|_| bad("is no address"))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(bad("begins with neither http:// nor https://")),
        };
        let authority = uri.authority().ok_or(bad("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("holds a user or password, which would be shown in the list of processes"));
        }
        let host = authority.host().trim_matches(['[', ']']);
        if host.is_empty() {
            return Err(bad("names no host"));
        }
        if secure && !cfg!(feature = "https") {
            return Err(WebhookError::NoTls { number });
        }
        Ok(Self {
            secure,
            host: host.to_owned(),
            port: uri.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/…", if self.secure { "https" } else { "http" }, self.authority)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let target = Target::parse(1, " http://[::1]:9000/hooks/s3cret?x=1#y ").unwrap();
        assert_eq!((target.secure, target.host.as_str(), target.port), (false, "::1", 9000));
        assert_eq!((target.authority.as_str(), target.path.as_str()), ("[::1]:9000", "/hooks/s3cret?x=1"));
        assert_eq!(format!("{target} {target:?}"), "http://[::1]:9000/… http://[::1]:9000/…");
        assert_eq!(Target::parse(1, "http://news.example").unwrap().path, "/");
        assert_eq!(Target::parse(1, "http://news.example").unwrap().port, 80);
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for (address, part) in [
            ("", "no address"),
            ("news.example/s3cret", "no address"),
            ("/s3cret", "neither http"),
            ("ftp://news.example/s3cret", "neither http"),
            ("http://user:s3cret@news.example/", "list of processes"),
            ("http:///s3cret", "no address"),
            ("http://a b/s3cret", "no address"),
        ] {
            let error = Target::parse(2, address).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("number 2"), "{address}: {error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
        assert!(Target::parse(1, &format!("http://a/{}", "x".repeat(3_000))).is_err());
    }

    #[test]
    fn https_needs_a_build_that_speaks_it() {
        let parsed = Target::parse(1, "https://news.example/hook");
        if cfg!(feature = "https") {
            assert_eq!(parsed.unwrap().port, 443);
        } else {
            assert!(parsed.unwrap_err().to_string().contains("make build"));
        }
    }
}
