//! `archive prune`: the oldest rows leave an archive, what they came to stays.

use super::options;
use crate::args::Prune;
use crate::commands::recount::claim;
use crate::commands::{now, random};
use crate::{Outcome, progress, signals};
use anyhow::{Context, Result, bail};
use std::io::Write;
use votestream_archive::{Archive, ArchiveUrl, Kept, place};
use votestream_election::partitioner::PartitionerSet;
use votestream_election::{Millis, Offset};
use votestream_engine::archive::{Before, Counted, PruneOptions, PruneSummary, prune};
use votestream_store::{ReaderStore, SeenReader, StoreUrl};

/// Runs the command.
pub(super) fn run(args: &Prune) -> Result<Outcome> {
    let url: ArchiveUrl = args.archive.parse()?;
    let place = super::heads::guarded(place::open(&url)?, args.store.as_deref(), super::make_up())?;
    let archive = Archive::open(std::sync::Arc::clone(&place))?;
    let usual = options(1, Kept { every_value: false, pseudonyms: None });
    let options = PruneOptions {
        before: before(&args.before, archive.manifest().partitions.len())?,
        counted: args.store.as_deref().map(|store| counted(store, &archive)).transpose()?,
        grace: args.grace,
        clock: now,
        make_up: usual.make_up,
        seed: random(),
    };
    let shutdown = signals::listen()?;
    super::hurry(&place, &shutdown);
    let summary = prune(&place, &options, &shutdown).with_context(|| format!("cannot prune {url}"))?;
    report(&summary)?;
    if shutdown.is_raised() {
        bail!("pruning was stopped before its end; run the same command again");
    }
    Ok(Outcome::Done)
}

/// What is meant for each partition.
fn before(texts: &[String], partitions: usize) -> Result<Vec<Option<Before>>> {
    let mut all = vec![None; partitions];
    for text in texts {
        if let Ok(offset) = text.parse::<u64>() {
            all.fill(Some(Before::Offset(Offset(offset))));
        } else if let Some((partition, offset)) = of_partition(text) {
            let Some(place) = all.get_mut(partition) else {
                bail!("--before '{text}': the archive has partitions 0 to {}", partitions - 1);
            };
            *place = Some(Before::Offset(Offset(offset)));
        } else {
            let moment: jiff::Timestamp = text.parse().with_context(|| {
                format!(
                    "--before '{text}' is no time such as 2024-11-06T02:30:00Z, no offset, and no PARTITION:OFFSET"
                )
            })?;
            all.fill(Some(Before::Time(Millis(moment.as_millisecond()))));
        }
    }
    Ok(all)
}

fn of_partition(text: &str) -> Option<(usize, u64)> {
    let (partition, offset) = text.split_once(':')?;
    Some((partition.parse().ok()?, offset.parse().ok()?))
}

/// What the store has counted, by the partitioners it was left with.
fn counted(store: &str, archive: &Archive) -> Result<(PartitionerSet, Vec<Counted>)> {
    let url: StoreUrl = store.parse()?;
    let (store, seen) = (ReaderStore::open(&url)?, SeenReader::open(&url)?);
    let identity = &archive.manifest().identity;
    let election = store.election(Some(&identity.election))?;
    let claim = claim::of_store(&election, (&store, &seen), &|_| None)?;
    if claim.pin.log_id != identity.log.log_id() || election.to_json() != identity.definition {
        bail!(
            "the archive is of log {} and its election's definition, and the store at {url} counted log {}, or by another definition; name the archive's own store, or none",
            identity.log.log_id(),
            claim.pin.log_id
        );
    }
    let partitions = claim.snapshot.progress.iter().zip(claim.leaves);
    let counted = partitions.map(|(progress, leaves)| Counted { next: progress.next_offset, leaves });
    Ok((claim.pin.partitioners, counted.collect()))
}

fn report(summary: &PruneSummary) -> Result<()> {
    let mut out = std::io::stdout();
    for pruned in &summary.pruned {
        writeln!(
            out,
            "partition {}: {} records pruned up to offset {} ({} votes counted in them are carried, {} files go)",
            pruned.partition,
            progress::grouped(pruned.records),
            pruned.to,
            progress::grouped(pruned.counted),
            pruned.files
        )?;
    }
    if summary.pruned.is_empty() {
        writeln!(
            out,
            "nothing was pruned: no file holds only whole leaves (65,536 offsets each) from before that"
        )?;
    }
    if summary.waiting > 0 {
        writeln!(
            out,
            "{} files live on until their grace period is over: an archiver deletes them then, or the next `archive prune`",
            summary.waiting
        )?;
    }
    if summary.swept > 0 {
        writeln!(out, "{} files deleted", summary.swept)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_by_before() {
        let read = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
            before(&texts, 2)
        };
        let offset = |offset| Some(Before::Offset(Offset(offset)));
        assert_eq!(read(&["70000"]).unwrap(), [offset(70_000); 2]);
        assert_eq!(read(&["1:70000"]).unwrap(), [None, offset(70_000)]);
        assert_eq!(read(&["5", "1:70000"]).unwrap(), [offset(5), offset(70_000)]);
        let time = Some(Before::Time(Millis(1_730_860_200_000)));
        assert_eq!(read(&["2024-11-06T02:30:00Z"]).unwrap(), [time; 2]);
        for wrong in ["yesterday", "2:5", "-1", ""] {
            assert!(read(&[wrong]).is_err(), "{wrong}");
        }
    }
}
