//! Bytes to and from a broker: a TCP connection, with TLS around it where asked for, every step with a deadline.

use super::config::Config;
use super::tls;
use crate::error::LogError;
use rustls::ClientConnection;
use socket2::{SockRef, TcpKeepalive};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// Idle time after which the system asks whether the other side is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// The shortest time that a socket is told to wait: 0 would mean for ever.
const WAIT_MIN: Duration = Duration::from_millis(1);
/// What to do where nothing answers.
pub(super) const IS_IT_UP: &str = "is it up, and are host and port right?";

/// A connection's bytes.
pub(super) enum Stream {
    /// As they are.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<Tls>),
}

/// An encrypted connection.
pub(super) struct Tls {
    session: ClientConnection,
    socket: TcpStream,
}

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// So many bytes, at least one.
    Bytes(usize),
    /// Nothing before the deadline.
    Late,
}

/// Why bytes could not be sent or received.
#[derive(Debug)]
pub(super) enum StreamError {
    /// The other side ended the connection.
    Closed,
    /// A request was not taken in time.
    Stuck,
    /// The system says so.
    Io(io::Error),
    /// TLS does not hold.
    Tls(rustls::Error),
}

impl StreamError {
    /// As an error of the broker at `place`.
    pub(super) fn say(&self, place: &str) -> LogError {
        let what = match self {
            Self::Closed => "it closed the connection".to_owned(),
            Self::Stuck => "it takes no bytes any more".to_owned(),
            Self::Io(error) => error.to_string(),
            Self::Tls(error) => return tls::say(place, error),
        };
        unreachable(place, what)
    }
}

/// The broker at `place` cannot be reached.
pub(super) fn unreachable(place: &str, what: String) -> LogError {
    LogError::Unreachable { place: place.to_owned(), what, next: IS_IT_UP }
}

impl Stream {
    /// Connects to `place` and, where `config` says so, shakes hands, within [`Config::connect_timeout`] each.
    pub(super) fn open(place: &str, config: &Arc<Config>) -> Result<Self, LogError> {
        let socket = connect(place, Instant::now() + config.connect_timeout)?;
        let Some(tls_config) = &config.tls else { return Ok(Self::Plain(socket)) };
        let session = ClientConnection::new(Arc::clone(tls_config), tls::server_name(place)?);
        let session = session.map_err(|error| tls::say(place, &error))?;
        let mut stream = Tls { session, socket };
        match stream.shake_hands(Instant::now() + config.connect_timeout) {
            Ok(Received::Bytes(_)) => Ok(Self::Tls(Box::new(stream))),
            Ok(Received::Late) => Err(tls::late(place)),
            Err(StreamError::Closed | StreamError::Io(_)) => Err(tls::closed(place)),
            Err(error) => Err(error.say(place)),
        }
    }

    /// Sends all of `bytes`.
    pub(super) fn send(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), StreamError> {
        match self {
            Self::Plain(socket) => send_all(socket, bytes, deadline),
            Self::Tls(stream) => stream.send(bytes, deadline),
        }
    }

    /// Receives at least one byte of `into`, which is not empty.
    pub(super) fn receive(&mut self, into: &mut [u8], deadline: Instant) -> Result<Received, StreamError> {
        match self {
            Self::Plain(socket) => receive_some(socket, into, deadline),
            Self::Tls(stream) => stream.receive(into, deadline),
        }
    }
}

impl Tls {
    fn shake_hands(&mut self, deadline: Instant) -> Result<Received, StreamError> {
        while self.session.is_handshaking() {
            self.flush(deadline)?;
            if self.session.is_handshaking() && self.pull(deadline)? == Received::Late {
                return Ok(Received::Late);
            }
        }
        self.flush(deadline)?;
        Ok(Received::Bytes(0))
    }

    fn send(&mut self, mut bytes: &[u8], deadline: Instant) -> Result<(), StreamError> {
        while !bytes.is_empty() {
            let taken = self.session.writer().write(bytes).map_err(StreamError::Io)?;
            bytes = bytes.get(taken..).unwrap_or_default();
            self.flush(deadline)?;
        }
        Ok(())
    }

    fn receive(&mut self, into: &mut [u8], deadline: Instant) -> Result<Received, StreamError> {
        loop {
            match self.session.reader().read(into) {
                Ok(0) => return Err(StreamError::Closed),
                Ok(bytes) => return Ok(Received::Bytes(bytes)),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(StreamError::Closed);
                }
                Err(error) if is_wait(&error) => {}
                Err(error) => return Err(StreamError::Io(error)),
            }
            // A key update is answered before more is read.
            self.flush(deadline)?;
            if self.pull(deadline)? == Received::Late {
                return Ok(Received::Late);
            }
        }
    }

    /// Sends what the session has to send.
    fn flush(&mut self, deadline: Instant) -> Result<(), StreamError> {
        while self.session.wants_write() {
            let left = left(deadline).ok_or(StreamError::Stuck)?;
            self.socket.set_write_timeout(Some(left)).map_err(StreamError::Io)?;
            match self.session.write_tls(&mut self.socket) {
                Ok(0) => return Err(StreamError::Closed),
                Ok(_) => {}
                Err(error) if is_wait(&error) => {}
                Err(error) => return Err(StreamError::Io(error)),
            }
        }
        Ok(())
    }

    /// Takes bytes from the socket into the session.
    fn pull(&mut self, deadline: Instant) -> Result<Received, StreamError> {
        loop {
            let Some(left) = left(deadline) else { return Ok(Received::Late) };
            self.socket.set_read_timeout(Some(left)).map_err(StreamError::Io)?;
            match self.session.read_tls(&mut self.socket) {
                Ok(bytes) => {
                    let state = self.session.process_new_packets();
                    if let Err(error) = state {
                        // The other side is told why, if it still listens.
                        drop(self.flush(deadline));
                        return Err(StreamError::Tls(error));
                    }
                    if bytes == 0 && self.session.is_handshaking() {
                        return Err(StreamError::Closed);
                    }
                    return Ok(Received::Bytes(bytes));
                }
                Err(error) if is_wait(&error) => {}
                Err(error) => return Err(StreamError::Io(error)),
            }
        }
    }
}

fn send_all(socket: &mut TcpStream, mut bytes: &[u8], deadline: Instant) -> Result<(), StreamError> {
    while !bytes.is_empty() {
        let left = left(deadline).ok_or(StreamError::Stuck)?;
        socket.set_write_timeout(Some(left)).map_err(StreamError::Io)?;
        match socket.write(bytes) {
            Ok(0) => return Err(StreamError::Closed),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if is_wait(&error) => {}
            Err(error) => return Err(StreamError::Io(error)),
        }
    }
    Ok(())
}

fn receive_some(socket: &mut TcpStream, into: &mut [u8], deadline: Instant) -> Result<Received, StreamError> {
    loop {
        let Some(left) = left(deadline) else { return Ok(Received::Late) };
        socket.set_read_timeout(Some(left)).map_err(StreamError::Io)?;
        match socket.read(into) {
            Ok(0) => return Err(StreamError::Closed),
            Ok(bytes) => return Ok(Received::Bytes(bytes)),
            Err(error) if is_wait(&error) => {}
            Err(error) => return Err(StreamError::Io(error)),
        }
    }
}

/// The time left, as a socket can be told it; `None`: none.
fn left(deadline: Instant) -> Option<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    (!left.is_zero()).then(|| left.max(WAIT_MIN))
}

fn is_wait(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// Connects to the first of the host's addresses that answers.
fn connect(place: &str, deadline: Instant) -> Result<TcpStream, LogError> {
    let mut what = "its name has no address".to_owned();
    for address in resolve(place, deadline)? {
        let Some(left) = left(deadline) else { break };
        match TcpStream::connect_timeout(&address, left) {
            Ok(socket) => {
                let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
                let set = socket.set_nodelay(true);
                let set = set.and_then(|()| SockRef::from(&socket).set_tcp_keepalive(&keepalive));
                set.map_err(|error| unreachable(place, error.to_string()))?;
                return Ok(socket);
            }
            Err(error) => what = error.to_string(),
        }
    }
    Err(unreachable(place, what))
}

/// The addresses of `host:port`. The system's resolver knows no deadline, so a thread waits for it.
fn resolve(place: &str, deadline: Instant) -> Result<Vec<SocketAddr>, LogError> {
    if let Ok(address) = place.parse() {
        return Ok(vec![address]);
    }
    let (give, take) = mpsc::sync_channel(1);
    let name = place.to_owned();
    let thread = std::thread::Builder::new().name("kafka-resolve".to_owned());
    let started = thread.spawn(move || {
        let found = name.to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        // Nobody waits any more after the deadline.
        drop(give.send(found));
    });
    started.map_err(|error| unreachable(place, error.to_string()))?;
    match take.recv_timeout(left(deadline).unwrap_or(WAIT_MIN)) {
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => Err(LogError::Unreachable {
            place: place.to_owned(),
            what: format!("its name is not known ({error})"),
            next: "check the host's name",
        }),
        Err(_) => Err(unreachable(place, "its name was not resolved in time".to_owned())),
    }
}
