//! Checking a bundle: whether each line is what the head says, who signed the head, and whether the numbers follow from one another.
//! What it cannot show is that the records themselves were what they are said to be: that takes the log or the archive, and a recount.

use super::{BUNDLE_VERSION, Head, LedgerSection, PartitionSection, SECTIONS, Seal, digest_of, from_hex};
use crate::delta::{DeskAct, Engine, LedgerHead, OpenLeaf, Progress, Snapshot};
use crate::election::Election;
use crate::ids::{Millis, Offset, PartitionId};
use crate::ledger::{Digest, LEAF_OFFSETS, chain, election_digest};
use crate::results::demographics::Demographics;
use crate::results::{DeskLog, Results};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// Why a bundle cannot be read, or what in it is not so.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Fault {
    /// No bundle at all.
    #[error("it is no bundle of votestream: {0}")]
    NotOne(String),
    /// Written by a newer program.
    #[error(
        "it is a bundle of version {0}, and this program reads up to version {BUNDLE_VERSION}; check it with a newer votestream"
    )]
    Newer(u32),
    /// It says something that is not so.
    #[error("{0}")]
    Wrong(String),
}

impl Fault {
    /// Whether it says something that is not so, rather than that it cannot be read.
    pub fn is_wrong(&self) -> bool {
        matches!(self, Self::Wrong(_))
    }
}

/// What a sound bundle says.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The results, which the ledger, the desk's acts and the definition bear out.
    pub results: Results,
    /// Leaves of the ledger.
    pub leaves: u64,
    /// Who signed it, if anybody did.
    pub signed: Signed,
}

/// Who signed a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// Nobody.
    Not,
    /// Whoever has the secret key of this public one.
    By([u8; 32]),
}

/// Says whether a signature (the last) over some bytes is that of a public key.
pub type Verifier<'a> = dyn Fn(&[u8; 32], &[u8], &[u8]) -> bool + 'a;

/// Checks a bundle. `verify` says whether a signature over some bytes is that of a public key.
pub fn check(text: &str, verify: &Verifier<'_>) -> Result<Checked, Fault> {
    let mut lines = text.split('\n');
    let (first, second) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let head = head(first)?;
    let sections = sections(&head, lines)?;
    let signed = signed(first, second, verify)?;
    let election =
        Election::from_json(sections[0]).map_err(|error| wrong(format!("its definition: {error}")))?;
    let results: Results = parsed("results", sections[1])?;
    let demographics: Demographics = parsed("demographics", sections[2])?;
    let desk: DeskLog = parsed("desk", sections[3])?;
    let ledger: LedgerSection = parsed("ledger", sections[4])?;
    if [&election.id, &results.election.id, &demographics.election, &desk.election]
        .iter()
        .any(|id| **id != head.election)
    {
        return Err(wrong(format!(
            "its sections are not all of the election '{}' that its head names",
            head.election
        )));
    }
    let heads = ledger.partitions.iter().enumerate().map(|(p, part)| ledger_head(p, part));
    let heads: Vec<LedgerHead> = heads.collect::<Result<_, _>>()?;
    let digest = election_digest(&heads).to_string();
    if digest != head.ledger {
        return Err(wrong(format!(
            "its leaves come to the ledger digest {digest}, its head says {}",
            head.ledger
        )));
    }
    follows(&election, &results, &snapshot(&election, &head, &results, &desk, (&ledger, &heads))?)?;
    demographics_fit(&election, &results, &demographics)?;
    Ok(Checked { results, leaves: heads.iter().map(|head| head.leaves).sum(), signed })
}

fn wrong(what: impl Into<String>) -> Fault {
    Fault::Wrong(what.into())
}

fn head(line: &str) -> Result<Head, Fault> {
    #[derive(Deserialize)]
    struct Kind {
        votestream: String,
        version: u32,
    }
    let not_one = |error: serde_json::Error| Fault::NotOne(format!("its first line: {error}"));
    let kind: Kind = serde_json::from_str(line).map_err(not_one)?;
    if kind.votestream != "bundle" {
        return Err(Fault::NotOne(format!("its first line is of a '{}'", kind.votestream)));
    }
    if kind.version > BUNDLE_VERSION {
        return Err(Fault::Newer(kind.version));
    }
    serde_json::from_str(line).map_err(not_one)
}

/// The later lines, each as the head says.
fn sections<'t>(head: &Head, mut lines: std::str::Split<'t, char>) -> Result<Vec<&'t str>, Fault> {
    let names: Vec<&str> = head.sections.iter().map(|section| section.name.as_str()).collect();
    if names != SECTIONS {
        return Err(wrong(format!("its head lists the sections {names:?}, not {SECTIONS:?}")));
    }
    let mut texts = Vec::new();
    for section in &head.sections {
        let name = &section.name;
        let text = lines.next().ok_or_else(|| wrong(format!("it ends before its section '{name}'")))?;
        let digest = blake3::hash(text.as_bytes()).to_string();
        if digest != section.blake3 || text.len() as u64 != section.bytes {
            return Err(wrong(format!(
                "its section '{name}' was changed: BLAKE3 {digest} over {} bytes, its head says {} over {}",
                text.len(),
                section.blake3,
                section.bytes
            )));
        }
        texts.push(text);
    }
    if lines.any(|line| !line.is_empty()) {
        return Err(wrong("something follows its last section"));
    }
    Ok(texts)
}

fn signed(head: &str, seal: &str, verify: &Verifier<'_>) -> Result<Signed, Fault> {
    let seal: Seal = parsed("signature", seal)?;
    let (Some(key), Some(signature)) = (&seal.public_key, &seal.signature) else {
        return if seal == Seal::default() {
            Ok(Signed::Not)
        } else {
            Err(wrong("half of its signature is missing"))
        };
    };
    let public: Option<[u8; 32]> = from_hex(key).and_then(|bytes| bytes.try_into().ok());
    let (Some(public), Some(signature)) = (public, from_hex(signature)) else {
        return Err(wrong(
            "its signature is none: a public key of 64 hexadecimal digits and a signature of 128 are needed",
        ));
    };
    if verify(&public, head.as_bytes(), &signature) {
        Ok(Signed::By(public))
    } else {
        Err(wrong(format!(
            "its signature is not that of the key {key} over its head: the head was changed, or somebody else signed"
        )))
    }
}

fn parsed<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| wrong(format!("its section '{name}' cannot be read: {error}")))
}

/// A partition's head as its leaves give it.
fn ledger_head(p: usize, part: &PartitionSection) -> Result<LedgerHead, Fault> {
    let of = |what: &str, text: &str| {
        digest_of(text).ok_or_else(|| wrong(format!("partition {p}: its {what} '{text}' is no digest")))
    };
    let (mut value, mut records) = (Digest::default(), part.open_records);
    for (at, (number, in_leaf, digest)) in (part.start / LEAF_OFFSETS..).zip(&part.leaves) {
        if *number != at || *in_leaf > LEAF_OFFSETS {
            return Err(wrong(format!(
                "partition {p}: leaf {number} with {in_leaf} records stands where leaf {at} belongs"
            )));
        }
        value = chain(&value, &of("leaf", digest)?);
        records = records.saturating_add(*in_leaf);
    }
    if value != of("chain", &part.chain)? {
        return Err(wrong(format!(
            "partition {p}: its leaves come to the chain {value}, it says {}",
            part.chain
        )));
    }
    let sums =
        [part.counted, part.duplicate, part.rejected].iter().fold(0_u64, |sum, n| sum.saturating_add(*n));
    if records != sums {
        return Err(wrong(format!(
            "partition {p}: its leaves hold {records} records, it says {sums} were counted, duplicate or rejected"
        )));
    }
    if part.next.checked_sub(part.start) != sums.checked_add(part.skipped) {
        return Err(wrong(format!(
            "partition {p}: its records and gaps do not make up the offsets {}..{}",
            part.start, part.next
        )));
    }
    let open = OpenLeaf { records: part.open_records, digest: of("open leaf", &part.open_digest)? };
    Ok(LedgerHead { leaves: part.leaves.len() as u64, chain: value, open })
}

/// The store's snapshot as far as the bundle tells it.
fn snapshot(
    election: &Election,
    head: &Head,
    results: &Results,
    desk: &DeskLog,
    (ledger, heads): (&LedgerSection, &[LedgerHead]),
) -> Result<Snapshot, Fault> {
    let candidates = election.candidates.iter().map(|candidate| candidate.id.as_str());
    let votes = |of: &dyn Fn(&str) -> Option<u64>| {
        candidates.clone().map(|id| of(id).unwrap_or(0)).collect::<Vec<_>>()
    };
    let totals: Vec<u64> = if election.regions.is_empty() {
        votes(&|id| results.candidates.iter().find(|c| c.id == id).map(|c| c.votes))
    } else {
        let region = |code: &str| results.regions.iter().find(|region| region.code == code);
        let rows = election.regions.iter().map(|r| votes(&|id| region(&r.code)?.votes.get(id)));
        rows.flatten().collect()
    };
    let acts = desk.acts.iter().map(|act| {
        Ok(DeskAct {
            number: act.number,
            action: act.action,
            region: act.region.clone(),
            at: moment(&act.time)?,
            counted: act.counted.unwrap_or(0),
        })
    });
    Ok(Snapshot {
        store_uuid: 0,
        sequence: head.sequence,
        as_of: head.as_of.as_deref().map(moment).transpose()?,
        progress: (0..).zip(&ledger.partitions).map(|(p, part)| progress(PartitionId(p), part)).collect(),
        totals,
        ledger: heads.to_vec(),
        rejects: Vec::new(),
        desk: acts.collect::<Result<_, _>>()?,
        at: None,
    })
}

fn progress(partition: PartitionId, part: &PartitionSection) -> Progress {
    Progress {
        partition,
        epoch: 0,
        engine: Engine::Native,
        start_offset: Offset(part.start),
        next_offset: Offset(part.next),
        leader_epoch: -1,
        counted: part.counted,
        duplicate: part.duplicate,
        rejected: part.rejected,
        skipped: part.skipped,
        flushes: 0,
        minute: None,
        log_end: Offset(part.log_end),
        sealed: None,
        outside: 0,
    }
}

fn moment(text: &str) -> Result<Millis, Fault> {
    let moment: Result<jiff::Timestamp, _> = text.parse();
    moment
        .map(|time| Millis(time.as_millisecond()))
        .map_err(|error| wrong(format!("'{text}' is no time: {error}")))
}

/// Whether the results are those that definition, votes, desk and ledger give.
fn follows(election: &Election, results: &Results, snapshot: &Snapshot) -> Result<(), Fault> {
    let votes: u64 = snapshot.totals.iter().fold(0, |sum, votes| sum.saturating_add(*votes));
    let counted: u64 = snapshot.progress.iter().fold(0, |sum, p| sum.saturating_add(p.counted));
    if votes != counted {
        return Err(wrong(format!("its regions hold {votes} votes, its ledger covers {counted} counted")));
    }
    // Through the same reading of decimals as those of the bundle.
    let expect: Results = parsed("results", &super::line(&Results::of(election, snapshot)))?;
    if *results == expect {
        return Ok(());
    }
    let json = |results: &Results| serde_json::to_value(results).unwrap_or_default();
    let mut path = String::from("results");
    let (said, follows) = first_difference(&json(results), &json(&expect), &mut path);
    Err(wrong(format!(
        "its {path} says {said}, and {follows} follows from its votes, definition, desk and ledger"
    )))
}

/// The first place where two values differ, and what stands there.
fn first_difference(a: &serde_json::Value, b: &serde_json::Value, path: &mut String) -> (String, String) {
    use serde_json::Value;
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            let keys = x.keys().chain(y.keys()).find(|key| x.get(*key) != y.get(*key));
            if let Some(key) = keys {
                path.push('.');
                path.push_str(key);
                return first_difference(&a[key], &b[key], path);
            }
        }
        (Value::Array(x), Value::Array(y)) if x.len() == y.len() => {
            if let Some(at) = (0..x.len()).find(|at| x[*at] != y[*at]) {
                path.extend(["[", &at.to_string(), "]"]);
                return first_difference(&x[at], &y[at], path);
            }
        }
        _ => {}
    }
    (a.to_string(), b.to_string())
}

/// Whether no released block holds more votes than the results, and each cell is one that may be published.
fn demographics_fit(
    election: &Election,
    results: &Results,
    demographics: &Demographics,
) -> Result<(), Fault> {
    let nation = demographics.nation.iter().map(|block| ("the nation", block, None));
    let regions = demographics.regions.iter().flat_map(|region| {
        region.blocks.iter().map(move |block| (region.code.as_str(), block, Some(region.code.as_str())))
    });
    for (area, block, code) in nation.chain(regions) {
        let id = block.candidate.as_str();
        let votes = match code {
            None => results.candidates.iter().find(|c| c.id == id).map(|c| c.votes),
            Some(code) => results.regions.iter().find(|r| r.code == code).and_then(|r| r.votes.get(id)),
        };
        let sum = block.cells.iter().fold(0_u64, |sum, cell| sum.saturating_add(*cell));
        if sum != block.votes {
            return Err(wrong(format!(
                "its demographics of {area}, {id}: the cells are {sum} votes, it says {}",
                block.votes
            )));
        }
        // Where votes are replaced, a release may be above what is left.
        let first = election.duplicate == crate::election::DuplicatePolicy::First;
        if votes.is_none_or(|votes| first && sum > votes) {
            return Err(wrong(format!(
                "its demographics of {area}, {id}: {sum} votes were released, more than were counted"
            )));
        }
    }
    Ok(())
}
