//! Whether a Spark Connect server is behind an address, before anything is asked of it: a connection, TLS where the URL wants it, and HTTP/2's
//! first frames. The client itself would try a dead or a wrong address silently for ten minutes.

use crate::error::SparkError;
use crate::plan::Limits;
use crate::remote::Remote;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;

/// HTTP/2's preface and an empty SETTINGS frame. A server answers by a SETTINGS frame of its own.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// A frame's head, and where in it its kind stands.
const HEAD_BYTES: usize = 9;
const KIND: usize = 3;
/// The kind of a SETTINGS frame.
const SETTINGS: u8 = 4;
/// HTTP/2 as ALPN names it.
const ALPN: &[u8] = b"h2";

/// Somebody listens there.
pub(crate) fn probe(remote: &Remote, limits: Limits) -> Result<TcpStream, SparkError> {
    let unreachable = |says: String| SparkError::Unreachable { remote: remote.clone(), says };
    let addresses = remote.authority().to_socket_addrs().map_err(|error| unreachable(error.to_string()))?;
    let mut last = "its name has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, limits.probe) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error.to_string(),
        }
    }
    Err(unreachable(last))
}

/// Who listens there speaks what a Spark Connect server speaks.
pub(crate) fn knock(remote: &Remote, limits: Limits) -> Result<(), SparkError> {
    let mut tcp = probe(remote, limits)?;
    let bounded =
        tcp.set_read_timeout(Some(limits.probe)).and_then(|()| tcp.set_write_timeout(Some(limits.probe)));
    let answered =
        bounded.and_then(|()| if remote.tls() { greet_by_tls(&mut tcp, remote) } else { greet(&mut tcp) });
    let head = answered.map_err(|error| failed(&error, remote))?;
    if head[KIND] == SETTINGS {
        return Ok(());
    }
    let says = match head {
        // A record of TLS, versions 1.0 to 1.3: an alert that we do not speak it.
        [0x15, 3, ..] => "it speaks TLS: add ;use_ssl=true".to_owned(),
        _ => "it does not speak HTTP/2, as gRPC does".to_owned(),
    };
    Err(SparkError::NotSpark { remote: remote.clone(), says })
}

fn greet(stream: &mut impl ReadWrite) -> io::Result<[u8; HEAD_BYTES]> {
    let mut head = [0; HEAD_BYTES];
    stream.write_all(PREFACE)?;
    stream.flush()?;
    // An alert of TLS is shorter than a frame's head: what comes of it is enough.
    let mut read = 0;
    while read < HEAD_BYTES {
        match stream.read(&mut head[read..])? {
            0 if read > KIND => break,
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            bytes => read += bytes,
        }
    }
    Ok(head)
}

trait ReadWrite: Read + Write {}

impl<T: Read + Write> ReadWrite for T {}

/// The same over TLS, checked as the client checks it: by this system's certificates, or those that `SSL_CERT_FILE` names.
fn greet_by_tls(tcp: &mut TcpStream, remote: &Remote) -> io::Result<[u8; HEAD_BYTES]> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = builder.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    let name = ServerName::try_from(remote.host().trim_matches(['[', ']']).to_owned());
    let name = name.map_err(io::Error::other)?;
    let mut tls = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    while tls.is_handshaking() {
        tls.complete_io(tcp)?;
    }
    if tls.alpn_protocol() != Some(ALPN) {
        return Err(io::Error::other(rustls::Error::NoApplicationProtocol));
    }
    greet(&mut Stream::new(&mut tls, tcp))
}

fn failed(error: &io::Error, remote: &Remote) -> SparkError {
    let remote = remote.clone();
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(rustls::Error::InvalidMessage(_)) => {
            SparkError::NotSpark { remote, says: "it does not speak TLS: leave out use_ssl=true".to_owned() }
        }
        Some(rustls::Error::NoApplicationProtocol) => {
            SparkError::NotSpark { remote, says: "it offers no HTTP/2 over TLS (ALPN h2)".to_owned() }
        }
        Some(error) => SparkError::Insecure { remote, says: error.to_string() },
        None => {
            let says = match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                    "it takes connections and says nothing".to_owned()
                }
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                    let tls = if remote.tls() { "" } else { "; if it speaks TLS, add ;use_ssl=true" };
                    format!("it closes connections without an answer{tls}")
                }
                _ => error.to_string(),
            };
            SparkError::Unreachable { remote, says }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::time::Duration;

    /// What is said of a server that answers its first connection so.
    fn said(answer: &'static [u8], stays: bool) -> SparkError {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let remote: Remote = format!("sc://{}", listener.local_addr().unwrap()).parse().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut preface = vec![0; PREFACE.len()];
            stream.read_exact(&mut preface).unwrap();
            stream.write_all(answer).unwrap();
            stays.then_some(stream)
        });
        let limits = Limits { probe: Duration::from_millis(300), ..Limits::default() };
        let error = knock(&remote, limits).expect_err("none of them is a Spark server");
        drop(server.join().unwrap());
        error
    }

    #[test]
    fn who_is_no_spark_server_is_told_apart() {
        let other = said(b"HTTP/1.1 400 Bad Request\r\n\r\n", false);
        assert!(matches!(&other, SparkError::NotSpark { says, .. } if says.contains("HTTP/2")), "{other}");
        let tls = said(b"\x15\x03\x03\0\x02\x02\x50", false);
        assert!(matches!(&tls, SparkError::NotSpark { says, .. } if says.contains("use_ssl=true")), "{tls}");
        assert!(!other.is_transient() && !tls.is_transient());
        for (error, word) in [(said(b"", false), "closes connections"), (said(b"", true), "says nothing")] {
            assert!(matches!(&error, SparkError::Unreachable { says, .. } if says.contains(word)), "{error}");
            assert!(error.is_transient());
        }
    }

    #[test]
    fn who_speaks_no_tls_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("sc://{}/;use_ssl=true", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"\0\0\0\x04\0\0\0\0\0").unwrap();
            let mut rest = Vec::new();
            drop(stream.read_to_end(&mut rest));
        });
        let error = knock(&url.parse().unwrap(), Limits::default()).expect_err("it speaks no TLS");
        assert!(matches!(&error, SparkError::NotSpark { says, .. } if says.contains("leave out")), "{error}");
        server.join().unwrap();
    }
}
