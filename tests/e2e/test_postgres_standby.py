"""A real hot standby: it is read from and followed, it is not counted into, and counting goes on once it is promoted."""

from __future__ import annotations

from tests.e2e.harness import Api, Harness, free_port, until
from tests.e2e.kafka_votes import check, counted_records, presidential
from tests.e2e.services import Kafka, Server, idles
from tests.oracle.count import us_president_2024


def produce(kafka: Kafka, topic: str, votes: int, seed: int) -> None:
    kafka.produce(topic, ((event.voter.encode(), event.value) for event in presidential(votes, seed)))


def test_a_standby_is_read_and_followed(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(2)
    produce(kafka, topic, 1_000, 1)
    with Server() as primary:
        database = primary.database("followed")
        worker = vs.start("count", "--log", kafka.url(topic), "--store", database.url)
        until(lambda: counted_records(vs, database.url) == 1_000, "the worker to count")
        with Server(follows=primary) as standby:
            copy = database.through(standby.port)
            until(lambda: counted_records(vs, copy) == 1_000, "the standby to follow")
            port = free_port()
            server = vs.start("serve", "--store", copy, "--listen", f"127.0.0.1:{port}")
            api = Api(port)
            api.await_health(server, 30)
            assert api.json("/api/results")["records"] == 1_000
            produce(kafka, topic, 1_000, 2)
            until(lambda: api.json("/api/results")["records"] == 2_000, "serve over the standby to show what the primary counted")
            assert vs.results(store=copy) == vs.results(store=database.url)
            assert "identical" in vs.recount(log=kafka.url(topic), store=copy).text

            # Nothing is written there: a desk act is refused at once, a worker says why it waits.
            vs.refused("close", "--store", copy, "--region", "OH", says=("read-only", "standby", str(standby.port)))
            vs.run("simulate", "--votes", 1_000, "--to", vs.log)
            vs.refused("count", "--log", vs.log, "--store", copy, "--until-end", says=("begun with", "log"))
            waiting = vs.start("count", "--log", kafka.url(topic), "--store", copy)
            until(lambda: "read-only" in waiting.err(), "a word about the standby")
            assert "standby" in waiting.err() and str(standby.port) in waiting.err(), waiting.err()
            assert idles(waiting), "it spins over a standby"
            assert waiting.stop().status in (0, 2)
            assert worker.stop().status == 0, worker.err()
            assert server.stop().status == 0
        check(vs, kafka, topic, database.url, us_president_2024())


def test_counting_goes_on_where_the_standby_is_promoted(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(2)
    produce(kafka, topic, 1_000, 3)
    with Server() as primary, Server(follows=primary) as standby:
        database = primary.database("promoted")
        first = vs.start("count", "--log", kafka.url(topic), "--store", database.url)
        until(lambda: counted_records(vs, database.url) == 1_000, "the worker to count")
        copy = database.through(standby.port)
        until(lambda: counted_records(vs, copy) == 1_000, "the standby to follow")
        assert first.stop().status == 0
        second = vs.start("count", "--log", kafka.url(topic), "--store", copy)
        until(lambda: "read-only" in second.err(), "a word about the standby")
        primary.stop()
        standby.query("SELECT pg_promote()")
        produce(kafka, topic, 1_000, 4)
        until(lambda: counted_records(vs, copy) == 2_000, "the worker to count into what was a standby")
        assert second.stop().status == 0, second.err()
        check(vs, kafka, topic, copy, us_president_2024())


def test_one_process_is_refused_a_standby(vs: Harness) -> None:
    """A log in a directory has one counter; nobody else would count meanwhile, and it says so at once."""
    vs.run("simulate", "--votes", 1_000, "--to", vs.log)
    with Server() as primary:
        database = primary.database("alone")
        count = ("count", "--log", vs.log, "--until-end", "--store")
        vs.run(*count, database.url)
        with Server(follows=primary) as standby:
            copy = database.through(standby.port)
            vs.refused(*count, copy, says=("read-only", "standby", "or let it take writes", str(standby.port)))
            empty = primary.database("empty")
            until(lambda: standby.query(f"SELECT 1 FROM pg_database WHERE datname = '{empty.name}'"), "the standby to follow")
            vs.refused(*count, empty.through(standby.port), says=("read-only", "standby", empty.name))
