"""Real servers for the outside tests: the shared ones of scripts/with-services.sh, and servers of a test's own.

`Kafka` and `Postgres` are handles to servers that run: unique topics, a fresh database a test. `Broker`, `Cluster` and `Server`
are processes of a test's own that may be stopped, killed and started again on the same port and data. Nothing here knows the
product; everything waits for a condition with a deadline, and ends processes by their pid.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator

import confluent_kafka
import psycopg
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from tests.e2e.daemon import Daemon
from tests.e2e.harness import PATIENCE_SECONDS, ROOT, Process, free_port, until

_NUMBERS = itertools.count(1)
_RUN = uuid.uuid4().hex[:8]


def unique(stem: str) -> str:
    """A name that no other test of this run or another has."""
    return f"{stem}-{_RUN}-{next(_NUMBERS)}"


def required(name: str) -> str:
    """What scripts/with-services.sh says in the environment."""
    value = os.environ.get(name)
    assert value, f"{name} is not set: run the tests by `make test`, or by `scripts/with-services.sh target/venv/bin/pytest …`"
    return value


def kafka_lib() -> pathlib.Path:
    """The folder of Kafka's jars."""
    return pathlib.Path(required("VOTESTREAM_TEST_KAFKA_LIB"))


def java(main: str, *args: object, heap: str = "256m", stdin: bytes | None = None, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    """One of Kafka's own programs, to its end."""
    command = ["java", f"-Xmx{heap}", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", f"{kafka_lib()}/*", main, *map(str, args)]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=2 * PATIENCE_SECONDS, check=False)
    assert not check or done.returncode == 0, f"{main} ended with {done.returncode}:\n{done.stdout.decode()}\n{done.stderr.decode()}"
    return done


# --- Kafka ----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Record:
    """A record as a consumer sees it."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


class Kafka:
    """A handle to running brokers: topics of the test's own, and what they hold."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.admin = AdminClient({"bootstrap.servers": address, "log_level": 0})

    def create(self, partitions: int = 4, stem: str = "votes", replication: int = 1, name: str | None = None, **config: object) -> str:
        """A new topic; `name` where the test needs that very one. Settings as in `cleanup_policy="compact"`."""
        topic = name or unique(stem)
        settings = {key.replace("_", "."): str(value) for key, value in config.items()}
        future = self.admin.create_topics([NewTopic(topic, partitions, replication, config=settings)], operation_timeout=PATIENCE_SECONDS)
        future[topic].result(PATIENCE_SECONDS)
        until(lambda: len(self.describe(topic)) == partitions, f"every partition of {topic} to have a leader")
        return topic

    def delete(self, topic: str) -> None:
        self.admin.delete_topics([topic], operation_timeout=PATIENCE_SECONDS)[topic].result(PATIENCE_SECONDS)
        until(lambda: topic not in self.admin.list_topics(timeout=PATIENCE_SECONDS).topics, f"{topic} to be gone")

    def add_partitions(self, topic: str, partitions: int) -> None:
        self.admin.create_partitions([confluent_kafka.admin.NewPartitions(topic, partitions)])[topic].result(PATIENCE_SECONDS)
        until(lambda: len(self.describe(topic)) == partitions, f"{topic} to have {partitions} partitions")

    def describe(self, topic: str) -> dict[int, int]:
        """Partition → its leader; partitions without one are left out."""
        found = self.admin.list_topics(topic, timeout=PATIENCE_SECONDS).topics[topic]
        return {p.id: p.leader for p in found.partitions.values() if p.leader >= 0 and p.error is None}

    def settings(self, topic: str) -> dict[str, str]:
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        return {name: entry.value for name, entry in self.admin.describe_configs([resource])[resource].result(PATIENCE_SECONDS).items()}

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Moves the partition's start."""
        place = confluent_kafka.TopicPartition(topic, partition, before)
        self.admin.delete_records([place])[place].result(PATIENCE_SECONDS)

    def groups(self) -> list[str]:
        """Each consumer group, its state and its members' partitions: for a look at what went wrong."""
        names = [group.group_id for group in self.admin.list_consumer_groups().result(PATIENCE_SECONDS).valid]
        found = [future.result(PATIENCE_SECONDS) for future in self.admin.describe_consumer_groups(names).values()] if names else []
        told = lambda member: (member.member_id, [(p.topic, p.partition) for p in member.assignment.topic_partitions])  # noqa: E731
        return [f"{group.group_id}: {group.state}, {[told(member) for member in group.members]}" for group in found]

    def ends(self, topic: str) -> dict[int, int]:
        """Partition → last stable offset."""
        return self._watermarks(topic, "read_committed")

    def high_watermarks(self, topic: str) -> dict[int, int]:
        """Partition → end, records of open transactions included."""
        return self._watermarks(topic, "read_uncommitted")

    def _watermarks(self, topic: str, isolation: str) -> dict[int, int]:
        consumer = self._consumer(isolation)
        try:
            return {p: consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, p), PATIENCE_SECONDS)[1] for p in self.describe(topic)}
        finally:
            consumer.close()

    def url(self, topic: str, **options: object) -> str:
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"kafka://{self.address}/{topic}" + (f"?{query}" if query else "")

    def produce(self, topic: str, records: Iterable[tuple[bytes | None, bytes | None]], **options: object) -> None:
        """Keyed records by an idempotent librdkafka producer; murmur2 unless told otherwise."""
        settings = {"bootstrap.servers": self.address, "enable.idempotence": True, "partitioner": "murmur2_random", "linger.ms": 5, "log_level": 0}
        producer = confluent_kafka.Producer(settings | options)
        for key, value in records:
            put(producer, topic, key, value)
        assert producer.flush(PATIENCE_SECONDS) == 0, "not all records were acknowledged"

    def records(self, topic: str) -> list[Record]:
        """All committed records, partition by partition in the order of their offsets."""
        consumer = self._consumer()
        found: list[Record] = []
        try:
            places, ends = [], {}
            for partition in self.describe(topic):
                place = confluent_kafka.TopicPartition(topic, partition)
                place.offset, ends[partition] = consumer.get_watermark_offsets(place, PATIENCE_SECONDS)
                if place.offset < ends[partition]:
                    places.append(place)
            consumer.assign(places)
            deadline = time.monotonic() + PATIENCE_SECONDS
            done = {place.partition: False for place in places}
            while not all(done.values()):
                for message in consumer.consume(10_000, 0.1):
                    if message.error() is None:
                        found.append(Record(message.partition(), message.offset(), message.timestamp()[1], message.key(), message.value()))
                for place in consumer.position(places):
                    done[place.partition] = place.offset >= ends[place.partition]
                assert time.monotonic() < deadline, f"{topic} cannot be read to its ends: {done}"
        finally:
            consumer.close()
        return sorted(found, key=lambda record: (record.partition, record.offset))

    def _consumer(self, isolation: str = "read_committed") -> confluent_kafka.Consumer:
        return confluent_kafka.Consumer(
            {
                "bootstrap.servers": self.address, "group.id": unique("reader"), "isolation.level": isolation,
                "enable.auto.commit": False, "auto.offset.reset": "earliest", "enable.partition.eof": True, "log_level": 0,
            }
        )  # fmt: skip


def put(producer: confluent_kafka.Producer, topic: str, key: bytes | None, value: bytes | None, **where: int) -> None:
    """One record into the producer's queue; waits, bounded, where the queue is full."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            producer.produce(topic, value, key, **where)
            producer.poll(0)
            return
        except BufferError:
            assert time.monotonic() < deadline, "the producer's queue stays full"
            producer.poll(0.1)


def answers_metadata(port: int, brokers: int = 1) -> bool:
    """The broker answers a Metadata request (version 1, no topics) and knows of so many brokers."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as sock:
            sock.settimeout(2)
            sock.sendall(struct.pack(">ihhihi", 14, 3, 1, 1, -1, 0))
            head = b""
            while len(head) < 12:
                piece = sock.recv(12 - len(head))
                if not piece:
                    return False
                head += piece
            return struct.unpack(">iii", head)[2] >= brokers
    except OSError:
        return False


class Broker(Daemon):
    """A Kafka node of the test's own: stopped, killed and started again on the same ports and data.

    `advertised` is the port that clients are sent to after bootstrap, a proxy's for example; `direct` is a listener beside it.
    """

    def __init__(
        self, directory: pathlib.Path, node: int = 1, controllers: dict[int, int] | None = None, advertised: int | None = None,
        heap: str = "512m", settings: dict[str, object] | None = None,
    ) -> None:  # fmt: skip
        self.directory, self.node = directory, node
        self.port, self.direct = free_port(), free_port()
        self.controllers = controllers or {1: free_port()}
        copies = min(3, len(self.controllers))
        self.directory.mkdir(parents=True)
        lines: dict[str, object] = {
            "process.roles": "broker,controller",
            "node.id": node,
            "controller.quorum.voters": ",".join(f"{n}@127.0.0.1:{port}" for n, port in self.controllers.items()),
            "listeners": f"CLIENT://127.0.0.1:{self.port},DIRECT://127.0.0.1:{self.direct},CONTROLLER://127.0.0.1:{self.controllers[node]}",
            "advertised.listeners": f"CLIENT://127.0.0.1:{advertised or self.port},DIRECT://127.0.0.1:{self.direct}",
            "listener.security.protocol.map": "CLIENT:PLAINTEXT,DIRECT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "DIRECT",
            "log.dirs": directory / "data",
            "offsets.topic.replication.factor": copies,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": max(1, copies - 1),
            "transaction.state.log.num.partitions": 4,
            "default.replication.factor": copies,
            "min.insync.replicas": max(1, copies - 1),
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 500,
            "log.retention.hours": -1,
            "auto.create.topics.enable": "false",
            "broker.session.timeout.ms": 3_000,
            "broker.heartbeat.interval.ms": 500,
        } | (settings or {})
        (directory / "server.properties").write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        super().__init__(
            f"broker {node}",
            [
                "java", "-Xms128m", f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                f"-Dlog4j2.configurationFile={ROOT / 'scripts/services/kafka/log4j2.properties'}",
                "-cp", f"{kafka_lib()}/*", "kafka.Kafka", str(directory / "server.properties"),
            ],
            directory / "kafka.log",
        )  # fmt: skip

    def format(self, cluster_id: str) -> None:
        java("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", self.directory / "server.properties")

    def ready(self, brokers: int = 1) -> bool:
        self.lives()
        return answers_metadata(self.direct, brokers)

    def start(self) -> "Broker":
        self.launch()
        until(self.ready, f"broker {self.node} to answer on {self.direct}", step=0.05)
        return self

    def kafka(self) -> Kafka:
        """A handle past any proxy."""
        return Kafka(f"127.0.0.1:{self.direct}")


def cluster_id() -> str:
    return "v" + uuid.uuid4().hex[:21]


@contextlib.contextmanager
def own_broker(directory: pathlib.Path, **options: object) -> Iterator[Broker]:
    """One broker of the test's own, formatted and running; gone afterwards."""
    broker = Broker(directory, **options)
    try:
        broker.format(cluster_id())
        yield broker.start()
    finally:
        broker.kill()


class Cluster:
    """Three brokers, each a JVM: replication 3, min.isr 2."""

    def __init__(self, directory: pathlib.Path) -> None:
        controllers = {node: free_port() for node in (1, 2, 3)}
        self.brokers = {node: Broker(directory / f"node-{node}", node, controllers, heap="256m") for node in controllers}

    def __enter__(self) -> "Cluster":
        try:
            name = cluster_id()
            for broker in self.brokers.values():
                broker.format(name)
            for broker in self.brokers.values():
                broker.launch()
            self.until_whole()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for broker in self.brokers.values():
            broker.kill()

    def until_whole(self) -> None:
        """Every broker answers and knows of all three."""
        for broker in self.brokers.values():
            until(lambda broker=broker: broker.ready(3), f"broker {broker.node} to know of three", step=0.05)

    def kafka(self) -> Kafka:
        return Kafka(",".join(f"127.0.0.1:{broker.port}" for broker in self.brokers.values()))


# --- PostgreSQL -----------------------------------------------------------------------------------------------------


class Postgres:
    """A fresh database on a running server."""

    def __init__(self, server_url: str, password: str | None = None, stem: str = "test") -> None:
        self.password = password
        self.server_url = server_url
        self.name = unique(stem).replace("-", "_")
        with psycopg.connect(server_url, password=password, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {self.name}")
        self.url = server_url.rpartition("/")[0] + "/" + self.name

    def through(self, port: int) -> str:
        """The store's URL by another port of this machine, a proxy's."""
        head, _, _ = self.url.rpartition("@")
        return f"{head}@127.0.0.1:{port}/{self.name}"

    def query(self, sql: str, *parameters: object) -> list[tuple]:
        with psycopg.connect(self.url, password=self.password, autocommit=True, connect_timeout=10) as connection:
            cursor = connection.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def drop(self) -> None:
        with psycopg.connect(self.server_url, password=self.password, autocommit=True, connect_timeout=10) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")


class Server:
    """A PostgreSQL server of the test's own, trusting everybody on loopback, so that a recorded session can be played again.

    `place` is a directory for its data, on a small disk for example; `settings` are the server's, as in `{"max_connections": 8}`; with
    `follows` it is a hot standby of that one, made by pg_basebackup.
    """

    def __init__(self, place: pathlib.Path | None = None, settings: dict[str, object] | None = None, follows: "Server | None" = None) -> None:
        self.place = place or pathlib.Path(tempfile.mkdtemp(prefix="votestream-pg-"))
        self.settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": 200} | (settings or {})
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        binaries = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        self.bin = binaries[-1] if binaries else pathlib.Path(shutil.which("initdb") or "initdb").parent
        self._as: list[str] = []
        if os.geteuid() == 0:
            self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
            shutil.chown(self.place, "postgres")
        if follows:
            # -R leaves standby.signal, and where the primary is.
            make = ["pg_basebackup", "-h", "127.0.0.1", "-p", str(follows.port), "-U", "votestream", "-R", "-X", "stream", "-c", "fast", "--no-sync"]
        else:
            make = ["initdb", "--no-sync", "-A", "trust", "-U", "votestream", "-E", "UTF8", "--locale=C.UTF-8", "--wal-segsize=1"]
        command = [*self._as, str(self.bin / make[0]), "-D", str(self.place / "data"), *make[1:]]
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_SECONDS, cwd="/")

    def __enter__(self) -> "Server":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.place, ignore_errors=True)

    @property
    def url(self) -> str:
        return f"postgres://votestream@127.0.0.1:{self.port}/postgres"

    def start(self) -> "Server":
        with open(self.place / "postgres.log", "ab") as log:
            self._process = subprocess.Popen(
                [*self._as, str(self.bin / "postgres"), "-D", str(self.place / "data"), "-p", str(self.port),
                 *(word for name, value in self.settings.items() for word in ("-c", f"{name}={value}"))],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
            )  # fmt: skip
        until(self._answers, f"PostgreSQL to answer on {self.port}", step=0.03)
        return self

    def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, "PostgreSQL ended by itself:\n" + self.log()[-3000:]
        try:
            with psycopg.connect(self.url, connect_timeout=2, autocommit=True) as connection:
                connection.execute("SELECT 1")
                return True
        except psycopg.Error:
            return False

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def query(self, sql: str) -> list[tuple]:
        """As the superuser, in the server's first database."""
        with psycopg.connect(self.url, autocommit=True, connect_timeout=10) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def log(self) -> str:
        return (self.place / "postgres.log").read_text(errors="replace")

    def stop(self, number: int = signal.SIGINT) -> None:
        """SIGINT: fast, sessions are ended. SIGQUIT: at once, as in a crash."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(20)

    def database(self, stem: str = "test") -> Postgres:
        return Postgres(self.url, stem=stem)


def idles(process: Process, seconds: float = 2.0, share_max: float = 0.10) -> bool:
    """Whether a process that waits takes next to nothing of a core meanwhile."""
    before, began = process.cpu_seconds(), time.monotonic()
    until(lambda: time.monotonic() - began > seconds, "some seconds of waiting", step=0.1)
    return process.cpu_seconds() - before < share_max * (time.monotonic() - began)
