"""POST /api/votes: every line a record, an outcome a line once durable, 400 only where nothing was appended."""

from __future__ import annotations

import json
import socket

from tests.e2e.harness import Api, Harness, Process, agree, until
from tests.oracle.count import count_bytes, us_president_2024
from tests.oracle.generate import Stream, array, json_records, ndjson


def live(vs: Harness) -> tuple[Api, Process]:
    """An election with an open log: `serve` takes votes, `count` follows."""
    vs.ingest(b"\n")
    vs.count()
    _, api = vs.serve("--log", vs.log)
    count = vs.start("count", "--log", vs.log, "--store", vs.store)
    return api, count


def await_records(api: Api, records: int) -> dict:
    return until(
        lambda: (results := api.json("/api/results"))["records"] >= records and results, f"{records} records to be counted"
    )


def test_hostile_lines(vs: Harness) -> None:
    api, count = live(vs)
    records = Stream(41).records(3_000)
    for at in range(0, len(records), 500):
        batch = records[at : at + 500]
        answer = api.post(ndjson(batch, at))
        assert answer.status == 202, answer.body[:500]
        assert len(answer.body.splitlines()) == len(batch)
    results = await_records(api, 3_000)
    agree(results, count_bytes(us_president_2024(), ndjson(records, plain=True)))
    count.stop()
    vs.recount()


def test_an_array(vs: Harness) -> None:
    api, _ = live(vs)
    records = json_records(Stream(42).records(800))
    answer = api.post(array(records, 42), content_type="application/json")
    assert answer.status == 202, answer.body[:500]
    assert len(answer.json()) == len(records)
    agree(await_records(api, len(records)), count_bytes(us_president_2024(), ndjson(records, plain=True)))


def test_a_retry_counts_nobody_twice(vs: Harness) -> None:
    api, _ = live(vs)
    body = ndjson([json.dumps({"id": n, "state": "OH", "decision": "stein"}).encode() for n in range(1, 101)], plain=True)
    for _ in range(3):
        assert api.post(body).status == 202
    results = await_records(api, 300)
    assert (results["counted"], results["duplicate"], results["rejected"]) == (100, 200, 0)


def test_nothing_in_it_is_400(vs: Harness) -> None:
    api, _ = live(vs)
    for body in (b"", b"\n \n\r\n"):
        api.problem(400, "POST", "/api/votes", body=body, headers={"content-type": "application/x-ndjson"})


def test_a_body_over_the_bound_is_413_and_appends_nothing(vs: Harness) -> None:
    api, count = live(vs)
    body = (b'{"id":1,"state":"OH","decision":"stein","note":"' + b"n" * 60_000 + b'"}\n') * 2_000
    try:
        answer = api.post(body)
    except (BrokenPipeError, ConnectionResetError):
        answer = None  # the server may answer and hang up before all of the body has been sent
    if answer is not None:
        assert answer.status == 413 and answer.headers["content-type"].startswith("application/problem+json")
    assert api.post(b'{"id":2,"state":"OH","decision":"stein"}\n').status == 202
    assert await_records(api, 1)["records"] == 1


def test_a_body_that_breaks_off_appends_nothing_half(vs: Harness) -> None:
    api, _ = live(vs)
    with socket.create_connection(("127.0.0.1", api.port)) as sock:
        sock.sendall(
            b"POST /api/votes HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\ncontent-length: 500\r\n\r\n"
            b'{"id":1,"state":"OH","decision":"stein"}\n{"id":2,"state":"O'
        )
    assert api.post(b'{"id":3,"state":"OH","decision":"stein"}\n').status == 202
    results = await_records(api, 1)
    assert results["rejected"] == 0


def test_votes_that_up_takes(vs: Harness) -> None:
    up = vs.up("--votes", 5_000, "--rate", "max").ready()
    until(lambda: up.api.json("/api/results")["records"] >= 5_000, "the simulated votes")
    answer = up.api.post(b'{"id":"late","state":"OH","decision":"stein"}\nrubbish\n')
    assert answer.status == 202 and len(answer.body.splitlines()) == 2
    results = until(lambda: (r := up.api.json("/api/results"))["records"] >= 5_002 and r, "the posted votes")
    assert (results["counted"], results["rejected"]) == (5_001, 1)


def test_a_retry_under_last_with_a_key_replaces_nothing(vs: Harness) -> None:
    """Under `last` a late retry would overrule a newer vote: an `Idempotency-Key` makes it the same request."""
    vs.ingest(b"\n")
    vs.count("--duplicate", "last")
    _, api = vs.serve("--log", vs.log)
    vs.start("count", "--log", vs.log, "--store", vs.store)
    vote = b'{"id":1,"state":"OH","decision":"%s"}\n'
    first = api.post(vote % b"stein", headers={"idempotency-key": "one"})
    assert first.status == 202
    assert api.post(vote % b"trump", headers={"idempotency-key": "two"}).status == 202
    again = api.post(vote % b"stein", headers={"idempotency-key": "one"})
    assert (again.status, again.body) == (202, first.body)
    assert api.post(vote % b"other", headers={"idempotency-key": "three"}).status == 202
    results = await_records(api, 3)
    assert results["records"] == 3
    assert {c["id"]: c["votes"] for c in results["candidates"]}["other"] == 1
