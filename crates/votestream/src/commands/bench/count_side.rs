//! The stages from a record to the committed count: judge, check the partition, dedup, tally, ledger, seen voters packed, commit.

use super::clock::{Cost, duel};
use super::naive::Event;
use super::report::Stage;
use super::sample::{PARTITIONS, Sample};
use super::stages::{Step, computed, waited};
use super::write_side::never_fails;
use crate::commands::{now, random, threads};
use anyhow::{Context, Result, ensure};
use std::collections::HashSet;
use std::fs::File;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::Write;
use std::path::Path;
use votestream_election::delta::{Engine, FlushOutcome, PartitionDelta, PartitionState, Pin};
use votestream_election::event::{EventParser, Vote};
use votestream_election::fold::{Misrouted, PartitionCount, Record};
use votestream_election::ledger::{Digest, LedgerHasher, LedgerVote};
use votestream_election::partitioner::{PartitionerSet, murmur2_partition};
use votestream_election::seen::{NEAR_GROUP, Near, SeenVoters, Unpacked, pack};
use votestream_election::{Election, LogId, Offset, PartitionId, VoterKey};
use votestream_sim::Simulation;
use votestream_store::{StoreUrl, WriterStore};

/// Voters generated, off the clock, before they are inserted, on it.
const CHUNK: usize = 65_536;
/// Up to so many voters, dedup is measured in rounds; beyond, once: it takes long enough to be steady.
const ROUNDS_VOTERS_MAX: u64 = 20_000_000;
/// Bytes of a vote's row in the ledger.
const ROW_BYTES: usize = 39;

/// Measures them.
pub fn measure(sample: &Sample, simulation: &Simulation, dir: &Path, step: Step<'_>) -> Result<Vec<Stage>> {
    let (n, election) = (sample.records(), simulation.election());
    step("judge")?;
    let mut stages = vec![judge(sample, &election, n)];
    step("partition")?;
    stages.push(partition(sample, &election, n));
    step("tally")?;
    stages.push(tally(sample, &election, n));
    step("ledger")?;
    stages.push(ledger(sample, n));
    step("dedup")?;
    stages.push(dedup(simulation, n));
    let parts_ns = stages.iter().map(|stage| stage.cpu_ns).sum();
    if simulation.votes() > n {
        step("dedup at full size")?;
        // A vote passes one of the two.
        stages.iter_mut().skip(4).for_each(|stage| stage.summed = false);
        stages.push(dedup(simulation, simulation.votes()));
    }
    step("pack")?;
    stages.push(packing(sample, n));
    step("fold and commit")?;
    stages.extend(fold_and_commit(sample, &election, dir, (n, parts_ns))?);
    Ok(stages)
}

fn judge(sample: &Sample, election: &Election, n: u64) -> Stage {
    let mut parser = EventParser::new(election);
    let costs = never_fails(duel(
        || {
            Ok(Cost::of(|| {
                for (value, time) in sample.values().zip(&sample.times) {
                    let _ = std::hint::black_box(parser.judge(Some(value), *time, false));
                }
            })
            .1)
        },
        || {
            Ok(Cost::of(|| {
                for value in sample.values() {
                    drop(std::hint::black_box(serde_json::from_slice::<Event<'_>>(value)));
                }
            })
            .1)
        },
    ));
    computed("judge: parse, validate, look names up", "serde_json into borrowed fields", n, costs)
}

/// How many times one thread's work all cores do at once.
pub fn all_cores_gain(sample: &Sample, simulation: &Simulation) -> f64 {
    let (election, threads) = (simulation.election(), threads(None));
    let judge_all = || {
        let mut parser = EventParser::new(&election);
        for (value, time) in sample.values().zip(&sample.times) {
            let _ = std::hint::black_box(parser.judge(Some(value), *time, false));
        }
    };
    let together = || {
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(judge_all)).collect();
            // A panic there is passed on by the scope.
            for worker in workers {
                drop(worker.join());
            }
        });
    };
    let (one, all) = never_fails(duel(|| Ok(Cost::of(judge_all).1), || Ok(Cost::of(together).1)));
    threads as f64 * one.wall.as_secs_f64() / all.wall.as_secs_f64()
}

fn partition(sample: &Sample, election: &Election, n: u64) -> Stage {
    let parser = EventParser::new(election);
    let mut text = Vec::new();
    let text_of = |vote: &Vote, text: &mut Vec<u8>| {
        text.clear();
        parser.canonical_text(vote.voter, text);
    };
    let texts: Vec<Vec<u8>> = sample
        .votes
        .iter()
        .map(|vote| {
            let mut text = Vec::new();
            text_of(vote, &mut text);
            text
        })
        .collect();
    let costs = never_fails(duel(
        || {
            let (agree, cost) = Cost::of(|| {
                let each = sample.votes.iter().zip(&sample.partitions);
                each.filter(|(vote, partition)| {
                    text_of(vote, &mut text);
                    murmur2_partition(&text, PARTITIONS) == **partition
                })
                .count()
            });
            std::hint::black_box(agree);
            Ok(cost)
        },
        || {
            let (sum, cost) = Cost::of(|| {
                texts.iter().map(|text| u64::from(murmur2_partition(text, PARTITIONS).0)).sum::<u64>()
            });
            std::hint::black_box(sum);
            Ok(cost)
        },
    ));
    computed("check that the partition is the voter's", "murmur2 of the same texts", n, costs)
}

/// A hasher as good as none: ids are random already.
#[derive(Default)]
struct Multiply(u64);

impl Hasher for Multiply {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }
    fn write_u64(&mut self, n: u64) {
        let product = u128::from(self.0 ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

/// So many voters, none twice, into an empty presized table; beside the standard library's set, presized too.
fn dedup(simulation: &Simulation, voters: u64) -> Stage {
    let round = || {
        let mut seen = SeenVoters::new(simulation.election().duplicate, voters + voters / 50, random());
        let mut set = HashSet::<u64, _>::with_capacity_and_hasher(
            voters as usize,
            BuildHasherDefault::<Multiply>::default(),
        );
        let (mut costs, mut ids) = ((Cost::ZERO, Cost::ZERO), Vec::with_capacity(CHUNK));
        let mut cursor = simulation.cursor(0);
        while cursor.position() < voters {
            ids.clear();
            while ids.len() < CHUNK
                && cursor.position() < voters
                && let Some((meta, _)) = cursor.next_record()
            {
                ids.extend(meta.voter.map(|voter| voter.id));
            }
            costs.0.add(Cost::of(|| insert(&mut seen, &ids)).1);
            costs.1.add(Cost::of(|| set.extend(&ids)).1);
        }
        debug_assert_eq!(seen.len(), set.len() as u64);
        costs
    };
    let mut best = round();
    if voters <= ROUNDS_VOTERS_MAX {
        for _ in 0..2 {
            let next = round();
            best = (best.0.least(next.0), best.1.least(next.1));
        }
    }
    let name = format!("dedup, {} voters", crate::progress::grouped(voters));
    computed(&name, "std HashSet, multiplying hasher", voters, best)
}

fn insert(seen: &mut SeenVoters, ids: &[u64]) {
    let mut near = Near::default();
    for group in ids.chunks(NEAR_GROUP) {
        seen.bring_near(group.iter().map(|id| VoterKey::Integer(*id)), &mut near);
        for (place, id) in group.iter().enumerate() {
            std::hint::black_box(seen.insert_near((&near, place), VoterKey::Integer(*id), 0));
        }
    }
}

fn tally(sample: &Sample, election: &Election, n: u64) -> Stage {
    let layout = election.layout();
    let mut cells = vec![0_i64; layout.cells() * election.region_rows()];
    let place = |vote: &Vote| {
        usize::from(vote.region.0) * layout.cells() + layout.index(vote.candidate, vote.gender, vote.band)
    };
    let places: Vec<usize> = sample.votes.iter().map(place).collect();
    let mut plain = cells.clone();
    let costs = never_fails(duel(
        || Ok(Cost::of(|| sample.votes.iter().for_each(|vote| cells[place(vote)] += 1)).1),
        || Ok(Cost::of(|| places.iter().for_each(|place| plain[*place] += 1)).1),
    ));
    std::hint::black_box((&cells, &plain));
    computed("tally: find the cell, add one", "add one at a known place", n, costs)
}

fn ledger(sample: &Sample, n: u64) -> Stage {
    let rows: Vec<LedgerVote> = sample.votes.iter().map(row).collect();
    let bytes = &sample.bytes[..(rows.len() * ROW_BYTES).min(sample.bytes.len())];
    let costs = never_fails(duel(
        || {
            Ok(Cost::of(|| {
                let mut hasher = LedgerHasher::new(Offset(0), Digest::default());
                for (row, offset) in rows.iter().zip(0..) {
                    hasher.vote(Offset(offset), row);
                }
                std::hint::black_box((hasher.take_sealed(), hasher.open()))
            })
            .1)
        },
        || Ok(Cost::of(|| std::hint::black_box(blake3::hash(bytes))).1),
    ));
    computed("ledger: rows, BLAKE3", "BLAKE3 of as many bytes at once", n, costs)
}

fn row(vote: &Vote) -> LedgerVote {
    LedgerVote {
        voter: vote.voter,
        region: vote.region.0,
        candidate: vote.candidate.0,
        gender: vote.gender.0,
        age: vote.age,
        moment: vote.moment.0,
    }
}

fn packing(sample: &Sample, n: u64) -> Stage {
    let id = |vote: &Vote| if let VoterKey::Integer(id) = vote.voter { Some(id) } else { None };
    let lists: Vec<Vec<u64>> = (0..PARTITIONS)
        .map(|partition| sample.of(PartitionId(partition)).filter_map(|i| id(&sample.votes[i])).collect())
        .collect();
    let costs = never_fails(duel(
        || {
            let mut fresh: Vec<Unpacked> =
                lists.iter().map(|ids| Unpacked { integers: ids.clone(), ..Unpacked::default() }).collect();
            Ok(Cost::of(|| {
                for voters in &mut fresh {
                    voters.sort();
                    std::hint::black_box(pack(voters));
                }
            })
            .1)
        },
        || {
            let mut fresh = lists.clone();
            Ok(Cost::of(|| fresh.iter_mut().for_each(|ids| ids.sort_unstable())).1)
        },
    ));
    computed("seen voters of a flush: sort, pack", "sort_unstable of the same ids", n, costs)
}

/// The fold as it runs, all of its parts together, and one commit of what it seals.
fn fold_and_commit(
    sample: &Sample,
    election: &Election,
    dir: &Path,
    (n, parts_ns): (u64, f64),
) -> Result<Vec<Stage>> {
    let mut round = 0;
    let mut folded: Option<Cost> = None;
    let payload = std::cell::Cell::new(0_usize);
    let plain = dir.join("commit");
    let committed = duel(
        || {
            round += 1;
            let url = StoreUrl::sqlite(dir.join(format!("commit-{round}.db")));
            let mut store = WriterStore::open(&url)?;
            store.create_or_resume(election, &pin(), now())?;
            let all: Vec<PartitionId> = (0..PARTITIONS).map(PartitionId).collect();
            let states = store.take_over(&election.id, &all, Engine::Native)?;
            let mut deltas = Vec::new();
            let mut cost = Cost::ZERO;
            for state in states {
                let (delta, one) = fold(sample, election, state)?;
                cost.add(one);
                deltas.push(delta);
            }
            folded = Some(folded.map_or(cost, |best| best.least(cost)));
            payload.set(deltas.iter().flat_map(|d| &d.seen).map(|part| part.bytes.len()).sum());
            let (outcome, cost) = Cost::of(|| store.flush(&election.id, &deltas, now()));
            ensure!(
                matches!(outcome?, FlushOutcome::Committed { .. }),
                "a flush into a new store was fenced off"
            );
            anyhow::Ok(cost)
        },
        || {
            let (bytes, mut file) = (vec![7_u8; payload.get()], File::create(&plain)?);
            let (done, cost) = Cost::of(|| file.write_all(&bytes).and_then(|()| file.sync_data()));
            done?;
            Ok(cost)
        },
    )?;
    let folded = folded.context("no round was run")?;
    let parts = std::time::Duration::from_nanos((parts_ns * n as f64) as u64);
    let whole = computed(
        "judge to dedup, in one fold",
        "the parts above, added up",
        n,
        (folded, Cost { cpu: parts, wall: parts }),
    );
    Ok(vec![
        Stage { summed: false, ..whole },
        waited("commit, one flush of them all", "its voters into a file, synced", n, committed),
    ])
}

/// One partition's records folded and sealed; what the folding took.
fn fold(sample: &Sample, election: &Election, state: PartitionState) -> Result<(PartitionDelta, Cost)> {
    let partition = state.progress.partition;
    // One behind the other, as a decompressed batch has them.
    let (mut bytes, mut records) = (Vec::new(), Vec::new());
    for i in sample.of(partition) {
        let start = bytes.len();
        bytes.extend_from_slice(sample.value(i));
        records.push((start..bytes.len(), sample.times[i]));
    }
    let seen = SeenVoters::new(election.duplicate, records.len() as u64, random());
    let routing = (PARTITIONS, PartitionerSet::MURMUR2);
    let mut count = PartitionCount::new(election, state, seen, routing, Misrouted::Stop);
    let mut parser = EventParser::new(election);
    let (done, cost) = Cost::of(|| {
        for ((range, timestamp), offset) in records.iter().zip((0..).map(Offset)) {
            let value = Some(&bytes[range.clone()]);
            count.record(
                &mut parser,
                &Record { offset, timestamp: *timestamp, key: None, value, oversize: false },
            )?;
        }
        count.end_batch(Offset(records.len() as u64), 1)
    });
    done?;
    let delta = count.seal(count.next()).context("a partition without a vote")?;
    Ok((delta, cost))
}

fn pin() -> Pin {
    Pin {
        log_kind: "dir".to_owned(),
        log_id: LogId(1),
        partitions: PARTITIONS,
        start_offsets: vec![Offset(0); PARTITIONS as usize],
        partitioners: PartitionerSet::MURMUR2,
    }
}
