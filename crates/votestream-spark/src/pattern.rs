//! A regular expression that a record matches only where it is one JSON object beyond doubt, and that finds the fields of a vote in it:
//! strings without escapes, numbers, literals; objects and arrays of those one level down. What it does not match is not judged by it.
//!
//! Where a key is repeated the last one is captured, as a group holds its last repetition.

use votestream_election::Election;
use votestream_election::election::FieldPath;

/// White space of JSON. Java runs through a class greedily in one loop, where it calls a method a character to hold on to what it has; what is given back
/// where no match follows is never begun with, since nothing that follows begins with white space.
const W: &str = r"[ \t\n\r]*";
/// The rest of a string after its opening quote: nothing to give back, either, since a class without quotes ends where the quote is.
const STRING: &str = r#"[^"\\\x00-\x1f]*""#;

/// The pattern, and which group holds which field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// In Java's syntax.
    pub(crate) regex: String,
    /// How many groups it has, from 1.
    pub(crate) groups: usize,
    /// Keys of objects that hold fields, each in quotes: they must not be repeated, or the fields of an earlier one would be kept.
    pub(crate) parents: Vec<String>,
    /// The group of the voter.
    pub(crate) voter: usize,
    /// The group of the region; `None`: there is one region without a name.
    pub(crate) region: Option<usize>,
    /// The groups of the candidate, in the order in which they are tried.
    pub(crate) candidate: Vec<usize>,
    /// The group of the gender; `None`: not looked at.
    pub(crate) gender: Option<usize>,
    /// The group of the age; `None`: not looked at.
    pub(crate) age: Option<usize>,
    /// The group of the moment; `None`: the log's.
    pub(crate) time: Option<usize>,
}

/// The pattern of an election's records. `None`: its mapping is beyond a pattern (more than two levels, a field within a field, keys that
/// JSON would escape), or no record can be a vote.
pub(crate) fn pattern(election: &Election) -> Option<Pattern> {
    let mapping = &election.mapping;
    let region = match (&mapping.region, election.regions.is_empty()) {
        (_, true) => None,
        (Some(path), false) => Some(path),
        (None, false) => return None,
    };
    let ages_matter = !election.bands.is_empty() || election.eligible_age.is_some();
    let age = mapping.age.as_ref().filter(|_| ages_matter);
    let time = mapping.time.as_ref().map(|(path, _)| path);
    let mut paths: Vec<&FieldPath> = vec![&mapping.voter];
    paths.extend(region);
    paths.extend(&mapping.candidate);
    paths.extend([mapping.gender.as_ref(), age, time].into_iter().flatten());
    let usable = |path: &&FieldPath| matches!(path.0.len(), 1 | 2) && path.0.iter().all(|key| is_plain(key));
    if !paths.iter().all(usable) {
        return None;
    }
    // Fields at the top first, then object by object: groups are numbered as they stand in the expression.
    paths.sort_by(|a, b| (a.0.len(), &a.0).cmp(&(b.0.len(), &b.0)));
    paths.dedup();
    let tops: Vec<&str> = paths.iter().filter(|p| p.0.len() == 1).map(|p| p.0[0].as_str()).collect();
    let mut parents: Vec<&str> = paths.iter().filter(|p| p.0.len() == 2).map(|p| p.0[0].as_str()).collect();
    parents.dedup();
    if parents.iter().any(|parent| tops.contains(parent)) {
        return None;
    }
    let below = |parent: &str| -> Vec<&str> {
        paths.iter().filter(|p| p.0.len() == 2 && p.0[0] == parent).map(|p| p.0[1].as_str()).collect()
    };
    let nested: Vec<(&str, String)> =
        parents.iter().map(|parent| (*parent, object(&members(&below(parent), &[])))).collect();
    let group = |path: &FieldPath| paths.iter().position(|p| *p == path).map_or(0, |place| place + 1);
    Some(Pattern {
        regex: format!(r"\A{W}{}{W}\z", object(&members(&tops, &nested))),
        groups: paths.len(),
        parents: parents.iter().map(|parent| format!("\"{parent}\"")).collect(),
        voter: group(&mapping.voter),
        region: region.map(group),
        candidate: mapping.candidate.iter().map(group).collect(),
        gender: mapping.gender.as_ref().map(group),
        age: age.map(group),
        time: time.map(group),
    })
}

/// JSON may write it without escapes, and we do not want to meet it with any.
fn is_plain(key: &str) -> bool {
    key.chars().all(|c| c != '"' && c != '\\' && !c.is_control())
}

fn scalar() -> String {
    format!(r#"(?:"{STRING}|-?+(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+|true|false|null)"#)
}

/// An object of such members.
fn object(member: &str) -> String {
    format!(r#"\{{{W}(?:{member}{W}(?:,{W}(?=")|(?=\}})))*+\}}"#)
}

fn array() -> String {
    format!(r"\[{W}(?:{}{W}(?:,{W}(?!\])|(?=\])))*+\]", scalar())
}

/// A member: a field whose value is captured, an object that holds fields, or anything that is not called as they are.
fn members(fields: &[&str], nested: &[(&str, String)]) -> String {
    let scalar = scalar();
    let quoted: Vec<String> = fields.iter().map(|key| escape(key)).collect();
    let mut choices: Vec<String> = quoted.iter().map(|key| format!(r#"{key}"{W}:{W}({scalar})"#)).collect();
    choices.extend(nested.iter().map(|(key, object)| format!(r#"{}"{W}:{W}{object}"#, escape(key))));
    let known: Vec<String> = quoted.into_iter().chain(nested.iter().map(|(key, _)| escape(key))).collect();
    let flat = object(&format!(r#""{STRING}{W}:{W}{scalar}"#));
    choices.push(format!(r#"(?!(?:{})"){STRING}{W}:{W}(?:{scalar}|{flat}|{})"#, known.join("|"), array()));
    format!(r#""(?:{})"#, choices.join("|"))
}

/// A key as a regular expression that means just it.
fn escape(key: &str) -> String {
    let mut out = String::new();
    for c in key.chars() {
        if c.is_ascii() && !c.is_ascii_alphanumeric() {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use votestream_election::election::FieldPath;

    #[test]
    fn groups_are_numbered_as_they_stand() {
        let mut election = Election::preset("us-president-2024").unwrap();
        let flat = pattern(&election).unwrap();
        assert_eq!(flat.groups, flat.regex.matches("((?:\"").count());
        assert!(flat.parents.is_empty());
        election.mapping.region = Some(FieldPath(vec!["address".into(), "state".into()]));
        let nested = pattern(&election).unwrap();
        assert_eq!(nested.parents, ["\"address\""]);
        assert_eq!(nested.region, Some(nested.groups), "what lies deeper comes last");
    }

    #[test]
    fn mappings_beyond_a_pattern_have_none() {
        let mut election = Election::preset("poll").unwrap();
        for path in [vec!["a", "b", "c"], vec!["a\"b"], vec!["a\\b"], vec!["id", "x"]] {
            election.mapping.gender = Some(FieldPath(path.into_iter().map(str::to_owned).collect()));
            assert_eq!(pattern(&election), None);
        }
    }

    #[test]
    fn a_key_means_just_itself() {
        assert_eq!(escape("a.b$é1"), r"a\.b\$é1");
    }
}
