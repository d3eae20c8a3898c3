//! `init`: a commented election definition, or one drafted from real records.

use crate::Outcome;
use crate::args::Init;
use crate::commands::peek::{self, Room};
use anyhow::{Context, Result, bail};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::time::{Duration, Instant};
use votestream_election::definition::{PRESETS, example_toml, sample};
use votestream_election::framing::registry::{Framing, unframe};
use votestream_election::{Election, PartitionId};
use votestream_log::{LogReader, LogUrl};

/// Records looked at for a draft.
const SAMPLE_MAX: usize = 100_000;
/// Longest record looked at.
const SAMPLE_RECORD_BYTES_MAX: u64 = 65_537;
/// Bytes of records looked at in a log.
const SAMPLE_BYTES_MAX: u64 = 256 << 20;
/// Longest that a log is read for a draft.
const SAMPLE_TIME_MAX: Duration = Duration::from_secs(30);

/// Runs the command.
pub fn run(args: &Init) -> Result<Outcome> {
    let text = match &args.sample {
        Some(from) => {
            let records = sample_records(from)?;
            if records.is_empty() {
                bail!(
                    "'{from}' holds no records yet to draft a definition from; produce some first, a few hundred are enough"
                );
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

/// The first records of each partition of a log.
fn log_records(from: &str) -> Result<Vec<Vec<u8>>> {
    let log = LogReader::open_url(&from.parse::<LogUrl>()?)?;
    let (starts, ends) = (log.start_offsets()?, log.refresh_ends()?);
    let share = u64::from(log.partitions().max(1));
    let deadline = Instant::now() + SAMPLE_TIME_MAX;
    let room = Room {
        records: (SAMPLE_MAX as u64).div_ceil(share),
        bytes: SAMPLE_BYTES_MAX.div_ceil(share),
        deadline,
    };
    let (mut records, mut binary) = (Vec::new(), None);
    for (p, span) in starts.into_iter().zip(ends).enumerate() {
        peek::records(&log, PartitionId(p as u32), span, room, &mut |record| {
            let value = record.value.filter(|_| !record.oversize).unwrap_or_default();
            match unframe(value) {
                Framing::Binary { schema_id } => binary = Some(schema_id),
                Framing::Plain | Framing::Json(_) if value.is_empty() => {}
                Framing::Plain => records.push(value.to_vec()),
                Framing::Json(event) => records.push(event.to_vec()),
            }
        })?;
    }
    match binary {
        Some(schema_id) if records.is_empty() => bail!(
            "the records of '{from}' are Avro or Protobuf behind a schema registry (schema id {schema_id}), which cannot be read without its schema; have the producers write JSON (or JSON Schema), or copy the topic as JSON with a connector and sample the copy"
        ),
        Some(schema_id) => tracing::warn!(
            schema_id,
            "some records are Avro or Protobuf behind a schema registry: they are left out of the draft, and `count` will refuse them"
        ),
        None => {}
    }
    if records.is_empty() {
        if let Some(trouble) = log.trouble() {
            bail!("'{from}' cannot be read at the moment: {trouble}");
        }
        if Instant::now() >= deadline {
            bail!(
                "'{from}' gave no records within {} s; look at it with `votestream doctor --log '{from}'`",
                SAMPLE_TIME_MAX.as_secs()
            );
        }
    }
    Ok(records)
}
