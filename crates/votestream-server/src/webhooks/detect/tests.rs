//! The detector over made-up looks: what is told once, what is not told, and that nothing flaps.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

const SECOND: Duration = Duration::from_secs(1);

/// One region as a look shows it.
#[derive(Clone, Debug)]
struct Region {
    code: &'static str,
    votes: [u64; 2],
    status: &'static str,
}

/// What a look shows; as little as a test needs to say.
#[derive(Clone, Debug)]
struct Scene {
    votes: [u64; 2],
    regions: Vec<Region>,
    winner: Option<&'static str>,
    status: &'static str,
    expected: Option<u64>,
    closed: bool,
    as_of: u32,
    rejected: u64,
    records: Option<u64>,
    withheld: u64,
    backlog: u64,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            votes: [0, 0],
            regions: Vec::new(),
            winner: None,
            status: "counting",
            expected: None,
            closed: false,
            as_of: 0,
            rejected: 0,
            records: None,
            withheld: 0,
            backlog: 0,
        }
    }
}

fn leader(votes: [u64; 2]) -> Option<&'static str> {
    match votes[0].cmp(&votes[1]) {
        std::cmp::Ordering::Greater => Some("ada"),
        std::cmp::Ordering::Less => Some("bo"),
        std::cmp::Ordering::Equal => None,
    }
}

impl Scene {
    fn results(&self) -> Results {
        let counted: u64 = self.votes.iter().sum();
        let candidate = |id: &str, name: &str, votes: u64| {
            json!({"id": id, "name": name, "party": "", "votes": votes, "share": 0.0,
                   "seats": {"leading": 0, "decided": 0}})
        };
        let regions: Vec<Value> = self
            .regions
            .iter()
            .map(|r| {
                json!({"code": r.code, "name": format!("Name of {}", r.code), "seats": 3, "counted": r.votes[0] + r.votes[1],
                       "expected": null, "status": r.status, "leader": leader(r.votes),
                       "margin_votes": r.votes[0].abs_diff(r.votes[1]), "votes": {"ada": r.votes[0], "bo": r.votes[1]}})
            })
            .collect();
        serde_json::from_value(json!({
            "election": {"id": "town", "name": "Town vote", "date": null, "simulated": true},
            "sequence": self.as_of, "as_of": format!("2026-11-24T00:00:{:02}.000Z", self.as_of % 60), "status": self.status,
            "records": counted + self.rejected, "counted": counted, "duplicate": 0, "rejected": self.rejected,
            "expected": self.expected, "leader": leader(self.votes), "margin_votes": self.votes[0].abs_diff(self.votes[1]),
            "winner": self.winner, "closed": self.closed, "withheld": self.withheld,
            "candidates": [candidate("ada", "Ada", self.votes[0]), candidate("bo", "Bo", self.votes[1])],
            "regions": regions, "ledger": {"leaves": 0, "records": 0, "digest": ""}
        }))
        .unwrap()
    }
}

/// A detector with its clock, told scenes.
struct Night {
    detector: Option<Detector>,
    now: Duration,
}

impl Night {
    fn new() -> Self {
        Self { detector: None, now: Duration::ZERO }
    }

    /// Shows a scene for so long, looked at every half second; answers what was told, as JSON, each without its numbers.
    fn show(&mut self, lasting: Duration, scene: &Scene) -> Vec<Value> {
        let results = scene.results();
        let records = scene.records.unwrap_or(results.records);
        let look = Look { results: &results, records, backlog: scene.backlog };
        let until = self.now + lasting;
        let mut told = Vec::new();
        while self.now <= until {
            match &mut self.detector {
                None => self.detector = Some(Detector::new(Rules::default(), self.now, &look)),
                Some(detector) => told.extend(detector.look(self.now, &look)),
            }
            self.now += SECOND / 2;
        }
        told.iter().map(|event| serde_json::to_value(event).unwrap()).collect()
    }

    /// The same, in short: `event place who<previous`.
    fn told(&mut self, lasting: Duration, scene: &Scene) -> Vec<String> {
        self.show(lasting, scene).iter().map(short).collect()
    }
}

fn short(event: &Value) -> String {
    let who = |field: &str| event[field]["id"].as_str().unwrap_or("-").to_owned();
    let place = event["region"].as_str().unwrap_or("all");
    match event["event"].as_str().unwrap() {
        "lead_change" => format!("lead_change {place} {}<{}", who("leader"), who("previous")),
        "decided" => format!("decided {place} {}<{}", who("winner"), who("previous")),
        other => other.to_owned(),
    }
}

fn region(code: &'static str, votes: [u64; 2], status: &'static str) -> Region {
    Region { code, votes, status }
}

#[test]
fn the_first_look_raises_nothing_and_the_same_again_neither() {
    let scene = Scene {
        votes: [9, 1],
        regions: vec![region("NO", [9, 1], "decided")],
        winner: Some("ada"),
        status: "complete",
        ..Scene::default()
    };
    assert_eq!(Night::new().told(SECOND * 600, &scene), Vec::<String>::new());
}

#[test]
fn a_lead_is_told_when_it_has_settled_and_says_who_led_before() {
    let mut night = Night::new();
    let scene = |votes| Scene { votes, regions: vec![region("NO", votes, "leading")], ..Scene::default() };
    assert!(night.told(SECOND, &scene([0, 0])).is_empty());
    assert!(night.told(SECOND, &scene([1, 0])).is_empty(), "not settled yet");
    assert_eq!(night.told(SECOND * 3, &scene([2, 0])), ["lead_change NO ada<-", "lead_change all ada<-"]);
    assert!(night.told(SECOND * 60, &scene([5, 5])).is_empty(), "a tie is no change of the lead");
    assert!(night.told(SECOND * 60, &scene([6, 5])).is_empty(), "the same one leads again");
    let told = night.show(SECOND * 3, &scene([6, 8]));
    assert_eq!(
        told.iter().map(short).collect::<Vec<_>>(),
        ["lead_change NO bo<ada", "lead_change all bo<ada"]
    );
    assert_eq!(told[0]["leader"], json!({"id": "bo", "name": "Bo", "party": ""}));
    assert_eq!((&told[0]["margin_votes"], &told[0]["region_name"]), (&json!(2), &json!("Name of NO")));
    assert_eq!((&told[1]["counted"], &told[1]["region"]), (&json!(14), &Value::Null));
}

#[test]
fn a_lead_that_goes_to_and_fro_is_told_at_most_once_in_a_while_and_what_it_came_to_is_told() {
    let mut night = Night::new();
    let scene = |votes| Scene { votes, ..Scene::default() };
    night.told(SECOND, &scene([5, 4]));
    let mut told = Vec::new();
    for _ in 0..100 {
        told.extend(night.told(SECOND / 2, &scene([5, 6])));
        told.extend(night.told(SECOND / 2, &scene([7, 6])));
    }
    assert_eq!(told, Vec::<String>::new(), "no lead lasted");
    for _ in 0..20 {
        told.extend(night.told(SECOND * 5, &scene([5, 6])));
        told.extend(night.told(SECOND * 5, &scene([7, 6])));
    }
    assert!((3..=10).contains(&told.len()), "200 s of it, at most one in 30 s: {told:?}");
    told.extend(night.told(SECOND * 60, &scene([7, 9])));
    assert!(told.last().unwrap().starts_with("lead_change all bo"), "{told:?}");
}

#[test]
fn a_decision_is_told_at_once_without_a_change_of_the_lead_beside_it() {
    let mut night = Night::new();
    let scene = |votes, status| Scene {
        votes,
        regions: vec![region("NO", votes, status)],
        winner: (status == "decided").then_some("ada"),
        ..Scene::default()
    };
    night.told(SECOND, &scene([0, 0], "waiting"));
    let told = night.show(SECOND * 60, &scene([8, 1], "decided"));
    assert_eq!(told.iter().map(short).collect::<Vec<_>>(), ["decided NO ada<-", "decided all ada<-"]);
    assert_eq!(
        (&told[0]["by"], &told[0]["seats"], &told[1]["seats"]),
        (&json!("margin"), &json!(3), &Value::Null)
    );
}

#[test]
fn a_decision_that_turns_a_told_lead_tells_both() {
    let mut night = Night::new();
    let scene = |votes, status| Scene { regions: vec![region("NO", votes, status)], ..Scene::default() };
    night.told(SECOND, &scene([4, 1], "leading"));
    let told = night.told(SECOND * 60, &scene([4, 90], "decided"));
    assert_eq!(told, ["lead_change NO bo<ada", "decided NO bo<-"]);
}

#[test]
fn what_is_taken_back_is_told_once_it_has_lasted() {
    let mut night = Night::new();
    let scene = |status| Scene { regions: vec![region("NO", [4, 1], status)], ..Scene::default() };
    night.told(SECOND, &scene("leading"));
    let told = night.show(SECOND, &scene("closed"));
    assert_eq!((short(&told[0]), &told[0]["by"]), ("decided NO ada<-".to_owned(), &json!("desk")));
    assert!(night.told(SECOND, &scene("leading")).is_empty(), "reopened for a moment");
    assert!(night.told(SECOND * 60, &scene("closed")).is_empty(), "and closed again: it was told");
    let told = night.show(SECOND * 60, &scene("leading"));
    assert_eq!(told.iter().map(short).collect::<Vec<_>>(), ["decided NO -<ada"]);
    assert_eq!((&told[0]["winner"], &told[0]["by"]), (&Value::Null, &Value::Null));
}

#[test]
fn nothing_is_told_of_a_withheld_region() {
    let mut night = Night::new();
    let open = Scene {
        votes: [4, 2],
        regions: vec![region("NO", [3, 1], "leading"), region("HI", [1, 1], "tied")],
        ..Scene::default()
    };
    let held = Scene {
        votes: [3, 1],
        regions: vec![region("NO", [3, 1], "leading")],
        withheld: 1,
        ..Scene::default()
    };
    night.told(SECOND, &open);
    assert!(night.told(SECOND * 60, &held).is_empty(), "that it is gone is not told");
    // It comes back decided: that is news, once; gone and back again it is none.
    let back = Scene {
        votes: [4, 9],
        regions: vec![region("NO", [3, 1], "leading"), region("HI", [1, 8], "closed")],
        ..Scene::default()
    };
    assert_eq!(night.told(SECOND * 60, &back), ["decided HI bo<-", "lead_change all bo<ada"]);
    assert_eq!(night.told(SECOND * 60, &held), ["lead_change all ada<bo"]);
    assert_eq!(night.told(SECOND * 60, &back), ["lead_change all bo<ada"]);
}

#[test]
fn complete_is_told_once_however_late_votes_trickle_in() {
    let mut night = Night::new();
    let scene = |status| Scene { votes: [4, 1], winner: Some("ada"), status, ..Scene::default() };
    night.told(SECOND, &scene("counting"));
    let told = night.show(SECOND * 5, &scene("complete"));
    assert_eq!(told.iter().map(short).collect::<Vec<_>>(), ["complete"]);
    assert_eq!((&told[0]["counted"], &told[0]["winner"]["name"]), (&json!(5), &json!("Ada")));
    for _ in 0..50 {
        assert!(night.told(SECOND / 2, &scene("counting")).is_empty());
        assert!(night.told(SECOND * 3, &scene("complete")).is_empty());
    }
    assert!(night.told(SECOND * 60, &scene("counting")).is_empty());
    assert_eq!(night.told(SECOND * 60, &scene("complete")), ["complete"], "it was reopened for long");
}

#[test]
fn stale_is_told_once_and_fresh_with_the_next_commit() {
    let mut night = Night::new();
    let scene = |records, backlog| Scene {
        votes: [4, 1],
        as_of: records as u32,
        records: Some(records),
        backlog,
        ..Scene::default()
    };
    night.told(SECOND, &scene(1, 0));
    assert!(night.told(SECOND * 600, &scene(1, 0)).is_empty(), "nothing is awaited");
    assert!(night.told(SECOND * 25, &scene(1, 7)).is_empty(), "not for long yet");
    let told = night.show(SECOND * 600, &scene(1, 7));
    assert_eq!((short(&told[0]), told.len()), ("stale".to_owned(), 1));
    assert_eq!((&told[0]["backlog"], &told[0]["reason"]), (&json!(7), &json!("no_commit")));
    let act = Scene { as_of: 9, votes: [4, 0], withheld: 1, ..scene(1, 7) };
    assert!(night.told(SECOND, &act).is_empty(), "an act of the desk counts nothing");
    let told = night.show(SECOND, &scene(2, 7));
    assert_eq!((short(&told[0]), told.len()), ("fresh".to_owned(), 1));
    assert!(told[0]["seconds"].as_u64().unwrap() > 600);
}

#[test]
fn votes_that_are_expected_are_awaited_until_the_count_is_closed() {
    let mut night = Night::new();
    let open = Scene { votes: [4, 1], expected: Some(9), ..Scene::default() };
    night.told(SECOND, &open);
    assert_eq!(night.told(SECOND * 60, &open), ["stale"]);
    let closed = Scene { closed: true, status: "complete", ..open };
    assert_eq!(night.told(SECOND * 60, &closed), ["fresh", "complete"], "nothing is awaited any more");
    let waiting = Scene { status: "waiting", expected: Some(9), ..Scene::default() };
    let mut night = Night::new();
    assert!(night.told(SECOND * 600, &waiting).is_empty(), "the polls have not closed yet");
}

#[test]
fn stale_tells_no_backlog_while_a_region_is_withheld() {
    let mut night = Night::new();
    let scene = Scene { votes: [4, 1], backlog: 7, withheld: 1, ..Scene::default() };
    night.told(SECOND, &scene);
    let told = night.show(SECOND * 60, &scene);
    assert_eq!((short(&told[0]), &told[0]["backlog"]), ("stale".to_owned(), &Value::Null));
}

#[test]
fn a_store_that_cannot_be_read_is_stale_too() {
    let results = Scene { votes: [1, 0], expected: Some(9), ..Scene::default() }.results();
    let look = Look { results: &results, records: 1, backlog: 0 };
    let mut detector = Detector::new(Rules::default(), Duration::ZERO, &look);
    assert_eq!(detector.blind(SECOND * 29), None);
    assert_eq!(
        detector.blind(SECOND * 31),
        Some(Event::Stale { seconds: 31, backlog: Some(0), reason: "store" })
    );
    assert_eq!(detector.blind(SECOND * 300), None, "told already");
    assert_eq!(detector.look(SECOND * 301, &look), [], "still no commit");
}

#[test]
fn rejects_are_told_above_the_threshold_and_back_with_a_margin() {
    let mut night = Night::new();
    let scene = |good: u64, rejected| Scene { votes: [good, 0], rejected, ..Scene::default() };
    night.told(SECOND, &scene(0, 0));
    assert!(
        night.told(SECOND, &scene(499, 500)).iter().all(|event| event != "reject_rate"),
        "too few records to say"
    );
    let told = night.show(SECOND, &scene(900, 100));
    let told: Vec<_> = told.iter().filter(|event| event["event"] == "reject_rate").collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["window"], json!({"records": 1_000, "rejected": 100, "rate": 0.1}));
    assert_eq!((&told[0]["above"], &told[0]["threshold"]), (&json!(true), &json!(0.05)));
    assert!(night.told(SECOND, &scene(1_855, 145)).is_empty(), "0.045 is below, but not clearly");
    let told = night.show(SECOND, &scene(2_845, 155));
    assert_eq!((&told[0]["above"], told.len()), (&json!(false), 1));
}

#[test]
fn rejects_tell_no_numbers_while_a_region_is_withheld() {
    let mut night = Night::new();
    let scene =
        |records, rejected| Scene { rejected, records: Some(records), withheld: 1, ..Scene::default() };
    night.told(SECOND, &scene(0, 0));
    assert!(night.told(SECOND, &scene(10_000, 100)).is_empty(), "the rate is that of all records");
    let told = night.show(SECOND, &scene(20_000, 5_000));
    assert_eq!((&told[0]["above"], &told[0]["window"]), (&json!(true), &Value::Null));
    assert!(night.told(SECOND, &scene(5, 1)).is_empty(), "another store begins anew");
}

/// A scene of a random night: two public regions that come and go.
fn any_scene() -> impl Strategy<Value = (Scene, u64)> {
    let status = prop::sample::select(vec!["leading", "decided", "closed", "tied", "waiting"]);
    let region = (prop::array::uniform2(0_u64..4), status, prop::bool::ANY);
    (prop::array::uniform2(region), prop::bool::ANY, 0_u32..3, 0_u64..2, 1_u64..8).prop_map(
        |(regions, complete, as_of, backlog, halves)| {
            let regions: Vec<Region> = ["NO", "HI"]
                .into_iter()
                .zip(regions)
                .filter(|(_, (_, _, public))| *public)
                .map(|(code, (votes, status, _))| Region { code, votes, status })
                .collect();
            let sum = |i: usize| regions.iter().map(|r| r.votes[i]).sum();
            let status = if complete { "complete" } else { "counting" };
            let records = Some(u64::from(as_of));
            let votes = [sum(0), sum(1)];
            let scene = Scene { votes, regions, status, as_of, records, backlog, ..Scene::default() };
            (scene, halves)
        },
    )
}

proptest! {
    #[test]
    fn any_night_is_told_without_flapping(scenes in prop::collection::vec(any_scene(), 1..60)) {
        let mut night = Night::new();
        let mut stale = false;
        let mut last: HashMap<String, (String, Duration)> = HashMap::new();
        for (scene, halves) in &scenes {
            let begun = night.now;
            for event in night.show(SECOND / 2 * (*halves as u32 - 1), scene) {
                let kind = event["event"].as_str().unwrap().to_owned();
                if let Some(code) = event["region"].as_str() {
                    prop_assert!(scene.regions.iter().any(|r| r.code == code), "{event} of a region that is not public");
                }
                if kind == "stale" || kind == "fresh" {
                    prop_assert_eq!(std::mem::replace(&mut stale, kind == "stale"), kind == "fresh");
                    continue;
                }
                // The same thing of the same place: never twice in a row, and not twice within the gap.
                let key = format!("{kind} {}", event["region"]);
                let said = short(&event);
                if let Some((before, at)) = last.insert(key, (said.clone(), begun)) {
                    prop_assert!(kind == "complete" || before != said, "{said} twice");
                    let forced = kind == "lead_change" && scene.regions.iter().any(|r| r.status != "leading");
                    prop_assert!(forced || night.now.saturating_sub(at) >= Rules::default().gap, "{said} too soon");
                }
            }
        }
        // What it came to is told: shown for long, the last scene leaves nothing to tell.
        let (scene, _) = scenes.last().unwrap();
        night.show(SECOND * 90, scene);
        prop_assert_eq!(night.told(SECOND * 90, scene), Vec::<String>::new());
    }
}
