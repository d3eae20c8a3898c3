//! One snapshot of one election, encoded: the results as JSON, as an event of the live stream, and the tag that names its state.

use crate::respond::Answer;
use bytes::Bytes;
use std::sync::Arc;
use votestream_election::Election;
use votestream_election::delta::Snapshot;
use votestream_election::ids::uuid_text;
use votestream_election::results::Results;

/// A snapshot and all that is made of it once.
pub(crate) struct View {
    pub(crate) election: Arc<Election>,
    pub(crate) snapshot: Snapshot,
    pub(crate) results: Results,
    /// Store uuid and sequence.
    pub(crate) tag: String,
    /// `GET /api/results`.
    pub(crate) answer: Answer,
    /// The event of the live stream, complete.
    pub(crate) event: Bytes,
}

impl View {
    pub(crate) fn new(election: Arc<Election>, snapshot: Snapshot) -> Result<Self, serde_json::Error> {
        let results = Results::of(&election, &snapshot);
        let tag = tag(&snapshot);
        let json = Bytes::from(serde_json::to_vec(&results)?);
        let mut event = Vec::with_capacity(json.len() + 64);
        event.extend_from_slice(format!("id: {}\ndata: ", snapshot.sequence).as_bytes());
        event.extend_from_slice(&json);
        event.extend_from_slice(b"\n\n");
        let answer = Answer::new("application/json", &tag, json);
        Ok(Self { election, snapshot, results, tag, answer, event: Bytes::from(event) })
    }

    pub(crate) fn election_id(&self) -> &str {
        &self.election.id
    }

    /// Whether this shows just that state of the store.
    pub(crate) fn is_of(&self, snapshot: &Snapshot) -> bool {
        self.snapshot.store_uuid == snapshot.store_uuid && self.snapshot.sequence == snapshot.sequence
    }
}

/// Names a state of a store: its uuid and sequence.
pub(crate) fn tag(snapshot: &Snapshot) -> String {
    format!("{}-{}", uuid_text(snapshot.store_uuid), snapshot.sequence)
}
