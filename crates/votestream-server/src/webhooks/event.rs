//! What is told: one event as the JSON object that a receiver gets, and the stable id of its delivery.

use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use votestream_election::results::{RegionResult, Results};

/// Something that happened, of one election. What of it is public is decided before: it is made of public results alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Somebody else has the most votes.
    LeadChange {
        /// Where; absent fields: in all.
        #[serde(flatten)]
        place: Place,
        /// Who leads now.
        leader: Person,
        /// Who led before, as far as it was told; null where nobody did.
        previous: Option<Person>,
        /// Votes between the first and the second.
        margin_votes: u64,
    },
    /// What still comes cannot change who wins; or what was said of that does not hold any more.
    Decided {
        /// Where; absent fields: the election.
        #[serde(flatten)]
        place: Place,
        /// Seats that the region's winner takes; null for the election.
        seats: Option<u32>,
        /// Who wins; null: what was told before is taken back.
        winner: Option<Person>,
        /// Who was told to win before; null where nobody was.
        previous: Option<Person>,
        /// `margin`: it exceeds what can still come; `seats`: enough of them are decided; `desk`: declared final.
        by: Option<&'static str>,
    },
    /// Nothing more is to come, and all of it is counted.
    Complete {
        /// Who has won; null in a tie.
        winner: Option<Person>,
        /// Votes.
        counted: u64,
    },
    /// Votes are awaited, and nothing has been committed for too long.
    Stale {
        /// For how long, in whole seconds.
        seconds: u64,
        /// Records in the log that are not counted, as far as is known; null while a region is withheld, whose votes it would tell.
        backlog: Option<u64>,
        /// `no_commit`, or `store`: it cannot be read.
        reason: &'static str,
    },
    /// What was stale is so no more: a commit came, or none is awaited.
    Fresh {
        /// How long it was stale, in whole seconds, since the last commit before.
        seconds: u64,
    },
    /// The part of records that are no votes went above the threshold, or back.
    RejectRate {
        /// Whether it is above now.
        above: bool,
        /// What it is compared with.
        threshold: f64,
        /// The window that told so; null while a region is withheld, whose votes it would tell.
        window: Option<Window>,
    },
}

impl Event {
    /// As in the body and in the header `X-Votestream-Event`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::LeadChange { .. } => "lead_change",
            Self::Decided { .. } => "decided",
            Self::Complete { .. } => "complete",
            Self::Stale { .. } => "stale",
            Self::Fresh { .. } => "fresh",
            Self::RejectRate { .. } => "reject_rate",
        }
    }
}

/// Records that were judged one after another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Window {
    /// All of them.
    pub records: u64,
    /// Those that are no votes.
    pub rejected: u64,
    /// The part of these, from 0 to 1.
    pub rate: f64,
}

/// Where something happened: a public region, or all of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Place {
    /// The region's code; null: the whole election.
    pub region: Option<String>,
    /// Its name.
    pub region_name: Option<String>,
    /// Votes counted there.
    pub counted: u64,
    /// Votes expected there; null where nobody knows.
    pub expected: Option<u64>,
}

impl Place {
    /// The whole election, as far as it is public.
    pub fn all(results: &Results) -> Self {
        Self { region: None, region_name: None, counted: results.counted, expected: results.expected }
    }

    /// One public region.
    pub fn region(region: &RegionResult) -> Self {
        Self {
            region: Some(region.code.clone()),
            region_name: Some(region.name.clone()),
            counted: region.counted,
            expected: region.expected,
        }
    }
}

/// A candidate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Person {
    /// Identifier.
    pub id: String,
    /// Full name.
    pub name: String,
    /// Party code; may be empty.
    pub party: String,
}

impl Person {
    /// The candidate of that id.
    pub fn of(results: &Results, id: &str) -> Option<Self> {
        let found = results.candidates.iter().find(|candidate| candidate.id == id)?;
        Some(Self { id: found.id.clone(), name: found.name.clone(), party: found.party.clone() })
    }
}

/// An event with what every event says.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    event: &'a Event,
    election: &'a str,
    election_name: &'a str,
    simulated: bool,
    sequence: u64,
    as_of: Option<&'a str>,
    raised: &'a str,
}

/// The body of a delivery: the event, of the state that `results` shows, raised at a moment (RFC 3339).
///
/// # Errors
/// None that is known: every field can be written.
pub fn body(event: &Event, results: &Results, raised: &str) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Body {
        event,
        election: &results.election.id,
        election_name: &results.election.name,
        simulated: results.election.simulated,
        sequence: results.sequence,
        as_of: results.as_of.as_deref(),
        raised,
    })
}

/// The id of a delivery: the same for each attempt at it, another for every other event, 32 hexadecimal digits.
pub fn delivery_id(body: &[u8]) -> String {
    hex(&Sha256::digest(body)[..16])
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
