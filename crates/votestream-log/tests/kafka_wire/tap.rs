//! A proxy before a broker that understands frames: it lowers the versions which the broker says that it speaks, and notes which requests
//! pass, in which version, and for how long the broker asks not to be asked.

use bytes::Buf;
use kafka_protocol::messages::{ApiKey, ProduceResponse};
use kafka_protocol::protocol::Decodable;
use std::collections::{BTreeSet, VecDeque};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The newest version of a request that is let through; one that is not named is as the broker has it. −1: not at all.
pub type Caps = &'static [(ApiKey, i16)];

pub struct Tap {
    pub port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    to: Mutex<String>,
    caps: Mutex<Caps>,
    seen: Mutex<Seen>,
}

/// What passed.
#[derive(Default)]
struct Seen {
    requests: BTreeSet<(i16, i16)>,
    throttled: Vec<Throttled>,
}

/// An answer that asks for a rest.
#[derive(Clone, Copy, Debug)]
pub struct Throttled {
    pub key: i16,
    pub asked: Duration,
    /// Until the next request of that kind came on the same connection.
    pub kept: Option<Duration>,
}

/// A request under way, or an answer that asked for a rest, on one connection.
#[derive(Default)]
struct Line {
    waiting: VecDeque<(i16, i16)>,
    /// Since when, for how long, and where it is noted.
    resting: Option<(Instant, usize)>,
}

impl Tap {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let to = accepting.to.lock().unwrap().clone();
                let Ok(server) = TcpStream::connect(to) else { continue };
                let line = Arc::new(Mutex::new(Line::default()));
                for asks in [true, false] {
                    let (from, to) = if asks { (&client, &server) } else { (&server, &client) };
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let (shared, line) = (Arc::clone(&accepting), Arc::clone(&line));
                    std::thread::spawn(move || {
                        carry(from, to, |frame| {
                            if asks { shared.asked(&line, frame) } else { shared.answered(&line, frame) }
                        });
                    });
                }
            }
        });
        Self { port, shared }
    }

    pub fn place(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn lead_to(&self, port: u16) {
        *self.shared.to.lock().unwrap() = format!("127.0.0.1:{port}");
    }

    /// From now on connections speak no newer versions than these; forgets what was seen.
    pub fn cap(&self, caps: Caps) {
        *self.shared.caps.lock().unwrap() = caps;
        *self.shared.seen.lock().unwrap() = Seen::default();
    }

    /// The versions in which `key` was asked.
    pub fn versions(&self, key: ApiKey) -> Vec<i16> {
        let seen = self.shared.seen.lock().unwrap();
        seen.requests.iter().filter(|(k, _)| *k == key as i16).map(|(_, version)| *version).collect()
    }

    /// The answers to `key` that asked for a rest.
    pub fn throttled(&self, key: ApiKey) -> Vec<Throttled> {
        let seen = self.shared.seen.lock().unwrap();
        seen.throttled.iter().filter(|throttled| throttled.key == key as i16).copied().collect()
    }
}

impl Shared {
    fn asked(&self, line: &Mutex<Line>, frame: Vec<u8>) -> Vec<u8> {
        let word = |at: usize| i16::from_be_bytes([frame[at], frame[at + 1]]);
        let (key, version) = (word(0), word(2));
        let mut line = line.lock().unwrap();
        line.waiting.push_back((key, version));
        let mut seen = self.seen.lock().unwrap();
        seen.requests.insert((key, version));
        if let Some((since, at)) = line.resting
            && let Some(noted) = seen.throttled.get_mut(at).filter(|noted| noted.key == key)
        {
            noted.kept = Some(since.elapsed());
            line.resting = None;
        }
        frame
    }

    fn answered(&self, line: &Mutex<Line>, frame: Vec<u8>) -> Vec<u8> {
        let mut line = line.lock().unwrap();
        let (key, version) = line.waiting.pop_front().expect("an answer has a request");
        let asked = match ApiKey::try_from(key) {
            Ok(ApiKey::ApiVersions) => return self.capped(frame, version),
            // The number of the request, tagged fields, and then it.
            Ok(ApiKey::Fetch) => (&frame[if version >= 12 { 5 } else { 4 }..]).get_i32(),
            Ok(ApiKey::Produce) => {
                let mut body = bytes::Bytes::copy_from_slice(&frame[if version >= 9 { 5 } else { 4 }..]);
                ProduceResponse::decode(&mut body, version).unwrap().throttle_time_ms
            }
            _ => 0,
        };
        if asked > 0 {
            let mut seen = self.seen.lock().unwrap();
            line.resting = Some((Instant::now(), seen.throttled.len()));
            seen.throttled.push(Throttled { key, asked: Duration::from_millis(asked as u64), kept: None });
        }
        frame
    }

    /// The broker's versions, as new as they may be: each is a key, the oldest, the newest.
    fn capped(&self, mut frame: Vec<u8>, version: i16) -> Vec<u8> {
        let caps = *self.caps.lock().unwrap();
        // After the request's number and a code: how many there are, from version 3 on as a varint less one, and tagged fields after each.
        let compact = version >= 3;
        let (count, mut at) = if compact {
            let bytes = frame[6..].iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
            let read = |sum: usize, byte: &u8| sum << 7 | usize::from(byte & 0x7f);
            (frame[6..6 + bytes].iter().rev().fold(0, read) - 1, 6 + bytes)
        } else {
            (u32::from_be_bytes(frame[6..10].try_into().unwrap()) as usize, 10)
        };
        for _ in 0..count {
            let word = |at: usize| i16::from_be_bytes([frame[at], frame[at + 1]]);
            let (key, newest) = (word(at), word(at + 4));
            if let Some((_, cap)) = caps.iter().find(|(capped, _)| *capped as i16 == key) {
                frame[at + 4..at + 6].copy_from_slice(&newest.min(*cap).to_be_bytes());
            }
            if compact {
                assert_eq!(frame[at + 6], 0, "no tagged fields");
            }
            at += 6 + usize::from(compact);
        }
        frame
    }
}

/// Carries frames on, each as `look` gives it back.
fn carry(mut from: TcpStream, mut to: TcpStream, look: impl Fn(Vec<u8>) -> Vec<u8>) {
    let mut length = [0; 4];
    while from.read_exact(&mut length).is_ok() {
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        if from.read_exact(&mut frame).is_err() {
            break;
        }
        let frame = look(frame);
        let mut out = (frame.len() as u32).to_be_bytes().to_vec();
        out.extend_from_slice(&frame);
        if to.write_all(&out).is_err() {
            break;
        }
    }
    // Either may be gone already.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
