//! Hostile records, one a row: each reason, each boundary, and what is valid though it looks otherwise.

mod event_support;

use RejectReason::{
    InvalidAge, InvalidGender, InvalidId, InvalidTime, Malformed, MissingId, OutsideVotingHours, TooLarge,
    UnderAge, UnknownCandidate, UnknownRegion,
};
use event_support::{OHIO, nested, path, poll, presidential};
use votestream_election::election::{Election, TimeFormat};
use votestream_election::event::{AGE_IS_BAND, AGE_UNKNOWN, EventParser, VALUE_BYTES_MAX, Vote};
use votestream_election::voter::key_of_text;
use votestream_election::{BandIx, CandidateIx, GenderIx, Millis, RegionIx, RejectReason, VoterKey};

/// The log's time in every test here.
const LOGGED: Millis = Millis(1_730_836_800_123);

fn judge(election: &Election, record: &[u8]) -> Result<Vote, RejectReason> {
    EventParser::new(election).judge(Some(record), LOGGED, false)
}

/// Each record gives its outcome, alone and after all those before it: nothing is carried over from one to the next.
fn check<R: AsRef<[u8]>>(election: &Election, rows: &[(R, Result<(), RejectReason>)]) {
    let mut parser = EventParser::new(election);
    for _ in 0..2 {
        for (record, expect) in rows {
            let record = record.as_ref();
            let alone = judge(election, record);
            let shown = String::from_utf8_lossy(&record[..record.len().min(300)]);
            assert_eq!(alone.map(drop), *expect, "{shown}");
            assert_eq!(parser.judge(Some(record), LOGGED, false), alone, "{shown}, after others");
        }
    }
}

/// A valid record but for one field, written as given.
fn with(field: &str, value: &str) -> String {
    let mut fields = vec![
        ("id", "7"),
        ("state", "\"OH\""),
        ("decision", "\"harris\""),
        ("gender", "\"Male\""),
        ("age", "41"),
    ];
    match fields.iter_mut().find(|(name, _)| *name == field) {
        Some(found) => found.1 = value,
        None => fields.push((field, value)),
    }
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

fn check_field(field: &str, rows: &[(&str, Result<(), RejectReason>)]) {
    let rows: Vec<_> = rows.iter().map(|(value, expect)| (with(field, value), *expect)).collect();
    check(&presidential(), &rows);
}

fn without(field: &str) -> String {
    with(field, "0").replace(&format!("\"{field}\":0"), "\"ignored\":0")
}

#[test]
fn an_event_becomes_a_vote() {
    let record = br#"{"id": 1234567890123456, "gender": "Female", "age": 41, "state": "Ohio", "decision": "Kamala Harris"}"#;
    let vote = Vote {
        voter: VoterKey::Integer(1_234_567_890_123_456),
        region: RegionIx(OHIO),
        candidate: CandidateIx(1),
        gender: GenderIx(0),
        band: BandIx(3),
        age: 41,
        moment: LOGGED,
    };
    assert_eq!(judge(&presidential(), record), Ok(vote));
}

#[test]
fn what_is_not_one_json_object_is_malformed() {
    let rest = r#""state":"OH","decision":"harris""#;
    let ok = |text: String| (text.into_bytes(), Ok(()));
    let bad = |text: String| (text.into_bytes(), Err(Malformed));
    let mut rows = vec![
        ok(format!(r#"{{"id":1,{rest}}}"#)),
        ok(format!(" \t\r\n{{\r\n\"id\"\t: 1 ,\n {rest} \r}}\n\n ")),
        bad(String::new()),
        bad(" ".into()),
        bad("null".into()),
        bad("true".into()),
        bad("12".into()),
        bad("\"text\"".into()),
        bad("[]".into()),
        bad(format!(r#"[{{"id":1,{rest}}}]"#)),
        bad("{".into()),
        bad("}".into()),
        bad("{]".into()),
        bad("{,}".into()),
        bad("{1:2}".into()),
        bad("{null:2}".into()),
        bad("{'id':1}".into()),
        bad("{\"id\"}".into()),
        bad("{\"id\":}".into()),
        bad("{\"id\" 1}".into()),
        bad("{\"id\":1".into()),
        bad("{\"id\":1,".into()),
        bad("{\"id\":1,}".into()),
        bad("{\"id\":1 \"x\":2}".into()),
        bad("{\"id\":1]".into()),
        bad(format!(r#"{{"id":1,,{rest}}}"#)),
        bad(format!(r#"{{"id":1,{rest}}}{{}}"#)),
        bad(format!(r#"{{"id":1,{rest}}} x"#)),
        bad(format!(r#"{{"id":1,{rest}}},"#)),
        bad(format!("{{\"id\":1,{rest}}}\0")),
        bad(format!("{{\"id\":1,{rest}}}\u{b}")),
        bad(format!("\u{feff}{{\"id\":1,{rest}}}")),
        bad(format!("{{\"id\":1,\u{a0}{rest}}}")),
        bad(format!("{{\"id\":1,{rest}}} // done")),
        bad("\0\0\0\0".into()),
        bad("{\0:1}".into()),
    ];
    for cut in 0..rows[0].0.len() {
        rows.push((rows[0].0[..cut].to_vec(), Err(Malformed)));
    }
    check(&presidential(), &rows);
}

#[test]
fn fields_that_are_ignored_must_still_be_json() {
    let ok = [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-1",
        "1.5",
        "-0.0e-00",
        "1E+400",
        "123456789012345678901234567890",
        "\"\"",
        "\"\u{7f}\"",
        "\"é漢😀\"",
        r#""\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00""#,
        r#""\ud800""#,
        r#""\udc00\ud800""#,
        "[]",
        "[ ]",
        "{}",
        "{ }",
        "[[],{},[{}]]",
        "{\"a\":{\"b\":[1,\"2\",null,{\"id\":[]}]},\"a\":0}",
        "[1 , 2\t,\n3]",
        "{\"\":\"\"}",
        r#"{"\u0000":1}"#,
    ];
    let bad = [
        "",
        "nul",
        "nulll",
        "True",
        "NaN",
        "Infinity",
        "-Infinity",
        "undefined",
        "00",
        "01",
        "-",
        "-01",
        "+1",
        ".5",
        "1.",
        "1.e1",
        "1e",
        "1e+",
        "0x1",
        "1_000",
        "1a",
        "--1",
        "\"",
        "\"a",
        "\"\\\"",
        "\"\\q\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u+123\"",
        "\"\\",
        "\"\t\"",
        "\"\n\"",
        "\"\0\"",
        "\"\u{1f}\"",
        "'a'",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{\"a\":1]",
        "{\"a\":1,}",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{1:1}",
        "{\"a\":1 \"b\":2}",
        "[\"a\":1]",
        "{[]:1}",
        "{\"a\",1}",
        "[[[]]",
        "[]]",
        "{\"a\":[}]}",
        "1 2",
        "\"a\"\"b\"",
    ];
    for (place, field) in [("last", "x"), ("in the middle", "gender_"), ("escaped key", "\\u0078")] {
        let wrap = |value: &str| match place {
            "in the middle" => format!(r#"{{"id":7,"{field}":{value},"state":"OH","decision":"harris"}}"#),
            _ => format!(r#"{{"id":7,"state":"OH","decision":"harris","{field}":{value}}}"#),
        };
        let rows: Vec<_> = ok
            .iter()
            .map(|value| (wrap(value), Ok(())))
            .chain(bad.iter().map(|value| (wrap(value), Err(Malformed))))
            .collect();
        check(&presidential(), &rows);
    }
}

#[test]
fn invalid_utf8_is_malformed_wherever_it_is() {
    let bad: [&[u8]; 12] = [
        b"\xff",
        b"\x80",
        b"\xc0\xaf",
        b"\xc1\xbf",
        b"\xc3",
        b"\xe2\x82",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x98",
        b"\xf0\x80\x80\xaf",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
    ];
    let mut rows = Vec::new();
    for bytes in bad {
        for (before, after) in [
            ("{\"id\":7,\"state\":\"OH\",\"decision\":\"harris\",\"x\":\"", "\"}"),
            ("{\"id\":7,\"state\":\"OH\",\"decision\":\"harris\",\"long long key ", "\":1}"),
            ("{\"id\":\"", "\",\"state\":\"OH\",\"decision\":\"harris\"}"),
            ("{\"id\":7,\"state\":\"OH\",\"decision\":\"harris\",\"x\":[{\"", "\":1}]}"),
            ("{\"id\":7,\"state\":\"OH\",\"decision\":\"harris\"", "}"),
            ("{\"id\":7,\"state\":\"OH\",\"decision\":\"harris\"}", ""),
            ("", "{\"id\":7,\"state\":\"OH\",\"decision\":\"harris\"}"),
        ] {
            rows.push(([before.as_bytes(), bytes, after.as_bytes()].concat(), Err(Malformed)));
        }
    }
    check(&presidential(), &rows);
}

#[test]
fn a_null_value_is_malformed_and_a_long_one_too_large() {
    let mut parser = EventParser::new(&presidential());
    assert_eq!(parser.judge(None, LOGGED, false), Err(Malformed));
    assert_eq!(parser.judge(Some(b""), LOGGED, false), Err(Malformed));
    let valid = with("age", "41");
    let padded = |len: usize| format!("{valid}{}", " ".repeat(len - valid.len()));
    assert!(parser.judge(Some(padded(VALUE_BYTES_MAX).as_bytes()), LOGGED, false).is_ok());
    assert_eq!(parser.judge(Some(padded(VALUE_BYTES_MAX + 1).as_bytes()), LOGGED, false), Err(TooLarge));
    assert_eq!(
        parser.judge(Some(valid.as_bytes()), LOGGED, true),
        Err(TooLarge),
        "the kept start of a longer value"
    );
    assert_eq!(parser.judge(None, LOGGED, true), Err(TooLarge), "the first reason that applies");
    assert!(parser.judge(Some(valid.as_bytes()), LOGGED, false).is_ok());
}

#[test]
fn nesting_is_bounded_by_length_alone() {
    let levels = 32_700;
    let deep = |open: &str, close: &str, levels: usize| {
        with("x", &format!("{}{}", open.repeat(levels), close.repeat(levels)))
    };
    let objects = with("x", &format!("{}1{}", "{\"\":".repeat(10_000), "}".repeat(10_000)));
    let rows = [
        (deep("[", "]", levels), Ok(())),
        (objects.clone(), Ok(())),
        (deep("[{\"\":", "}]", 7_000), Err(Malformed)),
        (objects.replacen("}}}", "}}", 1), Err(Malformed)),
        (deep("[", "]", levels).replacen("]]", "]}", 1), Err(Malformed)),
        (deep("[", "", levels), Err(Malformed)),
        ("[".repeat(VALUE_BYTES_MAX), Err(Malformed)),
        ("{\"x\":".repeat(VALUE_BYTES_MAX / 5), Err(Malformed)),
        (format!("{{\"x\":{}", "[".repeat(VALUE_BYTES_MAX - 5)), Err(Malformed)),
    ];
    check(&presidential(), &rows);
}

#[test]
fn ids() {
    let long = format!("\"{}\"", "x".repeat(128));
    let longer = format!("\"{}\"", "x".repeat(129));
    let wide = format!("\"{}\"", "ü".repeat(64));
    let wider = format!("\"{}x\"", "ü".repeat(64));
    let escaped = format!("\"{}\"", "\\u0078".repeat(128));
    let escaped_longer = format!("\"{}\"", "\\u00fc".repeat(65));
    check_field(
        "id",
        &[
            ("null", Err(MissingId)),
            ("0", Ok(())),
            ("-0", Ok(())),
            ("18446744073709551615", Ok(())),
            ("18446744073709551616", Err(InvalidId)),
            ("99999999999999999999", Err(InvalidId)),
            ("100000000000000000000000000000000000000000", Err(InvalidId)),
            ("-1", Err(InvalidId)),
            ("12.0", Err(InvalidId)),
            ("1e3", Err(InvalidId)),
            ("0e0", Err(InvalidId)),
            ("-0.0", Err(InvalidId)),
            ("012", Err(Malformed)),
            ("true", Err(InvalidId)),
            ("false", Err(InvalidId)),
            ("[]", Err(InvalidId)),
            ("[7]", Err(InvalidId)),
            ("{}", Err(InvalidId)),
            ("{\"id\":7}", Err(InvalidId)),
            ("\"\"", Err(InvalidId)),
            ("\" \"", Ok(())),
            ("\"null\"", Ok(())),
            ("\"\\u0000\"", Ok(())),
            (&long, Ok(())),
            (&longer, Err(InvalidId)),
            (&wide, Ok(())),
            (&wider, Err(InvalidId)),
            (&escaped, Ok(())),
            (&escaped_longer, Err(InvalidId)),
            (r#""\ud800""#, Err(InvalidId)),
            (r#""\udc00""#, Err(InvalidId)),
            (r#""a\ud83dz""#, Err(InvalidId)),
            (r#""\ud83d\ud83d\ude00""#, Err(InvalidId)),
            (r#""\ud83d\n""#, Err(InvalidId)),
            (r#""\ud83d\ude00""#, Ok(())),
        ],
    );
    check(&presidential(), &[(without("id"), Err(MissingId)), ("{}".to_owned(), Err(MissingId))]);
}

#[test]
fn one_voter_has_one_key_however_the_id_is_written() {
    let key = |id: &str| judge(&presidential(), with("id", id).as_bytes()).map(|vote| vote.voter);
    let hashed = |text: &str| Ok(key_of_text("us-president-2024", None, text).unwrap());
    for id in ["12", "\"12\"", r#""\u0031\u0032""#, r#""1\u0032""#] {
        assert_eq!(key(id), Ok(VoterKey::Integer(12)), "{id}");
    }
    assert_eq!(key("-0"), Ok(VoterKey::Integer(0)));
    assert_eq!(key("\"0\""), Ok(VoterKey::Integer(0)));
    assert_eq!(key("\"18446744073709551615\""), Ok(VoterKey::Integer(u64::MAX)));
    for text in
        ["012", "-0", "+12", " 12", "12 ", "12.0", "1e1", "18446744073709551616", "١٢", "anna", "Anna", "a b"]
    {
        assert!(matches!(key(&format!("\"{text}\"")), Ok(VoterKey::Text(_))), "{text}");
        assert_eq!(key(&format!("\"{text}\"")), hashed(text), "{text}");
    }
    let uuid = "3f2504e0-4f89-11d3-9a0c-0305e82c3301";
    assert_eq!(key(&format!("\"{uuid}\"")), hashed(uuid));
    assert_eq!(key(&format!("\"{}\"", uuid.to_uppercase())), hashed(uuid));
    assert_eq!(key(&format!("\"\\u0033{}\"", &uuid.to_uppercase()[1..])), hashed(uuid));
    assert_ne!(key("\"anna\""), key("\"Anna\""));
    assert_eq!(key(r#""\u0061nna""#), key("\"anna\""));
    assert_eq!(key(r#""\ud83d\ude00\/\"""#), hashed("😀/\""));
}

#[test]
fn the_canonical_text_is_at_hand_after_judging() {
    let mut parser = EventParser::new(&presidential());
    for (id, text) in [
        ("12", "12"),
        ("\"12\"", "12"),
        ("-0", "0"),
        ("18446744073709551615", "18446744073709551615"),
        ("\"012\"", "012"),
        (r#""\u00e9""#, "é"),
        ("\"3F2504E0-4F89-11D3-9A0C-0305E82C3301\"", "3f2504e0-4f89-11d3-9a0c-0305e82c3301"),
    ] {
        let record = with("id", id);
        let vote = parser.judge(Some(record.as_bytes()), LOGGED, false).unwrap();
        let mut canonical = Vec::new();
        parser.canonical_text(vote.voter, &mut canonical);
        assert_eq!(canonical, text.as_bytes());
        assert_eq!(parser.voter_text(record.as_bytes()).unwrap().as_bytes(), text.as_bytes());
    }
    assert_eq!(
        parser.voter_text(br#"{"id":5,"state":"Mars"}"#).unwrap().as_bytes(),
        b"5",
        "whatever else is wrong"
    );
    for none in ["", "[]", "{\"id\":5", "{\"id\":null}", "{\"id\":[]}", "{\"id\":-1}"] {
        assert!(parser.voter_text(none.as_bytes()).is_none(), "{none}");
    }
}

#[test]
fn regions_and_candidates() {
    check_field(
        "state",
        &[
            ("\"Ohio\"", Ok(())),
            ("\"oh\"", Ok(())),
            ("\"  oHIO\\t\"", Ok(())),
            (r#""\u004f\u0048""#, Ok(())),
            ("\"\u{2003}Ohio\u{a0}\"", Ok(())),
            ("\"ＯＨ\"", Err(UnknownRegion)),
            ("\"Ohioo\"", Err(UnknownRegion)),
            ("\"O H\"", Err(UnknownRegion)),
            ("\"\"", Err(UnknownRegion)),
            ("\"   \"", Err(UnknownRegion)),
            (r#""OH\ud800""#, Err(UnknownRegion)),
            ("\"OH\\u0000\"", Err(UnknownRegion)),
            ("null", Err(UnknownRegion)),
            ("35", Err(UnknownRegion)),
            ("true", Err(UnknownRegion)),
            ("[\"OH\"]", Err(UnknownRegion)),
            ("{\"OH\":\"OH\"}", Err(UnknownRegion)),
        ],
    );
    check_field(
        "decision",
        &[
            ("\"harris\"", Ok(())),
            ("\"HARRIS\"", Ok(())),
            ("\" kamala harris \"", Ok(())),
            ("\"\u{212a}amala Harris\"", Ok(())),
            ("\"Kamala  Harris\"", Err(UnknownCandidate)),
            ("\"Kamala\"", Err(UnknownCandidate)),
            ("\"\"", Err(UnknownCandidate)),
            ("null", Err(UnknownCandidate)),
            ("1", Err(UnknownCandidate)),
            ("[]", Err(UnknownCandidate)),
            (r#""\udfff""#, Err(UnknownCandidate)),
        ],
    );
    check(
        &presidential(),
        &[(without("state"), Err(UnknownRegion)), (without("decision"), Err(UnknownCandidate))],
    );
}

#[test]
fn a_number_names_by_its_text() {
    let mut election = presidential();
    election.regions[0].code = "7".to_owned();
    election.candidates[0].id = "1.5".to_owned();
    let record = |state: &str, decision: &str| format!(r#"{{"id":1,"state":{state},"decision":{decision}}}"#);
    check(
        &election,
        &[
            (record("7", "1.5"), Ok(())),
            (record("\"7\"", "\"1.5\""), Ok(())),
            (record("7.0", "1.5"), Err(UnknownRegion)),
            (record("07", "1.5"), Err(Malformed)),
            (record("7", "1.50"), Err(UnknownCandidate)),
            (record("7", "15e-1"), Err(UnknownCandidate)),
        ],
    );
}

#[test]
fn ages() {
    check_field(
        "age",
        &[
            ("null", Ok(())),
            ("18", Ok(())),
            ("17", Err(UnderAge)),
            ("0", Err(UnderAge)),
            ("-0", Err(UnderAge)),
            ("150", Ok(())),
            ("151", Err(InvalidAge)),
            ("-1", Err(InvalidAge)),
            ("-41", Err(InvalidAge)),
            ("41.0", Err(InvalidAge)),
            ("41.5", Err(InvalidAge)),
            ("1e1", Err(InvalidAge)),
            ("4.1e1", Err(InvalidAge)),
            ("65577", Err(InvalidAge)),
            ("18446744073709551657", Err(InvalidAge)),
            ("99999999999999999999999999", Err(InvalidAge)),
            ("true", Err(InvalidAge)),
            ("[41]", Err(InvalidAge)),
            ("{}", Err(InvalidAge)),
            ("\"41\"", Err(InvalidAge)),
            ("\"\"", Err(InvalidAge)),
            ("\"old\"", Err(InvalidAge)),
            ("\"25-34\"", Ok(())),
            ("\" 25-34 \"", Ok(())),
            (r#""25\u002d34""#, Ok(())),
            (r#""25-34\ud800""#, Err(InvalidAge)),
            ("\"65+\"", Ok(())),
            ("\"0-17\"", Err(UnderAge)),
            ("\"18-29\"", Err(InvalidAge)),
        ],
    );
    let outcome =
        |age: &str| judge(&presidential(), with("age", age).as_bytes()).map(|vote| (vote.band.0, vote.age));
    assert_eq!(outcome("18"), Ok((1, 18)));
    assert_eq!(outcome("24"), Ok((1, 24)));
    assert_eq!(outcome("25"), Ok((2, 25)));
    assert_eq!(outcome("150"), Ok((4, 150)));
    assert_eq!(outcome("null"), Ok((5, AGE_UNKNOWN)));
    assert_eq!(outcome("\"25-34\""), Ok((2, AGE_IS_BAND | 2)));
    assert_eq!(judge(&presidential(), without("age").as_bytes()).map(|vote| vote.age), Ok(AGE_UNKNOWN));
}

#[test]
fn a_band_is_under_age_only_where_it_lies_wholly_below() {
    let straddling = Election { eligible_age: Some(20), ..presidential() };
    let outcome = |age: &str| judge(&straddling, with("age", age).as_bytes()).map(|vote| vote.band);
    assert_eq!(outcome("\"18-24\""), Ok(BandIx(1)));
    assert_eq!(outcome("19"), Err(UnderAge));
    assert_eq!(outcome("20"), Ok(BandIx(1)));
    let none = Election { eligible_age: None, ..presidential() };
    assert_eq!(judge(&none, with("age", "0").as_bytes()).map(|vote| vote.age), Ok(0));
    let neither = Election { eligible_age: None, bands: Vec::new(), ..presidential() };
    assert_eq!(
        judge(&neither, with("age", "\"x\"").as_bytes()).map(|vote| (vote.band, vote.age)),
        Ok((BandIx(0), AGE_UNKNOWN))
    );
    let no_bands = Election { bands: Vec::new(), ..presidential() };
    assert_eq!(
        judge(&no_bands, with("age", "17").as_bytes()),
        Err(UnderAge),
        "an eligible age holds without bands"
    );
    assert_eq!(
        judge(&no_bands, with("age", "18").as_bytes()).map(|vote| (vote.band, vote.age)),
        Ok((BandIx(0), 18))
    );
}

#[test]
fn genders() {
    check_field(
        "gender",
        &[
            ("null", Ok(())),
            ("\"male\"", Ok(())),
            ("\" FEMALE\"", Ok(())),
            ("\"Other\"", Ok(())),
            ("\"unknown\"", Ok(())),
            ("\"m\"", Err(InvalidGender)),
            ("\"\"", Err(InvalidGender)),
            ("\"Non-binary\"", Err(InvalidGender)),
            ("1", Err(InvalidGender)),
            ("true", Err(InvalidGender)),
            ("[]", Err(InvalidGender)),
            (r#""\ud800""#, Err(InvalidGender)),
            (r#""\u004dale""#, Ok(())),
        ],
    );
    let election = Election {
        genders: ["Non-binary", "Female", "Unknown"].map(str::to_owned).to_vec(),
        ..presidential()
    };
    let outcome =
        |gender: &str| judge(&election, with("gender", gender).as_bytes()).map(|vote| vote.gender.0);
    assert_eq!(outcome("\"non-BINARY\""), Ok(0));
    assert_eq!(outcome("\"Female\""), Ok(1));
    assert_eq!(outcome("\"Male\""), Ok(2), "always accepted; not listed, so counted as unknown");
    assert_eq!(outcome("\"Other\""), Ok(2));
    assert_eq!(outcome("\"Unknown\""), Ok(2));
    assert_eq!(outcome("null"), Ok(2));
    assert_eq!(outcome("\"diverse\""), Err(InvalidGender));
}

#[test]
fn rfc_3339_times() {
    let moment = |time: &str| {
        judge(&presidential(), with("time", &format!("\"{time}\"")).as_bytes()).map(|vote| vote.moment.0)
    };
    for (time, expect) in [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00z", 0),
        ("1970-01-01 00:00:00Z", 0),
        ("1969-12-31T23:59:59.999Z", -1),
        ("1969-12-31T23:59:59.9999999999999999999999999Z", -1),
        ("1970-01-01T00:00:00.1Z", 100),
        ("1970-01-01T00:00:00.0009Z", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T19:00:00-05:00", 0),
        ("1970-01-01T00:00:00-00:00", 0),
        ("1970-01-01T23:59:00+23:59", 0),
        ("2024-11-05T20:15:30.123-05:00", 1_730_855_730_123),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ("2000-02-29T00:00:00Z", 951_782_400_000),
        ("0000-01-01T00:00:00Z", -62_167_219_200_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ("2016-12-31T23:59:60Z", 1_483_228_799_999),
        ("2016-12-31T18:59:60.5-05:00", 1_483_228_799_999),
        ("2017-01-01T00:59:60+01:00", 1_483_228_799_999),
    ] {
        assert_eq!(moment(time), Ok(expect), "{time}");
    }
    for time in [
        "",
        "Z",
        "2024-11-05",
        "20:15:00Z",
        "2024-11-05T20:15Z",
        "2024-11-05T20:15:00",
        "2024-11-05T20:15:00.Z",
        "2024-11-05T20:15:00,5Z",
        "2024-11-05T20:15:00+5:00",
        "2024-11-05T20:15:00+0500",
        "2024-11-05T20:15:00+05",
        "2024-11-05T20:15:00+24:00",
        "2024-11-05T20:15:00+05:60",
        "2024-11-05T24:00:00Z",
        "2024-11-05T20:60:00Z",
        "2024-11-05T20:15:61Z",
        "2024-11-05T20:15:60Z",
        "2016-12-30T23:59:60Z",
        "2016-12-31T23:59:60+01:00",
        "2024-13-05T20:15:00Z",
        "2024-00-05T20:15:00Z",
        "2024-11-31T20:15:00Z",
        "2024-11-00T20:15:00Z",
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2024-11-05_20:15:00Z",
        "2024-11-05T20:15:00Z ",
        " 2024-11-05T20:15:00Z",
        "2024-11-05T20:15:00ZZ",
        "+2024-11-05T20:15:00Z",
        "-001-11-05T20:15:00Z",
        "12024-11-05T20:15:00Z",
        "2024/11/05T20:15:00Z",
        "２024-11-05T20:15:00Z",
        "2024-11-05T20:15:00−05:00",
        "never",
        "1730855730",
    ] {
        assert_eq!(moment(time), Err(InvalidTime), "{time}");
    }
    check_field(
        "time",
        &[
            ("null", Ok(())),
            ("1730855730", Err(InvalidTime)),
            ("true", Err(InvalidTime)),
            ("[]", Err(InvalidTime)),
            ("{}", Err(InvalidTime)),
            (r#""\ud800""#, Err(InvalidTime)),
            (r#""\u0032024-11-05T20:15:30\u005a""#, Ok(())),
        ],
    );
    assert_eq!(judge(&presidential(), with("time", "null").as_bytes()).map(|vote| vote.moment), Ok(LOGGED));
}

#[test]
fn local_times_are_read_in_the_elections_zone() {
    let moment = |time: &str| {
        let record = format!(
            r#"{{"voter_id":1,"candidate_id":"harris","address":{{"state":"OH"}},"voting_time":{time}}}"#
        );
        let once = judge(&nested(), record.as_bytes()).map(|vote| vote.moment.0);
        // Again with a parser that has just read another time of the same day.
        let mut parser = EventParser::new(&nested());
        let sibling = record.replacen(" 0", " 2", 1);
        let _ = parser.judge(Some(sibling.as_bytes()), LOGGED, false);
        assert_eq!(
            parser.judge(Some(record.as_bytes()), LOGGED, false).map(|vote| vote.moment.0),
            once,
            "{time}"
        );
        once
    };
    for (time, expect) in [
        ("\"2024-11-05 20:15:30\"", 1_730_855_730_000),
        ("\"2024-07-01 00:00:00\"", 1_719_806_400_000),
        // The night on which the clock goes back: before, between (the first of two), after.
        ("\"2024-11-03 00:59:59\"", 1_730_609_999_000),
        ("\"2024-11-03 01:30:00\"", 1_730_611_800_000),
        ("\"2024-11-03 02:00:00\"", 1_730_617_200_000),
        ("\"2024-11-03 23:59:59\"", 1_730_696_399_000),
        // The night on which it goes forward: what it skips is read with the offset before.
        ("\"2024-03-10 01:59:59\"", 1_710_053_999_000),
        ("\"2024-03-10 02:30:00\"", 1_710_055_800_000),
        ("\"2024-03-10 03:00:00\"", 1_710_054_000_000),
        ("null", LOGGED.0),
    ] {
        assert_eq!(moment(time), Ok(expect), "{time}");
    }
    for time in [
        "\"\"",
        "\"2024-11-05\"",
        "\"2024-11-05T20:15:30\"",
        "\"2024-11-05 20:15:30Z\"",
        "\"2024-11-05 24:00:00\"",
        "\"2024-02-30 00:00:00\"",
        "\"2024-11-05 20:15:30 PM\"",
        "1730855730",
        "true",
    ] {
        assert_eq!(moment(time), Err(InvalidTime), "{time}");
    }
}

#[test]
fn milliseconds_since_1970() {
    let mut election = presidential();
    election.mapping.time = Some((path("time"), TimeFormat::UnixMillis));
    let moment = |time: &str| judge(&election, with("time", time).as_bytes()).map(|vote| vote.moment.0);
    for (time, expect) in [
        ("0", 0),
        ("-0", 0),
        ("1730855730123", 1_730_855_730_123),
        ("-1", -1),
        ("-62167219200000", -62_167_219_200_000),
        ("253402300799999", 253_402_300_799_999),
    ] {
        assert_eq!(moment(time), Ok(expect), "{time}");
    }
    for time in [
        "-62167219200001",
        "253402300800000",
        "1.0",
        "1e3",
        "\"0\"",
        "\"\"",
        "true",
        "[]",
        "99999999999999999999",
    ] {
        assert_eq!(moment(time), Err(InvalidTime), "{time}");
    }
}

#[test]
fn voting_hours_begin_at_their_start_and_end_before_their_end() {
    let election = Election { voting_hours: Some((Millis(1_000), Millis(2_000))), ..presidential() };
    let at = |millis: i64| {
        EventParser::new(&election)
            .judge(Some(with("x", "0").as_bytes()), Millis(millis), false)
            .map(|vote| vote.moment)
    };
    assert_eq!(at(999), Err(OutsideVotingHours));
    assert_eq!(at(1_000), Ok(Millis(1_000)));
    assert_eq!(at(1_999), Ok(Millis(1_999)));
    assert_eq!(at(2_000), Err(OutsideVotingHours));
    let own = |time: &str| judge(&election, with("time", time).as_bytes()).map(|vote| vote.moment.0);
    assert_eq!(own("\"1970-01-01T00:00:01Z\""), Ok(1_000), "the record's own time counts, not the log's");
    assert_eq!(own("\"1970-01-01T00:00:02Z\""), Err(OutsideVotingHours));
    assert_eq!(own("null"), Err(OutsideVotingHours));
}

#[test]
fn of_several_reasons_the_first_in_order_is_given() {
    let election = Election { voting_hours: Some((Millis(0), Millis(1))), ..presidential() };
    let mut fields = vec![
        ("id", "-1", InvalidId),
        ("state", "\"Mars\"", UnknownRegion),
        ("decision", "\"nobody\"", UnknownCandidate),
        ("age", "151", InvalidAge),
        ("gender", "\"x\"", InvalidGender),
        ("time", "\"never\"", InvalidTime),
    ];
    while let Some((_, _, expect)) = fields.first().copied() {
        for order in [false, true] {
            let mut written: Vec<String> =
                fields.iter().map(|(name, value, _)| format!("\"{name}\":{value}")).collect();
            for (name, value) in [("id", "1"), ("state", "\"OH\""), ("decision", "\"stein\"")] {
                if !fields.iter().any(|field| field.0 == name) {
                    written.push(format!("\"{name}\":{value}"));
                }
            }
            if order {
                written.reverse();
            }
            let record = format!("{{{}}}", written.join(","));
            assert_eq!(judge(&election, record.as_bytes()), Err(expect), "{record}");
            assert_eq!(judge(&election, &record.as_bytes()[..record.len() - 1]), Err(Malformed));
        }
        fields.remove(0);
    }
    let young = r#"{"id":1,"state":"OH","decision":"stein","age":17,"gender":"x","time":"never"}"#;
    assert_eq!(judge(&election, young.as_bytes()), Err(UnderAge));
    let late = r#"{"id":1,"state":"OH","decision":"stein","age":18}"#;
    assert_eq!(judge(&election, late.as_bytes()), Err(OutsideVotingHours));
}

#[test]
fn the_last_value_of_a_repeated_key_holds() {
    let vote = |record: &str| {
        judge(&presidential(), record.as_bytes()).map(|vote| (vote.voter, vote.region.0, vote.candidate.0))
    };
    let expect = Ok((VoterKey::Integer(2), OHIO, 1));
    for record in [
        r#"{"id":1,"id":2,"state":"OH","decision":"harris"}"#,
        r#"{"id":{"id":9},"id":2,"state":"OH","decision":"harris"}"#,
        r#"{"id":1,"state":"OH","decision":"harris","\u0069d":2}"#,
        r#"{"id":1,"state":"OH","decision":"harris","\u0069\u0064":2}"#,
        r#"{"\u0069d":1,"state":"OH","decision":"harris","id":2}"#,
        r#"{"id":2,"state":"TX","decision":"harris","state":null,"state":"OH"}"#,
        r#"{"id":2,"decision":5,"state":"OH","state":"OH","decision":"harris","ID":3,"id ":4,"":5,"i":6,"idx":7}"#,
    ] {
        assert_eq!(vote(record), expect, "{record}");
    }
    assert_eq!(vote(r#"{"id":2,"state":"OH","decision":"harris","state":null}"#), Err(UnknownRegion));
    assert_eq!(vote(r#"{"id":2,"state":"OH","decision":"harris","\u0069d":null}"#), Err(MissingId));
    assert_eq!(vote(r#"{"id":2,"state":"OH","decision":"harris","i\ud800d":null}"#), expect);
    assert_eq!(vote(r#"{"id":2,"state":"OH","decision":"harris","\ud800":null,"id\u0000":[]}"#), expect);
}

#[test]
fn fields_within_objects() {
    let rest = r#""voter_id":1,"candidate_id":"harris""#;
    let rows: Vec<(String, Result<(), RejectReason>)> = [
        (r#""address":{"state":"OH"}"#, Ok(())),
        (r#""address":{"street":"1 Main","state":"OH","zip":[1,{"state":"TX"}],"x":{"state":5}}"#, Ok(())),
        (r#""address" : { "state" : "OH" } "#, Ok(())),
        (r#""addres\u0073":{"\u0073tate":"OH"}"#, Ok(())),
        (r#""address":{"state":"Mars","state":"OH"}"#, Ok(())),
        (r#""address":{"state":"Mars"},"address":{"state":"OH"}"#, Ok(())),
        (r#""address":5,"address":{"state":"OH"}"#, Ok(())),
        (r#""address":{"state":"OH"},"address":{}"#, Err(UnknownRegion)),
        (r#""address":{"state":"OH"},"address":{"city":"Akron"}"#, Err(UnknownRegion)),
        (r#""address":{"state":"OH"},"address":null"#, Err(UnknownRegion)),
        (r#""address":{"state":"OH"},"\u0061ddress":[]"#, Err(UnknownRegion)),
        (r#""address":{"state":{"state":"OH"}}"#, Err(UnknownRegion)),
        (r#""address":[{"state":"OH"}]"#, Err(UnknownRegion)),
        (r#""address":"OH""#, Err(UnknownRegion)),
        (r#""address":{},"state":"OH""#, Err(UnknownRegion)),
        (r#""address.state":"OH""#, Err(UnknownRegion)),
        (r#""x":{"address":{"state":"OH"}}"#, Err(UnknownRegion)),
        (r#""address":{"state":"OH",}"#, Err(Malformed)),
        (r#""address":{"state":"OH""#, Err(Malformed)),
        (r#""address":{"state":"OH"]"#, Err(Malformed)),
        (r#""address":{,"state":"OH"}"#, Err(Malformed)),
        (r#""address":{"state":"OH"}}"#, Err(Malformed)),
    ]
    .into_iter()
    .flat_map(|(address, expect)| {
        [(format!("{{{rest},{address}}}"), expect), (format!("{{{address},{rest}}}"), expect)]
    })
    .collect();
    check(&nested(), &rows);
}

#[test]
fn the_first_candidate_field_that_is_known_counts() {
    let vote = |fields: &str| {
        let record = format!(r#"{{"voter_id":1,"address":{{"state":"OH"}}{fields}}}"#);
        judge(&nested(), record.as_bytes()).map(|vote| vote.candidate.0)
    };
    assert_eq!(vote(r#","candidate_id":"trump","candidate_name":"Jill Stein""#), Ok(0));
    assert_eq!(
        vote(r#","candidate_name":"Jill Stein","candidate_id":"3f2504e0-4f89-11d3-9a0c-0305e82c3301""#),
        Ok(2)
    );
    assert_eq!(vote(r#","candidate_name":"Jill Stein""#), Ok(2));
    assert_eq!(vote(r#","candidate_id":null,"candidate_name":"Jill Stein""#), Ok(2));
    assert_eq!(vote(r#","candidate_id":"nobody","candidate_name":"no one""#), Err(UnknownCandidate));
    assert_eq!(vote(""), Err(UnknownCandidate));
}

#[test]
fn keys_may_be_anything_and_lie_at_any_depth() {
    let mut election = presidential();
    election.mapping.voter = path("a.b.c");
    election.mapping.region = Some(path("a.b.d"));
    election.mapping.candidate =
        vec![path("a"), path("a.\"quoted\" and \\ a key that is longer than sixteen bytes")];
    election.mapping.gender = Some(path("é"));
    election.mapping.age = Some(path("a.b.c"));
    let record = r#"{"a":{"b":{"c":41,"d":"OH"},"\"quoted\" and \\ a key that is longer than sixteen bytes":"harris"},"é":"Male"}"#;
    let vote = judge(&election, record.as_bytes()).unwrap();
    assert_eq!((vote.voter, vote.region.0, vote.candidate.0), (VoterKey::Integer(41), OHIO, 1));
    assert_eq!((vote.age, vote.gender.0), (41, 1), "two fields may share a path");
    check(
        &election,
        &[
            (record.replace(r#""a":{"b""#, r#""a":{},"a":{"b""#), Ok(())),
            (record.replace("\"é\"", r#""\u00e9""#), Ok(())),
            (record.replace(r#""d":"OH"}"#, r#""d":"OH"},"b":{"c":41}"#), Err(UnknownRegion)),
            (format!("{record}}}"), Err(Malformed)),
            (record.replace(r#"},"é""#, r#"},"a":"stein","é""#), Err(MissingId)),
        ],
    );
}

#[test]
fn a_poll_looks_at_id_and_decision_alone() {
    let vote = judge(
        &poll(),
        br#"{"id":"anna","decision":"Jill Stein","state":"Mars","age":-1,"gender":7,"time":"never"}"#,
    )
    .unwrap();
    assert_eq!(
        (vote.region, vote.candidate, vote.gender, vote.band),
        (RegionIx(0), CandidateIx(2), GenderIx(0), BandIx(0))
    );
    assert_eq!((vote.age, vote.moment), (AGE_UNKNOWN, LOGGED));
}
