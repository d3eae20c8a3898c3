"""The generated stream: the exact event shape, any number of clients, and both ways of it into a log."""

from __future__ import annotations

import http.client
import itertools
import json

import pytest

from tests.e2e.harness import Api, Harness, agree, free_port, until
from tests.oracle.count import Count, us_president_2024

EVENTS = 5_000


@pytest.fixture
def source(vs: Harness) -> Api:
    port = free_port()
    process = vs.start("source", "--listen", f"127.0.0.1:{port}")
    api = Api(port)

    def answers() -> bool:
        assert process.running(), process.err()
        try:
            with api.events("/api/stream_votes?limit=1", seconds=5) as events:
                return next(events, None) is not None
        except (OSError, http.client.HTTPException):
            return False

    until(answers, "the source to answer")
    return api


def votes_of(source: Api, query: str, count: int) -> list[bytes]:
    with source.events(f"/api/stream_votes?{query}") as events:
        return [event["data"].encode() for event in itertools.islice(events, count)]


def test_event_shape(source: Api) -> None:
    names = {region.name for region in us_president_2024().regions}
    candidates = {candidate.name for candidate in us_president_2024().candidates}
    seen = set()
    for data in votes_of(source, f"rate=1000000&limit={EVENTS}", EVENTS):
        event = json.loads(data)
        assert set(event) == {"id", "gender", "age", "state", "decision"}
        assert type(event["id"]) is int and 10**15 <= event["id"] < 10**16
        assert event["gender"] in ("Male", "Female")
        assert type(event["age"]) is int and 18 <= event["age"] <= 150
        assert event["state"] in names
        assert event["decision"] in candidates
        seen.add(event["id"])
    assert len(seen) == EVENTS


def test_limit_ends_the_stream_and_a_seed_repeats_it(source: Api) -> None:
    one, two = (votes_of(source, "rate=1000000&limit=500&seed=4", 10_000) for _ in range(2))
    assert len(one) == 500 and one == two
    assert votes_of(source, "rate=1000000&limit=500&seed=5", 10_000) != one


def test_no_limit_has_no_end_and_clients_do_not_share(source: Api) -> None:
    with source.events("/api/stream_votes?rate=100000") as one, source.events("/api/stream_votes?rate=100000") as two:
        for events in (one, two):
            assert len(list(itertools.islice(events, 3_000))) == 3_000


def test_wrong_queries_are_problems(source: Api) -> None:
    for query in ("rate=fast", "rate=-1", "limit=x", "seed=x"):
        source.problem(400, "GET", f"/api/stream_votes?{query}")
    source.problem(404, "GET", "/api/nothing")


def test_up_has_the_source_too(vs: Harness) -> None:
    up = vs.up("--votes", 1_000).ready()
    event = json.loads(votes_of(Api(up.source_port), "limit=1", 1)[0])
    assert set(event) == {"id", "gender", "age", "state", "decision"}


def test_piped_into_ingest(vs: Harness, source: Api) -> None:
    """`curl -N …/api/stream_votes | votestream ingest -`"""
    connection = http.client.HTTPConnection("127.0.0.1", source.port, timeout=30)
    connection.request("GET", f"/api/stream_votes?rate=1000000&limit={EVENTS}&seed=8")
    body = connection.getresponse().read()
    connection.close()
    vs.run("ingest", "-", "--log", vs.log, stdin=body)
    vs.count()
    results = vs.results()
    assert results["records"] == results["counted"] == EVENTS
    agree(results, oracle(votes_of(source, f"rate=1000000&limit={EVENTS}&seed=8", EVENTS)))


def test_ingest_from_url(vs: Harness, source: Api) -> None:
    query = f"rate=1000000&limit={EVENTS}&seed=9"
    vs.run("ingest", "--from", f"http://127.0.0.1:{source.port}/api/stream_votes?{query}", "--log", vs.log)
    vs.count()
    agree(vs.results(), oracle(votes_of(source, query, EVENTS)))


def test_an_endless_url_is_ended_by_a_signal(vs: Harness, source: Api) -> None:
    """Everything taken before the signal is in the log; the exit status is 0."""
    vs.ingest(b"\n")
    process = vs.start("ingest", "--from", f"http://127.0.0.1:{source.port}/api/stream_votes?rate=20000", "--log", vs.log)
    count = vs.start("count", "--log", vs.log, "--store", vs.store)
    until(lambda: (vs.dir / "results.db").exists() and vs.run("results", "--store", vs.store, "--format", "json", status=None).status == 0, "a store")
    until(lambda: vs.results()["counted"] > 5_000, "votes to flow")
    assert process.stop().status == 0
    assert count.stop().status == 0
    vs.count()
    results = vs.results()
    assert results["records"] == results["counted"] > 5_000
    vs.recount()


def oracle(records: list[bytes]) -> dict:
    count = Count(us_president_2024())
    for record in records:
        count.add(record)
    return count.results()
