//! `recount --archive`: the records are those of the archive. It needs no log: not to compare, and not to build a store anew.

use super::{claim, conclude, rebuild, say_what_is_held, trace, with_bar};
use crate::args::Recount;
use crate::commands::archive::hurry;
use crate::commands::now;
use crate::{Outcome, contest, progress, signals};
use anyhow::{Context, Result, bail};
use std::io::Write;
use std::sync::Arc;
use votestream_archive::place::KeptPlace;
use votestream_archive::{Archive, ArchiveUrl, place};
use votestream_election::Election;
use votestream_election::fold::Misrouted;
use votestream_engine::Shutdown;
use votestream_engine::recount::{
    ArchiveSource, Claim, RecountOptions, RestoreOptions, Side, Source, archive_memory_min, claim_of_archive,
    pseudonymous, recount_archive, restore_store,
};
use votestream_store::{ReaderStore, SeenReader, StoreUrl};

/// Files kept in memory where several threads read one partition.
const FILES_KEPT: usize = 2;

/// An archive that was opened.
pub(super) type Opened = Archive;

/// Opens an archive; its manifest's chain is checked.
pub(super) fn open(url: &str) -> Result<Archive> {
    let url: ArchiveUrl = url.parse()?;
    Ok(Archive::open(Arc::new(KeptPlace::new(place::open(&url)?, FILES_KEPT)))?)
}

/// Listens for signals; once told to stop, the archive's storage is waited for no longer than some seconds.
fn listen(archive: &Archive) -> Result<Shutdown> {
    let shutdown = signals::listen()?;
    hurry(archive.place(), &shutdown);
    Ok(shutdown)
}

/// Recounts the archive.
pub(super) fn run(args: &Recount, options: &RecountOptions) -> Result<Outcome> {
    let archive =
        open(args.archive.as_deref().context("name the log with --log or the archive with --archive")?)?;
    let mut options = RecountOptions { ..*options };
    if args.memory.is_none() {
        options.memory = options.memory.max(archive_memory_min(&archive, options.threads));
    }
    let options = &options;
    let Some(store) = &args.store else { return without_store(args, &archive, options) };
    let url: StoreUrl = store.parse()?;
    if args.from_scratch {
        return from_scratch(args, &url, &archive, options);
    }
    let store = ReaderStore::open(&url)?;
    let election = contest::stored(&args.election, &store)?;
    let seen = SeenReader::open(&url)?;
    let claim = claim::of_store(&election, (&store, &seen), &|partition| {
        Some(archive.manifest().partitions.get(partition.0 as usize)?.rows_from())
    })?;
    let shutdown = listen(&archive)?;
    let mut report =
        with_bar(|tell| Ok(recount_archive(&election, &archive, &claim, options, (&shutdown, tell))?))?;
    if !shutdown.is_raised() {
        let source =
            ArchiveSource { election: &election, archive: &archive, partitioners: claim.pin.partitioners };
        let side = Side { store: &store, seen: &seen };
        trace(&election, (&source, None), &side, &claim, &mut report, options.seed)?;
    }
    if pseudonymous(&archive) {
        tracing::warn!(
            "voters are archived under pseudonyms: every cell was recounted, but the ledger's leaves cannot be made from them, and were compared as the manifest holds them"
        );
    }
    conclude(&report, &shutdown)
}

/// Counts the archive and says what it holds.
fn without_store(args: &Recount, archive: &Archive, options: &RecountOptions) -> Result<Outcome> {
    let election = contest::overridden(archive.election().clone(), &args.election)?;
    let claim = claim_of_archive(&election, archive);
    let shutdown = listen(archive)?;
    let report =
        with_bar(|tell| Ok(recount_archive(&election, archive, &claim, options, (&shutdown, tell))?))?;
    if !report.differences.is_empty() {
        return conclude(&report, &shutdown);
    }
    say_what_is_held(&election, &report, &shutdown)
}

/// Builds the store anew from the archive alone.
fn from_scratch(
    args: &Recount,
    url: &StoreUrl,
    archive: &Archive,
    options: &RecountOptions,
) -> Result<Outcome> {
    let election = archive.election();
    if args.election.election.is_some()
        || args.election.mapping.is_some()
        || args.election.duplicate.is_some()
    {
        bail!(
            "--election, --mapping and --duplicate do not go with --archive --from-scratch: the archive holds the election '{}'",
            election.id
        );
    }
    let mut store = rebuild::open_or_set_aside(url)?;
    let shutdown = listen(archive)?;
    let restore = RestoreOptions {
        threads: options.threads,
        misrouted: if args.misrouted.is_some() { Misrouted::Reject } else { Misrouted::Stop },
        clock: now,
        seed: options.seed,
    };
    let bar = progress::records(Some(archive.manifest().rows()), "recounting");
    let records = restore_store(
        election,
        archive,
        &mut store,
        &restore,
        (&shutdown, &|records| bar.set_position(records)),
    )?;
    bar.finish_and_clear();
    if shutdown.is_raised() {
        bail!("the store was not built to its end; run the same command again");
    }
    writeln!(
        std::io::stdout(),
        "recount: store rebuilt from {} archived records under a new identity",
        progress::grouped(records)
    )?;
    Ok(Outcome::Done)
}

/// The archive as a witness of what the log held; none where it is of something else, or voters are not known by their own keys.
pub(super) fn witness<'a>(
    election: &'a Election,
    archive: &'a Archive,
    claim: &Claim,
) -> Option<Box<dyn Source + 'a>> {
    let identity = &archive.manifest().identity;
    if identity.log.log_id() != claim.pin.log_id
        || identity.definition != election.to_json()
        || pseudonymous(archive)
    {
        tracing::warn!(
            "the archive at {} is of another log or election, or holds pseudonyms: it cannot tell which record differs",
            archive.url()
        );
        return None;
    }
    Some(Box::new(ArchiveSource { election, archive, partitioners: claim.pin.partitioners }))
}
