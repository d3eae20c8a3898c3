//! Reading the chain of entries, and putting the next one: created where it is absent, so that of two writers one wins and the other
//! learns of it. Every step that a crash may follow is a fail point.

use super::entry::{self, Act, Entry, FORMAT, Identity, Unreadable};
use super::state::Manifest;
use crate::crash::point;
use crate::error::ArchiveError;
use crate::name::{self, file_epoch};
use crate::place::{Found, Place, Put};
use bytes::Bytes;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use votestream_election::ids::uuid_text;
use votestream_election::ledger::Digest;

/// Objects that are neither entries nor files, but may lie in an archive: probes of an archiver that was killed.
const PROBES: &str = "probe";
/// Times that a takeover is tried anew when others were faster.
const TAKEOVERS_MAX: usize = 16;
/// Times that a place is looked at again because an entry came while it was looked at.
const LOOKS_MAX: usize = 8;

/// Reads all entries; none where there is no archive.
pub fn read(place: &dyn Place) -> Result<Option<Manifest>, ArchiveError> {
    let numbers = numbers(place)?;
    let Some(last) = numbers.last().copied() else { return Ok(None) };
    if let Some(missing) = (0..=last).find(|number| !numbers.contains(number)) {
        let what = format!("it is missing, and entry {last} is there: it was deleted or renamed");
        return Err(broken(place, entry::name(missing), what));
    }
    let Some((first, digest)) = get(place, 0)? else {
        return Err(broken(place, entry::name(0), "it has gone".to_owned()));
    };
    let mut manifest =
        Manifest::first(&first, digest).map_err(|fault| broken(place, entry::name(0), fault.to_string()))?;
    let wanted: Vec<u64> = (1..=last).collect();
    for numbers in wanted.chunks(place.width()) {
        for (number, got) in numbers.iter().zip(get_all(place, numbers)?) {
            let Some((next, digest)) = got else {
                return Err(broken(place, entry::name(*number), "it has gone".to_owned()));
            };
            take_in(place, &mut manifest, &next, digest)?;
        }
    }
    Ok(Some(manifest))
}

/// Takes in the entries that were added since; says whether there were any.
pub fn catch_up(place: &dyn Place, manifest: &mut Manifest) -> Result<bool, ArchiveError> {
    let mut moved = false;
    while let Some((next, digest)) = get(place, manifest.head.number + 1)? {
        take_in(place, manifest, &next, digest)?;
        moved = true;
    }
    Ok(moved)
}

fn take_in(
    place: &dyn Place,
    manifest: &mut Manifest,
    next: &Entry,
    digest: Digest,
) -> Result<(), ArchiveError> {
    let name = entry::name(manifest.head.number + 1);
    manifest.apply(next, digest).map_err(|fault| broken(place, name, fault.to_string()))
}

/// The entries that are there; none where nothing is. Where something else is, and no entry, this is no place for an archive.
fn numbers(place: &dyn Place) -> Result<BTreeSet<u64>, ArchiveError> {
    let list = |prefix| place.list(prefix).map_err(|source| failed(place, source));
    let among = |listed: &[Found]| -> BTreeSet<u64> {
        listed.iter().filter_map(|found| entry::number(&found.name)).collect()
    };
    for _ in 0..LOOKS_MAX {
        let listed = list(entry::DIRECTORY)?;
        let numbers = among(&listed);
        if !numbers.is_empty() {
            return Ok(numbers);
        }
        let all = if listed.is_empty() { list("")? } else { listed };
        match all.iter().find(|found| !found.name.starts_with(PROBES)) {
            None => return Ok(numbers),
            // Another archiver made the first entry between the two looks.
            Some(_) if !among(&all).is_empty() => {}
            Some(found) => return Err(ArchiveError::Foreign { url: place.url(), found: found.name.clone() }),
        }
    }
    let what =
        "it is listed with all that is there, and not with the entries: the storage contradicts itself";
    Err(broken(place, entry::name(0), what.to_owned()))
}

fn get(place: &dyn Place, number: u64) -> Result<Option<(Entry, Digest)>, ArchiveError> {
    let name = entry::name(number);
    let Some(bytes) = place.get(&name).map_err(|source| failed(place, source))? else { return Ok(None) };
    match Entry::from_bytes(&bytes) {
        Ok(read) => Ok(Some((read, entry::digest(&bytes)))),
        Err(Unreadable::Newer(found)) => {
            Err(ArchiveError::NewerFormat { url: place.url(), name, found, supported: FORMAT })
        }
        Err(Unreadable::Wrong(what)) => Err(broken(place, name, format!("it cannot be read ({what})"))),
    }
}

type Got = Option<(Entry, Digest)>;

/// Several at once, where that is faster.
fn get_all(place: &dyn Place, numbers: &[u64]) -> Result<Vec<Got>, ArchiveError> {
    if let [number] = numbers {
        return Ok(vec![get(place, *number)?]);
    }
    std::thread::scope(|scope| {
        let asked: Vec<_> = numbers.iter().map(|number| scope.spawn(move || get(place, *number))).collect();
        asked
            .into_iter()
            .map(|one| one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

fn broken(place: &dyn Place, name: String, what: String) -> ArchiveError {
    ArchiveError::Manifest { url: place.url(), name, what }
}

fn failed(place: &dyn Place, source: crate::place::PlaceError) -> ArchiveError {
    ArchiveError::Place { url: place.url(), source }
}

/// The one who may write, as long as nobody takes over.
#[derive(Debug)]
pub struct ManifestWriter {
    place: Arc<dyn Place>,
    manifest: Manifest,
    writer: u128,
    /// Makes identities up, for entries and files.
    make_up: fn() -> u128,
}

/// An entry on its way. Put again and again until it is known to be there, or not.
#[derive(Clone, Debug)]
pub struct Pending {
    name: String,
    bytes: Bytes,
    after: Manifest,
}

impl ManifestWriter {
    /// Makes the archive, or takes an existing one over: from then on whoever wrote it before can write no more. `make_up` gives
    /// numbers that nobody else has.
    ///
    /// # Errors
    /// The archive is of something else; it is broken; the storage fails or does not know create-if-absent.
    pub fn take_over(
        place: Arc<dyn Place>,
        identity: &Identity,
        make_up: fn() -> u128,
        now_ms: i64,
    ) -> Result<Self, ArchiveError> {
        // What is there is looked at first: an archive of something else is not written to, not even for a try.
        let mut there = read(&*place)?;
        check_same(&*place, there.as_ref(), identity)?;
        if !place.keeps_heads_elsewhere() {
            probe(&*place, make_up())?;
        }
        let writer = make_up();
        for _ in 0..TAKEOVERS_MAX {
            let pending = match &there {
                None => first(identity, make_up(), writer, now_ms, &*place)?,
                Some(manifest) => next(manifest, Act::Takeover, (make_up(), writer), now_ms, &*place)?,
            };
            match settle(&*place, &pending) {
                Ok(()) => {
                    point("archive-taken-over");
                    return Ok(Self { place, manifest: pending.after, writer, make_up });
                }
                Err(ArchiveError::Overtaken { .. }) => {
                    there = read(&*place)?;
                    check_same(&*place, there.as_ref(), identity)?;
                }
                Err(error) => return Err(error),
            }
        }
        Err(ArchiveError::Other {
            url: place.url(),
            what: format!(
                "was taken over by others {TAKEOVERS_MAX} times while this archiver tried to; stop some of them"
            ),
        })
    }

    /// What is in the archive, as of the last entry put.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Where it is.
    pub fn place(&self) -> &Arc<dyn Place> {
        &self.place
    }

    /// A name for a file of this writer's.
    pub fn file_name(&self, partition: u32, (from, to): (u64, u64)) -> String {
        name::file(name::DATA, partition, self.manifest.epoch, (from, to), (self.make_up)())
    }

    /// A name for a file of voters of pruned rows.
    pub fn voters_name(&self, partition: u32, (from, to): (u64, u64)) -> String {
        name::file(name::CARRIED, partition, self.manifest.epoch, (from, to), (self.make_up)())
    }

    /// The entry that changes the manifest so; see [`Self::settle`].
    ///
    /// # Errors
    /// It would break the manifest: a fault of the program.
    pub fn begin(&self, act: Act, now_ms: i64) -> Result<Pending, ArchiveError> {
        next(&self.manifest, act, ((self.make_up)(), self.writer), now_ms, &*self.place)
    }

    /// Puts an entry that [`Self::begin`] made. After an error that may pass it is not known whether the entry is there: call it again
    /// with the same one.
    ///
    /// # Errors
    /// [`ArchiveError::Overtaken`]: somebody else writes now. The storage fails.
    pub fn settle(&mut self, pending: &Pending) -> Result<(), ArchiveError> {
        settle(&*self.place, pending)?;
        self.manifest = pending.after.clone();
        Ok(())
    }

    /// Deletes files that no entry names and that writers before this one left, and replaced and pruned ones that were kept for `grace_ms`. Says how
    /// many.
    ///
    /// # Errors
    /// The storage fails.
    pub fn sweep(&self, grace_ms: i64, now_ms: i64) -> Result<u64, ArchiveError> {
        let named: HashSet<&str> = self
            .manifest
            .partitions
            .iter()
            .flat_map(|partition| {
                let voters = partition.carried.iter().map(|carried| carried.voters.name.as_str());
                partition.files.iter().map(|file| file.name.as_str()).chain(voters)
            })
            .collect();
        let fresh = |at_ms: i64| now_ms.saturating_sub(at_ms) < grace_ms;
        let replaced: HashSet<&str> = self
            .manifest
            .replaced
            .iter()
            .filter(|replaced| fresh(replaced.at_ms))
            .map(|replaced| replaced.name.as_str())
            .collect();
        let known: HashSet<&str> =
            self.manifest.replaced.iter().map(|replaced| replaced.name.as_str()).collect();
        let mut swept = 0;
        let mut found = self.place.list(name::DATA).map_err(|source| failed(&*self.place, source))?;
        found.extend(self.place.list(name::CARRIED).map_err(|source| failed(&*self.place, source))?);
        for found in &found {
            let name = found.name.as_str();
            let older = file_epoch(name).is_some_and(|epoch| epoch < self.manifest.epoch);
            if named.contains(name) || replaced.contains(name) || !(older || known.contains(name)) {
                continue;
            }
            self.place.delete(name).map_err(|source| failed(&*self.place, source))?;
            swept += 1;
            point("archive-swept-one");
        }
        Ok(swept)
    }
}

/// Whether an archive that is there is the one meant.
fn check_same(place: &dyn Place, there: Option<&Manifest>, wanted: &Identity) -> Result<(), ArchiveError> {
    let Some(Manifest { identity, .. }) = there else { return Ok(()) };
    let other = |what: String| Err(ArchiveError::Other { url: place.url(), what });
    if identity.election != wanted.election {
        return other(format!(
            "is of election '{}', and '{}' is to be archived; choose another place",
            identity.election, wanted.election
        ));
    }
    if identity.log.id != wanted.log.id {
        return other(format!(
            "is of log {}, and this is log {}; choose another place",
            identity.log.log_id(),
            wanted.log.log_id()
        ));
    }
    if identity.log.partitions != wanted.log.partitions {
        return other(format!(
            "is of a log of {} partitions, which has {} now; begin a new archive",
            identity.log.partitions, wanted.log.partitions
        ));
    }
    if identity.definition != wanted.definition {
        return other(format!(
            "was begun with another definition of election '{}'; leave --election, --mapping and --duplicate as they were, or choose another place",
            identity.election
        ));
    }
    if (identity.keep_bytes, identity.voter_ids) != (wanted.keep_bytes, wanted.voter_ids) {
        return other(format!(
            "was begun with keep-bytes = {} and voter-ids = {}; these cannot be changed later: choose another place",
            identity.keep_bytes,
            identity.voter_ids.name()
        ));
    }
    if identity.head_in_store != wanted.head_in_store {
        return other(if identity.head_in_store {
            "keeps its manifest's head in a results store; name that with --store".to_owned()
        } else {
            "keeps its manifest's head itself, and its storage does not (any more); choose another place"
                .to_owned()
        });
    }
    if identity.key_check != wanted.key_check {
        return other(
            "was begun with another key for pseudonyms; give that one, or choose another place".to_owned(),
        );
    }
    Ok(())
}

/// Whether the storage keeps what is there, so that nothing else need keep the manifest's head. Nothing is left of the try.
///
/// # Errors
/// The storage fails.
pub fn keeps_what_is_there(place: &dyn Place, id: u128) -> Result<bool, ArchiveError> {
    match probe(place, id) {
        Ok(()) => Ok(true),
        Err(ArchiveError::IgnoresCreate { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Finds out with two puts of one name whether the storage keeps what is there.
fn probe(place: &dyn Place, id: u128) -> Result<(), ArchiveError> {
    let name = format!("{PROBES}/{}", uuid_text(id));
    let put = |text: &'static str| place.put_new(&name, Bytes::from_static(text.as_bytes()));
    let puts = put("first").and_then(|_| put("second"));
    point("archive-probed");
    let deleted = place.delete(&name);
    match puts.map_err(|source| failed(place, source))? {
        Put::Created => Err(ArchiveError::IgnoresCreate { url: place.url() }),
        Put::Exists => deleted.map_err(|source| failed(place, source)),
    }
}

fn first(
    identity: &Identity,
    attempt: u128,
    writer: u128,
    at_ms: i64,
    place: &dyn Place,
) -> Result<Pending, ArchiveError> {
    let act = Act::Create(Box::new(identity.clone()));
    let entry = Entry {
        format: FORMAT,
        number: 0,
        previous: Digest::default(),
        attempt,
        writer,
        epoch: 1,
        at_ms,
        act,
    };
    let bytes = entry.to_bytes();
    let after = Manifest::first(&entry, entry::digest(&bytes))
        .map_err(|fault| broken(place, entry::name(0), fault.to_string()))?;
    Ok(Pending { name: entry::name(0), bytes: bytes.into(), after })
}

fn next(
    manifest: &Manifest,
    act: Act,
    (attempt, writer): (u128, u128),
    at_ms: i64,
    place: &dyn Place,
) -> Result<Pending, ArchiveError> {
    let number = manifest.head.number + 1;
    let epoch = manifest.epoch + u64::from(act == Act::Takeover);
    let entry =
        Entry { format: FORMAT, number, previous: manifest.head.digest, attempt, writer, epoch, at_ms, act };
    let bytes = entry.to_bytes();
    let mut after = manifest.clone();
    after
        .apply(&entry, entry::digest(&bytes))
        .map_err(|fault| broken(place, entry::name(number), fault.to_string()))?;
    Ok(Pending { name: entry::name(number), bytes: bytes.into(), after })
}

/// Puts an entry. Where something of its name is there, or the answer leaves it open, what is there decides: these bytes, which hold the
/// attempt's identity, are ours, others are not, and nothing means that it may be tried again.
fn settle(place: &dyn Place, pending: &Pending) -> Result<(), ArchiveError> {
    point("archive-entry-before-put");
    let put = place.put_new(&pending.name, pending.bytes.clone());
    point("archive-entry-put");
    if matches!(put, Ok(Put::Created)) {
        return Ok(());
    }
    let there = place.get(&pending.name).map_err(|source| failed(place, source))?;
    match (there, put) {
        (Some(there), _) if there == pending.bytes => Ok(()),
        (Some(there), _) => Err(overtaken(place, &pending.name, &there)),
        (None, Err(source)) => Err(failed(place, source)),
        (None, Ok(_)) => Err(failed(
            place,
            crate::place::PlaceError {
                act: "write",
                name: pending.name.clone(),
                what: "it is said to exist, and cannot be read".to_owned(),
                trouble: crate::place::Trouble::NotReady,
            },
        )),
    }
}

fn overtaken(place: &dyn Place, name: &str, there: &[u8]) -> ArchiveError {
    match Entry::from_bytes(there) {
        Ok(entry) => ArchiveError::Overtaken {
            url: place.url(),
            writer: uuid_text(entry.writer),
            name: name.to_owned(),
        },
        Err(Unreadable::Newer(found)) => {
            ArchiveError::NewerFormat { url: place.url(), name: name.to_owned(), found, supported: FORMAT }
        }
        Err(Unreadable::Wrong(what)) => broken(place, name.to_owned(), format!("it cannot be read ({what})")),
    }
}
