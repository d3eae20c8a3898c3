//! TLS as libpq's `sslmode` names it: `prefer` and `require` encrypt and trust anyone, `require` with a root certificate and `verify-ca`
//! check who signed, `verify-full` also the host's name.

use super::fault::{Done, Fault};
use super::options::Place;
use crate::error::StoreError;
use crate::postgres_url::{PostgresUrl, TlsMode};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::path::Path;
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

/// What connects with TLS, or would, if the server speaks it.
pub(super) fn connector(url: &PostgresUrl, place: &Place) -> Done<MakeRustlsConnect> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| refused(place, "TLS cannot be set up".into(), e))?;
    let checks = match (url.tls, &url.root_certificates) {
        (TlsMode::VerifyFull, _) => Checks::SignerAndName,
        (TlsMode::VerifyCa, _) | (TlsMode::Require, Some(_)) => Checks::Signer,
        _ => Checks::Nothing,
    };
    let config = match checks {
        Checks::SignerAndName => config.with_root_certificates(roots(url, place)?),
        Checks::Signer => {
            let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(url, place)?), provider)
                .build()
                .map_err(|e| refused(place, "its root certificates are of no use".into(), e))?;
            config.dangerous().with_custom_certificate_verifier(Arc::new(AnyName(inner)))
        }
        Checks::Nothing => {
            config.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        }
    };
    Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
}

enum Checks {
    Nothing,
    Signer,
    SignerAndName,
}

fn refused(place: &Place, why: String, source: impl std::error::Error + Send + Sync + 'static) -> Fault {
    Fault::Store(StoreError::Refused { store: place.label.clone(), why, source: Some(Box::new(source)) })
}

/// The certificates of `sslrootcert`, or else those that the system trusts.
fn roots(url: &PostgresUrl, place: &Place) -> Done<RootCertStore> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = &url.root_certificates {
        for certificate in read_pem(path, place)? {
            roots.add(certificate).map_err(|e| {
                refused(
                    place,
                    format!("{} (sslrootcert) holds a certificate that is none", path.display()),
                    e,
                )
            })?;
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if roots.is_empty() {
        let why =
            "no root certificate to check its certificate with was found: name a file with sslrootcert=";
        return Err(refused(place, why.into(), std::io::Error::from(std::io::ErrorKind::NotFound)));
    }
    Ok(roots)
}

fn read_pem(path: &Path, place: &Place) -> Done<Vec<CertificateDer<'static>>> {
    let unreadable =
        |e| refused(place, format!("{} (sslrootcert) cannot be read as PEM certificates", path.display()), e);
    CertificateDer::pem_file_iter(path).map_err(unreadable)?.collect::<Result<_, _>>().map_err(unreadable)
}

/// Checks who signed, not for which host.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Encrypts, and checks only that the server holds the key of the certificate that it shows.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
