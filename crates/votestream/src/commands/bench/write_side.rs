//! The stages from nothing to the log and back out of it: generate, lay out, compress, write, read.

use super::clock::{Cost, duel};
use super::report::Stage;
use super::sample::{PARTITIONS, Sample};
use super::stages::{Step, computed, waited};
use anyhow::{Context, Result};
use lz4_flex::block::{CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use votestream_election::{Millis, Offset, PartitionId};
use votestream_log::batch::{BatchEncoder, HEADER_BYTES, Place};
use votestream_log::{BatchBuilder, Codec, DirLogUrl, LogReader, LogWriter, SealedBatch, WriterOptions};
use votestream_sim::Simulation;

/// Uncompressed bytes of a batch, as the engine fills them.
const BATCH_BYTES: usize = 512 << 10;
/// Bytes that the reference compresses at once.
const BLOCK_BYTES: usize = 256 << 10;
/// Where a batch lies is of no matter here.
const PLACE: Place = Place { base: Offset(0), epoch: 1, synced: Offset(0) };

/// Measures them.
pub fn measure(sample: &Sample, simulation: &Simulation, dir: &Path, step: Step<'_>) -> Result<Vec<Stage>> {
    let n = sample.records();
    step("generate")?;
    let mut stages = vec![generate(sample, simulation, n)];
    step("lay out")?;
    stages.push(lay_out(sample, n));
    step("compress")?;
    let (plain, blocks, stored, compressed) = compress(sample, n)?;
    stages.push(compressed);
    step("write")?;
    stages.push(write(&stored, dir, n)?);
    step("read")?;
    stages.push(read(sample, plain, &blocks, dir, n)?);
    Ok(stages)
}

fn generate(sample: &Sample, simulation: &Simulation, n: u64) -> Stage {
    let mut copy = vec![0_u8; sample.bytes.len()];
    let costs = never_fails(duel(
        || {
            let (made, cost) = Cost::of(|| {
                let mut sum = 0_usize;
                for (from, to) in &sample.stretches {
                    let mut cursor = simulation.cursor_until(*from, *to);
                    while let Some((meta, value)) = cursor.next_record() {
                        sum = sum.wrapping_add(value.len() + meta.partition(PARTITIONS).0 as usize);
                    }
                }
                sum
            });
            std::hint::black_box(made);
            Ok(cost)
        },
        || Ok(Cost::of(|| std::hint::black_box(&mut copy).copy_from_slice(&sample.bytes)).1),
    ));
    computed("generate, encode, choose partition", "copy of the same bytes", n, costs)
}

fn lay_out(sample: &Sample, n: u64) -> Stage {
    let mut builders = builders();
    let mut copies: Vec<Vec<u8>> = (0..PARTITIONS).map(|_| Vec::with_capacity(sample.bytes.len())).collect();
    let costs = never_fails(duel(
        || Ok(Cost::of(|| fill(sample, &mut builders, |_, batch| drop(std::hint::black_box(batch)))).1),
        || {
            copies.iter_mut().for_each(Vec::clear);
            let ((), cost) = Cost::of(|| {
                for (value, partition) in sample.values().zip(&sample.partitions) {
                    copies[partition.0 as usize].extend_from_slice(value);
                }
            });
            Ok(cost)
        },
    ));
    computed("lay records out in batches", "copy of each value", n, costs)
}

fn builders() -> Vec<BatchBuilder> {
    (0..PARTITIONS).map(|_| BatchBuilder::new(BATCH_BYTES)).collect()
}

/// Lays all records out and hands the batches over.
fn fill(sample: &Sample, builders: &mut [BatchBuilder], mut full: impl FnMut(PartitionId, SealedBatch)) {
    for ((value, partition), time) in sample.values().zip(&sample.partitions).zip(&sample.times) {
        let builder = &mut builders[partition.0 as usize];
        builder.push(*time, value, None);
        if builder.is_full() {
            full(*partition, builder.seal(None));
        }
    }
    for (builder, partition) in builders.iter_mut().zip((0..).map(PartitionId)) {
        if !builder.is_empty() {
            full(partition, builder.seal(None));
        }
    }
}

/// A reference's compressed block and how many bytes it was.
type Block = (Vec<u8>, usize);

/// The laid out bytes, the reference's blocks, the batches as stored, and the stage.
#[expect(clippy::type_complexity, reason = "four parts that are used at once, in one place")]
fn compress(sample: &Sample, n: u64) -> Result<(usize, Vec<Block>, Vec<Vec<u8>>, Stage)> {
    let mut batches = Vec::new();
    fill(sample, &mut builders(), |_, batch| batches.push(batch));
    let mut none = BatchEncoder::new(Codec::None).context("no encoder")?;
    let plain: Vec<Vec<u8>> = batches
        .iter_mut()
        .map(|batch| {
            let mut out = Vec::new();
            none.encode(batch, PLACE, &mut out);
            out.split_off(HEADER_BYTES)
        })
        .collect();
    let mut lz4 = BatchEncoder::new(Codec::Lz4).context("no encoder")?;
    let (mut stored, mut blocks) = (Vec::new(), Vec::new());
    let mut out = Vec::new();
    let mut table = CompressTable::large();
    let mut room = vec![0; get_maximum_output_size(BLOCK_BYTES)];
    let costs = duel(
        || {
            stored.clear();
            let mut cost = Cost::ZERO;
            for batch in &mut batches {
                cost.add(Cost::of(|| lz4.encode(batch, PLACE, &mut out)).1);
                stored.push(out.clone());
            }
            anyhow::Ok(cost)
        },
        || {
            blocks.clear();
            let mut cost = Cost::ZERO;
            for chunk in plain.iter().flat_map(|body| body.chunks(BLOCK_BYTES)) {
                let (bytes, one) = Cost::of(|| compress_into_with_table(chunk, &mut room, &mut table));
                cost.add(one);
                blocks.push((room[..bytes?].to_vec(), chunk.len()));
            }
            Ok(cost)
        },
    )?;
    let stage = computed("compress, checksum (lz4)", "lz4 blocks of the same bytes", n, costs);
    Ok((plain.iter().map(Vec::len).sum(), blocks, stored, stage))
}

/// As many bytes as compressed batches have, through the log's writer, which has nothing to compress; beside one plain file.
fn write(stored: &[Vec<u8>], dir: &Path, n: u64) -> Result<Stage> {
    let url = DirLogUrl { path: dir.join("write"), codec: Some(Codec::None), partitions: Some(PARTITIONS) };
    let writer = LogWriter::open(&url, WriterOptions::default())?;
    let handle = writer.handle();
    let path = dir.join("plain");
    let mut builders = builders();
    let costs = duel(
        || {
            let (done, cost) = Cost::of(|| {
                for (bytes, place) in stored.iter().zip((0..PARTITIONS).cycle()) {
                    let builder = &mut builders[place as usize];
                    builder.push(Millis(0), bytes, None);
                    handle.append(PartitionId(place), builder.seal(None))?;
                }
                handle.flush()
            });
            done?;
            anyhow::Ok(cost)
        },
        || {
            let mut file = File::create(&path)?;
            let (done, cost) = Cost::of(|| {
                stored.iter().try_for_each(|bytes| file.write_all(bytes))?;
                file.sync_data()
            });
            done?;
            Ok(cost)
        },
    )?;
    writer.close()?;
    Ok(waited("write and sync", "the same bytes into a file, synced", n, costs))
}

fn read(sample: &Sample, plain: usize, blocks: &[Block], dir: &Path, n: u64) -> Result<Stage> {
    let url = DirLogUrl { path: dir.join("read"), codec: Some(Codec::Lz4), partitions: Some(PARTITIONS) };
    let writer = LogWriter::open(&url, WriterOptions::default())?;
    let mut refused = None;
    fill(sample, &mut builders(), |partition, batch| {
        if let Err(error) = writer.handle().append(partition, batch) {
            refused = Some(error);
        }
    });
    if let Some(error) = refused {
        return Err(error.into());
    }
    writer.close()?;
    let log = LogReader::open(&url, None)?;
    let mut room = vec![0; BLOCK_BYTES];
    let costs = duel(
        || {
            let (bytes, cost) = Cost::of(|| read_all(&log));
            anyhow::ensure!(bytes? == sample.bytes.len(), "the log gave other bytes than it was given");
            anyhow::Ok(cost)
        },
        || {
            let (bytes, cost) = Cost::of(|| {
                blocks.iter().try_fold(0, |sum, (block, bytes)| {
                    Ok::<_, anyhow::Error>(sum + decompress_into(block, &mut room[..*bytes])?)
                })
            });
            anyhow::ensure!(bytes? == plain, "a block gave other bytes than it was made of");
            Ok(cost)
        },
    )?;
    Ok(computed("read: check, decompress, walk", "lz4 blocks of the same bytes", n, costs))
}

fn read_all(log: &LogReader) -> Result<usize> {
    let mut bytes = 0;
    for partition in (0..PARTITIONS).map(PartitionId) {
        let mut reader = log.partition(partition, Offset(0))?;
        while let Some(batch) = reader.next_batch()? {
            for record in batch.records() {
                bytes += record?.value.map_or(0, <[u8]>::len);
            }
        }
    }
    Ok(bytes)
}

/// What only computes has nothing to fail at.
pub fn never_fails<T>(result: Result<T, std::convert::Infallible>) -> T {
    result.unwrap_or_else(|never| match never {})
}
