//! Results as comma-separated values (RFC 4180, UTF-8, a header, CRLF): one row a region, or one a candidate.

use super::types::{CandidateResult, Results, share};
use std::fmt::Write;

/// By region where there are regions, else by candidate.
pub fn results(results: &Results) -> String {
    // Withheld regions leave a table of regions without rows, not a table of candidates.
    let by_candidate =
        results.regions.is_empty() && results.election.seats_to_win.is_none() && results.withheld == 0;
    if by_candidate { candidates(results) } else { regions(results) }
}

/// One row a region: `code,name,seats,status,counted,expected,leader,margin_votes` and a column of votes for each candidate's id, in the
/// definition's order (of the ranking, where no region is public). An unknown number is an empty field.
pub fn regions(results: &Results) -> String {
    let ids: Vec<&str> = match results.regions.first() {
        Some(region) => region.votes.0.iter().map(|(id, _)| id.as_str()).collect(),
        None => results.candidates.iter().map(|c| c.id.as_str()).collect(),
    };
    let mut csv = String::from("code,name,seats,status,counted,expected,leader,margin_votes");
    for id in &ids {
        csv.push(',');
        text(&mut csv, id);
    }
    csv.push_str("\r\n");
    for region in &results.regions {
        text(&mut csv, &region.code);
        csv.push(',');
        text(&mut csv, &region.name);
        let _ = write!(csv, ",{},{},{},", region.seats, region.status.name(), region.counted);
        if let Some(expected) = region.expected {
            let _ = write!(csv, "{expected}");
        }
        csv.push(',');
        text(&mut csv, region.leader.as_deref().unwrap_or_default());
        let _ = write!(csv, ",{}", region.margin_votes);
        for (_, votes) in &region.votes.0 {
            let _ = write!(csv, ",{votes}");
        }
        csv.push_str("\r\n");
    }
    csv
}

/// One row a candidate, ranked: `rank,id,name,party,votes,share,seats_leading,seats_decided`.
pub fn candidates(results: &Results) -> String {
    let mut csv = String::from("rank,id,name,party,votes,share,seats_leading,seats_decided\r\n");
    for (rank, candidate) in (1..).zip(&results.candidates) {
        let _ = write!(csv, "{rank},");
        text(&mut csv, &candidate.id);
        csv.push(',');
        text(&mut csv, &candidate.name);
        csv.push(',');
        text(&mut csv, &candidate.party);
        let seats = &candidate.seats;
        let _ =
            write!(csv, ",{},{},{},{}\r\n", candidate.votes, candidate.share, seats.leading, seats.decided);
    }
    csv
}

/// For graphics systems, one row a candidate: of the whole election, ranked, with an empty `region` and the status of the count; then of
/// each public region, in the definition's order. `leader` is a candidate's id, and empty in a tie.
pub fn live(results: &Results) -> String {
    let mut csv = String::from(LIVE_HEADER);
    csv.push_str("\r\n");
    let state = format!("{},{}", results.sequence, results.as_of.as_deref().unwrap_or_default());
    let start = format!("{state},,,{}", results.status.name());
    let end = standing(results.leader.as_deref(), results.margin_votes, results.counted, results.expected);
    for candidate in &results.candidates {
        live_row(&mut csv, &start, candidate, (candidate.votes, candidate.share), &end);
    }
    for region in &results.regions {
        let mut start = format!("{state},");
        text(&mut start, &region.code);
        start.push(',');
        text(&mut start, &region.name);
        let _ = write!(start, ",{}", region.status.name());
        let end = standing(region.leader.as_deref(), region.margin_votes, region.counted, region.expected);
        for (id, votes) in &region.votes.0 {
            if let Some(candidate) = results.candidates.iter().find(|candidate| candidate.id == *id) {
                live_row(&mut csv, &start, candidate, (*votes, share(*votes, region.counted)), &end);
            }
        }
    }
    csv
}

/// The columns of [`live`].
pub const LIVE_HEADER: &str = "sequence,as_of,region,region_name,status,candidate,candidate_name,party,votes,share,leader,margin_votes,counted,expected";

/// What all rows of one region end with.
fn standing(leader: Option<&str>, margin_votes: u64, counted: u64, expected: Option<u64>) -> String {
    let mut end = String::new();
    text(&mut end, leader.unwrap_or_default());
    let _ = write!(end, ",{margin_votes},{counted},");
    if let Some(expected) = expected {
        let _ = write!(end, "{expected}");
    }
    end
}

fn live_row(
    csv: &mut String,
    start: &str,
    candidate: &CandidateResult,
    (votes, share): (u64, f64),
    end: &str,
) {
    csv.push_str(start);
    for field in [&candidate.id, &candidate.name, &candidate.party] {
        csv.push(',');
        text(csv, field);
    }
    let _ = write!(csv, ",{votes},{share},{end}\r\n");
}

/// A field, quoted where it must be. A text that a spreadsheet would take for a formula gets an apostrophe before it.
fn text(csv: &mut String, field: &str) {
    let formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let quoted = field.contains([',', '"', '\r', '\n']);
    if quoted {
        csv.push('"');
    }
    if formula {
        csv.push('\'');
    }
    for c in field.chars() {
        if c == '"' {
            csv.push('"');
        }
        csv.push(c);
    }
    if quoted {
        csv.push('"');
    }
}
