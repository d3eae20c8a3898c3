//! What lies over the picture for a while: a region's details, the keys.

use super::super::state::State;
use super::pen::Pen;
use super::regions::mark;
use super::top;
use crate::progress::grouped;
use crate::terminal::{clean, percent, progress, width};
use ratatui::layout::Rect;
use ratatui::style::Style;
use votestream_election::results::CountStatus;

/// The keys and what they do.
const KEYS: [(&str, &str); 9] = [
    ("q, Esc, Ctrl-C", "quit"),
    ("↑ ↓ PgUp PgDn", "choose a region"),
    ("Home End", "first, last"),
    ("Enter", "its details"),
    ("s", "sort by votes, margin, name, progress"),
    ("r", "the other way round"),
    ("/", "search code or name"),
    ("p", "pause, resume"),
    ("?", "these keys"),
];

/// An empty box in the middle; answers what is inside it.
fn boxed(pen: &mut Pen<'_>, area: Rect, (cells, rows): (u16, u16), title: &str) -> Rect {
    let (cells, rows) = ((cells + 4).min(area.width), (rows + 2).min(area.height));
    let whole = Rect {
        x: area.x + (area.width - cells) / 2,
        y: area.y + (area.height - rows) / 2,
        width: cells,
        height: rows,
    };
    for y in whole.top()..whole.bottom() {
        for x in whole.left()..whole.right() {
            if let Some(cell) = pen.buffer.cell_mut((x, y)) {
                cell.reset();
            }
        }
    }
    let line = |left, right| format!("{left}{}{right}", "─".repeat(usize::from(cells.saturating_sub(2))));
    pen.put(Rect { height: 1, ..whole }, 0, &line("┌", "┐"), Style::new());
    pen.put(
        Rect { y: whole.bottom().saturating_sub(1), height: 1, ..whole },
        0,
        &line("└", "┘"),
        Style::new(),
    );
    for y in whole.top() + 1..whole.bottom().saturating_sub(1) {
        let row = Rect { y, height: 1, ..whole };
        pen.put(row, 0, "│", Style::new());
        pen.put(row, cells.saturating_sub(1), "│", Style::new());
    }
    let heading = Rect { x: whole.x + 2, width: cells.saturating_sub(4), height: 1, ..whole };
    pen.put(heading, 0, &format!(" {title} "), pen.palette.strong());
    Rect { x: whole.x + 2, y: whole.y + 1, width: cells.saturating_sub(4), height: rows.saturating_sub(2) }
}

/// All that is known of the chosen region.
pub(super) fn detail(pen: &mut Pen<'_>, area: Rect, state: &State) {
    let palette = pen.palette;
    let (Some(results), Some(region)) = (&state.results, state.row()) else {
        boxed(pen, area, (36, 1), "this region is not public now");
        return;
    };
    let title = format!("{} · {}", clean(&region.name), clean(&region.code));
    let mut facts = vec![format!("{} {}", mark(region.status), region.status.name())];
    if region.closed {
        facts.push("declared final".to_owned());
    }
    if results.election.seats_to_win.is_some() {
        facts.push(format!("{} seats", region.seats));
    }
    let mut counted = format!("{} counted", grouped(region.counted));
    if let Some(expected) = region.expected {
        let complete = region.closed || results.status == CountStatus::Complete;
        counted = format!(
            "{counted} · {} of {} expected",
            progress(region.counted, expected, complete),
            grouped(expected)
        );
    }
    let mut lines = vec![facts.join(" · "), counted];
    if let Some(registered) = region.registered {
        let turnout = if registered == 0 { 0.0 } else { region.counted as f64 / registered as f64 };
        lines.push(format!("turnout {} of {} registered", percent(turnout), grouped(registered)));
    }
    if let Some(late) = region.late {
        lines.push(format!("{} counted after it was closed", grouped(late)));
    }
    let mut order: Vec<_> = results
        .candidates
        .iter()
        .map(|candidate| (candidate, region.votes.get(&candidate.id).unwrap_or(0)))
        .collect();
    order.sort_by_key(|(_, votes)| std::cmp::Reverse(*votes));
    let cells = lines.iter().map(|line| width(line)).max().unwrap_or(0).max(width(&title) + 2).max(52) as u16;
    let mut inside = boxed(pen, area, (cells, (lines.len() + 1 + order.len()) as u16), &title);
    for line in lines {
        pen.put(top(&mut inside, 1), 0, &line, Style::new());
    }
    top(&mut inside, 1);
    for (candidate, votes) in order {
        let row = top(&mut inside, 1);
        let share = if region.counted == 0 { 0.0 } else { votes as f64 / region.counted as f64 };
        let style = palette.candidate(&candidate.colour);
        pen.put(Rect { width: row.width.saturating_sub(21), ..row }, 0, &clean(&candidate.name), style);
        pen.put_right(row, 8, &grouped(votes), palette.strong());
        pen.put_right(row, 0, &percent(share), Style::new());
    }
}

/// The keys.
pub(super) fn help(pen: &mut Pen<'_>, area: Rect) {
    let mut inside = boxed(pen, area, (54, KEYS.len() as u16), "keys");
    for (key, what) in KEYS {
        let row = top(&mut inside, 1);
        pen.put(row, 0, key, pen.palette.strong());
        pen.put(row, 16, what, Style::new());
    }
}
