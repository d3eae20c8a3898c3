//! A definition drafted from real records, for `init --sample`: which mapping fits, and the candidates, parties, regions, genders and
//! ages that occur. Where the records come from is the binary's business.

mod gather;

mod roles;

use super::error::DefinitionError;
use super::example::to_toml;
use super::lists::{CANDIDATES_MAX, REGIONS_MAX, folded};
use super::mapping::{VOTESTREAM_TIME, path_text};
use super::raw::{OneOrMore, RawCandidate, RawElection, RawFields, RawMapping, RawRegion, RawRule};
use super::validate::validated;
use crate::election::{DuplicatePolicy, Election, FieldPath, Publish, TimeFormat};
use crate::electorate::figures;
use crate::event::EventParser;
use crate::ids::Millis;
use gather::{Gathered, Seen};
use roles::Roles;
use serde_json::Value;
use std::collections::BTreeSet;

/// Records by which the fields are chosen; all of them are looked at for names.
pub const FIRST_RECORDS: usize = 1_000;

/// Why no definition can be drafted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SampleError {
    /// Nothing to look at.
    #[error(
        "none of the {records} records is a JSON object; give a sample of vote events, one JSON object a line"
    )]
    NoObjects {
        /// Records looked at.
        records: u64,
    },
    /// No field looks like it.
    #[error(
        "no field of the records looks like the {role}; their fields are {fields}; write a definition with a [mapping] of your own"
    )]
    NoField {
        /// What was looked for: `voter` or `candidate`.
        role: &'static str,
        /// The fields that there are.
        fields: String,
    },
    /// The field chosen for the candidate holds too many different values.
    #[error(
        "the field {field:?} holds more than {CANDIDATES_MAX} different choices; write a definition that lists the candidates"
    )]
    TooManyCandidates {
        /// Its path.
        field: String,
    },
    /// The draft would not be valid.
    #[error("the drafted definition is not valid")]
    Draft(#[source] DefinitionError),
}

/// Drafts a definition from records, and its commented TOML, which reads back as the same election. A count of these records counts
/// them, but for those that no definition could count (no object, no voter, no choice) and those odd ones out (at most one in a
/// hundred) that would spoil a field for all others.
pub fn draft<'r>(records: impl IntoIterator<Item = &'r [u8]>) -> Result<(Election, String), SampleError> {
    let mut first: Vec<(&[u8], Value)> = Vec::new();
    let mut looked = 0_u64;
    let mut records = records.into_iter();
    for record in records.by_ref() {
        looked += 1;
        if let Ok(value @ Value::Object(_)) = serde_json::from_slice(record) {
            first.push((record, value));
        }
        if first.len() == FIRST_RECORDS {
            break;
        }
    }
    if first.is_empty() {
        return Err(SampleError::NoObjects { records: looked });
    }
    let roles = Roles::of(first.iter().map(|(_, value)| value))?;
    let mut gathered = Gathered::default();
    for (_, value) in &first {
        gathered.look(&roles, value);
    }
    for record in records {
        looked += 1;
        if let Ok(value @ Value::Object(_)) = serde_json::from_slice(record) {
            gathered.look(&roles, &value);
        }
    }
    if gathered.candidates.len() > CANDIDATES_MAX {
        return Err(SampleError::TooManyCandidates {
            field: path_text(&FieldPath(roles.candidate_path().to_vec())),
        });
    }
    let election = Draft { roles: &roles, gathered: &gathered }.election().map_err(SampleError::Draft)?;
    let toml = to_toml(&election, &head(&election, looked, &first, &roles, &gathered));
    Ok((election, toml))
}

/// The comment at the top: what was looked at, and what was left out and why.
fn head(
    election: &Election,
    looked: u64,
    first: &[(&[u8], Value)],
    roles: &Roles,
    gathered: &Gathered,
) -> Vec<String> {
    let mut parser = EventParser::new(election);
    let counts =
        first.iter().filter(|(record, _)| parser.judge(Some(record), Millis(0), false).is_ok()).count();
    let mut head = vec![
        format!("Drafted from {looked} records. Of the first {} JSON objects among them {counts} are valid votes by it.", first.len()),
        "Look it over: candidates and regions that got no vote in the sample are missing, and seats are not known.".to_owned(),
    ];
    let unused = [
        (
            "region",
            roles.region.is_some() && election.regions.is_empty(),
            format!("more than {REGIONS_MAX} different values"),
        ),
        (
            "gender",
            roles.gender.is_some() && election.genders.len() == 1,
            "no genders, or too many different values".to_owned(),
        ),
        (
            "age",
            roles.age.is_some() && election.bands.is_empty(),
            "values that are neither whole years nor age bands".to_owned(),
        ),
        (
            "time",
            roles.time.is_some() && election.mapping.time.is_none(),
            "values in no format that is known".to_owned(),
        ),
    ];
    head.extend(
        unused
            .into_iter()
            .filter(|u| u.1)
            .map(|(role, _, why)| format!("The {role} is not looked at: its field holds {why}.")),
    );
    if gathered.records > 0 && gathered.without_candidate * 100 > gathered.records {
        head.push(format!("{} records name no candidate.", gathered.without_candidate));
    }
    head
}

/// What was found, on its way to a definition.
struct Draft<'a> {
    roles: &'a Roles,
    gathered: &'a Gathered,
}

impl Draft<'_> {
    fn election(&self) -> Result<Election, DefinitionError> {
        let regions = self.regions();
        let genders = self.genders();
        let bands = self.gathered.ages.bands();
        let time = self.gathered.times.format();
        let mapping =
            self.mapping(!regions.is_empty(), !genders.is_empty(), !bands.is_empty(), time.as_ref());
        let raw = RawElection {
            id: "my-election".to_owned(),
            name: "My election".to_owned(),
            date: None,
            time_zone: None,
            simulated: false,
            note: None,
            expected: None,
            expected_exact: false,
            rule: Some(RawRule::Plurality),
            threshold: None,
            genders: Some(genders),
            bands,
            eligible_age: None,
            voting_hours: None,
            duplicate: DuplicatePolicy::First,
            min_cell: None,
            salt: None,
            mapping: Some(mapping),
            candidates: self.candidates(),
            regions,
        };
        validated(&raw).map_err(|fault| fault.in_file("draft", None))
    }

    /// By name; each with its id where the records have one that can stand in results.
    fn candidates(&self) -> Vec<RawCandidate> {
        let mut found: Vec<&gather::Candidate> = self.gathered.candidates.iter().collect();
        found.sort_by_key(|c| (folded(c.label()), c.id.clone()));
        let mut taken: BTreeSet<String> = BTreeSet::new();
        for candidate in &found {
            taken.extend(candidate.code().map(folded));
        }
        let mut candidates = Vec::with_capacity(found.len());
        for candidate in found {
            // A label that is taken needs a number; records are then told apart by their ids.
            let own = candidate.code().map(folded);
            let free = |label: &str, taken: &BTreeSet<String>| {
                !taken.contains(&folded(label)) || own == Some(folded(label))
            };
            let mut name = candidate.label().to_owned();
            let mut number = 2;
            while !free(&name, &taken) {
                name = format!("{} ({number})", candidate.label());
                number += 1;
            }
            taken.insert(folded(&name));
            let id = match candidate.code() {
                Some(code) => code.to_owned(),
                None => unique(&slug(&name), |id| !taken.contains(id) || folded(&name) == id),
            };
            taken.insert(folded(&id));
            candidates.push(RawCandidate {
                id,
                name,
                party: candidate.party.clone(),
                colour: None,
                photo: None,
            });
        }
        candidates
    }

    fn regions(&self) -> Vec<RawRegion> {
        let Seen::Values(names) = &self.gathered.regions else { return Vec::new() };
        let region = |code: String, name: String| RawRegion {
            code,
            name,
            seats: 0,
            expected: None,
            registered: None,
            publish: Publish::Live,
            closes: None,
        };
        let states = figures::states();
        let is_state = |key: &String| states.iter().any(|s| folded(s.code) == *key || folded(s.name) == *key);
        if !names.is_empty() && names.keys().all(is_state) {
            return states.iter().map(|s| region(s.code.to_owned(), s.name.to_owned())).collect();
        }
        let mut taken: BTreeSet<String> = names.keys().cloned().collect();
        let mut regions = Vec::with_capacity(names.len());
        for (number, (key, name)) in (1..).zip(names) {
            let compact: String =
                key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
            // The name itself where it is one, else its first letters, as many as make it unique.
            let free =
                |code: &String| !code.is_empty() && (folded(code) == *key || !taken.contains(&folded(code)));
            let itself =
                Some(name.clone()).filter(|n| n.len() <= 4 && n.bytes().all(|b| b.is_ascii_alphanumeric()));
            let starts = (3.min(compact.len())..=compact.len().min(16)).map(|len| compact[..len].to_owned());
            let code = itself.into_iter().chain(starts).find(free);
            let code =
                code.unwrap_or_else(|| unique(&format!("R{number}"), |code| !taken.contains(&folded(code))));
            taken.insert(folded(&code));
            regions.push(region(code, name.clone()));
        }
        regions
    }

    fn genders(&self) -> Vec<String> {
        let Seen::Values(names) = &self.gathered.genders else { return Vec::new() };
        let shown = |name: &String| {
            let mut chars = name.chars();
            match chars.next() {
                Some(first) if name.chars().all(|c| !c.is_uppercase()) => {
                    first.to_uppercase().chain(chars).collect()
                }
                _ => name.clone(),
            }
        };
        names.values().map(shown).collect()
    }

    /// The built-in mapping that says the same, or one of its own.
    fn mapping(&self, region: bool, gender: bool, age: bool, time: Option<&TimeFormat>) -> RawMapping {
        let roles = self.roles;
        let text = |path: &Option<Vec<String>>, used: bool| {
            path.clone().filter(|_| used).map(|keys| path_text(&FieldPath(keys)))
        };
        let fields = RawFields {
            voter: path_text(&FieldPath(roles.voter.clone())),
            region: text(&roles.region, region),
            candidate: OneOrMore(
                [&roles.candidate_id, &roles.candidate]
                    .into_iter()
                    .filter_map(|path| text(path, true))
                    .collect(),
            ),
            gender: text(&roles.gender, gender),
            age: text(&roles.age, age),
            time: text(&roles.time, time.is_some()),
            time_format: time.map(|format| match format {
                TimeFormat::Rfc3339 => "rfc3339".to_owned(),
                TimeFormat::UnixMillis => "unix_ms".to_owned(),
                TimeFormat::Local(pattern) => pattern.clone(),
            }),
        };
        // A built-in mapping looks at its own field of a time whenever there is one.
        let has = |field: &str| roles.fields.iter().any(|known| known == field);
        let fits = |field: &Option<String>, name: &str| field.as_deref().is_none_or(|field| field == name);
        let time_fits = |name: &str, format: &str| {
            let same = fields.time.as_deref() == Some(name) && fields.time_format.as_deref() == Some(format);
            same || (fields.time.is_none() && !has(name))
        };
        let plain = fields.candidate.0 == ["decision"] && fields.voter == "id";
        let presidential = plain
            && fits(&fields.region, "state")
            && fits(&fields.gender, "gender")
            && fits(&fields.age, "age")
            && time_fits("time", "rfc3339");
        let votestream = fields.voter == "voter_id"
            && fields.candidate.0.iter().all(|path| path == "candidate_id" || path == "candidate_name")
            && fits(&fields.region, "address.state")
            && fits(&fields.gender, "gender")
            && fits(&fields.age, "registered_age")
            && time_fits("voting_time", VOTESTREAM_TIME);
        let nothing_else =
            [&fields.region, &fields.gender, &fields.age, &fields.time].into_iter().all(Option::is_none);
        let named = |name: &str| RawMapping::Named(name.to_owned());
        match (presidential, votestream) {
            (true, _) if nothing_else => named("poll"),
            (true, _) => named("presidential"),
            (_, true) => named("votestream"),
            _ if plain && nothing_else => named("poll"),
            _ => RawMapping::Custom(fields),
        }
    }
}

/// Lower-case letters and digits joined by `-`; `candidate` where there are none.
fn slug(name: &str) -> String {
    let words: Vec<String> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let slug: String = words.join("-").chars().take(60).collect();
    if slug.is_empty() { "candidate".to_owned() } else { slug }
}

/// `wanted`, or with a number after it, as the first that is free.
fn unique(wanted: &str, free: impl Fn(&str) -> bool) -> String {
    let numbered = (2_u32..).map(|number| format!("{wanted}-{number}"));
    std::iter::once(wanted.to_owned()).chain(numbered).find(|code| free(code)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
