//! A process that writes a log is killed at every named fail point; the next start finds all that was acknowledged.
//!
//! Needs the feature `failpoints`: the process is this test binary, started again with `FAILPOINTS` set.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::mpsc;
use votestream_election::{Millis, Offset, PartitionId, SourceId};
use votestream_log::{BatchBuilder, DirLogUrl, FAIL_POINTS, LogReader, LogWriter, WriterOptions};

const CHILD: &str = "VOTESTREAM_LOG_CHILD";
const ROUNDS: u64 = 12;
const SOURCE: SourceId = SourceId(5);

#[test]
fn killed_at_every_point() {
    for point in FAIL_POINTS {
        let mut killed = 0;
        for passes in [0, 1, 2, 5, 9] {
            let dir = tempfile::tempdir().unwrap();
            let url = DirLogUrl { partitions: Some(1), ..DirLogUrl::new(dir.path().join("log")) };
            if point.starts_with("log-recover") {
                assert!(child(&url.path, "").0.success());
                tear(&url.path);
            }
            let (status, acknowledged) = child(&url.path, &format!("{point}={passes}*off->return"));
            killed += u32::from(!status.success());
            check(&url, acknowledged, &format!("{point} after {passes}"));
        }
        assert!(killed > 0, "{point} was never reached");
    }
}

/// Runs the writer in a process of its own; answers how it ended and the greatest end that it was told.
fn child(path: &Path, fail_points: &str) -> (ExitStatus, u64) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "the_writer", "--nocapture"]).env(CHILD, path).env("FAILPOINTS", fail_points);
    let out = command.output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    let told = text.lines().filter_map(|line| line.strip_prefix("acknowledged ")?.parse().ok()).max();
    (out.status, told.unwrap_or(0))
}

#[test]
fn the_writer() {
    let Some(path) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let _scenario = fail::FailScenario::setup();
    let url = DirLogUrl { partitions: Some(1), ..DirLogUrl::new(path) };
    let writer = LogWriter::open(&url, options()).unwrap();
    let first = writer.end_offsets()[0].0;
    println!("\nacknowledged {first}");
    let mut builder = BatchBuilder::new(1 << 16);
    for round in 0..ROUNDS {
        let (tell, told) = mpsc::channel();
        append(&writer, &mut builder, first / 10 + round, Box::new(move |range| tell.send(range).unwrap()));
        let end = told.recv().unwrap().unwrap().end;
        println!("acknowledged {end}");
        std::io::stdout().flush().unwrap();
    }
    writer.close().unwrap();
}

fn options() -> WriterOptions {
    WriterOptions { segment_bytes: 600, ..WriterOptions::default() }
}

fn append(writer: &LogWriter, builder: &mut BatchBuilder, round: u64, ack: votestream_log::Ack) {
    for n in 10 * round..10 * round + 10 {
        builder.push(Millis(0), format!("vote number {n}").as_bytes(), None);
    }
    let sealed = builder.seal(Some((SOURCE, 10 * round + 9)));
    writer.handle().append_acked(PartitionId(0), sealed, ack).unwrap();
}

/// Leaves half a batch at the log's end, as a kill in the middle of a write does.
fn tear(path: &Path) {
    let logs = std::fs::read_dir(path.join("0")).unwrap().map(|entry| entry.unwrap().path());
    let last = logs.filter(|path| path.extension().is_some_and(|kind| kind == "log")).max().unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(last).unwrap();
    file.write_all(&[0, 0, 0, 0, 0, 0, 0, 120, 0, 0, 1, 0, 0, 0, 0, 1, 2]).unwrap();
}

fn check(url: &DirLogUrl, acknowledged: u64, when: &str) {
    let writer = LogWriter::open(url, options()).unwrap_or_else(|error| panic!("{when}: {error}"));
    let end = writer.end_offsets()[0].0;
    assert!(end >= acknowledged, "{when}: {acknowledged} acknowledged, {end} there");
    assert_eq!(writer.resume(SOURCE).unwrap(), [end.checked_sub(1)], "{when}");
    let mut builder = BatchBuilder::new(1 << 16);
    append(&writer, &mut builder, end / 10, Box::new(drop));
    writer.handle().flush().unwrap();
    let mut reader = LogReader::open(url, None).unwrap().partition(PartitionId(0), Offset(0)).unwrap();
    let mut next = 0;
    while let Some(batch) = reader.next_batch().unwrap() {
        for record in batch.records() {
            let record = record.unwrap();
            assert_eq!(record.offset, Offset(next), "{when}");
            assert_eq!(record.value, Some(format!("vote number {next}").as_bytes()), "{when}");
            next += 1;
        }
    }
    assert_eq!(next, end + 10, "{when}");
}
