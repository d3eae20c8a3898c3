//! A router as a process: this test binary again, running only `router_process`.

use crate::kafka_common::signal;
use crate::topic::voter_of;
use std::process::{Child, Command, Stdio};
use votestream_log::{KafkaUrl, RouteOptions, route};

const ROUTER_URL: &str = "VOTESTREAM_TEST_ROUTER_URL";
const ROUTER_UNTIL_END: &str = "VOTESTREAM_TEST_ROUTER_UNTIL_END";

pub struct RouterProcess {
    child: Child,
    done: bool,
}

impl RouterProcess {
    pub fn start(url: &KafkaUrl, until_end: bool) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "router_process", "--nocapture"])
            .env(ROUTER_URL, url.to_string())
            .env(ROUTER_UNTIL_END, until_end.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, done: false }
    }

    /// Whether it has ended, which must be well.
    pub fn is_done(&mut self) -> bool {
        if let Some(status) = self.child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            self.done = true;
        }
        self.done
    }

    pub fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for RouterProcess {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a router's process does. `None`: this is no such process.
pub fn router() -> Option<()> {
    let url: KafkaUrl = std::env::var(ROUTER_URL).ok()?.parse().unwrap();
    let until_end = std::env::var(ROUTER_UNTIL_END).unwrap() == "true";
    let options = RouteOptions { until_end, from_log_start: false };
    route(&url, options, &mut |value| voter_of(value), &|| false, &mut |_| {}).unwrap();
    Some(())
}
