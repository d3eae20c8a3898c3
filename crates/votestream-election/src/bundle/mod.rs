//! A bundle: results, ledger, releases, desk and definition of one moment in one file that can be checked with no access to log or
//! store. Lines of JSON; the first, the head, holds the digest of each later line, and is what is signed.
//!
//! Nothing secret is in it: the definition's salt is left out, and while a region is withheld there is no bundle at all. Keys and
//! signatures are made and checked by the caller.

mod check;

pub use check::{Checked, Fault, Signed, Verifier, check};

use crate::delta::{LedgerHead, Progress, Snapshot};
use crate::election::Election;
use crate::ledger::{Digest, LeafSeal};
use crate::releases::ReleaseBlock;
use crate::results::demographics::{Demographics, Moment};
use crate::results::desk::DeskState;
use crate::results::{DeskLog, Results};
use serde::{Deserialize, Serialize};

/// The version of bundles that this program writes, and the newest that it reads.
pub const BUNDLE_VERSION: u32 = 1;

/// The sections, in their order.
const SECTIONS: [&str; 5] = ["definition", "results", "demographics", "desk", "ledger"];

/// What a bundle is made of.
pub struct Contents<'a> {
    /// The election.
    pub election: &'a Election,
    /// The store at one moment.
    pub snapshot: &'a Snapshot,
    /// Sealed leaves of each partition.
    pub leaves: &'a [Vec<LeafSeal>],
    /// What was released of the demographics.
    pub released: &'a [ReleaseBlock],
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    /// Says what this is: `bundle`.
    votestream: String,
    version: u32,
    election: String,
    /// The store's sequence.
    sequence: u64,
    /// Wall clock of the newest commit held.
    as_of: Option<String>,
    /// Records that the ledger covers.
    records: u64,
    /// The election's digest, 64 hexadecimal digits.
    ledger: String,
    sections: Vec<Section>,
}

/// What a later line must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Section {
    name: String,
    /// Without the end of the line.
    bytes: u64,
    blake3: String,
}

/// The second line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Seal {
    /// 64 hexadecimal digits.
    public_key: Option<String>,
    /// Ed25519 over the first line without its end; 128 hexadecimal digits.
    signature: Option<String>,
}

/// The section `ledger`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LedgerSection {
    partitions: Vec<PartitionSection>,
}

/// One partition of the ledger, with all that its results stand on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PartitionSection {
    start: u64,
    next: u64,
    log_end: u64,
    counted: u64,
    duplicate: u64,
    rejected: u64,
    skipped: u64,
    /// Chain over the sealed leaves.
    chain: String,
    open_records: u64,
    open_digest: String,
    /// Number, records, digest.
    leaves: Vec<(u64, u64, String)>,
}

/// The bundle's text. `sign` gives public key and signature over the head; `None`: it is not signed.
///
/// # Errors
/// The number of regions that are withheld, where any is.
pub fn write(contents: &Contents<'_>, sign: Option<&Signer<'_>>) -> Result<String, u64> {
    let Contents { election, snapshot, leaves, released } = contents;
    let results = Results::of(election, snapshot);
    if results.withheld > 0 {
        return Err(results.withheld);
    }
    let desk = DeskState::of(election, &snapshot.desk);
    let moment = Moment { sequence: snapshot.sequence, as_of: snapshot.as_of, at: None };
    let rows = snapshot.progress.iter().zip(&snapshot.ledger).zip(*leaves);
    let partitions = rows.map(|((progress, head), leaves)| PartitionSection::of(progress, head, leaves));
    let public = Election { salt: None, ..(*election).clone() };
    let lines = [
        public.to_json(),
        line(&results),
        line(&Demographics::of(election, &desk, moment, released, None)),
        line(&DeskLog::of(election, &snapshot.desk, snapshot.sequence, None)),
        line(&LedgerSection { partitions: partitions.collect() }),
    ];
    let section = |(name, text): (&str, &String)| Section {
        name: name.to_owned(),
        bytes: text.len() as u64,
        blake3: blake3::hash(text.as_bytes()).to_string(),
    };
    let head = line(&Head {
        votestream: "bundle".to_owned(),
        version: BUNDLE_VERSION,
        election: election.id.clone(),
        sequence: snapshot.sequence,
        as_of: results.as_of.clone(),
        records: results.ledger.records,
        ledger: results.ledger.digest.clone(),
        sections: SECTIONS.into_iter().zip(&lines).map(section).collect(),
    });
    let seal = sign.map_or_else(Seal::default, |sign| {
        let (key, signature) = sign(head.as_bytes());
        Seal { public_key: Some(hex(&key)), signature: Some(hex(&signature)) }
    });
    Ok([&[head, line(&seal)], &lines[..]].concat().join("\n") + "\n")
}

/// Gives the public key and the signature over some bytes.
pub type Signer<'a> = dyn Fn(&[u8]) -> ([u8; 32], Vec<u8>) + 'a;

/// None of what is written has a map with keys that are no text, which is all that could fail.
fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

impl PartitionSection {
    fn of(progress: &Progress, head: &LedgerHead, leaves: &[LeafSeal]) -> Self {
        Self {
            start: progress.start_offset.0,
            next: progress.next_offset.0,
            log_end: progress.log_end.0,
            counted: progress.counted,
            duplicate: progress.duplicate,
            rejected: progress.rejected,
            skipped: progress.skipped,
            chain: head.chain.to_string(),
            open_records: head.open.records,
            open_digest: head.open.digest.to_string(),
            leaves: leaves.iter().map(|leaf| (leaf.number, leaf.records, leaf.digest.to_string())).collect(),
        }
    }
}

/// Bytes as hexadecimal digits, lower case.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of hexadecimal digits; `None` for any other text.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| char::from(c).to_digit(16).map(|d| d as u8);
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

fn digest_of(text: &str) -> Option<Digest> {
    from_hex(text)?.try_into().ok().map(Digest)
}
