//! What can be asked of a simulation, and why a request is refused. Reading flags and files is the binary's business.

use crate::faults::Faults;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;
use votestream_election::Millis;

/// Most votes of one simulation: with four faults a vote, all that is permuted still counts within 32 bits.
pub const VOTES_MAX: u64 = 1_000_000_000;

/// Everything that, with the election, decides each byte that a simulation yields.
#[derive(Clone, Debug, PartialEq)]
pub struct SimOptions {
    /// How many voters vote once.
    pub votes: Votes,
    /// Another seed: other voters in another order; the totals stay.
    pub seed: u64,
    /// In which order votes come in.
    pub order: Order,
    /// Extra records on top of the votes.
    pub faults: Faults,
    /// Write the vote's moment (the record's timestamp) into the event, where the mapping knows an RFC 3339 time. Mappings with
    /// a time of another format always carry it.
    pub time_field: bool,
    /// When polls close in regions that name no hour; `None`: at 20:00 local time of the election's day, or, without one, at
    /// 2024-01-01T00:00Z.
    pub start: Option<Millis>,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            votes: Votes::All,
            seed: 1,
            order: Order::Night,
            faults: Faults::NONE,
            time_field: false,
            start: None,
        }
    }
}

/// How many voters vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Votes {
    /// The whole certified electorate; without certified figures what the election expects, or else 1,000,000.
    All,
    /// This many, shared out by largest remainder.
    Count(u64),
}

impl FromStr for Votes {
    type Err = SimError;

    fn from_str(text: &str) -> Result<Self, SimError> {
        if text == "all" {
            return Ok(Self::All);
        }
        let digits = text.replace(['_', ','], "");
        digits.parse().map(Self::Count).map_err(|_| SimError::VotesText { text: text.to_owned() })
    }
}

/// In which order votes come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Regions report after their polls close, as on the night, with the night's timestamps.
    #[default]
    Night,
    /// All votes well mixed from the first on.
    Shuffled,
}

impl FromStr for Order {
    type Err = SimError;

    fn from_str(text: &str) -> Result<Self, SimError> {
        match text {
            "night" => Ok(Self::Night),
            "shuffled" => Ok(Self::Shuffled),
            _ => Err(SimError::OrderText { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Night => "night",
            Self::Shuffled => "shuffled",
        })
    }
}

/// Why there is no such simulation.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SimError {
    /// Sampling is without replacement.
    #[error(
        "cannot draw {asked} votes from an electorate of {available}: each votes once; ask for at most that many, or for `all`"
    )]
    NotEnoughVoters {
        /// Votes asked for.
        asked: u64,
        /// Votes there are.
        available: u64,
    },
    /// Zero votes, or more than a simulation can hold.
    #[error("cannot simulate {asked} votes: ask for 1 to {VOTES_MAX}, or for `all`")]
    VotesOutOfRange {
        /// Votes asked for.
        asked: u64,
    },
    /// Not a number of votes.
    #[error("number of votes \"{text}\" is neither a whole number nor `all`")]
    VotesText {
        /// What was given.
        text: String,
    },
    /// Not an order.
    #[error("order \"{text}\" is neither `night` nor `shuffled`")]
    OrderText {
        /// What was given.
        text: String,
    },
    /// A fault that does not exist.
    #[error(
        "fault \"{name}\" does not exist: give duplicates, changed, invalid or torn, such as duplicates=0.01,invalid=0.001"
    )]
    FaultName {
        /// What was given.
        name: String,
    },
    /// A rate that is none.
    #[error(
        "rate of fault \"{name}\" is \"{text}\": give a share of the votes from 0 to 1, such as {name}=0.01"
    )]
    FaultRate {
        /// Which fault.
        name: String,
        /// What was given.
        text: String,
    },
    /// A time zone that is not in the database, needed to write local times.
    #[error(
        "time zone \"{zone}\" of election \"{election}\" is unknown: give an IANA name such as America/New_York"
    )]
    TimeZone {
        /// The election's id.
        election: String,
        /// What the definition says.
        zone: String,
    },
    /// A pattern that cannot be written.
    #[error(
        "time format \"{pattern}\" of election \"{election}\" cannot be written: give a strftime pattern such as %Y-%m-%d %H:%M:%S"
    )]
    TimePattern {
        /// The election's id.
        election: String,
        /// What the definition says.
        pattern: String,
    },
    /// An election that nobody can vote in.
    #[error("voting hours of election \"{election}\" end before they begin: nobody can vote in it")]
    NoVotingHours {
        /// The election's id.
        election: String,
    },
}
