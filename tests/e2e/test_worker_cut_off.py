"""A worker that cannot reach the store, while others can, gives its partitions back, and counts again once the store answers."""

from __future__ import annotations

import urllib.parse

from tests.chaos.proxy import Proxy
from tests.e2e.harness import Harness, agree, until
from tests.e2e.kafka_votes import counted_records, oracle, presidential
from tests.e2e.services import Kafka, Postgres
from tests.oracle.count import us_president_2024

# The worker's patience with the store, the bound of one operation on it, and room.
STAND_DOWN_SECONDS_MAX = 120.0


def produce(kafka: Kafka, topic: str, votes: int, seed: int) -> None:
    kafka.produce(topic, ((event.voter.encode(), event.value) for event in presidential(votes, seed)))


def test_others_count_meanwhile(vs: Harness, kafka: Kafka, postgres: Postgres) -> None:
    topic = kafka.create(4)
    produce(kafka, topic, 1_000, 1)
    server = urllib.parse.urlsplit(postgres.url).port
    assert server is not None
    with Proxy(server) as proxy:
        cut_off = vs.start("count", "--log", kafka.url(topic), "--store", postgres.through(proxy.port))
        until(lambda: counted_records(vs, postgres.url) == 1_000, "the first worker to count")
        other = vs.start("count", "--log", kafka.url(topic), "--store", postgres.url)
        until(lambda: "partitions taken over" in other.err(), "the second worker to have partitions")
        proxy.hold()
        produce(kafka, topic, 1_000, 2)
        until(lambda: counted_records(vs, postgres.url) == 2_000, "the other to count everything", STAND_DOWN_SECONDS_MAX)
        assert "gives its partitions back" in cut_off.err()
        proxy.release()
        proxy.cut()
        until(lambda: "asks for partitions" in cut_off.err(), "the worker to come again", STAND_DOWN_SECONDS_MAX)
        produce(kafka, topic, 1_000, 3)
        until(lambda: counted_records(vs, postgres.url) == 3_000, "both to count")
        for worker in (cut_off, other):
            assert worker.stop().status == 0, worker.err()
    agree(vs.results(store=postgres.url), oracle(kafka, topic, us_president_2024()))
    assert "identical" in vs.recount(log=kafka.url(topic), store=postgres.url).text
