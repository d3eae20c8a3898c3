//! One entry of the manifest, as JSON: who wrote it, which entry it follows, and what it changes.

use super::carried::CarriedEntry;
use super::hex;
use serde::{Deserialize, Serialize};
use votestream_election::ledger::Digest;
use votestream_election::{LogId, Offset};

/// The newest format of entries and files that this build writes and reads.
pub const FORMAT: u64 = 1;

/// The directory of entries.
pub const DIRECTORY: &str = "manifest";

/// An entry. Its digest is BLAKE3 of its bytes as stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Format of the entry and of the files it names.
    pub format: u64,
    /// Its place in the chain, from 0.
    pub number: u64,
    /// Digest of the entry before; zeros for the first.
    #[serde(with = "hex::digest")]
    pub previous: Digest,
    /// Made up for this entry, so that its writer knows it again.
    #[serde(with = "hex::uuid")]
    pub attempt: u128,
    /// Made up by the writer when it started.
    #[serde(with = "hex::uuid")]
    pub writer: u128,
    /// Raised by each takeover.
    pub epoch: u64,
    /// When it was written, milliseconds since 1970: for people, and for how long replaced files are kept.
    pub at_ms: i64,
    /// What it changes.
    pub act: Act,
}

/// What an entry changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// The first entry: of what this is the archive. Its writer holds epoch 1.
    Create(Box<Identity>),
    /// Another writer goes on, under the next epoch.
    Takeover,
    /// Files that continue their partitions.
    Files {
        /// Each begins where its partition ended.
        files: Vec<FileEntry>,
    },
    /// A partition's files put together.
    Compact {
        /// Covers the range of the replaced ones.
        file: Box<FileEntry>,
        /// Names of neighbouring files, in offset order.
        replaced: Vec<String>,
    },
    /// Rows of a partition that are there no longer; what they came to is carried.
    Prune {
        /// What is left of them.
        carried: Box<CarriedEntry>,
    },
    /// The writer has finished: whoever waits need not wait longer.
    Release,
}

/// Of what this is the archive; never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The election's id.
    pub election: String,
    /// Its definition, the canonical JSON that a results store keeps too.
    pub definition: String,
    /// The archived log.
    pub log: LogEntry,
    /// Whether every record's value is kept, not only those of rejected ones.
    pub keep_bytes: bool,
    /// What the columns of voters hold.
    pub voter_ids: VoterIds,
    /// With pseudonyms: what tells their key from another. BLAKE3 under the key of the text `votestream`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_check: Option<String>,
    /// The storage ignores create-if-absent: the head of the manifest is kept in a results store.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub head_in_store: bool,
}

/// The archived log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogEntry {
    /// `dir` or `kafka`.
    pub kind: String,
    /// Its identity; of a topic, its id.
    #[serde(with = "hex::uuid")]
    pub id: u128,
    /// How many partitions it has.
    pub partitions: u32,
    /// First archived offset of each.
    pub start_offsets: Vec<u64>,
    /// The partitioners that are possible before the first record, as a results store keeps them: `murmur2,crc32`, `murmur2`.
    pub partitioners: String,
}

impl LogEntry {
    /// The log's identity.
    pub fn log_id(&self) -> LogId {
        LogId(self.id)
    }

    /// First archived offset of each partition.
    pub fn starts(&self) -> Vec<Offset> {
        self.start_offsets.iter().map(|start| Offset(*start)).collect()
    }
}

/// What the columns of voters hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VoterIds {
    /// Integer ids as they are, of texts the key that the results store keeps too.
    #[default]
    AsIs,
    /// Of every voter a keyed BLAKE3 of the id's canonical text.
    Pseudonym,
}

impl VoterIds {
    /// As settings and the manifest have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AsIs => "as-is",
            Self::Pseudonym => "pseudonym",
        }
    }
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its name, relative to the archive.
    pub name: String,
    /// Of which partition.
    pub partition: u32,
    /// First offset covered.
    pub from: u64,
    /// First offset not covered. Offsets without a row hold no record.
    pub to: u64,
    /// Rows in it.
    pub rows: u64,
    /// Of them votes, by themselves.
    pub votes: u64,
    /// Its size.
    pub bytes: u64,
    /// Digest of its bytes.
    #[serde(with = "hex::digest")]
    pub blake3: Digest,
    /// Leader epoch (directory: incarnation) of the log's batch that ends at `to`.
    pub leader_epoch: i32,
    /// The partitioners still possible at `to`, as a results store keeps them.
    pub partitioners: String,
    /// The ledger's leaves that are complete at `to` and were not at `from`, ascending.
    pub leaves: Vec<LeafEntry>,
}

/// A leaf of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeafEntry {
    /// Which: it covers offsets from `number * 65536`.
    pub number: u64,
    /// Records in it.
    pub records: u64,
    /// BLAKE3 over its rows, as the results store has it.
    #[serde(with = "hex::digest")]
    pub digest: Digest,
}

/// The name of the entry with this number.
pub fn name(number: u64) -> String {
    format!("{DIRECTORY}/{number:020}.json")
}

/// The number in an entry's name; none where it is no entry's.
pub fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(DIRECTORY)?.strip_prefix('/')?.strip_suffix(".json")?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

impl Entry {
    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("texts and integers serialise");
        bytes.push(b'\n');
        bytes
    }

    /// Reads an entry's bytes. Unknown fields are refused: nothing is passed over that a newer build meant.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Unreadable> {
        #[derive(Deserialize)]
        struct Format {
            format: u64,
        }
        let wrong = |error: &serde_json::Error| Unreadable::Wrong(error.to_string());
        let Format { format } = serde_json::from_slice(bytes).map_err(|error| wrong(&error))?;
        if format > FORMAT {
            return Err(Unreadable::Newer(format));
        }
        serde_json::from_slice(bytes).map_err(|error| wrong(&error))
    }
}

/// Why an entry cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It has a newer format.
    Newer(u64),
    /// It is damaged.
    Wrong(String),
}

/// The digest of an entry's bytes.
pub fn digest(bytes: &[u8]) -> Digest {
    Digest(*blake3::hash(bytes).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::carried::{CellSum, LeafSum, VotersEntry};

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let file = FileEntry {
            name: "data/0/x.parquet".to_owned(),
            partition: 0,
            from: 0,
            to: 70_000,
            rows: 69_999,
            votes: 69_000,
            bytes: 4_321,
            blake3: Digest([7; 32]),
            leader_epoch: 1,
            partitioners: "murmur2".to_owned(),
            leaves: vec![LeafEntry { number: 0, records: 65_536, digest: Digest([9; 32]) }],
        };
        let identity = Identity {
            election: "poll".to_owned(),
            definition: "{}".to_owned(),
            log: LogEntry {
                kind: "dir".to_owned(),
                id: 5,
                partitions: 1,
                start_offsets: vec![0],
                partitioners: "murmur2".to_owned(),
            },
            keep_bytes: false,
            voter_ids: VoterIds::AsIs,
            key_check: None,
            head_in_store: false,
        };
        let leaf = LeafSum {
            number: 0,
            records: 65_536,
            digest: Digest([9; 32]),
            counted: 65_000,
            duplicate: 500,
            rejected: [("malformed".to_owned(), 36)].into(),
        };
        let cell = CellSum {
            region: None,
            candidate: "a".to_owned(),
            gender: "Unknown".to_owned(),
            age_band: Some("18-29".to_owned()),
            votes: 65_000,
        };
        let carried = CarriedEntry {
            partition: 0,
            from: 0,
            to: 65_536,
            pruned: vec!["data/0/x.parquet".to_owned()],
            leaves: vec![leaf],
            cells: vec![cell],
            routed: vec!["murmur2".to_owned()],
            misrouted: Vec::new(),
            voters: VotersEntry {
                name: "carried/0/x.parquet".to_owned(),
                voters: 65_000,
                bytes: 5,
                blake3: Digest([3; 32]),
            },
        };
        let acts = [
            Act::Create(Box::new(identity)),
            Act::Takeover,
            Act::Files { files: vec![file.clone()] },
            Act::Compact { file: Box::new(file), replaced: vec!["data/0/a".to_owned()] },
            Act::Prune { carried: Box::new(carried) },
            Act::Release,
        ];
        for act in acts {
            let entry = Entry {
                format: FORMAT,
                number: 3,
                previous: Digest([1; 32]),
                attempt: 1 << 100,
                writer: 2,
                epoch: 3,
                at_ms: 4,
                act,
            };
            let bytes = entry.to_bytes();
            assert_eq!(Entry::from_bytes(&bytes), Ok(entry));
            let newer = String::from_utf8(bytes).unwrap().replace("\"format\": 1", "\"format\": 2");
            assert_eq!(Entry::from_bytes(newer.as_bytes()), Err(Unreadable::Newer(2)));
        }
        assert!(matches!(Entry::from_bytes(b"{\"format\": 1}"), Err(Unreadable::Wrong(_))));
    }

    #[test]
    fn names_hold_their_number() {
        assert_eq!(number(&name(12)), Some(12));
        for other in [
            "manifest/12.json",
            "manifest/x",
            "data/00000000000000000012.json",
            "manifest/+0000000000000000012.json",
        ] {
            assert_eq!(number(other), None, "{other}");
        }
    }
}
