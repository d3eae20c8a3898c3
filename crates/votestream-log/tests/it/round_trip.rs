//! What is appended is read back, from any offset, with every codec, over segments, after closing and opening again.

use crate::support::{batch, open, read, small_segments, url, vote, votes};
use std::sync::mpsc;
use votestream_election::{Millis, Offset, PartitionId};
use votestream_log::{BatchBuilder, Codec, DirLogUrl, LogError, LogReader, LogWriter};

#[test]
fn every_codec_from_every_offset() {
    for codec in [Codec::None, Codec::Lz4, Codec::Zstd].into_iter().filter(|codec| codec.available()) {
        let dir = tempfile::tempdir().unwrap();
        let url = DirLogUrl { codec: Some(codec), ..url(dir.path(), 2) };
        let writer = open(&url);
        assert!(writer.recovery().created);
        for from in (0..600).step_by(40) {
            writer.handle().append(PartitionId(1), batch(from..from + 40, None)).unwrap();
        }
        assert_eq!(writer.handle().flush().unwrap(), [Offset(0), Offset(600)]);
        assert!(read(&url, 0, 0).unwrap().is_empty());
        for from in (0..=600).step_by(7) {
            assert!(read(&url, 1, from).unwrap() == votes(from..600), "{codec} from {from}");
        }
        writer.close().unwrap();
        assert!(std::fs::read_dir(dir.path().join("log/1")).unwrap().count() > 4, "several segments");
        assert!(read(&url, 1, 0).unwrap() == votes(0..600));
    }
}

#[test]
fn incarnations_rise_and_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let url = url(dir.path(), 1);
    for incarnation in 1..=5 {
        let writer = open(&url);
        assert_eq!(writer.incarnation(), incarnation);
        let from = writer.end_offsets()[0].0;
        assert_eq!(from, 90 * (incarnation as u64 - 1));
        writer.handle().append(PartitionId(0), batch(from..from + 50, None)).unwrap();
        writer.handle().append(PartitionId(0), batch(from + 50..from + 90, None)).unwrap();
        writer.close().unwrap();
    }
    let reader = LogReader::open(&url, None).unwrap();
    let epoch = |next| reader.epoch_ending_at(PartitionId(0), Offset(next), -1).unwrap();
    assert_eq!(
        (epoch(0), epoch(50), epoch(90), epoch(140), epoch(450)),
        (None, Some(1), Some(1), Some(2), Some(5))
    );
    assert_eq!((epoch(49), epoch(51)), (None, None));
    let beyond = reader.epoch_ending_at(PartitionId(0), Offset(451), -1).unwrap_err();
    assert!(matches!(beyond, LogError::Truncated { end: Offset(450), .. }), "{beyond}");
    let mut partition = reader.partition(PartitionId(0), Offset(100)).unwrap();
    assert_eq!(partition.position(), Offset(100));
    let first = partition.next_batch().unwrap().unwrap();
    assert_eq!(
        (first.base_offset(), first.next_offset(), first.leader_epoch()),
        (Offset(90), Offset(140), 2)
    );
    assert_eq!(first.records().count(), 40);
    assert_eq!(partition.position(), Offset(140));
}

#[test]
fn acknowledged_once_durable_with_its_offsets() {
    let dir = tempfile::tempdir().unwrap();
    let url = url(dir.path(), 3);
    let writer = open(&url);
    let (tell, told) = mpsc::channel();
    for n in 0..30_u64 {
        let (tell, watch) = (tell.clone(), writer.watch());
        let partition = PartitionId((n % 3) as u32);
        let ack = move |range: Result<std::ops::Range<Offset>, LogError>| {
            let range = range.unwrap();
            assert!(watch.end(partition) >= range.end, "shown before it is acknowledged");
            tell.send((n, range)).unwrap();
        };
        let sealed = batch(10 * n..10 * n + 10, None);
        writer.handle().append_acked(partition, sealed, Box::new(ack)).unwrap();
    }
    for n in 0..30 {
        let from = 10 * (n / 3);
        assert_eq!(told.recv().unwrap(), (n, Offset(from)..Offset(from + 10)));
    }
    writer.close().unwrap();
}

#[test]
fn original_bytes_times_and_oversize_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let url = url(dir.path(), 1);
    let writer = open(&url);
    let long = vec![b'x'; 70_000];
    let values: [&[u8]; 6] = [b"", b"\xff\x00torn {", &long, b" ", "né".as_bytes(), b"{}"];
    let times = [5, -7, i64::MAX, i64::MIN, 0, 1_730_000_000_000];
    for first in 0..values.len() {
        let mut builder = BatchBuilder::new(1 << 20);
        for (i, value) in values.iter().enumerate().skip(first) {
            builder.push(Millis(times[i]), value, (i % 2 == 0).then_some(10_000_000_000));
        }
        builder.push_with(Millis(0), |out| out.extend_from_slice(&vote(3)));
        assert_eq!(builder.records() as usize, values.len() - first + 1);
        writer.handle().append(PartitionId(0), builder.seal(None)).unwrap();
        assert!(builder.is_empty());
    }
    writer.handle().flush().unwrap();
    let mut reader =
        LogReader::open(&url, Some(writer.watch())).unwrap().partition(PartitionId(0), Offset(0)).unwrap();
    for first in 0..values.len() {
        let batch = reader.next_batch().unwrap().unwrap();
        let mut records = batch.records();
        for i in first..values.len() {
            let record = records.next().unwrap().unwrap();
            assert_eq!((record.key, record.value), (None, Some(values[i])));
            assert_eq!((record.timestamp, record.oversize), (Millis(times[i]), i % 2 == 0));
        }
        assert_eq!(records.next().unwrap().unwrap().value, Some(&vote(3)[..]));
        assert!(records.next().is_none());
    }
    assert!(reader.next_batch().unwrap().is_none());
}

#[test]
fn a_closed_writer_refuses_and_another_may_open() {
    let dir = tempfile::tempdir().unwrap();
    let url = url(dir.path(), 1);
    let writer = open(&url);
    let handle = writer.handle();
    drop(writer);
    assert!(matches!(handle.append(PartitionId(0), batch(0..1, None)), Err(LogError::Closed)));
    let writer = LogWriter::open(&url, small_segments()).unwrap();
    let no_such = writer.handle().append(PartitionId(1), batch(0..1, None)).unwrap_err();
    assert!(matches!(no_such, LogError::NoSuchPartition { partitions: 1, .. }), "{no_such}");
}
