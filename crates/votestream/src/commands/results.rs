//! `results`: what the store holds, for people, programs and spreadsheets.

use crate::args::{Results as Args, ResultsFormat};
use crate::{Outcome, contest, table};
use anyhow::{Context, Result, bail};
use std::io::Write;
use votestream_election::results::regions::RegionDetail;
use votestream_election::results::{Results, csv};
use votestream_election::{Election, Millis, Minute};
use votestream_store::{ReaderStore, StoreUrl};

/// Runs the command.
pub fn run(args: &Args) -> Result<Outcome> {
    let url: StoreUrl = args.store.parse()?;
    let store = ReaderStore::open(&url)?;
    let election = contest::stored(&args.election, &store)?;
    let snapshot = match args.at.as_deref().map(minute).transpose()? {
        None => store.snapshot(&election.id)?,
        Some(at) => store.snapshot_at(&election.id, at)?,
    };
    let mut results = Results::of(&election, &snapshot);
    let mut out = std::io::stdout().lock();
    if let Some(code) = &args.region {
        let detail = region(&election, &results, code)?;
        if args.format == ResultsFormat::Json {
            writeln!(out, "{}", serde_json::to_string_pretty(&detail)?)?;
            return Ok(Outcome::Done);
        }
        results.regions.retain(|r| r.code.eq_ignore_ascii_case(code));
    }
    match args.format {
        ResultsFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&results)?)?,
        ResultsFormat::Csv => out.write_all(csv::results(&results).as_bytes())?,
        ResultsFormat::Table => out.write_all(table::results(&results).as_bytes())?,
    }
    Ok(Outcome::Done)
}

fn region(election: &Election, results: &Results, code: &str) -> Result<RegionDetail> {
    if let Some(detail) = RegionDetail::of(election, results, code) {
        return Ok(detail);
    }
    let codes: Vec<_> = results.regions.iter().map(|r| r.code.as_str()).collect();
    bail!("no public region '{code}' in election '{}'; there are: {}", election.id, codes.join(", "))
}

/// Reads a past moment.
fn minute(text: &str) -> Result<Minute> {
    let moment: jiff::Timestamp =
        text.parse().with_context(|| format!("'{text}' is not a time such as 2024-11-06T02:30:00Z"))?;
    Ok(Millis(moment.as_millisecond()).minute())
}
