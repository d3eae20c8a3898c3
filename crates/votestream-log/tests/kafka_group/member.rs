//! Members of a group as processes.

use crate::kafka_common::signal;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use votestream_log::{Group, KafkaUrl};

/// What a member's process is told by: its URL and its group.
const MEMBER_URL: &str = "VOTESTREAM_TEST_MEMBER_URL";
const MEMBER_GROUP: &str = "VOTESTREAM_TEST_MEMBER_GROUP";
/// What its lines begin with, beside those of the test harness.
const MEMBER_LINE: &str = "member: ";

/// A member in a process of its own: this test binary again, running only `member_process`.
pub struct Member {
    child: Child,
    stdin: Option<ChildStdin>,
    seen: Arc<Mutex<(u64, BTreeSet<u32>)>>,
}

impl Member {
    pub fn start(url: &KafkaUrl, group: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "member_process", "--nocapture"])
            .env(MEMBER_URL, url.to_string())
            .env(MEMBER_GROUP, group)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        let seen = Arc::new(Mutex::default());
        let tell = Arc::clone(&seen);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let Some((_, line)) = line.split_once(MEMBER_LINE) else { continue };
                let mut words = line.split_whitespace().map(|word| word.parse::<u64>().unwrap());
                let generation = words.next().unwrap();
                *tell.lock().unwrap() =
                    (generation, words.map(|word| u32::try_from(word).unwrap()).collect());
            }
        });
        Self { child, stdin, seen }
    }

    /// What it last told, and which change that was.
    pub fn seen(&self) -> (u64, BTreeSet<u32>) {
        self.seen.lock().unwrap().clone()
    }

    /// Sends it a signal by name, as `STOP`.
    pub fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Ends its input, upon which it leaves.
    pub fn leave(&mut self) {
        self.stdin = None;
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a member's process does: prints each change until its input ends, then leaves. `None`: this is no such process.
pub fn member() -> Option<()> {
    let url = std::env::var(MEMBER_URL).ok()?.parse().unwrap();
    let group = Group::join(&url, &std::env::var(MEMBER_GROUP).unwrap()).unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&ended);
    std::thread::spawn(move || {
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        end.store(true, Ordering::Release);
    });
    let mut seen = 0;
    while !ended.load(Ordering::Acquire) {
        let now = group.wait_change(seen, Duration::from_millis(50)).unwrap();
        if now.generation != seen {
            seen = now.generation;
            let partitions: Vec<String> = now.partitions.iter().map(|id| id.0.to_string()).collect();
            println!("{MEMBER_LINE}{seen} {}", partitions.join(" "));
        }
    }
    group.leave();
    Some(())
}
