"""PostgreSQL that takes no writes, by a setting or for want of rights: waited for, or refused with what to do."""

from __future__ import annotations

from tests.e2e.harness import Harness, free_port, until
from tests.e2e.kafka_votes import check, counted_records, presidential
from tests.e2e.services import Kafka, Server, idles
from tests.oracle.count import us_president_2024


def produce(kafka: Kafka, topic: str, votes: int, seed: int) -> None:
    kafka.produce(topic, ((event.voter.encode(), event.value) for event in presidential(votes, seed)))


def test_read_only_for_a_while(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(2)
    produce(kafka, topic, 1_000, 1)
    with Server() as server:
        database = server.database("frozen")
        worker = vs.start("count", "--log", kafka.url(topic), "--store", database.url)
        until(lambda: counted_records(vs, database.url) == 1_000, "the worker to count")
        server.query("ALTER SYSTEM SET default_transaction_read_only = on")
        server.query("SELECT pg_reload_conf()")
        produce(kafka, topic, 1_000, 2)
        until(lambda: "default_transaction_read_only" in worker.err(), "a word about it")
        assert "counting is paused" in worker.err() and database.name in worker.err()
        assert idles(worker), "it spins while nothing may be written"
        server.query("ALTER SYSTEM RESET default_transaction_read_only")
        server.query("SELECT pg_reload_conf()")
        until(lambda: counted_records(vs, database.url) == 2_000, "counting to go on")
        assert worker.stop().status == 0, worker.err()
        check(vs, kafka, topic, database.url, us_president_2024())


def test_a_role_without_rights(vs: Harness) -> None:
    vs.run("simulate", "--votes", 1_000, "--to", vs.log)
    with Server() as server:
        database = server.database("closed")
        server.query("CREATE ROLE nobody_much LOGIN")
        store = database.url.replace("votestream@", "nobody_much@")
        says = ("nobody_much", "has not the rights", "GRANT votestream_writer TO nobody_much", "docs/operating.md", database.name)
        count = ("count", "--log", vs.log, "--until-end", "--store")
        # To make the tables, and to use them.
        vs.refused(*count, store, says=says)
        vs.run(*count, database.url)
        vs.refused(*count, store, says=says)
        vs.refused("results", "--store", store, says=("nobody_much", "GRANT votestream_reader TO nobody_much"))
        vs.refused("serve", "--store", store, "--listen", f"127.0.0.1:{free_port()}", says=("nobody_much", "has not the rights"))
        vs.refused("close", "--store", store, "--region", "OH", says=("nobody_much", "has not the rights"))
