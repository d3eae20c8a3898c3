//! The parser against a slow judge written from the interface's text alone, on serde_json: generated events, mutated ones, bytes.

mod event_support;

use event_support::{nested, path, poll, presidential};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use votestream_election::election::{Election, FieldPath, TimeFormat};
use votestream_election::event::{AGE_IS_BAND, AGE_UNKNOWN, EventParser, Vote};
use votestream_election::{BandIx, CandidateIx, GenderIx, Millis, RegionIx, RejectReason, VoterKey};

const LOGGED: Millis = Millis(1_730_836_800_123);

// --- the naive judge ---

/// An object's members in their order; keys and values as written.
struct Members(Vec<(Box<RawValue>, Box<RawValue>)>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// The value at the end of a path, as written; the last of equal keys. `None`: missing or null.
fn lookup(object: &str, path: &[String]) -> Option<String> {
    let Members(members) = serde_json::from_str(object).ok()?;
    let is_key = |raw: &RawValue| serde_json::from_str::<String>(raw.get()).is_ok_and(|key| key == path[0]);
    let (_, value) = members.iter().rfind(|(key, _)| is_key(key))?;
    match &path[1..] {
        [] => Some(value.get().to_owned()).filter(|text| text != "null"),
        rest => lookup(value.get(), rest),
    }
}

fn is_object(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{')
        && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn text_of(raw: &str) -> Option<String> {
    serde_json::from_str::<String>(raw).ok()
}

fn is_integer(raw: &str) -> bool {
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// A JSON integer from 0 on.
fn natural<N: std::str::FromStr + Default>(raw: &str) -> Option<N> {
    if raw == "-0" {
        return Some(N::default());
    }
    is_integer(raw).then(|| raw.parse().ok())?
}

fn name_of(raw: &str) -> Option<String> {
    let number = raw.starts_with('-') || raw.starts_with(|c: char| c.is_ascii_digit());
    let text = if number { raw.to_owned() } else { text_of(raw)? };
    Some(text.trim().to_lowercase())
}

fn same(name: &str, written: &str) -> bool {
    name.trim().to_lowercase() == written
}

fn naive_voter(election: &Election, raw: Option<String>) -> Result<VoterKey, RejectReason> {
    let raw = raw.ok_or(RejectReason::MissingId)?;
    if let Some(id) = natural(&raw) {
        return Ok(VoterKey::Integer(id));
    }
    let text = text_of(&raw).filter(|text| (1..=128).contains(&text.len())).ok_or(RejectReason::InvalidId)?;
    if let Ok(id) = text.parse::<u64>()
        && id.to_string() == text
    {
        return Ok(VoterKey::Integer(id));
    }
    let groups: Vec<usize> = text
        .split('-')
        .map(|group| if group.chars().all(|c| c.is_ascii_hexdigit()) { group.len() } else { 0 })
        .collect();
    let canonical = if groups == [8, 4, 4, 4, 12] { text.to_lowercase() } else { text };
    let context = format!("{}{}", election.id, election.salt.as_deref().unwrap_or(""));
    let digest = blake3::derive_key(&context, canonical.as_bytes());
    Ok(VoterKey::Text(digest[..16].iter().fold(0, |key, byte| key << 8 | u128::from(*byte))))
}

fn naive_age(election: &Election, raw: Option<String>) -> Result<(BandIx, u16), RejectReason> {
    let unknown = (BandIx(election.bands.len() as u8), AGE_UNKNOWN);
    let Some(raw) = raw else { return Ok(unknown) };
    let eligible = election.eligible_age.unwrap_or(0);
    if let Some(age) = natural::<u16>(&raw) {
        return match age {
            151.. => Err(RejectReason::InvalidAge),
            _ if age < eligible => Err(RejectReason::UnderAge),
            _ => Ok((BandIx(election.band_of(age)), age)),
        };
    }
    let label = text_of(&raw).map(|text| text.trim().to_lowercase()).ok_or(RejectReason::InvalidAge)?;
    let band =
        election.bands.iter().position(|band| same(&band.label, &label)).ok_or(RejectReason::InvalidAge)?;
    if election.bands[band].to.is_some_and(|to| to < eligible) {
        return Err(RejectReason::UnderAge);
    }
    Ok((BandIx(band as u8), AGE_IS_BAND | band as u16))
}

fn naive_gender(election: &Election, raw: Option<String>) -> Result<GenderIx, RejectReason> {
    let unknown = election.genders.len() - 1;
    let Some(raw) = raw else { return Ok(GenderIx(unknown as u8)) };
    let name = name_of(&raw).ok_or(RejectReason::InvalidGender)?;
    let listed = election.genders.iter().position(|gender| same(gender, &name));
    let always = ["male", "female", "other", "unknown"].contains(&name.as_str()).then_some(unknown);
    listed.or(always).map(|index| GenderIx(index as u8)).ok_or(RejectReason::InvalidGender)
}

/// RFC 3339 by jiff's reader, after a look at the form that jiff is more generous about.
fn naive_rfc3339(text: &str) -> Option<i64> {
    let (head, tail) = text.split_at_checked(19)?;
    let form: String = head.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let tail = match tail.strip_prefix('.') {
        Some(decimals) => {
            let rest = decimals.trim_start_matches(|c: char| c.is_ascii_digit());
            if rest.len() == decimals.len() {
                return None;
            }
            rest
        }
        None => tail,
    };
    let offset: String = tail.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let forms = ["0000-00-00T00:00:00", "0000-00-00t00:00:00", "0000-00-00 00:00:00"];
    if !forms.contains(&form.as_str()) || !["Z", "z", "+00:00", "-00:00"].contains(&offset.as_str()) {
        return None;
    }
    if tail.len() > 1 && (&tail[1..3] > "23" || &tail[4..6] > "59") {
        return None;
    }
    let local: jiff::civil::DateTime = head.to_uppercase().replace(' ', "T").parse().ok()?;
    if &head[17..] == "60" {
        return None; // Leap seconds are told apart in the table of hostile records.
    }
    let sign = if tail.starts_with('-') { -1 } else { 1 };
    let minutes = if tail.len() > 1 {
        tail[1..3].parse::<i64>().ok()? * 60 + tail[4..6].parse::<i64>().ok()?
    } else {
        0
    };
    let decimals: String = text[19..]
        .trim_start_matches('.')
        .chars()
        .take_while(char::is_ascii_digit)
        .chain("000".chars())
        .take(3)
        .collect();
    let millis = if text[19..].starts_with('.') { decimals.parse::<i64>().ok()? } else { 0 };
    // Civil arithmetic, since the first and last years leave jiff's range of moments with some offsets.
    let epoch = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0);
    let seconds = local.duration_since(epoch).as_secs();
    Some((seconds - sign * minutes * 60) * 1000 + millis)
}

fn naive_moment(election: &Election, raw: Option<String>) -> Result<Millis, RejectReason> {
    let Some(raw) = raw else { return Ok(LOGGED) };
    let moment = match &election.mapping.time.as_ref().expect("mapped").1 {
        TimeFormat::Rfc3339 => text_of(&raw).and_then(|text| naive_rfc3339(&text)),
        TimeFormat::Local(pattern) => text_of(&raw).and_then(|text| {
            let read = jiff::civil::DateTime::strptime(pattern, text).ok().filter(|read| read.year() >= 0)?;
            Some(read.to_zoned(TimeZone::get(&election.time_zone).ok()?).ok()?.timestamp().as_millisecond())
        }),
        TimeFormat::UnixMillis => {
            let years = -62_167_219_200_000..=253_402_300_799_999_i64;
            Some(raw)
                .filter(|raw| is_integer(raw))
                .and_then(|raw| raw.parse().ok())
                .filter(|millis| years.contains(millis))
        }
    };
    moment.map(Millis).ok_or(RejectReason::InvalidTime)
}

fn naive_judge(election: &Election, value: &[u8]) -> Result<Vote, RejectReason> {
    if value.len() > 65_536 {
        return Err(RejectReason::TooLarge);
    }
    if !is_object(value) {
        return Err(RejectReason::Malformed);
    }
    let object = std::str::from_utf8(value).expect("checked");
    let field = |path: &FieldPath| lookup(object, &path.0);
    let mapping = &election.mapping;
    let voter = naive_voter(election, field(&mapping.voter))?;
    let region = match &mapping.region {
        Some(path) if !election.regions.is_empty() => {
            let name = field(path).and_then(|raw| name_of(&raw)).ok_or(RejectReason::UnknownRegion)?;
            let found = election.regions.iter().position(|r| same(&r.code, &name) || same(&r.name, &name));
            found.ok_or(RejectReason::UnknownRegion)?
        }
        _ => 0,
    };
    let known = |path: &FieldPath| {
        let name = field(path).and_then(|raw| name_of(&raw))?;
        election.candidates.iter().position(|c| same(&c.id, &name) || same(&c.name, &name))
    };
    let candidate = mapping.candidate.iter().find_map(known).ok_or(RejectReason::UnknownCandidate)?;
    let (band, age) = naive_age(election, mapping.age.as_ref().and_then(&field))?;
    let gender = naive_gender(election, mapping.gender.as_ref().and_then(&field))?;
    let moment = naive_moment(election, mapping.time.as_ref().and_then(|(path, _)| field(path)))?;
    if election.voting_hours.is_some_and(|(start, end)| moment < start || moment >= end) {
        return Err(RejectReason::OutsideVotingHours);
    }
    Ok(Vote {
        voter,
        region: RegionIx(region as u16),
        candidate: CandidateIx(candidate as u16),
        gender,
        band,
        age,
        moment,
    })
}

// --- what is tried ---

fn elections() -> Vec<Election> {
    let mut odd = presidential();
    odd.mapping.time = Some((path("time"), TimeFormat::UnixMillis));
    odd.mapping.region = Some(path("address.state"));
    odd.mapping.candidate = vec![path("address"), path("decision"), path("address.a.b")];
    odd.genders = ["Non-binary", "Female", "Unknown"].map(str::to_owned).to_vec();
    odd.voting_hours = Some((Millis(-5), Millis(1_730_836_900_000)));
    odd.salt = Some("salt".to_owned());
    odd.eligible_age = Some(20);
    vec![presidential(), nested(), poll(), odd]
}

/// A character of a string, written in one of the ways that JSON allows.
fn spelled(text: &str, choice: u32) -> String {
    let mut out = String::from("\"");
    for (i, c) in text.chars().enumerate() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\0'..='\x1f' => out.extend(format!("\\u{:04X}", c as u32).chars()),
            _ if choice >> (i % 29) & 7 == 1 => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.extend(format!("\\u{unit:04x}").chars());
                }
            }
            _ => out.push(c),
        }
    }
    out + "\""
}

fn text_value() -> impl Strategy<Value = String> {
    let picked = prop::sample::select(
        [
            "OH",
            "Ohio",
            " oHIO ",
            "district of columbia",
            "New York",
            "harris",
            "Kamala Harris",
            "DONALD TRUMP",
            "other",
            "Male",
            "female",
            "Unknown",
            "Non-binary",
            "25-34",
            " 65+",
            "0-17",
            "18-24",
            "",
            " ",
            "12",
            "012",
            "18446744073709551615",
            "18446744073709551616",
            "41",
            "-0",
            "3F2504E0-4F89-11D3-9A0C-0305E82C3301",
            "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            "2024-11-05T20:15:30.25-05:00",
            "2024-11-05 20:15:30",
            "2024-11-05 20:15:30Z",
            "2024-03-10 02:30:00",
            "2024-11-03 01:30:00",
            "2024-1-5 1:2:3",
            "9999-12-31T23:59:59-23:59",
            "0000-01-01 00:00:00z",
        ]
        .as_slice(),
    );
    let any = prop_oneof![picked.prop_map(str::to_owned), "\\PC{0,20}", "[0-9]{1,21}", ".{0,140}"];
    let lone = prop::sample::select([r#""\ud800""#, r#""OH\udc00""#, r#""\ud83d\u0041""#].as_slice())
        .prop_map(str::to_owned);
    prop_oneof![12 => (any, any_choice()).prop_map(|(text, choice)| spelled(&text, choice)), 1 => lone]
}

/// Most often nothing is escaped.
fn any_choice() -> impl Strategy<Value = u32> {
    prop_oneof![3 => Just(0_u32), 1 => any::<u32>()]
}

fn value() -> impl Strategy<Value = String> {
    let number = prop::sample::select(
        [
            "0",
            "-0",
            "7",
            "17",
            "18",
            "41",
            "150",
            "151",
            "-1",
            "41.0",
            "1e1",
            "0.5",
            "-0.0",
            "1234567890123456",
            "18446744073709551615",
            "18446744073709551616",
            "123456789012345678901234567890",
            "1730836800000",
            "-62167219200000",
            "1E400",
            "012",
            "1.",
            "-",
        ]
        .as_slice(),
    );
    let literal = prop::sample::select(
        ["null", "true", "false", "[]", "{}", "[1, {\"id\": 2}]", "nul", "", "NaN", "[", "}"].as_slice(),
    );
    let leaf = prop_oneof![
        6 => text_value(),
        4 => number.prop_map(str::to_owned),
        2 => any::<u64>().prop_map(|n| (n >> (n % 64)).to_string()),
        2 => literal.prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            object(inner.clone(), 3).boxed(),
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(" ,"))).boxed(),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    let keys: &'static [&'static str] = &[
        "id",
        "state",
        "decision",
        "gender",
        "age",
        "time",
        "voter_id",
        "candidate_id",
        "candidate_name",
        "registered_age",
        "address",
        "voting_time",
        "a",
        "b",
        "x",
        "",
        "ID",
    ];
    (prop::sample::select(keys), any_choice()).prop_map(|(key, choice)| spelled(key, choice))
}

fn object(value: impl Strategy<Value = String>, members_max: usize) -> impl Strategy<Value = String> {
    let space = prop::sample::select(["", "", "", " ", "\t", "\r\n ", "  "].as_slice());
    prop::collection::vec((key(), value, space), 0..members_max).prop_map(|members| {
        let members: Vec<String> = members
            .iter()
            .map(|(key, value, space)| format!("{space}{key}{space}:{space}{value}{space}"))
            .collect();
        format!("{{{}}}", members.join(","))
    })
}

/// A record that is a vote, or would be but for a field or two, in any of the three shapes.
fn near_vote() -> impl Strategy<Value = String> {
    let fields = [
        ("id", "1234567890123456"),
        ("voter_id", "\"3F2504E0-4F89-11D3-9A0C-0305E82C3301\""),
        ("state", "\"Ohio\""),
        ("address", r#"{"street": "1 Main", "state": "OH", "zip": 1}"#),
        ("decision", "\"Kamala Harris\""),
        ("candidate_name", "\"Jill Stein\""),
        ("gender", "\"Female\""),
        ("age", "41"),
    ];
    let fields: Vec<(String, String)> =
        fields.into_iter().map(|(key, value)| (format!("\"{key}\""), value.to_owned())).collect();
    let apt = [
        ("id", "null"),
        ("voter_id", "null"),
        ("age", "17"),
        ("age", "\"0-17\""),
        ("registered_age", "0"),
        ("time", "1730836900000"),
        ("time", "-6"),
        ("time", "\"2024-11-05T20:15:30Z\""),
        ("voting_time", "\"2024-11-05 20:15:30\""),
        ("state", "\"Mars\""),
        ("decision", "null"),
    ];
    let apt = prop::sample::select(apt.map(|(key, value)| (format!("\"{key}\""), value.to_owned())).to_vec());
    let changes = prop::collection::vec(prop_oneof![(key(), value()), apt], 0..4);
    let removals = prop::collection::vec(any::<prop::sample::Index>(), 0..2);
    (Just(fields), removals, changes, any::<prop::sample::Index>()).prop_flat_map(
        |(mut fields, removals, changes, at)| {
            for removal in removals {
                fields.remove(removal.index(fields.len()));
            }
            for change in changes {
                fields.insert(at.index(fields.len() + 1), change);
            }
            Just(fields).prop_shuffle().prop_map(|fields| {
                let fields: Vec<String> =
                    fields.iter().map(|(key, value)| format!("{key}: {value}")).collect();
                format!("{{{}}}", fields.join(", "))
            })
        },
    )
}

#[derive(Clone, Debug)]
enum Mutation {
    Replace(u8),
    Insert(u8),
    Remove,
    Cut,
    Repeat,
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let telling = prop::sample::select(
        b"{}[],:\"\\ \t\n0123456789-+.eEunltfdD8a\x00\x1f\x7f\x80\xc3\xed\xff".as_slice(),
    );
    let byte = prop_oneof![4 => telling, 1 => any::<u8>()];
    prop_oneof![
        4 => byte.clone().prop_map(Mutation::Replace),
        3 => byte.prop_map(Mutation::Insert),
        3 => Just(Mutation::Remove),
        1 => Just(Mutation::Cut),
        1 => Just(Mutation::Repeat),
    ]
}

fn mutate(record: &mut Vec<u8>, mutation: &Mutation, at: prop::sample::Index) {
    let at = at.index(record.len().max(1));
    match mutation {
        _ if record.is_empty() => {}
        Mutation::Replace(byte) => record[at] = *byte,
        Mutation::Insert(byte) => record.insert(at, *byte),
        Mutation::Remove => drop(record.remove(at)),
        Mutation::Cut => record.truncate(at),
        Mutation::Repeat => {
            let tail = record[at..].to_vec();
            record.extend(tail);
        }
    }
}

/// Both judges agree, on records one after another by one parser, and on the last again.
fn agree(records: &[&[u8]]) {
    for election in elections() {
        let mut parser = EventParser::new(&election);
        for record in records.iter().chain(records.last()) {
            let shown = String::from_utf8_lossy(record);
            let expect = naive_judge(&election, record);
            assert_eq!(
                parser.judge(Some(record), LOGGED, false),
                expect,
                "{}: {shown}",
                election.mapping.name
            );
        }
    }
}

/// `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    ProptestConfig { cases: asked.cases.max(1000), failure_persistence: None, ..asked }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn generated_objects_are_judged_as_the_naive_judge_does(record in object(value(), 9)) {
        agree(&[record.as_bytes()]);
    }

    #[test]
    fn records_that_are_nearly_votes_are_judged_as_the_naive_judge_does(record in near_vote()) {
        agree(&[record.as_bytes()]);
    }

    #[test]
    fn mutated_votes_are_judged_as_the_naive_judge_does(
        record in near_vote(),
        mutations in prop::collection::vec((mutation(), any::<prop::sample::Index>()), 1..4),
    ) {
        let whole = record.into_bytes();
        let mut record = whole.clone();
        for (mutation, at) in mutations {
            mutate(&mut record, &mutation, at);
        }
        agree(&[&whole, &record, &whole, &record]);
    }

    #[test]
    fn any_bytes_are_judged_as_the_naive_judge_does(record in prop::collection::vec(any::<u8>(), 0..60)) {
        agree(&[&record]);
    }

    #[test]
    fn a_parser_gives_the_same_whatever_it_judged_before(records in prop::collection::vec(near_vote(), 2..8)) {
        for election in elections() {
            let mut parser = EventParser::new(&election);
            for record in &records {
                let alone = EventParser::new(&election).judge(Some(record.as_bytes()), LOGGED, false);
                prop_assert_eq!(parser.judge(Some(record.as_bytes()), LOGGED, false), alone);
            }
        }
    }
}

#[test]
fn what_is_generated_reaches_every_outcome() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeMap::new();
    for _ in 0..5000 {
        let record = near_vote().new_tree(&mut runner).expect("nothing is filtered").current();
        for election in elections() {
            let outcome = EventParser::new(&election).judge(Some(record.as_bytes()), LOGGED, false);
            *seen.entry(outcome.map(drop).err()).or_insert(0) += 1;
        }
    }
    println!("{seen:?}");
    let out_of_reach = [RejectReason::TooLarge, RejectReason::Misrouted];
    for reason in RejectReason::ALL.into_iter().filter(|reason| !out_of_reach.contains(reason)) {
        assert!(seen.get(&Some(reason)).is_some_and(|count| *count > 20), "{reason:?}: {seen:?}");
    }
    assert!(seen[&None] > 2000, "{seen:?}");
}

/// Each byte of valid votes replaced by each byte value: both readers agree on what is a JSON object, and the judges on the rest.
#[test]
fn every_change_of_one_byte_is_judged_as_the_naive_judge_does() {
    let votes: [&[u8]; 3] = [
        br#"{"id":1234567890123456,"age":41,"state":"Ohio","decision":"stein"}"#,
        br#"{"id": "\u00e9\ud83d\ude00", "x": [-1.5e+3, {"a": null}, true], "state": "OH", "decision": "stein"}"#,
        "{\"id\":\"é漢😀\",\"state\":\"OH\",\"decision\":\"stein\",\"time\":\"2024-11-05T20:15:30Z\"}".as_bytes(),
    ];
    let election = presidential();
    let mut parser = EventParser::new(&election);
    for vote in votes {
        for at in 0..vote.len() {
            for byte in 0..=255 {
                let mut record = vote.to_vec();
                record[at] = byte;
                let shown = String::from_utf8_lossy(&record);
                assert_eq!(
                    parser.judge(Some(&record), LOGGED, false),
                    naive_judge(&election, &record),
                    "{shown}"
                );
                record.remove(at);
                let shown = String::from_utf8_lossy(&record);
                assert_eq!(
                    parser.judge(Some(&record), LOGGED, false),
                    naive_judge(&election, &record),
                    "{shown}"
                );
            }
        }
    }
}
