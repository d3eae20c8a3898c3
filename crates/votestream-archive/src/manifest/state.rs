//! What a chain of entries comes to: the files that are there, how far each partition is archived, who writes. Pure: entries in, state
//! or fault out.

use super::carried::CarriedEntry;
use super::entry::{Act, Entry, FileEntry, Identity, LeafEntry};
use std::fmt;
use std::sync::Arc;
use votestream_election::Offset;
use votestream_election::ledger::{Digest, LEAF_OFFSETS, LeafSeal, chain};
use votestream_election::partitioner::PartitionerSet;

/// The last entry of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub number: u64,
    /// Its digest.
    pub digest: Digest,
}

/// What the entries up to a head say.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The last entry.
    pub head: Head,
    /// Of what this is the archive.
    pub identity: Identity,
    /// The epoch of the writer that may write now.
    pub epoch: u64,
    /// That writer.
    pub writer: u128,
    /// When the last entry was written, milliseconds since 1970.
    pub at_ms: i64,
    /// Each partition, in order.
    pub partitions: Vec<PartitionManifest>,
    /// Files that compactions replaced or that were pruned; they are deleted after a while.
    pub replaced: Vec<Replaced>,
    /// That writer has said that it has finished.
    pub released: bool,
}

/// How far one partition is archived, and in what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionManifest {
    /// First archived offset.
    pub start: Offset,
    /// First offset not archived.
    pub next: Offset,
    /// Leader epoch of the log's batch that ends at `next`; −1 before the first.
    pub leader_epoch: i32,
    /// The partitioners still possible at `next`.
    pub partitioners: PartitionerSet,
    /// What is left of rows that were pruned, in offset order, without gap or overlap.
    pub carried: Vec<Arc<CarriedEntry>>,
    /// Its files, in offset order, without gap or overlap. The first may begin before [`Self::rows_from`].
    pub files: Vec<FileEntry>,
}

/// A file that a compaction replaced, or that was pruned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Its name.
    pub name: String,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
}

/// What is wrong with an entry that should follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(pub String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(super) fn fault<T>(text: impl Into<String>) -> Result<T, Fault> {
    Err(Fault(text.into()))
}

impl Manifest {
    /// What the first entry says.
    pub fn first(entry: &Entry, digest: Digest) -> Result<Self, Fault> {
        let Act::Create(identity) = &entry.act else {
            return fault("the first entry is not one that makes an archive");
        };
        if entry.number != 0 || entry.epoch != 1 || entry.previous != Digest::default() {
            return fault("the first entry does not begin a chain");
        }
        let log = &identity.log;
        let Some(partitioners) = PartitionerSet::from_text(&log.partitioners) else {
            return fault(format!("'{}' is no set of partitioners", log.partitioners));
        };
        if log.partitions == 0 || log.start_offsets.len() != log.partitions as usize {
            return fault("the first entry does not say where each partition starts");
        }
        let partition = |start: &u64| PartitionManifest {
            start: Offset(*start),
            next: Offset(*start),
            leader_epoch: -1,
            partitioners,
            carried: Vec::new(),
            files: Vec::new(),
        };
        Ok(Self {
            head: Head { number: 0, digest },
            partitions: log.start_offsets.iter().map(partition).collect(),
            identity: (**identity).clone(),
            epoch: entry.epoch,
            writer: entry.writer,
            at_ms: entry.at_ms,
            replaced: Vec::new(),
            released: false,
        })
    }

    /// Takes the next entry in, whose bytes have this digest. After a fault nothing is changed.
    pub fn apply(&mut self, entry: &Entry, digest: Digest) -> Result<(), Fault> {
        if entry.number != self.head.number + 1 {
            return fault(format!("it says to be entry {}, not {}", entry.number, self.head.number + 1));
        }
        if entry.previous != self.head.digest {
            return fault(
                "it does not follow the entry before it (that one's digest is another): one of them was changed",
            );
        }
        let takes_over = entry.act == Act::Takeover;
        if entry.epoch != self.epoch + u64::from(takes_over) || (!takes_over && entry.writer != self.writer) {
            return fault("its writer had been overtaken");
        }
        match &entry.act {
            Act::Create(_) => return fault("it makes an archive that is there already"),
            Act::Takeover | Act::Release => {}
            Act::Files { files } => self.add(files)?,
            Act::Compact { file, replaced } => self.replace(file, replaced, entry.at_ms)?,
            Act::Prune { carried } => self.prune(carried, entry.at_ms)?,
        }
        self.released = entry.act == Act::Release;
        self.head = Head { number: entry.number, digest };
        (self.epoch, self.writer, self.at_ms) = (entry.epoch, entry.writer, entry.at_ms);
        Ok(())
    }

    fn add(&mut self, files: &[FileEntry]) -> Result<(), Fault> {
        let mut partitions = self.partitions.clone();
        for file in files {
            let Some(partition) = partitions.get_mut(file.partition as usize) else {
                return fault(format!(
                    "file '{}' is of partition {}, which the log has not",
                    file.name, file.partition
                ));
            };
            let partitioners = check(file)?;
            if file.from != partition.next.0 {
                return fault(format!(
                    "file '{}' begins at offset {} of partition {}, which is archived up to {}",
                    file.name, file.from, file.partition, partition.next
                ));
            }
            partition.next = Offset(file.to);
            partition.leader_epoch = file.leader_epoch;
            partition.partitioners = partitioners;
            partition.files.push(file.clone());
        }
        self.partitions = partitions;
        Ok(())
    }

    fn replace(&mut self, file: &FileEntry, names: &[String], at_ms: i64) -> Result<(), Fault> {
        check(file)?;
        let Some(partition) = self.partitions.get_mut(file.partition as usize) else {
            return fault(format!(
                "file '{}' is of partition {}, which the log has not",
                file.name, file.partition
            ));
        };
        let first = names.first().and_then(|name| partition.files.iter().position(|old| old.name == *name));
        let Some(old) = first.and_then(|at| Some((at, partition.files.get(at..at + names.len())?))) else {
            return fault("it replaces files that are not there");
        };
        let (at, old) = old;
        if old.iter().zip(names).any(|(old, name)| old.name != *name) {
            return fault("it replaces files that are no neighbours");
        }
        let (rows, votes) = old.iter().fold((0, 0), |sum, old| (sum.0 + old.rows, sum.1 + old.votes));
        let leaves: Vec<_> = old.iter().flat_map(|old| old.leaves.iter().copied()).collect();
        let range = (old[0].from, old[old.len() - 1].to);
        if (file.from, file.to) != range || (file.rows, file.votes) != (rows, votes) || file.leaves != leaves
        {
            return fault(format!("file '{}' is not what the files that it replaces come to", file.name));
        }
        self.replaced.extend(names.iter().map(|name| Replaced { name: name.clone(), at_ms }));
        partition.files.splice(at..at + names.len(), [file.clone()]);
        Ok(())
    }

    /// Rows archived.
    pub fn rows(&self) -> u64 {
        self.partitions.iter().flat_map(|partition| &partition.files).map(|file| file.rows).sum()
    }

    /// Bytes of the files that are there, replaced ones apart.
    pub fn bytes(&self) -> u64 {
        self.partitions.iter().flat_map(|partition| &partition.files).map(|file| file.bytes).sum()
    }

    /// First offset of each partition that is not archived.
    pub fn next(&self) -> Vec<Offset> {
        self.partitions.iter().map(|partition| partition.next).collect()
    }
}

impl PartitionManifest {
    /// The first offset whose rows are there: all before it are carried.
    pub fn rows_from(&self) -> Offset {
        self.carried.last().map_or(self.start, |carried| Offset(carried.to))
    }

    /// The leaves of rows that are there.
    pub(super) fn open_leaves(&self) -> impl Iterator<Item = LeafEntry> {
        let first = self.rows_from().0 / LEAF_OFFSETS;
        self.files
            .iter()
            .flat_map(|file| file.leaves.iter().copied())
            .filter(move |leaf| leaf.number >= first)
    }

    /// The ledger's leaves as the manifest has them, chained as a results store chains them as long as none is left out.
    pub fn leaves(&self) -> Vec<LeafSeal> {
        let mut previous = Digest::default();
        let seal = |leaf: LeafEntry| {
            previous = chain(&previous, &leaf.digest);
            LeafSeal { number: leaf.number, records: leaf.records, digest: leaf.digest, chain: previous }
        };
        let carried = self.carried.iter().flat_map(|carried| &carried.leaves);
        let carried =
            carried.map(|sum| LeafEntry { number: sum.number, records: sum.records, digest: sum.digest });
        carried.chain(self.open_leaves()).map(seal).collect()
    }
}

/// Whether a file's entry makes sense by itself.
fn check(file: &FileEntry) -> Result<PartitionerSet, Fault> {
    let offsets = file.to.checked_sub(file.from).filter(|offsets| *offsets > 0);
    let Some(offsets) = offsets else { return fault(format!("file '{}' covers no offset", file.name)) };
    if file.rows > offsets || file.votes > file.rows {
        return fault(format!("file '{}' has more rows than offsets", file.name));
    }
    let (first, end) = (file.from / LEAF_OFFSETS, file.to / LEAF_OFFSETS);
    let numbers: Vec<u64> = file.leaves.iter().map(|leaf| leaf.number).collect();
    // The first is left out where its beginning could not be read again (pseudonyms, and the log has forgotten it).
    if !numbers.iter().copied().eq(first..end) && !numbers.iter().copied().eq(first + 1..end) {
        return fault(format!("file '{}' does not have the leaves of its range", file.name));
    }
    match PartitionerSet::from_text(&file.partitioners) {
        Some(partitioners) => Ok(partitioners),
        None => fault(format!("file '{}' has no set of partitioners", file.name)),
    }
}
