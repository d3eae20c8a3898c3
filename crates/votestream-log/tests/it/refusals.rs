//! What cannot be opened or written is refused with a precise error, and changes nothing.

use crate::support::{batch, open, small_segments, url, votes};
use std::error::Error;
use std::path::Path;
use std::sync::mpsc;
use votestream_election::{Offset, PartitionId};
use votestream_log::{Codec, DirLogUrl, Disk, LogError, LogReader, LogWriter, WriterOptions};

fn refused(url: &DirLogUrl, expect: &str) {
    let error = LogWriter::open(url, small_segments()).expect_err(expect);
    let text = error.to_string();
    assert!(text.contains(expect), "{text}\nshould contain: {expect}");
    assert!(!text.ends_with('.') && text.contains(&url.path.display().to_string()), "{text}");
}

#[test]
fn a_second_writer() {
    let dir = tempfile::tempdir().unwrap();
    let url = url(dir.path(), 1);
    let writer = open(&url);
    refused(&url, "a second writer of the vote log");
    drop(writer);
    open(&url);
}

#[test]
fn a_foreign_directory_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let url = url(dir.path(), 1);
    std::fs::create_dir(&url.path).unwrap();
    std::fs::write(url.path.join("thesis.tex"), "42").unwrap();
    refused(&url, "is not a vote log: it has no log.json but holds \"thesis.tex\"");
    assert_eq!(names(&url.path), ["thesis.tex"]);
    let read = LogReader::open(&url, None).unwrap_err();
    assert!(matches!(read, LogError::Foreign { .. }), "{read}");
    std::fs::remove_file(url.path.join("thesis.tex")).unwrap();
    // Partitions with records but without an identity are somebody's data.
    std::fs::create_dir(url.path.join("0")).unwrap();
    std::fs::write(url.path.join("0/00000000000000000000.log"), "x").unwrap();
    refused(&url, "holds \"0\"");
}

#[test]
fn a_half_made_log_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let url = url(dir.path(), 1);
    std::fs::create_dir_all(url.path.join("0")).unwrap();
    std::fs::write(url.path.join("0/00000000000000000000.log"), "").unwrap();
    std::fs::write(url.path.join("lock"), "").unwrap();
    std::fs::write(url.path.join("log.json.tmp"), "{\"for").unwrap();
    let missing = LogReader::open(&url, None).unwrap_err();
    assert!(matches!(missing, LogError::NotFound { .. }), "{missing}");
    assert!(open(&url).recovery().created);
}

#[test]
fn a_newer_format_a_damaged_identity_and_another_shape() {
    let dir = tempfile::tempdir().unwrap();
    let url = url(dir.path(), 2);
    drop(open(&url));
    refused(&DirLogUrl { partitions: Some(3), ..url.clone() }, "has 2 partitions, not 3");
    refused(&DirLogUrl { codec: Some(Codec::None), ..url.clone() }, "is written with codec lz4, not none");
    let any = DirLogUrl::new(&url.path);
    assert_eq!(LogWriter::open(&any, small_segments()).unwrap().partitions(), 2);
    let identity = url.path.join("log.json");
    let text = std::fs::read_to_string(&identity).unwrap();
    std::fs::write(&identity, text.replace("\"format\": 1", "\"format\": 2, \"colour\": \"red\"")).unwrap();
    refused(&any, "has format 2, this build knows up to 1");
    for damaged in
        [&text[..20], "", &text.replace("lz4", "rar"), &text.replace('2', "0"), &text.replace('-', "_")]
    {
        std::fs::write(&identity, damaged).unwrap();
        refused(&any, "log.json\" is damaged at byte 0");
    }
    std::fs::write(&identity, &text).unwrap();
    std::fs::write(url.path.join("incarnation"), "many").unwrap();
    refused(&any, "incarnation \"many\" is no whole number");
    std::fs::write(url.path.join("incarnation"), "5").unwrap();
    std::fs::remove_file(url.path.join("1/00000000000000000000.log")).unwrap();
    refused(&any, "the partition has no segment file");
}

#[test]
fn nothing_there() {
    let dir = tempfile::tempdir().unwrap();
    let error = LogReader::open(&url(dir.path(), 1), None).unwrap_err();
    assert!(matches!(error, LogError::NotFound { .. }), "{error}");
    std::fs::write(dir.path().join("file"), "").unwrap();
    let error = LogWriter::open(&DirLogUrl::new(dir.path().join("file")), small_segments()).unwrap_err();
    assert!(error.to_string().contains("could not read"), "{error}");
}

#[test]
fn a_full_disk_poisons_the_writer_and_loses_nothing_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let url = url(dir.path(), 1);
    drop(open(&url));
    let options = WriterOptions { disk: Disk::with_room(20_000), ..small_segments() };
    let writer = LogWriter::open(&url, options).unwrap();
    let (tell, told) = mpsc::channel();
    let mut refusal = None;
    for n in 0..1000 {
        let tell = tell.clone();
        let ack = Box::new(move |range| tell.send(range).unwrap());
        if let Err(error) =
            writer.handle().append_acked(PartitionId(0), batch(n * 10..n * 10 + 10, None), ack)
        {
            refusal = Some(error);
            break;
        }
    }
    let flushed = writer.handle().flush().unwrap_err();
    for error in refusal.into_iter().chain([flushed, writer.close().unwrap_err()]) {
        assert!(matches!(error, LogError::Poisoned { .. }), "{error}");
        assert!(error.to_string().contains("no room left on the disk"), "{error}");
    }
    drop(tell);
    let told: Vec<_> = told.iter().collect();
    let durable =
        told.iter().filter_map(|range| range.as_ref().ok()).map(|range| range.end.0).max().unwrap_or(0);
    let lost = told.iter().find_map(|range| range.as_ref().err()).expect("some were told of the failure");
    assert!(matches!(lost, LogError::DiskFull { .. }), "{lost}");
    assert_eq!(lost.source().unwrap().to_string(), "no storage space");
    let writer = open(&url);
    let end = writer.end_offsets()[0].0;
    assert!(end >= durable && durable.is_multiple_of(10) && end.is_multiple_of(10), "{end} {durable}");
    assert!(read_all(&url) == votes(0..end));
}

#[test]
fn a_failing_fsync_poisons_the_writer() {
    let dir = tempfile::tempdir().unwrap();
    let url = url(dir.path(), 1);
    drop(open(&url));
    // The incarnation's and the recovered segment's fsyncs come first.
    let options = WriterOptions { disk: Disk::failing_sync(2), ..small_segments() };
    let writer = LogWriter::open(&url, options).unwrap();
    let (tell, told) = mpsc::channel();
    let ack = Box::new(move |range| tell.send(range).unwrap());
    writer.handle().append_acked(PartitionId(0), batch(0..10, None), ack).unwrap();
    let error = told.recv().unwrap().unwrap_err();
    assert!(error.to_string().contains("could not sync"), "{error}");
    assert_eq!(writer.end_offsets(), [Offset(0)], "nothing undurable is shown");
    assert!(matches!(
        writer.handle().append(PartitionId(0), batch(0..1, None)),
        Err(LogError::Poisoned { .. })
    ));
    assert_eq!(read_all(&url), []);
}

fn read_all(url: &DirLogUrl) -> Vec<(u64, Vec<u8>)> {
    crate::support::read(url, 0, 0).unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
