//! What is said of the results store: whether it answers, as whom we are there, its clock, and whether its rows add up.

use super::lag::{self, Place};
use super::lines::{Lines, many};
use std::time::Duration;
use votestream_election::{Millis, Offset};
use votestream_log::LogReader;
use votestream_store::{ReaderStore, StoreError, StoreFacts, StoreUrl};

/// How far the server's clock may be from this machine's, in milliseconds, beside the time that asking took.
const SKEW_MS_MAX: i64 = 1_000;
/// Between the two looks at what is not counted yet.
const LOOKS_APART: Duration = Duration::from_secs(2);
/// What cures a store that cannot be read.
const REBUILD: &str =
    "restore it from a copy, or rebuild it from the log with `votestream recount --from-scratch`";

/// Opens the store; says why not.
pub(super) fn open(url: &StoreUrl, lines: &mut Lines) -> Option<ReaderStore> {
    match ReaderStore::open(url) {
        Ok(store) => Some(store),
        Err(error) => {
            told(&error, lines);
            None
        }
    }
}

fn told(error: &StoreError, lines: &mut Lines) {
    let otherwise = match error {
        StoreError::Corrupt { .. } => REBUILD,
        StoreError::Missing { .. } => "count into it first, or name another with --store",
        _ => "check host, port, user, database and password (password_file=FILE, PGPASSWORD or ~/.pgpass)",
    };
    match error {
        StoreError::Corrupt { .. } | StoreError::Missing { .. } => {
            lines.fault(format!("store: {error}"), otherwise);
        }
        StoreError::Refused { store, why, source } => {
            // What is wrong, a colon, what to do.
            let (what, next) = why.split_once(": ").unwrap_or((why, otherwise));
            let said = source.as_ref().map_or(String::new(), |said| format!(" ({said})"));
            lines.fault(format!("store {store}: {what}{said}"), next);
        }
        _ => lines.failure("store", error, otherwise),
    }
}

/// Looks at what serves the store and at each election in it.
pub(super) fn check(
    url: &StoreUrl,
    store: &ReaderStore,
    now: fn() -> Millis,
    lines: &mut Lines,
) -> Vec<String> {
    let asked = now();
    match store.facts() {
        Ok(facts) => judge(url, &facts, asked, now(), lines),
        Err(error) => told(&error, lines),
    }
    let elections = match store.elections() {
        Ok(elections) => elections,
        Err(error) => {
            lines.fault(format!("store: {error}"), REBUILD);
            return Vec::new();
        }
    };
    lines.well(format!("store {url}: {}", many(elections.len() as u64, "election")));
    let mut whole = Vec::new();
    for head in elections {
        match store.verify(&head.id) {
            Ok(()) => {
                lines.well(format!("election '{}': its rows add up", head.id));
                whole.push(head.id);
            }
            Err(error) => lines.failure(
                &format!("election '{}'", head.id),
                &error,
                "rebuild it with `votestream recount --from-scratch`, as a login that may count",
            ),
        }
    }
    whole
}

/// What the server says of itself; its clock was asked for between the two times.
fn judge(url: &StoreUrl, facts: &StoreFacts, asked: Millis, answered: Millis, lines: &mut Lines) {
    let login = facts.login.as_ref().map_or(String::new(), |login| format!(", as '{login}'"));
    let wire = match facts.encrypted {
        Some(true) => ", encrypted",
        Some(false) => ", not encrypted",
        None => "",
    };
    lines.well(format!("store {url}: {}{login}{wire}", facts.server));
    if let Some(why) = facts.read_only {
        lines.fault(
            format!("the store cannot be written: {why}"),
            "results can be read; to count, name the primary, or make it writable",
        );
    } else if facts.may_count {
        lines.well(if facts.login.is_some() {
            "this login may count"
        } else {
            "it may be written: counting can go on"
        });
    } else {
        lines.well("this login may read results and not count: right for `serve`, `results`; `count` needs the writer's (docs/operating.md, \"PostgreSQL roles\")");
        if facts.may_see_voters {
            lines.fault(
                "this login, which may not count, may read seen voters or unreleased cells",
                "revoke its rights on votestream.tally and votestream.seen (docs/operating.md, \"PostgreSQL roles\")",
            );
        }
    }
    if let Some(theirs) = facts.now {
        let skew = if theirs < asked { theirs.0 - asked.0 } else { (theirs.0 - answered.0).max(0) };
        if skew.abs() > SKEW_MS_MAX {
            lines.fault(
                format!(
                    "the store's clock is {} ms {} of this machine's",
                    skew.abs(),
                    if skew > 0 { "ahead" } else { "behind" }
                ),
                "set both by NTP; counts are right all the same, times shown are not",
            );
        } else {
            lines.well("the store's clock agrees with this machine's");
        }
    }
}

/// Whether the election was counted from this log, and how far.
pub(super) fn lag_of(store: &ReaderStore, election: &str, log: &LogReader, lines: &mut Lines) {
    let pin = match store.pin(election) {
        Ok(pin) => pin,
        Err(error) => return told(&error, lines),
    };
    if pin.log_id != log.log_id() {
        lines.fault(
            format!(
                "election '{election}' was counted from another log ({}) than this ({})",
                pin.log_id,
                log.log_id()
            ),
            "name the log it was begun with (after --route that is TOPIC.by-voter), or count into a new store",
        );
        return;
    }
    if pin.partitions != log.partitions() {
        lines.fault(
            format!(
                "election '{election}' was begun on {} and the log has {} now: voters lie on other partitions",
                many(u64::from(pin.partitions), "partition"),
                log.partitions()
            ),
            "count anew with --route into a new store; do not add partitions to a topic that is counted",
        );
        return;
    }
    let look = |lines: &mut Lines| match places(store, election, log) {
        Ok(places) => Some(places),
        Err(error) => {
            lines.fault(format!("election '{election}': {error}"), "see what is said above of log and store");
            None
        }
    };
    let Some(first) = look(lines) else { return };
    if !lag::behind(&first) {
        return lag::judge(election, &first, &first, LOOKS_APART, lines);
    }
    std::thread::sleep(LOOKS_APART);
    if let Some(second) = look(lines) {
        lag::judge(election, &first, &second, LOOKS_APART, lines);
    }
}

fn places(store: &ReaderStore, election: &str, log: &LogReader) -> anyhow::Result<Vec<Place>> {
    // The store first: it never is ahead of ends that are asked for later.
    let snapshot = store.snapshot(election)?;
    let ends = log.refresh_ends()?;
    Ok(snapshot
        .progress
        .iter()
        .map(|progress| Place {
            partition: progress.partition,
            next: progress.next_offset,
            end: ends.get(progress.partition.0 as usize).copied().unwrap_or(Offset(0)),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> StoreFacts {
        StoreFacts {
            server: "PostgreSQL 15.14".to_owned(),
            login: Some("votestream_writer".to_owned()),
            encrypted: Some(true),
            now: Some(Millis(1_000_010)),
            read_only: None,
            may_count: true,
            may_see_voters: true,
        }
    }

    fn check(facts: &StoreFacts, expect: &[&str]) {
        let url = "postgres://db/votes".parse().unwrap();
        let mut lines = Lines::default();
        judge(&url, facts, Millis(1_000_000), Millis(1_000_020), &mut lines);
        for words in expect {
            assert!(lines.text().contains(words), "{words:?} not in:\n{}", lines.text());
        }
    }

    #[test]
    fn logins_and_clocks() {
        let writer = "✓ store postgres://db/votes: PostgreSQL 15.14, as 'votestream_writer', encrypted";
        check(&facts(), &[writer, "✓ this login may count", "✓ the store's clock agrees"]);
        check(
            &StoreFacts { may_count: false, may_see_voters: false, ..facts() },
            &["✓ this login may read results and not count"],
        );
        check(
            &StoreFacts { may_count: false, ..facts() },
            &["✗ this login, which may not count, may read seen"],
        );
        check(
            &StoreFacts { read_only: Some("the server is a standby in recovery"), ..facts() },
            &["✗ the store cannot be written: the server is a standby"],
        );
        check(
            &StoreFacts { now: Some(Millis(990_000)), ..facts() },
            &["✗ the store's clock is 10000 ms behind"],
        );
        check(
            &StoreFacts { now: Some(Millis(1_005_020)), ..facts() },
            &["✗ the store's clock is 5000 ms ahead"],
        );
    }
}
