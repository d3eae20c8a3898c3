//! The values that occur: candidates with their parties, regions, genders, ages, times. All bounded, however many records there are.

use super::roles::{Roles, at};
use crate::definition::lists::{
    AGE_BANDS_DEFAULT, CANDIDATES_MAX, GENDERS_MAX, REGIONS_MAX, UNKNOWN, band, folded, turns_text,
};
use crate::definition::mapping::VOTESTREAM_TIME;
use crate::definition::validate::AGE_MAX;
use crate::election::{Band, TimeFormat};
use serde_json::Value;
use std::collections::BTreeMap;

/// Different age bands that are looked at.
const LABELS_MAX: usize = 64;

/// All that was seen.
#[derive(Default)]
pub(super) struct Gathered {
    pub records: u64,
    pub without_candidate: u64,
    pub candidates: Vec<Candidate>,
    pub regions: Seen<REGIONS_MAX>,
    pub genders: Seen<{ GENDERS_MAX - 1 }>,
    pub ages: Ages,
    pub times: Times,
}

/// Somebody whom records name.
#[derive(Clone, Default)]
pub(super) struct Candidate {
    pub id: Option<String>,
    pub name: Option<String>,
    pub party: String,
}

impl Candidate {
    /// The id, where it can stand in results.
    pub(super) fn code(&self) -> Option<&str> {
        let fits = |id: &&str| {
            (1..=64).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        self.id.as_deref().filter(fits)
    }

    pub(super) fn label(&self) -> &str {
        self.name.as_deref().or(self.id.as_deref()).unwrap_or_default()
    }
}

/// Different texts, by how they are compared; `TooMany` once there are more than `MAX`.
pub(super) enum Seen<const MAX: usize> {
    Values(BTreeMap<String, String>),
    TooMany,
}

impl<const MAX: usize> Default for Seen<MAX> {
    fn default() -> Self {
        Self::Values(BTreeMap::new())
    }
}

impl<const MAX: usize> Seen<MAX> {
    fn look(&mut self, text: &str) {
        if let Self::Values(values) = self {
            values.entry(folded(text)).or_insert_with(|| text.trim().to_owned());
            if values.len() > MAX {
                *self = Self::TooMany;
            }
        }
    }
}

/// A text that can be a name of `max` bytes.
fn name(value: Option<&Value>, max: usize) -> Option<&str> {
    let text = value?.as_str()?.trim();
    let shown = |c: char| !c.is_control() && !turns_text(c);
    (!text.is_empty() && text.len() <= max && text.chars().all(shown)).then_some(text)
}

impl Gathered {
    pub(super) fn look(&mut self, roles: &Roles, record: &Value) {
        self.records += 1;
        self.candidate(roles, record);
        if let Some(region) = name(at(record, roles.region.as_ref()), 200) {
            self.regions.look(region);
        }
        if let Some(gender) =
            name(at(record, roles.gender.as_ref()), 64).filter(|g| folded(g) != folded(UNKNOWN))
        {
            self.genders.look(gender);
        }
        if let Some(age) = at(record, roles.age.as_ref()) {
            self.ages.look(age);
        }
        if let Some(time) = at(record, roles.time.as_ref()) {
            self.times.look(time);
        }
    }

    fn candidate(&mut self, roles: &Roles, record: &Value) {
        let id = name(at(record, roles.candidate_id.as_ref()), 200);
        let label = name(at(record, roles.candidate.as_ref()), 200);
        let party = name(at(record, roles.party.as_ref()), 64);
        let same = |a: Option<&str>, b: Option<&str>| a.is_some() && a.map(folded) == b.map(folded);
        let known = match (id, label) {
            (None, None) => {
                self.without_candidate += 1;
                return;
            }
            (Some(_), _) => self.candidates.iter().position(|c| same(c.id.as_deref(), id)),
            (None, Some(_)) => self.candidates.iter().position(|c| same(c.name.as_deref(), label)),
        };
        match known {
            Some(known) => {
                let known = &mut self.candidates[known];
                known.name = known.name.take().or_else(|| label.map(str::to_owned));
                if known.party.is_empty() {
                    party.unwrap_or_default().clone_into(&mut known.party);
                }
            }
            // One more than there may be says that there are too many.
            None if self.candidates.len() > CANDIDATES_MAX => {}
            None => self.candidates.push(Candidate {
                id: id.map(str::to_owned),
                name: label.map(str::to_owned),
                party: party.unwrap_or_default().to_owned(),
            }),
        }
    }
}

/// Ages as years or as labels.
#[derive(Default)]
pub(super) struct Ages {
    youngest: Option<u16>,
    labels: BTreeMap<String, Band>,
    right: u64,
    wrong: u64,
}

impl Ages {
    fn look(&mut self, value: &Value) {
        let years = value.as_u64().filter(|age| *age <= u64::from(AGE_MAX));
        let label = value.as_str().and_then(band);
        match (years, label) {
            (Some(years), _) => {
                let years = years as u16;
                self.youngest = Some(self.youngest.map_or(years, |youngest| youngest.min(years)));
            }
            (None, Some(band)) if self.labels.len() < LABELS_MAX => {
                self.labels.insert(folded(&band.label), band);
            }
            _ => {
                self.wrong += 1;
                return;
            }
        }
        self.right += 1;
    }

    /// The bands: those that records name, or customary ones; none where ages cannot be looked at.
    pub(super) fn bands(&self) -> Vec<String> {
        if self.right == 0 || self.wrong * 100 > self.right {
            return Vec::new();
        }
        let mut labels: Vec<&Band> = self.labels.values().collect();
        labels.sort_by_key(|band| band.from);
        let apart = labels.windows(2).all(|pair| pair[0].to.is_some_and(|to| to < pair[1].from));
        if !labels.is_empty() {
            return if apart {
                labels.into_iter().map(|band| band.label.clone()).collect()
            } else {
                Vec::new()
            };
        }
        let minors = self.youngest.is_some_and(|age| age < 18).then_some("0-17");
        minors.into_iter().chain(AGE_BANDS_DEFAULT).map(str::to_owned).collect()
    }
}

/// Ways of writing a time that are tried.
const FORMATS: [&str; 7] = [
    VOTESTREAM_TIME,
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%d.%m.%Y %H:%M:%S",
];

/// How many times each way of writing fits.
#[derive(Default)]
pub(super) struct Times {
    all: u64,
    rfc3339: u64,
    unix_ms: u64,
    local: [u64; FORMATS.len()],
}

impl Times {
    fn look(&mut self, value: &Value) {
        self.all += 1;
        if let Some(text) = value.as_str() {
            let rfc3339 = text.len() >= 20 && !text.contains('[') && text.parse::<jiff::Timestamp>().is_ok();
            self.rfc3339 += u64::from(rfc3339);
            for (count, pattern) in self.local.iter_mut().zip(FORMATS) {
                *count += u64::from(jiff::civil::DateTime::strptime(pattern, text).is_ok());
            }
        }
        // From 1973 to 2286: seconds since 1970 are far below.
        self.unix_ms +=
            u64::from(value.as_i64().is_some_and(|ms| (100_000_000_000..10_000_000_000_000).contains(&ms)));
    }

    /// The format that (almost) all times have.
    pub(super) fn format(&self) -> Option<TimeFormat> {
        let fits = |count: u64| self.all > 0 && (self.all - count) * 100 <= self.all;
        if fits(self.rfc3339) {
            return Some(TimeFormat::Rfc3339);
        }
        if fits(self.unix_ms) {
            return Some(TimeFormat::UnixMillis);
        }
        // The one that fits most; of equals the plainest.
        let best = (0..FORMATS.len()).rev().max_by_key(|i| self.local[*i])?;
        fits(self.local[best]).then(|| TimeFormat::Local(FORMATS[best].to_owned()))
    }
}
