"""Several `count` workers share a topic into PostgreSQL, readers beside them; a killed worker's partitions are taken over."""

from __future__ import annotations

import os
import signal
import time

from tests.e2e.harness import Api, Harness, agree, free_port, until
from tests.e2e.kafka_votes import counted_records, oracle, presidential
from tests.e2e.services import Kafka, Postgres
from tests.oracle.count import us_president_2024

PARTITIONS = 6
# Session timeout and what comes after the group notices.
TAKEOVER_SECONDS_MAX = 15.0


def produce(kafka: Kafka, topic: str, votes: int, seed: int) -> None:
    kafka.produce(topic, ((event.voter.encode(), event.value) for event in presidential(votes, seed)))


def test_three_workers_one_killed_two_readers_one_sequence(vs: Harness, kafka: Kafka, postgres: Postgres) -> None:
    topic = kafka.create(PARTITIONS)
    produce(kafka, topic, 5_000, 1)
    flags = ("--log", kafka.url(topic), "--store", postgres.url)
    workers = [vs.start("count", *flags) for _ in range(3)]
    until(lambda: counted_records(vs, postgres.url) == 5_000, "three workers to count the topic")
    ports = [free_port(), free_port()]
    servers = [vs.start("serve", *flags[2:], *flags[:2], "--listen", f"127.0.0.1:{port}") for port in ports]
    apis = [Api(port) for port in ports]
    for api, server in zip(apis, servers, strict=True):
        api.await_health(server, 60)

    def owners() -> set[str]:
        rows = postgres.query("SELECT application_name FROM pg_stat_activity WHERE datname = current_database()")
        return {name.split("-")[2] for (name,) in rows if name.startswith("votestream-count-")}

    until(lambda: owners() == {str(worker.pid) for worker in workers}, "every worker to hold a session")
    killed = workers.pop(0)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    began = time.monotonic()
    produce(kafka, topic, 5_000, 2)
    until(lambda: counted_records(vs, postgres.url) == 10_000, "the others to take over", 4 * TAKEOVER_SECONDS_MAX, step=0.05)
    assert time.monotonic() - began <= TAKEOVER_SECONDS_MAX, "counting went on too late after the kill"
    until(lambda: len({api.json("/api/results")["sequence"] for api in apis}) == 1, "both readers to show one sequence")
    shown = [api.json("/api/results") for api in apis]
    right = oracle(kafka, topic, us_president_2024())
    agree(*shown, vs.results(store=postgres.url), right)
    for process in (*workers, *servers):
        assert process.stop().status == 0, process.err()
    assert "identical" in vs.recount(log=kafka.url(topic), store=postgres.url).text


def test_a_worker_that_is_told_to_end_hands_over_at_once(vs: Harness, kafka: Kafka, postgres: Postgres) -> None:
    topic = kafka.create(PARTITIONS)
    produce(kafka, topic, 2_000, 3)
    flags = ("--log", kafka.url(topic), "--store", postgres.url)
    one, other = (vs.start("count", *flags) for _ in range(2))
    until(lambda: counted_records(vs, postgres.url) == 2_000, "two workers to count the topic")
    assert one.stop().status == 0, one.err()
    began = time.monotonic()
    produce(kafka, topic, 2_000, 4)
    until(lambda: counted_records(vs, postgres.url) == 4_000, "the other to go on", step=0.05)
    assert time.monotonic() - began < 8.0, "nobody waited for a session timeout to pass"
    assert other.stop().status == 0, other.err()
    agree(vs.results(store=postgres.url), oracle(kafka, topic, us_president_2024()))


def test_waiting_workers_do_not_spin(vs: Harness, kafka: Kafka, postgres: Postgres) -> None:
    topic = kafka.create(PARTITIONS)
    produce(kafka, topic, 500, 5)
    worker = vs.start("count", "--log", kafka.url(topic), "--store", postgres.url)
    until(lambda: counted_records(vs, postgres.url) == 500, "the worker to count the topic")
    before, began = worker.cpu_seconds(), time.monotonic()
    until(lambda: time.monotonic() - began > 3.0, "three seconds of waiting")
    share = (worker.cpu_seconds() - before) / (time.monotonic() - began)
    assert share < 0.10, f"a worker that waits takes {share:.0%} of a core"
    assert worker.stop().status == 0, worker.err()
