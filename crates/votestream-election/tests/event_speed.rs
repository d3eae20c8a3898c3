//! How long a record takes to be judged: printed, for a person to read (`cargo test --release -p votestream-election --test event_speed
//! -- --nocapture`). The bound asserted is loose enough for any machine; it only catches a change of kind.

mod event_support;

use event_support::presidential;
use std::hint::black_box;
use std::time::Instant;
use votestream_election::Millis;
use votestream_election::event::EventParser;

const RECORDS: u64 = 4096;
const ROUNDS: u32 = 40;

/// Median over rounds of nanoseconds a record.
fn measure(records: &[Vec<u8>], mut read: impl FnMut(&[u8])) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for record in records {
                read(black_box(record));
            }
            start.elapsed().as_secs_f64() * 1e9 / records.len() as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

/// The reference: the same fields by serde_json, names not looked up.
#[derive(serde::Deserialize)]
#[allow(dead_code, reason = "read for the time it takes")]
struct Plain<'a> {
    id: u64,
    gender: &'a str,
    age: u16,
    state: &'a str,
    decision: &'a str,
}

/// `write` is given a number that looks random, a region, and the rest of what differs from vote to vote.
fn records(write: impl Fn(u64, &str, &str, &str, u64) -> String) -> Vec<Vec<u8>> {
    let election = presidential();
    let record = |i: u64| {
        let random = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let id = 1_000_000_000_000_000 + random % 9_000_000_000_000_000;
        let region = &election.regions[(random >> 20) as usize % 51].name;
        let candidate = &election.candidates[(random >> 40) as usize % 4].name;
        let gender = ["Male", "Female"][(random >> 60) as usize % 2];
        write(id, region, candidate, gender, 18 + random % 80).into_bytes()
    };
    (0..RECORDS).map(record).collect()
}

#[test]
fn a_record_is_judged_in_nanoseconds() {
    let compact = records(|id, region, candidate, gender, age| {
        format!(
            r#"{{"id":{id},"gender":"{gender}","age":{age},"state":"{region}","decision":"{candidate}"}}"#
        )
    });
    let spaced = records(|id, region, candidate, gender, age| {
        format!(
            r#"{{"id": {id}, "gender": "{gender}", "age": {age}, "state": "{region}", "decision": "{candidate}", "x": 1}}"#
        )
    });
    let timed = records(|id, region, candidate, gender, age| {
        format!(
            r#"{{"id":{id},"gender":"{gender}","age":{age},"state":"{region}","decision":"{candidate}","time":"2024-11-05T20:15:{:02}Z"}}"#,
            age % 60
        )
    });
    let uuids = records(|id, region, candidate, gender, age| {
        format!(
            r#"{{"id":"3f2504e0-4f89-11d3-9{:03x}-{:012x}","gender":"{gender}","age":{age},"state":"{region}","decision":"{candidate}"}}"#,
            id % 4096,
            id % 0x1_0000_0000_0000
        )
    });
    let escaped = records(|id, region, candidate, gender, age| {
        format!(
            r#"{{"id":{id},"gender":"{gender}","age":{age},"stat\u0065":"{region}","decision":"\u{:04x}{}"}}"#,
            candidate.as_bytes()[0],
            &candidate[1..]
        )
    });
    let reference = measure(&compact, |record| {
        black_box(serde_json::from_slice::<Plain<'_>>(record)).expect("valid");
    });
    println!("reference, serde_json without looking up names: {reference:.1} ns");
    for (name, records) in [
        ("compact", compact),
        ("spaced", spaced),
        ("with a time", timed),
        ("text ids", uuids),
        ("escapes", escaped),
    ] {
        let bytes = records.iter().map(Vec::len).sum::<usize>() as f64 / records.len() as f64;
        let mut parser = EventParser::new(&presidential());
        let nanos = measure(&records, |record| {
            black_box(parser.judge(Some(record), Millis(0), false)).expect("valid");
        });
        println!(
            "{name}: {nanos:.1} ns a record of {bytes:.0} bytes, {:.2} of the reference",
            nanos / reference
        );
        assert!(nanos < 20_000.0, "{name}: {nanos} ns a record");
    }
}
