//! A server that answers with whatever it likes: every answer gives an error or a value in bounded time, never a panic.

use super::NodeId;
use super::client::{Client, Leader};
use super::config::Config;
use super::connection::{Connection, FRAME_BYTES_MAX};
use crate::error::LogError;
use crate::kafka_url::KafkaUrl;
use kafka_protocol::messages::{FetchRequest, ListOffsetsRequest, MetadataRequest, ProduceRequest};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use votestream_election::PartitionId;

/// What the client waits for here.
const TIMEOUT: Duration = Duration::from_millis(300);
/// Longest that one exchange may take, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the server does with a connection, from the number of its request on: a frame to send, or nothing more.
type Answer = dyn Fn(usize, &Asked) -> Option<Vec<u8>> + Send + Sync;

/// A request that came.
struct Asked {
    key: i16,
    id: [u8; 4],
}

/// A deterministic stream of numbers.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

fn config() -> Arc<Config> {
    Arc::new(Config { tls: None, credentials: None, connect_timeout: TIMEOUT, request_timeout: TIMEOUT })
}

/// A server whose answers are `answer`'s; its `host:port`.
fn server(answer: Arc<Answer>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || serve(stream, &*answer));
        }
    });
    place
}

fn serve(mut stream: TcpStream, answer: &Answer) -> Option<()> {
    for number in 0.. {
        let mut length = [0; 4];
        stream.read_exact(&mut length).ok()?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut body).ok()?;
        let key = i16::from_be_bytes(*body.first_chunk()?);
        let asked = Asked { key, id: *body.get(4..)?.first_chunk()? };
        stream.write_all(&answer(number, &asked)?).ok()?;
    }
    None
}

/// A whole frame: length, correlation id, then `body`.
fn frame(id: [u8; 4], body: &[u8]) -> Vec<u8> {
    let mut frame = ((body.len() + 4) as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(&id);
    frame.extend_from_slice(body);
    frame
}

/// The answer to ApiVersions, version 3: everything that we ask for.
fn api_versions() -> Vec<u8> {
    let keys = [(0_i16, 11_i16), (1, 17), (2, 8), (3, 12), (18, 4)];
    let mut body = vec![0, 0, keys.len() as u8 + 1];
    for (key, newest) in keys {
        for field in [key, 0, newest] {
            body.extend_from_slice(&field.to_be_bytes());
        }
        body.push(0);
    }
    body.extend_from_slice(&[0, 0, 0, 0, 0]);
    body
}

/// The answer to Metadata, version 12: broker 7 at `port` of this machine, topic "t" with one partition.
fn metadata(port: u16) -> Vec<u8> {
    let mut body = vec![0]; // the header's tags
    body.extend_from_slice(&[0; 4]);
    body.push(2);
    body.extend_from_slice(&7_i32.to_be_bytes());
    body.push(10);
    body.extend_from_slice(b"127.0.0.1");
    body.extend_from_slice(&i32::from(port).to_be_bytes());
    body.extend_from_slice(&[0, 0]); // no rack
    body.extend_from_slice(&[0]); // no cluster id
    body.extend_from_slice(&7_i32.to_be_bytes());
    body.push(2);
    body.extend_from_slice(&[0, 0, 2, b't']);
    body.extend_from_slice(&[9; 16]);
    body.push(0);
    body.push(2);
    body.extend_from_slice(&[0, 0, 0, 0, 0, 0]);
    body.extend_from_slice(&7_i32.to_be_bytes());
    body.extend_from_slice(&3_i32.to_be_bytes());
    for _ in 0..2 {
        body.push(2);
        body.extend_from_slice(&7_i32.to_be_bytes());
    }
    body.extend_from_slice(&[1, 0]); // none offline
    body.extend_from_slice(&[0; 4]);
    body.push(0);
    body.push(0);
    body
}

fn good(asked: &Asked, port: u16) -> Option<Vec<u8>> {
    match asked.key {
        18 => Some(frame(asked.id, &api_versions())),
        3 => Some(frame(asked.id, &metadata(port))),
        _ => None,
    }
}

#[track_caller]
fn in_time<T>(what: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = what();
    assert!(began.elapsed() < PATIENCE, "it took {:?}", began.elapsed());
    done
}

#[test]
fn a_good_server_is_understood() {
    let place = server(Arc::new(|_, asked| good(asked, 99)));
    let client = Client::connect(&KafkaUrl::new([place], "t")).unwrap();
    assert_eq!((client.partitions(), client.log_id().0), (1, u128::from_be_bytes([9; 16])));
    assert_eq!(client.leader(PartitionId(0)), Some(Leader { node: NodeId(7), epoch: 3 }));
    assert_eq!(client.place(NodeId(7)).as_deref(), Some("127.0.0.1:99"));
    assert_eq!(client.leader(PartitionId(1)), None);
}

#[test]
fn what_is_no_broker_is_told_apart() {
    let expect = |bytes: &'static [u8], what: &str| {
        let place = server(Arc::new(move |_, _| Some(bytes.to_vec())));
        let error = in_time(|| Connection::open(&place, &config()).unwrap_err());
        assert!(matches!(error, LogError::NotKafka { .. }), "{error}");
        assert!(error.to_string().contains(what), "{error}");
        assert!(!error.is_transient());
    };
    expect(b"HTTP/1.1 400 Bad Request\r\n\r\n", "it speaks HTTP");
    expect(b"\x15\x03\x03\x00\x02\x02\x46", "it speaks TLS");
    expect(b"SSH-2.0-OpenSSH_9.2\r\n", "its first bytes are \"SSH-\"");
    expect(&[0; 16], "its first bytes are");
    expect(&[0, 0, 0, 4, 9, 9, 9, 9], "answers request");
    expect(&[0, 0, 0, 6, 0, 0, 0, 0, 0, 0], "is malformed");
}

#[test]
fn silence_and_closed_doors_end_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = silent.local_addr().unwrap().to_string();
    let error = in_time(|| Connection::open(&place, &config()).unwrap_err());
    assert!(error.to_string().contains("no answer to ApiVersions within 0.3 s"), "{error}");
    assert!(error.is_transient());
    let place = server(Arc::new(|_, _| None));
    let error = in_time(|| Connection::open(&place, &config()).unwrap_err());
    assert!(
        error.to_string().contains("it closed the connection; is it up? if its listener wants TLS"),
        "{error}"
    );
    // A byte now and then is no answer either.
    let dripping = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = dripping.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let (mut stream, _) = dripping.accept().unwrap();
        // Nothing more comes from the client, so that each look for it paces one byte.
        stream.set_read_timeout(Some(TIMEOUT / 4)).unwrap();
        for byte in [0, 0, 0, 99_u8].into_iter().chain(std::iter::repeat_n(0, 50)) {
            let _ = stream.read(&mut [0; 256]);
            if stream.write_all(&[byte]).is_err() {
                return;
            }
        }
    });
    let error = in_time(|| Connection::open(&place, &config()).unwrap_err());
    assert!(error.is_transient(), "{error}");
}

#[test]
fn answers_out_of_order_cut_or_too_long_are_refused() {
    let check = |bad: fn([u8; 4]) -> Vec<u8>, what: &str| {
        let answer =
            move |number, asked: &Asked| if number == 0 { good(asked, 1) } else { Some(bad(asked.id)) };
        let place = server(Arc::new(answer));
        let mut connection = Connection::open(&place, &config()).unwrap();
        let error = in_time(|| connection.call(&MetadataRequest::default()).unwrap_err());
        assert!(error.is_transient(), "{error}");
        assert!(error.to_string().contains(what), "{error}");
    };
    check(|_| frame([0x7f; 4], &metadata(1)), "answers request 2139062143, where 1 was next");
    check(|id| frame(id, &metadata(1)[..20]), "is malformed");
    check(|id| frame(id, &metadata(1))[..20].to_vec(), "no answer to Metadata");
    check(|_| vec![0xff; 8], "a frame of 4294967295 bytes");
    check(|_| (FRAME_BYTES_MAX as u32 + 1).to_be_bytes().to_vec(), "a frame of 67108865 bytes");
    check(|_| vec![0, 0, 0, 3, 0, 0, 0], "a frame of 3 bytes");
}

#[test]
fn an_answer_that_comes_in_pieces_is_kept_while_others_are_waited_for() {
    // Half of the answer comes with the request, the rest with the next one.
    let answer = |number, asked: &Asked| match number {
        0 => good(asked, 1),
        1 => Some(frame(asked.id, &metadata(1))[..30].to_vec()),
        _ => Some(
            frame([0, 0, 0, 1], &metadata(1))[30..]
                .iter()
                .copied()
                .chain(frame(asked.id, &metadata(1)))
                .collect(),
        ),
    };
    let mut connection = Connection::open(&server(Arc::new(answer)), &config()).unwrap();
    connection.send(&MetadataRequest::default()).unwrap();
    assert!(connection.receive_within::<MetadataRequest>(Duration::from_millis(20)).unwrap().is_none());
    connection.send(&MetadataRequest::default()).unwrap();
    assert_eq!(connection.under_way(), 2);
    for _ in 0..2 {
        assert_eq!(connection.receive::<MetadataRequest>().unwrap().topics.len(), 1);
    }
    assert_eq!(connection.under_way(), 0);
    connection.receive::<MetadataRequest>().unwrap_err();
}

/// Bytes changed, cut, or made up, from a seed: the answers of a server that has gone mad.
#[test]
fn mutated_answers_give_errors_and_never_panic() {
    for seed in 0..600_u64 {
        let answer = move |number: usize, asked: &Asked| {
            let mut draw = Draw(seed * 31 + number as u64);
            let body = match asked.key {
                18 => api_versions(),
                3 => metadata(1),
                _ => (0..draw.below(200)).map(|_| draw.next() as u8 & 0x0f).collect(),
            };
            // The first answer is whole for half of the seeds, or no other would ever be asked for.
            let whole = number == 0 && seed % 2 == 0;
            Some(frame(asked.id, &if whole { body } else { mutate(body, &mut draw) }))
        };
        let place = server(Arc::new(answer));
        let Ok(mut connection) = in_time(|| Connection::open(&place, &config())) else { continue };
        let _ = in_time(|| connection.call(&MetadataRequest::default()));
        for _ in 0..2 {
            let _ = in_time(|| connection.call(&FetchRequest::default()));
            let _ = in_time(|| connection.call(&ProduceRequest::default()));
            let _ = in_time(|| connection.call(&ListOffsetsRequest::default()));
        }
    }
}

fn mutate(mut body: Vec<u8>, draw: &mut Draw) -> Vec<u8> {
    for _ in 0..=draw.below(3) {
        let at = draw.below(body.len().max(1));
        match draw.below(5) {
            0 => body.truncate(at),
            1 => body.insert(at.min(body.len()), draw.next() as u8),
            // The largest varint, and the largest fixed length: where a length stands, it lies.
            2 => drop(body.splice(at.min(body.len())..at.min(body.len()), [0xff, 0xff, 0xff, 0xff, 0x0f])),
            3 => drop(body.splice(at.min(body.len())..at.min(body.len()), [0x7f, 0xff, 0xff, 0xff])),
            _ => {
                if let Some(byte) = body.get_mut(at) {
                    *byte ^= 1 << draw.below(8);
                }
            }
        }
    }
    body
}
