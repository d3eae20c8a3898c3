//! A source's process is killed at any instant and started again: each of its records is in the topic exactly once.

use crate::support::{Source, broker, check, open, read, topic};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use votestream_election::SourceId;
use votestream_log::KafkaUrl;

const URL: &str = "VOTESTREAM_TEST_PRODUCER_URL";
const RECORDS: &str = "VOTESTREAM_TEST_PRODUCER_RECORDS";
const PARTITIONS: u32 = 4;
const KILLS: u32 = 20;

/// Starts the producing process; its lines come by the channel.
fn start(url: &KafkaUrl, records: u64, fail_points: &str) -> (Child, Receiver<String>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::the_producer", "--nocapture"])
        .env(URL, url.to_string())
        .env(RECORDS, records.to_string())
        .env("FAILPOINTS", fail_points)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        BufReader::new(out).lines().map_while(Result::ok).for_each(|line| drop(tell.send(line)));
    });
    (child, told)
}

/// The process itself.
#[test]
fn the_producer() {
    let Ok(url) = std::env::var(URL) else { return };
    #[cfg(feature = "failpoints")]
    let _scenario = fail::FailScenario::setup();
    let records: u64 = std::env::var(RECORDS).unwrap().parse().unwrap();
    let url: KafkaUrl = match url.parse().unwrap() {
        votestream_log::LogUrl::Kafka(url) => url,
        votestream_log::LogUrl::Dir(_) => panic!("a topic is written"),
    };
    let writer = open(&url);
    let mut source = Source::new(&writer, Some(SourceId(77)), 4_000);
    println!("\nresumed {}", source.restart_at());
    std::io::stdout().flush().unwrap();
    for index in source.restart_at()..records {
        source.push(index).unwrap();
        if index % 1_500 == 1_499 {
            source.flush().unwrap();
        }
    }
    source.flush().unwrap();
    println!("finished");
    writer.close().unwrap();
}

fn finish(url: &KafkaUrl, records: u64) {
    let (mut child, told) = start(url, records, "");
    assert!(child.wait().unwrap().success());
    assert!(told.iter().any(|line| line == "finished"));
}

#[test]
fn killed_at_any_instant() {
    let url = topic(&broker(), "kill", PARTITIONS);
    let records = 400_000;
    let mut at = Vec::new();
    let mut pause = 0x2545_f491_4f6c_dd1d_u64;
    for kill in 0..KILLS {
        let (mut child, told) = start(&url, records, "");
        pause = pause.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Each fourth is killed on its way to the beginning, the others some time after.
        if kill % 4 > 0 {
            let resumed = told.iter().find_map(|line| line.strip_prefix("resumed ").map(str::to_owned));
            at.push(resumed.expect("the process begins").parse::<u64>().unwrap());
        }
        let pause = Duration::from_micros((pause >> 33) % 150_000);
        // What it says meanwhile is of no interest; that it ends would be.
        let ended = told.recv_timeout(pause).is_ok_and(|line| line == "finished");
        assert!(!ended, "killed {kill} times");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(at.last() > at.first(), "it came on between two kills: {at:?}");
    finish(&url, records);
    check(&read(&url, PARTITIONS), records, PARTITIONS);
}

#[cfg(feature = "failpoints")]
#[test]
fn killed_at_every_point() {
    for point in votestream_log::KAFKA_FAIL_POINTS {
        let url = topic(&broker(), "point", PARTITIONS);
        let mut killed = 0;
        let mut records = 0;
        for passes in [0, 1, 2, 7] {
            records += 20_000;
            let (mut child, _told) = start(&url, records, &format!("{point}={passes}*off->return"));
            killed += u32::from(!child.wait().unwrap().success());
        }
        assert!(killed > 0, "{point} was never reached");
        finish(&url, records);
        check(&read(&url, PARTITIONS), records, PARTITIONS);
    }
}
