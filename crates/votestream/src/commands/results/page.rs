//! `results --format html`: the dashboard with the present state written into it, in one file that needs no server. What each answer says
//! is decided where the server's is; here it is read, put together and measured.

use crate::commands::now;
use crate::{progress, table};
use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::{Map, Value};
use std::io::{IsTerminal, Write};
use votestream_election::results::audit::DeskLog;
use votestream_election::results::demographics::{Demographics, Moment};
use votestream_election::results::elections::{ElectionEntry, Elections};
use votestream_election::results::ledger::Ledger;
use votestream_election::results::rejects::RejectCounts;
use votestream_election::results::{DeskState, Results, millis_text};
use votestream_election::timeline::{Timeline, TimelineQuery, TimelineRow};
use votestream_election::{Election, Millis, Minute};
use votestream_store::{ReaderStore, TimelinePoint};
use votestream_web::Standalone;

/// Points of the timeline, about: over a longer time a point spans several minutes.
const TIMELINE_POINTS: i64 = 1_000;
/// Bytes of a page; a larger one is refused: no browser would open it with pleasure. The preset makes about 0.3 MB.
const PAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Writes the page to standard output and says on standard error how large it is.
pub(super) fn write(
    store: &ReaderStore,
    election: &Election,
    at: Option<Minute>,
    created: Millis,
) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if out.is_terminal() {
        bail!(
            "a page is no sight for a terminal; send it to a file: votestream results --format html … > page.html"
        );
    }
    let state = State::read(store, election, at)?;
    let answers = serde_json::to_string(&state.answers(election, created)?)?;
    let summary = table::results(&state.results);
    let title = format!("{}: results, sequence {}", election.name, state.results.sequence);
    let html = Standalone { title: &title, summary: &summary, answers: &answers }.html();
    if html.len() > PAGE_BYTES_MAX {
        bail!(
            "the page would have {} bytes, more than {}: {} regions and {} candidates are too many for one file; use --format json",
            progress::grouped(html.len() as u64),
            progress::grouped(PAGE_BYTES_MAX as u64),
            state.results.regions.len(),
            state.results.candidates.len()
        );
    }
    out.write_all(html.as_bytes()).context("cannot write the page to standard output")?;
    out.flush().context("cannot write the page to standard output")?;
    tracing::info!(
        "a page of {} kB, {} kB of it data: sequence {}, {} votes, {} of the timeline; it opens in a browser without a server",
        progress::grouped(html.len().div_ceil(1000) as u64),
        progress::grouped(answers.len().div_ceil(1000) as u64),
        state.results.sequence,
        progress::grouped(state.results.counted),
        match state.timeline.points.len() {
            1 => "1 point".to_owned(),
            many => format!("{many} points"),
        }
    );
    Ok(())
}

/// One state of the store, as the page asks for it.
struct State {
    results: Results,
    timeline: Timeline,
    demographics: Demographics,
    desk: DeskLog,
    ledger: Ledger,
    rejects: RejectCounts,
}

impl State {
    /// The snapshot is read last: whoever counts meanwhile, nothing here is newer than the results, and what the desk has withheld until
    /// then is in none of it.
    fn read(store: &ReaderStore, election: &Election, at: Option<Minute>) -> Result<Self> {
        let released = store.demographics(&election.id, at)?;
        let points = store.timeline(&election.id, None, at)?;
        let snapshot = match at {
            None => store.snapshot(&election.id)?,
            Some(at) => store.snapshot_at(&election.id, at)?,
        };
        let desk = DeskState::of(election, &snapshot.desk);
        let results = Results::of(election, &snapshot);
        let query = TimelineQuery {
            sequence: snapshot.sequence,
            region: None,
            bucket_minutes: bucket_minutes(&points),
        };
        let rows = points.iter().map(|point| TimelineRow {
            minute: point.minute,
            counts: &point.counts,
            totals: &point.totals,
        });
        let moment = Moment { sequence: snapshot.sequence, as_of: snapshot.as_of, at };
        Ok(Self {
            timeline: Timeline::of(election, &desk, query, rows),
            demographics: Demographics::of(election, &desk, moment, &released, None),
            desk: DeskLog::of(election, &snapshot.desk, snapshot.sequence, at),
            ledger: Ledger::of(&snapshot, &results, None),
            rejects: RejectCounts::of(&snapshot, &results),
            results,
        })
    }

    /// What the page looks up instead of asking a server: answers by their path.
    fn answers(&self, election: &Election, created: Millis) -> Result<Map<String, Value>> {
        let entry = ElectionEntry::of(&self.results, created);
        debug_assert_eq!(entry.id, election.id);
        let mut answers = Map::new();
        put(&mut answers, "taken", &millis_text(now()))?;
        put(&mut answers, "/api/results", &self.results)?;
        put(&mut answers, "/api/timeline", &self.timeline)?;
        put(&mut answers, "/api/demographics", &self.demographics)?;
        put(&mut answers, "/api/desk", &self.desk)?;
        put(&mut answers, "/api/ledger", &self.ledger)?;
        put(&mut answers, "/api/rejects", &self.rejects)?;
        put(&mut answers, "/api/elections", &Elections { elections: vec![entry] })?;
        Ok(answers)
    }
}

fn put(answers: &mut Map<String, Value>, path: &str, answer: &impl Serialize) -> Result<()> {
    let value = serde_json::to_value(answer).with_context(|| format!("cannot write what {path} says"))?;
    answers.insert(path.to_owned(), value);
    Ok(())
}

/// Minutes that a point spans, so that there are about [`TIMELINE_POINTS`] of them at most.
fn bucket_minutes(points: &[TimelinePoint]) -> u32 {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return 1 };
    let span = last.minute.0.saturating_sub(first.minute.0).saturating_add(1);
    u32::try_from(span.unsigned_abs().div_ceil(TIMELINE_POINTS.unsigned_abs())).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use votestream_election::delta::Counts;

    #[test]
    fn a_long_count_has_wider_points() {
        let points = |last: i64| {
            [0, last].map(|minute| TimelinePoint {
                minute: Minute(minute),
                counts: Counts::default(),
                totals: Vec::new(),
            })
        };
        assert_eq!(bucket_minutes(&[]), 1);
        assert_eq!(bucket_minutes(&points(0)), 1);
        assert_eq!(bucket_minutes(&points(999)), 1);
        assert_eq!(bucket_minutes(&points(1_000)), 2);
        assert_eq!(bucket_minutes(&points(100_000)), 101);
    }
}
