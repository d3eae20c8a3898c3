//! Prints what one record costs, by order and with partitioning: `cargo run --release -p votestream-sim --example pace [VOTES]`.

use std::time::Instant;
use votestream_election::Election;
use votestream_sim::{Order, SimOptions, Simulation, Votes};

fn main() {
    let votes = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(15_521_272);
    let election = Election::preset("us-president-2024").expect("a built-in preset");
    let faults = "duplicates=0.01,invalid=0.001,changed=0.001".parse().expect("valid rates");
    for (name, order, time_field, faults) in [
        ("shuffled", Order::Shuffled, false, None),
        ("night", Order::Night, false, None),
        ("night with time", Order::Night, true, None),
        ("night with faults", Order::Night, false, Some(faults)),
    ] {
        let options = SimOptions {
            votes: Votes::Count(votes),
            order,
            time_field,
            faults: faults.unwrap_or_default(),
            ..SimOptions::default()
        };
        let simulation = Simulation::new(&election, &options).expect("a valid simulation");
        let begin = Instant::now();
        let (mut bytes, mut partitions, mut cursor) = (0, [0_u64; 4], simulation.cursor(0));
        while let Some((meta, line)) = cursor.next_record() {
            bytes += line.len();
            partitions[meta.partition(4).0 as usize] += 1;
        }
        let ns = begin.elapsed().as_nanos() as f64 / simulation.records() as f64;
        let mean = bytes as f64 / simulation.records() as f64;
        println!(
            "{name:>18}: {ns:6.1} ns a record, {:5.2} M/s, {mean:.1} B, partitions {partitions:?}",
            1e3 / ns
        );
    }
}
