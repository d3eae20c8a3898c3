//! What is withheld cannot be worked out: two towns that differ only in the votes of a withheld region say the same, answer by answer, at
//! every step of the desk. So no answer tells, and no difference of any of them. What tells that something happened at all is masked:
//! sequence, time of the newest commit, digest.

use crate::support::{EVENING, PATIENCE, Running, Town, health};
use serde_json::Value;
use std::time::{Duration, Instant};
use votestream_election::Millis;
use votestream_election::delta::DeskAction;
use votestream_election::health::EngineHealth;
use votestream_server::ServerConfig;

const ANSWERS: &[&str] = &[
    "/api/results",
    "/api/results?at=2024-11-06T00:00:00Z",
    "/api/results?at=2024-11-06T00:01:00Z",
    "/api/results?at=2030-01-01T00:00:00Z",
    "/api/live.csv",
    "/api/regions",
    "/api/regions?at=2024-11-06T00:01:00Z",
    "/api/regions/NO",
    "/api/regions/HI",
    "/api/regions/HI?at=2024-11-06T00:01:00Z",
    "/api/timeline",
    "/api/timeline?region=NO",
    "/api/timeline?region=HI",
    "/api/timeline?from=2024-11-06T00:01:00Z&bucket=2",
    "/api/demographics",
    "/api/demographics?at=2024-11-06T00:01:00Z",
    "/api/demographics?region=SO",
    "/api/demographics?region=HI",
    "/api/ledger",
    "/api/ledger?partition=0",
    "/api/ledger?partition=1",
    "/api/rejects",
    "/api/desk",
    "/api/desk?at=2024-11-06T00:00:00Z",
    "/api/elections",
    "/api/engine",
    "/api/export.csv",
    "/api/export.csv?at=2024-11-06T00:01:00Z",
    "/api/export.json",
    "/api/export.json?at=2024-11-06T00:01:00Z",
    "/metrics",
];

/// A town and its server, whose engine reports what it counted.
struct World {
    town: Town,
    server: Running,
    report: tokio::sync::watch::Sender<EngineHealth>,
}

impl World {
    /// `hidden`: votes of the Hidden Valley.
    async fn of(hidden: &[&str]) -> Self {
        let town = Town::new();
        town.vote(
            EVENING,
            &["1 NO ada", "2 NO ada", "3 NO ada", "4 NO bo", "5 SO bo", "6 SO bo", "6 SO bo", "7 XX bo"],
        );
        town.vote(Millis(EVENING.0 + 60_000), hidden);
        town.release(true);
        let (report, reports) = health(EngineHealth::default());
        let mut seams = town.seams();
        seams.health = Some(reports);
        let server = Running::start_with(ServerConfig::default(), seams).await;
        let world = Self { town, server, report };
        world.counted(hidden.len()).await;
        world
    }

    /// The engine's report after some hidden votes, which were also posted here.
    async fn counted(&self, hidden: usize) {
        self.report.send_replace(EngineHealth {
            records_per_s: hidden as f64,
            backlog: hidden as u64,
            voters: hidden as u64,
            voters_bytes: hidden as u64,
            ..EngineHealth::default()
        });
        for voter in 0..hidden {
            let vote = format!("{{\"id\":\"posted {voter}\",\"state\":\"HI\",\"decision\":\"bo\"}}");
            assert_eq!(self.server.post(&[], vote).await.status, 202);
        }
        self.town.count();
    }

    /// Every public answer, masked, once the server shows the newest state.
    async fn says(&self) -> Vec<(String, String)> {
        let tag = format!("\"{}\"", self.town.tag());
        let since = Instant::now();
        while self.server.get("/api/results").await.header("etag") != tag {
            assert!(since.elapsed() < PATIENCE, "the newest state is never shown");
        }
        let mut all = Vec::new();
        for path in ANSWERS {
            let reply = self.server.get(path).await;
            assert!(reply.status == 200 || path.contains("HI"), "{path}: {}", reply.text());
            all.push(((*path).to_owned(), masked(path, reply.status.as_u16(), reply.text())));
        }
        for path in ["/api/live", "/api/live?format=csv"] {
            let mut stream = self.server.events(path, &[]).await;
            let data = stream.block().await.unwrap().data.unwrap();
            all.push((path.to_owned(), masked(path, 200, &data)));
        }
        all
    }
}

/// An answer without what tells that something happened.
fn masked(path: &str, status: u16, text: &str) -> String {
    let body = match serde_json::from_str::<Value>(text) {
        Ok(mut json) => {
            mask(&mut json);
            json.to_string()
        }
        Err(_) if path == "/metrics" => {
            // How often the test itself asked.
            let of_the_server = ["votestream_sequence", "votestream_http_", "votestream_live_"];
            let kept = text.lines().filter(|line| of_the_server.iter().all(|start| !line.starts_with(start)));
            kept.collect::<Vec<_>>().join("\n")
        }
        // Sequence and time come first.
        Err(_) if path.starts_with("/api/live") => {
            text.lines().map(|row| row.splitn(3, ',').nth(2).unwrap_or("")).collect::<Vec<_>>().join("\n")
        }
        Err(_) => text.to_owned(),
    };
    format!("{status} {body}")
}

fn mask(json: &mut Value) {
    match json {
        Value::Object(fields) => {
            for name in ["sequence", "as_of", "last_commit", "digest", "viewers"] {
                fields.remove(name);
            }
            // None at first, then none: which of them depends on when it was asked.
            if fields.get("records_per_s").is_some_and(|rate| rate.is_null() || *rate == 0.0) {
                fields.remove("records_per_s");
            }
            fields.values_mut().for_each(mask);
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_votes_of_a_withheld_region_give_the_same_answers() {
    let one = World::of(&["11 HI ada"]).await;
    let other = World::of(&["11 HI bo", "12 HI bo", "13 HI bo", "14 HI ada", "15 HI bo"]).await;
    let same = async |when: &str| {
        let (a, b) = (one.says().await, other.says().await);
        for ((path, a), (_, b)) in a.into_iter().zip(b) {
            assert_eq!(a, b, "{when}: {path} tells two worlds apart");
        }
    };
    let both = |action, region: Option<&str>| {
        one.town.desk(action, region);
        other.town.desk(action, region);
    };
    same("under embargo").await;
    both(DeskAction::Close, Some("NO"));
    same("with another region closed").await;
    both(DeskAction::Close, Some("HI"));
    let (a, b) = (one.says().await, other.says().await);
    assert_ne!(a, b, "closed: it is public");
    both(DeskAction::Hold, Some("HI"));
    same("held").await;
    for (world, votes) in [(&one, &["21 HI ada", "22 HI ada"][..]), (&other, &["21 HI bo"][..])] {
        // No release follows: which blocks of public regions may be released depends on all votes, because what is released must not
        // give small cells away once the withheld region is back (docs/adr/0017).
        world.town.vote(Millis(EVENING.0 + 120_000), votes);
    }
    same("held, with more votes").await;
    both(DeskAction::Close, None);
    same("held, with the whole election closed").await;
    both(DeskAction::Reopen, Some("HI"));
    assert_ne!(one.says().await, other.says().await, "what is closed is public again");
    both(DeskAction::Reopen, Some("HI"));
    same("back under embargo").await;
    one.server.stop().await;
    other.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rate_is_that_of_public_records() {
    let town = Town::with_votes();
    let server = Running::start(&town).await;
    assert_eq!(server.json("/api/engine").await["records_per_s"], Value::Null, "nothing to compare with yet");
    town.vote(EVENING, &["50 HI bo", "51 HI bo"]);
    let since = Instant::now();
    let rate = loop {
        let rate = server.json("/api/engine").await["records_per_s"].clone();
        if rate != Value::Null {
            break rate;
        }
        assert!(since.elapsed() < PATIENCE);
    };
    assert!(since.elapsed() >= Duration::from_millis(500), "over a second");
    assert_eq!(rate, 0.0, "hidden votes have no speed");
    town.vote(EVENING, &["52 NO bo", "53 NO bo"]);
    while server.json("/api/engine").await["records_per_s"] == 0.0 {
        assert!(since.elapsed() < PATIENCE);
    }
    town.desk(DeskAction::Close, Some("HI"));
    let closed = server.json("/api/engine").await;
    while server.json("/api/results").await["counted"] != 14 {
        assert!(since.elapsed() < PATIENCE);
    }
    let open = server.json("/api/engine").await;
    assert_eq!(open["records_per_s"], Value::Null, "what became public was not counted just now: {closed}");
    assert_eq!(open["backlog"], 0);
    server.stop().await;
}
