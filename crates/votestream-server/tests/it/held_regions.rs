//! A region under embargo, or held, is in no public answer: not live, not past, not exported, not by difference.

use crate::support::{EVENING, Running, Town};
use votestream_election::delta::DeskAction;

const PUBLIC: &[&str] = &[
    "/api/results",
    "/api/results?at=2024-11-06T00:01:00Z",
    "/api/regions",
    "/api/regions?at=2024-11-06T00:01:00Z",
    "/api/timeline",
    "/api/timeline?from=2024-11-06T00:00:00Z",
    "/api/demographics",
    "/api/demographics?at=2024-11-06T00:01:00Z",
    "/api/ledger",
    "/api/ledger?partition=0",
    "/api/rejects",
    "/api/live.csv",
    "/api/export.csv",
    "/api/export.csv?at=2024-11-06T00:01:00Z",
    "/api/export.json",
    "/api/export.parquet",
    "/api/export/nist.json",
    "/api/export/nist.json?at=2024-11-06T00:01:00Z",
    "/api/engine",
];

const OF_ONE: &[&str] = &[
    "/api/regions/{}",
    "/api/regions/{}?at=2024-11-06T00:01:00Z",
    "/api/timeline?region={}",
    "/api/demographics?region={}",
];

/// Nothing names the region, and no number is that of all votes.
async fn check_absent(server: &Running, code: &str, name: &str) {
    for path in PUBLIC {
        let reply = server.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        let mut text = reply.text().to_owned();
        if reply.header("content-type") == "application/json" {
            let mut answer = reply.json();
            check_sums(path, &answer);
            // That a region is held is no secret: the acts say so.
            if let Some(acts) = answer.as_object_mut().and_then(|fields| fields.remove("desk")) {
                check_acts(code, &acts);
            }
            text = answer.to_string();
        }
        assert!(!text.contains(name), "{path} names {name}: {text}");
        assert!(!text.contains(&format!("\"{code}\"")), "{path} names {code}: {text}");
    }
    check_acts(code, &server.json("/api/desk").await["acts"]);
    for path in OF_ONE {
        server.get(&path.replace("{}", code)).await.problem(404, "not-found");
    }
    let mut events = server.events("/api/live", &[]).await;
    let (_, results) = events.event().await.unwrap();
    assert!(!results.to_string().contains(name));
    check_sums("/api/live", &results);
}

/// No act tells what was counted of the region, nor of the whole that holds it.
fn check_acts(code: &str, acts: &serde_json::Value) {
    for act in acts.as_array().unwrap() {
        if act["region"] == code || act["region"].is_null() {
            assert!(act["counted"].is_null(), "{act}");
        }
    }
}

/// What is told adds up to what is public: 6 votes of 10.
fn check_sums(path: &str, answer: &serde_json::Value) {
    for counter in ["counted", "records"] {
        if let Some(number) = answer[counter].as_u64() {
            assert!(number <= 6, "{path}: {counter} is {number}");
        }
    }
    for point in answer["points"].as_array().into_iter().flatten() {
        assert!(
            point["counted"].as_u64().unwrap() <= 6 && point["records"].as_u64().is_none_or(|n| n <= 6),
            "{path}: {point}"
        );
    }
    assert_eq!(answer["partitions"].as_array().map_or(0, Vec::len), 0, "{path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embargo_ends_with_the_close() {
    let town = Town::with_votes();
    town.release(true);
    let server = Running::start(&town).await;
    check_absent(&server, "HI", "Hidden Valley").await;
    let before = server.json("/api/results").await;
    town.desk(DeskAction::Close, Some("HI"));
    let mut after = server.json("/api/results").await;
    while after["sequence"] == before["sequence"] {
        after = server.json("/api/results").await;
    }
    assert_eq!(after["counted"], 10);
    assert_eq!(server.json("/api/regions/HI").await["region"]["counted"], 4);
    assert_eq!(
        server.json("/api/results?at=2024-11-06T00:01:00Z").await["counted"],
        10,
        "past views show it too now"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_takes_a_region_out_and_a_reopen_brings_it_back() {
    let town = Town::with_votes();
    town.desk(DeskAction::Close, Some("HI"));
    town.vote(EVENING, &["50 HI bo"]);
    let server = Running::start(&town).await;
    let before = server.json("/api/results").await;
    assert_eq!(before["counted"], 11);
    // Answers of the state before are kept by the server; none of them may be given after the hold.
    for path in PUBLIC {
        assert_eq!(server.get(path).await.status, 200);
    }
    let mut watching = server.events("/api/live?hz=20", &[]).await;
    assert_eq!(watching.event().await.unwrap().1["counted"], 11);
    let stale = server.get("/api/regions").await.header("etag").to_owned();
    town.desk(DeskAction::Hold, Some("HI"));
    while server.json("/api/results").await["sequence"] == before["sequence"] {}
    let (_, shown) = watching.event().await.unwrap();
    assert!(!shown.to_string().contains("Hidden Valley"), "a stream that was open before the hold: {shown}");
    check_absent(&server, "HI", "Hidden Valley").await;
    assert_eq!(server.get_with("/api/regions", &[("if-none-match", &stale)]).await.status, 200);
    let held = server.json("/api/results").await;
    town.desk(DeskAction::Reopen, Some("HI"));
    let mut back = server.json("/api/results").await;
    while back["sequence"] == held["sequence"] {
        back = server.json("/api/results").await;
    }
    assert_eq!(back["counted"], 11);
    server.stop().await;
}
