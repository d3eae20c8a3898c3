//! Names as they most often stand in records, for looking up in SQL: as the definition writes them, and in lower or upper case where they are
//! ASCII. A name that is written otherwise is not unknown: it is judged elsewhere.

use crate::lookup::lookup;
use crate::sql::numbers;
use std::collections::BTreeMap;
use votestream_election::Election;

/// Genders that every election accepts.
const GENDERS: [&str; 4] = ["Male", "Female", "Other", "Unknown"];
/// Highest age that is believed, as `votestream_election::event` has it.
const AGE_MAX: u16 = votestream_election::event::AGE_MAX;

/// The region that the column `field` names, by code or name; NULL where it is not written as usual.
pub(crate) fn region(election: &Election, field: &str) -> String {
    let names =
        election.regions.iter().zip(0..).flat_map(|(r, i)| [(r.code.as_str(), i), (r.name.as_str(), i)]);
    lookup(field, &in_json(&spellings(names)))
}

/// The candidate, by id or name.
pub(crate) fn candidate(election: &Election, field: &str) -> String {
    lookup(field, &in_json(&spellings(candidates(election))))
}

/// The candidate by id or name as names are compared: in lower case, without space around, and without quotes.
pub(crate) fn candidate_normalised(election: &Election, field: &str) -> String {
    let mut firsts: BTreeMap<String, usize> = BTreeMap::new();
    for (name, index) in candidates(election) {
        firsts.entry(name.trim().to_lowercase()).or_insert(index);
    }
    lookup(field, &firsts)
}

fn candidates(election: &Election) -> impl Iterator<Item = (&str, usize)> {
    election.candidates.iter().zip(0..).flat_map(|(c, i)| [(c.id.as_str(), i), (c.name.as_str(), i)])
}

/// The gender; those that the election does not list are unknown, the last.
pub(crate) fn gender(election: &Election, field: &str) -> String {
    let unknown = election.genders.len().saturating_sub(1);
    let listed = election.genders.iter().map(String::as_str).zip(0..);
    let all = listed.chain(GENDERS.into_iter().map(|gender| (gender, unknown)));
    lookup(field, &in_json(&spellings(all)))
}

/// The band by its label; NULL for those of people too young to vote.
pub(crate) fn band(election: &Election, field: &str) -> String {
    let eligible = election.eligible_age.unwrap_or(0);
    let old_enough = |i: usize| election.bands[i].to.is_none_or(|to| to >= eligible);
    let mut labels = spellings(election.bands.iter().map(|band| band.label.as_str()).zip(0..));
    labels.retain(|_, i| old_enough(*i));
    lookup(field, &in_json(&labels))
}

/// The band of each age in years, by place; NULL for people too young to vote.
pub(crate) fn band_of_age(election: &Election) -> String {
    let eligible = election.eligible_age.unwrap_or(0);
    let band = |age: u16| (age >= eligible).then(|| i64::from(election.band_of(age)));
    numbers("INT", (0..=AGE_MAX).map(band))
}

/// Every spelling with what it names. Where two share a name without case and space, the first has it in every spelling.
fn spellings<'n>(names: impl Iterator<Item = (&'n str, usize)>) -> BTreeMap<String, usize> {
    let mut firsts: BTreeMap<String, usize> = BTreeMap::new();
    let mut spellings = BTreeMap::new();
    for (name, index) in names {
        let key = name.trim().to_lowercase();
        if key.is_empty() {
            continue;
        }
        let index = *firsts.entry(key).or_insert(index);
        spellings.insert(name.to_owned(), index);
        if name.is_ascii() {
            spellings.insert(name.to_ascii_lowercase(), index);
            spellings.insert(name.to_ascii_uppercase(), index);
        }
    }
    spellings
}

/// The spellings as JSON writes them, quotes included. What JSON would escape is never met there.
fn in_json(spellings: &BTreeMap<String, usize>) -> BTreeMap<String, usize> {
    let plain = |name: &str| name.chars().all(|c| c != '"' && c != '\\' && !c.is_control());
    let entries = spellings.iter().filter(|(name, _)| plain(name));
    entries.map(|(name, index)| (format!("\"{name}\""), *index)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_has_a_shared_name() {
        let found = spellings([("West", 3), ("WEST", 5), (" ", 1), ("Ås", 2)].into_iter());
        let expect = [("WEST", 3), ("West", 3), ("west", 3), ("Ås", 2)];
        assert_eq!(found.iter().map(|(n, i)| (n.as_str(), *i)).collect::<Vec<_>>(), expect);
        let plain = in_json(&[("O'Hara".to_owned(), 1), ("a\"b".to_owned(), 2)].into());
        assert_eq!(plain, [("\"O'Hara\"".to_owned(), 1)].into());
    }
}
