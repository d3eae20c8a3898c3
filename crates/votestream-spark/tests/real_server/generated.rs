//! Generated records: votes put together from parts, most of them usual, some broken by a byte.

use crate::topic::Draft;
use crate::{NOW, PARTITIONS};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use votestream_election::Election;
use votestream_election::event::EventParser;
use votestream_election::partitioner::murmur2_partition;

/// A field's value as JSON.
fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(vec!["Ohio", "oh", "TX", "Harris", "trump", "Jill Stein", "Female", "male", "65+", "18-29", "other"])
            .prop_map(|text| format!("\"{text}\"")),
        3 => (0_u64..160).prop_map(|n| n.to_string()),
        1 => any::<i64>().prop_map(|n| n.to_string()),
        1 => any::<u64>().prop_map(|n| format!("\"{n}\"")),
        1 => prop::num::f64::NORMAL.prop_map(|n| format!("{n:e}")),
        1 => prop::sample::select(vec!["null", "true", "false", "\"\"", "[]", "{}", "[1,2]", "{\"id\":4}", "\"\\u0041\"", "\"é\""]).prop_map(str::to_owned),
        1 => "[ -~]{0,12}".prop_map(|text| format!("\"{}\"", text.replace(['"', '\\'], ""))),
    ]
}

fn member() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        8 => prop::sample::select(vec!["id", "state", "decision", "gender", "age", "time", "ID", "note", "stat", "i\\u0064"]).prop_map(str::to_owned),
        1 => "[a-z]{0,6}",
    ];
    (key, scalar(), prop::sample::select(vec![":", ": ", " :\t"]))
        .prop_map(|(key, value, colon)| format!("\"{key}\"{colon}{value}"))
}

/// Mostly a vote of one of few voters, with other members before and behind, in which a byte may be changed.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let state = prop_oneof![9 => Just("\"Ohio\"".to_owned()), 1 => scalar()];
    let decision = prop_oneof![4 => Just("\"harris\"".to_owned()), 4 => Just("\"Donald Trump\"".to_owned()), 1 => scalar()];
    let age = prop_oneof![8 => (15_u32..100).prop_map(|n| n.to_string()), 1 => scalar()];
    let gender = prop_oneof![8 => Just("\"Male\"".to_owned()), 1 => scalar()];
    let vote = (0_u64..400, state, decision, age, gender).prop_map(|(id, state, decision, age, gender)| {
        format!(
            "\"id\": {}, \"gender\": {gender}, \"age\": {age}, \"state\": {state}, \"decision\": {decision}",
            id * 2_305_843_009_213_693
        )
    });
    let extra = || prop_oneof![7 => Just(Vec::new()), 3 => prop::collection::vec(member(), 0..4)];
    let whole = (extra(), vote, extra()).prop_map(|(before, vote, behind)| {
        let members: Vec<String> = before.into_iter().chain([vote]).chain(behind).collect();
        format!("{{{}}}", members.join(", ")).into_bytes()
    });
    let change =
        prop_oneof![9 => Just(None), 1 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(Some)];
    (whole, change).prop_map(|(mut value, change)| {
        if let Some((at, byte)) = change {
            let at = at.index(value.len());
            value[at] = byte;
        }
        value
    })
}

/// As many records as asked for, the same for the same seed.
pub fn records(seed: u8, count: usize) -> Vec<Draft> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = (value(), -3_000_000_i64..600_000, any::<u32>());
    let election = Election::preset("us-president-2024").unwrap();
    let mut parser = EventParser::new(&election);
    (0..count)
        .map(|_| {
            let (value, ahead, anywhere) = strategy.new_tree(&mut runner).unwrap().current();
            let voter = parser.voter_text(&value);
            let place = |text: &[u8]| murmur2_partition(text, PARTITIONS).0;
            // One in thirty is misrouted.
            let partition = voter.map_or(anywhere % PARTITIONS, |text| place(text.as_bytes()));
            let partition = if anywhere % 30 == 7 { (partition + 1) % PARTITIONS } else { partition };
            let key = voter.filter(|_| anywhere % 2 == 0).map(|text| text.as_bytes().to_vec());
            Draft { partition, key, value: Some(value), timestamp: NOW.0 + ahead, stub: false }
        })
        .collect()
}
