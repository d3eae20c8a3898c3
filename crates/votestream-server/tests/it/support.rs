//! A small election with its log, its store and a count that is driven by hand; a server over them; a client.

use bytes::Bytes;
use flate2::write::GzDecoder;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use votestream_election::delta::{DeskAction, Engine, Pin};
use votestream_election::event::EventParser;
use votestream_election::fold::{Misrouted, PartitionCount, Record};
use votestream_election::health::EngineHealth;
use votestream_election::partitioner::{PartitionerSet, murmur2_partition};
use votestream_election::seen::SeenVoters;
use votestream_election::{Election, LogId, Millis, Offset, PartitionId};
use votestream_log::{DirLogUrl, LogReader, LogWriter, WriterOptions};
use votestream_server::{Asset, Ingest, PartitionOf, Payloads, Seams, ServerConfig, serve};
use votestream_store::{ReaderStore, StoreUrl, WriterStore};

pub const PARTITIONS: u32 = 2;

/// What passes for a picture.
pub const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n and what follows";

/// Nothing in these tests takes longer, however busy the machine is.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// 2024-11-06T00:00:00Z.
pub const EVENING: Millis = Millis(1_730_851_200_000);

const DEFINITION: &str = r#"
id = "town"
name = "Town vote"
date = "2024-11-05"
time_zone = "UTC"
mapping = "presidential"
min_cell = 2
genders = ["Male", "Female"]
bands = ["18-29", "30-64", "65+"]
eligible_age = 18
rule = "seats"
threshold = 6

[[candidates]]
id = "ada"
name = "Ada"
party = "A"
colour = "blue"

[[candidates]]
id = "bo"
name = "Bo"
party = "B"
colour = "vermilion"

[[regions]]
code = "NO"
name = "North"
seats = 5
expected = 100

[[regions]]
code = "SO"
name = "South"
seats = 3
expected = 100

[[regions]]
code = "HI"
name = "Hidden Valley"
seats = 2
expected = 100
publish = "at_close"
"#;

/// An election with its log and store, counted by hand.
pub struct Town {
    pub election: Election,
    pub store_url: StoreUrl,
    pub log_url: DirLogUrl,
    pub writer: LogWriter,
    pub partition_of: PartitionOf,
    store: Mutex<WriterStore>,
    counts: Mutex<Vec<PartitionCount>>,
    _dir: TempDir,
}

impl Town {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let election = Election::from_toml(DEFINITION, "town.toml").unwrap_or_else(|error| panic!("{error}"));
        let log_url = DirLogUrl { path: dir.path().join("log"), codec: None, partitions: Some(PARTITIONS) };
        let writer = LogWriter::open(&log_url, WriterOptions::default()).unwrap();
        let store_url = StoreUrl::sqlite(dir.path().join("results.db"));
        let mut store = WriterStore::open(&store_url).unwrap();
        let pin = Pin {
            log_kind: "dir".to_owned(),
            log_id: writer.log_id(),
            partitions: PARTITIONS,
            start_offsets: vec![Offset(0); PARTITIONS as usize],
            partitioners: PartitionerSet::MURMUR2,
        };
        store.create_or_resume(&election, &pin, EVENING).unwrap();
        let partitions: Vec<PartitionId> = (0..PARTITIONS).map(PartitionId).collect();
        let states = store.take_over("town", &partitions, Engine::Native).unwrap();
        let count = |state| {
            let seen = SeenVoters::new(election.duplicate, 1_000, 1);
            PartitionCount::new(
                &election,
                state,
                seen,
                (PARTITIONS, PartitionerSet::MURMUR2),
                Misrouted::Stop,
            )
        };
        let counts = Mutex::new(states.into_iter().map(count).collect());
        let parser = Mutex::new(EventParser::new(&election));
        let partition_of: PartitionOf = Arc::new(move |record: &[u8]| {
            let voter = parser.lock().unwrap().voter_text(record);
            let partition =
                voter.map_or(PartitionId(0), |text| murmur2_partition(text.as_bytes(), PARTITIONS));
            (partition, voter.map(|text| text.as_bytes().to_vec()))
        });
        Self {
            election,
            store_url,
            log_url,
            writer,
            partition_of,
            store: Mutex::new(store),
            counts,
            _dir: dir,
        }
    }

    /// A town where some votes are counted: North 3 for Ada, 1 for Bo; South 2 for Bo; the Hidden Valley 4 for Ada.
    pub fn with_votes() -> Self {
        let town = Self::new();
        town.vote(EVENING, &["1 NO ada", "2 NO ada", "3 NO ada", "4 NO bo", "5 SO bo", "6 SO bo"]);
        town.vote(Millis(EVENING.0 + 60_000), &["7 HI ada", "8 HI ada", "9 HI ada", "10 HI ada"]);
        town
    }

    /// Appends votes written as `voter region candidate`, at a moment, and counts them.
    pub fn vote(&self, at: Millis, votes: &[&str]) {
        let json = |vote: &&str| {
            let [voter, region, candidate] = vote.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{vote}")
            };
            format!(
                r#"{{"id":{voter},"state":"{region}","decision":"{candidate}","gender":"Female","age":40}}"#
            )
        };
        let lines: Vec<String> = votes.iter().map(json).collect();
        self.append(at, &lines);
        self.count();
    }

    /// Appends lines as they are.
    pub fn append(&self, at: Millis, lines: &[String]) {
        let handle = self.writer.handle();
        for line in lines {
            let mut batch = votestream_log::BatchBuilder::new(4_096);
            batch.push(at, line.as_bytes(), None);
            handle.append((self.partition_of)(line.as_bytes()).0, batch.seal(None)).unwrap();
        }
        handle.flush().unwrap();
    }

    /// Counts all that the log holds, in one flush. Answers how many partitions moved.
    pub fn count(&self) -> usize {
        let log = LogReader::open(&DirLogUrl::new(&self.log_url.path), Some(self.writer.watch())).unwrap();
        let mut parser = EventParser::new(&self.election);
        let mut deltas = Vec::new();
        for count in self.counts.lock().unwrap().iter_mut() {
            let mut records = log.partition(count.partition(), count.next()).unwrap();
            while let Some(batch) = records.next_batch().unwrap() {
                for record in batch.records() {
                    let record = record.unwrap();
                    let (offset, timestamp, value) = (record.offset, record.timestamp, record.value);
                    let record = Record { offset, timestamp, key: None, value, oversize: record.oversize };
                    count.set_clock(timestamp);
                    count.record(&mut parser, &record).unwrap();
                }
                count.end_batch(batch.next_offset(), batch.leader_epoch()).unwrap();
            }
            deltas.extend(count.seal(count.next()));
        }
        if !deltas.is_empty() {
            self.store.lock().unwrap().flush("town", &deltas, EVENING).unwrap();
        }
        deltas.len()
    }

    /// Closes the log for writing; handles refuse from then on.
    pub fn close_log(self) {
        self.writer.close().unwrap();
    }

    /// An act of the desk.
    pub fn desk(&self, action: DeskAction, region: Option<&str>) {
        self.store.lock().unwrap().desk("town", action, region, EVENING).unwrap();
    }

    /// Publishes the demographics that may be.
    pub fn release(&self, complete: bool) {
        let mut store = self.store.lock().unwrap();
        let live = store.full_cells("town").unwrap();
        let previous = store.demographics("town").unwrap();
        let blocks = votestream_election::releases::plan(&previous, &live, &self.election, complete);
        store.release("town", &blocks, EVENING.minute(), EVENING).unwrap();
    }

    /// A second election of the store, of which nothing is counted: a poll of that id, in a log of its own.
    pub fn second_election(&self, id: &str) {
        let text = format!(
            "id = \"{id}\"\nname = \"A poll\"\nmapping = \"poll\"\n[[candidates]]\nid = \"yes\"\nname = \"Yes\"\nphoto = \"yes.png\"\n[[candidates]]\nid = \"no\"\nname = \"No\"\n"
        );
        let election = Election::from_toml_with(&text, "poll.toml", &|_| Ok(PICTURE.to_vec()))
            .unwrap_or_else(|error| panic!("{error}"));
        let pin = Pin {
            log_kind: "dir".to_owned(),
            log_id: LogId(77),
            partitions: 1,
            start_offsets: vec![Offset(0)],
            partitioners: PartitionerSet::MURMUR2,
        };
        let later = Millis(EVENING.0 + 1);
        self.store.lock().unwrap().create_or_resume(&election, &pin, later).unwrap();
    }

    /// What the store itself says of the state that answers are tagged with.
    pub fn tag(&self) -> String {
        let snapshot = ReaderStore::open(&self.store_url).unwrap().snapshot("town").unwrap();
        format!("{}-{}", votestream_election::ids::uuid_text(snapshot.store_uuid), snapshot.sequence)
    }

    pub fn seams(&self) -> Seams {
        Seams {
            store: self.store_url.clone(),
            election_id: None,
            log_election: None,
            ingest: Some(Ingest::open(self.writer.handle(), Arc::clone(&self.partition_of))),
            health: None,
            changed: None,
            page: &page,
            payloads: Some(payloads(&self.log_url)),
            log_ends: None,
            parquet: Some(Arc::new(|results| {
                Ok(format!("PAR1 {} PAR1", results.counted).into_bytes().into())
            })),
            clock: Arc::new(|| EVENING),
        }
    }

    /// Every record of the log, by partition and offset.
    pub fn records(&self) -> Vec<(PartitionId, Offset, Vec<u8>, bool)> {
        let log = LogReader::open(&DirLogUrl::new(&self.log_url.path), Some(self.writer.watch())).unwrap();
        let mut all = Vec::new();
        for partition in (0..PARTITIONS).map(PartitionId) {
            let mut records = log.partition(partition, Offset(0)).unwrap();
            while let Some(batch) = records.next_batch().unwrap() {
                for record in batch.records() {
                    let record = record.unwrap();
                    all.push((partition, record.offset, record.value.unwrap().to_vec(), record.oversize));
                }
            }
        }
        all
    }
}

fn payloads(url: &DirLogUrl) -> Payloads {
    let log = LogReader::open(&DirLogUrl::new(&url.path), None).unwrap();
    Arc::new(move |places: &[(PartitionId, Offset)]| {
        let value = |(partition, offset): &(PartitionId, Offset)| {
            let mut records = log.partition(*partition, *offset).map_err(|error| error.to_string())?;
            let batch = records.next_batch().map_err(|error| error.to_string())?;
            let found =
                batch.and_then(|batch| batch.records().filter_map(Result::ok).find(|r| r.offset == *offset));
            Ok(found.and_then(|record| record.value.map(Bytes::copy_from_slice)))
        };
        places.iter().map(value).collect()
    })
}

/// A page of two files.
pub fn page(path: &str) -> Option<Asset> {
    let asset = |bytes: &'static [u8], mime, gzip, immutable| {
        Some(Asset { bytes, mime, gzip, br: None, etag: "\"abc\"", immutable })
    };
    match path {
        "index.html" => asset(b"<!doctype html>", "text/html; charset=utf-8", None, false),
        "assets/app-1a2b.js" => asset(b"run()", "text/javascript", Some(b"pretend gzip"), true),
        _ => None,
    }
}

/// A server under test; stopped and awaited when the test ends well.
pub struct Running {
    pub address: SocketAddr,
    pub shutdown: CancellationToken,
    pub served: JoinHandle<()>,
}

impl Running {
    pub async fn start(town: &Town) -> Self {
        Self::start_with(ServerConfig::default(), town.seams()).await
    }

    pub async fn start_with(config: ServerConfig, seams: Seams) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let served = tokio::spawn(async move { serve(listener, config, seams, stop).await.unwrap() });
        Self { address, shutdown, served }
    }

    pub async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.served).await.expect("the server stops").unwrap();
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &[], "").await
    }

    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send(Method::GET, path, headers, "").await
    }

    pub async fn post(&self, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
        self.send(Method::POST, "/api/votes", headers, body).await
    }

    /// GET that must succeed with JSON.
    pub async fn json(&self, path: &str) -> Value {
        let reply = self.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        assert_eq!(reply.header("content-type"), "application/json", "{path}");
        reply.json()
    }

    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        send(self.address, method, path, headers, body).await
    }

    /// Opens an event stream.
    pub async fn events(&self, path: &str, headers: &[(&str, &str)]) -> EventStream {
        EventStream::open(self.address, path, headers).await
    }
}

/// One request on a connection of its own.
pub async fn send(
    address: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Reply {
    let response = exchange(address, method, path, headers, body.into()).await;
    let (head, body) = response.into_parts();
    let body =
        tokio::time::timeout(PATIENCE, body.collect()).await.expect("the answer ends").unwrap().to_bytes();
    Reply { status: head.status, headers: head.headers, body }
}

async fn exchange(
    address: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> http::Response<hyper::body::Incoming> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = http::Request::builder().method(method).uri(path).header("host", address.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body)).unwrap();
    tokio::time::timeout(PATIENCE, sender.send_request(request)).await.expect("an answer begins").unwrap()
}

#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// A problem of this status and kind.
    pub fn problem(&self, status: u16, kind: &str) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.header("cache-control"), "no-store");
        let problem = self.json();
        assert_eq!(problem["type"], format!("/docs#{kind}"), "{problem}");
        assert_eq!(problem["status"], status);
        assert!(
            votestream_server::PROBLEMS.iter().any(|(known, _)| *known == kind),
            "{kind} is not documented"
        );
        let detail = problem["detail"].as_str().unwrap();
        assert!(!detail.is_empty() && !detail.ends_with('.'), "{detail}");
        problem
    }
}

/// A server-sent event stream, block by block.
pub struct EventStream {
    pub headers: HeaderMap,
    pub status: StatusCode,
    body: hyper::body::Incoming,
    unpack: Option<GzDecoder<Vec<u8>>>,
    text: String,
}

/// One block: its fields, joined; comments apart.
#[derive(Debug, Default)]
pub struct Block {
    pub id: Option<u64>,
    pub retry: Option<u64>,
    pub data: Option<String>,
    pub comment: bool,
}

impl EventStream {
    pub async fn open(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        let response = exchange(address, Method::GET, path, headers, Bytes::new()).await;
        let (head, body) = response.into_parts();
        let gzip = head.headers.get("content-encoding").is_some_and(|coding| coding == "gzip");
        let unpack = gzip.then(|| GzDecoder::new(Vec::new()));
        Self { headers: head.headers, status: head.status, body, unpack, text: String::new() }
    }

    /// The next block, comments included; `None` at the end.
    pub async fn block(&mut self) -> Option<Block> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                return Some(Block::read(&block));
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await;
            let Some(frame) = frame.expect("a stream goes on or ends") else {
                if let Some(unpack) = self.unpack.as_mut() {
                    unpack.try_finish().expect("a compressed stream ends whole");
                }
                return None;
            };
            let mut data = frame.unwrap().into_data().unwrap().to_vec();
            if let Some(unpack) = self.unpack.as_mut() {
                unpack.write_all(&data).unwrap();
                unpack.flush().unwrap();
                data = std::mem::take(unpack.get_mut());
            }
            self.text.push_str(std::str::from_utf8(&data).unwrap());
        }
    }

    /// The next event, comments passed over; `None` at the end.
    pub async fn event(&mut self) -> Option<(u64, Value)> {
        loop {
            let block = self.block().await?;
            if let (Some(id), Some(data)) = (block.id, block.data) {
                return Some((id, serde_json::from_str(&data).unwrap()));
            }
        }
    }

    /// Votes counted, as the next event says in JSON or in CSV; `None` at the end.
    pub async fn counted(&mut self) -> Option<u64> {
        loop {
            let Some(data) = self.block().await?.data else { continue };
            return match serde_json::from_str::<Value>(&data) {
                Ok(results) => results["counted"].as_u64(),
                Err(_) => data.lines().nth(1)?.rsplit(',').nth(1)?.parse().ok(),
            };
        }
    }

    /// The data of every event up to the end.
    pub async fn all_data(mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(block) = self.block().await {
            all.extend(block.data);
        }
        assert_eq!(self.text, "", "the stream ends between two events");
        all
    }
}

impl Block {
    fn read(text: &str) -> Self {
        let mut block = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            match line.split_once(':').unwrap() {
                ("", _) => block.comment = true,
                ("id", value) => block.id = Some(value.trim().parse().unwrap()),
                ("retry", value) => block.retry = Some(value.trim().parse().unwrap()),
                ("data", value) => {
                    let before = block.data.take().map_or(String::new(), |data| data + "\n");
                    block.data = Some(before + value.trim());
                }
                other => panic!("unexpected field {other:?}"),
            }
        }
        block
    }
}

/// A health report's sender and receiver.
pub fn health(health: EngineHealth) -> (watch::Sender<EngineHealth>, watch::Receiver<EngineHealth>) {
    watch::channel(health)
}
