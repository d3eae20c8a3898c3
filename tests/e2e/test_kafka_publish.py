"""`count --publish`: results by region and candidate in a compacted topic, each with its sequence; what is held is withheld there too."""

from __future__ import annotations

import json

from tests.e2e.harness import Harness, until
from tests.e2e.kafka_votes import counted_records, presidential
from tests.e2e.services import Broker, Kafka, Postgres, unique

ELECTION = "us-president-2024"


def newest(kafka: Kafka, topic: str) -> dict[str, dict]:
    """The last value of each key, as a reader of a compacted topic has it."""
    values: dict[str, dict] = {}
    for record in kafka.records(topic):
        assert record.key is not None and record.value is not None
        value = json.loads(record.value)
        before = values.get(record.key.decode())
        assert before is None or before["sequence"] <= value["sequence"], "a key's sequence fell"
        values[record.key.decode()] = value
    return values


def test_published_results_are_those_of_the_store(vs: Harness, kafka: Kafka) -> None:
    votes, published = kafka.create(3), unique("results")
    flags = ("--log", kafka.url(votes), "--store", vs.store, "--until-end", "--publish", kafka.url(published))
    kafka.produce(votes, ((event.voter.encode(), event.value) for event in presidential(3_000, 1)))
    vs.run("count", *flags)
    assert kafka.settings(published)["cleanup.policy"] == "compact"
    results, values = vs.results(store=vs.store), newest(kafka, published)
    for candidate in results["candidates"]:
        assert values[f"{ELECTION}/*/{candidate['id']}"]["votes"] == candidate["votes"]
        assert values[f"{ELECTION}/*/{candidate['id']}"]["region"] is None
    for region in results["regions"]:
        for candidate, count in region["votes"].items():
            value = values[f"{ELECTION}/{region['code']}/{candidate}"]
            assert (value["votes"], value["region"], value["candidate"]) == (count, region["code"], candidate)
            assert value["sequence"] <= results["sequence"] and not value["withheld"]
    assert len(values) == (1 + len(results["regions"])) * len(results["candidates"])

    vs.run("hold", "--store", vs.store, "--region", "OH")
    kafka.produce(votes, ((event.voter.encode(), event.value) for event in presidential(500, 2)))
    vs.run("count", *flags)
    held = [value for key, value in newest(kafka, published).items() if key.startswith(f"{ELECTION}/OH/")]
    assert held and all(value["withheld"] and value["votes"] is None for value in held)


def test_what_was_counted_before_and_what_the_desk_does_meanwhile(vs: Harness, kafka: Kafka, postgres: Postgres) -> None:
    """Nothing is to be counted: a first run publishes all the same, and a waiting worker tells of acts of the desk."""
    votes, published = kafka.create(2), unique("results")
    kafka.produce(votes, ((event.voter.encode(), event.value) for event in presidential(2_000, 3)))
    flags = ("--log", kafka.url(votes), "--store", postgres.url)
    vs.run("count", *flags, "--until-end")
    flags += ("--publish", kafka.url(published))
    vs.run("count", *flags, "--until-end")
    results = vs.results(store=postgres.url)
    ohio = next(region["votes"] for region in results["regions"] if region["code"] == "OH")
    assert len(newest(kafka, published)) == (1 + len(results["regions"])) * len(results["candidates"])
    worker = vs.start("count", *flags)
    for act, told in (("hold", dict.fromkeys(ohio)), ("reopen", ohio)):
        vs.run(act, "--store", postgres.url, "--region", "OH")
        until(lambda told=told: {c: newest(kafka, published)[f"{ELECTION}/OH/{c}"]["votes"] for c in told} == told, f"{act} to be told", 30)
    assert worker.stop().status == 0


def test_a_broker_that_hangs_at_the_start_gets_the_results_once_it_goes_on(vs: Harness, broker: Broker) -> None:
    vs.run("simulate", "--votes", 2_000, "--to", vs.log)
    published = unique("results")
    broker.freeze()
    worker = vs.start("count", "--log", vs.log, "--store", vs.store, "--publish", f"kafka://127.0.0.1:{broker.port}/{published}")
    try:
        until(lambda: "results are not published now" in worker.err(), "a word about the broker")
        until(lambda: counted_records(vs, vs.store) == 2_000, "all to be counted meanwhile")
    finally:
        broker.thaw()
    until(lambda: "results are published again" in worker.err(), "the results to be published")
    results, values = vs.results(), newest(broker.kafka(), published)
    assert all(values[f"{ELECTION}/*/{candidate['id']}"]["votes"] == candidate["votes"] for candidate in results["candidates"])
    assert worker.stop().status == 0


def test_only_a_topic_can_be_published_to(vs: Harness, kafka: Kafka) -> None:
    votes = kafka.create(1)
    vs.refused("count", "--log", kafka.url(votes), "--store", vs.store, "--until-end", "--publish", "dir:x", says=("--publish", "kafka://"))
