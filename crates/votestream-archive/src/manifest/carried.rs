//! What is left of rows that were pruned: for each leaf of the ledger its digest and what it came to, for the whole range its cells, and
//! in a file of its own the voters that were counted, without their choice. Sealed by the entry that holds it, and so by the chain.

use super::entry::LeafEntry;
use super::hex;
use super::state::{Fault, Manifest, fault};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use votestream_election::ledger::{Digest, LEAF_OFFSETS};
use votestream_election::partitioner::PartitionerSet;
use votestream_election::{Offset, RejectReason};

/// A range of one partition whose rows were pruned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarriedEntry {
    /// Of which partition.
    pub partition: u32,
    /// First offset carried: the partition's first, or where the range carried before ends.
    pub from: u64,
    /// First offset not carried, the start of a leaf: rows are counted again from here on.
    pub to: u64,
    /// Names of the files that are there no longer, in offset order: all those that end at `to` or before. A file that holds `to` stays.
    pub pruned: Vec<String>,
    /// Each leaf of the range, in order.
    pub leaves: Vec<LeafSum>,
    /// Votes counted, by cell; only cells that have some.
    pub cells: Vec<CellSum>,
    /// The sets of partitioners with which votes agreed that were taken for votes, as column `partitioners` has them …
    pub routed: Vec<String>,
    /// … and with which votes did that were taken for misrouted.
    pub misrouted: Vec<String>,
    /// Who was counted.
    pub voters: VotersEntry,
}

/// A leaf of the ledger, and what its records came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeafSum {
    /// Which: it covers offsets from `number * 65536`.
    pub number: u64,
    /// Records in it.
    pub records: u64,
    /// BLAKE3 over its rows, as the results store has it.
    #[serde(with = "hex::digest")]
    pub digest: Digest,
    /// Votes that counted.
    pub counted: u64,
    /// Votes of voters who had voted before.
    pub duplicate: u64,
    /// Records that were rejected, by the reason's name.
    pub rejected: BTreeMap<String, u64>,
}

/// Votes of a cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellSum {
    /// The region's code; none in an election without regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The candidate's id.
    pub candidate: String,
    /// As the election names it.
    pub gender: String,
    /// The band's label; none where the age is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_band: Option<String>,
    /// Votes counted.
    pub votes: u64,
}

/// The file of voters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VotersEntry {
    /// Its name, relative to the archive.
    pub name: String,
    /// How many.
    pub voters: u64,
    /// Its size.
    pub bytes: u64,
    /// Digest of its bytes.
    #[serde(with = "hex::digest")]
    pub blake3: Digest,
}

impl CarriedEntry {
    /// Records of the range.
    pub fn records(&self) -> u64 {
        self.leaves.iter().map(|leaf| leaf.records).sum()
    }

    /// Whether its votes would have been taken for the same, votes or misrouted, by a count left with these partitioners.
    pub fn suits(&self, partitioners: PartitionerSet) -> bool {
        let agrees = |text: &String| {
            PartitionerSet::from_text(text).is_some_and(|set| !set.intersect(partitioners).is_empty())
        };
        self.routed.iter().all(agrees) && !self.misrouted.iter().any(agrees)
    }

    /// Whether it makes sense by itself.
    fn check(&self) -> Result<(), Fault> {
        let mut counted = 0;
        for leaf in &self.leaves {
            let rejected: u64 = leaf.rejected.values().sum();
            if leaf.counted + leaf.duplicate + rejected != leaf.records {
                return fault(format!("leaf {} does not come to its records", leaf.number));
            }
            if let Some(name) = leaf.rejected.keys().find(|name| RejectReason::from_name(name).is_none()) {
                return fault(format!("'{name}' is no reason to reject a record"));
            }
            counted += leaf.counted;
        }
        let cells: u64 = self.cells.iter().map(|cell| cell.votes).sum();
        if cells != counted || self.voters.voters != counted {
            return fault(format!(
                "its leaves come to {counted} votes, its cells to {cells}, its voters to {}",
                self.voters.voters
            ));
        }
        let sets = self.routed.iter().chain(&self.misrouted);
        match sets.into_iter().find(|text| PartitionerSet::from_text(text).is_none()) {
            Some(text) => fault(format!("'{text}' is no set of partitioners")),
            None => Ok(()),
        }
    }
}

impl Manifest {
    pub(super) fn prune(&mut self, carried: &CarriedEntry, at_ms: i64) -> Result<(), Fault> {
        carried.check()?;
        let Some(partition) = self.partitions.get_mut(carried.partition as usize) else {
            return fault(format!("it prunes partition {}, which the log has not", carried.partition));
        };
        let (from, to) = (Offset(carried.from), Offset(carried.to));
        if from != partition.rows_from()
            || to <= from
            || to > partition.next
            || !to.0.is_multiple_of(LEAF_OFFSETS)
        {
            return fault(format!(
                "it prunes offsets {from}..{to} of partition {}, which has rows from {} to {}",
                carried.partition,
                partition.rows_from(),
                partition.next
            ));
        }
        let files = partition.files.partition_point(|file| file.to <= to.0);
        if !partition.files[..files].iter().map(|file| &file.name).eq(&carried.pruned) {
            return fault("it prunes other files than those of its range");
        }
        let leaves: Vec<LeafEntry> = carried
            .leaves
            .iter()
            .map(|&LeafSum { number, records, digest, .. }| LeafEntry { number, records, digest })
            .collect();
        let there: Vec<LeafEntry> =
            partition.open_leaves().filter(|leaf| leaf.number < to.0 / LEAF_OFFSETS).collect();
        let numbers = from.0 / LEAF_OFFSETS..to.0 / LEAF_OFFSETS;
        if leaves != there || !leaves.iter().map(|leaf| leaf.number).eq(numbers) {
            return fault("it carries other leaves than those of its range");
        }
        self.replaced.extend(carried.pruned.iter().map(|name| super::Replaced { name: name.clone(), at_ms }));
        partition.files.drain(..files);
        partition.carried.push(Arc::new(carried.clone()));
        Ok(())
    }
}
