//! The shape of an event's JSON for an election's mapping: a compact object, its fields in a fixed order, each a slot to be filled.
//! What fills the slots, and how fast, is `encode`'s business.

use votestream_election::Election;
use votestream_election::election::{FieldPath, TimeFormat};

/// What a field of an event holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// The voter's id: an integer of 16 digits.
    Voter,
    /// The gender's name.
    Gender,
    /// Whole years.
    Age,
    /// The region's name.
    Region,
    /// The candidate's name.
    CandidateName,
    /// The candidate's id.
    CandidateId,
    /// The moment.
    Time,
}

/// A piece of an event's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// Bytes that are the same in each event.
    Text(String),
    /// A value.
    Slot(Field),
}

/// The fields of an election's events, in the order in which they are written.
pub(crate) fn fields(election: &Election, with_time: bool) -> Vec<(FieldPath, Field)> {
    let mapping = &election.mapping;
    let mut fields = vec![(mapping.voter.clone(), Field::Voter)];
    let candidates = mapping.candidate.iter().map(|path| {
        let id = path.0.last().is_some_and(|key| key.ends_with("id"));
        (path.clone(), if id { Field::CandidateId } else { Field::CandidateName })
    });
    let gender = mapping.gender.iter().map(|path| (path.clone(), Field::Gender));
    let age = mapping.age.iter().map(|path| (path.clone(), Field::Age));
    let region = mapping.region.iter().filter(|_| !election.regions.is_empty());
    let region = region.map(|path| (path.clone(), Field::Region));
    // Where a candidate has several fields they are the event's point and come first, as in the `votestream` mapping.
    if mapping.candidate.len() > 1 {
        fields.extend(candidates.chain(gender).chain(age).chain(region));
    } else {
        fields.extend(gender.chain(age).chain(region).chain(candidates));
    }
    match &mapping.time {
        Some((_, TimeFormat::Rfc3339)) if !with_time => {}
        Some((path, _)) => fields.push((path.clone(), Field::Time)),
        None => {}
    }
    fields
}

/// The text of a compact object with these fields; fields under the same key share an object. A field whose place is taken is left out.
pub(crate) fn tokens<T: Copy + PartialEq>(
    fields: &[(FieldPath, T)],
    slot: &mut impl FnMut(T) -> Vec<Token>,
) -> Vec<Token> {
    let paths: Vec<(&[String], T)> = fields.iter().map(|(path, field)| (path.0.as_slice(), *field)).collect();
    let mut tokens = Vec::new();
    object(&paths, slot, &mut tokens);
    merge(tokens)
}

fn object<T: Copy + PartialEq>(
    fields: &[(&[String], T)],
    slot: &mut impl FnMut(T) -> Vec<Token>,
    out: &mut Vec<Token>,
) {
    let mut keys: Vec<&String> = Vec::new();
    for (path, _) in fields {
        if let Some(key) = path.first()
            && !keys.contains(&key)
        {
            keys.push(key);
        }
    }
    out.push(Token::Text("{".into()));
    for (place, key) in keys.into_iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        out.push(Token::Text(format!("{comma}{}:", quoted(key))));
        let within: Vec<(&[String], T)> = fields
            .iter()
            .filter(|(path, _)| path.first() == Some(key))
            .map(|(path, f)| (&path[1..], *f))
            .collect();
        match within.first() {
            Some(([], field)) => out.extend(slot(*field)),
            _ => object(&within, slot, out),
        }
    }
    out.push(Token::Text("}".into()));
}

/// Joins adjoining texts.
fn merge(tokens: Vec<Token>) -> Vec<Token> {
    let mut merged: Vec<Token> = Vec::with_capacity(tokens.len());
    for token in tokens {
        match (merged.last_mut(), token) {
            (Some(Token::Text(before)), Token::Text(text)) => before.push_str(&text),
            (_, token) => merged.push(token),
        }
    }
    merged
}

const HEX: [&str; 16] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f"];

/// A text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            c if c < ' ' => {
                json.extend(["\\u00", HEX[usize::from(c as u8 >> 4)], HEX[usize::from(c as u8 & 15)]]);
            }
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(paths: &[&str], expect: &str) {
        let fields: Vec<(FieldPath, usize)> =
            paths.iter().map(|p| FieldPath(p.split('.').map(str::to_owned).collect())).zip(0..).collect();
        let tokens = tokens(&fields, &mut |field| vec![Token::Text(field.to_string())]);
        assert_eq!(tokens, vec![Token::Text(expect.to_owned())]);
    }

    #[test]
    fn fields_under_one_key_share_an_object() {
        check(&["id", "age", "state"], r#"{"id":0,"age":1,"state":2}"#);
        check(&["voter.id", "choice", "voter.at.state"], r#"{"voter":{"id":0,"at":{"state":2}},"choice":1}"#);
        check(&["a", "a.b", "c"], r#"{"a":0,"c":2}"#);
    }

    #[test]
    fn names_are_escaped() {
        assert_eq!(quoted("O\"Neil \\ \u{1}é"), r#""O\"Neil \\ \u0001é""#);
        let read: String = serde_json::from_str(&quoted("O\"Neil \\ \n\u{1}é")).unwrap();
        assert_eq!(read, "O\"Neil \\ \n\u{1}é");
    }
}
