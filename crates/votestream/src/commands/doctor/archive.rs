//! The archive: whether it can be read, its chain holds, every file that it names is there, and how far it is behind the log.

use super::lines::{Lines, many};
use crate::progress::grouped;
use std::collections::HashMap;
use votestream_archive::manifest::chain;
use votestream_archive::name::{CARRIED, DATA};
use votestream_archive::place::{self, Place};
use votestream_archive::{ArchiveError, ArchiveUrl, Manifest};
use votestream_log::LogReader;

/// Looks at an archive; where only an answer is wanted, no further than its manifest.
pub(super) fn check(url: &str, log: Option<&LogReader>, quick: bool, lines: &mut Lines) {
    let about = format!("archive {url}");
    let read = || -> Result<_, Box<dyn std::error::Error>> {
        let place = place::open(&url.parse::<ArchiveUrl>()?)?;
        let manifest = chain::read(&*place)?.ok_or_else(|| ArchiveError::NotFound { url: place.url() })?;
        let found = if quick { Vec::new() } else { missing(&*place, &manifest)? };
        Ok((manifest, found))
    };
    let (manifest, missing) = match read() {
        Ok(read) => read,
        Err(error) => {
            return lines.failure(
                &about,
                &*error,
                "check the address, credentials and rights, and that the storage runs",
            );
        }
    };
    if quick {
        return lines.well(format!("{about}: answers"));
    }
    lines.well(format!(
        "{about}: {} entries, their chain holds; {} of election '{}' in {}{}",
        grouped(manifest.head.number + 1),
        many(manifest.rows(), "record"),
        manifest.identity.election,
        many(manifest.partitions.iter().map(|p| p.files.len() as u64).sum(), "file"),
        carried(&manifest)
    ));
    match missing.first() {
        None => lines
            .well(format!("{about}: every file is there, with its size (`votestream recount` reads them)")),
        Some(first) => lines.fault(
            format!(
                "{about}: {} are missing or have another size, the first is '{first}'",
                many(missing.len() as u64, "file")
            ),
            "bring them back from a copy, or begin a new archive from the log",
        ),
    }
    if let Some(log) = log {
        lag(&about, &manifest, log, lines);
    }
}

fn carried(manifest: &Manifest) -> String {
    let carried = manifest.partitions.iter().flat_map(|p| &p.carried);
    match carried.map(|carried| carried.records()).sum() {
        0 => String::new(),
        records => format!("; {} more carried, their rows were pruned", many(records, "record")),
    }
}

/// Names of files that are not there as the manifest says.
fn missing(place: &dyn Place, manifest: &Manifest) -> Result<Vec<String>, ArchiveError> {
    let list =
        |directory| place.list(directory).map_err(|source| ArchiveError::Place { url: place.url(), source });
    let found: HashMap<String, u64> =
        list(DATA)?.into_iter().chain(list(CARRIED)?).map(|found| (found.name, found.bytes)).collect();
    let files = manifest.partitions.iter().flat_map(|partition| {
        let voters = partition.carried.iter().map(|carried| (&carried.voters.name, carried.voters.bytes));
        partition.files.iter().map(|file| (&file.name, file.bytes)).chain(voters)
    });
    Ok(files.filter(|(name, bytes)| found.get(*name) != Some(bytes)).map(|(name, _)| name.clone()).collect())
}

fn lag(about: &str, manifest: &Manifest, log: &LogReader, lines: &mut Lines) {
    if manifest.identity.log.log_id() != log.log_id() {
        return lines.fault(
            format!("{about} is of log {}, and this is log {}", manifest.identity.log.log_id(), log.log_id()),
            "name the log that was archived, or its own archive",
        );
    }
    match (log.refresh_ends(), log.start_offsets()) {
        (Ok(ends), Ok(starts)) => {
            let next = manifest.next();
            let lost = starts.iter().zip(&next).position(|(start, next)| start > next);
            let behind: u64 = next.iter().zip(&ends).map(|(next, end)| end.0.saturating_sub(next.0)).sum();
            if let Some(partition) = lost {
                lines.fault(
                    format!("{about}: partition {partition} is archived up to {}, and the log has forgotten what follows", next[partition]),
                    "begin a new archive with what is left, and keep this one",
                );
            } else if behind == 0 {
                lines.well(format!("{about}: archived to the log's end"));
            } else {
                lines.well(format!(
                    "{about}: {} not archived yet; let `votestream archive` run",
                    many(behind, "offset")
                ));
            }
        }
        (Err(error), _) | (_, Err(error)) => {
            lines.failure(about, &error, "see what the log's line says");
        }
    }
}
