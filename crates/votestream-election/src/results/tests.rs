//! Public answers: their shape, their sums, and what they keep to themselves.

use super::demographics::{Demographics, Moment};
use super::regions::{RegionDetail, Regions};
use super::*;
use crate::definition::{POLL, US_PRESIDENT_2024};
use crate::delta::{DeskAct, DeskAction, LedgerHead, OpenLeaf, Progress};
use crate::election::{DuplicatePolicy, Publish, Region};
use crate::ids::{Offset, PartitionId};
use crate::releases::{BlockKind, ReleaseBlock};
use proptest::prelude::*;

/// Three regions of 5, 3 and 2 seats, threshold 6; two candidates.
fn election() -> Election {
    let mut election = Election::preset(US_PRESIDENT_2024).unwrap();
    election.candidates.truncate(2);
    election.regions.truncate(3);
    for (region, (code, seats)) in election.regions.iter_mut().zip([("A", 5), ("B", 3), ("C", 2)]) {
        let (name, expected) = (format!("Region {code}"), Some(100));
        *region = Region {
            code: code.to_owned(),
            name,
            seats,
            expected,
            registered: None,
            publish: Publish::Live,
            closes: None,
        };
    }
    election.rule = WinRule::Seats { threshold: 6 };
    election.expected = Some(300);
    election.expected_exact = false;
    election
}

fn snapshot(totals: &[u64], duplicate: u64, rejected: u64, backlog: u64) -> Snapshot {
    let counted: u64 = totals.iter().sum();
    let next = counted + duplicate + rejected;
    let progress = |partition: u32, counted, duplicate, rejected, log_end: u64| Progress {
        next_offset: Offset(counted + duplicate + rejected),
        leader_epoch: 0,
        counted,
        duplicate,
        rejected,
        flushes: 3,
        log_end: Offset(log_end),
        ..Progress::begin(PartitionId(partition), 1, Offset(0))
    };
    Snapshot {
        store_uuid: 7,
        sequence: 42,
        as_of: (next > 0).then_some(Millis(1_795_320_609_123)),
        progress: vec![progress(0, counted, duplicate, rejected, next + backlog), progress(1, 0, 0, 0, 0)],
        totals: totals.to_vec(),
        ledger: vec![
            LedgerHead { leaves: 4, chain: Digest([1; 32]), open: OpenLeaf::default() },
            LedgerHead::default(),
        ],
        rejects: Vec::new(),
        desk: Vec::new(),
        at: None,
    }
}

fn acts(acts: &[(DeskAction, Option<&str>, u64)]) -> Vec<DeskAct> {
    let act = |(number, (action, region, counted)): (u64, &(DeskAction, Option<&str>, u64))| DeskAct {
        number,
        action: *action,
        region: region.map(str::to_owned),
        at: Millis(0),
        counted: *counted,
    };
    (1..).zip(acts).map(act).collect()
}

fn adds_up(results: &Results) {
    assert_eq!(results.counted, results.candidates.iter().map(|c| c.votes).sum::<u64>());
    assert_eq!(results.records, results.counted + results.duplicate + results.rejected);
    if results.election.seats_to_win.is_some() {
        assert_eq!(results.counted, results.regions.iter().map(|r| r.counted).sum::<u64>());
    }
    assert!(results.regions.iter().all(|r| r.counted == r.votes.0.iter().map(|(_, v)| v).sum::<u64>()));
    assert!(results.candidates.is_sorted_by_key(|c| std::cmp::Reverse(c.votes)));
}

#[test]
fn what_is_said_of_an_election_does_not_depend_on_what_the_desk_withholds() {
    let mut election = election();
    election.regions[1].publish = Publish::AtClose;
    election.expected_exact = true;
    let results = Results::of(&election, &snapshot(&[0; 6], 0, 0, 0));
    assert_eq!(results.regions.iter().map(|region| region.seats).sum::<u32>(), 7);
    let info = &results.election;
    assert_eq!((info.seats, info.seats_to_win), (Some(10), Some(6)));
    assert!(info.expected_exact && info.demographics);
    let poll = ElectionInfo::of(&Election::preset(POLL).unwrap());
    assert_eq!((poll.seats, poll.expected_exact, poll.demographics), (None, false, false));
}

#[test]
fn json_is_as_the_interface_fixes_it() {
    let results = Results::of(&election(), &snapshot(&[10, 30, 0, 0, 5, 5], 2, 1, 9));
    let json = serde_json::to_string(&results).unwrap();
    let head = concat!(
        r#"{"election":{"id":"us-president-2024","name":"2024 US presidential election","date":"2024-11-05","simulated":true,"#,
        r#""note":"Simulated ballots"#
    );
    assert!(json.starts_with(head), "{json}");
    let counts = concat!(
        r#""sequence":42,"as_of":"2026-11-22T04:10:09.123Z","status":"counting","records":53,"counted":50,"duplicate":2,"rejected":1,"#,
        r#""expected":300,"leader":"harris","margin_votes":20,"winner":null,"closed":false,"late":null,"withheld":0,"#,
        r#""candidates":[{"id":"harris","name":"Kamala Harris","party":"DEM","colour":"blue","votes":35,"share":0.7,"#,
        r#""seats":{"leading":5,"decided":0}},"#
    );
    assert!(json.contains(counts), "{json}");
    let regions = concat!(
        r#""regions":[{"code":"A","name":"Region A","seats":5,"counted":40,"expected":100,"status":"leading","leader":"harris","#,
        r#""margin_votes":20,"closed":false,"votes":{"trump":10,"harris":30}},"#,
        r#"{"code":"B","name":"Region B","seats":3,"counted":0,"expected":100,"status":"waiting","leader":null,"margin_votes":0,"#,
        r#""closed":false,"votes":{"trump":0,"harris":0}},"#,
        r#"{"code":"C","name":"Region C","seats":2,"counted":10,"expected":100,"status":"tied","leader":null,"tied":["trump","harris"],"#,
        r#""margin_votes":0,"closed":false,"votes":{"trump":5,"harris":5}}],"ledger":{"leaves":4,"records":53,"digest":""#
    );
    assert!(json.contains(regions), "{json}");
    assert_eq!(results.ledger.digest.len(), 64);
    assert_eq!(serde_json::from_str::<Results>(&json).unwrap(), results);
    adds_up(&results);
}

#[test]
fn nothing_counted_yet() {
    let mut empty = snapshot(&[], 0, 0, 0);
    empty.progress.clear();
    empty.ledger.clear();
    let results = Results::of(&election(), &empty);
    assert_eq!(
        (results.status, results.as_of.clone(), results.leader.clone()),
        (CountStatus::Waiting, None, None)
    );
    assert!(results.candidates.iter().all(|c| c.share.abs() < f64::EPSILON));
    assert_eq!(results.candidates[0].id, "trump", "ties keep the definition's order");
    adds_up(&results);
}

#[test]
fn an_exact_total_decides_regions_and_completes_the_count() {
    let mut election = election();
    election.expected_exact = true;
    let results = Results::of(&election, &snapshot(&[60, 10, 30, 20, 49, 51], 0, 0, 3));
    let status: Vec<_> = results.regions.iter().map(|r| r.status).collect();
    assert_eq!(status, [RegionStatus::Decided, RegionStatus::Leading, RegionStatus::Decided]);
    assert_eq!(results.status, CountStatus::Counting);
    assert_eq!(results.candidates[0].seats, SeatCounts { leading: 3, decided: 5 });
    assert_eq!(results.winner, None, "6 seats win, 5 are decided");
    let full = snapshot(&[60, 40, 60, 40, 49, 51], 1, 1, 0);
    let results = Results::of(&election, &full);
    assert_eq!((results.status, results.winner.as_deref()), (CountStatus::Complete, Some("trump")));
    assert!(is_complete(&election, &full));
    assert_eq!(results.candidates[0].seats, SeatCounts { leading: 0, decided: 8 });
    let waiting = snapshot(&[60, 40, 60, 40, 49, 51], 1, 1, 1);
    assert_eq!(Results::of(&election, &waiting).status, CountStatus::Counting, "a record still waits");
    election.duplicate = DuplicatePolicy::Last;
    assert!(
        Results::of(&election, &waiting).regions.iter().all(|r| r.status == RegionStatus::Leading),
        "votes may be replaced"
    );
    assert!(Results::of(&election, &full).regions.iter().all(|r| r.status == RegionStatus::Decided));
    let more = snapshot(&[61, 40, 60, 40, 49, 51], 0, 0, 0);
    election.duplicate = DuplicatePolicy::First;
    let results = Results::of(&election, &more);
    assert_eq!(
        results.regions[0].status,
        RegionStatus::Leading,
        "more than the exact total: it was not exact"
    );
    assert_eq!(results.status, CountStatus::Complete);
}

#[test]
fn a_register_decides_too() {
    let mut election = election();
    election.regions[0].registered = Some(100);
    let status = |totals| Results::of(&election, &snapshot(totals, 0, 0, 0)).regions[0].status;
    assert_eq!(status(&[60, 20, 0, 0, 0, 0]), RegionStatus::Decided);
    assert_eq!(status(&[55, 30, 0, 0, 0, 0]), RegionStatus::Decided);
    assert_eq!(status(&[55, 33, 0, 0, 0, 0]), RegionStatus::Decided);
    assert_eq!(status(&[40, 30, 0, 0, 0, 0]), RegionStatus::Leading);
}

#[test]
fn a_held_region_is_in_no_number() {
    let mut snapshot = snapshot(&[10, 30, 7, 8, 5, 6], 2, 1, 0);
    snapshot.desk = acts(&[(DeskAction::Hold, Some("b"), 15)]);
    let results = Results::of(&election(), &snapshot);
    adds_up(&results);
    assert_eq!(results.regions.iter().map(|r| r.code.as_str()).collect::<Vec<_>>(), ["A", "C"]);
    assert_eq!(
        (results.counted, results.records, results.expected, results.withheld),
        (51, 54, Some(200), 1)
    );
    assert_eq!(
        (results.ledger.leaves, results.ledger.records),
        (0, 54),
        "the ledger's numbers do not tell either"
    );
    let open = self::snapshot(&[10, 30, 7, 8, 5, 6], 2, 1, 0);
    assert_eq!(
        results.ledger.digest,
        Results::of(&election(), &open).ledger.digest,
        "its digest is a commitment to all"
    );
    let json = serde_json::to_string(&results).unwrap();
    assert!(!json.contains("Region B"), "{json}");
    assert!(RegionDetail::of(&election(), &results, "B").is_none());
    assert!(!csv::results(&results).contains("Region B"));
    snapshot.at = Some(Minute(29_000_000));
    assert_eq!(Results::of(&election(), &snapshot).regions.len(), 2, "nor in a past view");
}

#[test]
fn an_embargo_ends_with_the_close() {
    let mut election = election();
    election.regions[1].publish = Publish::AtClose;
    let mut snapshot = snapshot(&[10, 30, 7, 8, 5, 6], 0, 0, 0);
    let public = |snapshot: &Snapshot| Results::of(&election, snapshot).regions.len();
    assert_eq!(public(&snapshot), 2);
    for (desk, expect) in [
        (acts(&[(DeskAction::Close, Some("B"), 15)]), 3),
        (acts(&[(DeskAction::Close, None, 66)]), 3),
        (acts(&[(DeskAction::Close, Some("B"), 15), (DeskAction::Reopen, Some("B"), 15)]), 2),
        (acts(&[(DeskAction::Close, Some("B"), 15), (DeskAction::Hold, Some("B"), 15)]), 2),
        // Reopened after a hold: closed, and so public, as before.
        (
            acts(&[
                (DeskAction::Close, Some("B"), 15),
                (DeskAction::Hold, Some("B"), 15),
                (DeskAction::Reopen, Some("B"), 15),
            ]),
            3,
        ),
        (acts(&[(DeskAction::Hold, None, 66)]), 0),
        (acts(&[(DeskAction::Hold, None, 66), (DeskAction::Reopen, None, 66)]), 2),
        // What was held on its own stays held.
        (
            acts(&[
                (DeskAction::Hold, Some("A"), 40),
                (DeskAction::Hold, None, 66),
                (DeskAction::Reopen, None, 66),
            ]),
            1,
        ),
        (acts(&[(DeskAction::Hold, Some("nowhere"), 0)]), 2),
    ] {
        snapshot.desk = desk;
        assert_eq!(public(&snapshot), expect, "{:?}", snapshot.desk);
    }
}

#[test]
fn closing_declares_final_and_tells_late_votes_apart() {
    let election = election();
    let mut snapshot = snapshot(&[10, 30, 7, 8, 5, 5], 0, 0, 0);
    snapshot.desk = acts(&[(DeskAction::Close, Some("A"), 38)]);
    let results = Results::of(&election, &snapshot);
    let region = &results.regions[0];
    assert_eq!((region.status, region.closed, region.late), (RegionStatus::Closed, true, Some(2)));
    assert_eq!(results.candidates[0].seats, SeatCounts { leading: 3, decided: 5 });
    assert_eq!((results.status, results.closed), (CountStatus::Counting, false));
    snapshot.desk = acts(&[(DeskAction::Close, None, 60)]);
    let results = Results::of(&election, &snapshot);
    assert_eq!((results.status, results.closed, results.late), (CountStatus::Complete, true, Some(5)));
    assert_eq!(results.winner.as_deref(), Some("harris"), "declared final: 8 of 6 seats");
    assert_eq!(results.regions[2].status, RegionStatus::Tied, "a tie is named, final or not");
    adds_up(&results);
    snapshot.progress[0].log_end = Offset(1_000);
    assert_eq!(
        Results::of(&election, &snapshot).status,
        CountStatus::Counting,
        "complete only without a backlog"
    );
    snapshot.desk = acts(&[(DeskAction::Close, None, 60), (DeskAction::Reopen, Some("C"), 10)]);
    snapshot.progress[0].log_end = Offset(0);
    assert_eq!(Results::of(&election, &snapshot).status, CountStatus::Counting, "one region is open again");
}

#[test]
fn a_poll_has_no_regions_and_a_winner_by_votes() {
    let mut poll = Election::preset(POLL).unwrap();
    let mut snapshot = snapshot(&[3, 9, 1], 0, 0, 0);
    let results = Results::of(&poll, &snapshot);
    adds_up(&results);
    assert_eq!((results.regions.len(), results.expected, results.winner.clone()), (0, None, None));
    assert_eq!(
        results.candidates.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(),
        ["no", "yes", "abstain"]
    );
    assert!(
        csv::results(&results)
            .starts_with("rank,id,name,party,votes,share,seats_leading,seats_decided\r\n1,no,No,,9,0.69")
    );
    snapshot.desk = acts(&[(DeskAction::Close, None, 13)]);
    assert_eq!(Results::of(&poll, &snapshot).winner.as_deref(), Some("no"));
    snapshot.desk = acts(&[(DeskAction::Hold, None, 13)]);
    let held = Results::of(&poll, &snapshot);
    assert_eq!((held.counted, held.records, held.withheld, held.leader), (0, 0, 1, None));
    (poll.expected, poll.expected_exact) = (Some(16), true);
    snapshot.desk.clear();
    assert_eq!(Results::of(&poll, &snapshot).winner.as_deref(), Some("no"), "6 ahead, 3 to come");
    snapshot.at = Some(Minute(29_000_000));
    assert_eq!(Results::of(&poll, &snapshot).at.as_deref(), Some("2025-02-19T21:20:00Z"));
}

#[test]
fn the_expected_answer_has_the_same_shape() {
    let election = Election::preset(US_PRESIDENT_2024).unwrap();
    let electorate = crate::electorate::certified(&election).unwrap();
    let counts = Counts { counted: 155_212_715, duplicate: 3, rejected: 4, skipped: 0 };
    let results = Results::expected_of(&election, &electorate.votes, counts);
    adds_up(&results);
    assert_eq!((results.sequence, results.as_of.clone(), results.records), (0, None, 155_212_722));
    assert_eq!(results.ledger, LedgerInfo { leaves: 0, records: 0, pending: 0, digest: "0".repeat(64) });
    let seats: Vec<_> =
        results.candidates.iter().map(|c| (c.id.as_str(), c.seats.leading, c.seats.decided)).collect();
    assert_eq!(seats[..2], [("trump", 0, 312), ("harris", 0, 226)]);
    assert_eq!((results.winner.as_deref(), results.status), (Some("trump"), CountStatus::Complete));
}

#[test]
fn csv_quotes_what_must_be_quoted() {
    let mut election = election();
    election.regions[0].name = "Gold, \"Silver\" & Co".to_owned();
    election.regions[1].name = "=1+1".to_owned();
    election.regions[1].expected = None;
    let results = Results::of(&election, &snapshot(&[10, 30, 0, 0, 5, 5], 0, 0, 0));
    let expect = concat!(
        "code,name,seats,status,counted,expected,leader,margin_votes,trump,harris\r\n",
        "A,\"Gold, \"\"Silver\"\" & Co\",5,leading,40,100,harris,20,10,30\r\n",
        "B,'=1+1,3,waiting,0,,,0,0,0\r\n",
        "C,Region C,2,tied,10,100,,0,5,5\r\n",
    );
    assert_eq!(csv::results(&results), expect);
}

#[test]
fn live_csv_has_a_row_a_candidate_of_the_whole_and_of_each_region() {
    let mut election = election();
    election.regions.truncate(2);
    election.regions[0].name = "Gold, \"Silver\"".to_owned();
    election.regions[1].expected = None;
    election.candidates[0].name = "@Trump".to_owned();
    let results = Results::of(&election, &snapshot(&[10, 30, 0, 0], 0, 0, 0));
    let expect = concat!(
        "sequence,as_of,region,region_name,status,candidate,candidate_name,party,votes,share,leader,margin_votes,counted,expected\r\n",
        "42,2026-11-22T04:00:09.123Z,,,counting,harris,Kamala Harris,DEM,30,0.75,harris,20,40,300\r\n",
        "42,2026-11-22T04:00:09.123Z,,,counting,trump,'@Trump,REP,10,0.25,harris,20,40,300\r\n",
        "42,2026-11-22T04:00:09.123Z,A,\"Gold, \"\"Silver\"\"\",leading,trump,'@Trump,REP,10,0.25,harris,20,40,100\r\n",
        "42,2026-11-22T04:00:09.123Z,A,\"Gold, \"\"Silver\"\"\",leading,harris,Kamala Harris,DEM,30,0.75,harris,20,40,100\r\n",
        "42,2026-11-22T04:00:09.123Z,B,Region B,waiting,trump,'@Trump,REP,0,0,,0,0,\r\n",
        "42,2026-11-22T04:00:09.123Z,B,Region B,waiting,harris,Kamala Harris,DEM,0,0,,0,0,\r\n",
    );
    let as_of = results.as_of.clone().unwrap();
    assert_eq!(csv::live(&results), expect.replace("2026-11-22T04:00:09.123Z", &as_of));
}

#[test]
fn one_region_has_its_candidates_ranked() {
    let results = Results::of(&election(), &snapshot(&[10, 30, 7, 8, 5, 5], 0, 0, 0));
    let detail = RegionDetail::of(&election(), &results, " a ").unwrap();
    let ranked: Vec<_> =
        detail.candidates.iter().map(|c| (c.id.as_str(), c.votes, c.share, c.seats.leading)).collect();
    assert_eq!(ranked, [("harris", 30, 0.75, 5), ("trump", 10, 0.25, 0)]);
    assert_eq!(RegionDetail::of(&election(), &results, "Z"), None);
    assert_eq!(Regions::of(&results).regions.len(), 3);
}

#[test]
fn demographics_of_public_regions_only() {
    let election = election();
    let layout = election.layout();
    let block = |region: Option<u16>, kind, cells: usize| ReleaseBlock {
        region: region.map(RegionIx),
        candidate: CandidateIx(1),
        kind,
        cells: vec![10; cells],
    };
    let released = [
        block(None, BlockKind::AgeGender, layout.genders * layout.bands),
        block(Some(1), BlockKind::Age, layout.bands),
        block(Some(1), BlockKind::Gender, layout.genders),
        block(Some(0), BlockKind::Gender, layout.genders),
        block(Some(2), BlockKind::Gender, 1),
    ];
    let moment = Moment { sequence: 5, as_of: None, at: None };
    let of = |desk: &[DeskAct], only| {
        Demographics::of(&election, &DeskState::of(&election, desk), moment, &released, only)
    };
    let all = of(&[], None);
    assert_eq!((all.nation.len(), all.nation[0].votes), (1, 200));
    let kinds: Vec<_> = all.regions.iter().map(|r| (r.code.as_str(), r.blocks.len())).collect();
    assert_eq!(kinds, [("A", 1), ("B", 2)], "a block that does not fit the definition is left out");
    assert_eq!(all.bands, ["18-29", "30-44", "45-64", "65+", "Unknown"]);
    assert_eq!(of(&[], Some(RegionIx(1))).regions.len(), 1);
    let held = of(&acts(&[(DeskAction::Hold, Some("B"), 0)]), None);
    assert_eq!(
        (held.nation.len(), held.regions.len(), held.withheld),
        (0, 1, 1),
        "the whole would tell of the part"
    );
}

proptest! {
    #[test]
    fn every_public_answer_adds_up_whatever_the_desk_does(
        totals in prop::collection::vec(0_u64..200, 6),
        (duplicate, rejected, backlog) in (0_u64..9, 0_u64..9, 0_u64..2),
        desk in prop::collection::vec((0_u8..3, 0_usize..4, 0_u64..600), 0..6),
        (embargo, exact, past) in (any::<bool>(), any::<bool>(), any::<bool>()),
    ) {
        let mut election = election();
        election.expected_exact = exact;
        if embargo {
            election.regions[2].publish = Publish::AtClose;
        }
        let mut snapshot = snapshot(&totals, duplicate, rejected, backlog);
        let action = |code| [DeskAction::Close, DeskAction::Hold, DeskAction::Reopen][usize::from(code)];
        let region = |ix: usize| [Some("A"), Some("B"), Some("C"), None][ix];
        let desk: Vec<_> = desk.into_iter().map(|(code, ix, counted)| (action(code), region(ix), counted)).collect();
        snapshot.desk = acts(&desk);
        snapshot.at = past.then_some(Minute(1));
        let results = Results::of(&election, &snapshot);
        adds_up(&results);
        let state = DeskState::of(&election, &snapshot.desk);
        let public: u64 = (0..3).filter(|r| state.is_public(RegionIx(*r))).map(|r| {
            totals[usize::from(r) * 2] + totals[usize::from(r) * 2 + 1]
        }).sum();
        prop_assert_eq!(results.counted, public);
        prop_assert_eq!(results.regions.len() as u64 + results.withheld, 3);
        let seats: u64 = results.candidates.iter().map(|c| c.seats.leading + c.seats.decided).sum();
        prop_assert!(seats <= 10);
        // Nothing tells of what is withheld: other votes there give the same answer, also where they reach an exact total.
        let mut other = snapshot.clone();
        for ix in 0..6 {
            if !state.is_public(RegionIx(ix as u16 / 2)) {
                other.totals[ix] += 7;
                other.progress[0].counted += 7;
            }
        }
        for act in &mut other.desk {
            let hidden = |code: &str| results.regions.iter().all(|region| region.code != code);
            if act.region.as_deref().map_or(results.withheld > 0, hidden) {
                act.counted += 7;
            }
        }
        if results.withheld > 0 {
            let told = Results::of(&election, &other);
            prop_assert_eq!(csv::live(&told), csv::live(&results));
            prop_assert_eq!(told, results);
        }
        let log = DeskLog::of(&election, &snapshot.desk, 42, None);
        prop_assert_eq!(DeskLog::of(&election, &other.desk, 42, None), log);
    }
}
