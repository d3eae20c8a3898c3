//! The whole picture, from a state and a moment: which part goes where at which size. Pure: the same state is the same picture.

mod engine;

mod nation;

mod pen;

mod popup;

mod regions;

#[cfg(test)]
mod tests;

use super::palette::Palette;
use super::state::State;
use crate::terminal::{ago, clean};
use pen::Pen;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use votestream_election::Millis;
use votestream_election::results::{CountStatus, Results};

/// Smallest terminal that shows all parts.
const SMALLEST: (u16, u16) = (40, 12);
/// From this width the closest regions and the engine's health stand beside the regions.
const WIDE: u16 = 110;
/// Width of what stands beside them.
const SIDE: u16 = 40;

/// Draws the state into the whole of a buffer.
pub fn draw(buffer: &mut Buffer, state: &State, now: Millis, palette: Palette) {
    let area = buffer.area;
    let mut pen = Pen { buffer, palette };
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        too_small(&mut pen, area, state);
        return;
    }
    let mut left = area;
    let keys = bottom(&mut left);
    title(&mut pen, top(&mut left, 1), state, now);
    if let Some(text) = state.banner(now) {
        let row = top(&mut left, 1);
        pen.fill(row, " ", palette.alarm());
        pen.put(row, 0, &format!(" {}", clean(&text)), palette.alarm());
    }
    footer(&mut pen, keys, state);
    let Some(results) = &state.results else {
        pen.put(left, 0, "no results yet: waiting for the first snapshot", palette.quiet());
        return;
    };
    let roomy = area.height >= 20;
    nation::leader(&mut pen, top(&mut left, 2), results);
    if roomy {
        top(&mut left, 1);
    }
    if results.election.seats_to_win.is_some() {
        nation::seats(&mut pen, top(&mut left, if roomy { 3 } else { 1 }), results);
    }
    let wide = area.width >= WIDE && roomy;
    let bottom_rows = if wide { 0 } else { 1 + u16::from(roomy) * 2 };
    // The candidates leave room for what stands below them, and for the empty row between.
    let room = left.height.saturating_sub(bottom_rows + u16::from(roomy));
    let rows = nation::rows_for(results, room);
    nation::candidates(&mut pen, top(&mut left, rows), results);
    if roomy {
        top(&mut left, 1);
    }
    if wide {
        let side = Rect { x: left.right() - SIDE, width: SIDE, ..left };
        left.width -= SIDE + 2;
        beside(&mut pen, side, state, now);
    } else {
        let bottom_rows = bottom_rows.min(left.height);
        let mut below = Rect { y: left.bottom() - bottom_rows, height: bottom_rows, ..left };
        left.height -= bottom_rows;
        if roomy {
            regions::closest_line(&mut pen, top(&mut below, 1), state);
        }
        engine::line(&mut pen, top(&mut below, 1), state, now);
        if roomy {
            engine::ledger_line(&mut pen, top(&mut below, 1), results);
        }
    }
    regions::table(&mut pen, left, state);
    if state.detail {
        popup::detail(&mut pen, area, state);
    }
    if state.help {
        popup::help(&mut pen, area);
    }
}

fn beside(pen: &mut Pen<'_>, mut side: Rect, state: &State, now: Millis) {
    let health = engine::lines(state, now);
    let height = (health.len() as u16 + 2).min(side.height / 2);
    // Heading, two halves of the digest, and how to check it.
    let rest = side.height.saturating_sub(height + 4);
    let closest = top(&mut side, rest);
    regions::closest(pen, closest, state);
    engine::panel(pen, top(&mut side, height), &health);
    if let Some(results) = &state.results {
        engine::ledger(pen, side, results);
    }
}

/// Takes rows off the top.
fn top(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    let taken = Rect { height: rows, ..*area };
    area.y += rows;
    area.height -= rows;
    taken
}

/// Takes the last row.
fn bottom(area: &mut Rect) -> Rect {
    area.height -= 1;
    Rect { y: area.bottom(), height: 1, ..*area }
}

/// Name, tag, status, age.
fn title(pen: &mut Pen<'_>, row: Rect, state: &State, now: Millis) {
    let palette = pen.palette;
    let Some(results) = &state.results else {
        pen.put(row, 0, "votestream top", palette.strong());
        return;
    };
    let age = state.age_ms(now).map(|age| format!("{} ago", ago((age / 1_000) as u64)));
    let mut right = status_text(results).to_owned();
    if let Some(age) = age {
        right = format!("{right} · {age}");
    }
    if state.paused {
        right = format!("PAUSED, {} waiting · {}", state.waiting, right);
    }
    let tag = if results.election.simulated { " SIMULATED " } else { "" };
    let mut room = row.width;
    room = room.saturating_sub(pen.put_right(row, 0, &right, palette.strong()) + 1);
    room = room.saturating_sub(tag.chars().count() as u16 + 1);
    let name = clean(&results.election.name);
    let date = results.election.date.as_ref().map(|date| format!(" · {}", clean(date))).unwrap_or_default();
    let both = format!("{name}{date}");
    let text = if crate::terminal::width(&both) <= usize::from(room) { both } else { name };
    let end = pen.put(Rect { width: room, ..row }, 0, &text, palette.strong());
    if !tag.is_empty() {
        pen.put(row, end + 1, tag, palette.chosen());
    }
}

fn status_text(results: &Results) -> &'static str {
    match results.status {
        CountStatus::Waiting => "waiting for votes",
        CountStatus::Counting => "counting",
        CountStatus::Complete => "count complete",
    }
}

/// The keys, or what is typed.
fn footer(pen: &mut Pen<'_>, row: Rect, state: &State) {
    let (text, style) = if state.searching {
        (format!("search: {}▏  Enter keeps, Esc clears", state.search), pen.palette.strong())
    } else if row.width < 70 {
        ("q quit  ↑↓  ⏎  s sort  / search  ? help".to_owned(), pen.palette.quiet())
    } else {
        let keys = "q quit  ? help  ↑↓ choose  Enter details  s sort  r reverse  / search  p pause";
        (keys.to_owned(), pen.palette.quiet())
    };
    pen.put(row, 0, &text, style);
}

/// What still fits.
fn too_small(pen: &mut Pen<'_>, area: Rect, state: &State) {
    let (mut left, palette) = (area, pen.palette);
    let (width, height) = SMALLEST;
    pen.put(
        top(&mut left, 1),
        0,
        &format!("needs {width} × {height}, has {} × {}", area.width, area.height),
        palette.strong(),
    );
    if let Some(results) = &state.results {
        nation::leader(pen, top(&mut left, 2), results);
    }
}
