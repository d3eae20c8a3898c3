"""The results API over one hostile election: every answer adds up, and all of them say the same."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tests.e2e.harness import Api, Harness, adds_up, agree, counts, until
from tests.oracle.count import Count, certified_votes, count_bytes, us_president_2024
from tests.oracle.generate import Stream, ndjson

RECORDS = Stream(65).records(12_000)


@pytest.fixture
def served(vs: Harness) -> tuple[Api, dict]:
    data = ndjson(RECORDS, 65)
    vs.ingest(data)
    vs.count()
    _, api = vs.serve("--log", vs.log)
    return api, count_bytes(us_president_2024(), data)


def test_regions_and_exports_are_the_results(served: tuple[Api, dict]) -> None:
    api, right = served
    results = api.json("/api/results")
    agree(results, right)
    regions = api.json("/api/regions")
    assert regions["sequence"] == results["sequence"]
    assert regions["regions"] == results["regions"]
    for region in right["regions"]:
        one = api.json(f"/api/regions/{region['code']}")
        assert one["region"] == next(r for r in results["regions"] if r["code"] == region["code"])
        assert {c["id"]: c["votes"] for c in one["candidates"]} == region["votes"]
    assert counts(api.json("/api/export.json")) == counts(results)
    rows = list(csv.DictReader(io.StringIO(api.get("/api/export.csv").body.decode())))
    assert {row["code"]: {c: int(row[c]) for c in region_votes(results, row["code"])} for row in rows} == counts(results)["regions"]
    assert sum(int(row["counted"]) for row in rows) == results["counted"]


def region_votes(results: dict, code: str) -> dict:
    return next(region["votes"] for region in results["regions"] if region["code"] == code)


def test_rejects_by_reason(served: tuple[Api, dict], vs: Harness) -> None:
    api, right = served
    rejects = api.json("/api/rejects")
    assert rejects["rejected"] == right["rejected"]
    assert rejects["reasons"] == right["rejects"]
    assert "value" not in api.get("/api/rejects?limit=10").body.decode(), "payloads only with the token"


def test_rejects_with_the_token_show_payloads(vs: Harness) -> None:
    vs.ingest(ndjson(RECORDS[:500], plain=True))
    vs.count()
    token = "a-token-of-some-length"
    port_process, api = vs.serve("--log", vs.log, "--ingest-token", token)
    shown = api.get("/api/rejects?limit=1000", headers={"authorization": f"Bearer {token}"}).json()
    right = Count(us_president_2024())
    rejected = [record for record in RECORDS[:500] if right.add(record) not in ("counted", "duplicate")]
    text = json.dumps(shown)
    plain = [r for r in rejected if len(r) < 300 and r.isascii() and b'"' not in r and b"\\" not in r]
    assert plain and all(record.decode() in text for record in plain)
    assert shown["rejected"] == len(rejected)


def test_timeline_and_past_minutes(served: tuple[Api, dict]) -> None:
    api, right = served
    timeline = api.json("/api/timeline")
    order = timeline["candidates"]
    points = timeline["points"]
    assert points
    for earlier, later in zip(points, points[1:], strict=False):
        assert earlier["minute"] < later["minute"]
        assert all(earlier[key] <= later[key] for key in ("records", "counted", "duplicate", "rejected"))
    for point in points:
        assert point["counted"] + point["duplicate"] + point["rejected"] == point["records"]
        assert sum(point["votes"]) == point["counted"]
    last = points[-1]
    assert {k: last[k] for k in ("records", "counted", "duplicate", "rejected")} == {k: right[k] for k in ("records", "counted", "duplicate", "rejected")}
    for point in points[:: max(1, len(points) // 20)]:
        past = api.json(f"/api/results?at={point['minute']}")
        adds_up(past)
        assert past["records"] == point["records"]
        assert {c["id"]: c["votes"] for c in past["candidates"]} == dict(zip(order, point["votes"], strict=True))
    before = api.json("/api/results?at=2000-01-01T00:00:00Z")
    assert before["records"] == 0
    after = api.json("/api/results?at=2999-01-01T00:00:00Z")
    assert counts(after) == counts(right)


def test_ledger(served: tuple[Api, dict]) -> None:
    api, right = served
    ledger = api.json("/api/ledger")
    results = api.json("/api/results")
    assert ledger["ledger"] == results["ledger"]
    assert ledger["ledger"]["records"] == right["records"]
    assert sum(p["next_offset"] - p["start_offset"] for p in ledger["partitions"]) == right["records"]
    for partition in ledger["partitions"]:
        assert partition["leaves"] == (partition["next_offset"] // 65_536)


def test_the_same_log_gives_the_same_ledger(vs: Harness) -> None:
    """However it was cut into flushes: at once, and bit by bit while it grew."""
    parts = [RECORDS[at : at + 2_000] for at in range(0, len(RECORDS), 2_000)]
    digests = set()
    for number, part in enumerate(parts):
        vs.ingest(ndjson(part, plain=True), name=f"{number}.ndjson")
        vs.count()
    digests.add(vs.results()["ledger"]["digest"])
    vs.run("count", "--log", vs.log, "--store", f"sqlite:{vs.dir}/at-once.db", "--until-end")
    digests.add(vs.results(store=f"sqlite:{vs.dir}/at-once.db")["ledger"]["digest"])
    assert len(digests) == 1


def test_live_and_results_are_one(served: tuple[Api, dict]) -> None:
    api, _ = served
    with api.events("/api/live") as events:
        event = next(events)
    assert json.loads(event["data"]) == api.json("/api/results")


def test_demographics_hide_small_cells(vs: Harness) -> None:
    """No published cell, nor the difference of two publications of it, is between 0 and `min_cell`."""
    up = vs.up("--votes", 150_000, "--rate", 30_000, "--order", "shuffled").ready()
    shown: dict[tuple, list[int]] = {}
    publications = 0

    def look() -> bool:
        nonlocal publications
        answer = up.api.json("/api/demographics")
        least = answer["min_cell"]
        assert least == 10
        for area, blocks in [("nation", answer["nation"]), *((r["code"], r["blocks"]) for r in answer["regions"])]:
            for block in blocks:
                key = (area, block["candidate"], block["kind"])
                assert sum(block["cells"]) <= block["votes"]
                for cell in block["cells"]:
                    assert cell == 0 or cell >= least, (key, block)
                before = shown.get(key)
                if before is not None and before != block["cells"]:
                    publications += 1
                    for old, new in zip(before, block["cells"], strict=True):
                        assert old == new or abs(new - old) >= least, (key, before, block["cells"])
                shown[key] = block["cells"]
        return up.api.json("/api/results")["status"] == "complete"

    until(look, "the end of the count")
    assert shown and publications > 10


def test_past_minutes_of_a_simulated_night(vs: Harness) -> None:
    """A region is silent before its polls close, whole at the end, and no past view takes a vote back."""
    up = vs.up("--votes", 50_000, "--rate", "max").ready()
    until(lambda: up.api.json("/api/results")["status"] == "complete", "the end")
    points = up.api.json("/api/timeline")["points"]
    seen: dict[str, int] = {}
    for point in points[:: max(1, len(points) // 12)]:
        past = up.api.json(f"/api/results?at={point['minute']}")
        adds_up(past)
        for region in past["regions"]:
            assert region["counted"] >= seen.get(region["code"], 0)
            seen[region["code"]] = region["counted"]
    early = {r["code"]: r["counted"] for r in up.api.json("/api/results?at=2024-11-06T00:30:00Z")["regions"]}
    assert early["KY"] + early["IN"] > 0 and early["AK"] == early["HI"] == early["CA"] == 0
    assert set(early) == set(certified_votes())


def test_elections_are_listed(served: tuple[Api, dict]) -> None:
    api, _ = served
    listed = api.json("/api/elections")
    assert "us-president-2024" in json.dumps(listed)
    api.problem(404, "GET", "/api/results?election=not-here")
