//! The lists of a definition: candidates, regions, bands, genders. Each is checked on its own here; what holds between them is
//! `validate`'s business.

use super::error::{Fault, Path};
use super::photos;
use super::raw::{RawCandidate, RawRegion};
use super::validate::{AGE_MAX, moment};
use crate::election::{Band, Candidate, Region};
use std::collections::BTreeMap;

/// Candidates of a contest, at most.
pub const CANDIDATES_MAX: usize = 64;
/// Regions of an election, at most.
pub const REGIONS_MAX: usize = 4_000;
/// Age bands, at most.
pub const BANDS_MAX: usize = 32;
/// Genders, `Unknown` included, at most.
pub const GENDERS_MAX: usize = 16;
/// Votes of a region or an election, at most: sums of them stay far from overflow.
pub const VOTES_MAX: u64 = 1_000_000_000_000;
/// Seats of a region, at most.
pub const SEATS_MAX: u32 = 1_000_000;

/// Age bands where nothing else is known.
pub(super) const AGE_BANDS_DEFAULT: [&str; 4] = ["18-29", "30-44", "45-64", "65+"];

/// Colours with a name, in the order in which they are given to candidates that have none.
pub const PALETTE: [&str; 5] = ["blue", "vermilion", "teal", "ochre", "purple"];

/// A name as it is compared: without case and surrounding space.
pub fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

/// A text without surrounding space, not empty, of at most `max` bytes, without control characters.
pub(super) fn text(path: Path, text: &str, max: usize) -> Result<String, Fault> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(Fault::new(
            path,
            "the text is empty",
            "give one, or remove the key if it may be left out",
        ));
    }
    if trimmed.len() > max {
        let problem = format!("the text has {} bytes", trimmed.len());
        return Err(Fault::new(path, problem, format!("shorten it to {max}")));
    }
    if trimmed.chars().any(char::is_control) {
        return Err(Fault::new(path, format!("{trimmed:?} holds a control character"), "remove it"));
    }
    if trimmed.chars().any(turns_text) {
        let problem = format!("{trimmed:?} holds a character that turns what stands around it");
        return Err(Fault::new(path, problem, "remove it; names from right to left need none"));
    }
    Ok(trimmed.to_owned())
}

/// Whether a character embeds, overrides or isolates a direction (Unicode Standard Annex 9): around it, other text is shown in another order.
pub(super) fn turns_text(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A code as it stands in URLs, JSON keys and CSV headers.
fn code(path: Path, code: &str, max: usize) -> Result<String, Fault> {
    let fits = (1..=max).contains(&code.len())
        && code.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if fits {
        return Ok(code.to_owned());
    }
    let help = format!("use 1 to {max} letters, digits, `-`, `_` and `.`");
    Err(Fault::new(path, format!("{code:?} is no code"), help))
}

/// Names and codes by which things are found: none may mean two things.
#[derive(Default)]
struct Names(BTreeMap<String, (usize, &'static str)>);

impl Names {
    fn claim(
        &mut self,
        path: Path,
        name: &str,
        owner: usize,
        what: &'static str,
        kind: &str,
    ) -> Result<(), Fault> {
        match self.0.insert(folded(name), (owner, what)) {
            Some((other, as_what)) if other != owner => Err(Fault::new(
                path,
                format!("the {what} {name:?} is also the {as_what} of {kind} number {}", other + 1),
                "give each its own: they are compared without case and surrounding space",
            )),
            _ => Ok(()),
        }
    }
}

pub(super) fn candidates(raw: &[RawCandidate]) -> Result<Vec<Candidate>, Fault> {
    if raw.is_empty() || raw.len() > CANDIDATES_MAX {
        return Err(Fault::new(
            Path::key("candidates"),
            format!("there are {} candidates", raw.len()),
            format!("name 1 to {CANDIDATES_MAX}"),
        ));
    }
    let mut names = Names::default();
    let mut candidates = Vec::with_capacity(raw.len());
    for (i, raw) in raw.iter().enumerate() {
        let at = |field| Path::item("candidates", i, field);
        let id = code(at("id"), &raw.id, 64)?;
        let name = text(at("name"), &raw.name, 200)?;
        names.claim(at("id"), &id, i, "id", "candidate")?;
        names.claim(at("name"), &name, i, "name", "candidate")?;
        let party =
            if raw.party.trim().is_empty() { String::new() } else { text(at("party"), &raw.party, 64)? };
        let colour = raw.colour.as_deref().unwrap_or(PALETTE[i % PALETTE.len()]);
        let colour = self::colour(at("colour"), colour)?;
        let photo = raw.photo.as_deref().map(|text| photos::kept(at("photo"), text)).transpose()?;
        candidates.push(Candidate { id, name, party, colour, photo });
    }
    Ok(candidates)
}

fn colour(path: Path, colour: &str) -> Result<String, Fault> {
    let hex = |digits: &str| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if PALETTE.contains(&colour) {
        return Ok(colour.to_owned());
    }
    if colour.strip_prefix('#').is_some_and(hex) {
        return Ok(colour.to_ascii_lowercase());
    }
    Err(Fault::new(
        path,
        format!("{colour:?} is no colour"),
        format!("use one of {}, or \"#rrggbb\"", PALETTE.join(", ")),
    ))
}

pub(super) fn regions(raw: &[RawRegion]) -> Result<Vec<Region>, Fault> {
    if raw.len() > REGIONS_MAX {
        let problem = format!("there are {} regions", raw.len());
        return Err(Fault::new(Path::key("regions"), problem, format!("name at most {REGIONS_MAX}")));
    }
    let mut names = Names::default();
    let mut regions = Vec::with_capacity(raw.len());
    for (i, raw) in raw.iter().enumerate() {
        let at = |field| Path::item("regions", i, field);
        let code = code(at("code"), &raw.code, 16)?;
        let name = text(at("name"), &raw.name, 200)?;
        names.claim(at("code"), &code, i, "code", "region")?;
        names.claim(at("name"), &name, i, "name", "region")?;
        if raw.seats > SEATS_MAX {
            let problem = format!("{} seats are too many", raw.seats);
            return Err(Fault::new(at("seats"), problem, format!("give at most {SEATS_MAX}")));
        }
        for (field, votes) in [("expected", raw.expected), ("registered", raw.registered)] {
            if let Some(votes) = votes.filter(|votes| *votes > VOTES_MAX) {
                let problem = format!("{votes} votes are too many");
                return Err(Fault::new(at(field), problem, format!("give at most {VOTES_MAX}")));
            }
        }
        if let (Some(expected), Some(registered)) = (raw.expected, raw.registered)
            && expected > registered
        {
            return Err(Fault::new(
                at("expected"),
                format!("{expected} votes are expected of {registered} registered voters"),
                "lower `expected`, or correct `registered`, which is a ceiling",
            ));
        }
        let closes = raw.closes.as_ref().map(|time| moment(at("closes"), time)).transpose()?;
        let (expected, registered) = (raw.expected, raw.registered);
        regions.push(Region {
            code,
            name,
            seats: raw.seats,
            expected,
            registered,
            publish: raw.publish,
            closes,
        });
    }
    Ok(regions)
}

/// The band that a label such as `18-29` or `65+` means.
pub(super) fn band(label: &str) -> Option<Band> {
    let years = |text: &str| -> Option<u16> {
        let plain = !text.is_empty() && text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|age| plain && *age <= AGE_MAX)
    };
    let label = label.trim();
    let (from, to) = match label.strip_suffix('+') {
        Some(from) => (years(from)?, None),
        None => label.split_once('-').and_then(|(from, to)| Some((years(from)?, Some(years(to)?))))?,
    };
    to.is_none_or(|to| from <= to).then(|| Band { label: label.to_owned(), from, to })
}

pub(super) fn bands(raw: &[String]) -> Result<Vec<Band>, Fault> {
    if raw.len() > BANDS_MAX {
        let problem = format!("there are {} age bands", raw.len());
        return Err(Fault::new(Path::key("bands"), problem, format!("name at most {BANDS_MAX}")));
    }
    let mut bands: Vec<Band> = Vec::with_capacity(raw.len());
    for (i, label) in raw.iter().enumerate() {
        let next = band(label).ok_or_else(|| {
            Fault::new(
                Path::index("bands", i),
                format!("{label:?} is no age band"),
                format!("write whole years up to {AGE_MAX} such as \"18-29\", and \"65+\" for the last"),
            )
        })?;
        if let Some(last) = bands.last().filter(|last| last.to.is_none_or(|to| next.from <= to)) {
            return Err(Fault::new(
                Path::index("bands", i),
                format!("the age band {label:?} begins within or before {:?}", last.label),
                "list the bands from youngest to oldest, without overlap",
            ));
        }
        bands.push(next);
    }
    Ok(bands)
}

/// What a vote without a gender counts under.
pub const UNKNOWN: &str = "Unknown";

/// The genders, `Unknown` last. `asked`: whether the mapping has a gender, for when the definition names none.
pub(super) fn genders(raw: Option<&[String]>, asked: bool) -> Result<Vec<String>, Fault> {
    let mut genders: Vec<String> = Vec::new();
    let Some(raw) = raw else {
        let names: &[&str] = if asked { &["Male", "Female", "Other", UNKNOWN] } else { &[UNKNOWN] };
        return Ok(names.iter().map(|name| (*name).to_owned()).collect());
    };
    for (i, gender) in raw.iter().enumerate() {
        let at = || Path::index("genders", i);
        let name = text(at(), gender, 64)?;
        if folded(&name) == folded(UNKNOWN) {
            if i + 1 != raw.len() {
                let help = "move it to the end, or leave it out: it is always added";
                return Err(Fault::new(at(), format!("{name:?} is not the last gender"), help));
            }
            continue;
        }
        if genders.iter().any(|other| folded(other) == folded(&name)) {
            let help = "remove one: genders are compared without case and surrounding space";
            return Err(Fault::new(at(), format!("the gender {name:?} is named twice"), help));
        }
        genders.push(name);
    }
    if genders.len() >= GENDERS_MAX {
        let problem = format!("there are {} genders", genders.len());
        return Err(Fault::new(
            Path::key("genders"),
            problem,
            format!("name at most {} beside Unknown", GENDERS_MAX - 1),
        ));
    }
    genders.push(UNKNOWN.to_owned());
    Ok(genders)
}
