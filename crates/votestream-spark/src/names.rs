//! Names as they most often stand in records, for looking up in SQL: as the definition writes them, and in lower or upper case where they are
//! ASCII. A name that is written otherwise is not unknown: it is judged elsewhere.

use crate::sql::text;
use std::collections::BTreeMap;
use votestream_election::Election;

/// Genders that every election accepts.
const GENDERS: [&str; 4] = ["Male", "Female", "Other", "Unknown"];
/// Highest age that is believed, as `votestream_election::event` has it.
const AGE_MAX: u16 = votestream_election::event::AGE_MAX;

/// Regions by code and name.
pub(crate) fn regions(election: &Election) -> String {
    lookup(election.regions.iter().zip(0..).flat_map(|(r, i)| [(r.code.as_str(), i), (r.name.as_str(), i)]))
}

/// Candidates by id and name.
pub(crate) fn candidates(election: &Election) -> String {
    lookup(election.candidates.iter().zip(0..).flat_map(|(c, i)| [(c.id.as_str(), i), (c.name.as_str(), i)]))
}

/// Candidates by id and name as names are compared: in lower case, without space around, and without quotes.
pub(crate) fn candidates_normalised(election: &Election) -> String {
    let names =
        election.candidates.iter().zip(0..).flat_map(|(c, i)| [(c.id.as_str(), i), (c.name.as_str(), i)]);
    let mut firsts: BTreeMap<String, usize> = BTreeMap::new();
    for (name, index) in names {
        firsts.entry(name.trim().to_lowercase()).or_insert(index);
    }
    map(firsts.iter().map(|(name, index)| (text(name), *index)))
}

/// Genders; those that the election does not list are unknown, the last.
pub(crate) fn genders(election: &Election) -> String {
    let unknown = election.genders.len().saturating_sub(1);
    let listed = election.genders.iter().map(String::as_str).zip(0..);
    lookup(listed.chain(GENDERS.into_iter().map(|gender| (gender, unknown))))
}

/// Bands by label; NULL for those of people too young to vote.
pub(crate) fn bands(election: &Election) -> String {
    let eligible = election.eligible_age.unwrap_or(0);
    let old_enough = |i: usize| election.bands[i].to.is_none_or(|to| to >= eligible);
    let all: Vec<(&str, usize)> = election.bands.iter().map(|band| band.label.as_str()).zip(0..).collect();
    render(&spellings(all.into_iter()).into_iter().filter(|(_, i)| old_enough(*i)).collect())
}

/// The band of each age in years, by place; NULL for people too young to vote.
pub(crate) fn band_of_age(election: &Election) -> String {
    let eligible = election.eligible_age.unwrap_or(0);
    let bands = (0..=AGE_MAX).map(|age| {
        if age < eligible { "CAST(NULL AS INT)".to_owned() } else { election.band_of(age).to_string() }
    });
    format!("array({})", bands.collect::<Vec<_>>().join(","))
}

fn lookup<'n>(names: impl Iterator<Item = (&'n str, usize)>) -> String {
    render(&spellings(names))
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

/// A map from a string as JSON writes it, quotes included, to a place. What JSON would escape is never met there.
fn render(spellings: &BTreeMap<String, usize>) -> String {
    let plain = |name: &str| name.chars().all(|c| c != '"' && c != '\\' && !c.is_control());
    let entries = spellings.iter().filter(|(name, _)| plain(name));
    map(entries.map(|(name, index)| (text(&format!("\"{name}\"")), *index)))
}

/// A map of these keys, literals of SQL.
fn map(entries: impl Iterator<Item = (String, usize)>) -> String {
    let entries: Vec<String> = entries.map(|(name, index)| format!("{name},{index}")).collect();
    if entries.is_empty() {
        "CAST(map() AS MAP<STRING, INT>)".to_owned()
    } else {
        format!("map({})", entries.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_has_a_shared_name() {
        let found = spellings([("West", 3), ("WEST", 5), (" ", 1), ("Ås", 2)].into_iter());
        let expect = [("WEST", 3), ("West", 3), ("west", 3), ("Ås", 2)];
        assert_eq!(found.iter().map(|(n, i)| (n.as_str(), *i)).collect::<Vec<_>>(), expect);
        assert_eq!(
            render(&[("O'Hara".to_owned(), 1), ("a\"b".to_owned(), 2)].into()),
            r#"map('"O\'Hara"',1)"#
        );
    }
}
