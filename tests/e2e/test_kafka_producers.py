"""Producers as people write them: keyed and keyless kafka-python, confluent-kafka with its default, Java's console producer.

Topics whose voters keep their partition are counted as they are; all others are refused with a sentence that names --route,
which then counts them. Every count is compared with the oracle's over the records read back.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import confluent_kafka
import pytest
from kafka import KafkaProducer

from tests.e2e.harness import PATIENCE_SECONDS, Harness, agree
from tests.e2e.kafka_votes import MAPPINGS, Event, check, count, oracle, partition_by_crc32, partition_by_murmur2, presidential
from tests.e2e.services import Kafka, Postgres, java, put, unique
from tests.oracle.count import Count, us_president_2024

VOTES = 3_000
PARTITIONS = 4


def kafka_python_keyed(kafka: Kafka, topic: str, events: list[Event]) -> None:
    """kafka-python with a key: murmur2."""
    producer = KafkaProducer(
        bootstrap_servers=kafka.address, key_serializer=lambda key: str(key).encode(), value_serializer=lambda value: json.dumps(value).encode()
    )
    for event in events:
        producer.send(topic, key=event.voter, value=event.body)
    producer.flush(PATIENCE_SECONDS)
    producer.close()


def kafka_python_keyless(kafka: Kafka, topic: str, events: list[Event]) -> None:
    """kafka-python without a key: a random partition for each record."""
    producer = KafkaProducer(bootstrap_servers=kafka.address, value_serializer=lambda value: json.dumps(value).encode())
    for event in events:
        producer.send(topic, value=event.body)
    producer.flush(PATIENCE_SECONDS)
    producer.close()


def confluent_keyed(kafka: Kafka, topic: str, events: list[Event]) -> None:
    """confluent-kafka with its default partitioner: consistent_random, which is crc32."""
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.address})
    for event in events:
        put(producer, topic, event.voter.encode(), event.value)
    assert producer.flush(PATIENCE_SECONDS) == 0


def java_console(kafka: Kafka, topic: str, events: list[Event]) -> None:
    """Kafka's own console producer with parse.key: murmur2."""
    lines = b"".join(event.voter.encode() + b"\t" + event.value + b"\n" for event in events)
    java(
        "org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", kafka.address, "--topic", topic,
        "--property", "parse.key=true", "--property", "key.separator=\t", stdin=lines,
    )  # fmt: skip


def keyed_by_state(kafka: Kafka, topic: str, events: list[Event]) -> None:
    """Keyed, but by something that is not the voter."""
    kafka.produce(topic, (((event.body.get("state") or event.body["address"]["state"]).encode(), event.value) for event in events))


def mixed_partitioners(kafka: Kafka, topic: str, events: list[Event]) -> None:
    """Two producers on one topic: one Python with librdkafka's default, one with Java's."""
    half = len(events) // 2
    confluent_keyed(kafka, topic, events[:half])
    kafka_python_keyed(kafka, topic, events[half:])


Produce = Callable[[Kafka, str, list[Event]], None]


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("produce", [kafka_python_keyed, confluent_keyed, java_console])
def test_keyed_by_the_voter_is_counted_as_it_is(vs: Harness, kafka: Kafka, produce: Produce, mapping: str) -> None:
    topic = kafka.create(PARTITIONS, stem={"presidential": "voter_data", "votestream": "votes"}[mapping])
    produce(kafka, topic, MAPPINGS[mapping](VOTES, 1))
    count(vs, kafka, topic, vs.store, "--mapping", mapping)
    results = check(vs, kafka, topic, vs.store, us_president_2024(mapping=mapping))
    assert results["records"] == VOTES and results["duplicate"] > 50 and results["rejected"] > 20


@pytest.mark.parametrize("produce", [kafka_python_keyed, confluent_keyed])
@pytest.mark.parametrize("policy", ["first", "last"])
def test_the_same_into_postgresql(vs: Harness, kafka: Kafka, postgres: Postgres, produce: Produce, policy: str) -> None:
    topic = kafka.create(PARTITIONS, stem="voter_data")
    produce(kafka, topic, presidential(VOTES, 2))
    count(vs, kafka, topic, postgres.url, "--duplicate", policy)
    check(vs, kafka, topic, postgres.url, us_president_2024(duplicate=policy))


def test_topics_by_the_names_of_the_interface(vs: Harness, kafka: Kafka) -> None:
    for mapping, name in (("presidential", "voter_data"), ("votestream", "votes")):
        if name not in kafka.admin.list_topics(timeout=PATIENCE_SECONDS).topics:
            kafka.create(1, name=name)
        kafka_python_keyed(kafka, name, MAPPINGS[mapping](200, 3))
        store = f"sqlite:{vs.dir / name}.db"
        count(vs, kafka, name, store, "--mapping", mapping)
        check(vs, kafka, name, store, us_president_2024(mapping=mapping))


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("produce", [kafka_python_keyless, keyed_by_state, mixed_partitioners])
def test_anything_else_is_refused_and_counted_when_routed(
    vs: Harness, kafka: Kafka, postgres: Postgres, produce: Produce, mapping: str
) -> None:
    topic = kafka.create(PARTITIONS, stem="scattered")
    produce(kafka, topic, MAPPINGS[mapping](VOTES, 4))
    flags = ("--mapping", mapping)
    vs.refused("count", "--log", kafka.url(topic), "--store", postgres.url, "--until-end", *flags, says=("--route", "partitioner"))
    fresh = Postgres(postgres.server_url)
    count(vs, kafka, topic, fresh.url, "--route", *flags)
    routed = f"{topic}.by-voter"
    results = check(vs, kafka, routed, fresh.url, us_president_2024(mapping=mapping))
    assert results["records"] == VOTES == len(kafka.records(routed))
    # Nothing more to do the second time.
    count(vs, kafka, topic, fresh.url, "--route", *flags)
    assert vs.results(store=fresh.url)["records"] == VOTES == len(kafka.records(routed))
    fresh.drop()


def test_a_topic_with_one_partition_needs_no_key(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(1)
    kafka_python_keyless(kafka, topic, presidential(VOTES, 5))
    count(vs, kafka, topic, vs.store)
    check(vs, kafka, topic, vs.store, us_president_2024())


def test_misrouted_records_are_rejects_where_that_was_asked_for(vs: Harness, kafka: Kafka) -> None:
    """Most keep the rule (murmur2); one in fifty lies where neither partitioner puts it."""
    rng = random.Random(6)
    topic = kafka.create(PARTITIONS)
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.address, "enable.idempotence": True})
    answer, misrouted = Count(us_president_2024()), 0
    for event in presidential(VOTES, 6):
        key = event.voter.encode()
        right = partition_by_murmur2(key, PARTITIONS)
        wrong = [p for p in range(PARTITIONS) if p not in (right, partition_by_crc32(key, PARTITIONS))]
        if rng.random() < 0.02 and event.body["age"] > 17 and event.body["state"] != "Atlantis" and event.body["decision"] != "Nobody":
            put(producer, topic, key, event.value, partition=rng.choice(wrong))
            misrouted += 1
            continue
        answer.add(event.value)
        put(producer, topic, key, event.value, partition=right)
    assert producer.flush(PATIENCE_SECONDS) == 0
    vs.refused("count", "--log", kafka.url(topic), "--store", f"sqlite:{vs.dir / 'refused.db'}", "--until-end", says=("--route", "partitioner"))
    count(vs, kafka, topic, vs.store, "--misrouted=reject")
    expected = answer.results()
    expected["records"] += misrouted
    expected["rejected"] += misrouted
    assert misrouted > 20
    agree(vs.results(), expected)


def test_two_producers_of_one_voter_still_meet(vs: Harness, kafka: Kafka) -> None:
    """kafka-python and Java agree on murmur2: the same voters from both are duplicates."""
    topic = kafka.create(PARTITIONS, stem=unique("both"))
    events = presidential(400, 7)
    kafka_python_keyed(kafka, topic, events)
    java_console(kafka, topic, events)
    count(vs, kafka, topic, vs.store)
    results = check(vs, kafka, topic, vs.store, us_president_2024())
    assert results["duplicate"] > 350
    assert oracle(kafka, topic, us_president_2024())["records"] == 800
