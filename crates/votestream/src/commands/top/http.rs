//! The little HTTP that following a server takes: GET over a plain connection, as HTTP/1.0, so that a body ends with its connection.

use anyhow::{Result, bail};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long connecting may take, and each read: a live stream says something at least every few seconds.
const TIMEOUT: Duration = Duration::from_secs(6);
/// Bytes of an answer's head.
const HEAD_BYTES_MAX: u64 = 16 << 10;
/// Bytes of an answer, or of one event of a stream.
const BODY_BYTES_MAX: u64 = 16 << 20;

/// A server's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    host: String,
    port: u16,
    /// What stands before `/api`, without a slash at its end.
    base: String,
}

impl Place {
    /// Reads `http://host[:port][/base]`.
    pub fn parse(url: &str) -> Result<Self> {
        const HOW: &str = "write it as http://127.0.0.1:8501";
        let Some(rest) = url.strip_prefix("http://") else {
            if url.starts_with("https://") {
                bail!(
                    "'{url}': https is not spoken here; ask the server behind its proxy, as http://host:port"
                );
            }
            bail!("'{url}' is no server's URL; {HOW}");
        };
        let (authority, base) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = match authority.rsplit_once(':') {
            // The last colon of an IPv6 address without a port is inside its brackets.
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
            _ => (authority, Some(80)),
        };
        let host = host.trim_matches(['[', ']']);
        let plain = url.bytes().all(|byte| byte.is_ascii_graphic()) && !url.contains(['@', '?', '#']);
        let (Some(port), false, true) = (port, host.is_empty(), plain) else {
            bail!("'{}' is no server's URL; {HOW}", url.escape_debug());
        };
        let base = base.trim_end_matches('/');
        let base = if base.is_empty() { String::new() } else { format!("/{base}") };
        Ok(Self { host: host.to_owned(), port, base })
    }

    /// A JSON answer, whatever its status.
    pub fn json(&self, path: &str) -> io::Result<(u16, serde_json::Value)> {
        let mut answer = self.get(path, "application/json")?;
        let mut body = Vec::new();
        answer.body.by_ref().take(BODY_BYTES_MAX).read_to_end(&mut body)?;
        let value = serde_json::from_slice(&body)
            .map_err(|_| io::Error::other("what answers there is no votestream"))?;
        Ok((answer.status, value))
    }

    /// Sends a request; the body is left to be read.
    pub fn get(&self, path: &str, accept: &str) -> io::Result<Answer> {
        let mut last = io::Error::other("its name has no address");
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, TIMEOUT) {
                Ok(stream) => return self.ask(stream, path, accept),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn ask(&self, mut stream: TcpStream, path: &str, accept: &str) -> io::Result<Answer> {
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let Self { host, port, base } = self;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        write!(
            stream,
            "GET {base}{path} HTTP/1.0\r\nhost: {host}:{port}\r\naccept: {accept}\r\nconnection: close\r\n\r\n"
        )?;
        let mut body = BufReader::new(stream);
        let no_http = || io::Error::other("what answers there speaks no HTTP");
        let mut head = body.by_ref().take(HEAD_BYTES_MAX);
        let mut line = String::new();
        head.read_line(&mut line).map_err(said)?;
        let status =
            line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)?.trim().parse().ok());
        let status = status.ok_or_else(no_http)?;
        while !line.trim_end().is_empty() {
            line.clear();
            if head.read_line(&mut line).map_err(said)? == 0 {
                return Err(no_http());
            }
        }
        Ok(Answer { status, body })
    }
}

/// An answer whose head was read.
pub struct Answer {
    /// Its status.
    pub status: u16,
    body: BufReader<TcpStream>,
}

impl Answer {
    /// The next line of a stream without its end; `None`: the stream has ended.
    pub fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        self.body.by_ref().take(BODY_BYTES_MAX).read_until(b'\n', &mut line).map_err(said)?;
        if line.pop() != Some(b'\n') {
            return Ok(None);
        }
        String::from_utf8(line).map(Some).map_err(|_| io::Error::other("what it sends is no text"))
    }
}

/// A read that took too long, in words.
fn said(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            io::Error::other(format!("nothing was heard for {} s", TIMEOUT.as_secs()))
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let place =
            |host: &str, port, base: &str| Place { host: host.to_owned(), port, base: base.to_owned() };
        for (url, expect) in [
            ("http://127.0.0.1:8501", place("127.0.0.1", 8501, "")),
            ("http://news.example/", place("news.example", 80, "")),
            ("http://[::1]:8501/night/", place("::1", 8501, "/night")),
            ("http://[::1]", place("::1", 80, "")),
        ] {
            assert_eq!(Place::parse(url).unwrap(), expect, "{url}");
        }
        for (url, part) in [
            ("https://a", "https is not spoken"),
            ("127.0.0.1:8501", "http://127.0.0.1:8501"),
            ("http://", "no server's URL"),
            ("http://a:b", "no server's URL"),
            ("http://a:1/\r\nx: y", "no server's URL"),
            ("http://a:1/?x", "no server's URL"),
        ] {
            assert!(Place::parse(url).unwrap_err().to_string().contains(part), "{url}");
        }
    }
}
