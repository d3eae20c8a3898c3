"""Counting on a real Apache Spark server: killed in every step, the server killed in mid-epoch, the answer is the oracle's and a recount's.

Beside `SERVICES="kafka spark" scripts/with-services.sh`, which fetches what a server needs; this starts one of its own, to be killed.
"""

from __future__ import annotations

import pathlib
import signal

import pytest

from tests.e2e.harness import Harness, agree, until
from tests.e2e.kafka_votes import counted_records, oracle, presidential
from tests.e2e.services import Kafka
from tests.e2e.spark_server import SECONDS, SparkServer
from tests.oracle.count import us_president_2024

pytestmark = pytest.mark.spark

VOTES = 200_000
EPOCH = 30_000
PARTITIONS = 4
# Each step of the client: a process is killed there, at its first or a later epoch.
STEPS = (
    "spark-attempt-begun=return",
    "spark-epoch-answered=1*off->return",
    "spark-before-flush=return",
    "spark-after-flush=return",
    "spark-hashed=return",
    "spark-sealed=return",
)


@pytest.fixture
def server(tmp_path: pathlib.Path):
    server = SparkServer(tmp_path / "spark")
    server.start()
    try:
        yield server
    finally:
        server.stop()


def produce(kafka: Kafka, topic: str, votes: int, seed: int) -> None:
    kafka.produce(topic, ((event.voter.encode(), event.value) for event in presidential(votes, seed)))


def test_killed_in_every_step_and_the_server_in_mid_epoch(vs: Harness, kafka: Kafka, server: SparkServer) -> None:
    topic = kafka.create(PARTITIONS)
    produce(kafka, topic, VOTES, 1)
    command = (
        "count", "--engine", "spark", "--remote", server.url, "--log", kafka.url(topic), "--store", vs.store,
        "--until-end", "--epoch-records", EPOCH,
    )  # fmt: skip
    killed = 0
    for step in STEPS:
        outcome = vs.start(*command, env={"FAILPOINTS": step}).wait(SECONDS)
        assert outcome.status == -signal.SIGABRT, f"{step}: {outcome.err[-2000:]}"
        killed += 1
    counted = counted_records(vs, vs.store)
    assert 0 < counted < VOTES, "the kills fell on a count that was under way"
    worker = vs.start(*command)
    # The server dies with an epoch under way, and comes back: the worker goes on by itself.
    until(lambda: counted_records(vs, vs.store) > counted, "an epoch to be counted", SECONDS, step=0.2)
    server.kill()
    killed += 1
    until(lambda: "may pass" in worker.err(), "the worker to notice", SECONDS, step=0.2)
    assert worker.running(), worker.err()
    server.start()
    assert worker.wait(SECONDS).status == 0, worker.err()
    assert killed >= 6
    results = vs.results()
    agree(results, oracle(kafka, topic, us_president_2024()))
    assert "pending" not in results["ledger"], "every leaf is hashed"
    assert "identical" in vs.recount(log=kafka.url(topic)).text
    # The ledger is the native engine's.
    native = f"sqlite:{vs.dir / 'native.db'}"
    vs.run("count", "--log", kafka.url(topic), "--store", native, "--until-end")
    assert vs.results(store=native)["ledger"] == results["ledger"]
    # Nobody goes on without the other's voters.
    vs.refused("count", "--log", kafka.url(topic), "--store", vs.store, says=("counted on Apache Spark", "--from-scratch"))


def test_what_cannot_work_is_said_at_once(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(1)
    flags = ("count", "--engine", "spark", "--log", kafka.url(topic), "--store", vs.store)
    vs.refused(*flags, says=("--remote sc://host:15002",))
    vs.refused(*flags, "--remote", "http://x", says=("sc://",))
    vs.refused("count", "--engine", "spark", "--remote", "sc://x", "--log", vs.log, "--store", vs.store, says=("reads Kafka topics",))
    vs.refused(*flags[:-1], "postgres://a@b/c", "--remote", "sc://x", says=("--seen",))
    vs.refused(*flags, "--remote", "sc://x", "--route", says=("--route does not go with",))
    vs.refused("bench", "spark", "--log", kafka.url(topic), says=("--remote sc://host:port",))
