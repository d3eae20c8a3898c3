//! The built-in elections. The figures are files in `data/`, with their sources.

use super::lists::AGE_BANDS_DEFAULT;
use super::raw::{RawCandidate, RawElection, RawMapping, RawRegion, RawRule, RawTime};
use super::validate;
use crate::election::{DuplicatePolicy, Election, Publish};
use crate::electorate::figures;

/// Names of the built-in elections, the default first.
pub const PRESETS: &[&str] = &[US_PRESIDENT_2024, POLL];

/// The default preset: the 2024 US presidential election, simulated.
pub const US_PRESIDENT_2024: &str = "us-president-2024";

/// An audience or association vote.
pub const POLL: &str = "poll";

pub(super) fn by_name(name: &str) -> Option<Election> {
    let raw = match name {
        US_PRESIDENT_2024 => us_president_2024(),
        POLL => poll(),
        _ => return None,
    };
    Some(validate::validated(&raw).expect("built-in definitions are valid; a test makes each"))
}

fn candidate(id: &str, name: &str, party: &str, colour: &str) -> RawCandidate {
    RawCandidate {
        id: id.to_owned(),
        name: name.to_owned(),
        party: party.to_owned(),
        colour: Some(colour.to_owned()),
        photo: None,
    }
}

fn us_president_2024() -> RawElection {
    let regions: Vec<RawRegion> = figures::states()
        .into_iter()
        .map(|state| RawRegion {
            code: state.code.to_owned(),
            name: state.name.to_owned(),
            seats: state.seats,
            expected: Some(state.votes.iter().sum()),
            registered: None,
            publish: Publish::Live,
            closes: Some(RawTime(state.closes.to_owned())),
        })
        .collect();
    RawElection {
        id: US_PRESIDENT_2024.to_owned(),
        name: "2024 US presidential election".to_owned(),
        date: Some(RawTime("2024-11-05".to_owned())),
        time_zone: Some("America/New_York".to_owned()),
        simulated: true,
        note: Some(
            "Simulated ballots that add up to the certified votes of each state and candidate; age and gender follow the exit poll."
                .to_owned(),
        ),
        expected: Some(regions.iter().filter_map(|r| r.expected).sum()),
        expected_exact: true,
        rule: Some(RawRule::Seats),
        threshold: Some(270),
        genders: None,
        bands: AGE_BANDS_DEFAULT.map(str::to_owned).to_vec(),
        eligible_age: Some(18),
        voting_hours: None,
        duplicate: DuplicatePolicy::First,
        min_cell: None,
        salt: None,
        mapping: Some(RawMapping::Named("presidential".to_owned())),
        candidates: vec![
            candidate("trump", "Donald Trump", "REP", "vermilion"),
            candidate("harris", "Kamala Harris", "DEM", "blue"),
            candidate("stein", "Jill Stein", "GRN", "teal"),
            candidate("other", "Other", "", "ochre"),
        ],
        regions,
    }
}

fn poll() -> RawElection {
    RawElection {
        id: POLL.to_owned(),
        name: "Poll".to_owned(),
        date: None,
        time_zone: Some("UTC".to_owned()),
        simulated: false,
        note: None,
        expected: None,
        expected_exact: false,
        rule: Some(RawRule::Plurality),
        threshold: None,
        genders: Some(Vec::new()),
        bands: Vec::new(),
        eligible_age: None,
        voting_hours: None,
        duplicate: DuplicatePolicy::First,
        min_cell: None,
        salt: None,
        mapping: Some(RawMapping::Named("poll".to_owned())),
        candidates: vec![
            candidate("yes", "Yes", "", "blue"),
            candidate("no", "No", "", "vermilion"),
            candidate("abstain", "Abstain", "", "ochre"),
        ],
        regions: Vec::new(),
    }
}
