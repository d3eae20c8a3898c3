//! Looking a text up in a list as SQL: among a few by comparing each, among many by hashing, so that thousands of regions cost what fifty do.
//!
//! Hashing is perfect: `crc32`, which Spark has too, deals texts out to buckets; each bucket has a factor that takes its texts to places that are
//! free. The text that has the place is compared with the one that is looked up.

use crate::sql::{numbers, text, texts};
use std::collections::BTreeMap;
use votestream_election::partitioner::crc32;

/// Up to so many texts are compared one after the other.
const FEW: usize = 16;
/// Texts of a bucket on average.
const BUCKET: usize = 3;
/// Factors that are tried; one of them fits unless two texts have the same crc32.
const FACTORS_MAX: u64 = 1 << 16;
/// A prime; a crc32 times a factor is well below 2^63.
const PRIME: u64 = (1 << 31) - 1;

/// Where each text is found.
struct Places {
    /// The factor of each bucket.
    factors: Vec<u64>,
    /// Who has which place.
    places: Vec<Option<usize>>,
}

/// An expression that is the number of the text that the column `field` holds, or NULL.
pub(crate) fn lookup(field: &str, of: &BTreeMap<String, usize>) -> String {
    let entries: Vec<(&str, usize)> = of.iter().map(|(name, number)| (name.as_str(), *number)).collect();
    if entries.is_empty() {
        return "CAST(NULL AS INT)".to_owned();
    }
    if let Some(places) = (entries.len() > FEW).then(|| Places::of(&entries)).flatten() {
        return places.sql(field, &entries);
    }
    let entries: Vec<String> =
        entries.iter().map(|(name, number)| format!("{},{number}", text(name))).collect();
    format!("element_at(map({}), {field})", entries.join(","))
}

impl Places {
    /// `None`: two texts have one crc32.
    fn of(entries: &[(&str, usize)]) -> Option<Self> {
        let count = entries.len().div_ceil(BUCKET);
        let mut buckets: Vec<(usize, Vec<(u64, usize)>)> = (0..count).map(|i| (i, Vec::new())).collect();
        for (entry, (name, _)) in entries.iter().enumerate() {
            let hash = u64::from(crc32(name.as_bytes()));
            buckets[(hash % count as u64) as usize].1.push((hash, entry));
        }
        // The fullest first, while there is room.
        buckets.sort_by_key(|(_, texts)| std::cmp::Reverse(texts.len()));
        let mut found =
            Self { factors: vec![1; count], places: vec![None; entries.len() + entries.len() / 3 + 1] };
        for (bucket, texts) in &buckets {
            let taken = |factor: u64| {
                let mut places: Vec<usize> =
                    texts.iter().map(|(hash, _)| place(*hash, factor, found.places.len())).collect();
                let free = places.iter().all(|place| found.places[*place].is_none());
                places.sort_unstable();
                free && places.windows(2).all(|two| two[0] != two[1])
            };
            let factor = (1..FACTORS_MAX).find(|factor| taken(*factor))?;
            found.factors[*bucket] = factor;
            for (hash, entry) in texts {
                let place = place(*hash, factor, found.places.len());
                found.places[place] = Some(*entry);
            }
        }
        Some(found)
    }

    fn sql(&self, field: &str, entries: &[(&str, usize)]) -> String {
        let hash = format!("crc32(CAST({field} AS BINARY))");
        let place = format!(
            "CAST({hash} * get({}, CAST({hash} % {}L AS INT)) % {PRIME}L % {}L AS INT)",
            numbers("BIGINT", self.factors.iter().map(|factor| Some(*factor as i64))),
            self.factors.len(),
            self.places.len()
        );
        // No field is the empty text.
        let names = texts(self.places.iter().map(|place| place.map_or("", |entry| entries[entry].0)));
        let found = numbers(
            "INT",
            self.places.iter().map(|place| Some(place.map_or(0, |entry| entries[entry].1 as i64))),
        );
        format!("CASE WHEN {field} <> '' AND get({names}, {place}) = {field} THEN get({found}, {place}) END")
    }
}

fn place(hash: u64, factor: u64, places: usize) -> usize {
    (hash * factor % PRIME % places as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_has_a_place_of_its_own() {
        for count in [17, 51, 306, 5_000] {
            let names: Vec<String> = (0..count).map(|n| format!("\"Constituency {n}\"")).collect();
            let entries: Vec<(&str, usize)> = names.iter().map(String::as_str).zip(0..).collect();
            let found = Places::of(&entries).unwrap();
            for (number, (name, _)) in entries.iter().enumerate() {
                let hash = u64::from(crc32(name.as_bytes()));
                let factor = found.factors[(hash % found.factors.len() as u64) as usize];
                assert_eq!(found.places[place(hash, factor, found.places.len())], Some(number), "{name}");
            }
        }
    }

    #[test]
    fn texts_of_one_crc32_are_compared_one_after_the_other() {
        // The best known pair.
        assert_eq!(crc32(b"plumless"), crc32(b"buckeroo"));
        let mut names: BTreeMap<String, usize> = (0..20).map(|n| (format!("n{n}"), n)).collect();
        assert!(lookup("v1", &names).starts_with("CASE WHEN v1 <> ''"));
        names.extend([("plumless".to_owned(), 20), ("buckeroo".to_owned(), 21)]);
        assert!(lookup("v1", &names).starts_with("element_at(map("));
        assert_eq!(lookup("v1", &BTreeMap::new()), "CAST(NULL AS INT)");
    }
}
