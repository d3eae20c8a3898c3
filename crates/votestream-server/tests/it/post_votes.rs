//! POST /api/votes: every record of the body is in the log, byte for byte, before the answer says so.

use crate::support::{Running, Town};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use votestream_election::framing::{RECORD_BYTES_MAX, STUB_BYTES};
use votestream_election::{Offset, PartitionId};
use votestream_server::{Ingest, LogLease, ServerConfig, limits};

const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");
const JSON: (&str, &str) = ("content-type", "application/json");

fn outcomes(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The records that outcomes name, as the log holds them.
fn named(town: &Town, outcomes: &[Value]) -> Vec<(Vec<u8>, bool)> {
    let records = town.records();
    let find = |outcome: &Value| {
        assert_eq!(outcome["outcome"], "accepted");
        let partition = PartitionId(u32::try_from(outcome["partition"].as_u64().unwrap()).unwrap());
        let offset = Offset(outcome["offset"].as_u64().unwrap());
        let record = records.iter().find(|record| (record.0, record.1) == (partition, offset));
        let (_, _, value, oversize) = record.unwrap_or_else(|| panic!("{outcome} is not in the log"));
        (value.clone(), *oversize)
    };
    outcomes.iter().map(find).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_is_a_record_and_durable_when_answered() {
    let town = Town::new();
    let server = Running::start(&town).await;
    let lines = [
        r#"{"id":1,"state":"NO","decision":"ada"}"#,
        r#"  {"id" : 2, "state":"SO", "decision":"bo"}  "#,
        "nonsense",
        r#"{"id":1,"state":"NO","decision":"bo"}"#,
        "\u{fffd}{",
    ];
    let body = format!("{}\r\n\n   \n{}\n{}\n{}\n{}", lines[0], lines[1], lines[2], lines[3], lines[4]);
    let reply = server.post(&[NDJSON], body).await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    assert_eq!(reply.header("content-type"), "application/x-ndjson");
    let outcomes = outcomes(reply.text());
    let found = named(&town, &outcomes);
    assert_eq!(found.iter().map(|(value, _)| std::str::from_utf8(value).unwrap()).collect::<Vec<_>>(), lines);
    assert_eq!(town.records().len(), lines.len());
    town.count();
    let mut results = server.json("/api/results").await;
    while results["records"] != 5 {
        results = server.json("/api/results").await;
    }
    assert_eq!(
        (&results["counted"], &results["duplicate"], &results["rejected"]),
        (&json!(2), &json!(1), &json!(2))
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_does_not_open_is_waited_for_a_while_only() {
    let town = Town::new();
    let mut seams = town.seams();
    let (let_go, held) = std::sync::mpsc::channel::<()>();
    let (held, log) = (Mutex::new(held), town.writer.handle());
    let door = move || {
        // Ends with the sender.
        let _ = held.lock().unwrap().recv();
        Ok(LogLease { log: log.clone(), open: None })
    };
    seams.ingest = Some(Ingest { log: Arc::new(door), partition_of: Arc::clone(&town.partition_of) });
    let server = Running::start_with(ServerConfig::default(), seams).await;
    let began = std::time::Instant::now();
    let reply = server.post(&[NDJSON], "{\"id\":1}").await;
    let problem = reply.problem(503, "log");
    assert_eq!(problem["appended"], 0);
    assert!(!reply.header("retry-after").is_empty());
    assert!(began.elapsed() >= limits::ACK_TIME_MAX && began.elapsed() < limits::POST_TIME_MAX * 3);
    // Who was told so finds none of it appended later.
    drop(let_go);
    assert_eq!(server.post(&[NDJSON], "{\"id\":2}").await.status, 202);
    assert_eq!(town.records().len(), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_arrays_elements_keep_their_own_bytes() {
    let town = Town::new();
    let server = Running::start(&town).await;
    let elements = [r#"{"id" : 1.0,"a":"\u0041"}"#, "[1, 2]", "null", "{\"id\":2,\n \"state\":\"NO\"}"];
    let reply = server.post(&[JSON], format!("[ {} ]\n", elements.join(" , "))).await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    assert_eq!(reply.header("content-type"), "application/json");
    let outcomes: Vec<Value> = serde_json::from_slice(&reply.body).unwrap();
    let found = named(&town, &outcomes);
    assert_eq!(
        found.iter().map(|(value, _)| std::str::from_utf8(value).unwrap()).collect::<Vec<_>>(),
        elements
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_chooses_the_form_of_the_answer() {
    let town = Town::new();
    let server = Running::start(&town).await;
    let as_array = server.post(&[NDJSON, ("accept", "application/json")], "{}\n{}").await;
    assert_eq!(as_array.json().as_array().unwrap().len(), 2);
    let as_lines = server.post(&[JSON, ("accept", "application/x-ndjson")], "[{},{}]").await;
    assert_eq!(outcomes(as_lines.text()).len(), 2);
    let any = server.post(&[NDJSON, ("accept", "text/html, */*;q=0.1")], "{}").await;
    assert_eq!(any.header("content-type"), "application/x-ndjson");
    let before = town.records().len();
    server.post(&[NDJSON, ("accept", "text/html")], "{}").await.problem(406, "accept");
    assert_eq!(town.records().len(), before);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_too_long_becomes_a_stub() {
    let town = Town::new();
    let server = Running::start(&town).await;
    let fits = "x".repeat(RECORD_BYTES_MAX);
    let long = "y".repeat(RECORD_BYTES_MAX + 1);
    let reply = server.post(&[NDJSON], format!("{fits}\r\n{long}\n{{}}\n")).await;
    let outcomes = outcomes(reply.text());
    assert_eq!(outcomes.iter().map(|o| o["too_large"] == true).collect::<Vec<_>>(), [false, true, false]);
    let found = named(&town, &outcomes);
    assert_eq!(found[0], (fits.into_bytes(), false));
    assert_eq!(found[1], (long.as_bytes()[..STUB_BYTES].to_vec(), true));
    town.count();
    let mut rejects = server.json("/api/rejects").await;
    while rejects["rejected"] != 3 {
        rejects = server.json("/api/rejects").await;
    }
    assert_eq!(rejects["reasons"], json!({"too_large": 1, "malformed": 1, "missing_id": 1}));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_not_appended() {
    let town = Town::new();
    let config = ServerConfig { body_bytes_max: 10_000, ..ServerConfig::default() };
    let server = Running::start_with(config, town.seams()).await;
    for body in ["", "\n \r\n\t\n"] {
        server.post(&[NDJSON], body).await.problem(400, "body");
    }
    for body in ["[{\"id\":1},", "[{\"id\":1}] {\"id\":2}", "[{\"id\":1},]", "[]", "[\"\u{1}\"]"] {
        server.post(&[JSON], body).await.problem(400, "body");
    }
    server.post(&[NDJSON], vec![b'{'; 10_001]).await.problem(413, "too-large");
    server.post(&[NDJSON, ("content-encoding", "gzip")], "{}").await.problem(415, "encoding");
    server.post(&[NDJSON, ("origin", "https://evil.example")], "{}").await.problem(403, "origin");
    assert_eq!(town.records(), []);
    let reply = server.post(&[NDJSON, ("origin", "http://localhost:1234")], vec![b'{'; 10_000]).await;
    assert_eq!(reply.status, 202);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_records_are_refused_as_a_whole() {
    let town = Town::new();
    let server = Running::start(&town).await;
    let body = "1\n".repeat(limits::POST_RECORDS_MAX + 1);
    server.post(&[NDJSON], body).await.problem(413, "too-large");
    assert_eq!(town.records(), []);
    let reply = server.post(&[NDJSON], "1\n".repeat(limits::POST_RECORDS_MAX)).await;
    assert_eq!(reply.status, 202);
    assert_eq!(reply.text().lines().count(), limits::POST_RECORDS_MAX);
    assert_eq!(town.records().len(), limits::POST_RECORDS_MAX);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_or_never_ends_appends_nothing() {
    let town = Town::new();
    let config = ServerConfig { body_bytes_max: 100_000, ..ServerConfig::default() };
    let server = Running::start_with(config, town.seams()).await;
    let mut broken = TcpStream::connect(server.address).await.unwrap();
    broken
        .write_all(
            b"POST /api/votes HTTP/1.1\r\nhost: town\r\ncontent-length: 500\r\n\r\n{\"id\":1}\n{\"id\":2}\n",
        )
        .await
        .unwrap();
    broken.shutdown().await.unwrap();
    let mut answer = String::new();
    broken.read_to_string(&mut answer).await.unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    let mut endless = TcpStream::connect(server.address).await.unwrap();
    endless
        .write_all(b"POST /api/votes HTTP/1.1\r\nhost: town\r\ntransfer-encoding: chunked\r\n\r\n")
        .await
        .unwrap();
    let chunk = [b"1000\r\n".as_slice(), &[b'x'; 0x1000], b"\r\n"].concat();
    for _ in 0..30 {
        if endless.write_all(&chunk).await.is_err() {
            break;
        }
    }
    let mut status = [0; 12];
    // The server may hang up while it is being written to, which can lose the answer; it may not append.
    if endless.read_exact(&mut status).await.is_ok() {
        assert_eq!(&status, b"HTTP/1.1 413");
    }
    server.post(&[NDJSON], "{\"id\":3}").await;
    assert_eq!(town.records().len(), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_guards_the_intake() {
    let town = Town::new();
    let token = "0123456789abcdef0123456789abcdef";
    let config = ServerConfig { ingest_token: Some(token.to_owned()), ..ServerConfig::default() };
    let server = Running::start_with(config, town.seams()).await;
    for headers in
        [&[NDJSON][..], &[NDJSON, ("authorization", "Bearer wrong")], &[NDJSON, ("authorization", token)]]
    {
        let reply = server.post(headers, "{}").await;
        reply.problem(401, "token");
        assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"votestream\"");
    }
    assert_eq!(town.records(), []);
    let bearer = format!("bearer {token}");
    assert_eq!(server.post(&[NDJSON, ("authorization", &bearer)], "{}").await.status, 202);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_makes_a_retry_safe() {
    let town = Town::new();
    let server = Running::start(&town).await;
    let key = ("idempotency-key", "3f0c");
    let first = server.post(&[NDJSON, key], "{\"id\":1}\n{\"id\":2}").await;
    let again = server.post(&[NDJSON, key], "{\"id\":1}\n{\"id\":2}").await;
    assert_eq!((again.status.as_u16(), &again.body), (202, &first.body));
    assert_eq!(town.records().len(), 2);
    server.post(&[NDJSON, key], "{\"id\":3}").await.problem(422, "idempotency-key");
    let problem =
        server.post(&[NDJSON, ("idempotency-key", &"k".repeat(300))], "{}").await.problem(400, "parameter");
    assert_eq!(problem["parameter"], "Idempotency-Key");
    assert_eq!(town.records().len(), 2);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_at_once_each_get_their_own_places() {
    let town = Town::new();
    let server = Running::start(&town).await;
    let address = server.address;
    let clients: Vec<_> = (0..40_u64)
        .map(|client| {
            tokio::spawn(async move {
                let lines: Vec<String> =
                    (0..50).map(|n| format!("{{\"id\":{}}}", client * 1_000 + n)).collect();
                let reply = crate::support::send(
                    address,
                    http::Method::POST,
                    "/api/votes",
                    &[NDJSON],
                    lines.join("\n"),
                )
                .await;
                (lines, reply)
            })
        })
        .collect();
    let mut expected = Vec::new();
    for client in clients {
        let (lines, reply) = client.await.unwrap();
        assert_eq!(reply.status, 202, "{}", reply.text());
        let found = named(&town, &outcomes(reply.text()));
        assert_eq!(
            found.into_iter().map(|(value, _)| String::from_utf8(value).unwrap()).collect::<Vec<_>>(),
            lines
        );
        expected.extend(lines);
    }
    assert_eq!(town.records().len(), expected.len());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_log_no_votes_are_taken() {
    let town = Town::new();
    let mut seams = town.seams();
    seams.ingest = None;
    let server = Running::start_with(ServerConfig::default(), seams).await;
    let problem = server.post(&[NDJSON], "{}").await.problem(503, "no-intake");
    assert!(problem["detail"].as_str().unwrap().contains("takes no votes"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_refuses_is_a_problem_and_frees_the_key() {
    let (town, other) = (Town::new(), Town::new());
    let mut seams = town.seams();
    seams.ingest = other.seams().ingest;
    let server = Running::start_with(ServerConfig::default(), seams).await;
    let key = ("idempotency-key", "1");
    other.close_log();
    let reply = server.post(&[NDJSON, key], "{}\n{}").await;
    let problem = reply.problem(503, "log");
    assert_eq!((reply.header("retry-after"), &problem["appended"]), ("1", &json!(0)));
    server.post(&[NDJSON, key], "{\"another\":\"body\"}").await.problem(503, "log");
    server.stop().await;
}
