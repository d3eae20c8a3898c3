//! Pruning: rows leave the archive, what they came to stays. Sums are made beside a running archiver; only to commit them the archive is
//! taken over, and given back at once. Killed anywhere, either the rows are still named or their sums are.

use super::sums::{Before, Counted, Sums};
use super::{START_PATIENCE, may_pass, overtaken};
use crate::count::patiently;
use crate::recount::{ArchiveSource, pin_of};
use crate::{EngineError, Shutdown};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use votestream_archive::manifest::chain::ManifestWriter;
use votestream_archive::manifest::{Act, CarriedEntry};
use votestream_archive::name::DATA;
use votestream_archive::place::Place;
use votestream_archive::{Archive, ArchiveError};
use votestream_election::election::DuplicatePolicy;
use votestream_election::partitioner::PartitionerSet;
use votestream_election::{Election, Millis, PartitionId};

/// How often an archive is taken over for one entry, where others take it back.
const TAKEOVERS_MAX: usize = 16;

/// How to prune.
pub struct PruneOptions {
    /// Up to where each partition is pruned; none: not at all.
    pub before: Vec<Option<Before>>,
    /// What a store has counted of each partition, and with which partitioners: nothing beyond is pruned, and nothing that differs.
    pub counted: Option<(PartitionerSet, Vec<Counted>)>,
    /// How long pruned files live on.
    pub grace: Duration,
    /// The wall clock.
    pub clock: fn() -> Millis,
    /// Makes numbers up that nobody else has.
    pub make_up: fn() -> u128,
    /// Spreads slots of the voter table; no result depends on it.
    pub seed: u64,
}

/// What was pruned of a partition.
#[derive(Clone, Copy, Debug)]
pub struct Pruned {
    /// Which.
    pub partition: PartitionId,
    /// The first offset whose rows are there now.
    pub to: votestream_election::Offset,
    /// Records that are carried now and were not before.
    pub records: u64,
    /// Of them votes that counted: so many voters are kept.
    pub counted: u64,
    /// Files that are named no longer.
    pub files: u64,
}

/// What a run did.
#[derive(Clone, Debug, Default)]
pub struct PruneSummary {
    /// What was pruned.
    pub pruned: Vec<Pruned>,
    /// Files deleted whose grace period was over.
    pub swept: u64,
    /// Files that are named no longer and whose grace period is not over.
    pub waiting: u64,
}

/// Prunes each partition as far as asked for; told to stop it ends between two of them.
pub fn prune(
    place: &Arc<dyn Place>,
    options: &PruneOptions,
    shutdown: &Shutdown,
) -> Result<PruneSummary, EngineError> {
    let mut summary = PruneSummary::default();
    let open = || Ok(Archive::open(Arc::clone(place))?);
    let Some(mut archive) = patiently(shutdown, START_PATIENCE, may_pass, open)? else { return Ok(summary) };
    refuse_last(&archive)?;
    let mut owner = Owner { place, options, shutdown, writer: None };
    for (partition, before) in (0..).map(PartitionId).zip(&options.before) {
        let Some(before) = before.filter(|_| !shutdown.is_raised()) else { continue };
        let election: Election = archive.election().clone();
        let partitioners =
            options.counted.as_ref().map_or_else(|| pin_of(&archive).partitioners, |counted| counted.0);
        let counted = options.counted.as_ref().and_then(|(_, counted)| counted.get(partition.0 as usize));
        let source = ArchiveSource { election: &election, archive: &archive, partitioners };
        let mut sums = Sums::new(source, partition, counted, options.seed)?;
        if !sums.run(before, &|| shutdown.is_raised())? {
            continue;
        }
        let entry = sums.entry();
        let mut voters = std::mem::take(&mut sums.voters);
        drop(sums);
        let (described, bytes) = archive.voters_file(partition, &mut voters)?;
        let entry = CarriedEntry { voters: described, ..entry };
        let Some(pruned) = owner.commit(&entry, &bytes)? else { break };
        tracing::debug!(partition = partition.0, to = pruned.to.0, records = pruned.records, "pruned");
        summary.pruned.push(pruned);
        if let Some(writer) = &owner.writer {
            archive = Archive::of(Arc::clone(place), writer.manifest().clone())?;
        }
    }
    owner.finish(&mut summary)?;
    Ok(summary)
}

/// Where the last vote of a voter counts, a later one takes the place of one whose choice is gone.
fn refuse_last(archive: &Archive) -> Result<(), EngineError> {
    if archive.election().duplicate == DuplicatePolicy::First {
        return Ok(());
    }
    let what = "is of an election in which a voter's last vote counts (duplicate = \"last\"): whoever votes again takes a vote back whose choice would be gone, so it cannot be pruned";
    Err(EngineError::OtherArchive { url: archive.url(), what: what.to_owned() })
}

/// Owns the archive where it has to.
struct Owner<'a> {
    place: &'a Arc<dyn Place>,
    options: &'a PruneOptions,
    shutdown: &'a Shutdown,
    writer: Option<ManifestWriter>,
}

impl Owner<'_> {
    /// Commits what is carried of a partition; none where told to stop before.
    fn commit(&mut self, entry: &CarriedEntry, bytes: &bytes::Bytes) -> Result<Option<Pruned>, EngineError> {
        let mut tries = TAKEOVERS_MAX;
        loop {
            match self.attempt(entry.clone(), bytes) {
                Err(error) if overtaken(&error).is_some() && tries > 0 => {
                    tries -= 1;
                    self.writer = None;
                }
                done => return done,
            }
        }
    }

    fn attempt(
        &mut self,
        mut entry: CarriedEntry,
        bytes: &bytes::Bytes,
    ) -> Result<Option<Pruned>, EngineError> {
        let (place, options, shutdown) = (self.place, self.options, self.shutdown);
        let Some(writer) = self.own()? else { return Ok(None) };
        // Somebody may have put files together meanwhile; the rows are the same.
        let there = &writer.manifest().partitions[entry.partition as usize];
        let files = there.files.iter().take_while(|file| file.to <= entry.to);
        entry.pruned = files.map(|file| file.name.clone()).collect();
        entry.voters.name = writer.voters_name(entry.partition, (entry.from, entry.to));
        let put = patiently(shutdown, Duration::MAX, may_pass, || {
            let put = place.put_new(&entry.voters.name, bytes.clone());
            Ok(put.map_err(|source| ArchiveError::Place { url: place.url(), source })?)
        })?;
        if put.is_none() {
            return Ok(None);
        }
        fail::fail_point!("prune-voters-put", |_| std::process::abort());
        let pruned = Pruned {
            partition: PartitionId(entry.partition),
            to: votestream_election::Offset(entry.to),
            records: entry.records(),
            counted: entry.voters.voters,
            files: entry.pruned.len() as u64,
        };
        let pending = writer.begin(Act::Prune { carried: Box::new(entry) }, (options.clock)().0)?;
        let done = patiently(shutdown, Duration::MAX, may_pass, || Ok(writer.settle(&pending)?))?;
        fail::fail_point!("prune-committed", |_| std::process::abort());
        Ok(done.map(|()| pruned))
    }

    /// The archive's writer: this one, from now on if it was not before.
    fn own(&mut self) -> Result<Option<&mut ManifestWriter>, EngineError> {
        if self.writer.is_none() {
            let (place, options) = (self.place, self.options);
            let taken = patiently(self.shutdown, START_PATIENCE, may_pass, || {
                let manifest = Archive::open(Arc::clone(place))?.manifest().clone();
                let now = (options.clock)().0;
                Ok(ManifestWriter::take_over(Arc::clone(place), &manifest.identity, options.make_up, now)?)
            })?;
            self.writer = taken;
        }
        Ok(self.writer.as_mut())
    }

    /// Deletes what may go, and gives the archive back.
    fn finish(&mut self, summary: &mut PruneSummary) -> Result<(), EngineError> {
        let (options, shutdown) = (self.options, self.shutdown);
        let (now, grace) = ((options.clock)().0, options.grace.as_millis() as i64);
        if self.writer.is_none() {
            // Nothing was pruned now: what was before may go by now.
            let manifest = Archive::open(Arc::clone(self.place))?.manifest().clone();
            if !manifest.replaced.iter().any(|replaced| now.saturating_sub(replaced.at_ms) >= grace) {
                return Ok(());
            }
        }
        let place = self.place;
        let Some(writer) = self.own()? else { return Ok(()) };
        let swept = patiently(shutdown, Duration::MAX, may_pass, || Ok(writer.sweep(grace, now)?))?;
        summary.swept = swept.unwrap_or(0);
        let replaced: HashSet<&str> =
            writer.manifest().replaced.iter().map(|replaced| replaced.name.as_str()).collect();
        let left = patiently(shutdown, Duration::MAX, may_pass, || {
            let found = place.list(DATA);
            Ok(found.map_err(|source| ArchiveError::Place { url: place.url(), source })?)
        })?;
        let left = left.unwrap_or_default();
        summary.waiting = left.iter().filter(|found| replaced.contains(found.name.as_str())).count() as u64;
        let pending = writer.begin(Act::Release, (options.clock)().0)?;
        let released = patiently(shutdown, Duration::MAX, may_pass, || Ok(writer.settle(&pending)?));
        match released {
            // Whoever has taken over need not be told.
            Err(error) if overtaken(&error).is_some() => Ok(()),
            done => done.map(drop),
        }
    }
}
