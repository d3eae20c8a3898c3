//! Readers follow a log while it grows and rolls, told by the writer or by the sidecars alone, and see the same.

use crate::support::{Draw, batch, open, url, votes};
use std::time::Duration;
use votestream_election::{Offset, PartitionId};
use votestream_log::{DirLogUrl, LogReader, LogWatch};

const BATCHES: u64 = 400;

#[test]
fn several_readers_see_every_vote_once_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let url = url(dir.path(), 2);
    let writer = open(&url);
    let mut draw = Draw(11);
    let sizes: Vec<u64> = (0..BATCHES).map(|_| 1 + draw.below(30)).collect();
    let total: u64 = sizes.iter().sum();
    let seen = std::thread::scope(|scope| {
        let readers: Vec<_> = [Some(writer.watch()), None, Some(writer.watch()), None]
            .into_iter()
            .enumerate()
            .map(|(i, watch)| {
                let url = &url;
                scope.spawn(move || follow(url, watch, PartitionId((i / 2) as u32), total))
            })
            .collect();
        let mut from = 0;
        for size in sizes {
            for partition in 0..2 {
                writer.handle().append(PartitionId(partition), batch(from..from + size, None)).unwrap();
            }
            from += size;
            if from % 7 == 0 {
                writer.handle().flush().unwrap();
            }
        }
        readers.into_iter().map(|reader| reader.join().unwrap()).collect::<Vec<_>>()
    });
    for seen in seen {
        assert!(seen == votes(0..total));
    }
    writer.close().unwrap();
}

fn follow(
    url: &DirLogUrl,
    watch: Option<LogWatch>,
    partition: PartitionId,
    total: u64,
) -> Vec<(u64, Vec<u8>)> {
    let log = LogReader::open(url, watch).unwrap();
    let mut reader = log.partition(partition, Offset(0)).unwrap();
    let mut seen = Vec::new();
    while (seen.len() as u64) < total {
        let shown = log.end_offsets().unwrap()[partition.0 as usize];
        while let Some(batch) = reader.next_batch().unwrap() {
            seen.extend(batch.records().map(|record| {
                let record = record.unwrap();
                (record.offset.0, record.value.unwrap().to_vec())
            }));
        }
        assert!(reader.position() >= shown, "what was shown as synced could be read");
        let mut past = vec![Offset(u64::MAX); 2];
        past[partition.0 as usize] = reader.position();
        if (seen.len() as u64) < total {
            assert!(log.wait_past(&past, Duration::from_mins(1)).unwrap(), "the log goes on");
        }
    }
    seen
}

#[test]
fn a_waiting_reader_uses_no_cpu_to_speak_of() {
    let dir = tempfile::tempdir().unwrap();
    let url = url(dir.path(), 4);
    let writer = open(&url);
    for watch in [Some(writer.watch()), None] {
        let log = LogReader::open(&url, watch).unwrap();
        let before = thread_cpu_ticks();
        assert!(!log.wait_past(&[Offset(0); 4], Duration::from_millis(500)).unwrap());
        // A tick is 10 ms: at most a tenth of the time.
        assert!(thread_cpu_ticks() - before <= 5);
    }
}

/// User and system time of this thread, in clock ticks.
fn thread_cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
