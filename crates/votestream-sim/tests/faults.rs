//! The right answer is known: a naive count of the lines that come out agrees with it, under both rules, for every mapping.

use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use votestream_election::delta::Counts;
use votestream_election::election::DuplicatePolicy;
use votestream_election::event::EventParser;
use votestream_election::partitioner::murmur2_partition;
use votestream_election::{Election, Millis, PartitionId, RejectReason};
use votestream_sim::{Expected, Faults, Order, RecordKind, SimOptions, Simulation, Votes};

fn preset() -> Election {
    Election::preset("us-president-2024").unwrap()
}

fn simulation(election: &Election, votes: u64, order: Order, faults: &str) -> Simulation {
    let faults: Faults = faults.parse().unwrap();
    let options = SimOptions { votes: Votes::Count(votes), order, faults, seed: 3, ..SimOptions::default() };
    Simulation::new(election, &options).unwrap()
}

/// What a line says: voter, region, candidate.
type Judged = Result<(u64, usize, usize), RejectReason>;

/// Judges a line of the `presidential` mapping by the interface's words, slowly.
fn judge(election: &Election, line: &[u8]) -> Judged {
    use RejectReason as R;
    if line.len() > 65_536 {
        return Err(R::TooLarge);
    }
    let event: Value = serde_json::from_slice(line).map_err(|_| R::Malformed)?;
    let event = event.as_object().ok_or(R::Malformed)?;
    let id = event.get("id").filter(|id| !id.is_null()).ok_or(R::MissingId)?;
    let voter = id.as_u64().ok_or(R::InvalidId)?;
    let text = |key: &str| event.get(key).and_then(Value::as_str).map(|text| text.trim().to_lowercase());
    let state = text("state").ok_or(R::UnknownRegion)?;
    let is = |name: &str, text: &str| name.to_lowercase() == text;
    let region = election.regions.iter().position(|r| is(&r.name, &state) || is(&r.code, &state));
    let region = region.ok_or(R::UnknownRegion)?;
    let decision = text("decision").ok_or(R::UnknownCandidate)?;
    let candidate = election.candidates.iter().position(|c| is(&c.name, &decision) || is(&c.id, &decision));
    let candidate = candidate.ok_or(R::UnknownCandidate)?;
    if let Some(age) = event.get("age").filter(|age| !age.is_null()) {
        let age = age.as_u64().filter(|age| *age <= 150).ok_or(R::InvalidAge)?;
        if age < 18 {
            return Err(R::UnderAge);
        }
    }
    if let Some(gender) = event.get("gender").filter(|gender| !gender.is_null()) {
        let known = ["Male", "Female", "Other", "Unknown"];
        gender.as_str().filter(|gender| known.contains(gender)).ok_or(R::InvalidGender)?;
    }
    if let Some(time) = event.get("time").filter(|time| !time.is_null()) {
        time.as_str().and_then(|time| time.parse::<jiff::Timestamp>().ok()).ok_or(R::InvalidTime)?;
    }
    Ok((voter, region, candidate))
}

/// Counts a simulation's lines as they come, one voter once.
fn count(
    simulation: &Simulation,
    policy: DuplicatePolicy,
    mut judge: impl FnMut(&[u8], Millis) -> Judged,
) -> Expected {
    let election = simulation.election();
    let candidates = election.candidates.len();
    let mut totals = vec![0; election.region_rows() * candidates];
    let mut counts = Counts::default();
    let mut rejects = BTreeMap::new();
    let mut seen: HashMap<u64, usize> = HashMap::new();
    let mut cursor = simulation.cursor(0);
    while let Some((meta, line)) = cursor.next_record() {
        assert!(!line.contains(&b'\n') && !line.trim_ascii().is_empty());
        match judge(line, meta.timestamp) {
            Err(reason) => {
                assert_eq!(
                    meta.kind,
                    RecordKind::Invalid(reason),
                    "{}",
                    String::from_utf8_lossy(&line[..line.len().min(300)])
                );
                *rejects.entry(reason).or_insert(0) += 1;
                counts.rejected += 1;
            }
            Ok((voter, region, candidate)) => {
                assert!(!matches!(meta.kind, RecordKind::Invalid(_)), "{}", String::from_utf8_lossy(line));
                assert_eq!(meta.voter.map(|voter| voter.id), Some(voter));
                let cell = region * candidates + candidate;
                let before = seen.get(&voter).copied();
                assert_eq!(before.is_none(), meta.kind == RecordKind::Vote);
                if before.is_none() {
                    counts.counted += 1;
                } else {
                    counts.duplicate += 1;
                }
                if before.is_none() || policy == DuplicatePolicy::Last {
                    if let Some(before) = before {
                        totals[before] -= 1;
                    }
                    totals[cell] += 1;
                    seen.insert(voter, cell);
                }
            }
        }
    }
    Expected { totals, counts, rejects: rejects.into_iter().collect() }
}

const POLICIES: [DuplicatePolicy; 2] = [DuplicatePolicy::First, DuplicatePolicy::Last];

#[test]
fn a_naive_count_gives_the_expected_answer() {
    let election = preset();
    for order in [Order::Night, Order::Shuffled] {
        let simulation =
            simulation(&election, 20_000, order, "duplicates=0.3,changed=0.2,invalid=0.02,torn=0.01");
        for policy in POLICIES {
            let counted = count(&simulation, policy, |line, _| judge(&election, line));
            assert_eq!(counted, simulation.expected_under(policy), "{order} {policy:?}");
            assert_eq!(
                counted.counts,
                Counts { counted: 20_000, duplicate: 10_000, rejected: 600, skipped: 0 }
            );
        }
        let [first, last] = POLICIES.map(|policy| simulation.expected_under(policy).totals);
        assert_ne!(first, last, "changed records change something");
    }
}

#[test]
fn the_products_own_parser_agrees_for_every_mapping() {
    let mut hours = preset();
    hours.voting_hours = Some((Millis(1_730_800_000_000), Millis(1_730_900_000_000)));
    let mut alone = Election::preset("poll").unwrap();
    alone.candidates.truncate(1);
    let elections = [
        preset(),
        preset().with_mapping("votestream").unwrap(),
        Election::preset("poll").unwrap(),
        hours.clone().with_mapping("votestream").unwrap(),
        hours,
        alone,
    ];
    for election in elections {
        let simulation =
            simulation(&election, 5_000, Order::Night, "duplicates=0.2,changed=0.2,invalid=0.5,torn=0.05");
        for policy in POLICIES {
            let mut parser = EventParser::new(&election);
            let counted = count(&simulation, policy, |line, moment| {
                let vote = parser.judge(Some(line), moment, line.len() > 65_536)?;
                let votestream_election::VoterKey::Integer(voter) = vote.voter else {
                    panic!("a voter that is no integer")
                };
                Ok((voter, vote.region.0.into(), vote.candidate.0.into()))
            });
            assert_eq!(counted, simulation.expected_under(policy), "{} {policy:?}", election.mapping.name);
        }
    }
}

#[test]
fn every_reason_that_an_election_can_give_occurs() {
    let reasons = |election: &Election| -> Vec<RejectReason> {
        let simulation = simulation(election, 1_000, Order::Shuffled, "invalid=0.1");
        simulation.expected().rejects.into_iter().map(|(reason, _)| reason).collect()
    };
    let mut all = RejectReason::ALL.to_vec();
    all.retain(|reason| *reason != RejectReason::Misrouted);
    let mut hours = preset();
    hours.voting_hours = Some((Millis(1_730_800_000_000), Millis(1_730_900_000_000)));
    assert_eq!(reasons(&hours), all);
    all.retain(|reason| *reason != RejectReason::OutsideVotingHours);
    assert_eq!(reasons(&preset()), all);
    let poll = Election::preset("poll").unwrap();
    let few = ["too_large", "malformed", "missing_id", "invalid_id", "unknown_candidate"];
    assert_eq!(reasons(&poll).into_iter().map(RejectReason::name).collect::<Vec<_>>(), few);
}

#[test]
fn a_voters_records_share_a_partition_and_come_after_the_first() {
    let simulation = simulation(&preset(), 10_000, Order::Night, "duplicates=0.5,changed=0.5,invalid=0.2");
    let mut voted = HashSet::new();
    let mut without: [u32; 4] = [0; 4];
    let mut cursor = simulation.cursor(0);
    while let Some((meta, _)) = cursor.next_record() {
        let partition = meta.partition(4);
        let Some(voter) = meta.voter else {
            without[partition.0 as usize] += 1;
            continue;
        };
        assert_eq!(partition, murmur2_partition(voter.id.to_string().as_bytes(), 4));
        assert_eq!(voter.id.to_string().as_bytes(), voter.key);
        match meta.kind {
            RecordKind::Vote => assert!(voted.insert(voter.id)),
            RecordKind::Duplicate | RecordKind::Changed => assert!(voted.contains(&voter.id)),
            RecordKind::Invalid(_) => {}
        }
        assert_eq!(meta.partition(1), PartitionId(0));
    }
    assert!(without.iter().all(|count| *count > 50), "{without:?}");
}

#[test]
fn some_are_rejected_first_and_vote_later() {
    let simulation = simulation(&preset(), 10_000, Order::Shuffled, "invalid=0.2");
    let (mut rejected, mut both) = (HashSet::new(), 0);
    let mut cursor = simulation.cursor(0);
    while let Some((meta, _)) = cursor.next_record() {
        match (meta.kind, meta.voter) {
            (RecordKind::Invalid(_), Some(voter)) => drop(rejected.insert(voter.id)),
            (RecordKind::Vote, Some(voter)) => both += u32::from(rejected.contains(&voter.id)),
            _ => {}
        }
    }
    assert!(both > 100, "{both}");
}

#[test]
fn the_answer_adds_up_as_a_snapshot_too() {
    let simulation = simulation(&preset(), 3_000, Order::Night, "duplicates=0.1,changed=0.1,invalid=0.1");
    let expected = simulation.expected();
    let snapshot = expected.snapshot();
    assert_eq!(snapshot.totals, expected.totals);
    assert_eq!(snapshot.progress[0].records(), simulation.records());
    assert_eq!(snapshot.progress[0].next_offset, snapshot.progress[0].log_end);
    assert_eq!(simulation.election().expected, Some(3_000));
}

#[test]
fn regions_expect_what_comes_about_under_last() {
    let election = preset().with_duplicate(DuplicatePolicy::Last);
    let simulation = simulation(&election, 10_000, Order::Night, "changed=0.5");
    let expected = simulation.expected();
    for (region, row) in simulation.election().regions.iter().zip(expected.totals.chunks(4)) {
        assert_eq!(region.expected, Some(row.iter().sum()));
    }
}
