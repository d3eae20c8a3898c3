"""What a topic may hold and be: odd records, every codec, aborted transactions; and the topics that are refused by name."""

from __future__ import annotations

import socket

import confluent_kafka
import pytest

from tests.e2e.harness import PATIENCE_SECONDS, Harness, agree, free_port, until
from tests.e2e.kafka_votes import Event, check, count, oracle, presidential
from tests.e2e.services import Kafka, Postgres, put, unique
from tests.oracle.count import us_president_2024

PARTITIONS = 3


def keyed(events: list[Event]) -> list[tuple[bytes | None, bytes | None]]:
    return [(event.voter.encode(), event.value) for event in events]


def refused(vs: Harness, kafka: Kafka, topic: str, store: str, *flags: object, says: tuple[str, ...]) -> None:
    vs.refused("count", "--log", kafka.url(topic), "--store", store, "--until-end", *flags, says=says)


# --- what it holds ---


def test_tombstones_null_keys_empty_values_and_huge_records(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(1, max_message_bytes=4_000_000)
    events = keyed(presidential(300, 1))
    odd: list[tuple[bytes | None, bytes | None]] = [
        (b"5", None), (None, None), (None, b""), (b"7", b"not json"), (b"8", b'{"id":8,"pad":"' + b"x" * 1_000_000 + b'"}'),
        (None, b"x" * 65_536), (None, b"x" * 65_537), (b"\xff\x00", b"[]"),
    ]  # fmt: skip
    kafka.produce(topic, events[:150] + odd + events[150:], **{"message.max.bytes": 4_000_000})
    count(vs, kafka, topic, vs.store)
    results = check(vs, kafka, topic, vs.store, us_president_2024())
    assert results["records"] == 308


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_codec(vs: Harness, kafka: Kafka, codec: str) -> None:
    topic = kafka.create(PARTITIONS)
    kafka.produce(topic, keyed(presidential(2_000, 2)), **{"compression.type": codec, "linger.ms": 50})
    count(vs, kafka, topic, vs.store)
    check(vs, kafka, topic, vs.store, us_president_2024())


def test_all_codecs_in_one_topic(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(PARTITIONS)
    for seed, codec in enumerate(["zstd", "none", "gzip", "lz4", "snappy"]):
        kafka.produce(topic, keyed(presidential(300, seed)), **{"compression.type": codec})
    count(vs, kafka, topic, vs.store)
    assert check(vs, kafka, topic, vs.store, us_president_2024())["records"] == 1_500


def test_aborted_transactions_hold_no_votes(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(PARTITIONS)
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.address, "transactional.id": unique("tx"), "partitioner": "murmur2_random"})
    producer.init_transactions(PATIENCE_SECONDS)
    committed = 0
    for round_ in range(8):
        producer.begin_transaction()
        events = presidential(200, 100 + round_)
        for event in events:
            put(producer, topic, event.voter.encode(), event.value)
        producer.flush(PATIENCE_SECONDS)
        if round_ % 3 == 1:
            producer.abort_transaction(PATIENCE_SECONDS)
        else:
            producer.commit_transaction(PATIENCE_SECONDS)
            committed += len(events)
    count(vs, kafka, topic, vs.store)
    assert check(vs, kafka, topic, vs.store, us_president_2024())["records"] == committed


def test_an_open_transaction_holds_back_what_follows(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(1)
    kafka.produce(topic, keyed(presidential(100, 3)))
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.address, "transactional.id": unique("open")})
    producer.init_transactions(PATIENCE_SECONDS)
    producer.begin_transaction()
    put(producer, topic, b"1", presidential(1, 4)[0].value)
    producer.flush(PATIENCE_SECONDS)
    kafka.produce(topic, keyed(presidential(50, 5)))
    count(vs, kafka, topic, vs.store)
    assert vs.results()["records"] == 100
    producer.abort_transaction(PATIENCE_SECONDS)
    until(lambda: kafka.ends(topic)[0] >= 152, "the last stable offset to pass the aborted transaction")
    count(vs, kafka, topic, vs.store)
    assert check(vs, kafka, topic, vs.store, us_president_2024())["records"] == 150


def test_an_empty_topic_waits_and_then_counts(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(PARTITIONS)
    count(vs, kafka, topic, vs.store)
    assert vs.results()["records"] == 0
    worker = vs.start("count", "--log", kafka.url(topic), "--store", vs.store)
    kafka.produce(topic, keyed(presidential(500, 6)))
    until(lambda: vs.results()["records"] == 500, "the votes that came to an empty topic to be counted")
    assert worker.stop().status == 0
    check(vs, kafka, topic, vs.store, us_president_2024())


# --- what it is ---


def test_a_compacted_topic_is_refused_unless_asked_for(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(PARTITIONS, cleanup_policy="compact")
    kafka.produce(topic, keyed(presidential(200, 7)))
    refused(vs, kafka, topic, vs.store, says=("cleanup.policy", "compact", "--from-log-start"))
    count(vs, kafka, topic, vs.store, "--from-log-start")
    check(vs, kafka, topic, vs.store, us_president_2024())


def test_a_topic_whose_start_is_gone_is_refused_unless_asked_for(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(1)
    kafka.produce(topic, keyed(presidential(200, 8)))
    kafka.delete_records(topic, 0, 50)
    refused(vs, kafka, topic, vs.store, says=("starts at offset 50", "--from-log-start"))
    count(vs, kafka, topic, vs.store, "--from-log-start")
    agree(vs.results(), oracle(kafka, topic, us_president_2024()))
    assert vs.results()["records"] == 150


def test_a_topic_made_anew_under_its_name_is_refused(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(PARTITIONS)
    kafka.produce(topic, keyed(presidential(200, 9)))
    count(vs, kafka, topic, vs.store)
    kafka.delete(topic)
    kafka.create(PARTITIONS, name=topic)
    kafka.produce(topic, keyed(presidential(200, 9)))
    refused(vs, kafka, topic, vs.store, says=("was begun with", "start a new store"))
    assert vs.results()["records"] == 200


def test_more_partitions_than_before_are_refused(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(2)
    kafka.produce(topic, keyed(presidential(200, 10)))
    count(vs, kafka, topic, vs.store)
    kafka.add_partitions(topic, 5)
    refused(vs, kafka, topic, vs.store, says=("was begun with", "partitions 2", "5"))


def test_a_log_that_starts_behind_what_was_counted_is_refused(vs: Harness, kafka: Kafka) -> None:
    """Retention has taken records that are not counted yet: never passed over in silence."""
    topic = kafka.create(1)
    kafka.produce(topic, keyed(presidential(100, 11)))
    count(vs, kafka, topic, vs.store)
    kafka.produce(topic, keyed(presidential(100, 12)))
    kafka.delete_records(topic, 0, 150)
    refused(vs, kafka, topic, vs.store, says=(topic, "150"))


def test_a_topic_of_another_election_is_refused(vs: Harness, kafka: Kafka) -> None:
    one, other = kafka.create(2), kafka.create(2)
    for topic in (one, other):
        kafka.produce(topic, keyed(presidential(100, 13)))
    count(vs, kafka, one, vs.store)
    refused(vs, kafka, other, vs.store, says=("was begun with", "start a new store"))
    # A store of its own takes it.
    count(vs, kafka, other, f"sqlite:{vs.dir / 'other.db'}")


def test_a_missing_topic_is_named_with_what_to_do(vs: Harness, kafka: Kafka) -> None:
    topic = unique("missing")
    refused(vs, kafka, topic, vs.store, says=(topic,))


# --- how it is reached ---


def test_nobody_listens_there(vs: Harness) -> None:
    address = f"127.0.0.1:{free_port()}"
    vs.refused("count", "--log", f"kafka://{address}/voter_data", "--store", vs.store, "--until-end", says=(address,))


def test_a_name_that_no_resolver_knows(vs: Harness) -> None:
    vs.refused("count", "--log", "kafka://kafka.invalid:9092/voter_data", "--store", vs.store, "--until-end", says=("kafka.invalid",))


def test_something_else_listens_there(vs: Harness, postgres: Postgres) -> None:
    port = postgres.server_url.rpartition(":")[2].split("/")[0]
    vs.refused("count", "--log", f"kafka://127.0.0.1:{port}/voter_data", "--store", vs.store, "--until-end", says=(f"127.0.0.1:{port}",))


def test_a_listener_that_never_answers(vs: Harness) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        vs.refused("count", "--log", f"kafka://{address}/voter_data", "--store", vs.store, "--until-end", says=(address,))


def test_tls_to_a_plain_listener(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(1)
    url = kafka.url(topic, tls="true")
    vs.refused("count", "--log", url, "--store", vs.store, "--until-end", says=("TLS",))


def test_a_password_in_the_url_is_refused_and_not_repeated(vs: Harness, kafka: Kafka) -> None:
    url = kafka.url("voter_data", sasl="plain", user="alice", password="hunter2")
    outcome = vs.refused("count", "--log", url, "--store", vs.store, "--until-end", says=("password_file", "VOTESTREAM_KAFKA_PASSWORD"))
    assert "hunter2" not in outcome.err
