//! What an operator may choose about the server, and what is refused at start. Where the values come from is the binary's business.

use crate::limits;
use crate::webhooks::WebhookConfig;
use std::fmt;
use std::net::SocketAddr;

/// Choices of the results API. `Default` is a server on loopback for one person.
#[derive(Clone)]
pub struct ServerConfig {
    /// Asked for as `Authorization: Bearer …` by `POST /api/votes` and for payloads of rejects. `None`: votes are taken from
    /// this machine without a token and payloads are never shown. Needed to listen wider than loopback.
    pub ingest_token: Option<String>,
    /// Origins (`https://news.example`, or `*`) whose pages may read the API and embed the dashboard. Empty: none but its own.
    pub allowed_origins: Vec<String>,
    /// Connections served at once.
    pub connections_max: usize,
    /// Live streams at once.
    pub live_streams_max: usize,
    /// Bytes of one POST.
    pub body_bytes_max: usize,
    /// To whom events are posted. `None`: to nobody.
    pub webhooks: Option<WebhookConfig>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            ingest_token: None,
            allowed_origins: Vec::new(),
            connections_max: limits::CONNECTIONS_MAX,
            live_streams_max: limits::LIVE_STREAMS_MAX,
            body_bytes_max: limits::BODY_BYTES_MAX,
            webhooks: None,
        }
    }
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig")
            .field("ingest_token", &self.ingest_token.as_ref().map(|_| "…"))
            .field("allowed_origins", &self.allowed_origins)
            .field("connections_max", &self.connections_max)
            .field("live_streams_max", &self.live_streams_max)
            .field("body_bytes_max", &self.body_bytes_max)
            .field("webhooks", &self.webhooks)
            .finish()
    }
}

/// Choices of the generated stream.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// Clients streamed to at once.
    pub streams_max: usize,
}

impl Default for SourceConfig {
    fn default() -> Self {
        Self { streams_max: limits::SOURCE_STREAMS_MAX }
    }
}

/// A choice that cannot be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    /// Anyone could vote.
    #[error(
        "listening on {0}, beyond this machine, needs an ingest token; set one with --ingest-token or \
         VOTESTREAM_INGEST_TOKEN, or listen on 127.0.0.1"
    )]
    TokenNeeded(SocketAddr),
    /// A token that is too easily guessed, or that no header can carry.
    #[error(
        "the ingest token must be 16 to 256 visible ASCII characters; make one with `openssl rand -hex 32`"
    )]
    Token,
    /// Not an origin.
    #[error(
        "allowed origin \"{0}\" is no origin; write it as a browser does, such as https://news.example, or * for all"
    )]
    Origin(String),
    /// A bound of nothing.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
}

impl ServerConfig {
    /// Checks the choices against each other and against where the server will listen.
    pub fn validate(&self, listen: SocketAddr) -> Result<(), ConfigError> {
        if self.ingest_token.is_none() && !listen.ip().to_canonical().is_loopback() {
            return Err(ConfigError::TokenNeeded(listen));
        }
        if let Some(token) = &self.ingest_token {
            let visible = token.bytes().all(|byte| byte.is_ascii_graphic());
            if !visible || !(16..=256).contains(&token.len()) {
                return Err(ConfigError::Token);
            }
        }
        if let Some(origin) = self.allowed_origins.iter().find(|origin| !is_origin(origin)) {
            return Err(ConfigError::Origin(origin.clone()));
        }
        for (name, value) in [
            ("connections_max", self.connections_max),
            ("live_streams_max", self.live_streams_max),
            ("body_bytes_max", self.body_bytes_max),
        ] {
            if value == 0 {
                return Err(ConfigError::Zero(name));
            }
        }
        Ok(())
    }
}

/// `*`, or scheme, host and perhaps a port, and nothing that could break out of a header.
fn is_origin(text: &str) -> bool {
    if text == "*" {
        return true;
    }
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '[' | ']');
    matches!(scheme, "http" | "https") && !host.is_empty() && host.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(config: &ServerConfig, listen: &str, expect: Result<(), &str>) {
        let found = config.validate(listen.parse().unwrap()).map_err(|error| error.to_string());
        match expect {
            Ok(()) => assert_eq!(found, Ok(())),
            Err(part) => {
                assert!(found.as_ref().is_err_and(|text| text.contains(part)), "{found:?} lacks {part}");
            }
        }
    }

    #[test]
    fn wider_than_loopback_needs_a_token() {
        let open = ServerConfig::default();
        check(&open, "127.0.0.1:8501", Ok(()));
        check(&open, "127.8.8.8:8501", Ok(()));
        check(&open, "[::1]:8501", Ok(()));
        check(&open, "0.0.0.0:8501", Err("--ingest-token"));
        check(&open, "[::]:8501", Err("--ingest-token"));
        check(&open, "192.168.1.4:8501", Err("192.168.1.4:8501"));
        let guarded =
            ServerConfig { ingest_token: Some("0123456789abcdef".to_owned()), ..ServerConfig::default() };
        check(&guarded, "0.0.0.0:8501", Ok(()));
        assert!(!format!("{guarded:?}").contains("0123456789abcdef"));
    }

    #[test]
    fn tokens_and_origins_are_checked() {
        let token =
            |text: &str| ServerConfig { ingest_token: Some(text.to_owned()), ..ServerConfig::default() };
        check(&token("short"), "127.0.0.1:1", Err("16 to 256"));
        check(&token("has a space in between"), "127.0.0.1:1", Err("16 to 256"));
        let origin =
            |text: &str| ServerConfig { allowed_origins: vec![text.to_owned()], ..ServerConfig::default() };
        check(&origin("*"), "127.0.0.1:1", Ok(()));
        check(&origin("https://news.example:8443"), "127.0.0.1:1", Ok(()));
        check(&origin("news.example"), "127.0.0.1:1", Err("no origin"));
        check(&origin("https://a; script-src *"), "127.0.0.1:1", Err("no origin"));
        let zero = ServerConfig { connections_max: 0, ..ServerConfig::default() };
        check(&zero, "127.0.0.1:1", Err("connections_max"));
    }
}
