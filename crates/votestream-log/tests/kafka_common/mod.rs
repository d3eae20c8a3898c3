//! What the tests on real brokers share: topics, names, patience, and a broker of one's own.

#![allow(dead_code, reason = "each test target uses a part of it")]

pub mod names;
pub mod waiting;

pub use names::{broker, unique};
pub use waiting::{PATIENCE, eventually};

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use votestream_log::KafkaUrl;

/// A new topic with a session timeout of its own for who reads it.
pub fn topic(broker: &str, what: &str, partitions: u32, session_timeout_ms: u32) -> KafkaUrl {
    let mut url = KafkaUrl::new([broker], unique(what));
    url.options.session_timeout_ms = session_timeout_ms;
    assert!(votestream_log::create_topic(&url, partitions, 1).unwrap(), "made anew");
    url
}

/// A broker of one's own, from the jars that the variable names.
pub struct Broker {
    dir: tempfile::TempDir,
    lib: PathBuf,
    child: Option<Child>,
    port: u16,
}

impl Broker {
    pub fn start() -> Self {
        let lib = names::variable("VOTESTREAM_TEST_KAFKA_LIB");
        let dir = tempfile::tempdir().unwrap();
        let (port, controller) = (free_port(), free_port());
        let properties = format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\ncontroller.listener.names=CONTROLLER\n\
             inter.broker.listener.name=PLAINTEXT\nlog.dirs={}\noffsets.topic.replication.factor=1\n\
             offsets.topic.num.partitions=1\ntransaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\ntransaction.state.log.num.partitions=1\n\
             group.initial.rebalance.delay.ms=0\nauto.create.topics.enable=false\n\
             group.min.session.timeout.ms=1000\n",
            dir.path().join("data").display()
        );
        let file = dir.path().join("server.properties");
        std::fs::File::create(&file).unwrap().write_all(properties.as_bytes()).unwrap();
        let mut broker = Self { dir, lib: lib.into(), child: None, port };
        let formatted = broker
            .java(&["kafka.tools.StorageTool", "format", "-t", "bm9ib2R5cy1jbHVzdGVyMQ", "-c"])
            .arg(file)
            .status();
        assert!(formatted.unwrap().success());
        broker.run();
        broker
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts it (again) and waits until it listens.
    pub fn run(&mut self) {
        let file = self.dir.path().join("server.properties");
        self.child = Some(self.java(&["kafka.Kafka"]).arg(file).spawn().unwrap());
        let address = self.address();
        eventually("the broker listens", || std::net::TcpStream::connect(&address).ok());
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn java(&self, words: &[&str]) -> Command {
        let mut command = Command::new("java");
        command.args(["-Xmx512m", "-cp"]).arg(self.lib.join("*")).args(words);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may be gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Sends a signal by name, as `STOP`, to a process of ours.
pub fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
}
