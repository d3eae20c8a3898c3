//! What an election is pinned to when it is created, and how what is given later is compared with it. Pure.

use crate::error::StoreError;
use serde_json::Value;
use votestream_election::delta::Pin;
use votestream_election::{Election, LogId};

/// What is stored of an election's pin.
pub(crate) struct Stored<'a> {
    pub(crate) definition: &'a str,
    pub(crate) hash: &'a [u8; 32],
    pub(crate) log_kind: &'a str,
    pub(crate) log_id: LogId,
    pub(crate) partitions: u32,
}

/// A pin names a start for each of one or more partitions.
pub(crate) fn must_be_whole(election: &Election, pin: &Pin) -> Result<(), StoreError> {
    if pin.partitions > 0 && pin.start_offsets.len() == pin.partitions as usize {
        return Ok(());
    }
    Err(StoreError::Pinned {
        election: election.id.clone(),
        what: "start offsets".into(),
        stored: format!("of {} partitions", pin.partitions),
        given: format!("{} of them", pin.start_offsets.len()),
    })
}

/// Compares what is given with what was pinned.
pub(crate) fn compare(election: &Election, pin: &Pin, stored: &Stored<'_>) -> Result<(), StoreError> {
    let differ = |what: String, stored: String, given: String| {
        Err(StoreError::Pinned { election: election.id.clone(), what, stored, given })
    };
    if stored.log_kind != pin.log_kind {
        return differ("a log of kind".into(), stored.log_kind.to_owned(), pin.log_kind.clone());
    }
    if stored.log_id != pin.log_id {
        return differ("log".into(), stored.log_id.to_string(), pin.log_id.to_string());
    }
    if stored.partitions != pin.partitions {
        return differ("partitions".into(), stored.partitions.to_string(), pin.partitions.to_string());
    }
    if *stored.hash != election.hash().0 {
        let (path, stored, given) = first_difference(stored.definition, &election.to_json());
        return differ(format!("definition {path}"), stored, given);
    }
    Ok(())
}

/// Where two definitions first differ: the path, and both values as JSON.
fn first_difference(stored: &str, given: &str) -> (String, String, String) {
    let parse = |text| serde_json::from_str(text).unwrap_or(Value::Null);
    let (mut stored, mut given): (Value, Value) = (parse(stored), parse(given));
    let mut path = String::new();
    while let Some((step, a, b)) = step_into(&stored, &given) {
        path.push_str(&step);
        (stored, given) = (a, b);
    }
    (path.trim_start_matches('.').to_owned(), shown(&stored), shown(&given))
}

fn step_into(stored: &Value, given: &Value) -> Option<(String, Value, Value)> {
    match (stored, given) {
        (Value::Object(a), Value::Object(b)) => a.keys().chain(b.keys()).find_map(|key| {
            let pair = (a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null));
            (pair.0 != pair.1).then(|| (format!(".{key}"), pair.0.clone(), pair.1.clone()))
        }),
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let at = a.iter().zip(b).position(|(x, y)| x != y)?;
            Some((format!("[{at}]"), a[at].clone(), b[at].clone()))
        }
        _ => None,
    }
}

/// A value as a message shows it: JSON, cut where it is long.
fn shown(value: &Value) -> String {
    const SHOWN: usize = 80;
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named() {
        let check = |a: &str, b: &str, expect: (&str, &str, &str)| {
            let (path, stored, given) = first_difference(a, b);
            assert_eq!((path.as_str(), stored.as_str(), given.as_str()), expect);
        };
        check(r#"{"a":1,"b":[{"c":"x"}]}"#, r#"{"a":1,"b":[{"c":"y"}]}"#, ("b[0].c", r#""x""#, r#""y""#));
        check(r#"{"a":1}"#, r#"{"b":2}"#, ("a", "1", "null"));
        check(r#"{"a":[1]}"#, r#"{"a":[1,2]}"#, ("a", "[1]", "[1,2]"));
    }
}
