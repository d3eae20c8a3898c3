//! From a definition as written to a valid election, and back. Every rule about a definition's values is here or in `lists`.

use super::error::{Fault, Path};
use super::lists;
use super::mapping::{self, Looks};
use super::raw::{RawCandidate, RawElection, RawFields, RawHours, RawMapping, RawRegion, RawRule, RawTime};
use crate::election::{Election, Region, WinRule};
use crate::ids::Millis;
use crate::photo::Photo;

/// Cells of all regions together, at most: what a worker keeps a partition.
pub const CELLS_MAX: usize = 8_000_000;
/// The smallest demographic cell that is published, where the definition does not say.
pub const MIN_CELL_DEFAULT: u64 = 10;
/// Ages above are no ages.
pub const AGE_MAX: u16 = 150;
const MIN_CELL_MAX: u64 = 1_000_000;

/// Checks everything; the first fault in the order of the fields is given.
pub(super) fn validated(raw: &RawElection) -> Result<Election, Fault> {
    let id = identifier(&raw.id)?;
    let name = lists::text(Path::key("name"), &raw.name, 200)?;
    let date = raw.date.as_ref().map(|date| civil_date(&date.0)).transpose()?;
    let time_zone = time_zone(raw.time_zone.as_deref().unwrap_or("UTC"))?;
    let note = raw.note.as_deref().map(|note| lists::text(Path::key("note"), note, 500)).transpose()?;
    let salt = raw.salt.as_deref().map(|salt| lists::text(Path::key("salt"), salt, 200)).transpose()?;
    let candidates = lists::candidates(&raw.candidates)?;
    let regions = lists::regions(&raw.regions)?;
    let expected = expected(raw, &regions)?;
    let rule = rule(raw, &regions)?;
    let bands = lists::bands(&raw.bands)?;
    let raw_mapping = raw.mapping.clone().unwrap_or_else(|| {
        RawMapping::Named(if regions.is_empty() { "poll" } else { "presidential" }.to_owned())
    });
    let genders = lists::genders(raw.genders.as_deref(), names_gender(&raw_mapping))?;
    let eligible_age = eligible_age(raw.eligible_age)?;
    let looks = Looks {
        region: !regions.is_empty(),
        gender: genders.len() > 1,
        age: !bands.is_empty() || eligible_age.is_some(),
    };
    let election = Election {
        id,
        name,
        date,
        time_zone,
        simulated: raw.simulated,
        note,
        candidates,
        regions,
        rule,
        bands,
        genders,
        eligible_age,
        voting_hours: raw.voting_hours.as_ref().map(voting_hours).transpose()?,
        duplicate: raw.duplicate,
        min_cell: within(raw.min_cell.unwrap_or(MIN_CELL_DEFAULT), 1, MIN_CELL_MAX, "min_cell")?,
        expected,
        expected_exact: raw.expected_exact,
        mapping: mapping::validated(&raw_mapping, looks)?,
        salt,
    };
    let cells = election.layout().cells() * election.region_rows();
    if cells > CELLS_MAX {
        let parts = "regions × candidates × genders × (bands + 1)";
        return Err(Fault::new(
            Path::key("regions"),
            format!("{parts} make {cells} cells, more than {CELLS_MAX}"),
            "name fewer regions, bands or genders",
        ));
    }
    Ok(election)
}

/// What the election looks at, as its mapping must know.
pub(super) fn looks(election: &Election) -> Looks {
    Looks {
        region: !election.regions.is_empty(),
        gender: election.genders.len() > 1,
        age: !election.bands.is_empty() || election.eligible_age.is_some(),
    }
}

fn names_gender(mapping: &RawMapping) -> bool {
    match mapping {
        RawMapping::Named(name) => name != "poll",
        RawMapping::Custom(RawFields { gender, .. }) => gender.is_some(),
    }
}

fn identifier(id: &str) -> Result<String, Fault> {
    let fits = (1..=64).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !id.starts_with('-');
    if fits {
        return Ok(id.to_owned());
    }
    Err(Fault::new(
        Path::key("id"),
        format!("{id:?} is no identifier"),
        "use 1 to 64 lower-case letters, digits and `-`, such as \"board-2026\"",
    ))
}

fn civil_date(text: &str) -> Result<String, Fault> {
    match text.parse::<jiff::civil::Date>() {
        Ok(date) if text.len() == 10 => Ok(date.to_string()),
        _ => Err(Fault::new(Path::key("date"), format!("{text:?} is no date"), "write it as \"2026-05-20\"")),
    }
}

fn time_zone(name: &str) -> Result<String, Fault> {
    match jiff::tz::TimeZone::get(name) {
        Ok(_) => Ok(name.to_owned()),
        Err(_) => Err(Fault::new(
            Path::key("time_zone"),
            format!("there is no time zone {name:?}"),
            "use an IANA name such as \"Europe/Lisbon\", or \"UTC\"",
        )),
    }
}

/// A moment in RFC 3339.
pub(super) fn moment(path: Path, time: &RawTime) -> Result<Millis, Fault> {
    // A `T` or a space, then an offset: what jiff reads beyond RFC 3339 would not be read by others.
    let looks_right = time.0.len() >= 20 && !time.0.contains('[');
    match time.0.parse::<jiff::Timestamp>() {
        Ok(moment) if looks_right => Ok(Millis(moment.as_millisecond())),
        _ => Err(Fault::new(
            path,
            format!("{:?} is no moment", time.0),
            "write date, time and offset as in \"2026-05-20T18:00:00Z\"",
        )),
    }
}

/// A moment as it is written in definitions.
pub(super) fn moment_text(moment: Millis) -> RawTime {
    let text = jiff::Timestamp::from_millisecond(moment.0).map(|t| t.to_string());
    RawTime(text.unwrap_or_default())
}

fn voting_hours(hours: &RawHours) -> Result<(Millis, Millis), Fault> {
    let from = moment(Path::sub("voting_hours", "from"), &hours.from)?;
    let to = moment(Path::sub("voting_hours", "to"), &hours.to)?;
    if from < to {
        return Ok((from, to));
    }
    Err(Fault::new(
        Path::sub("voting_hours", "to"),
        format!("voting ends at {:?}, not after it begins at {:?}", hours.to.0, hours.from.0),
        "give a later end",
    ))
}

fn eligible_age(age: Option<u16>) -> Result<Option<u16>, Fault> {
    match age {
        Some(age) if age > AGE_MAX => {
            let problem = format!("{age} is no age in whole years");
            Err(Fault::new(
                Path::key("eligible_age"),
                problem,
                format!("give 0 to {AGE_MAX}, or leave it out"),
            ))
        }
        // Everyone may vote: the same as none.
        age => Ok(age.filter(|age| *age > 0)),
    }
}

fn within(value: u64, from: u64, to: u64, field: &str) -> Result<u64, Fault> {
    if (from..=to).contains(&value) {
        return Ok(value);
    }
    Err(Fault::new(Path::key(field), format!("{value} is out of range"), format!("give {from} to {to}")))
}

/// Expected votes in all: as given, or the sum over the regions where each has its own.
fn expected(raw: &RawElection, regions: &[Region]) -> Result<Option<u64>, Fault> {
    let path = || Path::key("expected");
    if let Some(given) = raw.expected.filter(|given| *given > lists::VOTES_MAX) {
        return Err(Fault::new(
            path(),
            format!("{given} votes are too many"),
            format!("give at most {}", lists::VOTES_MAX),
        ));
    }
    let known: u64 = regions.iter().filter_map(|r| r.expected).sum();
    let all_known = !regions.is_empty() && regions.iter().all(|r| r.expected.is_some());
    let total = match raw.expected {
        None => all_known.then_some(known),
        Some(given) if all_known && given != known => {
            return Err(Fault::new(
                path(),
                format!("{given} votes are expected in all, but the regions' expected add up to {known}"),
                "correct one of them, or leave the total out",
            ));
        }
        Some(given) if given < known => {
            return Err(Fault::new(
                path(),
                format!("{given} votes are expected in all, less than the {known} of the regions that say"),
                "raise the total",
            ));
        }
        Some(given) => Some(given),
    };
    if raw.expected_exact && (total.is_none() || !(all_known || regions.is_empty())) {
        return Err(Fault::new(
            Path::key("expected_exact"),
            "the expected votes are said to be exact, but they are not all given",
            "give `expected` for the election or for each region, or remove `expected_exact`",
        ));
    }
    Ok(total)
}

fn rule(raw: &RawElection, regions: &[Region]) -> Result<WinRule, Fault> {
    let seats: u32 = regions.iter().map(|r| r.seats).sum();
    let rule = raw.rule.unwrap_or(if seats > 0 { RawRule::Seats } else { RawRule::Plurality });
    match (rule, raw.threshold) {
        (RawRule::Plurality, None) => Ok(WinRule::Plurality),
        (RawRule::Plurality, Some(threshold)) => Err(Fault::new(
            Path::key("threshold"),
            format!("a threshold of {threshold} seats is given, but the rule is \"plurality\""),
            "remove the threshold, or use rule = \"seats\" and give regions seats",
        )),
        (RawRule::Seats, _) if seats == 0 => Err(Fault::new(
            Path::key("rule"),
            "the rule is \"seats\", but no region has any",
            "give regions `seats`, or use rule = \"plurality\"",
        )),
        (RawRule::Seats, threshold) => {
            let threshold = threshold.unwrap_or(seats / 2 + 1);
            if (1..=seats).contains(&threshold) {
                return Ok(WinRule::Seats { threshold });
            }
            Err(Fault::new(
                Path::key("threshold"),
                format!("{threshold} seats cannot win: the regions have {seats} in all"),
                format!("give 1 to {seats}"),
            ))
        }
    }
}

/// The definition that gives this election, every default spelled out.
pub(super) fn to_raw(election: &Election) -> RawElection {
    let (rule, threshold) = match election.rule {
        WinRule::Seats { threshold } => (RawRule::Seats, Some(threshold)),
        WinRule::Plurality => (RawRule::Plurality, None),
    };
    RawElection {
        id: election.id.clone(),
        name: election.name.clone(),
        date: election.date.clone().map(RawTime),
        time_zone: Some(election.time_zone.clone()),
        simulated: election.simulated,
        note: election.note.clone(),
        expected: election.expected,
        expected_exact: election.expected_exact,
        rule: Some(rule),
        threshold,
        genders: Some(election.genders.clone()),
        bands: election.bands.iter().map(|b| b.label.clone()).collect(),
        eligible_age: election.eligible_age,
        voting_hours: election
            .voting_hours
            .map(|(from, to)| RawHours { from: moment_text(from), to: moment_text(to) }),
        duplicate: election.duplicate,
        min_cell: Some(election.min_cell),
        salt: election.salt.clone(),
        mapping: Some(mapping::to_raw(&election.mapping)),
        candidates: election.candidates.iter().map(raw_candidate).collect(),
        regions: election.regions.iter().map(raw_region).collect(),
    }
}

fn raw_candidate(candidate: &crate::election::Candidate) -> RawCandidate {
    RawCandidate {
        id: candidate.id.clone(),
        name: candidate.name.clone(),
        party: candidate.party.clone(),
        colour: Some(candidate.colour.clone()),
        photo: candidate.photo.as_ref().map(Photo::to_text),
    }
}

fn raw_region(region: &Region) -> RawRegion {
    RawRegion {
        code: region.code.clone(),
        name: region.name.clone(),
        seats: region.seats,
        expected: region.expected,
        registered: region.registered,
        publish: region.publish,
        closes: region.closes.map(moment_text),
    }
}
