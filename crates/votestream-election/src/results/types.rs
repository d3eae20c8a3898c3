//! The results as they are written in JSON. Names and order are fixed; fields may be added.

use crate::election::{Candidate, Election, WinRule};
use crate::photo::Photo;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The public results of one election at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Results {
    /// What was voted on.
    pub election: ElectionInfo,
    /// Grows with each commit of the store; the same number is the same answer.
    pub sequence: u64,
    /// Wall clock of the newest commit held here, RFC 3339 with milliseconds; null before the first.
    pub as_of: Option<String>,
    /// Of a past view: the minute that it shows. Absent from live results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Whether votes are still to come.
    pub status: CountStatus,
    /// counted + duplicate + rejected.
    pub records: u64,
    /// Votes: one a voter, of public regions.
    pub counted: u64,
    /// Records of voters who were counted already.
    pub duplicate: u64,
    /// Records that are no vote.
    pub rejected: u64,
    /// Votes expected in the public regions; null where nobody knows.
    pub expected: Option<u64>,
    /// Who has the most votes; null without votes or in a tie.
    #[serde(default)]
    pub leader: Option<String>,
    /// Who shares the most votes, where they are more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tied: Vec<String>,
    /// Votes between the first and the second.
    #[serde(default)]
    pub margin_votes: u64,
    /// Who has won, whatever still comes: by decided seats, or by a margin above the votes outstanding.
    #[serde(default)]
    pub winner: Option<String>,
    /// Declared final.
    #[serde(default)]
    pub closed: bool,
    /// Votes counted since the election was declared final; null before that, and while a region is withheld.
    #[serde(default)]
    pub late: Option<u64>,
    /// Regions that are held or under embargo: they are in no number here.
    #[serde(default)]
    pub withheld: u64,
    /// By votes; ties keep the definition's order.
    pub candidates: Vec<CandidateResult>,
    /// In the definition's order; empty for an election without regions.
    pub regions: Vec<RegionResult>,
    /// What these results can be verified against.
    pub ledger: LedgerInfo,
}

/// What was voted on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ElectionInfo {
    /// Short identifier.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The day of the vote, `YYYY-MM-DD`; null for an open poll.
    pub date: Option<String>,
    /// Votes are generated, not cast.
    pub simulated: bool,
    /// A sentence on how these votes came about.
    #[serde(default)]
    pub note: Option<String>,
    /// IANA time zone.
    #[serde(default)]
    pub time_zone: String,
    /// Seats that win; null where votes alone decide.
    #[serde(default)]
    pub seats_to_win: Option<u32>,
    /// Seats of all regions, withheld ones too; null where votes alone decide.
    #[serde(default)]
    pub seats: Option<u32>,
    /// The expected votes are exact, as in a simulation; otherwise an estimate.
    #[serde(default)]
    pub expected_exact: bool,
    /// Votes are told apart by age or gender.
    #[serde(default)]
    pub demographics: bool,
    /// Smallest demographic cell that is published.
    #[serde(default)]
    pub min_cell: u64,
}

impl ElectionInfo {
    /// What the public may know of an election.
    pub fn of(election: &Election) -> Self {
        let by_seats = matches!(election.rule, WinRule::Seats { .. });
        Self {
            id: election.id.clone(),
            name: election.name.clone(),
            date: election.date.clone(),
            simulated: election.simulated,
            note: election.note.clone(),
            time_zone: election.time_zone.clone(),
            seats_to_win: match election.rule {
                WinRule::Seats { threshold } => Some(threshold),
                WinRule::Plurality => None,
            },
            seats: by_seats.then(|| election.regions.iter().map(|region| region.seats).sum()),
            expected_exact: election.expected_exact,
            demographics: election.genders.len() > 1 || election.bands.len() > 1,
            min_cell: election.min_cell,
        }
    }
}

/// Whether votes are still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CountStatus {
    /// No record is counted yet.
    Waiting,
    /// Votes come in.
    Counting,
    /// Declared final, or the exact total is reached, and nothing waits to be counted.
    Complete,
}

impl CountStatus {
    /// As in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Counting => "counting",
            Self::Complete => "complete",
        }
    }
}

/// One candidate's result over all public regions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CandidateResult {
    /// Identifier.
    pub id: String,
    /// Full name.
    pub name: String,
    /// Party code; may be empty.
    pub party: String,
    /// `blue`, `vermilion`, `teal`, `ochre`, `purple` or `#rrggbb`.
    #[serde(default)]
    pub colour: String,
    /// Votes.
    pub votes: u64,
    /// votes / counted, from 0 to 1, unrounded; 0 without votes.
    pub share: f64,
    /// Seats of the regions where this candidate is first.
    pub seats: SeatCounts,
    /// Address of a picture, below the server's own; absent where there is none. Another picture has another address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photo: Option<String>,
}

impl CandidateResult {
    /// A candidate of the election `election` with `votes` of `counted`.
    pub(super) fn of(
        election: &str,
        candidate: &Candidate,
        votes: u64,
        counted: u64,
        seats: SeatCounts,
    ) -> Self {
        // Ids are letters, digits, dashes, dots and underscores: an address holds them as they are.
        let address =
            |photo: &Photo| format!("/api/photos/{}?v={}&election={election}", candidate.id, photo.digest());
        Self {
            id: candidate.id.clone(),
            name: candidate.name.clone(),
            party: candidate.party.clone(),
            colour: candidate.colour.clone(),
            votes,
            share: share(votes, counted),
            seats,
            photo: candidate.photo.as_ref().map(address),
        }
    }
}

/// A part of a whole; 0 where the whole is 0.
pub(super) fn share(votes: u64, counted: u64) -> f64 {
    if counted == 0 { 0.0 } else { votes as f64 / counted as f64 }
}

/// Seats of the regions where a candidate is first. No seat is in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SeatCounts {
    /// Where what still comes could change it.
    pub leading: u64,
    /// Where it could not, or where the desk has declared the result final.
    pub decided: u64,
}

/// One region's result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RegionResult {
    /// Short code.
    pub code: String,
    /// Full name.
    pub name: String,
    /// Seats that its winner takes.
    pub seats: u32,
    /// Votes counted.
    pub counted: u64,
    /// Votes expected; null where nobody knows.
    pub expected: Option<u64>,
    /// Registered voters; absent where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered: Option<u64>,
    /// Where its count stands.
    pub status: RegionStatus,
    /// Who has the most votes; null without votes or in a tie.
    pub leader: Option<String>,
    /// Who shares the most votes, where they are more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tied: Vec<String>,
    /// Votes between the first and the second.
    pub margin_votes: u64,
    /// Declared final.
    #[serde(default)]
    pub closed: bool,
    /// Votes counted since this region was declared final by an act of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<u64>,
    /// Votes by candidate, in the definition's order.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub votes: VotesById,
}

/// Where a region's count stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RegionStatus {
    /// No votes yet.
    Waiting,
    /// Somebody leads, and what still comes could change it.
    Leading,
    /// Two or more share the most votes.
    Tied,
    /// The margin exceeds what can still come: an exact total, or registered voters, less counted.
    Decided,
    /// Declared final by the desk, though the margin alone would not decide it.
    Closed,
}

impl RegionStatus {
    /// As in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Leading => "leading",
            Self::Tied => "tied",
            Self::Decided => "decided",
            Self::Closed => "closed",
        }
    }
}

/// What the results can be verified against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LedgerInfo {
    /// Leaves sealed, of all partitions; 0 while a region is withheld.
    pub leaves: u64,
    /// Records that the digest covers, or will once nothing is pending; while a region is withheld, those of this answer.
    pub records: u64,
    /// Leaves, open ones included, that are counted and not hashed yet, as happens where Apache Spark counts; absent where there are none
    /// and while a region is withheld.
    #[serde(default, skip_serializing_if = "no_leaves")]
    pub pending: u64,
    /// The election's digest, 64 hexadecimal digits; always over the whole log as far as counted.
    pub digest: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn no_leaves(leaves: &u64) -> bool {
    *leaves == 0
}

/// Votes by candidate's id: an object in JSON, whose keys keep the definition's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VotesById(pub Vec<(String, u64)>);

impl VotesById {
    /// A candidate's votes.
    pub fn get(&self, id: &str) -> Option<u64> {
        self.0.iter().find(|(candidate, _)| candidate == id).map(|(_, votes)| *votes)
    }
}

impl Serialize for VotesById {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (id, votes) in &self.0 {
            map.serialize_entry(id, votes)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for VotesById {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = VotesById;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("votes by candidate")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<VotesById, A::Error> {
                let mut votes = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    votes.push(entry);
                }
                Ok(VotesById(votes))
            }
        }
        deserializer.deserialize_map(V)
    }
}
