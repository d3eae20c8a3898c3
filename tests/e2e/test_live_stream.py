"""GET /api/live: whole snapshots, each adding up, sequence only rising, as many a second as asked for, and whole at once."""

from __future__ import annotations

import itertools
import json
import time

import pytest

from tests.e2e.harness import Harness, adds_up, counts, until

FIXED = {"election", "sequence", "as_of", "status", "records", "counted", "duplicate", "rejected", "candidates", "regions", "ledger"}


@pytest.mark.parametrize("hz", [20, 4, 1])
def test_snapshots_while_counting(vs: Harness, hz: int) -> None:
    up = vs.up("--votes", 200_000, "--rate", 20_000).ready()
    until(lambda: up.api.json("/api/results")["counted"] > 0, "votes")
    take = {20: 60, 4: 10, 1: 4}[hz]
    began = time.monotonic()
    with up.api.events(f"/api/live?hz={hz}") as events:
        taken = list(itertools.islice(events, take))
    seconds = time.monotonic() - began
    snapshots = [json.loads(event["data"]) for event in taken]
    for event, snapshot in zip(taken, snapshots, strict=True):
        assert FIXED <= set(snapshot)
        assert event["id"] == str(snapshot["sequence"])
        adds_up(snapshot)
    sequences = [snapshot["sequence"] for snapshot in snapshots]
    assert sequences == sorted(set(sequences))
    for key in ("records", "counted", "as_of"):
        values = [snapshot[key] for snapshot in snapshots]
        assert values == sorted(values), key
    # The first comes at once; the others never faster than asked for.
    assert seconds >= (take - 2) / hz * 0.9, f"{take} snapshots in {seconds:.2f} s"
    assert seconds <= take / hz * 2 + 3


def test_the_default_is_four_a_second(vs: Harness) -> None:
    up = vs.up("--votes", 200_000, "--rate", 20_000).ready()
    until(lambda: up.api.json("/api/results")["counted"] > 0, "votes")
    began = time.monotonic()
    with up.api.events("/api/live") as events:
        assert len(list(itertools.islice(events, 9))) == 9
    assert 1.6 <= time.monotonic() - began <= 8


def test_the_last_snapshot_is_the_result(vs: Harness) -> None:
    up = vs.up("--votes", 20_000, "--rate", 20_000).ready()
    with up.api.events("/api/live?hz=20") as events:
        last = next(s for event in events if (s := json.loads(event["data"]))["status"] == "complete")
    assert last["counted"] == 20_000
    assert counts(last) == counts(up.api.json("/api/results"))


def test_a_client_that_comes_late_is_whole_at_once(vs: Harness) -> None:
    up = vs.up("--votes", 5_000, "--rate", "max").ready()
    until(lambda: up.api.json("/api/results")["status"] == "complete", "the end")
    for headers in ({}, {"last-event-id": "1"}, {"last-event-id": "999999999"}, {"last-event-id": "rubbish"}):
        with up.api.events("/api/live", headers=headers) as events:
            assert json.loads(next(events)["data"])["counted"] == 5_000


def test_wrong_hz_is_a_problem(vs: Harness) -> None:
    up = vs.up("--votes", 10, "--rate", "max").ready()
    for hz in ("0", "21", "-1", "fast", "NaN"):
        up.api.problem(400, "GET", f"/api/live?hz={hz}")


def test_serve_follows_another_process(vs: Harness) -> None:
    """`serve` reads the store that `count` writes: no word passes between them but the store."""
    vs.run("simulate", "--votes", 50_000, "--to", vs.log)
    count = vs.start("count", "--log", vs.log, "--store", vs.store)
    until(lambda: (vs.dir / "results.db").exists() and vs.run("results", "--store", vs.store, status=None).status == 0, "the store")
    _, api = vs.serve()
    with api.events("/api/live?hz=20") as events:
        for event in events:
            snapshot = json.loads(event["data"])
            adds_up(snapshot)
            if snapshot["counted"] == 50_000:
                break
    vs.ingest(b"\n")
    vs.ingest(b'{"id":"one more","state":"OH","decision":"stein"}\n', name="more.ndjson")
    until(lambda: api.json("/api/results")["counted"] == 50_001, "one more vote")
    assert count.stop().status == 0
