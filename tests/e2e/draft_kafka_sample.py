"""`init --sample kafka://…` drafts what `count` then counts, from messages shaped as the usual tutorial's.

A draft: it joins the suite, as test_kafka_sample.py, with the binary that samples topics.
"""

from __future__ import annotations

from tests.e2e.harness import Harness
from tests.e2e.kafka_votes import count, presidential, tutorial
from tests.e2e.services import Kafka
from tests.oracle.count import Count


def test_a_definition_is_drafted_from_a_topic_of_the_usual_tutorial(vs: Harness, kafka: Kafka) -> None:
    events, election = tutorial(2_000, 1)
    topic = kafka.create(3, stem="votes_topic")
    kafka.produce(topic, ((event.voter.encode(), event.value) for event in events), partitioner="consistent_random")
    draft = vs.dir / "drafted.toml"
    vs.run("init", "--sample", kafka.url(topic), draft)
    count(vs, kafka, topic, vs.store, "--election", draft)
    results = vs.results()
    answer = Count(election)
    for event in events:
        assert answer.add(event.value) == "counted"
    expected = answer.results()
    assert (results["records"], results["counted"]) == (2_000, 2_000)
    assert {c["name"]: (c["party"], c["votes"]) for c in results["candidates"]} == {
        c["name"]: (c["party"], c["votes"]) for c in expected["candidates"]
    }
    assert {r["name"]: r["counted"] for r in results["regions"]} == {r["name"]: r["counted"] for r in expected["regions"]}
    vs.recount(log=kafka.url(topic))


def test_a_sample_of_an_empty_topic_says_so(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(2, stem="empty")
    vs.refused("init", "--sample", kafka.url(topic), says=(topic, "no records"))


def test_drafted_regions_keep_the_oracles_total(vs: Harness, kafka: Kafka) -> None:
    """The presidential shape, drafted instead of taken from the preset: records add up and a recount is identical."""
    topic = kafka.create(2, stem="drafted")
    kafka.produce(topic, ((event.voter.encode(), event.value) for event in presidential(1_500, 3)))
    draft = vs.dir / "drafted.toml"
    vs.run("init", "--sample", kafka.url(topic), draft)
    count(vs, kafka, topic, vs.store, "--election", draft)
    results = vs.results()
    assert results["records"] == 1_500
    assert results["counted"] + results["duplicate"] + results["rejected"] == 1_500
    vs.recount(log=kafka.url(topic))
