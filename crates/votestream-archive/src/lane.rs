//! One partition on its way into the archive: records in offset order become rows of the open file, which is then sealed. What is read
//! from where, and when a file is sealed, is the engine's business.

use crate::archive::Archive;
use crate::error::ArchiveError;
use crate::file::{Codes, FileWriter, Finished};
use crate::manifest::entry::{FORMAT, FileEntry, LeafEntry};
use crate::manifest::{PartitionManifest, VoterIds};
use std::sync::Arc;
use votestream_election::archived::{ArchivedOutcome, ArchivedRow, RowMaker};
use votestream_election::event::EventParser;
use votestream_election::fold::Record;
use votestream_election::ids::uuid_text;
use votestream_election::ledger::LEAF_OFFSETS;
use votestream_election::{Offset, PartitionId, VoterKey};

/// What of a record is kept besides its row.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Every record's value, not only those of rejected ones.
    pub every_value: bool,
    /// The key of pseudonyms: then no voter's id is kept, and no value, which may hold one.
    pub pseudonyms: Option<[u8; 32]>,
}

impl Kept {
    /// What tells this key from another, for the manifest.
    pub fn key_check(&self) -> Option<String> {
        self.pseudonyms.map(|key| blake3::keyed_hash(&key, b"votestream").to_hex().to_string())
    }
}

/// One partition being archived.
pub struct Lane {
    partition: PartitionId,
    codes: Arc<Codes>,
    about: String,
    maker: RowMaker,
    kept: Kept,
    /// First offset that no file covers; that of the open file.
    from: Offset,
    next: Offset,
    leader_epoch: i32,
    /// The open leaf's beginning could not be read again: it has no digest here.
    leaf_lost: bool,
    file: Option<FileWriter>,
    text: Vec<u8>,
}

/// A sealed file and what the manifest is to say of it, but for its name.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Its entry, the name still empty.
    pub entry: FileEntry,
    /// The file.
    pub file: Finished,
}

impl Lane {
    /// Goes on where the archive ends. Rows of the leaf that lies open there are read again from the archive, or, where it holds
    /// pseudonyms, must be fed by [`Self::again`] from [`Self::rebuild_from`] on.
    ///
    /// # Errors
    /// The archive's last files are not what the manifest says.
    pub fn resume(archive: &Archive, partition: PartitionId, kept: Kept) -> Result<Self, ArchiveError> {
        let there = archive.partition(partition);
        let identity = &archive.manifest().identity;
        let from = Self::rebuild_from(there);
        let parser = EventParser::new(archive.election());
        let place = (partition, identity.log.partitions);
        let mut lane = Self {
            partition,
            codes: Arc::clone(archive.codes()),
            about: about(archive, partition),
            maker: RowMaker::new(parser, place, there.partitioners, from),
            kept,
            from: there.next,
            next: there.next,
            leader_epoch: there.leader_epoch,
            leaf_lost: false,
            file: None,
            text: Vec::new(),
        };
        if from < there.next && identity.voter_ids == VoterIds::AsIs {
            let mut rows = archive.rows(partition, from);
            while let Some(batch) = rows.next_batch()? {
                batch.rows().iter().for_each(|row| lane.maker.again(row));
            }
        }
        Ok(lane)
    }

    /// The start of the leaf that lies open where the archive ends.
    pub fn rebuild_from(there: &PartitionManifest) -> Offset {
        there.start.max(Offset(there.next.0 / LEAF_OFFSETS * LEAF_OFFSETS))
    }

    /// Feeds a record again that is archived already, for the open leaf's digest.
    pub fn again(&mut self, record: &Record<'_>) {
        self.maker.row(record);
    }

    /// The open leaf's beginning cannot be fed: its digest is left out.
    pub fn leaf_is_lost(&mut self) {
        self.leaf_lost = true;
    }

    /// Archives the next record. Offsets between the last one and this one hold no record.
    ///
    /// # Errors
    /// None that is known of.
    #[inline]
    pub fn record(&mut self, record: &Record<'_>) -> Result<(), ArchiveError> {
        let mut row = self.maker.row(record);
        let mut value = record.value;
        if let Some(key) = self.kept.pseudonyms {
            self.disguise(&mut row, &key);
            value = None;
        } else if !self.kept.every_value && matches!(row.outcome, ArchivedOutcome::Vote { .. }) {
            value = None;
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                none.insert(FileWriter::new(Arc::clone(&self.codes), self.partition, self.about.clone())?)
            }
        };
        file.push(&row, value)?;
        self.next = record.offset.plus(1);
        Ok(())
    }

    /// Puts a pseudonym in the voter's place.
    fn disguise(&mut self, row: &mut ArchivedRow, key: &[u8; 32]) {
        let ArchivedOutcome::Vote { vote, .. } = &mut row.outcome else { return };
        self.text.clear();
        self.maker.canonical_text(vote.voter, &mut self.text);
        let hash = blake3::keyed_hash(key, &self.text);
        let mut head = [0; 16];
        head.copy_from_slice(&hash.as_bytes()[..16]);
        vote.voter = VoterKey::Text(u128::from_be_bytes(head));
    }

    /// Ends a batch of the log: all offsets below `end` have been seen. `leader_epoch` is the batch's. Files end here only, so that the
    /// log can be asked for the batch that ends where a file does.
    pub fn end_batch(&mut self, end: Offset, leader_epoch: i32) {
        self.next = end;
        self.leader_epoch = leader_epoch;
        self.maker.advance_to(end);
    }

    /// Seals what came since the last seal; none where nothing did. Call it between batches only.
    ///
    /// # Errors
    /// None that is known of.
    pub fn seal(&mut self) -> Result<Option<Sealed>, ArchiveError> {
        if self.next == self.from {
            return Ok(None);
        }
        let file = match self.file.take() {
            Some(file) => file,
            // Offsets without a record are passed, too: by a file without rows.
            None => FileWriter::new(Arc::clone(&self.codes), self.partition, self.about.clone())?,
        };
        let file = file.finish()?;
        let mut leaves: Vec<LeafEntry> = self
            .maker
            .take_leaves()
            .iter()
            .map(|leaf| LeafEntry { number: leaf.number, records: leaf.records, digest: leaf.digest })
            .collect();
        if self.leaf_lost && !leaves.is_empty() {
            leaves.remove(0);
            self.leaf_lost = false;
        }
        let entry = FileEntry {
            name: String::new(),
            partition: self.partition.0,
            from: self.from.0,
            to: self.next.0,
            rows: file.rows,
            votes: file.votes,
            bytes: file.bytes.len() as u64,
            blake3: file.blake3,
            leader_epoch: self.leader_epoch,
            partitioners: self.maker.possible().to_text().to_owned(),
            leaves,
        };
        self.from = self.next;
        Ok(Some(Sealed { entry, file }))
    }

    /// Which partition this is.
    pub fn partition(&self) -> PartitionId {
        self.partition
    }

    /// First offset not yet handed in.
    pub fn next(&self) -> Offset {
        self.next
    }

    /// Something was handed in since the last seal.
    pub fn is_open(&self) -> bool {
        self.next > self.from
    }

    /// About how many bytes the open file will have.
    pub fn file_bytes(&self) -> u64 {
        self.file.as_ref().map_or(0, |file| file.encoded_bytes() as u64)
    }

    /// About how much memory the open file takes.
    pub fn memory_bytes(&self) -> u64 {
        self.file.as_ref().map_or(0, |file| file.memory_bytes() as u64)
    }
}

/// What a file says of itself.
pub(crate) fn about(archive: &Archive, partition: PartitionId) -> String {
    let identity = &archive.manifest().identity;
    serde_json::json!({
        "format": FORMAT,
        "election": identity.election,
        "log": uuid_text(identity.log.id),
        "partition": partition.0,
    })
    .to_string()
}
