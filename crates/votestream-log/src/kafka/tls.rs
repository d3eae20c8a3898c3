//! TLS as the URL asks for it: whom we trust, who we are, and what a failed handshake means in words.

use super::stream::unreachable;
use crate::error::LogError;
use crate::kafka_url::KafkaOptions;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;

/// What to do where the other side does not speak TLS.
const NO_TLS: &str = "if its listener has no TLS, leave out tls=true";

/// How connections are encrypted; `None`: they are not.
///
/// # Errors
/// [`LogError::Credentials`]: a file that is missing or no good.
pub(super) fn config(options: &KafkaOptions) -> Result<Option<Arc<ClientConfig>>, LogError> {
    if !options.tls {
        return Ok(None);
    }
    let bad = |what: String| LogError::Credentials { what, next: "use a build of votestream that is whole" };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| bad(format!("TLS cannot be set up: {error}")))?;
    let builder = builder.with_root_certificates(roots(options.ca.as_deref())?);
    let config = match (&options.cert, &options.key) {
        (Some(cert), Some(key)) => {
            let chain = certificates(cert)?;
            let key_der = PrivateKeyDer::from_pem_file(key).map_err(|error| LogError::Credentials {
                what: format!("\"{}\" holds no private key that can be read: {error}", key.display()),
                next: "name a PEM file with an unencrypted key (PKCS#8, SEC1 or PKCS#1)",
            })?;
            builder.with_client_auth_cert(chain, key_der).map_err(|error| LogError::Credentials {
                what: format!(
                    "certificate \"{}\" and key \"{}\" do not go together: {error}",
                    cert.display(),
                    key.display()
                ),
                next: "name the certificate's own key",
            })?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(Some(Arc::new(config)))
}

/// The name that a broker's certificate must be for.
pub(super) fn server_name(place: &str) -> Result<ServerName<'static>, LogError> {
    let host = place.rsplit_once(':').map_or(place, |(host, _)| host);
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(host.to_owned())
        .map_err(|_| unreachable(place, format!("\"{host}\" is no name that a certificate can be for")))
}

/// The other side closed the connection while hands were shaken.
pub(super) fn closed(place: &str) -> LogError {
    LogError::Unreachable {
        place: place.to_owned(),
        what: "it closed the connection in the TLS handshake".to_owned(),
        next: NO_TLS,
    }
}

/// The handshake took too long.
pub(super) fn late(place: &str) -> LogError {
    LogError::Unreachable {
        place: place.to_owned(),
        what: "it does not answer in the TLS handshake".to_owned(),
        next: NO_TLS,
    }
}

/// What `error`, on the connection to `place`, means.
pub(super) fn say(place: &str, error: &rustls::Error) -> LogError {
    use CertificateError as C;
    use rustls::Error as E;
    let refused = |what: String, next| LogError::Refused { place: place.to_owned(), what, next };
    match error {
        E::InvalidCertificate(C::UnknownIssuer | C::BadSignature) => refused(
            "its certificate is not signed by an authority that is trusted here".to_owned(),
            "name the certificate of the authority that signed it with ca=FILE",
        ),
        E::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => refused(
            "its certificate is for another host name".to_owned(),
            "use a name that the certificate holds (and have brokers advertise it), or have the certificate made for this one",
        ),
        E::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => refused(
            "its certificate has expired".to_owned(),
            "have it renewed; check this machine's clock too",
        ),
        E::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            refused("its certificate is not valid yet".to_owned(), "check this machine's clock")
        }
        E::InvalidCertificate(other) => {
            refused(format!("its certificate cannot be accepted ({other:?})"), "have it made anew")
        }
        E::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied,
        ) => refused(
            format!("it does not accept our certificate ({error})"),
            "name a certificate that it trusts with cert=FILE and key=FILE",
        ),
        E::InvalidMessage(_) => LogError::NotKafka {
            place: place.to_owned(),
            what: "it does not speak TLS".to_owned(),
            next: NO_TLS,
        },
        E::PeerIncompatible(_)
        | E::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure) => {
            refused(
                format!("no TLS that both sides speak ({error})"),
                "allow TLS 1.2 or 1.3 in the broker's ssl.enabled.protocols",
            )
        }
        _ => unreachable(place, error.to_string()),
    }
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, LogError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca {
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|error| LogError::Credentials {
                what: format!("\"{}\" holds a certificate that cannot be used: {error}", path.display()),
                next: "name a PEM file with the authority's certificate",
            })?;
        }
        return Ok(roots);
    }
    let found = rustls_native_certs::load_native_certs();
    let (used, _) = roots.add_parsable_certificates(found.certs);
    if used == 0 {
        return Err(LogError::Credentials {
            what: "this system has no certificates of authorities".to_owned(),
            next: "install them (the package ca-certificates) or name the brokers' with ca=FILE",
        });
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, LogError> {
    let bad = |why: String| LogError::Credentials {
        what: format!("\"{}\" {why}", path.display()),
        next: "name a PEM file with certificates",
    };
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|error| bad(format!("cannot be read as certificates: {error}")))?;
    if found.is_empty() { Err(bad("holds no certificate".to_owned())) } else { Ok(found) }
}
