"""Faults on real servers: several `count` workers share a Kafka topic into PostgreSQL while workers, brokers, the store and the
network between them fail at random, seeded instants.

A round is one election: a producer writes on, three workers count, faults come one after another; then the faults stop, the workers
come to the topic's end, and the tally must be the oracle's over the records read back, the records add up, and `recount` be identical.
Three kinds of round: `proxied` (one broker; Kafka and PostgreSQL each behind a proxy), `cluster` (three brokers, the leader killed) and
`routing` (`count --route` killed inside its transactions). Where a fault landed is read from the servers while the victim is stopped.

    scripts/with-services.sh target/venv/bin/python -m tests.chaos.kafka_chaos --faults 1000 [--seed 1] [--report FILE]
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import pathlib
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

import confluent_kafka
import psycopg

from tests.chaos.kafka_faults import PARTITIONS, RECOVERY_SECONDS_MAX, SESSION_TIMEOUT_MS, Strike, cluster_faults, pause, proxied_faults
from tests.chaos.kafka_report import COMMIT, IDLE, OPEN_FLUSH, STARTING, TRANSACTION, Fault, Tally, report
from tests.chaos.proxy import Proxy
from tests.chaos.running import publish, scratch
from tests.e2e.harness import PATIENCE_SECONDS, Harness, Process, agree, free_port, until
from tests.e2e.kafka_votes import Event, oracle, presidential
from tests.e2e.services import Broker, Cluster, Kafka, Postgres, Server, cluster_id, put
from tests.oracle.count import us_president_2024

WORKERS = 3
VOTES_A_SECOND = 2_500
FAULTS_A_ROUND = 14
# A session that has begun a transaction of its own, or has written in one.
IN_TRANSACTION = "(backend_xid IS NOT NULL OR starts_with(state, 'idle in transaction'))"
# How long a victim is looked for in the midst of a transaction before it is taken where it is.
AIM_SECONDS_MAX = 0.4
AIM_ROUTING_SECONDS_MAX = 3.0

# What each kind of round has of all faults.
SHARES = {"proxied": 0.6, "cluster": 0.2, "routing": 0.2}
KINDS = tuple(SHARES)


class Feed:
    """A producer in a thread of its own: an endless, paced stream of votes, idempotent; keyed by the voter, or without keys."""

    def __init__(self, address: str, topic: str, seed: int, keyed: bool = True) -> None:
        self.sent, self.keyed = 0, keyed
        self._stop = threading.Event()
        settings = {"bootstrap.servers": address, "enable.idempotence": True, "partitioner": "murmur2_random", "linger.ms": 20, "log_level": 0}
        self._producer = confluent_kafka.Producer(settings | {"compression.type": "lz4", "message.timeout.ms": 300_000})
        self._args = (topic, seed)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        topic, seed = self._args
        votes = _votes(seed)
        began = time.monotonic()
        while not self._stop.is_set():
            due = int((time.monotonic() - began) * VOTES_A_SECOND)
            while self.sent < due and not self._stop.is_set():
                event = next(votes)
                put(self._producer, topic, event.voter.encode() if self.keyed else None, event.value)
                self.sent += 1
            self._producer.poll(0.02)

    def finish(self) -> int:
        """Stops, and waits until everything is acknowledged."""
        self._stop.set()
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive(), "the producer does not stop"
        assert self._producer.flush(PATIENCE_SECONDS) == 0, "not all votes were acknowledged"
        return self.sent


def _votes(seed: int) -> Iterator[Event]:
    """Stretches of events; voters come again within a stretch, and now and then from an earlier one."""
    rng = random.Random(seed)
    earlier: list[Event] = []
    while True:
        for event in presidential(2_000, rng.randrange(1 << 40)):
            yield rng.choice(earlier) if earlier and rng.random() < 0.02 else event
            if rng.random() < 0.02:
                earlier.append(event)


class Round:
    """One election being counted: its topic, database and workers, and the places that faults can reach."""

    def __init__(self, chaos: "Chaos", kafka: Kafka, log_address: str, replication: int, policy: str) -> None:
        self.chaos, self.random, self.kafka, self.policy = chaos, chaos.random, kafka, policy
        self.topic = kafka.create(PARTITIONS, stem="chaos", replication=replication)
        self.database = Postgres(chaos.server.url, stem="chaos")
        self.log = f"kafka://{log_address}/{self.topic}?session_timeout_ms={SESSION_TIMEOUT_MS}"
        self.store = self.database.through(chaos.store_proxy.port)
        self.workers: list[Process] = []
        # What the fault that strikes now tells beside its place.
        self.statement: str | None = None
        self.recovery_seconds = 0.0

    def begin_worker(self) -> Process:
        worker = self.chaos.harness.start("count", "--log", self.log, "--store", self.store, "--duplicate", self.policy)
        self.workers.append(worker)
        return worker

    def start_worker(self) -> Process:
        """A worker that has reached topic and store once: what it cannot reach before, it names and ends."""
        worker = self.begin_worker()

        def seen() -> bool:
            self.all_alive()
            with contextlib.suppress(psycopg.Error):
                sessions = self.database.query("SELECT 1 FROM pg_stat_activity WHERE application_name LIKE %s", f"votestream-count-{worker.pid}-%")
                return bool(sessions)
            return False

        until(seen, "a new worker to reach the store", RECOVERY_SECONDS_MAX, step=0.03)
        return worker

    def forget(self, worker: Process) -> None:
        self.workers.remove(worker)
        worker.close()

    def all_alive(self) -> None:
        for worker in self.workers:
            assert worker.running(), f"a worker ended by itself with {worker.wait().status}:\n{worker.err()[-4000:]}"

    # --- what the servers say ---

    def counted(self) -> dict[int, int]:
        """Partition → next offset to be counted; empty while the store is away or has no election."""
        with contextlib.suppress(psycopg.Error):
            return dict(self.database.query("SELECT partition, next_offset FROM votestream.progress"))
        return {}

    def landed(self, pid: int | None = None) -> str:
        """Where a fault lands: in what the workers' sessions (or one process's) are at, as PostgreSQL says."""
        with contextlib.suppress(psycopg.Error):
            rows = self.database.query(
                f"SELECT {IN_TRANSACTION}, query FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE %s",
                f"votestream-count-{pid}-%" if pid else "votestream-count-%",
            )
            busy = [query for open_, query in rows if open_]
            self.statement = " ".join(busy[0].split())[:60] if busy else None
            if any(query.lower().startswith("commit") for query in busy):
                return COMMIT
            if busy:
                return TRANSACTION
            if not rows:
                return STARTING
            return OPEN_FLUSH if sum(self.kafka.ends(self.topic).values()) > sum(self.counted().values()) else IDLE
        return STARTING

    def aim(self, workers: list[Process]) -> Process:
        """Stops a worker, if that can be had in the midst of a transaction, and says which."""
        deadline = time.monotonic() + AIM_SECONDS_MAX
        by_pid = {worker.pid: worker for worker in workers}
        victim = self.random.choice(workers)
        if self.random.random() < 0.75:
            with contextlib.suppress(psycopg.Error), psycopg.connect(self.database.url, autocommit=True, connect_timeout=5) as connection:
                while time.monotonic() < deadline:
                    rows = connection.execute(
                        "SELECT split_part(application_name, '-', 3)::int FROM pg_stat_activity WHERE datname = current_database()"
                        f" AND application_name LIKE 'votestream-count-%' AND {IN_TRANSACTION}"
                    ).fetchall()
                    found = [by_pid[pid] for (pid,) in rows if pid in by_pid]
                    if found:
                        victim = found[0]
                        break
        victim.signal(signal.SIGSTOP)
        return victim

    # --- recovering ---

    def until_counted(self, ends: dict[int, int]) -> float:
        """Waits until all that the topic held is counted; how long that took."""
        began = time.monotonic()

        def check() -> bool:
            self.all_alive()
            counted = self.counted()
            return all(counted.get(partition, 0) >= end for partition, end in ends.items())

        def state() -> str:
            return f"counted {self.counted()} of {ends}\n{self.kafka.groups()}\n" + "\n".join(f"{w.args}\n{w.err()[-1500:]}" for w in self.workers)

        try:
            until(check, f"{self.topic} to be counted", RECOVERY_SECONDS_MAX, step=0.03)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{state()}") from None
        return time.monotonic() - began

    def check_end(self, records: int) -> None:
        ends = self.kafka.ends(self.topic)
        self.until_counted(ends)
        for worker in list(self.workers):
            outcome = worker.stop(PATIENCE_SECONDS)
            assert outcome.status == 0, f"a worker that was told to end ended with {outcome.status}:\n{outcome.err[-4000:]}"
            self.forget(worker)
        harness = self.chaos.harness
        right = oracle(self.kafka, self.topic, us_president_2024(duplicate=self.policy))
        assert right["records"] == records, f"the topic holds {right['records']} of {records} votes"
        agree(harness.results(store=self.database.url), right)
        recount = harness.recount(log=self.kafka.url(self.topic), store=self.database.url, seconds=2 * PATIENCE_SECONDS)
        assert "identical" in recount.text, recount.text
        self.chaos.tally.records += records
        self.kafka.delete(self.topic)
        self.database.drop()


class Chaos:
    """Rounds until enough faults have struck."""

    def __init__(
        self,
        directory: pathlib.Path,
        seed: int,
        faults: int,
        kinds: tuple[str, ...] = KINDS,
        say: Callable[[str], None] = print,
        kept: pathlib.Path | None = None,
        only: tuple[str, ...] = (),
    ) -> None:
        self.only = only
        self.directory, self.wanted, self.say, self.kinds, self.kept = directory, faults, say, kinds, kept
        self.random = random.Random(seed)
        self.harness = Harness(directory)
        self.tally = Tally.load(kept) if kept else Tally()
        self.tally.seeds.append(seed)
        self._decks: dict[str, list[str]] = {}
        self.server = Server()
        self.store_proxy = Proxy(self.server.port)

    def run(self) -> Tally:
        """One kind after the other; the servers of a kind stay up between its rounds."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.server)
            stack.enter_context(self.store_proxy)
            stack.enter_context(self.harness)
            for position, kind in enumerate(self.kinds):
                had, all_ = (sum(SHARES[name] for name in names) for names in (self.kinds[: position + 1], self.kinds))
                getattr(self, f"_rounds_of_{kind}")(round(self.wanted * had / all_))
        return self.tally

    def _room(self, until_faults: int) -> int:
        return min(FAULTS_A_ROUND, until_faults - len(self.tally.faults))

    def _drawn(self, kind: str, faults: dict[str, Strike]) -> str:
        """A fault from the kind's deck, which is shuffled anew when all of it has been drawn."""
        deck = self._decks.setdefault(kind, [])
        if not deck:
            names = sorted(set(faults) & set(self.only)) or sorted(faults)
            deck.extend(self.random.sample(names, len(names)))
        return deck.pop()

    def _rounds_of_proxied(self, until_faults: int) -> None:
        proxy_port = free_port()
        broker = Broker(self.directory / "broker", advertised=proxy_port)
        try:
            broker.format(cluster_id())
            broker.start()
            with Proxy(broker.port, proxy_port) as log_proxy:
                while self._room(until_faults) > 0:
                    self._round("proxied", broker.kafka(), f"127.0.0.1:{proxy_port}", 1, proxied_faults(self, broker, log_proxy), until_faults, log_proxy)
        finally:
            broker.kill()

    def _rounds_of_cluster(self, until_faults: int) -> None:
        with Cluster(self.directory / "cluster") as cluster:
            while self._room(until_faults) > 0:
                kafka = cluster.kafka()
                self._round("cluster", kafka, kafka.address, 3, cluster_faults(cluster), until_faults, None)

    def _round(
        self, kind: str, kafka: Kafka, address: str, replication: int, faults: dict[str, Strike], until_faults: int, log_proxy: Proxy | None
    ) -> None:
        began, before = time.monotonic(), len(self.tally.faults)
        round_ = Round(self, kafka, address, replication, self.random.choice(["first", "last"]))
        # A store that is a little farther away: more of a worker's time lies between two statements.
        self.store_proxy.delay(self.random.choice([0.0, 0.008, 0.025]))
        feed = Feed(kafka.address, round_.topic, self.random.randrange(1 << 30))
        for _ in range(WORKERS):
            round_.start_worker()
        until(lambda: len(round_.counted()) == PARTITIONS, "the first worker to begin the election", RECOVERY_SECONDS_MAX)
        for _ in range(self._room(until_faults)):
            name = self._drawn(kind, faults)
            pause(self.random.uniform(0.05, 0.6))
            ends = kafka.ends(round_.topic)
            round_.statement, round_.recovery_seconds = None, 0.0
            fault = Fault(name, faults[name](round_))
            fault.statement = round_.statement if fault.landed == TRANSACTION else None
            # Three in four are recovered from before the next; the rest are struck again while they recover.
            if self.random.random() < 0.75:
                fault.recovery_seconds = max(round_.recovery_seconds, round_.until_counted(ends))
            round_.all_alive()
            self.tally.faults.append(fault)
            self.say(f"  {len(self.tally.faults)}: {name}, {fault.landed}" + (f", {fault.recovery_seconds:.1f} s" if fault.recovery_seconds else ""))
        for proxy in (self.store_proxy, log_proxy):
            if proxy:
                proxy.release()
                proxy.delay(0.0)
        round_.check_end(feed.finish())
        self._ended(kind, before, began)

    def _ended(self, kind: str, before: int, began: float) -> None:
        self.tally.rounds[kind] += 1
        self.tally.seconds += time.monotonic() - began
        if self.kept:
            self.tally.save(self.kept)
        fresh = collections.Counter(fault.landed for fault in self.tally.faults[before:])
        self.say(f"round {sum(self.tally.rounds.values())} ({kind}), {time.monotonic() - began:.0f} s: {dict(fresh)}; {len(self.tally.faults)} of {self.wanted}")

    def _rounds_of_routing(self, until_faults: int) -> None:
        broker = Broker(self.directory / "routing")
        try:
            broker.format(cluster_id())
            broker.start()
            while self._room(until_faults) > 0:
                self._round_of_routing(broker.kafka(), min(7, self._room(until_faults)))
        finally:
            broker.kill()

    def _round_of_routing(self, kafka: Kafka, kills: int) -> None:
        began, before = time.monotonic(), len(self.tally.faults)
        topic, policy = kafka.create(3, stem="scattered"), self.random.choice(["first", "last"])
        database = Postgres(self.server.url, stem="routing")
        feed = Feed(kafka.address, topic, self.random.randrange(1 << 30), keyed=False)
        routed = f"{topic}.by-voter"
        url = f"kafka://{kafka.address}/{topic}?session_timeout_ms={SESSION_TIMEOUT_MS}"
        command = ("count", "--log", url, "--store", database.url, "--route", "--duplicate", policy)
        for _ in range(kills):
            # Two at once, now and then.
            victims = [self.harness.start(*command) for _ in range(self.random.choice([1, 1, 2]))]
            # Most are struck while they copy; some while they start, or wait until the group has given the last one's partitions away.
            if self.random.random() < 0.8:
                had = _held(kafka, routed)
                until(lambda had=had: _held(kafka, routed) > had, "a router to copy")
                opens = self._aim_inside(kafka, routed, victims)
            else:
                opens = _transaction_opens(kafka, routed, victims, self.random.uniform(0.1, 2.0))
            for victim in victims:
                victim.signal(signal.SIGKILL)
            for victim in victims:
                assert victim.wait().status in (-signal.SIGKILL, 0), victim.err()
                victim.close()
            self.tally.faults.append(Fault("routing killed", TRANSACTION if opens else IDLE))
        feed.finish()
        again = time.monotonic()
        self.harness.run(*command, "--until-end", seconds=RECOVERY_SECONDS_MAX)
        self.tally.faults[-1].recovery_seconds = time.monotonic() - again
        source, copy = kafka.records(topic), kafka.records(routed)
        assert sorted(record.value or b"" for record in source) == sorted(record.value or b"" for record in copy), (
            f"the copy holds {len(copy)} records of {len(source)}"
        )
        agree(self.harness.results(store=database.url), oracle(kafka, routed, us_president_2024(duplicate=policy)))
        assert "identical" in self.harness.recount(log=kafka.url(routed), store=database.url).text
        self.tally.records += len(source)
        database.drop()
        self._ended("routing", before, began)

    def _aim_inside(self, kafka: Kafka, routed: str, victims: list[Process]) -> bool:
        """Stops the victims at random instants until one of them has a transaction open. With little to copy it takes them milliseconds."""
        deadline = time.monotonic() + AIM_ROUTING_SECONDS_MAX
        while not _transaction_opens(kafka, routed, victims, self.random.uniform(0.0, 0.1)):
            if time.monotonic() > deadline:
                return False
            for victim in victims:
                victim.signal(signal.SIGCONT)
        return True


def _held(kafka: Kafka, topic: str) -> int:
    """Records that readers of a copy can see; none while its topic is being made."""
    if topic not in kafka.admin.list_topics(timeout=PATIENCE_SECONDS).topics:
        return 0
    with contextlib.suppress(confluent_kafka.KafkaException):
        return sum(kafka.ends(topic).values())
    return 0


def _transaction_opens(kafka: Kafka, topic: str, victims: list[Process], after: float) -> bool:
    """Some seconds `after` this, stops the victims; says whether the topic then holds records of an open transaction."""
    pause(after)
    for victim in victims:
        victim.signal(signal.SIGSTOP)
    if topic not in kafka.admin.list_topics(timeout=PATIENCE_SECONDS).topics:
        return False
    return sum(kafka.high_watermarks(topic).values()) > sum(kafka.ends(topic).values())


def main() -> None:
    parser = argparse.ArgumentParser(description="strike real servers and workers at random instants")
    parser.add_argument("--faults", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=pathlib.Path, help="write a Markdown report here")
    parser.add_argument("--tally", type=pathlib.Path, help="keep what was done here after each round, and go on from there in another run")
    parser.add_argument("--kind", action="append", choices=KINDS, help="only rounds of this kind; repeatable")
    parser.add_argument("--only", action="append", help="only faults of this name, in rounds that have it; repeatable")
    arguments = parser.parse_args()
    with scratch() as directory:
        tally = Chaos(directory, arguments.seed, arguments.faults, tuple(arguments.kind or KINDS), kept=arguments.tally, only=tuple(arguments.only or ())).run()
    publish(report(tally), arguments.report)
    if tally.open_share() < 0.5:
        sys.exit("fewer than half of the faults hit a transaction, a commit or an open flush")


if __name__ == "__main__":
    main()
