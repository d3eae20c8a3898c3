//! What happens at the bounds: connections, streams, the address, the end.

use crate::support::{PATIENCE, Running, Town};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use votestream_server::{ConfigError, ServeError, ServerConfig, serve};
use votestream_store::{StoreError, StoreUrl};

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_is_told_so() {
    let town = Town::with_votes();
    let config = ServerConfig { connections_max: 2, ..ServerConfig::default() };
    let server = Running::start_with(config, town.seams()).await;
    let held = [server.events("/api/live", &[]).await, server.events("/api/live", &[]).await];
    let reply = server.get("/api/results").await;
    reply.problem(503, "connections");
    assert_eq!(reply.header("retry-after"), "1");
    drop(held);
    while server.get("/healthz").await.status != 200 {}
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_request_is_hung_up_on() {
    let town = Town::with_votes();
    let server = Running::start(&town).await;
    let mut half = TcpStream::connect(server.address).await.unwrap();
    half.write_all(b"GET /api/results HTTP/1.1\r\nhost: to").await.unwrap();
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, half.read_to_end(&mut rest)).await.expect("it is hung up on").unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_no_request_and_hurts_nobody() {
    let town = Town::with_votes();
    let server = Running::start(&town).await;
    for garbage in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
    {
        let mut client = TcpStream::connect(server.address).await.unwrap();
        client.write_all(garbage).await.unwrap();
        client.shutdown().await.unwrap();
        let mut rest = Vec::new();
        tokio::time::timeout(PATIENCE, client.read_to_end(&mut rest)).await.expect("it ends").unwrap();
        assert!(
            rest.is_empty() || rest.starts_with(b"HTTP/1.1 4") || rest.starts_with(b"HTTP/1.0 4"),
            "{rest:?}"
        );
    }
    assert_eq!(server.get("/healthz").await.status, 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_in_flight_finishes_when_the_server_stops() {
    let town = Town::new();
    let server = Running::start(&town).await;
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client
        .write_all(
            b"POST /api/votes HTTP/1.1\r\nhost: town\r\ncontent-length: 8\r\nexpect: 100-continue\r\n\r\n",
        )
        .await
        .unwrap();
    let mut go_on = [0; 25];
    client.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    server.shutdown.cancel();
    while TcpStream::connect(server.address).await.is_ok() {}
    client.write_all(b"{\"id\":1}").await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert_eq!(town.records().len(), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wide_address_needs_a_token() {
    let town = Town::with_votes();
    let start = async |config: ServerConfig| {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let stop = CancellationToken::new();
        stop.cancel();
        serve(listener, config, town.seams(), stop).await
    };
    let refused = start(ServerConfig::default()).await.unwrap_err();
    assert!(matches!(refused, ServeError::Config(ConfigError::TokenNeeded(_))), "{refused}");
    let token = Some("0123456789abcdef".to_owned());
    start(ServerConfig { ingest_token: token, ..ServerConfig::default() }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_not_there_is_an_error_at_start() {
    let town = Town::new();
    let mut seams = town.seams();
    seams.store = StoreUrl::sqlite(town.log_url.path.join("none.db"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refused =
        serve(listener, ServerConfig::default(), seams, CancellationToken::new()).await.unwrap_err();
    assert!(matches!(refused, ServeError::Store(StoreError::Missing { .. })), "{refused}");
}
