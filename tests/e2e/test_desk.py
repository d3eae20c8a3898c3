"""close, hold and reopen: what the public may see of a region, in every answer."""

from __future__ import annotations

import pytest

from tests.e2e.harness import Api, Harness, adds_up, until
from tests.oracle.count import count_bytes, us_president_2024
from tests.oracle.generate import Stream, ndjson


@pytest.fixture
def counted(vs: Harness) -> dict:
    data = ndjson(Stream(61).records(8_000), 61)
    vs.ingest(data)
    vs.count()
    return count_bytes(us_president_2024(), data)


def codes(results: dict) -> set[str]:
    return {region["code"] for region in results["regions"]}


def desk(vs: Harness, act: str, *flags: str) -> None:
    vs.run(act, "--store", vs.store, *flags)


def test_hold_takes_a_region_out_of_every_answer(vs: Harness, counted: dict) -> None:
    _, api = vs.serve("--log", vs.log)
    before = api.json("/api/results")
    assert codes(before) == {region["code"] for region in counted["regions"]}
    desk(vs, "hold", "--region", "OH")
    held = until(lambda: "OH" not in codes(r := api.json("/api/results")) and r, "Ohio to be held")
    adds_up_in_public(held)
    assert held["sequence"] > before["sequence"]
    ohio = next(region for region in counted["regions"] if region["code"] == "OH")
    assert held["counted"] == counted["counted"] - ohio["counted"]
    for path in PUBLIC:
        assert "Ohio" not in api.get(path).body.decode(), path
    assert "OH" not in codes(vs.results())
    assert "Ohio" not in vs.run("results", "--store", vs.store).text
    assert "Ohio" not in vs.run("results", "--store", vs.store, "--format", "csv").text
    assert api.get("/api/regions/OH").status == 404
    with api.events("/api/live?hz=20") as events:
        assert '"OH"' not in next(events)["data"]

    desk(vs, "reopen", "--region", "OH")
    back = until(lambda: "OH" in codes(r := api.json("/api/results")) and r, "Ohio to be back")
    adds_up(back)
    assert back["counted"] == counted["counted"] and back["sequence"] > held["sequence"]


PUBLIC = ("/api/results", "/api/regions", "/api/timeline", "/api/demographics", "/api/export.csv", "/api/export.json", "/api/ledger")


def adds_up_in_public(results: dict) -> None:
    """While a region is held, what is shown still adds up."""
    assert sum(c["votes"] for c in results["candidates"]) == results["counted"]
    assert sum(region["counted"] for region in results["regions"]) == results["counted"]


def test_close_declares_final(vs: Harness, counted: dict) -> None:
    _, api = vs.serve("--log", vs.log)
    before = api.json("/api/results")
    assert before["status"] == "counting"
    desk(vs, "close", "--region", "TX")
    after = until(lambda: (r := api.json("/api/results"))["sequence"] > before["sequence"] and r, "the close to show")
    status = {region["code"]: region["status"] for region in after["regions"]}
    assert status["TX"] != status["OH"]
    desk(vs, "close")
    closed = until(lambda: (r := api.json("/api/results"))["status"] == "complete" and r, "complete")
    adds_up(closed)


def test_votes_after_the_close_are_counted(vs: Harness, counted: dict) -> None:
    desk(vs, "close")
    vs.ingest(b'{"id":"after the close","state":"OH","decision":"stein"}\n', name="late.ndjson")
    vs.count()
    late = vs.results()
    adds_up(late)
    assert late["counted"] == counted["counted"] + 1
    vs.recount()
    desk(vs, "reopen")
    assert vs.results()["status"] == "counting"


def test_an_act_done_twice_is_done_once(vs: Harness, counted: dict) -> None:
    desk(vs, "hold", "--region", "OH")
    one = vs.results()
    desk(vs, "hold", "--region", "OH")
    assert codes(vs.results()) == codes(one)
    desk(vs, "reopen", "--region", "OH")
    assert "OH" in codes(vs.results())


def test_wrong_regions_and_stores(vs: Harness, counted: dict) -> None:
    for act in ("close", "hold", "reopen"):
        vs.refused(act, "--store", vs.store, "--region", "ZZ", says=("ZZ",))
        vs.refused(act, "--store", f"sqlite:{vs.dir}/none.db", says=("none.db",))
        assert not (vs.dir / "none.db").exists()


def test_desk_acts_while_counting(vs: Harness) -> None:
    up = vs.up("--votes", 100_000, "--rate", 20_000).ready()
    until(lambda: up.api.json("/api/results")["counted"] > 1_000, "votes")
    vs.run("hold", "--store", up.store, "--region", "CA")
    until(lambda: "CA" not in codes(up.api.json("/api/results")), "California to be held")
    vs.run("reopen", "--store", up.store, "--region", "CA")
    until(lambda: "CA" in codes(up.api.json("/api/results")), "California to be back")
    assert Api(up.port).json("/api/results")["sequence"] > 2
