//! How counting is doing, and what it can be verified against.

use super::super::state::State;
use super::pen::Pen;
use super::top;
use crate::progress::grouped;
use crate::terminal::{ago, clean};
use ratatui::layout::Rect;
use ratatui::style::Style;
use votestream_election::Millis;
use votestream_election::results::Results;

/// Heights of a sparkline.
const LEVELS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Each thing that is known: what it is, and its value.
pub(super) fn lines(state: &State, now: Millis) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let health = &state.health;
    if let Some(rate) = state.rate(now) {
        lines.push(("votes/s", format!("{} {}", grouped(rate as u64), sparkline(state, 20))));
    }
    let millis = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |ms| format!("{ms:.0}"));
    if health.p50_ms.is_some() || health.p99_ms.is_some() {
        lines.push(("p50/p99", format!("{}/{} ms", millis(health.p50_ms), millis(health.p99_ms))));
    }
    if let Some(backlog) = health.backlog {
        lines.push(("backlog", grouped(backlog)));
    }
    if let Some(results) = &state.results {
        lines.push(("rejected", grouped(results.rejected)));
        lines.push(("duplicate", grouped(results.duplicate)));
    }
    if let Some(age) = state.age_ms(now) {
        lines.push(("last commit", format!("{} ago", ago((age / 1_000) as u64))));
    }
    if let Some(workers) = health.workers {
        lines.push(("workers", workers.to_string()));
    }
    if let Some(viewers) = health.viewers {
        lines.push(("viewers", viewers.to_string()));
    }
    lines
}

/// The newest seconds, highest of them full.
fn sparkline(state: &State, seconds: usize) -> String {
    let newest: Vec<f64> = state.history.iter().rev().take(seconds).copied().collect();
    let most = newest.iter().copied().fold(0.0, f64::max);
    let level = |rate: &f64| {
        let level = if most > 0.0 { (rate / most * 7.0).round() as usize } else { 0 };
        LEVELS.get(level).copied().unwrap_or(LEVELS[7])
    };
    newest.iter().rev().map(level).collect()
}

/// In one row, as much as fits.
pub(super) fn line(pen: &mut Pen<'_>, row: Rect, state: &State, now: Millis) {
    let mut at = 0;
    for (name, value) in lines(state, now) {
        // The history is for those who have the room.
        let value =
            if name == "votes/s" { value.split(' ').next().unwrap_or_default().to_owned() } else { value };
        let cells = name.chars().count() + 1 + value.chars().count();
        if usize::from(at) + cells > usize::from(row.width) {
            break;
        }
        let end = pen.put(row, at, name, pen.palette.quiet());
        at = pen.put(row, end + 1, &value, Style::new()) + 2;
    }
}

/// A row each, under a heading.
pub(super) fn panel(pen: &mut Pen<'_>, mut area: Rect, lines: &[(&'static str, String)]) {
    let palette = pen.palette;
    pen.put(top(&mut area, 1), 0, "engine", palette.strong());
    for (name, value) in lines {
        let row = top(&mut area, 1);
        pen.put(row, 0, name, palette.quiet());
        pen.put(row, 13, value, Style::new());
    }
}

/// The digest in one row, cut to its beginning.
pub(super) fn ledger_line(pen: &mut Pen<'_>, row: Rect, results: &Results) {
    let end = pen.put(row, 0, "ledger", pen.palette.quiet());
    let end = pen.put(row, end + 1, &clean(&results.ledger.digest), Style::new());
    pen.put(row, end + 2, &leaves(results), pen.palette.quiet());
}

fn leaves(results: &Results) -> String {
    let sealed = grouped(results.ledger.leaves);
    match results.ledger.pending {
        0 => format!("{sealed} leaves"),
        pending => format!("{sealed} leaves, {} pending", grouped(pending)),
    }
}

/// The whole digest, in two rows.
pub(super) fn ledger(pen: &mut Pen<'_>, mut area: Rect, results: &Results) {
    let palette = pen.palette;
    let heading = format!("ledger · {}", leaves(results));
    pen.put(top(&mut area, 1), 0, &heading, palette.strong());
    let digest: Vec<char> = clean(&results.ledger.digest).chars().collect();
    for half in digest.chunks(32).take(2) {
        let half: String = half.iter().collect();
        pen.put(top(&mut area, 1), 0, &half, Style::new());
    }
    pen.put(area, 0, "checked by: votestream recount", palette.quiet());
}
