//! The whole election: who leads and by how much, the seats with the line that wins, the candidates.

use super::super::palette::Palette;
use super::pen::Pen;
use super::top;
use crate::progress::grouped;
use crate::terminal::{clean, cut, percent, progress, width};
use ratatui::layout::Rect;
use votestream_election::results::{CandidateResult, CountStatus, Results};

/// Two rows: who leads; how much is counted.
pub(super) fn leader(pen: &mut Pen<'_>, mut area: Rect, results: &Results) {
    let first = top(&mut area, 1);
    headline(pen, first, results);
    let mut text = format!("{} votes", grouped(results.counted));
    if let Some(expected) = results.expected {
        let complete = results.status == CountStatus::Complete;
        let long = if results.counted > expected {
            format!(" · {} above the {} expected", grouped(results.counted - expected), grouped(expected))
        } else {
            format!(" · {} of {} expected", progress(results.counted, expected, complete), grouped(expected))
        };
        let short = match progress(results.counted, expected, complete).as_str() {
            "over" => " · above expected".to_owned(),
            part => format!(" · {part} of expected"),
        };
        let fits = width(&text) + width(&long) <= usize::from(area.width);
        text.push_str(if fits { &long } else { &short });
    }
    if results.withheld > 0 {
        text = format!("{text} · {} regions withheld", results.withheld);
    }
    pen.put(area, 0, &text, pen.palette.quiet());
}

fn headline(pen: &mut Pen<'_>, row: Rect, results: &Results) {
    let palette = pen.palette;
    let by_id = |id: &String| results.candidates.iter().find(|candidate| candidate.id == *id);
    let Some(first) = results.leader.as_ref().and_then(by_id) else {
        let tied: Vec<String> = results.tied.iter().filter_map(by_id).map(|c| clean(&c.name)).collect();
        let votes = results.candidates.first().map_or(0, |candidate| candidate.votes);
        let text = if tied.is_empty() {
            "no votes yet".to_owned()
        } else {
            format!("tie at {}: {}", grouped(votes), tied.join(", "))
        };
        pen.put(row, 0, &text, palette.strong());
        return;
    };
    let says = match &results.winner {
        Some(winner) if *winner == first.id => "wins",
        _ => "leads",
    };
    let points =
        if results.counted == 0 { 0.0 } else { results.margin_votes as f64 / results.counted as f64 * 100.0 };
    let margin = grouped(results.margin_votes);
    let texts = [
        format!(
            " {says} · {} · {} votes · ahead by {margin} ({points:.2} points)",
            percent(first.share),
            grouped(first.votes)
        ),
        format!(" {says} · {} · +{margin} ({points:.2} pt)", percent(first.share)),
        format!(" {} +{margin}", percent(first.share)),
    ];
    let name = named(first);
    let room = usize::from(row.width);
    // The first that leaves the name whole, else the shortest.
    let text = texts.iter().find(|text| width(&name) + width(text) <= room).unwrap_or(&texts[2]);
    let name = cut(&name, room.saturating_sub(width(text)));
    let end = pen.put(row, 0, &name, palette.candidate(&first.colour).patch(palette.strong()));
    let end = pen.put(row, end, text, palette.strong());
    // Votes and seats may say different things.
    if let Some(winner) = results.winner.as_ref().and_then(by_id).filter(|winner| winner.id != first.id) {
        pen.put(row, end, &format!(" · {} wins", named(winner)), palette.strong());
    }
}

/// Name and party.
fn named(candidate: &CandidateResult) -> String {
    let party = clean(&candidate.party);
    if party.is_empty() { clean(&candidate.name) } else { format!("{} ({party})", clean(&candidate.name)) }
}

/// Seats of all regions: first from the left, second from the right, others beside the first, nobody's between. Three rows with
/// labels and the line that wins, or one without.
pub(super) fn seats(pen: &mut Pen<'_>, mut area: Rect, results: &Results) {
    let palette = pen.palette;
    let shown = results.regions.iter().map(|region| u64::from(region.seats)).sum();
    // An older server does not say how many there are with those that are withheld.
    let all: u64 = results.election.seats.map_or(shown, u64::from);
    let needed = u64::from(results.election.seats_to_win.unwrap_or(0));
    let mut ranked: Vec<&CandidateResult> = results.candidates.iter().collect();
    ranked.sort_by_key(|c| std::cmp::Reverse((c.seats.decided + c.seats.leading, c.seats.decided)));
    let labels: Vec<(String, _)> = (0..)
        .zip(&ranked)
        .take(2)
        .map(|(rank, c)| (label(palette, rank, c), palette.candidate(&c.colour)))
        .collect();
    let tall = area.height >= 3;
    let row = top(&mut area, 1);
    let (bar, mark) = if tall {
        let half = Rect { width: row.width / 2, ..row };
        if let Some((text, style)) = labels.first() {
            pen.put(half, 0, text, style.patch(palette.strong()));
        }
        if let Some((text, style)) = labels.get(1) {
            let right = Rect { x: row.x + row.width / 2 + 1, width: row.width - row.width / 2 - 1, ..row };
            pen.put_right(right, 0, text, style.patch(palette.strong()));
        }
        (top(&mut area, 1), Some(top(&mut area, 1)))
    } else {
        let total =
            |rank: usize| ranked.get(rank).map_or(0, |c| c.seats.decided + c.seats.leading).to_string();
        let (left, right) = (total(0), total(1));
        pen.put(row, 0, &left, palette.strong());
        pen.put_right(row, 0, &right, palette.strong());
        let (left, right) = (left.len() as u16 + 1, right.len() as u16 + 1);
        (Rect { x: row.x + left, width: row.width.saturating_sub(left + right), ..row }, None)
    };
    if all == 0 || bar.width == 0 {
        return;
    }
    let cells = |seats: u64| (seats as f64 / all as f64 * f64::from(bar.width)).round() as u16;
    pen.fill(bar, "·", palette.quiet());
    let (mut from, mut sum) = (0, 0);
    for (rank, candidate) in ranked.iter().enumerate().filter(|(rank, _)| *rank != 1) {
        let glyphs = palette.seats(rank);
        for (seats, glyph) in
            [(candidate.seats.decided, glyphs.decided), (candidate.seats.leading, glyphs.leading)]
        {
            sum += seats;
            let to = cells(sum).min(bar.width);
            pen.fill(
                Rect { x: bar.x + from, width: to.saturating_sub(from), ..bar },
                glyph,
                palette.candidate(&candidate.colour),
            );
            from = to.max(from);
        }
    }
    if let Some(second) = ranked.get(1) {
        let glyphs = palette.seats(1);
        let (mut to, mut sum) = (bar.width, 0);
        for (seats, glyph) in [(second.seats.decided, glyphs.decided), (second.seats.leading, glyphs.leading)]
        {
            sum += seats;
            let begin = bar.width - cells(sum).min(bar.width);
            pen.fill(
                Rect { x: bar.x + begin, width: to.saturating_sub(begin), ..bar },
                glyph,
                palette.candidate(&second.colour),
            );
            to = begin.min(to);
        }
    }
    if let Some(mark) = mark.filter(|_| needed <= all) {
        let at = cells(needed).min(mark.width.saturating_sub(1));
        let text = format!("▲ {needed} of {all} win");
        if usize::from(at) + width(&text) <= usize::from(mark.width) {
            pen.put(mark, at, &text, palette.strong());
        } else {
            pen.put_right(mark, mark.width - at - 1, &format!("{needed} of {all} win ▲"), palette.strong());
        }
    }
}

/// A candidate's seats with the glyphs of the bar, so that they explain it.
fn label(palette: Palette, rank: usize, candidate: &CandidateResult) -> String {
    let glyphs = palette.seats(rank);
    format!(
        "{} {} {} decided {} {} leading",
        cut(&clean(&candidate.name), 16),
        glyphs.decided,
        candidate.seats.decided,
        glyphs.leading,
        candidate.seats.leading
    )
}

/// Rows for the candidates where so many are free; regions keep most of them.
pub(super) fn rows_for(results: &Results, free: u16) -> u16 {
    let wanted = u16::try_from(results.candidates.len()).unwrap_or(u16::MAX);
    let most = if results.regions.is_empty() { free } else { (free / 3).max(2) };
    wanted.min(most).min(free)
}

/// A row a candidate: name, party, votes, share, bar. The last tells how many are not shown.
pub(super) fn candidates(pen: &mut Pen<'_>, mut area: Rect, results: &Results) {
    let palette = pen.palette;
    let all = results.candidates.len();
    let shown = if all > usize::from(area.height) { usize::from(area.height).saturating_sub(1) } else { all };
    let name_cells = results.candidates.iter().map(|c| width(&clean(&c.name))).max().unwrap_or(0);
    let name_cells = name_cells.clamp(6, usize::from(area.width / 3).clamp(6, 32)) as u16;
    let votes_cells = grouped(results.counted).len().max(5) as u16;
    let party_cells = if area.width >= 60 { 7 } else { 4 };
    for candidate in results.candidates.iter().take(shown) {
        let row = top(&mut area, 1);
        let style = palette.candidate(&candidate.colour);
        pen.put(Rect { width: name_cells, ..row }, 0, &clean(&candidate.name), style.patch(palette.strong()));
        let mut at = name_cells + 1;
        pen.put(Rect { width: at + party_cells - 1, ..row }, at, &clean(&candidate.party), style);
        at += party_cells;
        pen.put_right(
            row,
            row.width.saturating_sub(at + votes_cells),
            &grouped(candidate.votes),
            palette.strong(),
        );
        at += votes_cells + 1;
        let share = percent(candidate.share);
        pen.put_right(row, row.width.saturating_sub(at + 6), &share, palette.strong());
        at += 7;
        let bar = Rect { x: row.x + at.min(row.width), width: row.width.saturating_sub(at), ..row };
        if bar.width >= 4 {
            pen.bar(bar, candidate.share, style);
        }
    }
    if shown < all {
        let rest: u64 = results.candidates.iter().skip(shown).map(|candidate| candidate.votes).sum();
        let text = format!("and {} more with {} votes", all - shown, grouped(rest));
        pen.put(area, 0, &text, palette.quiet());
    }
}
