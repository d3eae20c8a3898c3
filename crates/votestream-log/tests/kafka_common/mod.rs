//! What the tests on real brokers share: topics, patience, and a broker of one's own.

#![allow(dead_code, reason = "each test target uses a part of it")]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use votestream_log::KafkaUrl;

/// How long anything may take before a test gives it up: the machine is shared.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The broker that the tests share.
pub fn broker() -> String {
    std::env::var("VOTESTREAM_TEST_KAFKA")
        .expect("VOTESTREAM_TEST_KAFKA names no broker; run this through scripts/with-services.sh")
}

/// A name that nobody else uses.
pub fn unique(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    format!("{what}-{now:x}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A new topic with a session timeout of its own for who reads it.
pub fn topic(broker: &str, what: &str, partitions: u32, session_timeout_ms: u32) -> KafkaUrl {
    let mut url = KafkaUrl::new([broker], unique(what));
    url.options.session_timeout_ms = session_timeout_ms;
    assert!(votestream_log::create_topic(&url, partitions, 1).unwrap(), "made anew");
    url
}

/// Waits until `ready` answers something.
#[track_caller]
pub fn eventually<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ready() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
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
        let lib = std::env::var_os("VOTESTREAM_TEST_KAFKA_LIB").expect(
            "VOTESTREAM_TEST_KAFKA_LIB names no folder of jars; run this through scripts/with-services.sh",
        );
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
