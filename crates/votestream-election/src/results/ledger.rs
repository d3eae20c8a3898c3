//! The ledger as the API shows it: what the count can be verified against, per partition, and leaf by leaf on request.

use super::types::{LedgerInfo, Results};
use crate::delta::Snapshot;
use crate::ledger::{LEAF_OFFSETS, LeafSeal};
use serde::Serialize;

/// What `GET /api/ledger` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Ledger {
    /// The election's identifier.
    pub election: String,
    /// The state of the store that this shows.
    pub sequence: u64,
    /// Wall clock of the newest commit held here; null before the first.
    pub as_of: Option<String>,
    /// As in the results.
    pub ledger: LedgerInfo,
    /// Offsets that one leaf covers.
    pub leaf_offsets: u64,
    /// One a partition, in order; empty while a region is withheld, because numbers of records could tell its votes.
    pub partitions: Vec<PartitionLedger>,
    /// With `?partition=`: its sealed leaves, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaves: Option<Vec<Leaf>>,
}

/// One partition's ledger as far as counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct PartitionLedger {
    /// Which partition.
    pub partition: u32,
    /// First offset that counts.
    pub start_offset: u64,
    /// First offset that is not counted yet.
    pub next_offset: u64,
    /// Sealed leaves.
    pub leaves: u64,
    /// BLAKE3 chain over them, 64 hexadecimal digits.
    pub chain: String,
    /// Records in the open leaf.
    pub open_records: u64,
    /// BLAKE3 over the open leaf's rows, 64 hexadecimal digits.
    pub open_digest: String,
}

/// A sealed leaf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Leaf {
    /// Which leaf: it covers offsets from `number * leaf_offsets`.
    pub number: u64,
    /// Records in it.
    pub records: u64,
    /// BLAKE3 over its rows, 64 hexadecimal digits.
    pub digest: String,
    /// BLAKE3 of the chain before it and its digest.
    pub chain: String,
}

impl Ledger {
    /// The ledger of a snapshot whose public results are `results`; `leaves`: those of the one partition that was asked for.
    pub fn of(snapshot: &Snapshot, results: &Results, leaves: Option<Vec<Leaf>>) -> Self {
        let partitions =
            snapshot.progress.iter().zip(&snapshot.ledger).map(|(progress, head)| PartitionLedger {
                partition: progress.partition.0,
                start_offset: progress.start_offset.0,
                next_offset: progress.next_offset.0,
                leaves: head.leaves,
                chain: head.chain.to_string(),
                open_records: head.open.records,
                open_digest: head.open.digest.to_string(),
            });
        Self {
            election: results.election.id.clone(),
            sequence: results.sequence,
            as_of: results.as_of.clone(),
            ledger: results.ledger.clone(),
            leaf_offsets: LEAF_OFFSETS,
            partitions: if results.withheld == 0 { partitions.collect() } else { Vec::new() },
            leaves: leaves.map(|leaves| if results.withheld == 0 { leaves } else { Vec::new() }),
        }
    }
}

impl From<LeafSeal> for Leaf {
    fn from(seal: LeafSeal) -> Self {
        Self {
            number: seal.number,
            records: seal.records,
            digest: seal.digest.to_string(),
            chain: seal.chain.to_string(),
        }
    }
}
