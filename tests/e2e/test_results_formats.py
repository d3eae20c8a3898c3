"""`results` as table, JSON and CSV says one and the same."""

from __future__ import annotations

import csv
import io
import math

import pytest

from tests.e2e.harness import Harness, adds_up
from tests.oracle.count import count_bytes, us_president_2024
from tests.oracle.generate import Stream, ndjson

FIELDS = {"election", "sequence", "as_of", "status", "records", "counted", "duplicate", "rejected", "expected", "candidates", "regions", "ledger"}


@pytest.fixture
def counted(vs: Harness) -> dict:
    data = ndjson(Stream(51).records(10_000), 51)
    vs.ingest(data)
    vs.count()
    return count_bytes(us_president_2024(), data)


def test_json_has_the_fixed_shape(vs: Harness, counted: dict) -> None:
    results = vs.results()
    adds_up(results)
    assert FIELDS <= set(results)
    assert results["election"]["id"] == "us-president-2024" and results["election"]["date"] == "2024-11-05"
    assert results["election"]["name"] and isinstance(results["election"]["simulated"], bool)
    assert results["sequence"] > 0 and results["expected"] == 155_212_715
    assert results["status"] in ("waiting", "counting", "complete")
    assert results["as_of"].endswith("Z") and len(results["as_of"]) == len("2026-11-22T04:10:09.123Z")
    for candidate in results["candidates"]:
        assert {"id", "name", "party", "votes", "share", "seats"} <= set(candidate)
        assert set(candidate["seats"]) >= {"leading", "decided"}
    oracle = {region["code"]: region for region in counted["regions"]}
    assert len(results["regions"]) == 51
    for region in results["regions"]:
        same = oracle[region["code"]]
        for key in ("name", "seats", "counted", "expected", "margin_votes", "votes"):
            assert region[key] == same[key], (region, same)
        if region["margin_votes"]:
            assert region["leader"] == same["leader"]
    ledger = results["ledger"]
    assert len(ledger["digest"]) == 64 and ledger["records"] == results["records"]
    # Nothing but an exact total or a register decides a region: here there is neither.
    seats = {c["id"]: c["seats"] for c in results["candidates"]}
    assert all(s["decided"] == 0 for s in seats.values())
    untied = [r for r in results["regions"] if r["margin_votes"]]
    for candidate, s in seats.items():
        assert s["leading"] >= sum(r["seats"] for r in untied if r["leader"] == candidate)
    assert sum(s["leading"] for s in seats.values()) <= 538


def test_csv_equals_json(vs: Harness, counted: dict) -> None:
    rows = list(csv.DictReader(io.StringIO(vs.run("results", "--store", vs.store, "--format", "csv").text)))
    results = vs.results()
    assert len(rows) == 51
    by_code = {region["code"]: region for region in results["regions"]}
    for row in rows:
        region = by_code[next(value for value in row.values() if value in by_code)]
        numbers = {int(value) for value in row.values() if value.isdigit()}
        assert {region["counted"], *region["votes"].values()} <= numbers, (row, region)


def test_table_names_everybody(vs: Harness, counted: dict) -> None:
    for flags in ((), ("--format", "table")):
        table = vs.run("results", "--store", vs.store, *flags).text
        digits = table.replace(",", "").replace("\u2009", "").replace("\u202f", "")
        for candidate in counted["candidates"]:
            assert candidate["name"] in table and str(candidate["votes"]) in digits, table
        assert str(counted["counted"]) in digits
        assert "\x1b" not in table, "colour only on a terminal"
        assert max(len(line) for line in table.splitlines()) <= 120


def test_one_region(vs: Harness, counted: dict) -> None:
    ohio = next(region for region in counted["regions"] if region["code"] == "OH")
    table = vs.run("results", "--store", vs.store, "--region", "OH").text
    digits = table.replace(",", "").replace("\u2009", "").replace("\u202f", "")
    assert "Ohio" in table and str(ohio["counted"]) in digits
    assert "Texas" not in table
    vs.refused("results", "--store", vs.store, "--region", "ZZ", says=("region", "ZZ"))


def test_at_a_past_minute(vs: Harness, counted: dict) -> None:
    before = vs.results("--at", "2000-01-01T00:00:00Z")
    adds_up(before)
    assert before["records"] == 0 and before["status"] == "waiting"
    assert math.isclose(sum(c["share"] for c in before["candidates"]), 0.0)
    vs.refused("results", "--store", vs.store, "--at", "yesterday-ish", says=("yesterday-ish",))
