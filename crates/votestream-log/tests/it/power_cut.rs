//! The power is cut at every operation on the disk, from making the log to closing it: nothing acknowledged is lost, no reader had
//! seen what is lost, and the log goes on.

use crate::support::{batch, quick_dir, url, vote, votes};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use votestream_election::{Offset, PartitionId, SourceId};
use votestream_log::{DirLogUrl, Disk, LogError, LogReader, LogWriter, WriterOptions};

const SOURCE: SourceId = SourceId(77);

/// What the world was told before the cut: per partition the end acknowledged, and the end that a reader had seen.
#[derive(Default)]
struct Told {
    acknowledged: BTreeMap<u32, u64>,
    seen: BTreeMap<u32, u64>,
}

#[test]
fn at_every_operation() {
    let whole = run(u64::MAX, 0, false).expect("nothing fails without a cut");
    assert!(whole > 150, "{whole} operations");
    for at in 0..whole {
        for seed in 0..4 {
            run(at, seed * 1_000 + at, false);
        }
    }
}

#[test]
fn at_every_operation_of_a_second_writer() {
    let whole = run(u64::MAX, 0, true).expect("nothing fails without a cut");
    for at in 0..whole {
        for seed in 0..4 {
            run(at, seed * 1_000 + at, true);
        }
    }
}

/// Answers the count of operations when the power stayed on.
fn run(at: u64, seed: u64, second: bool) -> Option<u64> {
    let dir = quick_dir();
    let url = url(dir.path(), 2);
    std::fs::create_dir(&url.path).unwrap();
    if second {
        let writer = LogWriter::open(&url, options(Disk::default())).unwrap();
        for n in 0..12 {
            append(&writer, (n % 2) as u32, n / 2).unwrap();
        }
        writer.close().unwrap();
    }
    let from = if second { 6 } else { 0 };
    let (disk, cut) = Disk::cutting_power(&url.path, at, seed).unwrap();
    let told = Arc::new(Mutex::new(Told::default()));
    let done = work(&url, disk, from, &told);
    if at == u64::MAX {
        done.unwrap();
        return Some(cut.operations());
    }
    cut.restore().unwrap();
    check(&url, &told.lock().unwrap(), &format!("cut at operation {at}, seed {seed}"));
    None
}

fn options(disk: Disk) -> WriterOptions {
    WriterOptions { segment_bytes: 2500, disk, ..WriterOptions::default() }
}

/// Round `n` of a partition holds its votes 10 n to 10 n + 9.
fn append(writer: &LogWriter, partition: u32, n: u64) -> Result<(), LogError> {
    writer.handle().append(PartitionId(partition), batch(10 * n..10 * n + 10, Some(SOURCE)))
}

fn work(url: &DirLogUrl, disk: Disk, from: u64, told: &Arc<Mutex<Told>>) -> Result<(), LogError> {
    let writer = LogWriter::open(url, options(disk))?;
    let result = (from..from + 12).try_for_each(|n| {
        for partition in 0..2 {
            if n % 3 == 0 {
                append(&writer, partition, n)?;
                continue;
            }
            let told = Arc::clone(told);
            let ack = move |range: Result<std::ops::Range<Offset>, LogError>| {
                if let Ok(range) = range {
                    told.lock().unwrap().acknowledged.insert(partition, range.end.0);
                }
            };
            let sealed = batch(10 * n..10 * n + 10, Some(SOURCE));
            writer.handle().append_acked(PartitionId(partition), sealed, Box::new(ack))?;
        }
        if n % 2 == 0 {
            let ends = writer.handle().flush()?;
            assert!(ends.iter().all(|end| end.0 == 10 * n + 10));
        }
        see(url, told);
        Ok(())
    });
    let closed = writer.close();
    see(url, told);
    result.and(closed)
}

/// A reader in another process: it may see less than the writer, never more.
fn see(url: &DirLogUrl, told: &Arc<Mutex<Told>>) {
    let Ok(log) = LogReader::open(url, None) else { return };
    for partition in 0..2 {
        let mut reader = log.partition(PartitionId(partition), Offset(0)).unwrap();
        while let Some(batch) = reader.next_batch().unwrap() {
            for record in batch.records() {
                let record = record.unwrap();
                assert_eq!(record.value, Some(&vote(record.offset.0)[..]));
            }
        }
        told.lock().unwrap().seen.insert(partition, reader.position().0);
    }
}

fn check(url: &DirLogUrl, told: &Told, when: &str) {
    // A reader that looks before the next writer has started sees nothing that is not there to stay.
    let before: Vec<u64> = match LogReader::open(url, None) {
        Ok(log) => log.end_offsets().unwrap().into_iter().map(|end| end.0).collect(),
        Err(_) => vec![0; 2],
    };
    let writer =
        LogWriter::open(url, options(Disk::default())).unwrap_or_else(|error| panic!("{when}: {error}"));
    for partition in 0..2 {
        let end = writer.end_offsets()[partition as usize].0;
        let acknowledged = told.acknowledged.get(&partition).copied().unwrap_or(0);
        let seen = told.seen.get(&partition).copied().unwrap_or(0);
        assert!(end >= acknowledged, "{when}: {acknowledged} acknowledged, {end} there");
        assert!(end >= seen, "{when}: {seen} seen, {end} there");
        assert!(end >= before[partition as usize], "{when}");
        let resumed = writer.resume(SOURCE).unwrap()[partition as usize];
        assert_eq!(resumed, end.checked_sub(1), "{when}: the source goes on where it stopped");
        append(&writer, partition, end / 10).unwrap();
        writer.handle().flush().unwrap();
        assert!(crate::support::read(url, partition, 0).unwrap() == votes(0..end + 10), "{when}");
    }
    writer.close().unwrap();
}
