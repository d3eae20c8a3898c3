"""doctor against real servers: what is well, the usual troubles in words, and an exit status to go by."""

from __future__ import annotations

import pathlib

from tests.e2e.harness import Harness
from tests.e2e.kafka_votes import count, presidential
from tests.e2e.services import Kafka, Postgres


def doctor(vs: Harness, *args: object, status: int) -> str:
    return vs.run("doctor", *args, status=status).text


def says(text: str, *words: str) -> None:
    missing = [word for word in words if word not in text]
    assert not missing, f"lacks {missing}:\n{text}"


def test_a_topic_as_it_should_be_and_how_far_it_is_counted(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(4, retention_ms=-1)
    kafka.produce(topic, ((event.voter.encode(), event.value) for event in presidential(1_000, 5)))
    url = kafka.url(topic)
    text = doctor(vs, "--log", url, status=0)
    says(text, "✓ broker ", "has 4 partitions", "keeps records for ever", "are votes of election", "each is keyed by its voter", "murmur2")
    count(vs, kafka, topic, vs.store)
    says(doctor(vs, "--log", url, "--store", vs.store, status=0), "counted to the log's end on 4 partitions")
    kafka.produce(topic, ((event.voter.encode(), event.value) for event in presidential(100, 6)))
    text = doctor(vs, "--log", url, "--store", vs.store, status=1)
    says(text, "records not counted yet", "is `votestream count` running?")


def test_topics_that_would_lose_votes_or_double_voters(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(2, retention_ms=3_600_000, cleanup_policy="compact")
    kafka.produce(topic, ((b"Ohio", event.value) for event in presidential(300, 7)))
    text = doctor(vs, "--log", kafka.url(topic), status=1)
    says(text, "is compacted", "deletes records after", "retention.ms=-1", "a key that is not the voter's id", "--route")


def test_records_behind_a_schema_registry_and_of_another_election(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(1, stem="avro")
    kafka.produce(topic, [(b"1", b"\0\0\0\0\x07\x08Ohio")] * 20)
    says(doctor(vs, "--log", kafka.url(topic), status=1), "Avro or Protobuf", "schema id 7", "JSON")
    vs.refused("init", "--sample", kafka.url(topic), says=("schema registry", "JSON"))
    other = kafka.create(1, stem="other")
    kafka.produce(other, [(b"a", b'{"member":"a","choice":"yes"}')] * 20)
    says(doctor(vs, "--log", kafka.url(other), status=1), "20 missing_id", f"init --sample '{kafka.url(other)}'")


def test_what_cannot_be_reached_is_named_with_what_to_do(vs: Harness, kafka: Kafka) -> None:
    text = doctor(vs, "--quick", "--log", "kafka://127.0.0.1:1/votes", "--server", "http://127.0.0.1:1", status=1)
    says(text, "✗ log kafka://127.0.0.1:1/votes", "refused", "✗ server http://127.0.0.1:1 does not answer")
    says(doctor(vs, "--quick", "--log", kafka.url("nothing-of-that-name"), status=1), "there is no topic", "--create-topic")


def test_a_store_in_postgresql(vs: Harness, kafka: Kafka, postgres: Postgres) -> None:
    topic = kafka.create(2)
    kafka.produce(topic, ((event.voter.encode(), event.value) for event in presidential(200, 8)))
    store = postgres.url
    url = kafka.url(topic)
    says(doctor(vs, "--store", store, status=1), "there is no results store", "count into it first")
    count(vs, kafka, topic, store)
    text = doctor(vs, "--log", url, "--store", store, status=0)
    says(text, "PostgreSQL ", "this login may count", "clock agrees", "its rows add up", "counted to the log's end")
    says(doctor(vs, "--quick", "--log", url, "--store", store, status=0), "answers")
    wrong = vs.run("doctor", "--quick", "--store", store, env={"PGPASSWORD": "wrong"}, status=1).text
    says(wrong, "✗ store", "password")


def test_a_server_that_is_ready(vs: Harness) -> None:
    vs.ingest(b'{"id":1,"state":"Ohio","decision":"Jill Stein"}\n')
    vs.count()
    _, api = vs.serve()
    says(doctor(vs, "--quick", "--server", f"http://127.0.0.1:{api.port}", status=0), "answers and is ready")


def test_a_token_from_a_file(vs: Harness) -> None:
    vs.ingest(b'{"id":1,"state":"Ohio","decision":"Jill Stein"}\n')
    vs.count()
    token: pathlib.Path = vs.file("token", b"0123456789abcdef\n")
    _, api = vs.serve("--log", vs.log, "--ingest-token-file", token)
    vote = b'{"id":2,"state":"Ohio","decision":"Jill Stein"}\n'
    api.problem(401, "POST", "/api/votes", body=vote)
    assert api.post(vote, headers={"authorization": "Bearer 0123456789abcdef"}).status == 202
    vs.refused("serve", "--store", vs.store, "--ingest-token-file", vs.dir / "none", says=("token's file",))
