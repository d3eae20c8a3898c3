//! Whether a running server answers and is ready: `/healthz`, `/readyz`.

use super::lines::Lines;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long connecting, and each read and write, may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 16 << 10;

/// Asks the server at `url`.
pub(super) fn check(url: &str, lines: &mut Lines) {
    let Some(place) = place(url) else {
        lines.fault(
            format!("'{url}' is no server's URL"),
            "write it as http://127.0.0.1:8501; https is not spoken, ask the server behind the proxy",
        );
        return;
    };
    match ask(place, "/readyz") {
        Ok((200, _)) => lines.well(format!("server http://{place} answers and is ready")),
        Ok((status, body)) => {
            let detail = serde_json::from_str::<serde_json::Value>(&body).ok();
            let detail = detail.as_ref().and_then(|problem| problem.get("detail")?.as_str());
            lines.fault(
                format!(
                    "server http://{place} answers and is not ready ({status}): {}",
                    detail.unwrap_or("it does not say why")
                ),
                "look at its store with `votestream doctor --store …`, and whether `votestream count` runs",
            );
        }
        Err(error) => lines.fault(
            format!("server http://{place} does not answer: {}", said(&error)),
            "is it running, and is that its port? it says so when it starts",
        ),
    }
}

/// The system's word for a wait that ended says nothing of a wait.
fn said(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => format!("nothing within {} s", TIMEOUT.as_secs()),
        _ => error.to_string(),
    }
}

/// `host:port` of an HTTP URL.
fn place(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("http://")?;
    let place = rest.split('/').next()?;
    place
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        .then_some(place)
}

fn ask(place: &str, path: &str) -> std::io::Result<(u16, String)> {
    let mut last = std::io::Error::from(ErrorKind::NotFound);
    for address in place.to_socket_addrs()? {
        let mut stream = match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(stream) => stream,
            Err(error) => {
                last = error;
                continue;
            }
        };
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {place}\r\nconnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
        return parsed(&String::from_utf8_lossy(&answer))
            .ok_or_else(|| std::io::Error::other("what answers there speaks no HTTP"));
    }
    Err(last)
}

fn parsed(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_answers() {
        assert_eq!(place("http://127.0.0.1:8501/x"), Some("127.0.0.1:8501"));
        assert_eq!(place("http://[::1]:8501"), Some("[::1]:8501"));
        assert_eq!((place("https://a:1"), place("http://a"), place("a:1")), (None, None, None));
        assert_eq!(parsed("HTTP/1.1 503 x\r\na: b\r\n\r\n{}"), Some((503, "{}".to_owned())));
        assert_eq!((parsed("SSH-2.0-x"), parsed("HTTP/1.1 \r\n\r\n")), (None, None));
    }
}
