"""A worker whose store's settings or rights change under it: it goes on by itself, or ends and says why; it is never silent."""

from __future__ import annotations

from tests.e2e.harness import Harness, until
from tests.e2e.kafka_votes import check, counted_records, presidential
from tests.e2e.services import Kafka, Server
from tests.oracle.count import us_president_2024


def produce(kafka: Kafka, topic: str, votes: int, seed: int) -> None:
    kafka.produce(topic, ((event.voter.encode(), event.value) for event in presidential(votes, seed)))


def test_a_database_that_was_read_only_when_the_worker_connected(vs: Harness, kafka: Kafka) -> None:
    """A session keeps the database's setting of when it began: going on takes a new one."""
    topic = kafka.create(2)
    produce(kafka, topic, 1_000, 1)
    with Server() as server:
        database = server.database("frozen")
        worker = vs.start("count", "--log", kafka.url(topic), "--store", database.url)
        until(lambda: counted_records(vs, database.url) == 1_000, "the worker to count")
        server.query(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
        server.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'votestream-count%'")
        produce(kafka, topic, 1_000, 2)
        until(lambda: "default_transaction_read_only" in worker.err(), "a word about it")
        server.query(f"ALTER DATABASE {database.name} RESET default_transaction_read_only")
        until(lambda: counted_records(vs, database.url) == 2_000, "counting to go on", 20.0)
        assert worker.stop().status == 0, worker.err()
        check(vs, kafka, topic, database.url, us_president_2024())


def test_rights_lost_in_the_middle(vs: Harness, kafka: Kafka) -> None:
    """Waiting does not cure it: the worker ends, says what is missing, and goes on when it is started again with the right."""
    topic = kafka.create(2)
    produce(kafka, topic, 1_000, 5)
    with Server() as server:
        database = server.database("revoked")
        server.query("CREATE ROLE counter LOGIN")
        server.query(f"GRANT CREATE ON DATABASE {database.name} TO counter")
        store = database.url.replace("votestream@", "counter@")
        worker = vs.start("count", "--log", kafka.url(topic), "--store", store)
        until(lambda: counted_records(vs, database.url) == 1_000, "the worker to count")
        database.query("ALTER TABLE votestream.progress OWNER TO votestream")
        produce(kafka, topic, 1_000, 6)
        outcome = worker.wait(20).says("counter", "has not the rights", "GRANT votestream_writer TO counter")
        assert outcome.status == 2
        database.query("ALTER TABLE votestream.progress OWNER TO counter")
        vs.run("count", "--log", kafka.url(topic), "--store", store, "--until-end")
        check(vs, kafka, topic, database.url, us_president_2024())
