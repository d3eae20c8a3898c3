//! From a record's bytes to a vote, or to the reason why it is none. Pure: who has voted before, and where a voter's records must lie,
//! are for others to judge.
//!
//! The reasons are tried in the order of [`RejectReason`], so that the first that applies is given.

mod fields;
mod json;
mod names;
mod rules;
mod time;

use crate::election::{Election, TimeFormat};
use crate::framing::registry;
use crate::ids::{BandIx, CandidateIx, GenderIx, Millis, RegionIx};
use crate::ledger::LedgerVote;
use crate::reject::RejectReason;
use crate::voter::{Digits, VoterKey, VoterKeys, VoterText, decimal, push_decimal};
use fields::Fields;
use json::{Found, Kind, decode};
use names::Names;
use rules::{Places, Rules};
use std::sync::Arc;
use time::TimeReader;

/// Longest value that is looked at, in bytes.
pub const VALUE_BYTES_MAX: usize = 65_536;

/// Highest age that is believed, in whole years.
pub const AGE_MAX: u16 = 150;

/// [`Vote::age`] where none is known.
pub const AGE_UNKNOWN: u16 = 0xffff;

/// Set in [`Vote::age`] where a band's label was given; the rest is the band's place.
pub const AGE_IS_BAND: u16 = 0x8000;

/// A valid record, reduced to numbers. Indices are places in the election's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Who voted.
    pub voter: VoterKey,
    /// Where; 0 in an election without regions.
    pub region: RegionIx,
    /// For whom.
    pub candidate: CandidateIx,
    /// The last place is `unknown`.
    pub gender: GenderIx,
    /// One past the election's bands is `unknown`.
    pub band: BandIx,
    /// As the ledger holds it: whole years; [`AGE_IS_BAND`] | band for a band's label; [`AGE_UNKNOWN`].
    pub age: u16,
    /// The record's own time where it has one, else the log's.
    pub moment: Millis,
}

impl Vote {
    /// What of it the ledger holds.
    #[inline]
    pub fn ledger_row(&self) -> LedgerVote {
        LedgerVote {
            voter: self.voter,
            region: self.region.0,
            candidate: self.candidate.0,
            gender: self.gender.0,
            age: self.age,
            moment: self.moment.0,
        }
    }

    /// The vote of a row whose age lies in `band`.
    pub fn of_row(row: &LedgerVote, band: BandIx) -> Self {
        Self {
            voter: row.voter,
            region: RegionIx(row.region),
            candidate: CandidateIx(row.candidate),
            gender: GenderIx(row.gender),
            band,
            age: row.age,
            moment: Millis(row.moment),
        }
    }
}

/// Judges records of one election. Holds scratch space, so each worker has its own; a clone is cheap.
#[derive(Clone, Debug)]
pub struct EventParser {
    rules: Arc<Rules>,
    fields: Fields,
    keys: VoterKeys,
    time: TimeReader,
    /// The canonical text of the last voter whose id is a text.
    text: VoterText,
    scratch: Scratch,
}

/// Buffers that are used again, none above the length of a value by much.
#[derive(Clone, Debug, Default)]
struct Scratch {
    decoded: Vec<u8>,
    folded: Vec<u8>,
}

impl EventParser {
    /// A parser for a validated election.
    pub fn new(election: &Election) -> Self {
        let (fields, places) = Places::new(election);
        let format = election.mapping.time.as_ref().map_or(&TimeFormat::Rfc3339, |(_, format)| format);
        Self {
            rules: Arc::new(Rules::new(election, places)),
            fields,
            keys: VoterKeys::new(&election.id, election.salt.as_deref()),
            time: TimeReader::new(format, &election.time_zone),
            text: VoterText::of_integer(0),
            scratch: Scratch::default(),
        }
    }

    /// The vote that a record's value is, or why it is none. `None` is a null value; `oversize` says that the value is the kept start of
    /// a longer one. `record_time` is the log's.
    pub fn judge(
        &mut self,
        value: Option<&[u8]>,
        record_time: Millis,
        oversize: bool,
    ) -> Result<Vote, RejectReason> {
        let value = value.unwrap_or_default();
        if oversize || value.len() > VALUE_BYTES_MAX {
            return Err(RejectReason::TooLarge);
        }
        let value = registry::event(value);
        if !self.fields.read(value) {
            return Err(RejectReason::Malformed);
        }
        // The key is carried as an integer until the vote is whole: moving the enum about costs as much as reading a field.
        let found = self.fields.get(self.rules.places.voter);
        let mut key = (Kind::Integer, u128::from(found.integer));
        if found.kind != Kind::Integer {
            key = self.other_voter(value)?;
        }
        let region = self.region(value)?;
        let candidate = self.candidate(value)?;
        let (band, age) = self.age(value)?;
        let gender = self.gender(value)?;
        let moment = self.moment(value, record_time)?;
        let voter =
            if key.0 == Kind::Integer { VoterKey::Integer(key.1 as u64) } else { VoterKey::Text(key.1) };
        Ok(Vote { voter, region, candidate, gender, band, age, moment })
    }

    /// The canonical text of a record's voter, for choosing its partition whatever else is wrong with it. `None`: it is no object or has
    /// no valid id; such a record may lie anywhere.
    pub fn voter_text(&mut self, value: &[u8]) -> Option<VoterText> {
        let value = registry::event(value);
        if value.len() > VALUE_BYTES_MAX || !self.fields.read(value) {
            return None;
        }
        match self.other_voter(value).ok()? {
            (Kind::Integer, id) => Some(VoterText::of_integer(id as u64)),
            _ => Some(self.text),
        }
    }

    /// Appends the canonical text of the voter of the record judged last, whose key is `voter`.
    #[inline]
    pub fn canonical_text(&self, voter: VoterKey, out: &mut Vec<u8>) {
        match voter {
            VoterKey::Integer(id) => push_decimal(id, out),
            VoterKey::Text(_) => out.extend_from_slice(self.text.as_bytes()),
        }
    }

    /// As [`Self::canonical_text`], without copying it: an integer's is nearly always there in `value`, the record judged last, and
    /// `digits` is room for one that is not.
    #[inline]
    pub(crate) fn canonical_in<'a>(
        &'a self,
        voter: VoterKey,
        value: &'a [u8],
        digits: &'a mut Digits,
    ) -> &'a [u8] {
        let VoterKey::Integer(id) = voter else { return self.text.as_bytes() };
        let found = self.fields.get(self.rules.places.voter);
        match registry::event(value).get(found.start as usize..found.end as usize) {
            // A number without point and exponent, or a text without escapes, that is an integer: `-0` alone is not canonical.
            Some(raw) if matches!(found.kind, Kind::Integer | Kind::Text) && raw.first() != Some(&b'-') => {
                raw
            }
            _ => {
                let first;
                (*digits, first) = decimal(id);
                &digits[first..]
            }
        }
    }

    #[inline(never)]
    fn other_voter(&mut self, value: &[u8]) -> Result<(Kind, u128), RejectReason> {
        let found = *self.fields.get(self.rules.places.voter);
        match found.kind {
            Kind::Absent | Kind::Null => Err(RejectReason::MissingId),
            Kind::Text | Kind::Escaped => {
                let text = self.scratch.text(value, found).ok_or(RejectReason::InvalidId)?;
                if !self.text.set(text) {
                    return Err(RejectReason::InvalidId);
                }
                Ok(match self.keys.key_of(&self.text) {
                    VoterKey::Integer(id) => (Kind::Integer, u128::from(id)),
                    VoterKey::Text(key) => (Kind::Text, key),
                })
            }
            Kind::Integer => Ok((Kind::Integer, u128::from(found.integer))),
            Kind::Number | Kind::Other => Err(RejectReason::InvalidId),
        }
    }

    #[inline]
    fn region(&mut self, value: &[u8]) -> Result<RegionIx, RejectReason> {
        if self.rules.regionless {
            return Ok(RegionIx(0));
        }
        let Some(field) = self.rules.places.region else { return Err(RejectReason::UnknownRegion) };
        let found = self.fields.get(field);
        self.scratch.name(&self.rules.regions, value, found).map(RegionIx).ok_or(RejectReason::UnknownRegion)
    }

    #[inline]
    fn candidate(&mut self, value: &[u8]) -> Result<CandidateIx, RejectReason> {
        for field in &self.rules.places.candidate {
            if let Some(index) = self.scratch.name(&self.rules.candidates, value, self.fields.get(*field)) {
                return Ok(CandidateIx(index));
            }
        }
        Err(RejectReason::UnknownCandidate)
    }

    #[inline]
    fn age(&mut self, value: &[u8]) -> Result<(BandIx, u16), RejectReason> {
        let rules = &*self.rules;
        let Some(field) = rules.places.age else { return Ok((rules.band_unknown, AGE_UNKNOWN)) };
        let found = self.fields.get(field);
        match found.kind {
            Kind::Integer if found.integer <= u64::from(AGE_MAX) => {
                let age = found.integer as u16;
                let eligible = age >= rules.eligible_age;
                if eligible {
                    Ok((rules.band_of[usize::from(age)], age))
                } else {
                    Err(RejectReason::UnderAge)
                }
            }
            Kind::Absent | Kind::Null => Ok((rules.band_unknown, AGE_UNKNOWN)),
            Kind::Text | Kind::Escaped => {
                let band = self.scratch.name(&rules.bands, value, found).ok_or(RejectReason::InvalidAge)?;
                let below = rules.band_to[usize::from(band)].is_some_and(|to| to < rules.eligible_age);
                if below { Err(RejectReason::UnderAge) } else { Ok((BandIx(band as u8), AGE_IS_BAND | band)) }
            }
            Kind::Integer | Kind::Number | Kind::Other => Err(RejectReason::InvalidAge),
        }
    }

    #[inline]
    fn gender(&mut self, value: &[u8]) -> Result<GenderIx, RejectReason> {
        let rules = &*self.rules;
        let Some(field) = rules.places.gender else { return Ok(rules.gender_unknown) };
        let found = self.fields.get(field);
        match found.kind {
            Kind::Absent | Kind::Null => Ok(rules.gender_unknown),
            _ => match self.scratch.name(&rules.genders, value, found) {
                Some(index) => Ok(GenderIx(index as u8)),
                None => Err(RejectReason::InvalidGender),
            },
        }
    }

    #[inline]
    fn moment(&mut self, value: &[u8], record_time: Millis) -> Result<Millis, RejectReason> {
        let moment = match self.rules.places.time.map(|field| *self.fields.get(field)) {
            Some(found) if !matches!(found.kind, Kind::Absent | Kind::Null) => {
                self.own_moment(value, found).ok_or(RejectReason::InvalidTime)?
            }
            _ => record_time,
        };
        match self.rules.voting_hours {
            Some((start, end)) if moment < start || moment >= end => Err(RejectReason::OutsideVotingHours),
            _ => Ok(moment),
        }
    }

    fn own_moment(&mut self, value: &[u8], found: Found) -> Option<Millis> {
        match found.kind {
            Kind::Text | Kind::Escaped => self.time.text(self.scratch.text(value, found)?),
            Kind::Integer | Kind::Number => {
                self.time.number(&value[found.start as usize..found.end as usize])
            }
            Kind::Absent | Kind::Null | Kind::Other => None,
        }
    }
}

impl Scratch {
    /// What a string says; `None`: nothing that is text, because of a lone surrogate.
    #[inline]
    fn text<'a>(&'a mut self, value: &'a [u8], found: Found) -> Option<&'a [u8]> {
        let raw = &value[found.start as usize..found.end as usize];
        match found.kind {
            Kind::Text => Some(raw),
            _ => decode(raw, &mut self.decoded).then_some(&self.decoded),
        }
    }

    /// What a string, or a number by its text, names.
    #[inline]
    fn name(&mut self, names: &Names, value: &[u8], found: &Found) -> Option<u16> {
        let (start, end) = (found.start as usize, found.end as usize);
        if found.kind == Kind::Text {
            return names.find(value, start, end, &mut self.folded);
        }
        match found.kind {
            Kind::Text | Kind::Integer | Kind::Number => names.find(value, start, end, &mut self.folded),
            Kind::Escaped => {
                let raw = &value[found.start as usize..found.end as usize];
                let text = decode(raw, &mut self.decoded).then_some(&self.decoded)?;
                names.find(text, 0, text.len(), &mut self.folded)
            }
            Kind::Absent | Kind::Null | Kind::Other => None,
        }
    }
}
