//! The live stream: the first snapshot at once, one on each change, and nobody held up by those who do not read.

use crate::support::{EVENING, EventStream, PATIENCE, Running, Town};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use votestream_server::ServerConfig;

#[tokio::test(flavor = "multi_thread")]
async fn the_first_snapshot_comes_at_once_and_changes_follow() {
    let town = Town::with_votes();
    let server = Running::start(&town).await;
    let mut stream = server.events("/api/live?hz=20", &[]).await;
    assert_eq!(stream.status, 200);
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert_eq!(stream.headers["cache-control"], "no-store");
    let first = stream.block().await.unwrap();
    assert_eq!(first.retry, Some(1_000));
    let results = server.json("/api/results").await;
    assert_eq!(first.id, results["sequence"].as_u64());
    assert_eq!(serde_json::from_str::<serde_json::Value>(&first.data.unwrap()).unwrap(), results);
    for voter in 1_000..1_020_u64 {
        town.vote(EVENING, &[&format!("{voter} SO ada")]);
        let (id, snapshot) = stream.event().await.unwrap();
        assert_eq!(Some(id), snapshot["sequence"].as_u64());
        assert_eq!(snapshot["counted"], 7 + voter - 1_000);
    }
    server.stop().await;
    assert!(stream.event().await.is_none(), "a stream ends when the server stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_the_newest_is_told_so() {
    let town = Town::with_votes();
    let server = Running::start(&town).await;
    let sequence = server.json("/api/results").await["sequence"].as_u64().unwrap();
    let mut same = server.events("/api/live", &[("last-event-id", &sequence.to_string())]).await;
    let block = same.block().await.unwrap();
    assert!(block.data.is_none() && block.retry.is_some());
    town.vote(EVENING, &["90 NO bo"]);
    assert_eq!(same.event().await.unwrap().1["counted"], 7);
    let mut older = server.events("/api/live", &[("last-event-id", &(sequence - 1).to_string())]).await;
    assert_eq!(older.event().await.unwrap().1["counted"], 7);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_stream_shows_that_it_lives() {
    let town = Town::with_votes();
    let server = Running::start(&town).await;
    let mut stream = server.events("/api/live", &[]).await;
    stream.event().await.unwrap();
    let since = Instant::now();
    let block = stream.block().await.unwrap();
    assert!(block.comment && block.data.is_none());
    assert!(since.elapsed() <= Duration::from_secs(3), "{:?}", since.elapsed());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_client_gets_at_most_what_it_asked_for() {
    let town = Town::with_votes();
    let server = Running::start(&town).await;
    let mut slow = server.events("/api/live?hz=1", &[]).await;
    slow.event().await.unwrap();
    let since = Instant::now();
    for voter in 2_000..2_010_u64 {
        town.vote(EVENING, &[&format!("{voter} SO ada")]);
    }
    let (_, snapshot) = slow.event().await.unwrap();
    assert!(since.elapsed() >= Duration::from_millis(900), "{:?}", since.elapsed());
    assert_eq!(snapshot["counted"], 16, "the newest, not the oldest that was missed");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_is_dropped_and_holds_up_nobody() {
    const SILENT: usize = 30;
    let town = Town::with_votes();
    let config = ServerConfig { live_streams_max: SILENT + READING.len(), ..ServerConfig::default() };
    let server = Running::start_with(config, town.seams()).await;
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(2_048).unwrap();
        let mut stream = socket.connect(server.address).await.unwrap();
        stream.write_all(b"GET /api/live?hz=20 HTTP/1.1\r\nhost: town\r\n\r\n").await.unwrap();
        silent.push(stream);
    }
    let mut reading = Vec::new();
    for (path, headers) in READING {
        let mut stream = server.events(path, headers).await;
        assert!(stream.counted().await.is_some());
        reading.push(stream);
    }
    while viewers(&server).await < SILENT + READING.len() {}
    EventStream::open(server.address, "/api/live", &[]).await.status.as_u16().eq(&503).then_some(()).unwrap();
    // Votes go on until all who do not read are gone; who reads sees each state, and soon.
    let since = Instant::now();
    let mut voter = 10_000_u64;
    let mut slowest = Duration::ZERO;
    while viewers(&server).await > READING.len() {
        assert!(since.elapsed() < PATIENCE, "they are never dropped");
        for _ in 0..20 {
            voter += 1;
            town.vote(EVENING, &[&format!("{voter} SO ada")]);
            let voted = Instant::now();
            let expect = voter - 10_000 + 6;
            for stream in &mut reading {
                assert_eq!(stream.counted().await, Some(expect), "none is left out");
            }
            slowest = slowest.max(voted.elapsed());
        }
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    drop(silent);
    server.stop().await;
    for mut stream in reading {
        assert!(stream.event().await.is_none(), "all ends well, compressed or not");
    }
}

/// Viewers who read, each in another way.
const READING: &[(&str, &[(&str, &str)])] = &[
    ("/api/live?hz=20", &[]),
    ("/api/live?hz=20", &[("accept-encoding", "gzip, deflate, br")]),
    ("/api/live?hz=20&format=csv", &[("accept-encoding", "gzip")]),
    ("/api/live?hz=20", &[("accept-encoding", "br")]),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_stream_says_the_same() {
    let town = Town::with_votes();
    let server = Running::start(&town).await;
    let mut early = server.events("/api/live?hz=20", &[("accept-encoding", "gzip")]).await;
    assert_eq!(
        (&early.headers["content-encoding"], &early.headers["content-type"]),
        (&"gzip".parse().unwrap(), &"text/event-stream".parse().unwrap())
    );
    assert!(early.headers["vary"].to_str().unwrap().contains("accept-encoding"));
    assert_eq!(early.event().await.unwrap().1, server.json("/api/results").await);
    let block = early.block().await.unwrap();
    assert!(block.comment && block.data.is_none(), "a sign of life is compressed too");
    let mut late = server.events("/api/live?hz=20", &[("accept-encoding", "gzip")]).await;
    late.event().await.unwrap();
    for voter in 3_000..3_010_u64 {
        town.vote(EVENING, &[&format!("{voter} SO ada")]);
        let (one, other) = (early.event().await.unwrap(), late.event().await.unwrap());
        assert_eq!(one, other);
        assert_eq!(one.1["counted"], 7 + voter - 3_000);
    }
    let mut plain = server.events("/api/live", &[("accept-encoding", "gzip;q=0")]).await;
    assert!(!plain.headers.contains_key("content-encoding"));
    assert_eq!(plain.event().await.unwrap().1["counted"], 16);
    server.stop().await;
    for mut stream in [early, late] {
        while let Some(block) = stream.block().await {
            assert!(block.comment, "{block:?}");
        }
    }
}

async fn viewers(server: &Running) -> usize {
    server.json("/api/engine").await["viewers"].as_u64().unwrap() as usize
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_in_the_same_process_needs_no_polling() {
    let town = Town::with_votes();
    let (commits, changed) = tokio::sync::watch::channel(0_u64);
    let mut seams = town.seams();
    seams.changed = Some(changed);
    let server = Running::start_with(ServerConfig::default(), seams).await;
    let mut stream = server.events("/api/live?hz=20", &[]).await;
    stream.event().await.unwrap();
    town.vote(EVENING, &["500 NO bo"]);
    commits.send_replace(1);
    assert_eq!(stream.event().await.unwrap().1["counted"], 7);
    server.stop().await;
}
