//! One snapshot of one election, encoded: the results as JSON, as an event of the live stream, and the tag that names its state.

use crate::event::Event;
use crate::respond::Answer;
use bytes::Bytes;
use std::sync::{Arc, OnceLock};
use votestream_election::Election;
use votestream_election::delta::Snapshot;
use votestream_election::ids::uuid_text;
use votestream_election::results::{Results, csv as table};

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
    pub(crate) event: Event,
    csv: OnceLock<Csv>,
}

/// The results as CSV, made when somebody first asks for them.
pub(crate) struct Csv {
    /// `GET /api/live.csv`.
    pub(crate) answer: Answer,
    /// The event of the live stream, complete: each row a line of data.
    pub(crate) event: Event,
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
        let csv = OnceLock::new();
        let answer = Answer::new("application/json", &tag, json);
        Ok(Self { election, snapshot, results, tag, answer, event: Event::new(event), csv })
    }

    /// The same as CSV: made once, shared by all.
    pub(crate) fn csv(&self) -> &Csv {
        self.csv.get_or_init(|| {
            let document = table::live(&self.results);
            let mut event = format!("id: {}\n", self.results.sequence);
            for row in document.lines() {
                event.push_str("data: ");
                event.push_str(row);
                event.push('\n');
            }
            event.push('\n');
            let answer =
                Answer::new("text/csv; charset=utf-8; header=present", &self.tag, document).no_cache();
            Csv { answer, event: Event::new(event) }
        })
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
