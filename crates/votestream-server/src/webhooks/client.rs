//! One POST to a receiver: connect, perhaps TLS, send, and the head of the answer. Redirects are not followed, bodies are not read.

use super::WebhookError;
use super::target::Target;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use std::error::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Bytes of an answer's head; more is a failure.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Who sends.
const AGENT: &str = concat!("votestream/", env!("CARGO_PKG_VERSION"));

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
}

/// How https:// addresses are reached.
#[derive(Clone)]
pub(crate) struct Tls {
    #[cfg(feature = "https")]
    connector: Option<tokio_rustls::TlsConnector>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

#[cfg(not(feature = "https"))]
impl Tls {
    /// Of a build without TLS; addresses that need it were refused.
    #[expect(clippy::unnecessary_wraps, reason = "the build with TLS can fail here")]
    pub(super) fn new(_needed: bool) -> Result<Self, WebhookError> {
        Ok(Self {})
    }
}

#[cfg(feature = "https")]
impl Tls {
    /// With the certificates of authorities that this system trusts; none are read where no address needs them.
    pub(super) fn new(needed: bool) -> Result<Self, WebhookError> {
        if !needed {
            return Ok(Self { connector: None });
        }
        let mut roots = rustls::RootCertStore::empty();
        let (used, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if used == 0 {
            let what =
                "this system has no certificates of authorities; install them (the package ca-certificates)";
            return Err(WebhookError::Tls(what.to_owned()));
        }
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| WebhookError::Tls(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { connector: Some(std::sync::Arc::new(config).into()) })
    }
}

/// Sends the body with these headers; waits for the head of the answer. Bounding the time is the caller's business.
///
/// # Errors
/// In words, for the log.
pub(super) async fn post(
    target: &Target,
    tls: &Tls,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Answer, String> {
    let socket = TcpStream::connect((target.host.as_str(), target.port))
        .await
        .map_err(|error| format!("cannot connect: {error}"))?;
    if !target.secure {
        return exchange(socket, target, headers, body).await;
    }
    encrypted(socket, target, tls, headers, body).await
}

#[cfg(not(feature = "https"))]
async fn encrypted(_: TcpStream, _: &Target, _: &Tls, _: &HeaderMap, _: Bytes) -> Result<Answer, String> {
    std::future::ready(Err("this build speaks no TLS".to_owned())).await
}

#[cfg(feature = "https")]
async fn encrypted(
    socket: TcpStream,
    target: &Target,
    tls: &Tls,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Answer, String> {
    let connector = tls.connector.as_ref().ok_or("TLS is not set up")?;
    let name = rustls::pki_types::ServerName::try_from(target.host.clone())
        .map_err(|_| "its host is no name that a certificate can be for".to_owned())?;
    let socket = connector.connect(name, socket).await.map_err(|error| format!("TLS failed: {error}"))?;
    exchange(socket, target, headers, body).await
}

async fn exchange(
    socket: impl AsyncRead + AsyncWrite + Unpin,
    target: &Target,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Answer, String> {
    let failed = |error: hyper::Error| {
        error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
    };
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .handshake(TokioIo::new(socket))
        .await
        .map_err(failed)?;
    let mut request = Request::post(target.path.as_str())
        .header(header::HOST, &target.authority)
        .header(header::USER_AGENT, AGENT)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close")
        .body(Full::new(body))
        .map_err(|error| error.to_string())?;
    request.headers_mut().extend(headers.clone());
    let answer = sender.send_request(request);
    let (mut answer, mut connection) = (std::pin::pin!(answer), std::pin::pin!(connection));
    // The connection moves the request; it is dropped with the answer's body unread.
    let answer = tokio::select! {
        answer = answer.as_mut() => answer,
        _ = connection.as_mut() => answer.await,
    };
    let (head, _) = answer.map_err(failed)?.into_parts();
    Ok(Answer { status: head.status, headers: head.headers })
}
