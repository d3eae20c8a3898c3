"""A broker that goes away while votes are counted: waited for without spinning, counted on when it is back."""

from __future__ import annotations

import time

from tests.e2e.harness import Harness, agree, until
from tests.e2e.kafka_votes import counted_records, oracle, presidential
from tests.e2e.services import Broker
from tests.oracle.count import us_president_2024


def test_a_broker_that_is_killed_and_comes_back(vs: Harness, broker: Broker) -> None:
    kafka = broker.kafka()
    topic = kafka.create(3)
    events = presidential(2_000, 1)
    kafka.produce(topic, ((event.voter.encode(), event.value) for event in events[:1_000]))
    worker = vs.start("count", "--log", f"kafka://127.0.0.1:{broker.port}/{topic}", "--store", vs.store)
    until(lambda: counted_records(vs, vs.store) == 1_000, "the first half to be counted")
    broker.kill()
    before, began = worker.cpu_seconds(), time.monotonic()
    until(lambda: time.monotonic() - began > 3.0, "three seconds without a broker")
    share = (worker.cpu_seconds() - before) / (time.monotonic() - began)
    assert share < 0.10, f"a worker without a broker takes {share:.0%} of a core"
    assert worker.running(), worker.err()
    broker.start()
    kafka.produce(topic, ((event.voter.encode(), event.value) for event in events[1_000:]))
    until(lambda: counted_records(vs, vs.store) == 2_000, "the second half to be counted by the same worker")
    assert worker.stop().status == 0, worker.err()
    agree(vs.results(), oracle(kafka, topic, us_president_2024()))
