//! What goes wrong is told in a sentence, at once, and leaves the session usable.

use crate::topic::OnBroker;
use crate::{NOW, PARTITIONS, attempt, directory, lively, preset, remote, session};
use std::time::{Duration, Instant};
use votestream_election::epoch::Range;
use votestream_election::partitioner::PartitionerSet;
use votestream_election::{Election, Offset, PartitionId};
use votestream_spark::{EpochPlan, Limits, Remote, Session, SparkError, Topic, examine};

/// Counts `0..to` of partition 0.
fn try_to(session: &mut Session, topic: &Topic, directory: &str, to: u64) -> Result<u64, SparkError> {
    let election: Election = preset();
    let plan = EpochPlan {
        election: &election,
        topic,
        partitions: PARTITIONS,
        ranges: &[Range { partition: PartitionId(0), from: Offset(0), to: Offset(to) }],
        seen: &[],
        directory,
        attempt: attempt(),
        partitioners: PartitionerSet::ALL,
        misrouted_rejects: false,
        minutes: Vec::new(),
        now: NOW,
        next: None,
    };
    session.run(&plan).map(|answer| answer.partitions[0].counts.records())
}

#[test]
fn nobody_there_is_said_at_once() {
    let nobody: Remote = "sc://127.0.0.1:1".parse().unwrap();
    let began = Instant::now();
    let error = Session::open(&nobody, Limits::default()).err().expect("nobody listens on port 1");
    assert!(matches!(error, SparkError::Unreachable { .. }), "{error}");
    assert!(error.is_transient() && began.elapsed() < Duration::from_secs(10));
    let findings = examine(&nobody, Limits::default(), None, None);
    assert!(findings.len() == 1 && !findings[0].fine && findings[0].says.contains("sc://127.0.0.1:1"));
}

#[test]
fn a_session_outlives_what_goes_wrong() {
    let topic = OnBroker::new(PARTITIONS);
    topic.write(&lively(600));
    let (records, ends) = topic.read();
    let (_guard, mut session) = session();
    let (known, good) = (topic.for_spark(), directory());
    let error = try_to(&mut session, &known, "file:///proc/nowhere", ends[0]).unwrap_err();
    assert!(matches!(error, SparkError::Directory { .. }), "{error}");
    assert!(!error.is_transient() && error.to_string().contains("file:///proc/nowhere"));
    assert_eq!(try_to(&mut session, &known, &good, ends[0]).unwrap(), records[0].len() as u64);
    topic.forget(0, 20);
    let error = try_to(&mut session, &known, &good, ends[0]).unwrap_err();
    assert!(matches!(error, SparkError::Truncated { .. }), "{error}");
    let findings = examine(&remote(), Limits::default(), Some(&known), Some((&good, attempt())));
    assert!(findings.len() == 4 && findings.iter().all(|finding| finding.fine), "{findings:?}");
    let findings = examine(&remote(), Limits::default(), None, Some(("file:///proc/nowhere", attempt())));
    assert!(findings.len() == 3 && !findings[2].fine, "{findings:?}");
    assert!(!findings[2].says.contains(".java:"), "no stack: {findings:?}");
}

#[test]
fn what_others_end_is_told_and_may_be_tried_again() {
    let topic = OnBroker::new(PARTITIONS);
    topic.write(&lively(3_000));
    let (records, ends) = topic.read();
    let (_guard, mut session) = session();
    let url = format!("{}/;session_id={}", remote(), session.id());
    // Another client of the same session may do what Spark's own pages can.
    let other = spark_connect::SparkSession::builder().remote(&url).get_or_create().unwrap();
    let (known, directory) = (topic.for_spark(), directory());
    let answer = std::thread::scope(|scope| {
        let counting = scope.spawn(|| try_to(&mut session, &known, &directory, ends[0]));
        while !counting.is_finished() {
            other.interrupt_all().unwrap();
        }
        counting.join().unwrap()
    });
    let error = answer.expect_err("it was cancelled");
    assert!(matches!(error, SparkError::Cancelled) && error.is_transient(), "{error:?}");
    assert_eq!(try_to(&mut session, &known, &directory, ends[0]).unwrap(), records[0].len() as u64);
    other.stop().unwrap();
    let error = try_to(&mut session, &known, &directory, ends[0]).unwrap_err();
    assert!(matches!(error, SparkError::SessionExpired { .. }) && error.is_transient(), "{error:?}");
}

#[test]
fn a_call_that_takes_too_long_is_given_up() {
    let (_guard, _session) = session();
    let limits = Limits { call: Duration::from_millis(1), ..Limits::default() };
    let began = Instant::now();
    let error = Session::open(&remote(), limits).err().expect("no server answers within a millisecond");
    assert!(matches!(error, SparkError::TooSlow { .. }), "{error}");
    assert!(error.is_transient() && began.elapsed() < Duration::from_secs(30));
}
