//! Every record of a simulation, read back, adds up to the certified figures; no voter comes twice; persons follow the exit poll.

use std::collections::HashMap;
use votestream_election::Election;
use votestream_election::electorate::certified;
use votestream_sim::{Order, RecordKind, SimError, SimOptions, Simulation, Source, Votes};

fn preset() -> Election {
    Election::preset("us-president-2024").unwrap()
}

fn simulation(votes: u64, order: Order, seed: u64) -> Simulation {
    let options = SimOptions { votes: Votes::Count(votes), order, seed, ..SimOptions::default() };
    Simulation::new(&preset(), &options).unwrap()
}

/// Where the text that says region and candidate begins.
fn place(line: &[u8]) -> &[u8] {
    let at = line.windows(9).position(|w| w == b",\"state\":").unwrap();
    &line[at..]
}

/// Counts a simulation's lines by what they say, and checks that ids are all different.
fn enumerate(simulation: &Simulation) -> Vec<u64> {
    let election = preset();
    let mut cells = HashMap::new();
    for region in &election.regions {
        for candidate in &election.candidates {
            let text = format!(",\"state\":\"{}\",\"decision\":\"{}\"}}", region.name, candidate.name);
            cells.insert(text.into_bytes(), cells.len());
        }
    }
    let mut totals = vec![0; cells.len()];
    let mut ids = Vec::with_capacity(simulation.records() as usize);
    let mut cursor = simulation.cursor(0);
    while let Some((meta, line)) = cursor.next_record() {
        let voter = meta.voter.unwrap();
        assert_eq!(line[6..22], voter.key);
        assert_eq!(meta.kind, RecordKind::Vote);
        totals[cells[place(line)]] += 1;
        ids.push(voter.id);
    }
    ids.sort_unstable();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "a voter came twice");
    assert!(ids[0] >= 10_u64.pow(15) && ids[ids.len() - 1] < 10_u64.pow(16));
    totals
}

#[test]
fn a_million_votes_are_the_certified_figures_in_small() {
    let target = certified(&preset().scaled(1_000_000)).unwrap().votes;
    for (order, seed) in [(Order::Night, 1), (Order::Shuffled, 1), (Order::Night, 77)] {
        let simulation = simulation(1_000_000, order, seed);
        assert_eq!(enumerate(&simulation), target, "{order} {seed}");
        assert_eq!(simulation.expected().totals, target);
        assert_eq!(simulation.expected().counts.counted, 1_000_000);
        assert_eq!(simulation.election(), preset().scaled(1_000_000));
    }
}

#[test]
fn one_ballot_in_ten_of_each_state_and_candidate() {
    let target = certified(&preset().scaled(15_521_272)).unwrap().votes;
    assert_eq!(enumerate(&simulation(15_521_272, Order::Night, 2024)), target);
}

#[test]
fn all_votes_are_exactly_the_certified_ones() {
    let all = Simulation::new(&preset(), &SimOptions::default()).unwrap();
    assert_eq!(all.votes(), 155_212_715);
    assert_eq!(all.expected().totals, certified(&preset()).unwrap().votes);
    assert_eq!(all.election(), preset());
    // One in 4,096 of the night, spread over all of it, is a fair sample of the nation.
    let mut trump = 0;
    let mut line = Vec::new();
    let sample = (0..all.records()).step_by(4096);
    let size = sample.clone().count() as f64;
    for index in sample {
        line.clear();
        all.record(index, &mut line).unwrap();
        trump += u32::from(line.ends_with(b"\"Donald Trump\"}"));
    }
    assert!((f64::from(trump) / size - 0.498).abs() < 0.015, "{trump} of {size}");
}

#[test]
fn a_smallest_election_works() {
    for votes in [1, 2, 3, 50, 1_000] {
        for order in [Order::Night, Order::Shuffled] {
            let simulation = simulation(votes, order, 9);
            assert_eq!(enumerate(&simulation).iter().sum::<u64>(), votes);
        }
    }
}

#[test]
fn an_event_is_as_the_interface_says() {
    let simulation = simulation(1_000, Order::Shuffled, 1);
    let mut line = Vec::new();
    simulation.record(17, &mut line).unwrap();
    let event: serde_json::Value = serde_json::from_slice(&line).unwrap();
    let keys: Vec<&str> = event.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["age", "decision", "gender", "id", "state"]);
    let text = format!(
        r#"{{"id":{},"gender":{},"age":{},"state":{},"decision":{}}}"#,
        event["id"], event["gender"], event["age"], event["state"], event["decision"]
    );
    assert_eq!(String::from_utf8(line).unwrap(), text);
    assert!((18..=95).contains(&event["age"].as_u64().unwrap()));
    let id = event["id"].as_u64().unwrap().to_string();
    assert_eq!(id.len(), 16);
}

#[test]
fn persons_follow_the_exit_poll_given_their_choice() {
    let simulation = simulation(300_000, Order::Shuffled, 4);
    let (mut harris, mut women, mut old) = (0.0, 0.0, 0.0);
    let mut cursor = simulation.cursor(0);
    while let Some((_, line)) = cursor.next_record() {
        let event: serde_json::Value = serde_json::from_slice(line).unwrap();
        let age = event["age"].as_u64().unwrap();
        assert!((18..=95).contains(&age));
        assert!(event["gender"] == "Male" || event["gender"] == "Female");
        if event["decision"] == "Kamala Harris" {
            harris += 1.0;
            women += f64::from(u8::from(event["gender"] == "Female"));
            old += f64::from(u8::from(age >= 65));
        }
    }
    // 0.53 · 0.53 against 0.47 · 0.43; of the ages 0.28 · 0.49 against 0.14 · 0.54 + 0.23 · 0.51 + 0.35 · 0.44.
    assert!((women / harris - 0.2809_f64 / 0.4830).abs() < 0.01);
    assert!((old / harris - 0.1372_f64 / 0.4841).abs() < 0.01);
}

#[test]
fn more_voters_than_there_are_cannot_be_drawn() {
    let ask = |votes| {
        let options = SimOptions { votes: Votes::Count(votes), ..SimOptions::default() };
        Simulation::new(&preset(), &options).map(|_| ())
    };
    assert_eq!(ask(0), Err(SimError::VotesOutOfRange { asked: 0 }));
    let error = ask(155_212_716).unwrap_err();
    assert_eq!(error, SimError::NotEnoughVoters { asked: 155_212_716, available: 155_212_715 });
    assert!(error.to_string().contains("155212715"));
    assert!(ask(155_212_715).is_ok());
}

#[test]
fn a_poll_has_a_plausible_answer_of_any_size() {
    let poll = Election::preset("poll").unwrap();
    for (votes, expect) in [(Votes::All, 1_000_000), (Votes::Count(12_345), 12_345)] {
        let simulation = Simulation::new(&poll, &SimOptions { votes, ..SimOptions::default() }).unwrap();
        assert_eq!(simulation.votes(), expect);
        let expected = simulation.expected();
        assert_eq!(expected.totals.iter().sum::<u64>(), expect);
        assert!(expected.totals.iter().all(|votes| *votes > 0));
        let mut line = Vec::new();
        simulation.record(0, &mut line);
        let event: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(event.as_object().unwrap().len(), 2, "{event}");
        assert!(event["id"].is_u64() && event["decision"].is_string());
        assert!(simulation.election().simulated);
    }
}

#[test]
fn the_other_mapping_writes_its_own_fields() {
    let election = preset().with_mapping("votestream").unwrap();
    let options = SimOptions { votes: Votes::Count(1_000), ..SimOptions::default() };
    let simulation = Simulation::new(&election, &options).unwrap();
    let mut line = Vec::new();
    let meta = simulation.record(3, &mut line).unwrap();
    let event: serde_json::Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(event["voter_id"].as_u64(), meta.voter.map(|voter| voter.id));
    let candidate = election.candidates.iter().find(|c| event["candidate_id"] == c.id.as_str()).unwrap();
    assert_eq!(event["candidate_name"], candidate.name.as_str());
    assert!(election.regions.iter().any(|r| event["address"]["state"] == r.name.as_str()));
    assert!(event["registered_age"].is_u64() && event["gender"].is_string());
    assert!(event["voting_time"].as_str().unwrap().starts_with("2024-11-05 "), "{event}");
    let text = String::from_utf8(line).unwrap();
    let order =
        ["voter_id", "candidate_id", "candidate_name", "gender", "registered_age", "address", "voting_time"];
    assert!(order.map(|key| text.find(key).unwrap()).is_sorted(), "{text}");
}

#[test]
fn the_source_never_ends_and_never_repeats_a_voter() {
    let source = Source::new(&preset()).unwrap();
    let mut stream = source.stream(7);
    let mut again = source.stream(7);
    let mut other = source.stream(8);
    let (mut ids, mut trump, mut same) = (Vec::new(), 0.0, 0);
    for _ in 0..200_000 {
        let line = stream.next_event(votestream_election::Millis(0)).to_vec();
        assert_eq!(again.next_event(votestream_election::Millis(0)), line);
        same += u32::from(other.next_event(votestream_election::Millis(0)) == line);
        ids.push(std::str::from_utf8(&line[6..22]).unwrap().parse::<u64>().unwrap());
        trump += f64::from(u8::from(line.ends_with(b"\"Donald Trump\"}")));
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 200_000);
    assert_eq!(same, 0);
    assert!((trump / 200_000.0 - 0.498_f64).abs() < 0.005);
    assert_eq!(stream.position(), 200_000);
}
