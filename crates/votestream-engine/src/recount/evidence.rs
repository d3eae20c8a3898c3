//! What tells, beside the sums: whether the store remembers the voters that the records hold, and which record is the first at which
//! the two part. A store keeps no vote of a voter, so from it alone some differences can be traced to a leaf only.

use super::{Claim, Parting, RecountReport, Source};
use crate::EngineError;
use std::collections::BTreeMap;
use votestream_election::election::DuplicatePolicy;
use votestream_election::recount::{Judged, voter_sum};
use votestream_election::seen::{Unpacked, unpack};
use votestream_election::{Election, Offset, PartitionId, RejectReason, VoterKey};
use votestream_store::{ReaderStore, SeenReader};

/// Rejects of a leaf that are read at once: never more than it has offsets.
const REJECTS_MAX: usize = 65_536;

/// The store's side.
pub struct Side<'a> {
    /// The store.
    pub store: &'a ReaderStore,
    /// Its voters.
    pub seen: &'a SeenReader,
}

/// Partitions whose voters in the store are others than those counted again, in words. Where somebody counts on meanwhile, where voters
/// lie outside the store, and under `last`, where a voter may be in several rows, there is nothing to say.
pub fn other_voters(
    election: &Election,
    side: &Side<'_>,
    (claim, report): (&Claim, &RecountReport),
    seed: u64,
) -> Result<Vec<String>, EngineError> {
    let mut differences = Vec::new();
    let Some(voters) = report.voters.as_ref().filter(|_| election.duplicate == DuplicatePolicy::First) else {
        return Ok(differences);
    };
    for (progress, recounted) in claim.snapshot.progress.iter().zip(voters) {
        let (partition, next) = (progress.partition, progress.next_offset);
        if progress.outside > 0 {
            continue;
        }
        let (mut sum, mut moved_on) = (0_u128, false);
        each_seen(election, side, partition, &mut |from, to, voter| {
            if to <= next {
                sum = sum.wrapping_add(voter_sum(voter, seed));
            } else if from < next {
                // A row that was merged since with what came later.
                moved_on = true;
            }
        })?;
        if !moved_on && sum != *recounted {
            differences.push(format!(
                "partition {partition}: the store remembers other voters than the records hold"
            ));
        }
    }
    Ok(differences)
}

/// The first record at which records and store part, in words, as far as what is kept can tell. `witness`: another source that holds
/// the same records, such as an archive beside a log.
pub fn first_record(
    election: &Election,
    (source, witness): (&dyn Source, Option<&dyn Source>),
    side: &Side<'_>,
    parting: &Parting,
) -> Result<String, EngineError> {
    let carries =
        |source: &dyn Source| source.carried_to(parting.partition).is_some_and(|to| to > parting.from);
    if carries(source) {
        return Ok("it is carried, not recounted: the records of that leaf were pruned; recount from the log to learn which it is".to_owned());
    }
    let witness = witness.filter(|witness| !carries(*witness));
    let records = leaf(source, parting)?;
    if let Some(witness) = witness {
        let others = leaf(witness, parting)?;
        let offsets = records.keys().chain(others.keys());
        if let Some(offset) = offsets.filter(|o| records.get(o) != others.get(o)).min() {
            let here = in_words(election, records.get(offset));
            let there = in_words(election, others.get(offset));
            return Ok(format!("first record: offset {offset}: counted here as {here}, archived as {there}"));
        }
    }
    let rejected = other_reject(election, side, parting, &records)?;
    let unknown = unknown_voter(election, side, parting, &records)?;
    let known = rejected.into_iter().chain(unknown).min_by_key(|(offset, _)| *offset);
    Ok(match known {
        Some((offset, what)) => format!("first record: offset {offset}: {what}"),
        None if witness.is_some() => {
            "the log and the archive hold the same records there: it is the store that differs".to_owned()
        }
        None => {
            "which record of the leaf it is cannot be told from the store, which keeps no vote of a voter: \
                 name the archive as well (--archive), or compare the log with a copy of it"
                .to_owned()
        }
    })
}

type Leaf = BTreeMap<Offset, Judged>;

fn leaf(source: &dyn Source, parting: &Parting) -> Result<Leaf, EngineError> {
    let mut records = Leaf::new();
    let mut feed = source.feed(parting.partition, parting.from)?;
    feed.read(parting.to, &mut |offset, judged| {
        records.insert(offset, *judged);
    })?;
    Ok(records)
}

/// The first record that only one of them rejects, or each for another reason.
fn other_reject(
    election: &Election,
    side: &Side<'_>,
    parting: &Parting,
    records: &Leaf,
) -> Result<Option<(Offset, String)>, EngineError> {
    // Places are exclusive; one before the partition's first offset is the last of the partition before it.
    let after = match (parting.from.0.checked_sub(1), parting.partition.0.checked_sub(1)) {
        (Some(before), _) => Some((parting.partition, Offset(before))),
        (None, Some(partition)) => Some((PartitionId(partition), Offset(i64::MAX as u64))),
        (None, None) => None,
    };
    let page = side.store.rejects(&election.id, REJECTS_MAX, after)?;
    let stored: BTreeMap<Offset, RejectReason> = page
        .into_iter()
        .filter(|(partition, offset, _)| *partition == parting.partition && *offset < parting.to)
        .map(|(_, offset, reason)| (offset, reason))
        .collect();
    let reason = |offset: &Offset| match records.get(offset) {
        Some(Judged::Reject(reason, _)) => Some(*reason),
        _ => None,
    };
    let mut offsets: Vec<_> = stored.keys().chain(records.keys()).collect();
    offsets.sort_unstable();
    let differs = offsets.into_iter().find(|o| stored.get(o).copied() != reason(o));
    Ok(differs.map(|offset| {
        let named = |reason: Option<RejectReason>| {
            reason
                .map_or_else(|| "not rejected".to_owned(), |reason| format!("rejected as {}", reason.name()))
        };
        (*offset, format!("store {}, recount {}", named(stored.get(offset).copied()), named(reason(offset))))
    }))
}

/// The first vote of a voter whom the store has never seen.
fn unknown_voter(
    election: &Election,
    side: &Side<'_>,
    parting: &Parting,
    records: &Leaf,
) -> Result<Option<(Offset, String)>, EngineError> {
    let mut first: BTreeMap<VoterKey, Offset> = BTreeMap::new();
    for (offset, judged) in records {
        if let Judged::Vote(vote) = judged {
            first.entry(vote.voter).or_insert(*offset);
        }
    }
    each_seen(election, side, parting.partition, &mut |_, _, voter| {
        first.remove(&voter);
    })?;
    let unknown = first.into_iter().min_by_key(|(_, offset)| *offset);
    Ok(unknown
        .map(|(voter, offset)| (offset, format!("a vote of voter {voter}, whom the store has never seen"))))
}

/// Every voter of a partition's rows, with the range of offsets in which the voter was first seen.
fn each_seen(
    election: &Election,
    side: &Side<'_>,
    partition: PartitionId,
    each: &mut dyn FnMut(Offset, Offset, VoterKey),
) -> Result<(), EngineError> {
    let mut rows = Unpacked::default();
    side.seen.for_each_seen(&election.id, partition, &mut |row| {
        rows.clear();
        unpack(&row.seen.bytes, &mut rows).map_err(|source| EngineError::Seen { partition, source })?;
        rows.integers.iter().for_each(|id| each(row.from, row.to, VoterKey::Integer(*id)));
        rows.texts.iter().for_each(|key| each(row.from, row.to, VoterKey::Text(*key)));
        Ok::<_, EngineError>(())
    })
}

/// A record as the ledger has it, for a person. No answer names a voter beside a choice but this one: it is for those who may read the
/// log and the archive anyway.
fn in_words(election: &Election, judged: Option<&Judged>) -> String {
    match judged {
        None => "nothing".to_owned(),
        Some(Judged::Reject(reason, digest)) => {
            format!("rejected as {} (BLAKE3 of its value {digest})", reason.name())
        }
        Some(Judged::Vote(vote)) => {
            let region = election.regions.get(usize::from(vote.region.0)).map_or("all", |r| r.code.as_str());
            let candidate = &election.candidates[usize::from(vote.candidate.0)].id;
            let gender = &election.genders[usize::from(vote.gender.0)];
            let (voter, moment) = (vote.voter, vote.moment.0);
            format!(
                "voter {voter} in {region} for {candidate}, {gender}, age code {}, moment {moment}",
                vote.age
            )
        }
    }
}
