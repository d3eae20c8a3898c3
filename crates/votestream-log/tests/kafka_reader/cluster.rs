//! Brokers of a test's own, on free ports, that can be killed, stopped and started again. They end with the test.

#![allow(dead_code, reason = "each test target uses a part of it")]

use crate::support::{PATIENCE, until, variable};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, Producer};
use std::fs::File;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use votestream_log::KafkaUrl;

/// Brokers' own topics are on all three, too; records' times are old, and are kept all the same.
pub const REPLICATED: &str = "log.retention.hours=-1\ntransaction.state.log.replication.factor=3\ntransaction.state.log.min.isr=2\n\
                              transaction.state.log.num.partitions=3\noffsets.topic.replication.factor=3\n\
                              offsets.topic.num.partitions=1\nreplica.lag.time.max.ms=5000\ncontrolled.shutdown.enable=true";

/// What befalls a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Killed,
    /// It hands its partitions over and ends.
    Stopped,
    /// It keeps its connections and says nothing any more.
    Silent,
}

/// Some brokers; the first is the controller, too.
pub struct Cluster {
    dir: tempfile::TempDir,
    nodes: Vec<Node>,
}

struct Node {
    port: u16,
    running: Option<Child>,
}

impl Cluster {
    /// Starts so many brokers, each with `extra` lines of configuration.
    pub fn start(brokers: usize, extra: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let held: Vec<_> = (0..=brokers).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> = held.iter().map(|held| held.local_addr().unwrap().port()).collect();
        drop(held);
        let (controller, ports) = (ports[0], &ports[1..]);
        let nodes = ports.iter().map(|port| Node { port: *port, running: None }).collect();
        let mut cluster = Self { dir, nodes };
        for (n, port) in ports.iter().enumerate() {
            let (id, data) = (n + 1, cluster.dir.path().join(format!("data-{}", n + 1)));
            let (roles, more) = if n == 0 {
                ("broker,controller", format!(",CONTROLLER://127.0.0.1:{controller}"))
            } else {
                ("broker", String::new())
            };
            let config = format!(
                "process.roles={roles}\nnode.id={id}\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
                 listeners=PLAINTEXT://127.0.0.1:{port}{more}\nadvertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
                 controller.listener.names=CONTROLLER\ninter.broker.listener.name=PLAINTEXT\nlog.dirs={}\n\
                 offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n\
                 transaction.state.log.min.isr=1\nauto.create.topics.enable=false\n\
                 broker.session.timeout.ms=6000\nbroker.heartbeat.interval.ms=500\n{extra}\n",
                data.display()
            );
            std::fs::write(cluster.config(id), config).unwrap();
            let format = cluster
                .java(id)
                .args(["kafka.tools.StorageTool", "format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c"])
                .arg(cluster.config(id))
                .status();
            assert!(format.unwrap().success(), "storage of node {id}");
            cluster.launch(id);
        }
        (1..=brokers).for_each(|id| cluster.await_up(id));
        cluster
    }

    /// The brokers' URL.
    pub fn url(&self, topic: &str) -> KafkaUrl {
        let brokers = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
        let mut url = KafkaUrl::new(brokers, topic);
        url.options.reader = crate::READER;
        url
    }

    /// Starts a broker again and waits until it answers.
    pub fn restart(&mut self, id: usize) {
        self.launch(id);
        self.await_up(id);
    }

    /// It befalls a broker.
    pub fn strike(&mut self, id: usize, fault: Fault) {
        match fault {
            Fault::Killed => self.kill(id),
            Fault::Stopped => self.stop(id),
            Fault::Silent => self.freeze(id),
        }
    }

    /// The broker is there again.
    pub fn mend(&mut self, id: usize, fault: Fault) {
        match fault {
            Fault::Silent => self.thaw(id),
            Fault::Killed | Fault::Stopped => self.restart(id),
        }
    }

    /// Ends a broker without a word.
    pub fn kill(&mut self, id: usize) {
        if let Some(mut running) = self.nodes[id - 1].running.take() {
            running.kill().unwrap();
            running.wait().unwrap();
        }
    }

    /// Asks a broker to end, and waits: it hands its partitions over before.
    pub fn stop(&mut self, id: usize) {
        self.signal(id, "-TERM");
        if let Some(mut running) = self.nodes[id - 1].running.take() {
            running.wait().unwrap();
        }
    }

    /// Stops a broker where it stands: it keeps its connections and says nothing any more.
    pub fn freeze(&self, id: usize) {
        self.signal(id, "-STOP");
    }

    /// It goes on where it stood.
    pub fn thaw(&self, id: usize) {
        self.signal(id, "-CONT");
    }

    fn signal(&self, id: usize, signal: &str) {
        let pid = self.nodes[id - 1].running.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    fn launch(&mut self, id: usize) {
        let log = File::options().create(true).append(true).open(self.dir.path().join(format!("{id}.log")));
        let mut java = self.java(id);
        java.arg("kafka.Kafka").arg(self.config(id)).stdout(log.unwrap());
        self.nodes[id - 1].running = Some(java.spawn().unwrap());
    }

    fn await_up(&mut self, id: usize) {
        let (port, config) = (self.nodes[id - 1].port, format!("127.0.0.1:{}", self.nodes[id - 1].port));
        let asker: BaseProducer = ClientConfig::new().set("bootstrap.servers", config).create().unwrap();
        until(&format!("node {id} is up (see {})", self.dir.path().display()), || {
            let ended = self.nodes[id - 1].running.as_mut().map(|running| running.try_wait().unwrap());
            assert!(matches!(ended, Some(None)), "node {id} ended");
            let answer = asker.client().fetch_metadata(None, Duration::from_secs(2).min(PATIENCE));
            answer.is_ok_and(|answer| answer.brokers().iter().any(|broker| broker.port() == i32::from(port)))
        });
    }

    fn config(&self, id: usize) -> std::path::PathBuf {
        self.dir.path().join(format!("{id}.properties"))
    }

    fn java(&self, id: usize) -> Command {
        let lib = variable("VOTESTREAM_TEST_KAFKA_LIB");
        let mut java = Command::new("java");
        java.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", &format!("{lib}/*")]);
        let errors =
            File::options().create(true).append(true).open(self.dir.path().join(format!("{id}.err")));
        java.current_dir(self.dir.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors.unwrap());
        java
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for id in (1..=self.nodes.len()).rev() {
            self.kill(id);
        }
    }
}
