//! Several elections in one store: each is asked for by name, and none is taken for another.

use crate::support::{EVENING, PICTURE, Running, Town, health};
use serde_json::Value;
use votestream_election::health::EngineHealth;
use votestream_server::ServerConfig;

const EACH: &[&str] = &[
    "/api/results",
    "/api/results?at=2024-11-06T00:01:00Z",
    "/api/live.csv",
    "/api/regions",
    "/api/demographics",
    "/api/timeline",
    "/api/ledger",
    "/api/rejects",
    "/api/engine",
    "/api/desk",
    "/api/export.csv",
    "/api/export.json",
];

fn of(path: &str, election: &str) -> String {
    format!("{path}{}election={election}", if path.contains('?') { '&' } else { '?' })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_asked_for_by_name() {
    let town = Town::with_votes();
    town.second_election("poll");
    let mut seams = town.seams();
    seams.log_election = Some("town".to_owned());
    let (_report, reports) = health(EngineHealth { records_per_s: 9.5, ..EngineHealth::default() });
    seams.health = Some(reports);
    let config =
        ServerConfig { ingest_token: Some("a-token-of-some-length".to_owned()), ..ServerConfig::default() };
    let server = Running::start_with(config, seams).await;
    let list = server.json("/api/elections").await;
    let entries: Vec<[&Value; 3]> = list["elections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| [&entry["id"], &entry["status"], &entry["simulated"]])
        .collect();
    let expect: [[Value; 3]; 2] =
        [["town".into(), "counting".into(), false.into()], ["poll".into(), "waiting".into(), false.into()]];
    assert_eq!(entries, expect.iter().map(<[Value; 3]>::each_ref).collect::<Vec<_>>());
    for path in EACH {
        let problem = server.get(path).await.problem(400, "several-elections");
        assert_eq!(
            (&problem["parameter"], &problem["allowed"]),
            (&"election".into(), &"town, poll".into()),
            "{path}"
        );
        for election in ["town", "poll"] {
            let reply = server.get(&of(path, election)).await;
            assert_eq!(reply.status, 200, "{path} of {election}: {}", reply.text());
        }
        server.get(&of(path, "nothing")).await.problem(404, "not-found");
    }
    server.get("/api/live").await.problem(400, "several-elections");
    let mut poll = server.events("/api/live?election=poll&hz=20", &[]).await;
    assert_eq!(poll.event().await.unwrap().1["election"]["id"], "poll");
    let mut stream = server.events("/api/live?election=town&hz=20", &[]).await;
    assert_eq!(stream.event().await.unwrap().1["counted"], 6);
    town.vote(EVENING, &["900 NO bo"]);
    assert_eq!(stream.event().await.unwrap().1["counted"], 7);
    assert_eq!(server.json("/api/results?election=poll").await["counted"], 0);
    // Engine and log at hand are the town's.
    assert_ne!(server.json("/api/engine?election=town").await["engine"], Value::Null);
    assert_eq!(server.json("/api/engine?election=poll").await["engine"], Value::Null);
    let bearer = [("authorization", "Bearer a-token-of-some-length")];
    assert_eq!(server.get_with("/api/rejects?election=town&limit=5", &bearer).await.status, 200);
    server.get_with("/api/rejects?election=poll&limit=5", &bearer).await.problem(503, "no-payloads");
    assert_eq!(server.get("/readyz").await.status, 200);
    assert!(server.get("/metrics").await.text().contains("votestream_ready 1\n"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_kept_with_its_election() {
    let town = Town::with_votes();
    town.second_election("poll");
    let server = Running::start(&town).await;
    let results = server.json("/api/results?election=poll").await;
    let address = results["candidates"][0]["photo"].as_str().unwrap();
    assert!(address.starts_with("/api/photos/yes?v=") && address.ends_with("&election=poll"), "{address}");
    assert_eq!(results["candidates"][1].get("photo"), None);
    let photo = server.get(address).await;
    assert_eq!((photo.status.as_u16(), &photo.body[..]), (200, PICTURE));
    assert_eq!(photo.header("content-type"), "image/png");
    assert_eq!(photo.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(photo.header("x-content-type-options"), "nosniff");
    let tag = photo.header("etag");
    let again = server.get_with(address, &[("if-none-match", tag)]).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    // An address that does not name this very picture must be asked for again.
    for other in ["/api/photos/yes?election=poll", "/api/photos/yes?v=0123&election=poll"] {
        assert_eq!(server.get(other).await.header("cache-control"), "no-cache", "{other}");
    }
    for missing in
        ["/api/photos/no?election=poll", "/api/photos/ada?election=town", "/api/photos/x?election=poll"]
    {
        server.get(missing).await.problem(404, "not-found");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_that_the_server_was_started_with_needs_no_name() {
    let town = Town::with_votes();
    town.second_election("poll");
    let mut seams = town.seams();
    seams.election_id = Some("poll".to_owned());
    let server = Running::start_with(ServerConfig::default(), seams).await;
    assert_eq!(server.json("/api/results").await["election"]["id"], "poll");
    assert_eq!(server.json("/api/results?election=town").await["counted"], 6);
    server.stop().await;
}
