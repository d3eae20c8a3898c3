//! Rejects: counts for all; records and payloads, page by page, for those who bear the token.

use crate::support::{EVENING, Running, Town};
use serde_json::json;
use votestream_server::ServerConfig;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test(flavor = "multi_thread")]
async fn payloads_are_shown_only_to_those_who_bear_the_token() {
    let town = Town::with_votes();
    let bad = [
        "nonsense",
        "{\"id\":1}",
        "{\"id\":30,\"state\":\"NO\",\"decision\":\"ada\",\"age\":12}",
        "[]",
        "{\"state\":\"NO\"}",
    ];
    town.append(EVENING, &bad.map(str::to_owned));
    town.count();
    let config = ServerConfig { ingest_token: Some(TOKEN.to_owned()), ..ServerConfig::default() };
    let server = Running::start_with(config, town.seams()).await;
    let public = server.json("/api/rejects").await;
    assert_eq!(public["rejected"], 5);
    let reasons = json!({"malformed": 2, "missing_id": 1, "unknown_region": 1, "under_age": 1});
    assert_eq!(public["reasons"], reasons);
    assert!(public.get("records").is_none());
    server.get("/api/rejects?limit=2").await.problem(401, "token");
    server.get("/api/rejects?after=0:1").await.problem(401, "token");
    server.get_with("/api/rejects", &[("authorization", "Bearer no")]).await.problem(401, "token");
    let bearer = format!("Bearer {TOKEN}");
    let mut found = Vec::new();
    let mut path = "/api/rejects?limit=2".to_owned();
    loop {
        let reply = server.get_with(&path, &[("authorization", &bearer)]).await;
        assert_eq!(reply.header("cache-control"), "no-store");
        let page = reply.json();
        let records = page["records"].as_array().unwrap();
        assert!(records.len() <= 2);
        found.extend(records.iter().map(|record| record["payload"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/rejects?limit=2&after={next}");
    }
    found.sort_unstable();
    let mut expect = bad.map(str::to_owned);
    expect.sort_unstable();
    assert_eq!(found, expect);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_text_are_shown_in_base64() {
    let town = Town::new();
    let config = ServerConfig { ingest_token: Some(TOKEN.to_owned()), ..ServerConfig::default() };
    let server = Running::start_with(config, town.seams()).await;
    let bearer = format!("Bearer {TOKEN}");
    let reply = server.post(&[("authorization", &bearer)], &[0xff_u8, 0xfe][..]).await;
    assert_eq!(reply.status, 202);
    town.count();
    let mut page = server.get_with("/api/rejects", &[("authorization", &bearer)]).await.json();
    while page["rejected"] == 0 {
        page = server.get_with("/api/rejects", &[("authorization", &bearer)]).await.json();
    }
    assert_eq!(page["records"][0]["payload_base64"], "//4=");
    assert!(page["records"][0].get("payload").is_none());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_log_there_are_no_payloads() {
    let town = Town::with_votes();
    let config = ServerConfig { ingest_token: Some(TOKEN.to_owned()), ..ServerConfig::default() };
    let mut seams = town.seams();
    seams.payloads = None;
    let server = Running::start_with(config, seams).await;
    let bearer = format!("Bearer {TOKEN}");
    server.get_with("/api/rejects", &[("authorization", &bearer)]).await.problem(503, "no-payloads");
    assert_eq!(server.get("/api/rejects").await.status, 200);
    server.stop().await;
}
