//! An archive open for reading: its verified manifest, and the rows of each partition, in offset order, without gaps or overlaps.

use crate::error::ArchiveError;
use crate::file::{Codes, FileRows, RowBatch, each_voter, voters_file};
use crate::lane::about;
use crate::manifest::entry::{FORMAT, FileEntry};
use crate::manifest::{Manifest, PartitionManifest, VotersEntry, chain};
use crate::place::Place;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use votestream_election::ledger::Digest;
use votestream_election::{Election, Offset, PartitionId, VoterKey};

/// An archive open for reading. For any thread.
#[derive(Clone, Debug)]
pub struct Archive {
    place: Arc<dyn Place>,
    manifest: Manifest,
    election: Election,
    codes: Arc<Codes>,
}

impl Archive {
    /// Reads the manifest and checks its chain. Files are checked as they are read.
    ///
    /// # Errors
    /// No archive there, something else there, a newer format, a broken manifest; the storage fails.
    pub fn open(place: Arc<dyn Place>) -> Result<Self, ArchiveError> {
        let manifest = chain::read(&*place)?.ok_or_else(|| ArchiveError::NotFound { url: place.url() })?;
        Self::of(place, manifest)
    }

    /// The archive as this manifest has it.
    ///
    /// # Errors
    /// Its definition cannot be read.
    pub fn of(place: Arc<dyn Place>, manifest: Manifest) -> Result<Self, ArchiveError> {
        let election =
            Election::from_json(&manifest.identity.definition).map_err(|error| ArchiveError::Other {
                url: place.url(),
                what: format!("has a definition that cannot be read: {error}"),
            })?;
        let codes = Arc::new(Codes::new(&election));
        Ok(Self { place, manifest, election, codes })
    }

    /// The storage on which it lies.
    pub fn place(&self) -> &Arc<dyn Place> {
        &self.place
    }

    /// What the manifest says: identity, files, how far each partition is archived, leaves.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The election as it was archived.
    pub fn election(&self) -> &Election {
        &self.election
    }

    /// The election's lists as the files write them.
    pub(crate) fn codes(&self) -> &Arc<Codes> {
        &self.codes
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.place.url()
    }

    /// One partition as the manifest has it.
    ///
    /// # Panics
    /// When the log has no such partition.
    pub fn partition(&self, partition: PartitionId) -> &PartitionManifest {
        &self.manifest.partitions[partition.0 as usize]
    }

    /// The rows of a partition from `from` on, up to where it is archived. Before [`PartitionManifest::rows_from`] some may be missing.
    ///
    /// # Panics
    /// When the log has no such partition.
    pub fn rows(&self, partition: PartitionId, from: Offset) -> ArchiveRows {
        let files = &self.partition(partition).files;
        let first = files.partition_point(|file| file.to <= from.0);
        self.rows_of(&files[first..], from)
    }

    /// Whether all rows are there. `needs` says what cannot be done without them.
    ///
    /// # Errors
    /// Some were pruned.
    pub fn refuse_pruned(&self, needs: &str) -> Result<(), ArchiveError> {
        let pruned = self.manifest.partitions.iter().position(|partition| !partition.carried.is_empty());
        match pruned {
            None => Ok(()),
            Some(partition) => Err(ArchiveError::Other {
                url: self.url(),
                what: format!(
                    "was pruned up to offset {} of partition {partition}: {needs}; do it from the log, or from a copy of the archive made before",
                    self.manifest.partitions[partition].rows_from()
                ),
            }),
        }
    }

    /// Hands over each voter that was counted in the pruned rows of a partition.
    ///
    /// # Errors
    /// A file is missing, or is not the one that the manifest names; the storage fails.
    ///
    /// # Panics
    /// When the log has no such partition.
    pub fn carried_voters(
        &self,
        partition: PartitionId,
        each: &mut dyn FnMut(VoterKey),
    ) -> Result<(), ArchiveError> {
        for carried in &self.partition(partition).carried {
            let VotersEntry { name, voters, bytes, blake3 } = &carried.voters;
            let wanted = Named { name, bytes: *bytes, blake3, holds: "voters of pruned rows".to_owned() };
            let broken = |what: String| ArchiveError::File { url: self.url(), name: name.clone(), what };
            let found = each_voter(fetch(&*self.place, &wanted)?, each)
                .map_err(|error| broken(format!("cannot be read as the archive writes it: {error}")))?;
            if found != *voters {
                return Err(broken(format!("holds {found} voters, and the manifest says {voters}")));
            }
        }
        Ok(())
    }

    /// A file of these voters, which are put in order, and what the manifest is to say of it, but for its name.
    ///
    /// # Errors
    /// None that is known of.
    pub fn voters_file(
        &self,
        partition: PartitionId,
        voters: &mut [VoterKey],
    ) -> Result<(VotersEntry, Bytes), ArchiveError> {
        let bytes = voters_file(voters, about(self, partition)).map_err(ArchiveError::Encode)?;
        let entry = VotersEntry {
            name: String::new(),
            voters: voters.len() as u64,
            bytes: bytes.len() as u64,
            blake3: Digest(*blake3::hash(&bytes).as_bytes()),
        };
        Ok((entry, bytes))
    }

    /// The rows of neighbouring files from `from` on.
    pub(crate) fn rows_of(&self, files: &[FileEntry], from: Offset) -> ArchiveRows {
        ArchiveRows {
            place: Arc::clone(&self.place),
            codes: Arc::clone(&self.codes),
            files: files.iter().cloned().collect(),
            open: None,
            from,
            position: from,
            batch: RowBatch::default(),
        }
    }
}

/// Reads the rows of one partition, file after file. Holds one file at a time, so memory is bounded by the size at which files roll.
pub struct ArchiveRows {
    place: Arc<dyn Place>,
    codes: Arc<Codes>,
    files: VecDeque<FileEntry>,
    open: Option<Open>,
    from: Offset,
    position: Offset,
    batch: RowBatch,
}

struct Open {
    entry: FileEntry,
    rows: FileRows,
    read: u64,
    /// Rows that were passed over unread: then their number cannot be checked.
    skipped: bool,
}

impl ArchiveRows {
    /// The next rows; none at the end of what is archived. A file is compared with the manifest before anything of it is given out.
    ///
    /// # Errors
    /// A file is missing, or is not the one that the manifest names; the storage fails.
    pub fn next_batch(&mut self) -> Result<Option<&RowBatch>, ArchiveError> {
        loop {
            if self.open.is_none() {
                let Some(entry) = self.files.pop_front() else { return Ok(None) };
                self.open = Some(self.open_file(entry)?);
            }
            let Some(open) = &mut self.open else { continue };
            let url = self.place.url();
            let broken = |what: String| ArchiveError::File { url, name: open.entry.name.clone(), what };
            match open.rows.next_into(&mut self.batch) {
                Err(error) => {
                    return Err(broken(format!("cannot be read as the archive writes it: {error}")));
                }
                Ok(true) => {
                    open.read += self.batch.rows().len() as u64;
                    let in_order = self.batch.rows().is_sorted_by(|a, b| a.offset < b.offset);
                    let rows = self.batch.rows();
                    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { continue };
                    let start =
                        if open.skipped { Offset(open.entry.from) } else { self.position.min(first.offset) };
                    if !in_order
                        || first.offset < start
                        || first.offset.0 < open.entry.from
                        || last.offset.0 >= open.entry.to
                    {
                        return Err(broken("holds rows out of their order".to_owned()));
                    }
                    self.position = last.offset.plus(1);
                    if first.offset < self.from {
                        self.batch.skip_before(self.from);
                        if self.batch.rows().is_empty() {
                            continue;
                        }
                    }
                    return Ok(Some(&self.batch));
                }
                Ok(false) => {
                    if !open.skipped && open.read != open.entry.rows {
                        return Err(broken(format!(
                            "holds {} rows, and the manifest says {}",
                            open.read, open.entry.rows
                        )));
                    }
                    self.position = Offset(open.entry.to).max(self.from);
                    self.open = None;
                }
            }
        }
    }

    /// All offsets below have been given out, or hold no record.
    pub fn position(&self) -> Offset {
        self.position
    }

    fn open_file(&self, entry: FileEntry) -> Result<Open, ArchiveError> {
        let holds = format!("offsets {}..{} of partition {}", entry.from, entry.to, entry.partition);
        let wanted = Named { name: &entry.name, bytes: entry.bytes, blake3: &entry.blake3, holds };
        let bytes = fetch(&*self.place, &wanted)?;
        let broken =
            |what: String| ArchiveError::File { url: self.place.url(), name: entry.name.clone(), what };
        let mut rows = FileRows::new(bytes, Arc::clone(&self.codes))
            .map_err(|error| broken(format!("is not of format {FORMAT}: {error}")))?;
        let skipped = entry.from < self.from.0;
        if skipped {
            rows.skip_to(self.from);
        }
        Ok(Open { entry, rows, read: 0, skipped })
    }
}

/// What the manifest says of a file.
struct Named<'a> {
    name: &'a str,
    bytes: u64,
    blake3: &'a Digest,
    /// What is in it, for a person.
    holds: String,
}

/// A file's bytes, compared with what the manifest says of them.
fn fetch(place: &dyn Place, wanted: &Named<'_>) -> Result<Bytes, ArchiveError> {
    let broken = |what: String| ArchiveError::File { url: place.url(), name: wanted.name.to_owned(), what };
    let bytes = place
        .get(wanted.name)
        .map_err(|source| ArchiveError::Place { url: place.url(), source })?
        .ok_or_else(|| {
            broken(format!(
                "is missing ({}): it was deleted or renamed; bring it back, or it was compacted or pruned meanwhile and the grace period is over: then try again",
                wanted.holds
            ))
        })?;
    if bytes.len() as u64 != wanted.bytes {
        return Err(broken(format!(
            "has {} bytes, and the manifest says {}: it was cut or written over; bring it back from a copy",
            bytes.len(),
            wanted.bytes
        )));
    }
    let digest = Digest(*blake3::hash(&bytes).as_bytes());
    if digest != *wanted.blake3 {
        return Err(broken(format!(
            "has BLAKE3 {digest}, and the manifest says {}: it was changed; bring it back from a copy",
            wanted.blake3
        )));
    }
    Ok(bytes)
}
