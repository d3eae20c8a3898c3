//! What of an election the parser needs, laid out for looking up: where its fields lie, its names, the band of each age. Nothing here
//! changes from one record to the next.

use super::AGE_MAX;
use super::fields::{FieldId, Fields};
use super::names::Names;
use crate::election::Election;
use crate::ids::{BandIx, GenderIx, Millis};

/// Genders that every election accepts; one that it does not list counts as unknown.
const GENDERS: [&str; 4] = ["Male", "Female", "Other", "Unknown"];

#[derive(Debug)]
pub(super) struct Rules {
    pub(super) places: Places,
    /// There is one region without a name, and no record says which.
    pub(super) regionless: bool,
    pub(super) regions: Names,
    pub(super) candidates: Names,
    pub(super) genders: Names,
    pub(super) gender_unknown: GenderIx,
    pub(super) bands: Names,
    pub(super) band_unknown: BandIx,
    /// The band of each age up to [`AGE_MAX`].
    pub(super) band_of: Vec<BandIx>,
    /// Highest age of each band; `None`: no end.
    pub(super) band_to: Vec<Option<u16>>,
    /// 0: any.
    pub(super) eligible_age: u16,
    pub(super) voting_hours: Option<(Millis, Millis)>,
}

/// Where the fields of a vote lie; `None`: not looked at.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) voter: FieldId,
    pub(super) region: Option<FieldId>,
    pub(super) candidate: Vec<FieldId>,
    pub(super) gender: Option<FieldId>,
    pub(super) age: Option<FieldId>,
    pub(super) time: Option<FieldId>,
}

impl Places {
    pub(super) fn new(election: &Election) -> (Fields, Self) {
        let mapping = &election.mapping;
        // Where nothing hangs on an age, none is looked at, so that none is invalid.
        let ages_matter = !election.bands.is_empty() || election.eligible_age.is_some();
        let region = mapping.region.as_ref().filter(|_| !election.regions.is_empty());
        let age = mapping.age.as_ref().filter(|_| ages_matter);
        let time = mapping.time.as_ref().map(|(path, _)| path);
        let mut paths = vec![&mapping.voter];
        paths.extend(&mapping.candidate);
        paths.extend([region, mapping.gender.as_ref(), age, time].into_iter().flatten());
        let (fields, ids) = Fields::new(&paths);
        let mut ids = ids.into_iter();
        let voter = ids.next().expect("a place for each path");
        let candidate = ids.by_ref().take(mapping.candidate.len()).collect();
        let mut place = |asked: bool| if asked { ids.next() } else { None };
        let region = place(region.is_some());
        let gender = place(mapping.gender.is_some());
        let age = place(age.is_some());
        let time = place(time.is_some());
        (fields, Self { voter, region, candidate, gender, age, time })
    }
}

impl Rules {
    pub(super) fn new(election: &Election, places: Places) -> Self {
        let regions =
            (0_u16..).zip(&election.regions).flat_map(|(i, r)| [(r.code.as_str(), i), (r.name.as_str(), i)]);
        let candidates =
            (0_u16..).zip(&election.candidates).flat_map(|(i, c)| [(c.id.as_str(), i), (c.name.as_str(), i)]);
        let bands = (0_u16..).zip(&election.bands).map(|(i, b)| (b.label.as_str(), i));
        let unknown = election.genders.len().saturating_sub(1) as u16;
        let listed = (0_u16..).zip(&election.genders).map(|(i, g)| (g.as_str(), i));
        let always = GENDERS.into_iter().map(|g| (g, unknown));
        Self {
            places,
            regionless: election.regions.is_empty(),
            regions: Names::new(regions),
            candidates: Names::new(candidates),
            genders: Names::new(listed.chain(always)),
            gender_unknown: GenderIx(unknown as u8),
            bands: Names::new(bands),
            band_unknown: BandIx(election.bands.len() as u8),
            band_of: (0..=AGE_MAX).map(|age| BandIx(election.band_of(age))).collect(),
            band_to: election.bands.iter().map(|b| b.to).collect(),
            eligible_age: election.eligible_age.unwrap_or(0),
            voting_hours: election.voting_hours,
        }
    }
}
