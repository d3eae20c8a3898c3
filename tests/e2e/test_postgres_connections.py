"""PostgreSQL that has no connection left, for the role or at all: said so at the start, waited for in the middle of counting."""

from __future__ import annotations

import contextlib

import psycopg

from tests.e2e.harness import Harness, until
from tests.e2e.kafka_votes import check, counted_records, presidential
from tests.e2e.services import Kafka, Postgres, Server, idles
from tests.oracle.count import us_president_2024


def produce(kafka: Kafka, topic: str, votes: int, seed: int) -> None:
    kafka.produce(topic, ((event.voter.encode(), event.value) for event in presidential(votes, seed)))


def as_role(database: Postgres, role: str) -> str:
    return database.url.replace("votestream@", f"{role}@")


def end_sessions(server: Server, role: str) -> None:
    server.query(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'")


def test_a_role_with_a_limit(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(2)
    produce(kafka, topic, 1_000, 1)
    with Server() as server:
        database = server.database("few")
        server.query("CREATE ROLE counter LOGIN CONNECTION LIMIT 0")
        server.query(f"GRANT CREATE ON DATABASE {database.name} TO counter")
        store = as_role(database, "counter")
        vs.refused("results", "--store", store, says=("too many connections for role", "counter", str(server.port)))
        # A worker that starts waits for a while, and says so.
        worker = vs.start("count", "--log", kafka.url(topic), "--store", store)
        until(lambda: "this may pass" in worker.err(), "a word of the worker")
        assert store in worker.err() and worker.running()
        assert idles(worker), "it spins while it may not connect"
        server.query("ALTER ROLE counter CONNECTION LIMIT -1")
        until(lambda: counted_records(vs, database.url) == 1_000, "the worker to count")

        server.query("ALTER ROLE counter CONNECTION LIMIT 0")
        end_sessions(server, "counter")
        produce(kafka, topic, 1_000, 2)
        until(lambda: "counting is paused" in worker.err(), "a word about connections")
        assert "too many connections for role" in worker.err().partition("counting is paused")[2]
        assert idles(worker), "it spins while it may not connect"
        assert worker.running() and counted_records(vs, database.url) == 1_000
        server.query("ALTER ROLE counter CONNECTION LIMIT -1")
        until(lambda: counted_records(vs, database.url) == 2_000, "counting to go on")
        assert worker.stop().status == 0
        check(vs, kafka, topic, database.url, us_president_2024())


def test_a_server_with_few_connections(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(2)
    produce(kafka, topic, 1_000, 3)
    with Server(settings={"max_connections": 12}) as server, contextlib.ExitStack() as others:
        database = server.database("few")
        server.query("CREATE ROLE counter LOGIN")
        server.query("CREATE ROLE other LOGIN")
        server.query(f"GRANT CREATE ON DATABASE {database.name} TO counter")
        store = as_role(database, "counter")
        worker = vs.start("count", "--log", kafka.url(topic), "--store", store)
        until(lambda: counted_records(vs, database.url) == 1_000, "the worker to count")

        def take_all() -> None:
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    others.enter_context(psycopg.connect(as_role(database, "other"), autocommit=True, connect_timeout=5))

        def crowded_out() -> bool:
            end_sessions(server, "counter")
            take_all()
            return "counting is paused" in worker.err()

        # Nothing may be counted with the connection that the worker has.
        end_sessions(server, "counter")
        take_all()
        vs.refused("results", "--store", store, says=("cannot be reached now", "connection slots are reserved"))
        produce(kafka, topic, 1_000, 4)
        until(crowded_out, "the worker to be crowded out", step=0.05)
        assert idles(worker), "it spins while there is no connection for it"
        assert worker.running(), worker.err()
        others.close()
        until(lambda: counted_records(vs, database.url) == 2_000, "counting to go on")
        assert worker.stop().status == 0
        check(vs, kafka, topic, database.url, us_president_2024())
