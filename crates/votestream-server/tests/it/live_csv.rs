//! Live results as CSV: a document for those who poll, a stream of the same for those who listen.

use crate::support::{EVENING, Running, Town};

#[tokio::test(flavor = "multi_thread")]
async fn one_document_is_made_of_each_snapshot() {
    let town = Town::with_votes();
    let server = Running::start(&town).await;
    let csv = server.get("/api/live.csv").await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert_eq!(csv.header("cache-control"), "no-cache");
    let results = server.json("/api/results").await;
    let (sequence, as_of) = (&results["sequence"], results["as_of"].as_str().unwrap());
    let rows: Vec<&str> = csv.text().split("\r\n").collect();
    assert_eq!(rows[1], format!("{sequence},{as_of},,,counting,ada,Ada,A,3,0.5,,0,6,200"));
    assert_eq!(rows[3], format!("{sequence},{as_of},NO,North,leading,ada,Ada,A,3,0.75,ada,2,4,100"));
    assert_eq!(rows.len(), 1 + 2 + 2 * 2 + 1, "a header, the whole, two public regions, the end: {rows:?}");
    let again = server.get_with("/api/live.csv", &[("if-none-match", csv.header("etag"))]).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    // Whoever asks the stream's address for CSV, and not for a stream, gets the document.
    for (accept, kind) in [
        ("text/csv", "text/csv; charset=utf-8; header=present"),
        ("text/csv;q=0, */*", "text/event-stream"),
        ("text/event-stream, text/csv", "text/event-stream"),
        ("*/*", "text/event-stream"),
    ] {
        let events = server.events("/api/live", &[("accept", accept)]).await;
        assert_eq!(events.headers["content-type"], kind, "{accept}");
    }
    let asked = server.get_with("/api/live", &[("accept", "text/csv")]).await;
    assert_eq!(asked.body, csv.body);
    assert!(asked.header("vary").contains("accept,"), "{}", asked.header("vary"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_rows_follows_each_change() {
    let town = Town::with_votes();
    let server = Running::start(&town).await;
    let mut stream = server.events("/api/live?format=csv&hz=20", &[]).await;
    for voter in 700..705_u64 {
        let document = server.get("/api/live.csv").await;
        let block = loop {
            let block = stream.block().await.unwrap();
            if block.data.is_some() {
                break block;
            }
        };
        assert_eq!(block.data.as_deref(), Some(document.text().replace("\r\n", "\n").trim_end()));
        assert_eq!(block.id, server.json("/api/results").await["sequence"].as_u64());
        town.vote(EVENING, &[&format!("{voter} SO ada")]);
        let before = document.header("etag").to_owned();
        while server.get("/api/live.csv").await.header("etag") == before {}
    }
    let wrong = server.get("/api/live?format=xml").await.problem(400, "parameter");
    assert_eq!(wrong["allowed"], "json, csv");
    server.stop().await;
}
