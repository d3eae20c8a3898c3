"""A worker that has reached its store once waits for it, should it be away for a while before counting has begun."""

from __future__ import annotations

import urllib.parse

import pytest

from tests.chaos.proxy import Proxy
from tests.e2e.harness import Harness, agree, until
from tests.e2e.kafka_votes import counted_records, oracle, presidential
from tests.e2e.services import Kafka, Postgres
from tests.oracle.count import us_president_2024

VOTES = 400


@pytest.mark.parametrize("connections", [1, 2, 3, 4])
def test_the_store_goes_away_after_some_connections(vs: Harness, kafka: Kafka, postgres: Postgres, connections: int) -> None:
    topic = kafka.create(3)
    kafka.produce(topic, ((event.voter.encode(), event.value) for event in presidential(VOTES, connections)))
    server = urllib.parse.urlsplit(postgres.url).port
    assert server is not None
    with Proxy(server) as proxy:
        proxy.refuse_after = connections
        worker = vs.start("count", "--log", kafka.url(topic), "--store", postgres.through(proxy.port))
        # Where it needs no more connections than it was granted, it loses those that it has.
        until(lambda: proxy.refused >= 1 or counted_records(vs, postgres.url) == VOTES, "the store to be away", 30.0)
        proxy.cut()
        kafka.produce(topic, ((event.voter.encode(), event.value) for event in presidential(VOTES, 100 + connections)))
        until(lambda: proxy.refused >= 3, "the worker to ask again", 30.0)
        assert worker.running(), worker.err()
        proxy.refuse_after = None
        until(lambda: counted_records(vs, postgres.url) == 2 * VOTES, "all to be counted", 60.0)
        assert worker.stop().status == 0, worker.err()
    agree(vs.results(store=postgres.url), oracle(kafka, topic, us_president_2024()))
