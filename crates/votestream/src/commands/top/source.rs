//! Where `top` gets its news from: a store that is read, or a server whose live stream is followed. Each on threads of its own; what
//! goes wrong is told and tried again.

use super::http::Place;
use super::state::{Health, News};
use crate::args::Top;
use crate::contest;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;
use votestream_election::Election;
use votestream_election::results::Results;
use votestream_store::{ReaderStore, StoreError, StoreUrl};

/// News that wait to be shown; a source waits when there are more.
const NEWS_MAX: usize = 16;
/// How often a store is asked whether it changed, and health is asked for, in turn.
const LOOK: Duration = Duration::from_millis(250);
const HEALTH_EVERY: Duration = Duration::from_secs(1);
/// Pause before a source that failed is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Opens the source and starts to follow it.
///
/// # Errors
/// What cannot be read now, and what to do; later it is only told and tried again.
pub fn follow(args: &Top) -> Result<Receiver<News>> {
    let (sender, receiver) = sync_channel(NEWS_MAX);
    if let Some(url) = &args.server {
        let place = Place::parse(url)?;
        let election = args.election.election.as_deref().map(encoded);
        let of = election.map(|id| format!("election={id}")).unwrap_or_default();
        let (status, answer) = place.json(&format!("/api/results?{of}")).with_context(|| {
            format!("'{url}' cannot be read; is `votestream up` or `votestream serve` running there?")
        })?;
        if status != 200 {
            bail!("'{url}' answers {status}: {}", detail(&answer));
        }
        sender
            .send(News::Results(Box::new(serde_json::from_value(answer).with_context(|| {
                format!("'{url}' does not answer as this version of votestream does")
            })?)))?;
        start({
            let (place, of, sender) = (place.clone(), of.clone(), sender.clone());
            move || follow_live(&place, &of, &sender)
        })?;
        start(move || follow_health(&place, &of, &sender))?;
        return Ok(receiver);
    }
    let Some(url) = &args.store else { bail!("name a store with --store or a server with --server") };
    let url: StoreUrl = url.parse()?;
    let reader = ReaderStore::open(&url)?;
    let election = contest::stored(&args.election, &reader)?;
    start(move || follow_store(&url, Some(reader), &election, &sender))?;
    Ok(receiver)
}

fn start(work: impl FnOnce() + Send + 'static) -> Result<()> {
    thread::Builder::new().name("news".into()).spawn(work).context("cannot start a thread")?;
    Ok(())
}

/// Reads the store until nobody listens.
fn follow_store(
    url: &StoreUrl,
    mut reader: Option<ReaderStore>,
    election: &Election,
    sender: &SyncSender<News>,
) {
    loop {
        let looked = match &reader {
            Some(reader) => look(reader, election),
            None => ReaderStore::open(url).and_then(|opened| look(reader.insert(opened), election)),
        };
        let (news, pause) = match looked {
            Ok(news) => (news, LOOK),
            Err(error) => {
                reader = None;
                (vec![News::Away(said(&error))], PAUSE)
            }
        };
        for news in news {
            if sender.send(news).is_err() {
                return;
            }
        }
        thread::sleep(pause);
    }
}

fn look(reader: &ReaderStore, election: &Election) -> Result<Vec<News>, StoreError> {
    if !reader.changed()? {
        return Ok(vec![News::Alive]);
    }
    let snapshot = reader.snapshot(&election.id)?;
    let backlog = snapshot.progress.iter().map(|p| p.log_end.0.saturating_sub(p.next_offset.0)).sum();
    let health = Health { backlog: Some(backlog), ..Health::default() };
    Ok(vec![News::Health(health), News::Results(Box::new(Results::of(election, &snapshot)))])
}

/// Follows the live stream until nobody listens.
fn follow_live(place: &Place, of: &str, sender: &SyncSender<News>) {
    loop {
        let why = match live(place, of, sender) {
            Ok(Ended::Unheard) => return,
            Ok(Ended::Stream) => "the server ended its stream".to_owned(),
            Err(error) => said(&error),
        };
        if sender.send(News::Away(why)).is_err() {
            return;
        }
        thread::sleep(PAUSE);
    }
}

enum Ended {
    Stream,
    Unheard,
}

fn live(place: &Place, of: &str, sender: &SyncSender<News>) -> Result<Ended> {
    let mut stream = place.get(&format!("/api/live?hz=4&{of}"), "text/event-stream")?;
    if stream.status != 200 {
        bail!("it answers {}", stream.status);
    }
    while let Some(line) = stream.line()? {
        let news = match line.strip_prefix("data:") {
            Some(data) => {
                News::Results(serde_json::from_str(data.trim()).context("what it sends are no results")?)
            }
            None if line.starts_with(':') => News::Alive,
            None => continue,
        };
        if sender.send(news).is_err() {
            return Ok(Ended::Unheard);
        }
    }
    Ok(Ended::Stream)
}

/// Asks for the engine's health. That the server is away is told by the live stream.
fn follow_health(place: &Place, of: &str, sender: &SyncSender<News>) {
    loop {
        if let Ok((200, answer)) = place.json(&format!("/api/engine?{of}"))
            && sender.send(News::Health(health(&answer))).is_err()
        {
            return;
        }
        thread::sleep(HEALTH_EVERY);
    }
}

/// What `GET /api/engine` says.
fn health(answer: &Value) -> Health {
    let engine = answer.get("engine").unwrap_or(&Value::Null);
    let number = |name: &str| engine.get(name).and_then(Value::as_f64);
    let whole = |of: &Value, name: &str| of.get(name).and_then(Value::as_u64);
    Health {
        rate: number("records_per_s"),
        p50_ms: number("commit_p50_ms"),
        p99_ms: number("commit_p99_ms"),
        backlog: whole(engine, "backlog").or_else(|| whole(answer, "backlog")),
        workers: whole(engine, "workers"),
        viewers: whole(answer, "viewers"),
        paused: engine.get("paused").and_then(Value::as_str).map(str::to_owned),
    }
}

/// What a problem says of itself.
fn detail(problem: &Value) -> String {
    let text = |name: &str| problem.get(name).and_then(Value::as_str);
    let allowed = text("allowed").map(|allowed| format!(" ({allowed})")).unwrap_or_default();
    crate::terminal::clean(&format!("{}{allowed}", text("detail").unwrap_or("it does not say why")))
}

/// The error and its causes in one line.
fn said(error: &(impl std::fmt::Display + ?Sized)) -> String {
    format!("{error:#}")
}

/// A parameter's value as it stands in a URL.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn health_is_what_the_server_says_of_it() {
        let serve = json!({"engine": null, "viewers": 2, "backlog": 7});
        assert_eq!(health(&serve), Health { backlog: Some(7), viewers: Some(2), ..Health::default() });
        let up = json!({"engine": {"records_per_s": 1.5, "commit_p50_ms": 3.0, "commit_p99_ms": null, "backlog": 9,
            "workers": 2, "voters": null, "voters_bytes": null, "paused": "disk full"}, "viewers": 0, "backlog": 7});
        let expect = Health {
            rate: Some(1.5),
            p50_ms: Some(3.0),
            p99_ms: None,
            backlog: Some(9),
            workers: Some(2),
            viewers: Some(0),
            paused: Some("disk full".to_owned()),
        };
        assert_eq!(health(&up), expect);
        assert_eq!(health(&json!("nonsense")), Health::default());
    }

    #[test]
    fn problems_and_parameters_are_text() {
        assert_eq!(
            detail(&json!({"detail": "say \u{1b}which", "allowed": "a, b"})),
            "say \u{fffd}which (a, b)"
        );
        assert_eq!(detail(&json!(null)), "it does not say why");
        assert_eq!(encoded("town&x=1 é"), "town%26x%3D1%20%C3%A9");
    }
}
