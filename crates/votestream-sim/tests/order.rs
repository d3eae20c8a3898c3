//! The order of the night, and that any record can be had on its own.

use proptest::prelude::*;
use std::collections::HashMap;
use votestream_election::{Election, Millis};
use votestream_sim::{Faults, Order, RecordMeta, SimError, SimOptions, Simulation, Votes};

fn preset() -> Election {
    Election::preset("us-president-2024").unwrap()
}

fn options(votes: u64, order: Order) -> SimOptions {
    SimOptions { votes: Votes::Count(votes), order, ..SimOptions::default() }
}

fn all(simulation: &Simulation) -> Vec<(RecordMeta, Vec<u8>)> {
    let mut cursor = simulation.cursor(0);
    let mut records = Vec::new();
    while let Some((meta, line)) = cursor.next_record() {
        records.push((meta, line.to_vec()));
    }
    records
}

#[test]
fn regions_come_in_after_their_polls_close() {
    let election = preset();
    let simulation = Simulation::new(&election, &options(500_000, Order::Night)).unwrap();
    let closes: HashMap<&str, Millis> =
        election.regions.iter().map(|r| (r.name.as_str(), r.closes.unwrap())).collect();
    let mut last = Millis(0);
    let mut first_of: HashMap<String, Millis> = HashMap::new();
    for (meta, line) in all(&simulation) {
        let event: serde_json::Value = serde_json::from_slice(&line).unwrap();
        let state = event["state"].as_str().unwrap();
        assert!(meta.timestamp >= closes[state], "{state} reports at {}", meta.timestamp.0);
        assert!(meta.timestamp >= last);
        last = meta.timestamp;
        first_of.entry(state.to_owned()).or_insert(meta.timestamp);
    }
    assert_eq!(first_of.len(), 51);
    // Each state's first votes are in within ten minutes of its closing hour, and the night is over by noon in London.
    assert!(first_of.iter().all(|(state, first)| first.0 - closes[state.as_str()].0 < 10 * 60_000));
    assert!(
        simulation.span().0 >= Millis(1_730_851_200_000) && simulation.span().1 < Millis(1_730_898_000_000)
    );
    assert_eq!(simulation.span().1, last);
}

#[test]
fn shuffled_mixes_regions_from_the_first_vote_on() {
    let simulation = Simulation::new(&preset(), &options(1_000_000, Order::Shuffled)).unwrap();
    let mut california = 0;
    for (_, line) in all(&simulation).into_iter().take(20_000) {
        california += u32::from(String::from_utf8(line).unwrap().contains("California"));
    }
    // 10.2 % of all votes: 2,044 of 20,000, standard deviation 43.
    assert!(california.abs_diff(2_044) < 200, "{california}");
}

#[test]
fn nobody_can_tell_a_neighbour_in_the_night_from_the_last_vote() {
    // Within a region the order says nothing: the first tenth of Ohio's votes is split as all of Ohio is.
    let simulation = Simulation::new(&preset(), &options(2_000_000, Order::Night)).unwrap();
    let (mut seen, mut trump) = (0.0, 0.0);
    let mut cursor = simulation.cursor(0);
    while let Some((_, line)) = cursor.next_record() {
        let text = std::str::from_utf8(line).unwrap();
        if text.contains("Ohio") {
            seen += 1.0;
            trump += f64::from(u8::from(text.contains("Donald Trump")));
        }
        if seen >= 7_000.0 {
            break;
        }
    }
    assert!((trump / seen - 0.5518_f64).abs() < 0.03, "{trump} of {seen}");
}

#[test]
fn the_time_is_written_when_asked_for() {
    let options = SimOptions { time_field: true, ..options(2_000, Order::Night) };
    let simulation = Simulation::new(&preset(), &options).unwrap();
    for (meta, line) in all(&simulation) {
        let event: serde_json::Value = serde_json::from_slice(&line).unwrap();
        let text = event["time"].as_str().unwrap();
        assert_eq!(text.len(), 24);
        let time: jiff::Timestamp = text.parse().unwrap();
        assert_eq!(time.as_millisecond(), meta.timestamp.0);
    }
}

#[test]
fn voting_hours_hold_every_vote() {
    for (from, to) in [(1_730_800_000_500, 1_730_800_400_000), (1_730_800_000_000, 1_730_800_000_040)] {
        let mut election = preset();
        election.voting_hours = Some((Millis(from), Millis(to)));
        for order in [Order::Night, Order::Shuffled] {
            let simulation = Simulation::new(&election, &options(3_000, order)).unwrap();
            for (meta, _) in all(&simulation) {
                assert!((from..to).contains(&meta.timestamp.0), "{order} {}", meta.timestamp.0);
            }
        }
    }
}

#[test]
fn hours_that_end_before_they_begin_are_refused() {
    let mut election = preset();
    election.voting_hours = Some((Millis(2_000), Millis(2_000)));
    let error = Simulation::new(&election, &options(10, Order::Night)).unwrap_err();
    assert_eq!(error, SimError::NoVotingHours { election: "us-president-2024".to_owned() });
}

#[test]
fn an_election_without_closing_hours_has_an_evening_all_the_same() {
    let mut election = preset();
    election.regions.iter_mut().for_each(|region| region.closes = None);
    let simulation = Simulation::new(&election, &options(1_000, Order::Night)).unwrap();
    // 20:00 in New York on 5 November is 01:00 in UTC.
    let evening = 1_730_854_800_000;
    assert!((evening..evening + 3_600_000).contains(&simulation.span().0.0));
    let start = Some(Millis(5_000));
    let simulation =
        Simulation::new(&election, &SimOptions { start, ..options(1_000, Order::Night) }).unwrap();
    assert!((5_000..3_600_000).contains(&simulation.span().0.0));
}

#[test]
fn what_is_due_is_what_has_happened() {
    let faults: Faults = "duplicates=0.1,invalid=0.05,changed=0.02".parse().unwrap();
    for order in [Order::Night, Order::Shuffled] {
        let simulation = Simulation::new(&preset(), &SimOptions { faults, ..options(5_000, order) }).unwrap();
        let records = all(&simulation);
        let (first, last) = simulation.span();
        for step in 0..=97 {
            let moment = Millis(first.0 + (last.0 + 2 - first.0) * step / 97);
            let due = records.iter().filter(|(meta, _)| meta.timestamp < moment).count() as u64;
            assert_eq!(simulation.records_before(moment), due, "{order} at {}", moment.0);
        }
        assert_eq!(simulation.records_before(Millis(0)), 0);
    }
}

#[test]
fn the_source_id_tells_simulations_apart() {
    let base = options(1_000, Order::Night);
    let id = |options: &SimOptions| Simulation::new(&preset(), options).unwrap().id();
    let others = [
        SimOptions { seed: 2, ..base.clone() },
        SimOptions { votes: Votes::Count(1_001), ..base.clone() },
        SimOptions { order: Order::Shuffled, ..base.clone() },
        SimOptions { faults: Faults { torn: 0.1, ..Faults::NONE }, ..base.clone() },
        SimOptions { time_field: true, ..base.clone() },
        SimOptions { start: Some(Millis(0)), ..base.clone() },
    ];
    assert_eq!(id(&base), id(&base.clone()));
    assert!(others.iter().all(|options| id(options) != id(&base)));
    let mut election = preset();
    election.min_cell += 1;
    assert_ne!(Simulation::new(&election, &base).unwrap().id(), id(&base));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_record_alone_is_the_one_met_in_turn(
        votes in 1_u64..2_000, seed: u64, night: bool, rates in prop::array::uniform4(0.0..0.4),
    ) {
        let [duplicates, changed, invalid, torn] = rates;
        let order = if night { Order::Night } else { Order::Shuffled };
        let faults = Faults { duplicates, changed, invalid, torn };
        let options = SimOptions { seed, faults, time_field: seed % 2 == 0, ..options(votes, order) };
        let simulation = Simulation::new(&preset(), &options).unwrap();
        let records = all(&simulation);
        prop_assert_eq!(records.len() as u64, simulation.records());
        prop_assert!(records.is_sorted_by_key(|(meta, _)| meta.timestamp));
        for (index, (meta, line)) in records.iter().enumerate() {
            let mut alone = Vec::new();
            prop_assert_eq!(simulation.record(index as u64, &mut alone), Some(*meta));
            prop_assert_eq!(&alone, line);
            prop_assert_eq!(meta.index, index as u64);
        }
        let mut beyond = Vec::new();
        prop_assert_eq!(simulation.record(simulation.records(), &mut beyond), None);
        // From the middle on, and a part of it.
        let middle = simulation.records() / 2;
        let mut cursor = simulation.cursor_until(middle, middle + 10);
        for (meta, line) in records.iter().skip(middle as usize).take(10) {
            prop_assert_eq!(cursor.next_record(), Some((*meta, line.as_slice())));
        }
        prop_assert_eq!(cursor.next_record(), None);
    }
}
