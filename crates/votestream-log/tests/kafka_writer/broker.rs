//! A broker of one's own, from the jars that the variable names; it may name another port than its own to its clients.

#![allow(dead_code, reason = "each test target uses a part of it")]

use crate::support::{eventually, variable};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

pub struct Broker {
    dir: tempfile::TempDir,
    child: Child,
    pub port: u16,
    /// Where it names itself, past whatever lies before its other port.
    pub inside: u16,
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn java() -> Command {
    let mut command = Command::new("java");
    command
        .args([
            "-Xmx384m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            &format!("{}/*", variable("VOTESTREAM_TEST_KAFKA_LIB")),
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

impl Broker {
    /// Starts one that tells its clients to come to `advertised`; 0: to itself.
    pub fn start(advertised: u16) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (port, inside, controller) = (free_port(), free_port(), free_port());
        let advertised = if advertised == 0 { port } else { advertised };
        let mut file = std::fs::File::create(dir.path().join("server.properties")).unwrap();
        write!(
            file,
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},INSIDE://127.0.0.1:{inside},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{advertised},INSIDE://127.0.0.1:{inside}\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             controller.listener.names=CONTROLLER\ninter.broker.listener.name=INSIDE\nlog.dirs={}\n\
             offsets.topic.replication.factor=1\noffsets.topic.num.partitions=1\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
             transaction.state.log.num.partitions=1\nlog.retention.hours=-1\nauto.create.topics.enable=false\n\
             transaction.abort.timed.out.transaction.cleanup.interval.ms=500\n",
            dir.path().join("data").display()
        )
        .unwrap();
        let properties = dir.path().join("server.properties");
        let formatted = java()
            .args(["kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c"])
            .arg(&properties)
            .status()
            .unwrap();
        assert!(formatted.success(), "the broker's storage was not formatted");
        let child = java().arg("kafka.Kafka").arg(properties).spawn().unwrap();
        let broker = Self { dir, child, port, inside };
        broker.await_port();
        broker
    }

    fn await_port(&self) {
        eventually("the broker listens", || TcpStream::connect(("127.0.0.1", self.port)).ok());
    }

    /// Kills it at once and starts it again.
    pub fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child =
            java().arg("kafka.Kafka").arg(self.dir.path().join("server.properties")).spawn().unwrap();
        self.await_port();
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have died by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
