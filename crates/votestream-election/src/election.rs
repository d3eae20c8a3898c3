//! A validated election: what is voted on, by whom, and how a record becomes a vote. Made by `definition`; never half-valid.

use crate::cells::CellLayout;
use crate::ids::Millis;
use crate::photo::Photo;
use serde::{Deserialize, Serialize};

/// One contest, as validated. Every list is in the definition's order; indices elsewhere refer to these lists.
#[derive(Clone, Debug, PartialEq)]
pub struct Election {
    /// Short identifier: lower-case letters, digits, `-`; the key in the store.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The day of the vote, `YYYY-MM-DD`; absent for an open poll.
    pub date: Option<String>,
    /// IANA time zone, for times without an offset and for the page.
    pub time_zone: String,
    /// Votes are generated, not cast: shown wherever results are.
    pub simulated: bool,
    /// A sentence for the page's method section, such as "one ballot in ten of each state and candidate".
    pub note: Option<String>,
    /// Two or more candidates (1 is allowed for a yes-only poll).
    pub candidates: Vec<Candidate>,
    /// May be empty: then there is one unnamed region that no answer shows.
    pub regions: Vec<Region>,
    /// Which rule wins.
    pub rule: WinRule,
    /// Lower bounds of age bands, ascending; empty: ages are not looked at.
    pub bands: Vec<Band>,
    /// Genders as shown; `Unknown` is always the last.
    pub genders: Vec<String>,
    /// Youngest age that may vote; `None`: any.
    pub eligible_age: Option<u16>,
    /// Votes outside are rejected; `None`: any time.
    pub voting_hours: Option<(Millis, Millis)>,
    /// Which of a voter's records counts.
    pub duplicate: DuplicatePolicy,
    /// Smallest demographic cell that is published.
    pub min_cell: u64,
    /// How many votes are expected in all; regions hold their own.
    pub expected: Option<u64>,
    /// Whether `expected` is exact (a simulation) or an estimate.
    pub expected_exact: bool,
    /// How an event's JSON maps to a vote.
    pub mapping: Mapping,
    /// Mixed into the keys of voters whose id is text: derivation context is the election's id, this is appended.
    pub salt: Option<String>,
}

/// Someone or something to vote for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Identifier, as in results.
    pub id: String,
    /// Full name.
    pub name: String,
    /// Party code such as `REP`; may be empty.
    pub party: String,
    /// Page colour: one of the named palette (`blue`, `vermilion`, `teal`, `ochre`, `purple`) or `#rrggbb`.
    pub colour: String,
    /// A picture, kept with the definition.
    pub photo: Option<Photo>,
}

/// A part of the electorate that is reported apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Short code such as `OH`.
    pub code: String,
    /// Full name.
    pub name: String,
    /// Seats that its winner takes.
    pub seats: u32,
    /// Votes expected.
    pub expected: Option<u64>,
    /// Registered voters: a ceiling.
    pub registered: Option<u64>,
    /// When its results may be public.
    pub publish: Publish,
    /// When its last polls close.
    pub closes: Option<Millis>,
}

/// When a region's results may be public.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Publish {
    /// At once.
    #[default]
    Live,
    /// Not before the desk closes it.
    AtClose,
}

/// Which rule wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WinRule {
    /// Most seats, with the number that is a majority, such as 270 of 538.
    Seats {
        /// Seats that win.
        threshold: u32,
    },
    /// Most votes.
    Plurality,
}

/// Which of a voter's records counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DuplicatePolicy {
    /// The first; later ones are duplicates.
    #[default]
    First,
    /// The last; it replaces the one before, and counts as one duplicate more.
    Last,
}

/// An age band.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    /// As shown: `18-29`, `65+`.
    pub label: String,
    /// Lowest age in it, in whole years.
    pub from: u16,
    /// Highest age in it; `None`: no end.
    pub to: Option<u16>,
}

/// How an event's JSON maps to a vote: where each field is. `None`: the election does not look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// `presidential`, `votestream`, `poll` or `custom`.
    pub name: String,
    /// The voter's id.
    pub voter: FieldPath,
    /// The region, by name or code. `None` only where there are no regions.
    pub region: Option<FieldPath>,
    /// The candidate: the first of these that is present and known.
    pub candidate: Vec<FieldPath>,
    /// The gender.
    pub gender: Option<FieldPath>,
    /// The age.
    pub age: Option<FieldPath>,
    /// The moment of the vote.
    pub time: Option<(FieldPath, TimeFormat)>,
}

/// A field of a JSON object: a chain of keys from the top (`address.state` is two).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath(pub Vec<String>);

/// How a time is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// RFC 3339, with an offset.
    Rfc3339,
    /// A strptime pattern without an offset, read in the election's time zone.
    Local(String),
    /// Milliseconds since 1970.
    UnixMillis,
}

impl Election {
    /// The shape of one region's cells.
    pub fn layout(&self) -> CellLayout {
        CellLayout {
            candidates: self.candidates.len(),
            genders: self.genders.len(),
            bands: self.bands.len() + 1,
        }
    }

    /// Rows of cells kept: one a region, or one where there are no regions.
    pub fn region_rows(&self) -> usize {
        self.regions.len().max(1)
    }

    /// The band of an age in whole years; one past the last where no band holds it.
    pub fn band_of(&self, age: u16) -> u8 {
        let found = self.bands.iter().position(|b| age >= b.from && b.to.is_none_or(|to| age <= to));
        found.unwrap_or(self.bands.len()) as u8
    }
}
