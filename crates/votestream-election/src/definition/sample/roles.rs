//! Which field of a record holds what, by their names and the kind of their values.

use super::SampleError;
use serde_json::Value;
use std::collections::BTreeMap;

/// Keys from the top that are looked at.
const DEPTH_MAX: usize = 4;
/// Different fields that are looked at.
const FIELDS_MAX: usize = 1_000;

/// Names of fields without case, `_`, `-` and spaces; earlier ones are taken first.
const VOTER: &[&str] =
    &["voterid", "voteruuid", "voter", "userid", "memberid", "personid", "ballotid", "id", "uuid"];
const REGION: &[&str] = &[
    "state",
    "statename",
    "statecode",
    "region",
    "regionname",
    "regioncode",
    "province",
    "county",
    "constituency",
    "district",
    "canton",
    "prefecture",
    "department",
];
const CANDIDATE_ID: &[&str] = &["candidateid", "candidateuuid", "choiceid", "optionid"];
const CANDIDATE: &[&str] = &[
    "candidatename",
    "candidate",
    "decision",
    "choice",
    "votedfor",
    "option",
    "selection",
    "answer",
    "vote",
];
const PARTY: &[&str] = &["partyaffiliation", "party", "candidateparty", "partyname"];
const GENDER: &[&str] = &["gender", "sex"];
const AGE: &[&str] = &["registeredage", "age", "ageband", "agegroup"];
const TIME: &[&str] = &[
    "votingtime",
    "time",
    "timestamp",
    "votetime",
    "votedat",
    "castat",
    "createdat",
    "eventtime",
    "datetime",
];

/// Where what is.
pub(super) struct Roles {
    pub voter: Vec<String>,
    pub region: Option<Vec<String>>,
    pub candidate_id: Option<Vec<String>>,
    pub candidate: Option<Vec<String>>,
    pub party: Option<Vec<String>>,
    pub gender: Option<Vec<String>>,
    pub age: Option<Vec<String>>,
    pub time: Option<Vec<String>>,
    /// Every field, keys joined by points.
    pub fields: Vec<String>,
}

/// How often a field occurs, and as what.
#[derive(Default)]
struct Field {
    texts: usize,
    integers: usize,
}

/// What kind of value a role takes.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    TextOrInteger,
}

impl Roles {
    /// Of some records. Errors: no field for the voter, or for the candidate.
    pub(super) fn of<'v>(records: impl Iterator<Item = &'v Value>) -> Result<Self, SampleError> {
        let mut fields: BTreeMap<Vec<String>, Field> = BTreeMap::new();
        let mut count = 0;
        for record in records {
            count += 1;
            flatten(record, &mut Vec::new(), &mut fields);
        }
        let find = |names: &[&str], kind: Kind| -> Option<Vec<String>> {
            let fits = |field: &Field| {
                let values = field.texts + if matches!(kind, Kind::Text) { 0 } else { field.integers };
                values * 2 >= count
            };
            let key = |path: &[String]| path.last().map(|key| plain(key)).unwrap_or_default();
            names.iter().find_map(|name| {
                let named = fields.iter().filter(|(path, field)| key(path) == *name && fits(field));
                named.map(|(path, _)| path).min_by_key(|path| path.len()).cloned()
            })
        };
        let names: Vec<String> = fields.keys().map(|path| path.join(".")).collect();
        let missing = |role| SampleError::NoField { role, fields: listed(&names) };
        let voter = find(VOTER, Kind::TextOrInteger).ok_or_else(|| missing("voter"))?;
        let candidate_id = find(CANDIDATE_ID, Kind::Text);
        let candidate = find(CANDIDATE, Kind::Text).filter(|path| *path != voter);
        if candidate.is_none() && candidate_id.is_none() {
            return Err(missing("candidate"));
        }
        Ok(Self {
            region: find(REGION, Kind::Text),
            party: find(PARTY, Kind::Text),
            gender: find(GENDER, Kind::Text),
            age: find(AGE, Kind::TextOrInteger),
            time: find(TIME, Kind::TextOrInteger),
            voter,
            candidate_id,
            candidate,
            fields: names,
        })
    }

    /// The field that says best whom a record is for.
    pub(super) fn candidate_path(&self) -> &[String] {
        self.candidate.as_ref().or(self.candidate_id.as_ref()).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The value at a path.
pub(super) fn at<'v>(record: &'v Value, path: Option<&Vec<String>>) -> Option<&'v Value> {
    path?.iter().try_fold(record, |value, key| value.get(key)).filter(|value| !value.is_null())
}

fn plain(key: &str) -> String {
    key.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

fn flatten(value: &Value, path: &mut Vec<String>, fields: &mut BTreeMap<Vec<String>, Field>) {
    let Value::Object(object) = value else { return };
    for (key, value) in object {
        path.push(key.clone());
        if value.is_object() && path.len() < DEPTH_MAX {
            flatten(value, path, fields);
        } else if fields.len() < FIELDS_MAX || fields.contains_key(path) {
            let field = fields.entry(path.clone()).or_default();
            field.texts += usize::from(value.is_string());
            field.integers += usize::from(value.is_u64());
        }
        path.pop();
    }
}

fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(20).map(|name| format!("{name:?}")).collect();
    let more = if names.len() > 20 { format!(" and {} more", names.len() - 20) } else { String::new() };
    if shown.is_empty() { "none".to_owned() } else { shown.join(", ") + &more }
}
