//! Regions: the table with what is chosen in view, and the closest that are still open.

use super::super::state::{State, margin};
use super::pen::Pen;
use super::top;
use crate::progress::grouped;
use crate::terminal::{clean, percent, progress, width};
use ratatui::layout::Rect;
use ratatui::style::Style;
use votestream_election::results::{RegionResult, RegionStatus, Results};

/// Columns of the table with their widths; those of the widest terminals come last.
struct Columns {
    code: u16,
    name: u16,
    seats: u16,
    leader: u16,
    margin: u16,
    points: u16,
    votes: u16,
    progress: u16,
    status: u16,
}

impl Columns {
    fn of(width: u16, results: &Results) -> Self {
        let code = results.regions.iter().map(|r| crate::terminal::width(&clean(&r.code))).max().unwrap_or(2);
        let code = (code as u16).clamp(4, 8);
        let points = 8;
        let mut columns =
            Self { code, name: 0, seats: 0, leader: 7, margin: 0, points, votes: 0, progress: 7, status: 9 };
        let sum = |c: &Self| {
            [c.code, c.name, c.seats, c.leader, c.margin, c.points, c.votes, c.progress, c.status]
                .iter()
                .filter(|cells| **cells > 0)
                .map(|cells| cells + 1)
                .sum::<u16>()
        };
        if results.election.seats_to_win.is_some() && width >= 60 {
            columns.seats = 5;
        }
        if width >= 70 {
            columns.margin = 11;
        }
        if width >= 84 {
            columns.votes = 12;
        }
        if width >= 60 {
            let longest =
                results.regions.iter().map(|r| crate::terminal::width(&clean(&r.name))).max().unwrap_or(0);
            let room = width.saturating_sub(sum(&columns) + 1);
            columns.name = room.min((longest as u16).max(6));
        }
        columns
    }
}

/// Heading and rows.
pub(super) fn table(pen: &mut Pen<'_>, mut area: Rect, state: &State) {
    let palette = pen.palette;
    let Some(results) = &state.results else { return };
    if results.regions.is_empty() {
        if results.withheld > 0 {
            pen.put(area, 0, "no region is public yet", palette.quiet());
        }
        return;
    }
    let columns = Columns::of(area.width, results);
    let rows = state.rows();
    heading(pen, top(&mut area, 1), &columns, state, rows.len());
    if rows.is_empty() {
        let text = format!("no region matches '{}'; Esc clears the search", state.search);
        pen.put(area, 0, &text, palette.quiet());
        return;
    }
    let height = usize::from(area.height);
    let chosen = state.place(&rows);
    // What is chosen is in the middle, as far as there are rows on both sides.
    let first = chosen.unwrap_or(0).saturating_sub(height / 2).min(rows.len().saturating_sub(height));
    for (place, region) in rows.iter().enumerate().skip(first).take(height) {
        let row = top(&mut area, 1);
        write_row(pen, row, &columns, results, region);
        if chosen == Some(place) {
            pen.buffer.set_style(row, palette.chosen());
        }
    }
}

fn heading(pen: &mut Pen<'_>, row: Rect, columns: &Columns, state: &State, found: usize) {
    let style = pen.palette.quiet();
    let (sort, reversed) = state.sort;
    let all = state.results.as_ref().map_or(0, |results| results.regions.len());
    let found = if found == all { all.to_string() } else { format!("{found} of {all}") };
    let arrow = if reversed { " reversed" } else { "" };
    let label = format!("{found} regions by {}{arrow}", sort.name());
    let end = pen.put(row, 0, &label, pen.palette.strong());
    // Headings of the right-hand columns, where the label leaves room.
    for (text, from_right) in right_headings(columns) {
        let begin = row.width.saturating_sub(from_right + text.len() as u16);
        if begin > end {
            pen.put_right(row, from_right, text, style);
        }
    }
}

/// Each heading with the cells behind it.
fn right_headings(columns: &Columns) -> Vec<(&'static str, u16)> {
    let mut behind = columns.status + 1;
    let mut headings = vec![("status", columns.status.saturating_sub(6))];
    for (text, cells) in [
        ("counted", columns.progress),
        ("votes", columns.votes),
        ("points", columns.points),
        ("margin", columns.margin),
    ] {
        if cells > 0 {
            headings.push((text, behind));
            behind += cells + 1;
        }
    }
    headings
}

fn write_row(pen: &mut Pen<'_>, row: Rect, columns: &Columns, results: &Results, region: &RegionResult) {
    let palette = pen.palette;
    let plain = Style::new();
    let mut at = 0;
    let left = |pen: &mut Pen<'_>, at: &mut u16, cells: u16, text: &str, style: Style| {
        if cells > 0 {
            pen.put(Rect { width: (*at + cells).min(row.width), ..row }, *at, text, style);
            *at += cells + 1;
        }
    };
    left(pen, &mut at, columns.code, &clean(&region.code), palette.strong());
    left(pen, &mut at, columns.name, &clean(&region.name), plain);
    if columns.seats > 0 {
        pen.put_right(row, row.width.saturating_sub(at + 3), &region.seats.to_string(), plain);
        at += columns.seats + 1;
    }
    let (who, style) = leader(pen, results, region);
    // The leader takes what the columns to the right leave.
    let right_cells = right_headings(columns).last().map_or(0, |(_, behind)| *behind)
        + if columns.margin > 0 { columns.margin } else { columns.points };
    let room =
        row.width.saturating_sub(at + right_cells + 1).max(columns.leader.min(row.width.saturating_sub(at)));
    left(pen, &mut at, room, &who, style);
    let mut behind = columns.status + 1;
    let status = format!("{} {}", mark(region.status), region.status.name());
    let strong = matches!(region.status, RegionStatus::Decided | RegionStatus::Closed);
    let begin = row.width.saturating_sub(columns.status);
    pen.put(row, begin, &status, if strong { palette.strong() } else { plain });
    let done = region.expected.map_or_else(
        || "–".to_owned(),
        |expected| {
            let complete =
                region.closed || results.status == votestream_election::results::CountStatus::Complete;
            progress(region.counted, expected, complete)
        },
    );
    let has = region.leader.is_some();
    let points = margin(region).filter(|_| has).map(|part| format!("+{}", percent(part))).unwrap_or_default();
    let votes = if has { format!("+{}", grouped(region.margin_votes)) } else { String::new() };
    for (cells, text) in [
        (columns.progress, done),
        (columns.votes, grouped(region.counted)),
        (columns.points, points),
        (columns.margin, votes),
    ] {
        if cells > 0 {
            let column = Rect {
                x: row.right().saturating_sub(behind + cells).max(row.x),
                width: cells.min(row.width),
                ..row
            };
            pen.put_right(column, 0, &text, plain);
            behind += cells + 1;
        }
    }
}

/// Who leads, by party where there is one, in the candidate's colour.
fn leader(pen: &Pen<'_>, results: &Results, region: &RegionResult) -> (String, Style) {
    let Some(id) = &region.leader else {
        let text = if region.tied.is_empty() { "" } else { "tie" };
        return (text.to_owned(), Style::new());
    };
    match results.candidates.iter().find(|candidate| candidate.id == *id) {
        Some(candidate) => {
            let party = clean(&candidate.party);
            let text = if party.is_empty() { clean(&candidate.name) } else { party };
            (text, pen.palette.candidate(&candidate.colour))
        }
        None => (clean(id), Style::new()),
    }
}

/// A sign for a status, beside its word.
pub(super) fn mark(status: RegionStatus) -> &'static str {
    match status {
        RegionStatus::Waiting => "·",
        RegionStatus::Leading => "▒",
        RegionStatus::Tied => "=",
        RegionStatus::Decided | RegionStatus::Closed => "█",
    }
}

/// The closest open regions in one row.
pub(super) fn closest_line(pen: &mut Pen<'_>, row: Rect, state: &State) {
    let Some(results) = state.results.as_ref().filter(|results| !results.regions.is_empty()) else { return };
    let mut at = pen.put(row, 0, "closest:", pen.palette.quiet());
    let closest = state.closest();
    if closest.is_empty() {
        pen.put(row, at + 1, "none is open", pen.palette.quiet());
    }
    for region in closest {
        let (who, style) = leader(pen, results, region);
        let lead = margin(region).map(percent).unwrap_or_default();
        let text = format!("{} {} +{lead}", clean(&region.code), who);
        if usize::from(at) + 2 + width(&text) > usize::from(row.width) {
            break;
        }
        at = pen.put(row, at + 2, &text, style);
    }
}

/// The closest open regions, a row each.
pub(super) fn closest(pen: &mut Pen<'_>, mut area: Rect, state: &State) {
    let Some(results) = state.results.as_ref().filter(|results| !results.regions.is_empty()) else { return };
    let palette = pen.palette;
    pen.put(top(&mut area, 1), 0, "closest", palette.strong());
    let closest = state.closest();
    if closest.is_empty() {
        pen.put(area, 0, "no region is open", palette.quiet());
    }
    for region in closest.into_iter().take(usize::from(area.height)) {
        let row = top(&mut area, 1);
        let (who, style) = leader(pen, results, region);
        pen.put(Rect { width: 21, ..row }, 0, &clean(&region.name), Style::new());
        pen.put(Rect { width: 29, ..row }, 22, &who, style);
        let lead = margin(region).map(|part| format!("+{}", percent(part))).unwrap_or_default();
        pen.put_right(row, 0, &lead, Style::new());
    }
}
