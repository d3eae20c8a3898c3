"""Servers that accept connections and never answer: a command ends by itself in time and says where and what to do; told to stop, at once."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.harness import Harness, Process, free_port, until
from tests.e2e.services import idles
from tests.e2e.silent import Silent

VOTE = b'{"id":1,"state":"Ohio","decision":"Jill Stein"}\n'
# A server has 10 s to answer, doctor asks two of them; the rest is the tests' own machine.
END_SECONDS_MAX = 40.0
STOP_SECONDS_MAX = 5.0
SAYS_KAFKA = ("no answer to ApiVersions within 10 s", "is it up, and not overloaded?")
SAYS_POSTGRES = ("cannot be reached now", "see whether it runs", "no answer within 10000 ms")


@dataclasses.dataclass
class Case:
    """A command against a silent server."""

    arguments: Callable[[Silent], tuple[object, ...]]
    says: tuple[str, ...]
    # Its status when it is told to stop: 0 where it listens for that, else the signal's own.
    stopped: int = -signal.SIGTERM
    status: int = 2


CASES = {
    "count, Kafka": Case(lambda s: ("count", "--log", s.kafka(), "--store", "sqlite:new.db"), SAYS_KAFKA, 0),
    "count --route, Kafka": Case(lambda s: ("count", "--log", s.kafka(), "--store", "sqlite:new.db", "--route"), SAYS_KAFKA, 0),
    "count by librdkafka": Case(lambda s: ("count", "--log", s.kafka() + "?reader=librdkafka", "--store", "sqlite:new.db"), SAYS_KAFKA, 0),
    "count, PostgreSQL": Case(lambda s: ("count", "--log", "dir:log", "--store", s.postgres()), SAYS_POSTGRES, 0),
    "count, both": Case(lambda s: ("count", "--log", s.kafka(), "--store", s.postgres()), SAYS_KAFKA, 0),
    "simulate": Case(lambda s: ("simulate", "--votes", 10, "--to", s.kafka()), SAYS_KAFKA, 0),
    "simulate --create-topic": Case(
        lambda s: ("simulate", "--votes", 10, "--to", s.kafka(), "--create-topic", "partitions=1,replication=1"), SAYS_KAFKA, 0
    ),
    "ingest": Case(lambda s: ("ingest", "votes.ndjson", "--log", s.kafka()), SAYS_KAFKA, 0),
    "serve, PostgreSQL": Case(lambda s: ("serve", "--store", s.postgres(), "--listen", f"127.0.0.1:{free_port()}"), SAYS_POSTGRES, 0),
    "serve --log": Case(
        lambda s: ("serve", "--store", "sqlite:results.db", "--log", s.kafka(), "--listen", f"127.0.0.1:{free_port()}"), SAYS_KAFKA, 0
    ),
    "archive": Case(lambda s: ("archive", "--log", s.kafka(), "--archive", "file:archive"), SAYS_KAFKA, 0),
    "archive to HDFS": Case(
        lambda s: ("archive", "--log", "dir:log", "--archive", s.hdfs() + "?patience=12s"), ("no answer within 12 s", "has not answered for 10 s", "see whether"), 0
    ),
    "results": Case(lambda s: ("results", "--store", s.postgres()), SAYS_POSTGRES),
    "close": Case(lambda s: ("close", "--store", s.postgres()), SAYS_POSTGRES),
    "recount, Kafka": Case(lambda s: ("recount", "--log", s.kafka(), "--store", "sqlite:results.db"), SAYS_KAFKA),
    "recount, PostgreSQL": Case(lambda s: ("recount", "--log", "dir:log", "--store", s.postgres()), SAYS_POSTGRES),
    "recount from HDFS": Case(lambda s: ("recount", "--archive", s.hdfs() + "?patience=12s"), ("no answer within 12 s", "see whether")),
    "init --sample": Case(lambda s: ("init", "--sample", s.kafka(), "drafted.toml"), SAYS_KAFKA),
    "doctor, Kafka": Case(lambda s: ("doctor", "--log", s.kafka()), ("✗ log", "no answer to ApiVersions", "is it up"), status=1),
    "doctor, PostgreSQL": Case(lambda s: ("doctor", "--store", s.postgres()), ("✗ store", "no answer within", "check host, port"), status=1),
    "doctor, both": Case(lambda s: ("doctor", "--log", s.kafka(), "--store", s.postgres()), ("✗ log", "✗ store"), status=1),
    "doctor --quick": Case(
        lambda s: ("doctor", "--quick", "--log", s.kafka(), "--store", s.postgres(), "--server", s.http()), ("✗ log", "✗ store", "✗ server"), status=1
    ),
}  # fmt: skip


@pytest.fixture
def counted(vs: Harness) -> Harness:
    """A log and a store, as after a count."""
    vs.ingest(VOTE)
    vs.count()
    return vs


@contextlib.contextmanager
def running(vs: Harness) -> Iterator[dict[str, tuple[Process, Silent]]]:
    """All of them side by side, each on a server of its own and connected to it."""
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(Silent()) for name in CASES}
        started = {name: (vs.start(*case.arguments(servers[name])), servers[name]) for name, case in CASES.items()}
        for name, (process, server) in started.items():
            until(lambda p=process, s=server: s.accepted or not p.running(), f"{name} to connect")
        yield started


def test_each_ends_by_itself_and_says_where_and_what_to_do(counted: Harness) -> None:
    with running(counted) as started:
        for name, (process, server) in started.items():
            case, outcome = CASES[name], process.wait(END_SECONDS_MAX)
            said = outcome.err + outcome.text
            missing = [words for words in (*case.says, str(server.port)) if words not in said]
            assert outcome.status == case.status and not missing, f"{name}: {outcome.status}, lacks {missing}:\n{said}"


def test_each_stops_at_once_where_it_is_told_to(counted: Harness) -> None:
    with running(counted) as started:
        ended = [name for name, (process, _) in started.items() if not process.running()]
        assert not ended, f"they ended before they were told to: {ended}"
        began = time.monotonic()
        for process, _ in started.values():
            process.signal(signal.SIGTERM)
        for name, (process, _) in started.items():
            outcome = process.wait(STOP_SECONDS_MAX + 5)
            took = time.monotonic() - began
            assert took < STOP_SECONDS_MAX, f"{name} ended {took:.1f} s after SIGTERM"
            assert outcome.status == CASES[name].stopped, f"{name}: {outcome.status}\n{outcome.err}"
            assert outcome.status != 0 or "nothing was begun" in outcome.err or name == "archive to HDFS", f"{name}:\n{outcome.err}"


def test_a_stream_that_is_silent_is_told_of_and_left_at_once(vs: Harness) -> None:
    with Silent() as server:
        bridge = vs.start("ingest", "--from", server.http("/api/stream_votes"), "--log", vs.log)
        until(lambda: "connecting again" in bridge.err(), "a word about the stream", END_SECONDS_MAX)
        assert str(server.port) in bridge.err()
        began = time.monotonic()
        assert bridge.stop(STOP_SECONDS_MAX + 5).status == 0
        assert time.monotonic() - began < STOP_SECONDS_MAX


def test_results_that_cannot_be_published_are_counted_all_the_same(vs: Harness) -> None:
    vs.ingest(VOTE)
    count = ("count", "--log", vs.log, "--store", vs.store)
    with Silent() as server:
        publish = ("--publish", server.kafka("results"))
        place = server.kafka("results")
        outcome = vs.run(*count, "--until-end", *publish, seconds=END_SECONDS_MAX)
        outcome.says("results are not published now", place, "check that the brokers run", "counting goes on without")
        outcome.says("not all results could be published", "the next run with --publish publishes them anew")
        assert vs.results()["counted"] == 1

        worker = vs.start(*count, *publish)
        vs.ingest(b'{"id":2,"state":"Ohio","decision":"Jill Stein"}\n', name="more.ndjson")
        until(lambda: vs.results()["counted"] == 2, "votes to be counted beside a broker that is silent")
        assert idles(worker), "it spins while it cannot publish"
        assert worker.err().count("results are not published now") == 1, worker.err()
        began = time.monotonic()
        assert worker.stop(STOP_SECONDS_MAX + 5).status == 0, worker.err()
        assert time.monotonic() - began < STOP_SECONDS_MAX, worker.err()


def test_a_publishing_count_that_starts_stops_at_once(counted: Harness) -> None:
    with Silent() as server:
        worker = counted.start("count", "--log", counted.log, "--store", counted.store, "--publish", server.kafka("results"))
        until(lambda: server.accepted, "it to connect")
        began = time.monotonic()
        assert worker.stop(STOP_SECONDS_MAX + 5).status == 0, worker.err()
        assert time.monotonic() - began < STOP_SECONDS_MAX, worker.err()
