"""Schema registry framing: JSON Schema is read, Avro and Protobuf are refused with a sentence."""

from __future__ import annotations

import struct

import pytest

from tests.e2e.harness import Harness
from tests.e2e.kafka_votes import count, presidential
from tests.e2e.services import Kafka
from tests.oracle.count import Count, us_president_2024


def framed(schema: int, value: bytes) -> bytes:
    return b"\0" + struct.pack(">i", schema) + value


def test_json_schema_framing_is_read(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(4, stem="json-schema")
    events = presidential(1_000, 2)
    kafka.produce(topic, ((event.voter.encode(), framed(7, event.value)) for event in events))
    count(vs, kafka, topic, vs.store)
    answer = Count(us_president_2024())
    for record in kafka.records(topic):
        answer.add(record.value[5:])
    results = vs.results()
    expected = answer.results()
    for key in ("records", "counted", "duplicate", "rejected"):
        assert results[key] == expected[key]
    assert {c["id"]: c["votes"] for c in results["candidates"]} == {c["id"]: c["votes"] for c in expected["candidates"]}


# An Avro record (a long, two strings) and a Protobuf one (message index 0, fields 1 to 3), as their serializers write them.
AVRO = b"\x80\x80\x9c\xf4\xb5\xae\x8e\x07\x08Ohio\x18Donald Trump"
PROTOBUF = b"\x00\x08\x80\x80\x9c\xf4\x05\x12\x04Ohio\x1a\x0cDonald Trump"


@pytest.mark.parametrize("body", [AVRO, PROTOBUF], ids=["avro", "protobuf"])
def test_avro_and_protobuf_are_refused_with_a_sentence(vs: Harness, kafka: Kafka, body: bytes) -> None:
    topic = kafka.create(2, stem="registry")
    kafka.produce(topic, ((str(i).encode(), framed(7, body)) for i in range(50)))
    vs.refused("count", "--log", kafka.url(topic), "--store", vs.store, "--until-end", says=("schema registry", "JSON"))
