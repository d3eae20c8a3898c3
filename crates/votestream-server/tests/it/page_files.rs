//! The page's files: by name, compressed as they were built, kept as long as their names allow.

use crate::support::{Running, Town};

#[tokio::test(flavor = "multi_thread")]
async fn files_are_sent_as_they_were_built() {
    let town = Town::with_votes();
    let server = Running::start(&town).await;
    for path in ["/", "/index.html", "/?state=PA&theme=dark"] {
        let page = server.get(path).await;
        assert_eq!((page.status.as_u16(), page.text()), (200, "<!doctype html>"), "{path}");
        assert_eq!(page.header("cache-control"), "no-cache");
        assert_eq!(page.header("etag"), "\"abc\"");
        let policy = page.header("content-security-policy");
        assert!(
            policy.contains("script-src 'self'") && policy.contains("frame-ancestors 'self'"),
            "{policy}"
        );
    }
    let script = server.get("/assets/app-1a2b.js").await;
    assert_eq!(script.text(), "run()");
    assert!(script.header("cache-control").contains("immutable"));
    let small = server.get_with("/assets/app-1a2b.js", &[("accept-encoding", "gzip")]).await;
    assert_eq!((small.text(), small.header("content-encoding")), ("pretend gzip", "gzip"));
    assert_eq!(small.header("content-type"), "text/javascript");
    for tag in ["\"abc\"", "\"abc-gz\"", "W/\"abc\""] {
        assert_eq!(server.get_with("/", &[("if-none-match", tag)]).await.status, 304, "{tag}");
    }
    server.stop().await;
}
