"""Records as no tidy producer writes them, and topics that change while they are counted: each tally is the oracle's, or counting stops
with a sentence, nothing lost and nothing doubled."""

from __future__ import annotations

import json
import random
import signal

import confluent_kafka

from tests.e2e.harness import PATIENCE_SECONDS, Harness, Process, until
from tests.e2e.kafka_votes import check, count, counted_records, presidential
from tests.e2e.services import Kafka, Postgres, put
from tests.oracle.count import us_president_2024

UUID = "8425b6be-a0ee-409d-a4ad-94801aae048f"
# As they stand in the JSON; a producer's key is the text of each, or none.
IDS = [
    "007", "7", 7, "0", 0, "00", 2**64 - 1, 2**64, str(2**64 - 1), str(2**64), UUID, UUID.replace("-", ""), " 7", "7 ", "é", "\0x",
    "x" * 128, "x" * 129, "", -1, 1.0, 1e3, True, None, [], {}, "12", "012", "\U0001f600", "A", "a",
]  # fmt: skip


def odd(rng: random.Random, voter: object) -> bytes:
    body = {
        "id": voter,
        "state": rng.choice(["OH", "ohio", " Ohio ", "TX", "Atlantis", None]),
        "decision": rng.choice(["trump", "Kamala Harris", " STEIN", 3]),
        "age": rng.choice([None, 30, "30-44", "65+", 150, 151, 17, 18]),
        "gender": rng.choice([None, "male", "FEMALE", "x"]),
        "time": rng.choice([None, "2024-11-05T10:00:00Z", "bad"]),
    }
    return json.dumps(body, ensure_ascii=rng.random() < 0.5).encode()


def test_ids_headers_and_the_brokers_own_time(vs: Harness, kafka: Kafka, postgres: Postgres) -> None:
    """LogAppendTime, headers with no value, ids of every kind: by both rules for duplicates, by both readers."""
    topic = kafka.create(4, message_timestamp_type="LogAppendTime")
    rng = random.Random(1)
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.address, "partitioner": "murmur2_random", "compression.type": "zstd"})
    for _ in range(40):
        for voter in IDS:
            key = str(voter).encode() if isinstance(voter, str | int) and not isinstance(voter, bool) else None
            producer.produce(topic, odd(rng, voter), key, headers=[("trace", b"\xff\x00" * 20), ("none", None)])
            producer.poll(0)
    assert producer.flush(PATIENCE_SECONDS) == 0
    count(vs, kafka, topic, postgres.url, "--duplicate", "last")
    assert check(vs, kafka, topic, postgres.url, us_president_2024(duplicate="last"))["records"] == 40 * len(IDS)
    vs.run("count", "--log", kafka.url(topic, reader="librdkafka"), "--store", vs.store, "--until-end")
    check(vs, kafka, topic, vs.store, us_president_2024())


def test_one_voter_by_a_uuid_in_either_case(vs: Harness, kafka: Kafka) -> None:
    """Keyed in lower case it is counted; keyed as written the voter may lie on two partitions, and routing brings both together."""
    records = [(UUID, UUID), (UUID.upper(), UUID), (UUID, UUID)]
    value = lambda voter: json.dumps({"id": voter, "state": "OH", "decision": "trump"}).encode()  # noqa: E731
    lower = kafka.create(4)
    kafka.produce(lower, [(key.encode(), value(voter)) for voter, key in records])
    count(vs, kafka, lower, vs.store)
    results = check(vs, kafka, lower, vs.store, us_president_2024())
    assert (results["counted"], results["duplicate"]) == (1, 2)
    written = kafka.create(4)
    kafka.produce(written, [(voter.encode(), value(voter)) for voter, _ in records])
    store = f"sqlite:{vs.dir / 'routed.db'}"
    vs.refused("count", "--log", kafka.url(written), "--store", f"sqlite:{vs.dir / 'no.db'}", "--until-end", says=("--route",))
    count(vs, kafka, written, store, "--route")
    assert check(vs, kafka, f"{written}.by-voter", store, us_president_2024())["counted"] == 1


def counting(vs: Harness, kafka: Kafka, postgres: Postgres, topic: str, seed: int) -> Process:
    """A worker that has counted a thousand records of the topic and waits for more."""
    kafka.produce(topic, [(event.voter.encode(), event.value) for event in presidential(1_000, seed)])
    worker = vs.start("count", "--log", kafka.url(topic), "--store", postgres.url)
    until(lambda: counted_records(vs, postgres.url) == 1_000, "the first records to be counted")
    return worker


def test_a_topic_made_anew_under_a_worker(vs: Harness, kafka: Kafka, postgres: Postgres) -> None:
    topic = kafka.create(2)
    worker = counting(vs, kafka, postgres, topic, 5)
    kafka.delete(topic)
    kafka.create(2, name=topic)
    kafka.produce(topic, [(event.voter.encode(), event.value) for event in presidential(3_000, 6)])
    outcome = worker.wait()
    assert outcome.status == 2
    outcome.says(topic, "deleted and made anew", "--from-scratch")
    assert vs.results(store=postgres.url)["records"] == 1_000


def test_records_deleted_under_a_worker(vs: Harness, kafka: Kafka, postgres: Postgres) -> None:
    """What is counted may go; what is not counted may not."""
    topic = kafka.create(2)
    worker = counting(vs, kafka, postgres, topic, 7)
    for partition, end in kafka.ends(topic).items():
        kafka.delete_records(topic, partition, end)
    kafka.produce(topic, [(event.voter.encode(), event.value) for event in presidential(500, 8)])
    until(lambda: counted_records(vs, postgres.url) == 1_500, "what follows the deleted records to be counted")
    worker.signal(signal.SIGSTOP)
    for seed in (9, 10):
        kafka.produce(topic, [(event.voter.encode(), event.value) for event in presidential(500, seed)])
        if seed == 9:
            for partition, end in kafka.ends(topic).items():
                kafka.delete_records(topic, partition, end)
    worker.signal(signal.SIGCONT)
    outcome = worker.wait()
    assert outcome.status == 2
    outcome.says(topic, "its beginning is gone")
    assert vs.results(store=postgres.url)["records"] == 1_500


def test_two_elections_on_one_topic_into_one_database(vs: Harness, kafka: Kafka, postgres: Postgres) -> None:
    """Each has a group of its own: neither takes partitions from the other."""
    topic = kafka.create(3)
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.address})
    for event in presidential(3_000, 11):
        put(producer, topic, event.voter.encode(), event.value)
    assert producer.flush(PATIENCE_SECONDS) == 0
    drafted = vs.dir / "drafted.toml"
    vs.run("init", "--sample", kafka.url(topic), drafted)
    flags = ("count", "--log", kafka.url(topic), "--store", postgres.url, "--until-end")
    workers = [vs.start(*flags), vs.start(*flags, "--election", drafted)]
    assert [worker.wait().status for worker in workers] == [0, 0]
    vs.refused("results", "--store", postgres.url, "--format", "json", says=("several elections", "--election"))
    for election in ("us-president-2024", "my-election"):
        assert vs.results("--election", election, store=postgres.url)["records"] == 3_000
        assert "identical" in vs.recount("--election", election, log=kafka.url(topic), store=postgres.url).text
