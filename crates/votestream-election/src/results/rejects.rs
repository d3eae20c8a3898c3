//! Rejected records by reason, as the API shows them to everybody. Which they were is told to those who bear the token only.

use super::types::Results;
use crate::delta::Snapshot;
use serde::Serialize;
use std::collections::BTreeMap;

/// How many records were no votes, and why: the public part of `GET /api/rejects`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RejectCounts {
    /// The election's identifier.
    pub election: String,
    /// The state of the store that this shows.
    pub sequence: u64,
    /// Rejected records in all.
    pub rejected: u64,
    /// How many of each reason that occurred.
    pub reasons: BTreeMap<&'static str, u64>,
}

impl RejectCounts {
    /// The rejects of a snapshot whose public results are `results`.
    pub fn of(snapshot: &Snapshot, results: &Results) -> Self {
        Self {
            election: results.election.id.clone(),
            sequence: results.sequence,
            rejected: results.rejected,
            reasons: snapshot.rejects.iter().map(|(reason, records)| (reason.name(), *records)).collect(),
        }
    }
}
