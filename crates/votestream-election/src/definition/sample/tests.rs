//! Drafts from records of several kinds, each counted by its own draft.

use super::*;
use crate::definition::US_PRESIDENT_2024;
use crate::reject::RejectReason;

/// Drafts from records, and counts them by the draft: all must be valid.
fn drafted(records: &[String]) -> (Election, String) {
    let (election, toml) = draft(records.iter().map(String::as_bytes)).unwrap();
    assert_eq!(Election::from_toml(&toml, "draft.toml").unwrap(), election, "{toml}");
    let mut parser = EventParser::new(&election);
    for record in records {
        let judged = parser.judge(Some(record.as_bytes()), Millis(0), false);
        assert!(judged.is_ok(), "{record}: {judged:?}\n{toml}");
    }
    (election, toml)
}

fn pick<'t>(texts: &[&'t str], i: usize) -> &'t str {
    texts[i % texts.len()]
}

#[test]
fn presidential_events() {
    let records: Vec<String> = (0..200)
        .map(|i| {
            format!(
                r#"{{"id":{},"gender":"{}","age":{},"state":"{}","decision":"{}"}}"#,
                1_000_000_000_000_000_u64 + i as u64,
                pick(&["Male", "Female"], i),
                18 + i % 70,
                pick(&["Ohio", "Texas", "New York", "PA"], i),
                pick(&["Donald Trump", "kamala harris ", "Jill Stein"], i),
            )
        })
        .collect();
    let (election, toml) = drafted(&records);
    assert_eq!(election.mapping, Election::preset(US_PRESIDENT_2024).unwrap().mapping);
    assert_eq!(election.regions.len(), 51, "all states where only states are named");
    assert_eq!(
        election.candidates.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(),
        ["donald-trump", "jill-stein", "kamala-harris"]
    );
    assert_eq!(election.genders, ["Female", "Male", "Unknown"]);
    assert!(toml.contains("Of the first 200 JSON objects among them 200 are valid votes by it."), "{toml}");
}

const CANDIDATES: [(&str, &str, &str); 3] = [
    ("7f9c2b1e-4b57-4a8e-9d0f-0c6f3d2a1b11", "Ana Sousa", "Green Party"),
    ("0b2d8c7a-93f4-4c39-8a35-5f1e7b6d2c22", "Bram de Wit", "Labour Party"),
    ("c4a1d9e3-2f68-4b7d-b1c9-8e3a5f7d9e33", "Chloé O'Brien", ""),
];

#[test]
fn events_of_the_votestream_mapping() {
    let records: Vec<String> = (0..100)
        .map(|i| {
            let (id, name, _) = CANDIDATES[i % 3];
            format!(
                r#"{{"voter_id":"v{i}","candidate_id":"{id}","candidate_name":"{name}","gender":"female","registered_age":{},
                "address":{{"state":"{}"}},"voting_time":"2024-03-01 12:00:{:02}"}}"#,
                16 + i % 60,
                pick(&["Kent", "Essex", "Tyne and Wear"], i),
                i % 60,
            )
            .replace('\n', " ")
        })
        .collect();
    let (election, _) = drafted(&records);
    assert_eq!(election.mapping.name, "votestream");
    assert_eq!(election.bands[0].label, "0-17");
    let regions: Vec<_> = election.regions.iter().map(|r| (r.code.as_str(), r.name.as_str())).collect();
    assert_eq!(regions, [("ESS", "Essex"), ("Kent", "Kent"), ("TYN", "Tyne and Wear")]);
    assert_eq!(election.candidates[0].id, CANDIDATES[0].0);
}

/// Counties as generators of random British people have them, several alike at their beginning.
const COUNTIES: [&str; 12] = [
    "Somerset",
    "Kent",
    "Isle of Wight",
    "County Down",
    "County Durham",
    "County Londonderry",
    "West Midlands",
    "West Sussex",
    "Dumfries and Galloway",
    "Clwyd",
    "Tyne and Wear",
    "Mid Glamorgan",
];

#[test]
fn messages_of_the_usual_tutorial() {
    let records: Vec<String> = (0..5_000)
        .map(|i| {
            let (id, name, party) = CANDIDATES[i % 3];
            let party = if party.is_empty() { "null".to_owned() } else { format!("{party:?}") };
            format!(
                r#"{{"voter_id":"{i:08x}-93f4-4c39-8a35-5f1e7b6d2c22","voter_name":"Voter {i}","date_of_birth":"1970-01-{:02}T08:00:00.000Z",
                "gender":"{}","nationality":"British","registration_number":"u{i}","address":{{"street":"{i} High St","city":"Bath",
                "state":"{}","country":"United Kingdom","postcode":"BA{i}"}},"email":"v{i}@example.org","phone_number":"0","cell_number":"1",
                "picture":"","registered_age":{},"candidate_id":"{id}","candidate_name":"{name}","party_affiliation":{party},
                "biography":"Text, with \"quotes\".","campaign_platform":"All","photo_url":"","voting_time":"2024-03-01 12:{:02}:30","vote":1}}"#,
                1 + i % 28,
                pick(&["male", "female"], i),
                pick(&COUNTIES, i * 7 + i / 11),
                18 + i % 70,
                i % 60,
            )
            .replace('\n', " ")
        })
        .collect();
    let (election, toml) = drafted(&records);
    assert_eq!(election.mapping.name, "votestream", "{toml}");
    let parties: Vec<_> = election.candidates.iter().map(|c| (c.name.as_str(), c.party.as_str())).collect();
    assert_eq!(
        parties,
        [("Ana Sousa", "Green Party"), ("Bram de Wit", "Labour Party"), ("Chloé O'Brien", "")]
    );
    assert_eq!(election.regions.len(), COUNTIES.len());
    assert_eq!(election.genders, ["Female", "Male", "Unknown"]);
}

#[test]
fn polls_and_fields_of_ones_own() {
    let poll: Vec<String> =
        (0..30).map(|i| format!(r#"{{"id":"m{i}","decision":"{}"}}"#, pick(&["Yes", "No"], i))).collect();
    assert_eq!(drafted(&poll).0.mapping.name, "poll");
    let own: Vec<String> = (0..30)
        .map(|i| {
            format!(
                r#"{{"member-id":{i},"ballot":{{"choice":"{}","castAt":{}}},"sex":"m","age":"{}"}}"#,
                pick(&["Plan A", "Plan B", "Plan A+"], i),
                1_700_000_000_000_u64 + i as u64,
                pick(&["16-24", "25-64", "65+"], i),
            )
        })
        .collect();
    let (election, toml) = drafted(&own);
    assert_eq!(election.mapping.name, "custom", "{toml}");
    assert_eq!(election.mapping.time.as_ref().unwrap().1, TimeFormat::UnixMillis);
    assert_eq!(election.bands.len(), 3);
    assert_eq!(election.genders, ["M", "Unknown"]);
    let ids: Vec<_> = election.candidates.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["plan-a", "plan-a-2", "plan-b"], "names that make the same id");
}

#[test]
fn fields_that_cannot_be_read_are_left_out() {
    let records: Vec<String> = (0..50)
        .map(|i| format!(r#"{{"id":{i},"decision":"a","age":"about {i}","time":"yesterday","gender":"g{i}","state":"Ohio"}}"#))
        .collect();
    let (election, toml) = drafted(&records);
    assert_eq!(election.mapping.name, "custom", "the presidential mapping would look at the time");
    assert_eq!((election.mapping.time.clone(), election.bands.len(), election.genders.len()), (None, 0, 1));
    for role in ["gender", "age", "time"] {
        assert!(toml.contains(&format!("The {role} is not looked at")), "{toml}");
    }
}

#[test]
fn what_no_definition_can_be_drafted_from() {
    let check = |records: &[&str], expect: &str| {
        let error = draft(records.iter().map(|r| r.as_bytes())).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    };
    check(&[], "none of the 0 records");
    check(&["[1]", "nonsense", "7"], "none of the 3 records is a JSON object");
    check(
        &[r#"{"who":1,"decision":"a"}"#],
        r#"no field of the records looks like the voter; their fields are "decision", "who""#,
    );
    check(&[r#"{"id":1,"colour":"a"}"#], "looks like the candidate");
    let many: Vec<String> = (0..70).map(|i| format!(r#"{{"id":{i},"decision":"c{i}"}}"#)).collect();
    check(&many.iter().map(String::as_str).collect::<Vec<_>>(), r#"the field "decision" holds more than 64"#);
}

#[test]
fn odd_records_do_not_spoil_a_draft() {
    let mut records: Vec<String> = (0..1_500)
        .map(|i| {
            format!(
                r#"{{"id":{i},"decision":"{}","age":40,"state":"Ohio","gender":"Male"}}"#,
                pick(&["a", "b"], i)
            )
        })
        .collect();
    records.insert(3, "{torn".to_owned());
    records.insert(700, r#"{"id":9999,"decision":"a","age":"old","state":"Ohio"}"#.to_owned());
    records.push(r#"{"id":8888,"decision":"late","age":40,"state":"Ohio"}"#.to_owned());
    let (election, _) = draft(records.iter().map(String::as_bytes)).unwrap();
    assert_eq!(election.candidates.len(), 3, "also those that come late");
    assert!(!election.bands.is_empty());
    let mut parser = EventParser::new(&election);
    let mut judge = |record: &str| parser.judge(Some(record.as_bytes()), Millis(0), false).err();
    let rejects: Vec<_> = records.iter().filter_map(|r| judge(r)).collect();
    assert_eq!(rejects, [RejectReason::Malformed, RejectReason::InvalidAge]);
}
