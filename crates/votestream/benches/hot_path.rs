//! The inner loops of a vote's way by criterion, for comparing one change with another: `cargo bench -p votestream --bench hot_path`.
//! What a machine makes of the whole, beside references, is `votestream bench`'s business.

#![allow(missing_docs, reason = "criterion's macros make public items without a word")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use votestream_election::definition::US_PRESIDENT_2024;
use votestream_election::delta::{Counts, PartitionState, Progress};
use votestream_election::event::EventParser;
use votestream_election::fold::{Misrouted, PartitionCount, Record};
use votestream_election::partitioner::PartitionerSet;
use votestream_election::seen::{NEAR_GROUP, Near, SeenVoters, Unpacked, pack, unpack};
use votestream_election::{Election, Millis, Offset, PartitionId, VoterKey};
use votestream_log::batch::{BatchDecoder, BatchEncoder, Place};
use votestream_log::{BatchBuilder, Codec};
use votestream_sim::{SimOptions, Simulation, Votes};

/// Votes in each measurement: about what one batch of the log holds.
const VOTES: u64 = 4_096;
/// Voters of the table and of a packed flush.
const VOTERS: u64 = 250_000;

fn simulation(votes: u64) -> Simulation {
    let election = Election::preset(US_PRESIDENT_2024).expect("a built-in preset");
    let options = SimOptions { votes: Votes::Count(votes), ..SimOptions::default() };
    Simulation::new(&election, &options).expect("a valid simulation")
}

/// A sample's values with their timestamps.
fn values(simulation: &Simulation) -> Vec<(Millis, Vec<u8>)> {
    let mut cursor = simulation.cursor(0);
    let mut values = Vec::new();
    while let Some((meta, value)) = cursor.next_record() {
        values.push((meta.timestamp, value.to_vec()));
    }
    values
}

/// A simulation's voters, each once.
fn voters(simulation: &Simulation) -> Vec<u64> {
    let mut cursor = simulation.cursor(0);
    std::iter::from_fn(|| cursor.next_record().and_then(|(meta, _)| meta.voter).map(|voter| voter.id))
        .collect()
}

fn events(c: &mut Criterion) {
    let simulation = simulation(VOTES);
    let (election, values) = (simulation.election(), values(&simulation));
    let mut group = c.benchmark_group("events");
    group.throughput(Throughput::Elements(VOTES));
    let mut parser = EventParser::new(&election);
    group.bench_function("judge", |b| {
        b.iter(|| {
            for (time, value) in &values {
                black_box(parser.judge(Some(value), *time, false)).expect("a vote");
            }
        });
    });
    group.bench_function("fold", |b| {
        b.iter_batched_ref(
            || count(&election),
            |count| fold(count, &mut parser, &values),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

/// One partition that nothing has been counted of.
fn count(election: &Election) -> PartitionCount {
    let layout = election.layout();
    let progress = Progress::begin(PartitionId(0), 1, Offset(0));
    let state = PartitionState::begin(progress, layout.candidates * election.region_rows());
    let seen = SeenVoters::new(election.duplicate, VOTES, 7);
    PartitionCount::new(election, state, seen, (1, PartitionerSet::MURMUR2), Misrouted::Stop)
}

fn fold(count: &mut PartitionCount, parser: &mut EventParser, values: &[(Millis, Vec<u8>)]) -> Counts {
    for ((timestamp, value), offset) in values.iter().zip((0..).map(Offset)) {
        let record = Record { offset, timestamp: *timestamp, key: None, value: Some(value), oversize: false };
        count.record(parser, &record).expect("a vote on its partition");
    }
    count.end_batch(Offset(values.len() as u64), 1).expect("offsets in order");
    count.seal(Offset(values.len() as u64)).expect("something to seal").counts
}

fn seen(c: &mut Criterion) {
    let simulation = simulation(VOTERS);
    let ids = voters(&simulation);
    let mut sorted = Unpacked { integers: ids.clone(), ..Unpacked::default() };
    sorted.sort();
    let policy = simulation.election().duplicate;
    let mut group = c.benchmark_group("seen");
    group.throughput(Throughput::Elements(VOTERS));
    group.bench_function("insert", |b| {
        let empty = || SeenVoters::new(policy, VOTERS, 7);
        b.iter_batched_ref(empty, |seen| insert(seen, &ids), BatchSize::LargeInput);
    });
    group.bench_function("sort and pack", |b| {
        let fresh = || Unpacked { integers: ids.clone(), ..Unpacked::default() };
        let sort_and_pack = |voters: &mut Unpacked| {
            voters.sort();
            pack(voters)
        };
        b.iter_batched_ref(fresh, sort_and_pack, BatchSize::LargeInput);
    });
    let parts = pack(&sorted);
    group.bench_function("unpack and load", |b| {
        b.iter(|| {
            let mut seen = SeenVoters::new(policy, VOTERS, 7);
            let mut rows = Unpacked::default();
            for part in &parts {
                rows.clear();
                unpack(&part.bytes, &mut rows).expect("what was packed");
                seen.load(&rows);
            }
            seen.len()
        });
    });
    group.finish();
}

fn insert(seen: &mut SeenVoters, ids: &[u64]) {
    let mut near = Near::default();
    for group in ids.chunks(NEAR_GROUP) {
        seen.bring_near(group.iter().map(|id| VoterKey::Integer(*id)), &mut near);
        for (place, id) in group.iter().enumerate() {
            black_box(seen.insert_near((&near, place), VoterKey::Integer(*id), 0));
        }
    }
}

fn batches(c: &mut Criterion) {
    let values = values(&simulation(VOTES));
    let mut builder = BatchBuilder::new(usize::MAX);
    let mut group = c.benchmark_group("batches");
    group.throughput(Throughput::Elements(VOTES));
    group.bench_function("lay out", |b| {
        b.iter(|| {
            for (time, value) in &values {
                builder.push(*time, value, None);
            }
            builder.seal(None)
        });
    });
    for (time, value) in &values {
        builder.push(*time, value, None);
    }
    let mut sealed = builder.seal(None);
    let place = Place { base: Offset(0), epoch: 1, synced: Offset(0) };
    for codec in [Codec::None, Codec::Lz4, Codec::Zstd] {
        let Some(mut encoder) = BatchEncoder::new(codec) else { continue };
        let (mut stored, mut decoder) = (Vec::new(), BatchDecoder::new());
        group.bench_function(format!("encode, {codec}"), |b| {
            b.iter(|| encoder.encode(&mut sealed, place, &mut stored));
        });
        encoder.encode(&mut sealed, place, &mut stored);
        group.bench_function(format!("decode, {codec}"), |b| {
            b.iter(|| {
                let batch = decoder.decode(&stored).expect("what was encoded");
                batch
                    .records()
                    .map(|record| record.expect("a record").value.map_or(0, <[u8]>::len))
                    .sum::<usize>()
            });
        });
    }
    group.finish();
}

criterion_group!(hot_path, events, seen, batches);
criterion_main!(hot_path);
