//! Results as comma-separated values (RFC 4180, UTF-8, a header, CRLF): one row a region, or one a candidate.

use super::types::Results;
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
