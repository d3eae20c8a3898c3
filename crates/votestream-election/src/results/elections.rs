//! The elections of a store as the API lists them, for those who choose among them.

use super::types::{CountStatus, Results};
use crate::ids::Millis;
use serde::Serialize;

/// What `GET /api/elections` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Elections {
    /// In the order of their creation.
    pub elections: Vec<ElectionEntry>,
}

/// One election of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ElectionEntry {
    /// Short identifier, for `?election=`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The day of the vote, `YYYY-MM-DD`; null for an open poll.
    pub date: Option<String>,
    /// When it was created in this store, RFC 3339.
    pub created: String,
    /// Votes are generated, not cast.
    pub simulated: bool,
    /// The state of the store that `status` is of; grows with each commit.
    pub sequence: u64,
    /// Whether votes are still to come, as in its results.
    pub status: CountStatus,
}

impl ElectionEntry {
    /// The entry of an election with these results.
    pub fn of(results: &Results, created: Millis) -> Self {
        let election = &results.election;
        Self {
            id: election.id.clone(),
            name: election.name.clone(),
            date: election.date.clone(),
            created: super::millis_text(created),
            simulated: election.simulated,
            sequence: results.sequence,
            status: results.status,
        }
    }
}
