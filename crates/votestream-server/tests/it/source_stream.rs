//! The generated stream: the asked rate, limit and seed, any number of clients, a proper end.

use crate::support::{EventStream, PATIENCE, send};
use http::Method;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use votestream_server::{EventSource, Events, SourceConfig, StreamRequest, serve_source};

/// Events that name their seed and number; one with seed 13 ends after 7.
fn source() -> EventSource {
    Arc::new(|request: StreamRequest| -> Events {
        let seed = request.seed.unwrap_or(0);
        let mut number = 0_u64;
        Box::new(move |out| {
            if seed == 13 && number == 7 {
                return false;
            }
            out.extend_from_slice(format!("{{\"seed\":{seed},\"number\":{number}}}").as_bytes());
            number += 1;
            true
        })
    })
}

struct Serving {
    address: SocketAddr,
    shutdown: CancellationToken,
    served: JoinHandle<()>,
}

impl Serving {
    async fn start(streams_max: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let served =
            tokio::spawn(serve_source(listener, SourceConfig { streams_max }, source(), shutdown.clone()));
        Self { address, shutdown, served }
    }

    async fn events(&self, query: &str) -> EventStream {
        EventStream::open(self.address, &format!("/api/stream_votes{query}"), &[]).await
    }

    async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.served).await.expect("it stops").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_ends_the_stream_and_a_seed_repeats_it() {
    let serving = Serving::start(10).await;
    let stream = serving.events("?rate=max&limit=5000&seed=4").await;
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    let one = stream.all_data().await;
    assert_eq!(one.len(), 5_000);
    assert_eq!(one[4_999], "{\"seed\":4,\"number\":4999}");
    assert_eq!(serving.events("?rate=1000000&limit=5000&seed=4").await.all_data().await, one);
    assert_ne!(serving.events("?rate=max&limit=5000&seed=5").await.all_data().await, one);
    assert_eq!(serving.events("?limit=0").await.all_data().await.len(), 0);
    assert_eq!(
        serving.events("?rate=max&seed=13").await.all_data().await.len(),
        7,
        "a generator may end by itself"
    );
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rate_is_kept_and_the_first_event_comes_at_once() {
    let serving = Serving::start(10).await;
    let start = Instant::now();
    let mut slow = serving.events("?rate=0.01").await;
    slow.block().await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(5));
    let start = Instant::now();
    let events = serving.events("?limit=500").await.all_data().await;
    assert_eq!(events.len(), 500);
    assert!(
        start.elapsed() >= Duration::from_millis(480),
        "1,000 a second by default: {:?}",
        start.elapsed()
    );
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_do_not_share_and_one_that_does_not_read_holds_up_nobody() {
    let serving = Serving::start(10).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(2_048).unwrap();
    let mut silent = socket.connect(serving.address).await.unwrap();
    silent.write_all(b"GET /api/stream_votes?rate=max HTTP/1.1\r\nhost: town\r\n\r\n").await.unwrap();
    let (mut one, mut two) =
        (serving.events("?rate=max&seed=1").await, serving.events("?rate=max&seed=2").await);
    for number in 0..20_000 {
        assert_eq!(one.block().await.unwrap().data.unwrap(), format!("{{\"seed\":1,\"number\":{number}}}"));
        assert_eq!(two.block().await.unwrap().data.unwrap(), format!("{{\"seed\":2,\"number\":{number}}}"));
    }
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_clients_is_bounded() {
    let serving = Serving::start(2).await;
    let held = [serving.events("?rate=1").await, serving.events("?rate=1").await];
    let reply = send(serving.address, Method::GET, "/api/stream_votes", &[], "").await;
    reply.problem(503, "streams");
    assert_eq!(reply.header("retry-after"), "1");
    drop(held);
    while send(serving.address, Method::GET, "/api/stream_votes?limit=1", &[], "").await.status != 200 {}
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_when_the_server_stops() {
    let serving = Serving::start(10).await;
    let (mut fast, mut slow) = (serving.events("?rate=max").await, serving.events("?rate=0.01").await);
    fast.block().await.unwrap();
    slow.block().await.unwrap();
    let reading = tokio::spawn(async move { while fast.block().await.is_some() {} });
    serving.stop().await;
    reading.await.unwrap();
    assert!(slow.block().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_are_problems() {
    let serving = Serving::start(10).await;
    for (query, name) in [
        ("rate=fast", "rate"),
        ("rate=-1", "rate"),
        ("limit=x", "limit"),
        ("seed=1.5", "seed"),
        ("speed=1", "speed"),
    ] {
        let reply = send(serving.address, Method::GET, &format!("/api/stream_votes?{query}"), &[], "").await;
        assert_eq!(reply.problem(400, "parameter")["parameter"], name);
    }
    send(serving.address, Method::GET, "/api/nothing", &[], "").await.problem(404, "not-found");
    send(serving.address, Method::POST, "/api/stream_votes", &[], "").await.problem(405, "method");
    assert_eq!(send(serving.address, Method::GET, "/healthz", &[], "").await.text(), "ok\n");
    assert!(send(serving.address, Method::GET, "/", &[], "").await.text().contains("/api/stream_votes"));
    serving.stop().await;
}
