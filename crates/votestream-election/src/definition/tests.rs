//! Definitions: presets, everything a definition may say, and every fault with its line and field.

use super::*;
use crate::election::*;

#[test]
fn presets_are_valid_and_survive_their_json() {
    for name in PRESETS {
        let election = Election::preset(name).unwrap();
        let json = election.to_json();
        let back = Election::from_json(&json).unwrap();
        assert_eq!(back, election, "{name}");
        assert_eq!(back.to_json(), json);
        assert_eq!(back.hash(), election.hash());
    }
    assert_eq!(Election::preset("us-president-2020"), None);
}

#[test]
fn the_us_preset_is_as_certified() {
    let us = Election::preset(US_PRESIDENT_2024).unwrap();
    assert_eq!(us.regions.len(), 51);
    assert_eq!(us.regions.iter().map(|r| r.seats).sum::<u32>(), 538);
    assert_eq!(us.rule, WinRule::Seats { threshold: 270 });
    assert_eq!(us.expected, Some(155_212_715));
    assert!(us.expected_exact && us.simulated);
    assert_eq!(us.genders, ["Male", "Female", "Other", "Unknown"]);
    assert_eq!(
        us.bands.iter().map(|b| b.label.as_str()).collect::<Vec<_>>(),
        ["18-29", "30-44", "45-64", "65+"]
    );
    assert_eq!((us.eligible_age, us.min_cell), (Some(18), 10));
    assert!(us.regions.iter().all(|r| r.closes.is_some()));
}

#[test]
fn the_poll_asks_for_nothing_but_id_and_decision() {
    let poll = Election::preset(POLL).unwrap();
    assert_eq!(poll.genders, ["Unknown"]);
    assert_eq!(poll.mapping.gender, None);
    assert_eq!((poll.expected, poll.expected_exact, poll.simulated), (None, false, false));
    assert_eq!(poll.layout().cells(), 3);
}

#[test]
fn the_example_reads_back_as_the_election_it_shows() {
    for name in PRESETS {
        let election = Election::preset(name).unwrap();
        let toml = example_toml(&election);
        assert_eq!(Election::from_toml(&toml, "example.toml").unwrap(), election, "{toml}");
        let lines: Vec<&str> = toml.lines().take_while(|line| *line != "[[candidates]]").collect();
        for pair in lines.windows(2).filter(|pair| pair[1].starts_with(|c: char| c.is_ascii_lowercase())) {
            assert!(pair[0].starts_with("# "), "{} is not explained", pair[1]);
        }
        assert!(toml.contains("[[candidates]]"));
    }
}

const GOOD: &str = r##"id = "board-2026"
name = "Board election"
date = 2026-05-20
time_zone = "Europe/Lisbon"
rule = "seats"
threshold = 3
genders = ["Female", "Male", "unknown"]
bands = ["16-29", "30-64", "65+"]
eligible_age = 16
voting_hours = { from = 2026-05-20T07:00:00Z, to = "2026-05-20T20:00:00+01:00" }
duplicate = "last"
min_cell = 5
salt = "pepper"

[mapping]
voter = "member.number"
region = "/address/state.name"
candidate = ["choice_id", "choice"]
gender = "sex"
age = "age"
time = "at"
time_format = "%d.%m.%Y %H:%M:%S"

[[regions]]
code = "N"
name = "North"
seats = 3
expected = 600
registered = 1200
closes = "2026-05-20T19:00:00Z"

[[regions]]
code = "S"
name = "South"
seats = 2
publish = "at_close"

[[candidates]]
id = "a"
name = "Ana"
party = "Greens"
colour = "#00FF7f"

[[candidates]]
id = "b"
name = "Bo"
"##;

fn good() -> Election {
    Election::from_toml(GOOD, "good.toml").unwrap()
}

#[test]
fn a_definition_with_everything_in_it() {
    let election = good();
    assert_eq!(election.date.as_deref(), Some("2026-05-20"));
    assert_eq!(election.genders, ["Female", "Male", "Unknown"]);
    assert_eq!(election.bands[2], Band { label: "65+".to_owned(), from: 65, to: None });
    assert_eq!(election.duplicate, DuplicatePolicy::Last);
    assert_eq!(election.expected, None, "one region does not say");
    assert_eq!(election.regions[1].publish, Publish::AtClose);
    let path = |keys: &[&str]| FieldPath(keys.iter().map(|k| (*k).to_owned()).collect());
    assert_eq!(election.mapping.voter, path(&["member", "number"]));
    assert_eq!(election.mapping.region, Some(path(&["address", "state.name"])));
    assert_eq!(election.mapping.time.as_ref().unwrap().1, TimeFormat::Local("%d.%m.%Y %H:%M:%S".to_owned()));
    assert_eq!(
        (election.candidates[0].colour.as_str(), election.candidates[1].colour.as_str()),
        ("#00ff7f", "vermilion")
    );
    let (from, to) = election.voting_hours.unwrap();
    assert_eq!(to.0 - from.0, 12 * 3_600_000);
    assert_eq!(Election::from_json(&election.to_json()).unwrap(), election);
    assert_eq!(Election::from_toml(&example_toml(&election), "again.toml").unwrap(), election);
    let without_regions = GOOD[..GOOD.find("[[regions]]").unwrap()]
        .replace("region =", "# region =")
        .replace("rule = \"seats\"\nthreshold = 3\n", "")
        + &GOOD[GOOD.find("[[candidates]]").unwrap()..];
    let election = Election::from_toml(&without_regions, "none.toml").unwrap();
    assert_eq!(
        (election.rule, election.mapping.region, election.regions.len()),
        (WinRule::Plurality, None, 0)
    );
}

/// The good definition with one thing replaced: the error's line, field and words.
fn check(replace: &str, with: &str, line: Option<usize>, field: &str, says: &str) {
    assert!(GOOD.contains(replace), "{replace}");
    let text = GOOD.replacen(replace, with, 1);
    let error = Election::from_toml(&text, "bad.toml").unwrap_err();
    assert_eq!(error.file, "bad.toml");
    assert_eq!(error.field.as_deref(), Some(field).filter(|f| !f.is_empty()), "{error}");
    assert!(error.to_string().contains(says), "{error}");
    assert_eq!(error.line, line, "{error}");
    assert!(!error.help.is_empty());
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of faults")]
fn errors_name_file_line_field_and_what_to_do() {
    check(
        "id = \"board-2026\"",
        "id = \"Board 2026\"",
        Some(1),
        "id",
        "\"Board 2026\" is no identifier; use 1 to 64 lower-case",
    );
    check("name = \"Board election\"", "name = \" \"", Some(2), "name", "the text is empty");
    for turning in ["\\u202E", "\\u2067"] {
        let name = format!("name = \"Quotes{turning}setouQ\"");
        check("name = \"Board election\"", &name, Some(2), "name", "turns what stands around it");
    }
    check("name = \"Board election\"", "name = 5", Some(2), "name", "expected a string");
    check(
        "date = 2026-05-20",
        "date = \"20.5.2026\"",
        Some(3),
        "date",
        "is no date; write it as \"2026-05-20\"",
    );
    check(
        "Europe/Lisbon",
        "Europe/Lissabon",
        Some(4),
        "time_zone",
        "there is no time zone \"Europe/Lissabon\"",
    );
    check(
        "threshold = 3",
        "threshold = 6",
        Some(6),
        "threshold",
        "6 seats cannot win: the regions have 5 in all; give 1 to 5",
    );
    check(
        "rule = \"seats\"",
        "rule = \"plurality\"",
        Some(6),
        "threshold",
        "a threshold of 3 seats is given",
    );
    check("rule = \"seats\"", "rule = \"luck\"", Some(5), "rule", "unknown variant `luck`");
    check("\"unknown\"]", "\"unknown\", \"Other\"]", Some(7), "genders[2]", "is not the last gender");
    check("\"Male\"", "\"female \"", Some(7), "genders[1]", "is named twice");
    check("\"30-64\"", "\"29-64\"", Some(8), "bands[1]", "begins within or before \"16-29\"");
    check("\"30-64\"", "\"64-30\"", Some(8), "bands[1]", "is no age band");
    check("eligible_age = 16", "eligible_age = 151", Some(9), "eligible_age", "151 is no age");
    check("eligible_age = 16", "eligible_age = -1", Some(9), "eligible_age", "-1");
    check("07:00:00Z", "23:00:00Z", Some(10), "voting_hours.to", "not after it begins");
    check(
        "20:00:00+01:00",
        "20:00:00",
        Some(10),
        "voting_hours.to",
        "is no moment; write date, time and offset",
    );
    check(
        "duplicate = \"last\"",
        "duplicate = \"newest\"",
        Some(11),
        "duplicate",
        "unknown variant `newest`",
    );
    check("min_cell = 5", "min_cell = 0", Some(12), "min_cell", "0 is out of range; give 1 to 1000000");
    check("\"/address/state.name\"", "\"/address/a~2b\"", Some(17), "mapping.region", "is no JSON pointer");
    check(
        "\"/address/state.name\"",
        "\"address..state\"",
        Some(17),
        "mapping.region",
        "is no path of a field",
    );
    check(
        "\"/address/state.name\"",
        "\"a.b.c.d.e.f.g.h.i\"",
        Some(17),
        "mapping.region",
        "has 9 keys; use at most 8",
    );
    check(
        "gender = \"sex\"",
        "gender = \"age\"",
        Some(20),
        "mapping.age",
        "is, or lies within, the field of the gender",
    );
    check(
        "gender = \"sex\"",
        "gender = \"member\"",
        Some(19),
        "mapping.gender",
        "lies within, the field of the voter",
    );
    check(
        "\"%d.%m.%Y %H:%M:%S\"",
        "\"%H:%M\"",
        Some(22),
        "mapping.time_format",
        "no format that gives a date",
    );
    check("time = \"at\"\n", "", Some(21), "mapping.time_format", "no field of a time");
    check(
        "region = \"/address/state.name\"\n",
        "",
        Some(15),
        "mapping",
        "does not say where a vote's region is",
    );
    check(
        "voter = \"member.number\"",
        "voter = \"member.number\"\nvotr = 1",
        Some(17),
        "mapping.votr",
        "unknown field `votr`",
    );
    check("code = \"N\"", "code = \"N N\"", Some(25), "regions[0].code", "is no code");
    check(
        "code = \"S\"",
        "code = \"n\"",
        Some(33),
        "regions[1].code",
        "the code \"n\" is also the code of region number 1",
    );
    check(
        "name = \"South\"",
        "name = \" NORTH \"",
        Some(34),
        "regions[1].name",
        "also the name of region number 1",
    );
    check(
        "expected = 600",
        "expected = 1201",
        Some(28),
        "regions[0].expected",
        "1201 votes are expected of 1200 registered voters",
    );
    check(
        "expected = 600",
        "expected = 600\ncolor = 1",
        Some(29),
        "regions[0].color",
        "unknown field `color`",
    );
    check("registered = 1200", "registered = 1000000000001", Some(29), "regions[0].registered", "too many");
    check(
        "publish = \"at_close\"",
        "publish = \"later\"",
        Some(36),
        "regions[1].publish",
        "unknown variant `later`",
    );
    check(
        "closes = \"2026-05-20T19:00:00Z\"",
        "closes = \"19:00\"",
        Some(30),
        "regions[0].closes",
        "is no moment",
    );
    check(
        "colour = \"#00FF7f\"",
        "colour = \"grue\"",
        Some(42),
        "candidates[0].colour",
        "\"grue\" is no colour; use one of blue",
    );
    check(
        "id = \"b\"",
        "id = \"A\"",
        Some(45),
        "candidates[1].id",
        "the id \"A\" is also the id of candidate number 1",
    );
    check(
        "id = \"b\"",
        "id = \"ana\"",
        Some(45),
        "candidates[1].id",
        "the id \"ana\" is also the name of candidate number 1",
    );
    check("name = \"Bo\"", "", Some(44), "candidates[1]", "missing field `name`");
    check("name = \"Bo\"", "name = \"Bo", Some(46), "", "");
    check("[mapping]", "colour = 1\n[mapping]", Some(15), "colour", "unknown field `colour`");
}

#[test]
fn definitions_that_lack_or_contradict() {
    let check = |text: &str, says: &str| {
        let error = Election::from_toml(text, "bad.toml").unwrap_err().to_string();
        assert!(error.starts_with("bad.toml") && error.contains(says), "{error}");
    };
    check("", "missing field `id`");
    check("id = \"a\"\nname = \"A\"", "missing field `candidates`");
    let head = "id = \"a\"\nname = \"A\"\n";
    check(&format!("{head}candidates = []"), "line 3, candidates: there are 0 candidates; name 1 to 64");
    let with = |more: &str| format!("{head}{more}\n[[candidates]]\nid = \"x\"\nname = \"X\"\n");
    check(&with("rule = \"seats\""), "no region has any");
    check(&with("expected_exact = true"), "line 3, expected_exact");
    check(
        &with("mapping = \"tutorial\""),
        "line 3, mapping: there is no mapping \"tutorial\"; use one of presidential, votestream, poll",
    );
    check(&with("mapping = { voter = \"v\", candidate = [] }"), "line 3, mapping.candidate: 0 paths");
    check(
        &with("mapping = { voter = \"v\", candidate = \"c\", gender = \"g\" }\ngenders = []"),
        "the election names no genders",
    );
    check(
        &with("mapping = { voter = \"v\", candidate = \"c\", age = \"a\" }"),
        "neither age bands nor an eligible age",
    );
    check(
        &with("regions = [{ code = \"N\", name = \"N\", expected = 5 }]\nexpected = 4"),
        "expected: 4 votes are expected in all, but",
    );
    let regions = |n: usize| {
        (0..n).map(|i| format!("{{ code = \"r{i}\", name = \"R {i}\" }},")).collect::<Vec<_>>().concat()
    };
    check(&with(&format!("regions = [{}]", regions(4_001))), "there are 4001 regions; name at most 4000");
    let bands: Vec<String> = (0..32).map(|i| format!("\"{}-{}\"", 2 * i, 2 * i + 1)).collect();
    let genders: Vec<String> = (0..15).map(|i| format!("\"g{i}\"")).collect();
    let many = format!(
        "bands = [{}]\ngenders = [{}]\nregions = [{}]",
        bands.join(","),
        genders.join(","),
        regions(4_000)
    );
    assert!(Election::from_toml(&with(&many), "large.toml").is_ok(), "2,112,000 cells");
    let candidates: String = (0..10)
        .map(|i| format!("[[candidates]]\nid = \"y{i}\"\nname = \"Y {i}\"\n"))
        .collect::<Vec<_>>()
        .concat();
    check(&(with(&many) + &candidates), "cells, more than 8000000");
}

#[test]
fn overrides_at_creation() {
    let us = Election::preset(US_PRESIDENT_2024).unwrap();
    let nested = us.clone().with_mapping("votestream").unwrap();
    assert_eq!(nested.mapping.name, "votestream");
    assert_eq!(nested.mapping.region, Some(FieldPath(vec!["address".to_owned(), "state".to_owned()])));
    assert_ne!(nested.hash(), us.hash());
    assert_eq!(Election::from_json(&nested.to_json()).unwrap(), nested);
    let error = us.clone().with_mapping("poll").unwrap_err().to_string();
    assert!(error.contains("does not say where a vote's region is"), "{error}");
    assert!(
        us.clone()
            .with_mapping("nonsense")
            .unwrap_err()
            .to_string()
            .contains("there is no mapping \"nonsense\"")
    );
    let last = us.clone().with_duplicate(DuplicatePolicy::Last);
    assert_ne!(last.hash(), us.hash());
    let poll = Election::preset(POLL).unwrap().with_mapping("votestream").unwrap();
    assert_eq!((poll.mapping.region, poll.mapping.gender), (None, None));
}

#[test]
fn the_canonical_json_of_the_presets_never_changes() {
    // What stores pin. A change here makes every store of these elections refuse to go on.
    for (name, hash) in [
        (US_PRESIDENT_2024, "17b01102c5fd10f1c9f7cbff4dcd4ce48b4d49d28eb9c2963073fa863ef925ea"),
        (POLL, "8f76bfb08ecd05f4d18432a76332461d4d7e18fd68dd6a7d50a636ad752c813e"),
    ] {
        assert_eq!(Election::preset(name).unwrap().hash().to_string(), hash, "{name}");
    }
}

#[test]
fn a_stored_definition_of_a_newer_program_is_refused() {
    let json = Election::preset(POLL).unwrap().to_json().replacen('{', "{\"novelty\":1,", 1);
    let error = Election::from_json(&json).unwrap_err().to_string();
    assert!(error.starts_with("stored definition: unknown field `novelty`"), "{error}");
}
