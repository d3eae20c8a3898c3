//! Reports in the standard's form: what refers to what, what adds up, and what is not told.

use super::*;
use crate::delta::{DeskAct, DeskAction, LedgerHead, Progress, Snapshot};
use crate::election::Publish;
use crate::ids::{Minute, Offset, PartitionId};
use serde_json::Value;
use std::collections::BTreeSet;

const CREATED: Millis = Millis(1_795_000_000_000);
const AS_OF: Millis = Millis(1_795_320_609_123);

fn snapshot(election: &Election, votes: impl Fn(usize, usize) -> u64) -> Snapshot {
    let candidates = election.candidates.len();
    let totals: Vec<u64> =
        (0..election.region_rows() * candidates).map(|i| votes(i / candidates, i % candidates)).collect();
    let counted = totals.iter().sum();
    Snapshot {
        store_uuid: 7,
        sequence: 42,
        as_of: (counted > 0).then_some(AS_OF),
        progress: vec![Progress {
            next_offset: Offset(counted + 5),
            leader_epoch: 0,
            counted,
            duplicate: 3 * u64::from(counted > 0),
            rejected: 2 * u64::from(counted > 0),
            flushes: 1,
            log_end: Offset(counted + 5),
            ..Progress::begin(PartitionId(0), 1, Offset(0))
        }],
        totals,
        ledger: vec![LedgerHead::default()],
        rejects: Vec::new(),
        desk: Vec::new(),
        at: None,
    }
}

fn act(action: DeskAction, region: Option<&str>) -> DeskAct {
    DeskAct { number: 1, action, region: region.map(str::to_owned), at: Millis(0), counted: 0 }
}

fn report(election: &Election, snapshot: &Snapshot) -> (Results, Value) {
    let results = Results::of(election, snapshot);
    let report = serde_json::to_value(ElectionReport::of(election, &results, None, CREATED)).unwrap();
    refers_well(&report);
    adds_up(&results, &report);
    (results, report)
}

/// Every element bears its class, every id is there once, and every reference names one.
fn refers_well(report: &Value) {
    fn walk(value: &Value, ids: &mut Vec<String>, refs: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| walk(item, ids, refs)),
            Value::Object(fields) => {
                let class = fields.get("@type").and_then(Value::as_str).expect("a class");
                assert!(class.starts_with("ElectionResults."), "{class}");
                ids.extend(fields.get("@id").and_then(Value::as_str).map(str::to_owned));
                for (name, field) in fields {
                    let texts = field.as_array().cloned().unwrap_or_else(|| vec![field.clone()]);
                    if name.ends_with("Ids") || name.ends_with("Id") && name != "VendorApplicationId" {
                        refs.extend(texts.iter().filter_map(Value::as_str).map(str::to_owned));
                    }
                    if field.is_object() || texts.iter().any(Value::is_object) {
                        walk(field, ids, refs);
                    }
                }
            }
            _ => panic!("{value} is no element"),
        }
    }
    let (mut ids, mut refs) = (Vec::new(), Vec::new());
    walk(report, &mut ids, &mut refs);
    let known: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(known.len(), ids.len(), "an id is given twice");
    let name = |id: &str| id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    assert!(ids.iter().all(|id| name(id) && id.starts_with(|c: char| c.is_ascii_alphabetic())));
    assert!(!refs.is_empty() && refs.iter().all(|id| known.contains(id)), "{refs:?} of {ids:?}");
}

/// Votes of a selection in a unit.
fn votes(report: &Value, candidate: &str, unit: &str, kind: &str) -> Option<u64> {
    let selections = report["Election"][0]["Contest"][0]["ContestSelection"].as_array().unwrap();
    let selection = selections.iter().find(|s| s["CandidateIds"][0] == format!("candidate-{candidate}"))?;
    let counts = selection["VoteCounts"].as_array().unwrap();
    counts.iter().find(|c| c["GpUnitId"] == unit && c["Type"] == kind)?["Count"].as_u64()
}

/// The numbers are those of the results, everywhere.
fn adds_up(results: &Results, report: &Value) {
    for candidate in &results.candidates {
        assert_eq!(votes(report, &candidate.id, ELECTORATE, "total"), Some(candidate.votes));
        for region in &results.regions {
            assert_eq!(
                votes(report, &candidate.id, &region_id(region), "total"),
                region.votes.get(&candidate.id)
            );
        }
    }
    let ballots = report["Election"][0]["BallotCounts"].as_array().unwrap();
    let cast: Vec<u64> = ballots.iter().map(|b| b["BallotsCast"].as_u64().unwrap()).collect();
    assert_eq!(cast[0], results.counted);
    assert_eq!(cast[1..], results.regions.iter().map(|r| r.counted).collect::<Vec<_>>());
    assert!(results.regions.is_empty() || cast[1..].iter().sum::<u64>() == cast[0]);
}

fn us() -> Election {
    let mut election = Election::preset(US_PRESIDENT_2024).unwrap();
    election.expected_exact = true;
    election
}

#[test]
fn a_running_count_of_the_preset() {
    let us = us();
    let (results, report) =
        report(&us, &snapshot(&us, |region, candidate| (region * 7 + candidate * 5) as u64 % 90));
    assert_eq!(report["Status"], "unofficial-partial");
    assert_eq!(report["GeneratedDate"], "2026-11-22T04:10:09Z");
    assert_eq!((&report["IsTest"], &report["TestType"]), (&true.into(), &"simulated votes".into()));
    assert_eq!((&report["SequenceStart"], &report["SequenceEnd"]), (&1.into(), &1.into()));
    assert_eq!(report["ExternalIdentifier"][0]["Value"], "42");
    assert!(report["Notes"].as_str().unwrap().contains(&format!("{} were counted, 3 came", results.counted)));
    let election = &report["Election"][0];
    assert_eq!((&election["Type"], &election["StartDate"]), (&"general".into(), &"2024-11-05".into()));
    assert_eq!(election["CountStatus"][0]["Status"], "in-process");
    let expected = us.expected.unwrap();
    assert_eq!(election["BallotCounts"][0]["BallotsOutstanding"], expected - results.counted);
    assert_eq!(election["Contest"][0]["TotalSubUnits"], 51);
    let units = report["GpUnit"].as_array().unwrap();
    assert_eq!((units.len(), &units[0]["Type"], &units[1]["Type"]), (52, &"country".into(), &"state".into()));
    assert_eq!(units[0]["ExternalIdentifier"][0]["Value"], "ocd-division/country:us");
    let dc = units.iter().find(|unit| unit["@id"] == "region-DC").unwrap();
    assert_eq!(dc["ExternalIdentifier"][0]["Value"], "ocd-division/country:us/district:dc");
    let parties: Vec<_> = report["Party"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["Abbreviation"]["Text"][0]["Content"].clone())
        .collect();
    assert!(parties.contains(&"REP".into()) && parties.contains(&"DEM".into()));
}

#[test]
fn a_complete_count_tells_seats_and_who_won() {
    let us = us();
    let figures = figures::states();
    let (results, report) = report(&us, &snapshot(&us, |region, candidate| figures[region].votes[candidate]));
    assert_eq!((results.status, &report["Status"]), (Count::Complete, &"unofficial-complete".into()));
    assert_eq!(votes(&report, "trump", ELECTORATE, "seats"), Some(312));
    assert_eq!(votes(&report, "harris", ELECTORATE, "seats"), Some(226));
    assert_eq!(votes(&report, "harris", "region-CA", "seats"), Some(54));
    assert_eq!(votes(&report, "trump", "region-CA", "seats"), None);
    let election = &report["Election"][0];
    assert_eq!(election["Contest"][0]["SubUnitsReported"], 51);
    assert_eq!(election["CountStatus"][0]["Status"], "completed");
    let won: Vec<_> =
        election["Candidate"].as_array().unwrap().iter().map(|c| c.get("PostElectionStatus")).collect();
    assert_eq!(won, [Some(&"projected-winner".into()), None, None, None]);
}

#[test]
fn a_withheld_region_is_nowhere_and_the_report_is_partial() {
    let mut us = us();
    us.regions[3].publish = Publish::AtClose;
    let embargoed = us.regions[3].code.clone();
    let mut snapshot = snapshot(&us, |_, candidate| 9 - candidate as u64);
    snapshot.desk = vec![act(DeskAction::Hold, Some("OH")), act(DeskAction::Close, Some("PA"))];
    let text = report(&us, &snapshot).1.to_string();
    for code in ["OH", embargoed.as_str()] {
        assert!(
            !text.contains(&format!("\"region-{code}\""))
                && !text.contains(&format!("state:{}", code.to_lowercase()))
        );
    }
    assert!(!text.contains("Ohio"));
    snapshot.desk.push(act(DeskAction::Close, None));
    let (results, report) = report(&us, &snapshot);
    assert_eq!((results.status, results.withheld), (Count::Complete, 1), "Ohio is held all the same");
    assert_eq!(
        (&report["Status"], report["GpUnit"].as_array().unwrap().len()),
        (&"unofficial-partial".into(), 51)
    );
    assert_eq!(report["Election"][0]["Contest"][0]["SubUnitsReported"], 50);
    assert!(report["Notes"].as_str().unwrap().contains("in no number: 1."));
}

#[test]
fn one_region_alone() {
    let us = us();
    let results = Results::of(&us, &snapshot(&us, |_, candidate| 9 - candidate as u64));
    let ohio = results.regions.iter().find(|r| r.code == "OH").unwrap();
    let report = serde_json::to_value(ElectionReport::of(&us, &results, Some(ohio), CREATED)).unwrap();
    refers_well(&report);
    assert_eq!(report["GpUnit"].as_array().unwrap().len(), 1);
    assert_eq!(report["Election"][0]["ElectionScopeId"], "region-OH");
    assert_eq!(votes(&report, "trump", "region-OH", "total"), Some(9));
    assert_eq!(votes(&report, "trump", ELECTORATE, "total"), None);
    assert!(!report["Notes"].as_str().unwrap().contains("records"), "those are of all regions");
}

#[test]
fn a_poll_before_its_first_vote_and_after() {
    let poll = Election::preset(POLL).unwrap();
    let (_, empty) = report(&poll, &snapshot(&poll, |_, _| 0));
    assert_eq!(empty["GeneratedDate"], "2026-11-18T11:06:40Z", "when it was created");
    assert_eq!((&empty["Status"], &empty["IsTest"]), (&"unofficial-partial".into(), &false.into()));
    assert_eq!(empty["Election"][0]["CountStatus"][0]["Status"], "not-processed");
    assert!(
        empty.get("Party").is_none() && empty["Election"][0]["Contest"][0].get("TotalSubUnits").is_none()
    );
    let (_, counted) = report(&poll, &snapshot(&poll, |_, candidate| 3 + candidate as u64));
    let election = &counted["Election"][0];
    assert_eq!((&election["StartDate"], &election["EndDate"]), (&"2026-11-18".into(), &"2026-11-22".into()));
    assert_eq!((&election["Type"], &election["OtherType"]), (&"other".into(), &"not stated".into()));
    assert_eq!(election["Contest"][0]["VoteVariation"], "plurality");
    assert!(election["BallotCounts"][0].get("BallotsOutstanding").is_none());
}

#[test]
fn days_come_from_the_voting_hours_in_the_elections_zone() {
    let mut poll = Election::preset(POLL).unwrap();
    poll.time_zone = "Pacific/Auckland".to_owned();
    poll.voting_hours = Some((Millis(1_795_300_000_000), Millis(1_795_400_000_000)));
    let (_, report) = report(&poll, &snapshot(&poll, |_, _| 1));
    let election = &report["Election"][0];
    assert_eq!((&election["StartDate"], &election["EndDate"]), (&"2026-11-22".into(), &"2026-11-23".into()));
}

#[test]
fn thirty_candidates_with_any_names_and_parties() {
    let mut election = Election::preset(POLL).unwrap();
    election.id = "board".to_owned();
    let names = ["<img src=x onerror=alert(1)>", "\u{200f}عبد الله", "\"quoted\" & 'so'", "]]>", "名前"];
    election.candidates = (0..30)
        .map(|i| Candidate {
            id: format!("c.{i}_x"),
            name: format!("{} {i}", names[i % names.len()]),
            party: [String::new(), "Бюро".to_owned(), "<b>".to_owned()][i % 3].clone(),
            colour: "blue".to_owned(),
            photo: None,
        })
        .collect();
    let (_, report) = report(&election, &snapshot(&election, |_, candidate| candidate as u64));
    let candidates = report["Election"][0]["Candidate"].as_array().unwrap();
    assert_eq!((candidates.len(), report["Party"].as_array().unwrap().len()), (30, 2));
    assert_eq!(candidates[0]["BallotName"]["Text"][0]["Content"], "<img src=x onerror=alert(1)> 0");
    assert_eq!(candidates[0]["BallotName"]["Text"][0]["Language"], "und");
    assert_eq!((candidates[0].get("PartyId"), &candidates[4]["PartyId"]), (None, &"party-1".into()));
    assert_eq!(candidates[5]["PartyId"], "party-2");
}

#[test]
fn a_past_minute_says_so() {
    let us = us();
    let mut snapshot = snapshot(&us, |_, _| 1);
    snapshot.at = Some(Minute(28_847_610));
    let (results, report) = report(&us, &snapshot);
    assert!(report["Notes"].as_str().unwrap().contains(results.at.as_deref().unwrap()));
}
