//! The store's answer beside what was counted again: each difference in words, with both numbers.

use super::Claim;
use votestream_election::Election;
use votestream_election::cells::CellLayout;
use votestream_election::ledger::LEAF_OFFSETS;
use votestream_election::recount::Plain;
use votestream_election::{Offset, PartitionId, RejectReason};

/// Where a partition's ledger parts from the store's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parting {
    /// Which partition.
    pub partition: PartitionId,
    /// The first leaf that differs, or that only one of them has.
    pub leaf: u64,
    /// Its offsets, as far as counted.
    pub from: Offset,
    /// The end of these.
    pub to: Offset,
}

/// Each difference between the claim and the recount, in words.
pub(super) fn differences(election: &Election, claim: &Claim, parts: &[Plain]) -> Vec<String> {
    let mut differences = Vec::new();
    for (claimed, part) in claim.snapshot.progress.iter().zip(parts) {
        let sums = [
            ("counted", claimed.counted, part.counts.counted),
            ("duplicate", claimed.duplicate, part.counts.duplicate),
            ("rejected", claimed.rejected, part.counts.rejected),
            ("skipped", claimed.skipped, part.counts.skipped),
        ];
        for (name, stored, recounted) in sums.into_iter().filter(|(_, a, b)| a != b) {
            differences
                .push(format!("partition {} {name}: store {stored}, recount {recounted}", claimed.partition));
        }
    }
    let layout = election.layout();
    for (i, stored) in claim.cells.iter().enumerate() {
        let recounted: i64 = parts.iter().map(|p| p.cells.get(i).copied().unwrap_or(0)).sum();
        if *stored != recounted {
            let cell = cell_name(election, layout, i);
            differences.push(format!("{cell}: store {stored}, recount {recounted}"));
        }
    }
    rejects(claim, parts, &mut differences);
    differences
}

fn rejects(claim: &Claim, parts: &[Plain], differences: &mut Vec<String>) {
    for reason in RejectReason::ALL {
        let of = |list: &[(RejectReason, u64)]| {
            list.iter().filter(|(r, _)| *r == reason).map(|(_, n)| *n).sum::<u64>()
        };
        let (stored, recounted) =
            (of(&claim.snapshot.rejects), parts.iter().map(|p| of(&p.first.rejects)).sum::<u64>());
        if stored != recounted {
            differences.push(format!("rejected as {}: store {stored}, recount {recounted}", reason.name()));
        }
    }
    for (p, (stored, part)) in claim.reject_lists.iter().zip(parts).enumerate() {
        let recounted = &part.first.reject_list;
        if stored.rejects != recounted.rejects {
            let (stored, recounted) = (stored.rejects, recounted.rejects);
            differences.push(format!(
                "partition {p}: the store lists {stored} rejected records, the recount {recounted}"
            ));
        } else if stored.digest() != recounted.digest() {
            differences.push(format!("partition {p}: the store's list of rejected records is another one"));
        }
    }
}

/// The first leaf of each partition at which its ledger parts from the store's, as far as that is hashed.
pub(super) fn partings(claim: &Claim, parts: &[Plain]) -> Vec<Parting> {
    let mut partings = Vec::new();
    for ((p, part), progress) in parts.iter().enumerate().zip(&claim.snapshot.progress) {
        let (Some(stored), Some(head)) = (claim.leaves.get(p), claim.snapshot.ledger.get(p)) else {
            continue;
        };
        let found = &part.first;
        let number = |at: usize| {
            let seal = stored.get(at).or(found.leaves.get(at));
            seal.map_or(progress.next_offset.0 / LEAF_OFFSETS, |seal| seal.number)
        };
        // What is pending of the store's ledger says nothing yet.
        let pending = progress.sealed.is_some();
        let same = stored.iter().zip(&found.leaves).take_while(|(a, b)| a == b).count();
        let expected = if pending { stored.len() } else { stored.len().max(found.leaves.len()) };
        let sealed_differ = same < expected;
        if !sealed_differ && (pending || head.open == found.head.open) {
            continue;
        }
        let leaf = number(same);
        partings.push(Parting {
            partition: progress.partition,
            leaf,
            from: progress.start_offset.max(Offset(leaf * LEAF_OFFSETS)),
            to: progress.next_offset.min(Offset((leaf + 1) * LEAF_OFFSETS)),
        });
    }
    partings
}

/// Region, candidate, gender and band of a cell, for a person.
fn cell_name(election: &Election, layout: CellLayout, index: usize) -> String {
    let (region, cell) = (index / layout.cells(), index % layout.cells());
    let region = election.regions.get(region).map_or("all", |r| r.code.as_str());
    let candidate = &election.candidates[layout.candidate_of(cell)].id;
    let gender = &election.genders[cell / layout.bands % layout.genders];
    let band = election.bands.get(cell % layout.bands).map_or("unknown age", |b| b.label.as_str());
    format!("cell {region} · {candidate} · {gender} · {band}")
}
