//! Every answer of results: what it says, how it is tagged, compressed and cached.

use crate::support::{EVENING, PATIENCE, Running, Town};
use serde_json::{Value, json};
use std::io::Read;
use std::time::Instant;
use votestream_election::Millis;
use votestream_election::delta::DeskAction;
use votestream_election::health::EngineHealth;
use votestream_server::ServerConfig;

#[tokio::test(flavor = "multi_thread")]
async fn results_say_what_the_store_holds() {
    let town = Town::with_votes();
    let server = Running::start(&town).await;
    let results = server.json("/api/results").await;
    assert_eq!(results["election"]["id"], "town");
    assert_eq!(results["records"], 6, "the four of the hidden valley are withheld");
    assert_eq!(
        (&results["counted"], &results["duplicate"], &results["rejected"]),
        (&json!(6), &json!(0), &json!(0))
    );
    assert_eq!(results["candidates"][0]["id"], "ada");
    assert_eq!(results["candidates"][0]["votes"], 3);
    assert_eq!(results["regions"].as_array().unwrap().len(), 2);
    assert_eq!(results["regions"][0]["votes"], json!({"ada": 3, "bo": 1}));
    assert_eq!(server.json("/api/results?election=town").await, results);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_seen_by_the_next_request() {
    let town = Town::with_votes();
    let server = Running::start(&town).await;
    for voter in 100..120_u64 {
        let before = server.json("/api/results").await;
        town.vote(EVENING, &[&format!("{voter} SO ada")]);
        // At most one look at the store every 20 ms: the answer may be that old, not older.
        let mut after = server.json("/api/results").await;
        while after["sequence"] == before["sequence"] {
            after = server.json("/api/results").await;
        }
        assert_eq!(after["counted"].as_u64(), before["counted"].as_u64().map(|n| n + 1));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_tagged_by_store_and_sequence() {
    let town = Town::with_votes();
    town.release(false);
    let server = Running::start(&town).await;
    let tag = format!("\"{}\"", town.tag());
    for path in [
        "/api/results",
        "/api/results?at=2024-11-06T00:00:30Z",
        "/api/regions",
        "/api/regions/no",
        "/api/timeline",
        "/api/demographics",
        "/api/ledger",
        "/api/rejects",
        "/api/export.csv",
        "/api/export.json",
        "/api/export.parquet",
        "/api/export/nist.json",
        "/api/export/nist.json?at=2024-11-06T00:00:30Z",
    ] {
        let reply = server.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        assert_eq!(reply.header("etag"), tag, "{path}");
        assert!(reply.header("cache-control").contains("must-revalidate"), "{path}");
        let again = server.get_with(path, &[("if-none-match", &tag)]).await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0), "{path}");
        assert_eq!(again.header("etag"), tag, "{path}");
        let weak = server.get_with(path, &[("if-none-match", &format!("\"other\", W/{tag}"))]).await;
        assert_eq!(weak.status, 304, "{path}");
    }
    town.vote(EVENING, &["77 NO bo"]);
    let mut reply = server.get_with("/api/results", &[("if-none-match", &tag)]).await;
    while reply.status == 304 {
        reply = server.get_with("/api/results", &[("if-none-match", &tag)]).await;
    }
    assert_eq!(reply.status, 200);
    assert_ne!(reply.header("etag"), tag);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gzip_is_the_same_answer_smaller() {
    let town = Town::with_votes();
    let server = Running::start(&town).await;
    let plain = server.get("/api/results").await;
    let small = server.get_with("/api/results", &[("accept-encoding", "gzip, br")]).await;
    assert_eq!(small.header("content-encoding"), "gzip");
    assert!(small.header("vary").contains("accept-encoding"));
    assert!(small.body.len() < plain.body.len());
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&small.body[..]).read_to_end(&mut text).unwrap();
    assert_eq!(text, plain.body);
    assert_ne!(small.header("etag"), plain.header("etag"), "two representations have two strong tags");
    let again = server.get_with("/api/results", &[("if-none-match", small.header("etag"))]).await;
    assert_eq!(again.status, 304);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_past_minute_can_be_asked_for() {
    let town = Town::new();
    town.vote(EVENING, &["1 NO ada", "2 SO bo"]);
    town.vote(Millis(EVENING.0 + 5 * 60_000), &["3 NO bo", "4 NO bo", "5 SO bo"]);
    let server = Running::start(&town).await;
    let counted = async |at: &str| {
        let results = server.json(&format!("/api/results?at={at}")).await;
        (results["counted"].as_u64().unwrap(), results["at"].clone())
    };
    assert_eq!(counted("2024-11-06T00:00:00Z").await, (2, json!("2024-11-06T00:00:00Z")));
    assert_eq!(counted("2024-11-06T00:04:59Z").await.0, 2);
    assert_eq!(counted("2024-11-05T19:05:00-05:00").await.0, 5);
    assert_eq!(counted(&EVENING.minute().0.to_string()).await.0, 2);
    assert_eq!(counted("2024-11-05T23:59:00Z").await.0, 0);
    let csv = server.get("/api/export.csv?at=2024-11-06T00:00:00Z").await;
    assert!(csv.text().contains("NO,North,5,leading,1,100,ada,1,1,0"), "{}", csv.text());
    let regions = server.json("/api/regions?at=2024-11-06T00:00:00Z").await;
    assert_eq!(regions["regions"][0]["counted"], 1);
    let region = server.json("/api/regions/NO?at=2024-11-06T00:00:00Z").await;
    assert_eq!(region["region"]["counted"], 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn regions_timeline_and_exports() {
    let town = Town::with_votes();
    town.vote(Millis(EVENING.0 + 120_000), &["20 SO ada", "21 SO ada", "22 SO ada"]);
    let server = Running::start(&town).await;
    let region = server.json("/api/regions/so").await;
    assert_eq!(region["region"]["code"], "SO");
    assert_eq!(region["candidates"][0]["id"], "ada");
    let timeline = server.json("/api/timeline").await;
    let counted: Vec<u64> =
        timeline["points"].as_array().unwrap().iter().filter_map(|p| p["counted"].as_u64()).collect();
    assert_eq!(counted.last(), Some(&9));
    assert!(counted.is_sorted());
    assert_eq!(
        timeline["lead_changes"].as_array().unwrap().len(),
        1,
        "South went from Bo to Ada: {timeline}"
    );
    let south =
        server.json("/api/timeline?region=SO&from=2024-11-06T00:02:00Z&to=2024-11-06T00:02:30Z").await;
    assert_eq!(south["points"].as_array().unwrap().len(), 1);
    assert_eq!(south["points"][0]["votes"], json!([3, 2]));
    let csv = server.get("/api/export.csv").await;
    assert!(csv.header("content-type").starts_with("text/csv"));
    assert!(csv.header("content-disposition").starts_with("attachment; filename=\"town-"));
    assert_eq!(csv.text().lines().count(), 3);
    let nist = server.get("/api/export/nist.json").await;
    assert!(nist.header("content-disposition").contains("-nist.json"));
    let nist: Value = serde_json::from_slice(&nist.body).unwrap();
    assert_eq!(nist["@type"], "ElectionResults.ElectionReport");
    assert_eq!(nist["Election"][0]["BallotCounts"][0]["BallotsCast"], 9, "as in the results");
    let file = server.get("/api/export.json").await;
    assert!(file.header("content-disposition").ends_with(".json\""));
    let mut results = server.json("/api/results").await;
    results["desk"] = json!([]);
    assert_eq!(file.json(), results, "the results and the desk's acts");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn demographics_are_the_released_ones() {
    let town = Town::with_votes();
    let server = Running::start(&town).await;
    let before = server.json("/api/demographics").await;
    assert_eq!(before["regions"], json!([]), "nothing is released yet");
    town.desk(DeskAction::Close, Some("HI"));
    town.release(false);
    let mut after = server.json("/api/demographics").await;
    while after["sequence"] == before["sequence"] {
        after = server.json("/api/demographics").await;
    }
    let blocks = |answer: &Value| answer["nation"].as_array().unwrap().len();
    assert!(blocks(&after) > 0, "{after}");
    let of_region = server.json("/api/demographics?region=no").await;
    assert_eq!(of_region["nation"], json!([]));
    assert!(of_region["regions"].as_array().unwrap().iter().all(|region| region["code"] == "NO"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_can_be_followed() {
    let town = Town::with_votes();
    let server = Running::start(&town).await;
    let ledger = server.json("/api/ledger").await;
    assert_eq!(ledger["partitions"], json!([]), "numbers of records could tell the votes withheld");
    town.desk(DeskAction::Close, Some("HI"));
    let mut open = server.json("/api/ledger?partition=1").await;
    while open["sequence"] == ledger["sequence"] {
        open = server.json("/api/ledger?partition=1").await;
    }
    let partitions = open["partitions"].as_array().unwrap();
    assert_eq!(partitions.iter().filter_map(|p| p["open_records"].as_u64()).sum::<u64>(), 10);
    assert_eq!(open["ledger"], server.json("/api/results").await["ledger"]);
    assert_eq!(open["leaves"], json!([]));
    server.stop().await;
}

const TOKEN: &str = "a-token-of-some-length";

#[tokio::test(flavor = "multi_thread")]
async fn probes_metrics_and_elections() {
    let town = Town::with_votes();
    town.append(EVENING, &["nonsense".to_owned()]);
    town.count();
    let running = EngineHealth {
        records_per_s: 123.5,
        commit_p99_ms: Some(8.0),
        backlog: 3,
        ..EngineHealth::default()
    };
    let (report, reports) = crate::support::health(running.clone());
    let mut seams = town.seams();
    seams.health = Some(reports);
    let config = ServerConfig { ingest_token: Some(TOKEN.to_owned()), ..ServerConfig::default() };
    let server = Running::start_with(config, seams).await;
    let bearer: &[(&str, &str)] = &[("authorization", &format!("Bearer {TOKEN}"))];
    assert_eq!(server.get("/healthz").await.text(), "ok\n");
    assert_eq!(server.get("/readyz").await.status, 200);
    // A connection whose answer was read is closed a moment later: it is waited for.
    let since = Instant::now();
    let mut metrics = server.get_with("/metrics", bearer).await;
    while !metrics.text().contains("\nvotestream_http_connections 1\n") {
        assert!(since.elapsed() < PATIENCE, "one connection is open, not as in\n{}", metrics.text());
        metrics = server.get_with("/metrics", bearer).await;
    }
    assert!(metrics.header("content-type").starts_with("text/plain; version=0.0.4"));
    for line in [
        "votestream_ready 1",
        "votestream_records_total{outcome=\"counted\"} 6",
        "votestream_rejected_total{reason=\"malformed\"} 1",
        "votestream_engine_records_per_second 123.5",
        "votestream_engine_commit_seconds{quantile=\"0.99\"} 0.008",
        "votestream_engine_backlog_records 3",
        "votestream_http_requests_total{route=\"/healthz\",status=\"200\"} 1",
    ] {
        assert!(metrics.text().lines().any(|found| found == line), "{line} is not in\n{}", metrics.text());
    }
    let engine = server.get_with("/api/engine", bearer).await.json();
    assert_eq!(
        (&engine["engine"]["records_per_s"], &engine["records_per_s"]),
        (&json!(123.5), &json!(123.5))
    );
    assert_eq!((&engine["backlog"], &engine["commit_p99_ms"]), (&json!(3), &json!(8.0)));
    let engine = server.json("/api/engine").await;
    for withheld in ["records_per_s", "backlog", "voters", "voters_bytes"] {
        assert_eq!(engine["engine"][withheld], Value::Null, "{withheld} would tell the votes withheld");
    }
    assert_eq!((&engine["viewers"], &engine["backlog"]), (&json!(0), &Value::Null));
    assert_eq!(engine["last_commit"], server.json("/api/results").await["as_of"]);
    report.send_replace(EngineHealth { paused: Some("the disk is full".to_owned()), ..running });
    let problem = server.get("/readyz").await.problem(503, "paused");
    assert!(problem["detail"].as_str().unwrap().contains("the disk is full"));
    let elections = server.json("/api/elections").await;
    let town = json!({"id": "town", "name": "Town vote", "date": "2024-11-05", "created": "2024-11-06T00:00:00.000Z",
        "simulated": false, "sequence": server.json("/api/results").await["sequence"], "status": "counting"});
    assert_eq!(elections["elections"], json!([town]));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_describe_what_is_there() {
    let town = Town::with_votes();
    let server = Running::start(&town).await;
    let api = server.json("/openapi.json").await;
    let paths = api["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 22);
    for (path, methods) in paths {
        let path = path.replace("{code}", "NO").replace("{candidate}", "ada");
        for (method, operation) in methods.as_object().unwrap() {
            assert!(operation["responses"].as_object().is_some_and(|all| !all.is_empty()), "{method} {path}");
            assert!(!operation["summary"].as_str().unwrap_or("").is_empty(), "{method} {path}");
            let other = if method == "get" { http::Method::DELETE } else { http::Method::GET };
            let reply = server.send(other, &path, &[], "").await;
            reply.problem(405, "method");
            assert!(reply.header("allow").contains(&method.to_uppercase()), "{path}: {:?}", reply.headers);
        }
    }
    let text = api.to_string();
    for link in
        text.split("\"$ref\":\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next())
    {
        assert!(api["components"]["schemas"][link].is_object(), "{link} is not described");
    }
    let page = server.get("/docs").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.header("content-security-policy").contains("script-src 'self'"));
    assert_eq!(server.get("/docs/docs.css").await.header("content-type"), "text/css; charset=utf-8");
    server.stop().await;
}
