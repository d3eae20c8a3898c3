//! Why a record is not a vote: the closed list of reasons, in the order in which the first that applies is given.

use serde::{Deserialize, Serialize};

/// The reason of a reject. The discriminant is what the store and the ledger hold; it never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum RejectReason {
    /// The value is longer than 65,536 bytes.
    TooLarge = 1,
    /// Not a JSON object, invalid UTF-8, null or empty value.
    Malformed = 2,
    /// No voter id, or null.
    MissingId = 3,
    /// A voter id that is neither an integer below 2^64 nor a text of 1–128 bytes.
    InvalidId = 4,
    /// No region of that name or code.
    UnknownRegion = 5,
    /// No candidate of that name or id, or none given.
    UnknownCandidate = 6,
    /// An age that is neither whole years up to 150 nor a band's label.
    InvalidAge = 7,
    /// Younger than the election's eligible age.
    UnderAge = 8,
    /// A gender that the election does not name.
    InvalidGender = 9,
    /// A time that cannot be read.
    InvalidTime = 10,
    /// A time outside the election's voting hours.
    OutsideVotingHours = 11,
    /// A voter's record on a partition where the voter does not belong.
    Misrouted = 12,
}

impl RejectReason {
    /// All reasons, in the order in which they are judged.
    pub const ALL: [Self; 12] = [
        Self::TooLarge,
        Self::Malformed,
        Self::MissingId,
        Self::InvalidId,
        Self::UnknownRegion,
        Self::UnknownCandidate,
        Self::InvalidAge,
        Self::UnderAge,
        Self::InvalidGender,
        Self::InvalidTime,
        Self::OutsideVotingHours,
        Self::Misrouted,
    ];

    /// The name used in the API: `too_large`, `malformed`, …
    pub fn name(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::MissingId => "missing_id",
            Self::InvalidId => "invalid_id",
            Self::UnknownRegion => "unknown_region",
            Self::UnknownCandidate => "unknown_candidate",
            Self::InvalidAge => "invalid_age",
            Self::UnderAge => "under_age",
            Self::InvalidGender => "invalid_gender",
            Self::InvalidTime => "invalid_time",
            Self::OutsideVotingHours => "outside_voting_hours",
            Self::Misrouted => "misrouted",
        }
    }

    /// The reason of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// The reason that a stored code means.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|r| *r as u8 == code)
    }
}
