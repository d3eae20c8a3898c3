//! `ingest`: files, standard input or another server's stream, every record into the log.

use crate::args::Ingest;
use crate::commands::{now, writing};
use crate::stdin::Patient;
use crate::{Outcome, contest, progress, signals};
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{BufWriter, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;
use votestream_election::Election;
use votestream_engine::Shutdown;
use votestream_engine::produce::{
    Batcher, BridgeOptions, Format, IngestOptions, IngestSummary, RejectList, bridge, ingest_reader,
    source_of_file,
};
use votestream_log::{LogUrl, LogWriter};

/// Runs the command.
pub fn run(args: &Ingest) -> Result<Outcome> {
    if let Some(archive) = &args.archive {
        return restore(args, archive);
    }
    let election = contest::defined(&args.election)?;
    // A log that cannot be is told of before the files are.
    args.log.parse::<LogUrl>()?;
    // Files that cannot be opened are found before anything is appended.
    for file in args.files.iter().filter(|f| f.as_os_str() != "-") {
        if file.is_dir() {
            bail!("'{}' is a directory; name the files in it", file.display());
        }
        File::open(file).with_context(|| format!("cannot open '{}'", file.display()))?;
    }
    let mut rejects = reject_list(args.rejects.as_deref())?;
    let options =
        IngestOptions { format: args.format.as_deref().and_then(Format::by_name), zstd: zstd(), clock: now };
    let (shutdown, starting) = signals::listen_while_starting()?;
    let writer = writing::open(&args.log, args.create_topic)?;
    starting.over();
    let mut total = IngestSummary::default();
    let outcome = writing::bounded(&writer, &shutdown, || {
        if let Some(from) = &args.from {
            let mut batcher = Batcher::new(writer.handle(), writer.partitions(), None);
            follow(from, &election, &mut batcher, &mut rejects, &options, &shutdown)
                .map(|summary| total = summary)
        } else {
            let each = |file| one(args.again, file, &election, &writer, &mut rejects, &options, &shutdown);
            args.files
                .iter()
                .map(PathBuf::as_path)
                .map(each)
                .try_for_each(|summary| summary.map(|summary| total.add(&summary)))
        }
    });
    rejects.finish()?;
    writer.close()?;
    report(&total, &args.log);
    outcome?;
    Ok(if args.strict && total.rejected > 0 { Outcome::No } else { Outcome::Done })
}

#[cfg(not(feature = "archive"))]
fn restore(_: &Ingest, _: &str) -> Result<Outcome> {
    bail!(
        "this small build leaves archives out; build the whole one with `make build` (target/release/votestream)"
    )
}

/// A log made anew from an archive.
#[cfg(feature = "archive")]
fn restore(args: &Ingest, archive: &str) -> Result<Outcome> {
    use votestream_archive::{Archive, ArchiveUrl, place};
    use votestream_engine::produce::{check_restorable, restore_log, source_of_archive};
    args.log.parse::<LogUrl>()?;
    let (shutdown, starting) = signals::listen_while_starting()?;
    let place = place::open(&archive.parse::<ArchiveUrl>()?)?;
    super::archive::hurry(&place, &shutdown);
    let archive = Archive::open(place)?;
    check_restorable(&archive)?;
    let writer = writing::open(&args.log, args.create_topic)?;
    let id = source_of_archive(&archive);
    let source = if args.again { None } else { Some((id, writer.resume(id)?)) };
    starting.over();
    let mut total = IngestSummary::default();
    let bar = progress::records(Some(archive.manifest().rows()), "restoring");
    let outcome = writing::bounded(&writer, &shutdown, || {
        let mut batcher = Batcher::new(writer.handle(), writer.partitions(), source);
        let tell = |records| bar.set_position(records);
        restore_log(&archive, &mut batcher, (&shutdown, &tell)).map(|summary| total = summary)
    });
    bar.finish_and_clear();
    writer.close()?;
    report(&total, &args.log);
    outcome?;
    Ok(if args.strict && total.rejected > 0 { Outcome::No } else { Outcome::Done })
}

/// One file, or standard input.
fn one(
    again: bool,
    path: &Path,
    election: &Election,
    writer: &LogWriter,
    rejects: &mut RejectList,
    options: &IngestOptions,
    shutdown: &Shutdown,
) -> Result<IngestSummary> {
    let name = path.display().to_string();
    let stdin = name == "-";
    let cannot_open = || format!("cannot open '{name}'");
    let (input, size): (Box<dyn Read + Send>, _) = if stdin {
        (Box::new(Patient::stdin(shutdown)?), None)
    } else {
        let file = File::open(path).with_context(cannot_open)?;
        let size = file.metadata().with_context(cannot_open)?.len();
        (Box::new(file), Some(size))
    };
    let regular = size.is_some() && path.metadata().is_ok_and(|m| m.is_file());
    let source = if regular && !again {
        let id = source_of_file(File::open(path).with_context(cannot_open)?, election, options.format)
            .with_context(|| format!("cannot read '{name}'"))?;
        Some((id, writer.resume(id)?))
    } else {
        None
    };
    let mut batcher = Batcher::new(writer.handle(), writer.partitions(), source);
    let bar = progress::bytes(size.filter(|_| regular), format!("ingesting {name}"));
    let summary = ingest_reader(
        (&name, input),
        election,
        &mut batcher,
        rejects,
        options,
        (shutdown, &|bytes, _| bar.set_position(bytes)),
    )?;
    bar.finish_and_clear();
    if summary.passed > 0 {
        tracing::info!(
            "{} of {} records of '{name}' were in the log already and were not appended again (--again appends them)",
            progress::grouped(summary.passed),
            progress::grouped(summary.records)
        );
    }
    Ok(summary)
}

fn follow(
    url: &str,
    election: &Election,
    batcher: &mut Batcher,
    rejects: &mut RejectList,
    options: &IngestOptions,
    shutdown: &Shutdown,
) -> Result<IngestSummary> {
    let bar = progress::records(None, "following the stream");
    let stream = BridgeOptions {
        url: url.to_owned(),
        pause_min: Duration::from_millis(100),
        pause_max: Duration::from_secs(10),
        attempts_max: Some(20),
    };
    let summary = bridge(
        &stream,
        election,
        batcher,
        rejects,
        options,
        (shutdown, &|_, records| bar.set_position(records)),
    )?;
    bar.finish_and_clear();
    Ok(summary)
}

fn reject_list(path: Option<&Path>) -> Result<RejectList> {
    let Some(path) = path else { return Ok(RejectList::new("", None)) };
    let file = File::create(path).with_context(|| format!("cannot write '{}'", path.display()))?;
    Ok(RejectList::new(&path.display().to_string(), Some(Box::new(BufWriter::new(file)))))
}

fn report(total: &IngestSummary, log: &str) {
    let will = match total.rejected {
        0 => String::new(),
        n => format!(", {} of them will be rejected when counted", progress::grouped(n)),
    };
    tracing::info!("{} records appended to {log}{will}", progress::grouped(total.appended));
}

#[cfg(feature = "zstd")]
#[expect(clippy::unnecessary_wraps, reason = "the small build has none")]
fn zstd() -> Option<votestream_engine::produce::ZstdReader> {
    Some(|input| Ok(Box::new(zstd::stream::read::Decoder::new(input)?)))
}

#[cfg(not(feature = "zstd"))]
fn zstd() -> Option<votestream_engine::produce::ZstdReader> {
    None
}
