//! One connection to one broker: requests go out, answers come back in the same order, several may be under way.
//!
//! Opening it covers TCP, TLS, the versions that both sides speak, and SASL. Which broker, and when to open another
//! connection after a failure, is left to the callers: **after an error a connection is of no use any more; drop it.**

use super::bodies::Bodies;
use super::config::{CLIENT_ID, Config, Credentials};
use super::request::Request;
use super::sasl::{self, SaslError, ScramFirst};
use super::stream::{IS_IT_UP, Received, Stream, StreamError};
use super::{error, shape};
use crate::error::LogError;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, RequestHeader, ResponseHeader, SaslAuthenticateRequest, SaslHandshakeRequest,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The largest frame that is read or written.
pub(crate) const FRAME_BYTES_MAX: usize = 64 << 20;
/// Most requests under way on one connection.
pub(crate) const UNDER_WAY_MAX: usize = 64;
/// Kafka's code of an answer to a version that the broker does not know.
const UNSUPPORTED_VERSION: i16 = 35;
/// Kafka's codes of saying who one is.
const UNSUPPORTED_SASL_MECHANISM: i16 = 33;
const ILLEGAL_SASL_STATE: i16 = 34;
const SASL_AUTHENTICATION_FAILED: i16 = 58;
/// What it may mean when the first request ends in a closed connection.
const TRY_TLS: &str = "is it up? if its listener wants TLS, add tls=true";
/// What it may mean when the first request after that does.
const TRY_SASL: &str =
    "is it up? if its listener asks who one is, add sasl=plain, sasl=scram-sha-256 or sasl=scram-sha-512";
/// What to do where something else than a broker answers.
pub(super) const CHECK_ADDRESS: &str = "check host and port, and whether its listener wants tls=true";

/// A connection to one broker.
///
/// Signatures that the fetcher and the producer build on:
/// ```text
/// Connection::open(place: &str, config: &Arc<Config>) -> Result<Connection, LogError>   // place: "host:port"
/// connection.version::<R>() -> Result<i16, LogError>             // the newest version of R both sides speak, at most R::NEWEST
/// connection.send(&request) -> Result<CorrelationId, LogError>   // at that version; send_at(&request, version) at another
/// connection.receive::<R>() -> Result<R::Response, LogError>     // the oldest request's answer, within Config::request_timeout
/// connection.receive_within::<R>(Duration) -> Result<Option<R::Response>, LogError> // None: not all here yet; ask again, nothing is lost
/// connection.call(&request) -> Result<R::Response, LogError>     // send + receive; nothing else may be under way
/// connection.place() -> &str
/// ```
/// `R` is the request's type ([`super::request::Request`] is implemented for the messages that we use). Answers' `Bytes` (a Fetch answer's
/// records) are slices of the frame that was read, not copies. `receive` must be asked for the requests' answers in the order in which they
/// were sent.
pub(crate) struct Connection {
    stream: Stream,
    place: Arc<str>,
    versions: HashMap<i16, (i16, i16)>,
    /// What is sent and not answered, oldest first.
    waiting: VecDeque<Waiting>,
    next_id: i32,
    /// The answer that is being read.
    frame: Frame,
    /// Room for answers, used again.
    bodies: Bodies,
    out: BytesMut,
    timeout: Duration,
    /// What it may mean when the broker closes the connection now.
    hint: &'static str,
}

/// Tells an answer's request; counted up on each connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CorrelationId(pub(crate) i32);

/// A request under way.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    id: CorrelationId,
    key: i16,
    version: i16,
    header_version: i16,
}

/// As much of an answer as has come.
#[derive(Debug, Default)]
struct Frame {
    length: [u8; 4],
    length_filled: usize,
    /// As long as the answer, or longer.
    body: BytesMut,
    body_length: usize,
    body_filled: usize,
}

impl Connection {
    /// Connects to `place` (`host:port`), agrees on versions and, where `config` says so, on TLS and on who we are.
    ///
    /// # Errors
    /// [`LogError::Unreachable`], [`LogError::NotKafka`], [`LogError::Refused`]; at most [`Config::connect_timeout`] a step later.
    pub(crate) fn open(place: &str, config: &Arc<Config>) -> Result<Self, LogError> {
        let mut connection = Self {
            stream: Stream::open(place, config)?,
            place: place.into(),
            versions: HashMap::new(),
            waiting: VecDeque::new(),
            next_id: 0,
            frame: Frame::default(),
            bodies: Bodies::default(),
            out: BytesMut::new(),
            timeout: config.connect_timeout,
            hint: if config.tls.is_none() { TRY_TLS } else { IS_IT_UP },
        };
        connection.agree_on_versions()?;
        if let Some(credentials) = &config.credentials {
            connection.authenticate(credentials)?;
        }
        connection.timeout = config.request_timeout;
        connection.hint = if config.credentials.is_none() { TRY_SASL } else { IS_IT_UP };
        Ok(connection)
    }

    /// Where the broker is: `host:port`.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// How many requests have no answer yet.
    #[cfg(test)]
    pub(crate) fn under_way(&self) -> usize {
        self.waiting.len()
    }

    /// The newest version of `R` that both sides speak.
    ///
    /// # Errors
    /// [`LogError::Refused`]: there is none.
    pub(crate) fn version<R: Request>(&self) -> Result<i16, LogError> {
        let ours = (R::VERSIONS.min, R::NEWEST.min(R::VERSIONS.max));
        let theirs = self.versions.get(&(R::KEY as i16)).copied().unwrap_or((0, -1));
        let newest = ours.1.min(theirs.1);
        if newest < ours.0.max(theirs.0) {
            let (name, (t0, t1), (o0, o1)) = (R::NAME, theirs, ours);
            let what = format!("it speaks {name} in versions {t0} to {t1}, votestream in {o0} to {o1}");
            return Err(self.refused(what, "use Kafka 2.4 or newer, and the newest votestream"));
        }
        Ok(newest)
    }

    /// Sends `request` at the newest version that both sides speak. The answer comes from [`Connection::receive`].
    ///
    /// # Errors
    /// [`LogError::Unreachable`] when it cannot be sent in time; see [`Connection::version`].
    pub(crate) fn send<R: Request>(&mut self, request: &R) -> Result<CorrelationId, LogError> {
        let version = self.version::<R>()?;
        self.send_at(request, version)
    }

    /// The same at a version that the caller knows the broker to speak.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub(crate) fn send_at<R: Request>(
        &mut self,
        request: &R,
        version: i16,
    ) -> Result<CorrelationId, LogError> {
        if self.waiting.len() >= UNDER_WAY_MAX {
            return Err(self.garbled(format!("{UNDER_WAY_MAX} requests are under way without an answer")));
        }
        let id = CorrelationId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1) & i32::MAX;
        self.encode(request, version, id).map_err(|what| self.garbled(what))?;
        self.stream.send(&self.out, Instant::now() + self.timeout).map_err(|error| error.say(&self.place))?;
        self.waiting.push_back(Waiting {
            id,
            key: R::KEY as i16,
            version,
            header_version: R::Response::header_version(version),
        });
        Ok(id)
    }

    /// The answer to the oldest request under way, which must be an `R`.
    ///
    /// # Errors
    /// [`LogError::Unreachable`] when it does not come in time, [`LogError::Garbled`] when it is none.
    pub(crate) fn receive<R: Request>(&mut self) -> Result<R::Response, LogError> {
        self.receive_by::<R>(self.timeout)
    }

    /// The same for at most `timeout`.
    ///
    /// # Errors
    /// As [`Connection::receive`].
    pub(crate) fn receive_by<R: Request>(&mut self, timeout: Duration) -> Result<R::Response, LogError> {
        self.receive_within::<R>(timeout)?.ok_or_else(|| LogError::Unreachable {
            place: self.place.to_string(),
            what: format!("no answer to {} within {} s", R::NAME, timeout.as_secs_f32()),
            next: "is it up, and not overloaded?",
        })
    }

    /// The same, but `None` when the whole answer is not there after `wait`: ask again, what has come is kept.
    ///
    /// # Errors
    /// As [`Connection::receive`].
    pub(crate) fn receive_within<R: Request>(
        &mut self,
        wait: Duration,
    ) -> Result<Option<R::Response>, LogError> {
        let Some(waiting) = self.waiting.front().copied() else {
            return Err(
                self.garbled(format!("no request is under way, and an answer to {} is asked for", R::NAME))
            );
        };
        if waiting.key != R::KEY as i16 {
            return Err(self.garbled(format!("an answer to {} is asked for out of order", R::NAME)));
        }
        if !self.read_frame(Instant::now() + wait)? {
            return Ok(None);
        }
        self.waiting.pop_front();
        if !self.versions.is_empty() && R::KEY as i16 != ApiKey::ApiVersions as i16 {
            self.hint = IS_IT_UP;
        }
        let frame = std::mem::take(&mut self.frame);
        let body = self.bodies.lend(frame.body).slice(..frame.body_length);
        self.decode::<R>(waiting, body).map(Some)
    }

    /// Sends `request` and waits for its answer. Nothing else may be under way.
    ///
    /// # Errors
    /// As [`Connection::send`] and [`Connection::receive`].
    pub(crate) fn call<R: Request>(&mut self, request: &R) -> Result<R::Response, LogError> {
        self.send(request)?;
        self.receive::<R>()
    }

    /// As [`Connection::call`] for at most `time`, where another broker may answer sooner than this one is given up.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub(crate) fn call_within<R: Request>(
        &mut self,
        request: &R,
        time: Duration,
    ) -> Result<R::Response, LogError> {
        self.send(request)?;
        self.receive_by::<R>(time.min(self.timeout))
    }

    fn encode<R: Request>(&mut self, request: &R, version: i16, id: CorrelationId) -> Result<(), String> {
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY as i16)
            .with_request_api_version(version)
            .with_correlation_id(id.0)
            .with_client_id(Some(StrBytes::from_static_str(CLIENT_ID)));
        self.out.clear();
        self.out.put_i32(0);
        let said = |error| format!("{} version {version} cannot be encoded: {error}", R::NAME);
        header.encode(&mut self.out, R::header_version(version)).map_err(said)?;
        request.encode(&mut self.out, version).map_err(said)?;
        let bytes = self.out.len() - 4;
        if bytes > FRAME_BYTES_MAX {
            return Err(format!("a {} request of {bytes} bytes is over {FRAME_BYTES_MAX}", R::NAME));
        }
        self.out[..4].copy_from_slice(&(bytes as u32).to_be_bytes());
        Ok(())
    }

    /// Reads on until the frame is whole; `false` when `deadline` comes first.
    fn read_frame(&mut self, deadline: Instant) -> Result<bool, LogError> {
        let frame = &mut self.frame;
        while frame.length_filled < frame.length.len() {
            let received = self.stream.receive(&mut frame.length[frame.length_filled..], deadline);
            match received.map_err(|error| say(&error, &self.place, self.hint))? {
                Received::Bytes(bytes) => frame.length_filled += bytes,
                Received::Late => return Ok(false),
            }
            if frame.length_filled == frame.length.len() {
                let length = u32::from_be_bytes(frame.length) as usize;
                if !(4..=FRAME_BYTES_MAX).contains(&length) {
                    let told = frame.length;
                    return Err(self.not_a_length(told));
                }
                (frame.body, frame.body_length) = (self.bodies.room(length), length);
            }
        }
        while frame.body_filled < frame.body_length {
            let rest = &mut frame.body[frame.body_filled..frame.body_length];
            let received = self.stream.receive(rest, deadline);
            match received.map_err(|error| say(&error, &self.place, self.hint))? {
                Received::Bytes(bytes) => frame.body_filled += bytes,
                Received::Late => return Ok(false),
            }
        }
        Ok(true)
    }

    fn decode<R: Request>(&self, waiting: Waiting, mut body: Bytes) -> Result<R::Response, LogError> {
        let id = CorrelationId(body.slice(..4).get_i32());
        if id != waiting.id {
            let (id, expect) = (id.0, waiting.id.0);
            return Err(self.garbled(format!("it answers request {id}, where {expect} was next")));
        }
        let bad = |what: &str| {
            self.garbled(format!("its answer to {} version {} {what}", R::NAME, waiting.version))
        };
        ResponseHeader::decode(&mut body, waiting.header_version)
            .map_err(|_| bad("has a malformed header"))?;
        // An answer to a version that it does not know is of version 0, with that error first.
        let mut version = waiting.version;
        if self.versions.is_empty() && body.first_chunk() == Some(&UNSUPPORTED_VERSION.to_be_bytes()) {
            version = 0;
        }
        if !shape::holds::<R::Response>(&body, version) {
            return Err(bad("is malformed"));
        }
        R::Response::decode(&mut body, version).map_err(|_| bad("does not decode"))
    }

    fn agree_on_versions(&mut self) -> Result<(), LogError> {
        let named = |text| StrBytes::from_static_str(text);
        let request = ApiVersionsRequest::default()
            .with_client_software_name(named(CLIENT_ID))
            .with_client_software_version(named(env!("CARGO_PKG_VERSION")));
        self.send_at(&request, ApiVersionsRequest::NEWEST)?;
        let mut answer = self.receive::<ApiVersionsRequest>()?;
        if answer.error_code == UNSUPPORTED_VERSION {
            self.send_at(&request, 0)?;
            answer = self.receive::<ApiVersionsRequest>()?;
        }
        if answer.error_code != 0 || answer.api_keys.is_empty() {
            return Err(LogError::NotKafka {
                place: self.place.to_string(),
                what: format!("it does not say what it speaks ({})", error::name(answer.error_code)),
                next: CHECK_ADDRESS,
            });
        }
        let spoken = answer.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version)));
        self.versions = spoken.collect();
        Ok(())
    }

    /// Says who we are.
    fn authenticate(&mut self, credentials: &Credentials) -> Result<(), LogError> {
        let mechanism = credentials.mechanism.kafka_name();
        let asked = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
        let answer = self.call(&asked)?;
        match answer.error_code {
            0 => {}
            UNSUPPORTED_SASL_MECHANISM => {
                let offered: Vec<_> = answer.mechanisms.iter().map(StrBytes::as_str).collect();
                let what =
                    format!("its listener does not take SASL {mechanism} (it takes {})", offered.join(", "));
                return Err(self.refused(what, "choose one of them with sasl="));
            }
            ILLEGAL_SASL_STATE => {
                let what = "its listener does not ask who one is".to_owned();
                return Err(self.refused(what, "leave out sasl=, or name the port of a SASL listener"));
            }
            code => return Err(error::refused(&self.place, "SaslHandshake", code, None)),
        }
        let Some(first) =
            ScramFirst::start(credentials).map_err(|error| self.sasl_failed(error, credentials))?
        else {
            return self.sasl_step(sasl::plain(credentials), credentials).map(drop);
        };
        let server_first = self.sasl_step(first.message().into_bytes(), credentials)?;
        let (proof, last) =
            first.answer(&server_first).map_err(|error| self.sasl_failed(error, credentials))?;
        let server_final = self.sasl_step(proof.into_bytes(), credentials)?;
        last.check(&server_final).map_err(|error| self.sasl_failed(error, credentials))
    }

    /// Sends one message of ours; answers the broker's.
    fn sasl_step(&mut self, message: Vec<u8>, credentials: &Credentials) -> Result<Bytes, LogError> {
        let answer = self.call(&SaslAuthenticateRequest::default().with_auth_bytes(message.into()))?;
        match answer.error_code {
            0 => Ok(answer.auth_bytes),
            SASL_AUTHENTICATION_FAILED => Err(self.sasl_failed(SaslError::Refused, credentials)),
            code => {
                Err(error::refused(&self.place, "SaslAuthenticate", code, answer.error_message.as_deref()))
            }
        }
    }

    fn sasl_failed(&self, error: SaslError, credentials: &Credentials) -> LogError {
        let (mechanism, user) = (credentials.mechanism.kafka_name(), &credentials.user);
        let next = match error {
            SaslError::Refused => "check the user's name and the password's file or variable",
            _ => "make sure that this is the right server; it is not told anything more",
        };
        self.refused(format!("SASL {mechanism} as user \"{user}\": {error}"), next)
    }

    fn refused(&self, what: String, next: &'static str) -> LogError {
        LogError::Refused { place: self.place.to_string(), what, next }
    }

    /// What a frame's first four bytes tell where they are no length.
    fn not_a_length(&self, told: [u8; 4]) -> LogError {
        if !self.versions.is_empty() {
            return self.garbled(format!("a frame of {} bytes", u32::from_be_bytes(told)));
        }
        let what = match told {
            [0x15 | 0x16, 0x03, ..] => {
                return LogError::NotKafka {
                    place: self.place.to_string(),
                    what: "it speaks TLS, and was spoken to without".to_owned(),
                    next: "add tls=true (and ca=FILE where its certificate is not signed by a public authority)",
                };
            }
            [b'H', b'T', b'T', b'P'] => "it speaks HTTP".to_owned(),
            _ => format!("its first bytes are \"{}\"", told.escape_ascii()),
        };
        LogError::NotKafka { place: self.place.to_string(), what, next: CHECK_ADDRESS }
    }

    /// Something is wrong with an answer: before versions are agreed on this is no broker, later it is one with a fault.
    fn garbled(&self, what: String) -> LogError {
        let place = self.place.to_string();
        if self.versions.is_empty() {
            LogError::NotKafka { place, what, next: CHECK_ADDRESS }
        } else {
            LogError::Garbled { place, what }
        }
    }
}

/// A closed connection may mean that the listener wants something else of us.
fn say(error: &StreamError, place: &str, hint: &'static str) -> LogError {
    match error.say(place) {
        LogError::Unreachable { place, what, .. } => LogError::Unreachable { place, what, next: hint },
        error => error,
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Connection");
        debug.field("place", &self.place).field("under_way", &self.waiting.len()).finish_non_exhaustive()
    }
}
