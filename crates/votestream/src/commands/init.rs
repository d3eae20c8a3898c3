//! `init`: a commented election definition, or one drafted from real records.

use crate::Outcome;
use crate::args::Init;
use crate::commands::dir_log;
use anyhow::{Context, Result, bail};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use votestream_election::definition::{PRESETS, example_toml, sample};
use votestream_election::{Election, Offset, PartitionId};
use votestream_log::LogReader;

/// Records looked at for a draft.
const SAMPLE_MAX: usize = 100_000;
/// Longest record looked at.
const SAMPLE_RECORD_BYTES_MAX: u64 = 65_537;

/// Runs the command.
pub fn run(args: &Init) -> Result<Outcome> {
    let text = match &args.sample {
        Some(from) => {
            let records = sample_records(from)?;
            if records.is_empty() {
                bail!("'{from}' holds no records to draft a definition from");
            }
            let (election, text) = sample::draft(records.iter().map(Vec::as_slice))
                .with_context(|| format!("cannot draft a definition from '{from}'"))?;
            tracing::info!(
                "drafted from {} records: {} candidates, {} regions; look it over before you count with it",
                records.len(),
                election.candidates.len(),
                election.regions.len()
            );
            text
        }
        None => match Election::preset(&args.election) {
            Some(preset) => example_toml(&preset),
            None => bail!("no preset '{}'; there are: {}", args.election, PRESETS.join(", ")),
        },
    };
    let Some(path) = args.file.as_deref().filter(|p| p.as_os_str() != "-") else {
        std::io::stdout().write_all(text.as_bytes())?;
        return Ok(Outcome::Done);
    };
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| {
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            anyhow::anyhow!("'{}' exists already; choose another name, or remove it first", path.display())
        } else {
            anyhow::Error::new(error).context(format!("cannot write '{}'", path.display()))
        }
    })?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write '{}'", path.display()))?;
    tracing::info!("written to '{}'; use it with --election {}", path.display(), path.display());
    Ok(Outcome::Done)
}

/// The first records of a file, of standard input or of a log.
fn sample_records(from: &str) -> Result<Vec<Vec<u8>>> {
    if from.starts_with("dir:") || from.starts_with("kafka://") {
        return log_records(from);
    }
    let input: Box<dyn Read> = if from == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(from).with_context(|| format!("cannot open '{from}'"))?)
    };
    let mut input = BufReader::new(input);
    let mut records = Vec::new();
    while records.len() < SAMPLE_MAX {
        let mut line = Vec::new();
        let read = (&mut input).take(SAMPLE_RECORD_BYTES_MAX).read_until(b'\n', &mut line);
        if read.with_context(|| format!("cannot read '{from}'"))? == 0 {
            break;
        }
        let line = line.trim_ascii();
        if !line.is_empty() {
            records.push(line.to_vec());
        }
    }
    Ok(records)
}

fn log_records(url: &str) -> Result<Vec<Vec<u8>>> {
    let log = LogReader::open(&dir_log(url)?, None)?;
    let starts: Vec<Offset> = log.start_offsets()?;
    let mut records = Vec::new();
    for (p, start) in starts.iter().enumerate() {
        let room = SAMPLE_MAX * (p + 1) / starts.len();
        let mut reader = log.partition(PartitionId(p as u32), *start)?;
        while records.len() < room {
            let Some(batch) = reader.next_batch()? else { break };
            if batch.is_skipped() {
                continue;
            }
            for record in batch.records() {
                records.extend(record?.value.map(<[u8]>::to_vec));
            }
        }
    }
    Ok(records)
}
