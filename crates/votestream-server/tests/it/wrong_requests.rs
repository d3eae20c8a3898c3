//! Every wrong request gets problem details that name what is wrong.

use crate::support::{Running, Town};
use http::Method;
use votestream_server::ServerConfig;

#[tokio::test(flavor = "multi_thread")]
async fn wrong_parameters_are_named() {
    let town = Town::with_votes();
    let server = Running::start(&town).await;
    for (path, name) in [
        ("/api/results?at=yesterday", "at"),
        ("/api/results?at=2024-11-06", "at"),
        ("/api/results?when=0", "when"),
        ("/api/results?at=0&at=1", "at"),
        ("/api/results?at=%zz", "query"),
        ("/api/results?at=99999999999999999999", "at"),
        ("/api/live?hz=0", "hz"),
        ("/api/live?hz=21", "hz"),
        ("/api/live?hz=fast", "hz"),
        ("/api/live?hz=NaN", "hz"),
        ("/api/timeline?from=x", "from"),
        ("/api/timeline?from=10&to=9", "from"),
        ("/api/timeline?bucket=0", "bucket"),
        ("/api/demographics?at=-", "at"),
        ("/api/ledger?partition=2", "partition"),
        ("/api/ledger?partition=-1", "partition"),
        ("/api/rejects?limit=0", "limit"),
        ("/api/rejects?limit=1001", "limit"),
        ("/api/rejects?after=7", "after"),
        ("/api/export.csv?format=xlsx", "format"),
        ("/api/export/nist.json?at=yesterday", "at"),
        ("/api/elections?x=1", "x"),
    ] {
        let problem = server.get(path).await.problem(400, "parameter");
        assert_eq!(problem["parameter"], name, "{path}");
        assert!(!problem["allowed"].as_str().unwrap().is_empty(), "{path}");
    }
    for path in
        ["/api/results?election=village", "/api/live?election=village", "/api/timeline?election=village"]
    {
        let problem = server.get(path).await.problem(404, "not-found");
        assert!(problem["allowed"].as_str().unwrap().contains("town"), "{problem}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_paths_and_methods_are_problems_too() {
    let town = Town::with_votes();
    let server = Running::start(&town).await;
    for path in [
        "/nothing",
        "/api/nothing",
        "/api/results/",
        "/api/regions/XX",
        "/api/regions/%00",
        "/../../etc/passwd",
        "/assets/none.js",
    ] {
        server.get(path).await.problem(404, "not-found");
    }
    server.send(Method::POST, "/nothing", &[], "").await.problem(404, "not-found");
    for (method, path, allow) in [
        (Method::POST, "/api/results", "GET"),
        (Method::DELETE, "/api/results", "GET"),
        (Method::GET, "/api/votes", "POST"),
        (Method::PUT, "/", "GET"),
        (Method::OPTIONS, "/api/results", "GET"),
    ] {
        let reply = server.send(method.clone(), path, &[], "").await;
        reply.problem(405, "method");
        assert!(reply.header("allow").contains(allow), "{method} {path}: {:?}", reply.headers);
    }
    let long = format!("/api/results?at={}", "9".repeat(9_000));
    server.get(&long).await.problem(414, "target");
    let head = server.send(Method::HEAD, "/api/results", &[], "").await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_keeps_browsers_careful() {
    let town = Town::with_votes();
    let server = Running::start(&town).await;
    for path in ["/", "/api/results", "/nothing", "/docs", "/metrics", "/openapi.json"] {
        let reply = server.get(path).await;
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("referrer-policy"), "no-referrer", "{path}");
        let policy = reply.header("content-security-policy");
        assert!(policy.contains("default-src") && !policy.contains("unsafe"), "{path}: {policy}");
        assert!(reply.headers.get("access-control-allow-origin").is_none(), "{path}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn origins_are_allowed_by_name_only() {
    let town = Town::with_votes();
    let config =
        ServerConfig { allowed_origins: vec!["https://news.example".to_owned()], ..ServerConfig::default() };
    let server = Running::start_with(config, town.seams()).await;
    let allowed = server.get_with("/api/results", &[("origin", "https://news.example")]).await;
    assert_eq!(allowed.header("access-control-allow-origin"), "https://news.example");
    let problem = server.get_with("/api/nothing", &[("origin", "https://news.example")]).await;
    assert_eq!(problem.header("access-control-allow-origin"), "https://news.example");
    let other = server.get_with("/api/results", &[("origin", "https://evil.example")]).await;
    assert!(other.headers.get("access-control-allow-origin").is_none());
    let asks = [("origin", "https://news.example"), ("access-control-request-method", "POST")];
    let preflight = server.send(Method::OPTIONS, "/api/votes", &asks, "").await;
    assert_eq!(preflight.status, 204);
    assert!(preflight.header("access-control-allow-headers").contains("authorization"));
    let page = server.get("/").await;
    assert!(page.header("content-security-policy").contains("frame-ancestors 'self' https://news.example"));
    server.stop().await;
}
