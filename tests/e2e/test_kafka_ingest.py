"""Our own producers into Kafka: `ingest` of a file and of a stream, `simulate --to`; resumed where they were killed, nothing twice."""

from __future__ import annotations

import contextlib
import random

from tests.e2e.harness import Harness, agree, free_port, until
from tests.e2e.kafka_votes import check, count, oracle
from tests.e2e.services import Kafka
from tests.oracle.count import count_file, us_president_2024

FAULTS = "duplicates=0.02,invalid=0.01,changed=0.01"


def test_a_file_ingested_counts_as_the_file(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(4)
    votes = vs.file("votes.ndjson", vs.run("simulate", "--votes", 20_000, "--seed", 1, "--faults", FAULTS).out)
    vs.run("ingest", votes, "--log", kafka.url(topic))
    count(vs, kafka, topic, vs.store)
    agree(check(vs, kafka, topic, vs.store, us_president_2024()), count_file(us_president_2024(), votes))


def test_the_same_file_again_adds_nothing(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(2)
    votes = vs.file("votes.ndjson", vs.run("simulate", "--votes", 3_000, "--seed", 2).out)
    for _ in range(2):
        vs.run("ingest", votes, "--log", kafka.url(topic))
        assert len(kafka.records(topic)) == 3_000


def test_kills_neither_lose_nor_double_a_line(vs: Harness, kafka: Kafka) -> None:
    rng = random.Random(3)
    topic = kafka.create(3)
    votes = vs.file("votes.ndjson", vs.run("simulate", "--votes", 120_000, "--seed", 3, "--faults", FAULTS).out)
    for _ in range(6):
        held = sum(kafka.high_watermarks(topic).values())
        process = vs.start("ingest", votes, "--log", kafka.url(topic))
        goal = held + rng.randrange(1, 25_000)
        with contextlib.suppress(AssertionError):
            until(lambda goal=goal, process=process: not process.running() or sum(kafka.high_watermarks(topic).values()) >= goal, "votes to come", 20)
        process.kill()
    vs.run("ingest", votes, "--log", kafka.url(topic))
    right = count_file(us_president_2024(), votes)
    assert len(kafka.records(topic)) == right["records"]
    count(vs, kafka, topic, vs.store)
    agree(vs.results(), right)


def test_a_simulation_straight_into_a_topic(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(4)
    expected = vs.dir / "expected.json"
    vs.run("simulate", "--votes", 20_000, "--seed", 4, "--faults", FAULTS, "--to", kafka.url(topic), "--expected", expected)
    count(vs, kafka, topic, vs.store)
    check(vs, kafka, topic, vs.store, us_president_2024())


def test_a_stream_of_votes_over_http(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(2)
    port = free_port()
    source = vs.start("source", "--listen", f"127.0.0.1:{port}")
    vs.run("ingest", "--from", f"http://127.0.0.1:{port}/api/stream_votes?limit=2000&rate=max", "--log", kafka.url(topic))
    assert source.stop().status == 0
    count(vs, kafka, topic, vs.store)
    agree(vs.results(), oracle(kafka, topic, us_president_2024()))
    assert vs.results()["records"] == 2_000
