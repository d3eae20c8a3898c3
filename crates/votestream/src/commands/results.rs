//! `results`: what the store holds, for people, programs, spreadsheets, other offices, and as a page that survives the server.

mod bundle;

mod page;

use crate::args::{Results as Args, ResultsFormat};
use crate::{Outcome, contest, table};
use anyhow::{Context, Result, bail};
use std::io::Write;
use votestream_election::results::nist::ElectionReport;
use votestream_election::results::regions::RegionDetail;
use votestream_election::results::{Results, csv};
use votestream_election::{Election, Millis, Minute};
use votestream_store::{ReaderStore, StoreUrl};

/// Runs the command.
pub fn run(args: &Args) -> Result<Outcome> {
    let url: StoreUrl = args.store.parse()?;
    let store = ReaderStore::open(&url)?;
    let election = contest::stored(&args.election, &store)?;
    let at = args.at.as_deref().map(minute).transpose()?;
    if args.format == ResultsFormat::Html {
        if args.region.is_some() {
            bail!("--region does not go with --format html: the page holds every region, to be chosen there");
        }
        page::write(&store, &election, at, created(&store, &election)?)?;
        return Ok(Outcome::Done);
    }
    if args.format == ResultsFormat::Bundle {
        if args.region.is_some() || args.at.is_some() {
            bail!("--region and --at do not go with --format bundle: it holds the whole ledger as it is now");
        }
        bundle::write(&store, &election, &args.signing)?;
        return Ok(Outcome::Done);
    }
    if args.signing.key.is_some() {
        bail!("--key goes with --format bundle: nothing else is signed");
    }
    let snapshot = match at {
        None => store.snapshot(&election.id)?,
        Some(at) => store.snapshot_at(&election.id, at)?,
    };
    let mut results = Results::of(&election, &snapshot);
    let detail = args.region.as_deref().map(|code| region(&election, &results, code)).transpose()?;
    let mut out = std::io::stdout().lock();
    if args.format == ResultsFormat::Nist {
        let only = detail.as_ref().map(|detail| &detail.region);
        let report = ElectionReport::of(&election, &results, only, created(&store, &election)?);
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
        return Ok(Outcome::Done);
    }
    if let Some(detail) = &detail {
        if args.format == ResultsFormat::Json {
            writeln!(out, "{}", serde_json::to_string_pretty(detail)?)?;
            return Ok(Outcome::Done);
        }
        results.regions.retain(|r| r.code == detail.region.code);
    }
    match args.format {
        ResultsFormat::Csv => out.write_all(csv::results(&results).as_bytes())?,
        ResultsFormat::Table => out.write_all(table::results(&results).as_bytes())?,
        _ => writeln!(out, "{}", serde_json::to_string_pretty(&results)?)?,
    }
    Ok(Outcome::Done)
}

/// When the election was created in its store.
fn created(store: &ReaderStore, election: &Election) -> Result<Millis> {
    let head = store.elections()?.into_iter().find(|head| head.id == election.id);
    head.map(|head| head.created)
        .with_context(|| format!("election '{}' has just left the store", election.id))
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
