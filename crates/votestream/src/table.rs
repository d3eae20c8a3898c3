//! Results as a table for people: candidates, then regions.

use crate::progress::grouped;
use std::fmt::Write;
use votestream_election::results::{CountStatus, Results};

/// The whole table, ending with a line end.
pub fn results(results: &Results) -> String {
    let mut text = String::new();
    let written = write_results(&mut text, results);
    debug_assert!(written.is_ok(), "writing to a string cannot fail");
    text
}

fn write_results(out: &mut String, results: &Results) -> std::fmt::Result {
    let info = &results.election;
    let simulated = if info.simulated { " · simulated" } else { "" };
    let date = info.date.as_deref().map(|d| format!(" · {d}")).unwrap_or_default();
    writeln!(out, "{}{date}{simulated}", info.name)?;
    let status = match results.status {
        CountStatus::Waiting => "waiting for votes",
        CountStatus::Counting => "counting",
        CountStatus::Complete => "count complete",
    };
    let of = results.expected.map(|e| format!(" of {} expected", grouped(e))).unwrap_or_default();
    writeln!(
        out,
        "{status}: {} votes{of}, {} duplicate, {} rejected",
        grouped(results.counted),
        grouped(results.duplicate),
        grouped(results.rejected)
    )?;
    if let Some(at) = &results.at {
        writeln!(out, "as it was at {at}")?;
    }
    let seats = info.seats_to_win.is_some();
    let width = results.candidates.iter().map(|c| c.name.chars().count()).max().unwrap_or(0).max(9);
    writeln!(
        out,
        "\n{:width$}  {:5}  {:>13}  {:>7}{}",
        "candidate",
        "party",
        "votes",
        "share",
        if seats { "  seats decided + leading" } else { "" }
    )?;
    for candidate in &results.candidates {
        write!(
            out,
            "{}  {:5}  {:>13}  {:>6.2} %",
            padded(&candidate.name, width),
            candidate.party,
            grouped(candidate.votes),
            candidate.share * 100.0
        )?;
        if seats {
            write!(out, "  {:>5} + {}", candidate.seats.decided, candidate.seats.leading)?;
        }
        writeln!(out)?;
    }
    if let Some(needed) = info.seats_to_win {
        let winner = results.winner.as_deref().and_then(|id| results.candidates.iter().find(|c| c.id == id));
        match winner {
            Some(winner) => {
                writeln!(out, "{needed} seats win: {} has {}", winner.name, winner.seats.decided)?;
            }
            None => writeln!(out, "{needed} seats win: nobody has them yet")?,
        }
    }
    if results.regions.is_empty() {
        return Ok(());
    }
    let width = results.regions.iter().map(|r| r.name.chars().count()).max().unwrap_or(0).max(6);
    writeln!(
        out,
        "\n{:4}  {:width$}  {:>5}  {:>12}  {:>7}  {:8}  leader",
        "code", "region", "seats", "counted", "of exp.", "status"
    )?;
    for region in &results.regions {
        let part = region
            .expected
            .filter(|e| *e > 0)
            .map_or_else(String::new, |e| format!("{:.1} %", region.counted as f64 / e as f64 * 100.0));
        let leader = match (&region.leader, region.tied.is_empty()) {
            (Some(id), _) => format!("{id} +{}", grouped(region.margin_votes)),
            (None, false) => format!("tie: {}", region.tied.join(", ")),
            (None, true) => String::new(),
        };
        writeln!(
            out,
            "{:4}  {}  {:>5}  {:>12}  {part:>7}  {:8}  {leader}",
            region.code,
            padded(&region.name, width),
            region.seats,
            grouped(region.counted),
            region.status.name()
        )?;
    }
    Ok(())
}

/// Padded by characters rather than bytes.
fn padded(text: &str, width: usize) -> String {
    let mut text = text.to_owned();
    text.extend(std::iter::repeat_n(' ', width.saturating_sub(text.chars().count())));
    text
}
