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
        StoreError::Open { .. } | StoreError::NotWritable { .. } | StoreError::Io { .. } => {
            "look at its disk, and give this user the rights to the file and to its directory, where SQLite keeps files beside it"
        }
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
    (url, to_read): (&StoreUrl, bool),
    store: &ReaderStore,
    now: fn() -> Millis,
    lines: &mut Lines,
) -> Vec<String> {
    let asked = now();
    let mut sees_all = true;
    match store.facts() {
        Ok(facts) => {
            judge((url, to_read), &facts, (asked, now()), lines);
            sees_all = facts.may_see_voters;
        }
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
        if !sees_all {
            lines.well(format!(
                "election '{}': its rows are not checked, which takes a login that sees them all",
                head.id
            ));
            whole.push(head.id);
            continue;
        }
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
fn judge(
    (url, to_read): (&StoreUrl, bool),
    facts: &StoreFacts,
    (asked, answered): (Millis, Millis),
    lines: &mut Lines,
) {
    let login = facts.login.as_ref().map_or(String::new(), |login| format!(", as '{login}'"));
    let wire = match facts.encrypted {
        Some(true) => ", encrypted",
        Some(false) => ", not encrypted",
        None => "",
    };
    lines.well(format!("store {url}: {}{login}{wire}", facts.server));
    judge_writing(facts, to_read, lines);
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

/// Whether `count` and the desk may write; a store that is only `to_read` need not be written.
fn judge_writing(facts: &StoreFacts, to_read: bool, lines: &mut Lines) {
    let (what, next) = match (facts.read_only, &facts.login) {
        (None, Some(_)) if facts.may_count => return lines.well("this login may count"),
        (None, None) if facts.may_count => return lines.well("it may be written: counting can go on"),
        (Some(why), Some(_)) => (
            format!("the store cannot be written: {why}"),
            "to count, name the primary, or end what makes it read-only (ALTER ROLE, ALTER DATABASE or ALTER SYSTEM … RESET default_transaction_read_only); where it is only to be read, as by `serve`, say --read-only".to_owned(),
        ),
        (Some(why), None) => (
            format!("the store cannot be written: {why}"),
            "to count, let this user write file and directory, and mount them writable; where it is only to be read, as by `serve`, say --read-only".to_owned(),
        ),
        (None, login) => (
            "the store cannot be written: this login may read results and not count".to_owned(),
            format!(
                "to count, name the writer's login or GRANT votestream_writer TO {} (docs/operating.md, \"PostgreSQL roles\"); where it is only to be read, as by `serve`, say --read-only",
                login.as_deref().unwrap_or_default()
            ),
        ),
    };
    if to_read {
        lines.well("the store can be read, which is all that `serve` and `results` need");
    } else {
        lines.fault(what, next);
    }
    if !facts.may_count && facts.may_see_voters && facts.login.is_some() {
        lines.fault(
            "this login, which may not count, may read seen voters or unreleased cells",
            "revoke its rights on votestream.tally and votestream.seen (docs/operating.md, \"PostgreSQL roles\")",
        );
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
        check_for(false, facts, expect);
    }

    fn check_for(to_read: bool, facts: &StoreFacts, expect: &[&str]) {
        let url = "postgres://db/votes".parse().unwrap();
        let mut lines = Lines::default();
        judge((&url, to_read), facts, (Millis(1_000_000), Millis(1_000_020)), &mut lines);
        for words in expect {
            assert!(lines.text().contains(words), "{words:?} not in:\n{}", lines.text());
        }
    }

    #[test]
    fn logins_and_clocks() {
        let writer = "✓ store postgres://db/votes: PostgreSQL 15.14, as 'votestream_writer', encrypted";
        check(&facts(), &[writer, "✓ this login may count", "✓ the store's clock agrees"]);
        let reader = StoreFacts { may_count: false, may_see_voters: false, ..facts() };
        check(
            &reader,
            &["✗ the store cannot be written: this login", "GRANT votestream_writer TO votestream_writer"],
        );
        check_for(true, &reader, &["✓ the store can be read, which is all"]);
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
