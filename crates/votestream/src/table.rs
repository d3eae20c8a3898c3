//! Results as a table for people: candidates, then regions.

use crate::progress::grouped;
use crate::terminal::{clean, progress, width};
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
    writeln!(out, "{}{date}{simulated}", clean(&info.name))?;
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
    match results.withheld {
        0 => {}
        1 => writeln!(out, "1 region is withheld and in no number here")?,
        many => writeln!(out, "{many} regions are withheld and in no number here")?,
    }
    match results.ledger.pending {
        0 => {}
        1 => writeln!(out, "1 leaf of the ledger is counted and not hashed yet")?,
        many => writeln!(out, "{} leaves of the ledger are counted and not hashed yet", grouped(many))?,
    }
    write_candidates(out, results)?;
    if results.regions.is_empty() { Ok(()) } else { write_regions(out, results) }
}

fn write_candidates(out: &mut String, results: &Results) -> std::fmt::Result {
    let seats = results.election.seats_to_win.is_some();
    let names = widest(results.candidates.iter().map(|c| c.name.as_str()), "candidate");
    let parties = widest(results.candidates.iter().map(|c| c.party.as_str()), "party");
    writeln!(
        out,
        "\n{}  {}  {:>13}  {:>7}{}",
        padded("candidate", names),
        padded("party", parties),
        "votes",
        "share",
        if seats { "  seats decided + leading" } else { "" }
    )?;
    for candidate in &results.candidates {
        write!(
            out,
            "{}  {}  {:>13}  {:>6.2} %",
            padded(&candidate.name, names),
            padded(&candidate.party, parties),
            grouped(candidate.votes),
            candidate.share * 100.0
        )?;
        if seats {
            write!(out, "  {:>5} + {}", candidate.seats.decided, candidate.seats.leading)?;
        }
        writeln!(out)?;
    }
    if !results.tied.is_empty() {
        let name = |id: &String| results.candidates.iter().find(|c| c.id == *id).map(|c| clean(&c.name));
        let names: Vec<String> = results.tied.iter().filter_map(name).collect();
        writeln!(out, "tied for most votes: {}", names.join(", "))?;
    }
    if let Some(needed) = results.election.seats_to_win {
        let winner = results.winner.as_deref().and_then(|id| results.candidates.iter().find(|c| c.id == id));
        match winner {
            Some(winner) => {
                writeln!(out, "{needed} seats win: {} has {}", clean(&winner.name), winner.seats.decided)?;
            }
            None => writeln!(out, "{needed} seats win: nobody has them yet")?,
        }
    }
    Ok(())
}

fn write_regions(out: &mut String, results: &Results) -> std::fmt::Result {
    let codes = widest(results.regions.iter().map(|r| r.code.as_str()), "code");
    let names = widest(results.regions.iter().map(|r| r.name.as_str()), "region");
    writeln!(
        out,
        "\n{}  {}  {:>5}  {:>12}  {:>7}  {:8}  leader",
        padded("code", codes),
        padded("region", names),
        "seats",
        "counted",
        "of exp.",
        "status"
    )?;
    for region in &results.regions {
        let complete = region.closed || results.status == CountStatus::Complete;
        let part = region
            .expected
            .filter(|e| *e > 0)
            .map_or_else(String::new, |e| progress(region.counted, e, complete));
        let leader = match (&region.leader, region.tied.is_empty()) {
            (Some(id), _) => format!("{id} +{}", grouped(region.margin_votes)),
            (None, false) => format!("tie: {}", region.tied.join(", ")),
            (None, true) => String::new(),
        };
        writeln!(
            out,
            "{}  {}  {:>5}  {:>12}  {part:>7}  {:8}  {leader}",
            padded(&region.code, codes),
            padded(&region.name, names),
            region.seats,
            grouped(region.counted),
            region.status.name()
        )?;
    }
    Ok(())
}

/// Cells of a column with this heading.
fn widest<'a>(texts: impl Iterator<Item = &'a str>, heading: &str) -> usize {
    texts.map(|text| width(&clean(text))).max().unwrap_or(0).max(width(heading))
}

/// As it may be shown, padded to so many cells.
fn padded(text: &str, cells: usize) -> String {
    let mut text = clean(text);
    text.extend(std::iter::repeat_n(' ', cells.saturating_sub(width(&text))));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn table(candidates: &[(&str, u64)], regions: &[(&str, u64, u64)], extra: &serde_json::Value) -> String {
        let candidates: Vec<_> = candidates
            .iter()
            .map(|(name, votes)| {
                json!({"id": name, "name": name, "party": "", "votes": votes, "share": 0.5,
                       "seats": {"leading": 0, "decided": 0}})
            })
            .collect();
        let regions: Vec<_> = regions
            .iter()
            .map(|(name, counted, expected)| {
                json!({"code": "N", "name": name, "seats": 1, "counted": counted, "expected": expected,
                       "status": "leading", "leader": null, "margin_votes": 0, "votes": {}})
            })
            .collect();
        let mut results = json!({
            "election": {"id": "town", "name": "Town\u{1b}[2J", "date": null, "simulated": false},
            "sequence": 1, "as_of": null, "status": "counting", "records": 4, "counted": 4, "duplicate": 0, "rejected": 0,
            "expected": null, "candidates": candidates, "regions": regions,
            "ledger": {"leaves": 0, "records": 0, "digest": ""}
        });
        results.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        super::results(&serde_json::from_value(results).unwrap())
    }

    #[test]
    fn names_neither_command_the_terminal_nor_turn_or_shift_a_line() {
        let text = table(&[("\u{202e}evil", 1), ("李小龍", 1)], &[("東\u{7}", 1, 2)], &json!({}));
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{text:?}");
        let end_of_votes = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            width(&line[..line.find("50.00").unwrap()])
        };
        assert_eq!(end_of_votes("evil"), end_of_votes("李小龍"));
    }

    #[test]
    fn all_is_said_of_all_alone_and_ties_and_what_is_withheld_are_named() {
        let text = table(
            &[("Ada", 2), ("Bo", 2)],
            &[("North", 99_999, 100_000)],
            &json!({"tied": ["Ada", "Bo"], "withheld": 2}),
        );
        assert!(text.contains("99.9 %") && !text.contains("100.0 %"), "{text}");
        assert!(text.contains("\ntied for most votes: Ada, Bo\n"), "{text}");
        assert!(text.contains("\n2 regions are withheld and in no number here\n"), "{text}");
    }
}
