"""Points 3, 4, 14 and 16: the page's numbers are the API's, soon, in the CSV too; 100 % is never said early, and ties are named."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Iterator

import pytest

from tests.e2e.harness import Harness, free_port, until
from tests.web import towns
from tests.web.between import between, edited
from tests.web.chromium import Tab, Tabs
from tests.web.reading import ALL_ROWS, adds_up, leader, read, should_read
from tests.web.towns import Town


def test_03_numbers_equal_the_api_at_that_sequence(harness: Harness, tabs: Tabs) -> None:
    """Counted in five steps; after each the page shows what `/api/results` says, number for number, at the same sequence."""
    text = harness.run("init", "--election", "us-president-2024").text
    votes = harness.run("simulate", "--votes", 60_000, "--seed", 11, "--order", "night").out.splitlines(keepends=True)
    step = len(votes) // 5
    town = towns.counted(harness, "steps", text, b"".join(votes[:step]))
    with tabs.open(town.url, ALL_ROWS) as tab:
        for done in range(step, len(votes) + 1, step):
            until(lambda done=done: town.results()["counted"] == done, f"{done} votes counted")
            # The count's end may bring one more sequence: both are looked at until they speak of the same.
            said, results = tab.awaits(lambda: (s := read(tab))["sequence"] == (r := town.results())["sequence"] and (s, r), "the page to follow")
            adds_up(said)
            assert said == should_read(results) and said["total"] == done
            if done < len(votes):
                towns.count(harness, "steps", text, b"".join(votes[done : done + step]))
        assert said["total"] == 60_000 and len(said["regions"]) == 51


def test_03_numbers_add_up_while_counting(night: Town, tabs: Tabs) -> None:
    """Read at any instant of a running count, the page shows one snapshot whole: the one that the server sent with that sequence."""
    with tabs.open(night.url, query=None) as tab:
        sent: dict[int, dict] = {}

        def keep(event: dict) -> None:
            snapshot = json.loads(event["data"])
            sent[snapshot["sequence"]] = snapshot

        tab.cdp.send("Network.enable")
        tab.cdp.on("Network.eventSourceMessageReceived", keep)
        tab.go(ALL_ROWS)
        tab.awaits(lambda: len(sent) >= 2, "snapshots over the stream")
        seen = set()
        for _ in range(8):
            said = tab.awaits(lambda: (r := read(tab))["sequence"] not in seen and r["sequence"] in sent and r, "another snapshot shown")
            seen.add(said["sequence"])
            adds_up(said)
            assert said == should_read(sent[said["sequence"]])
        assert len(said["regions"]) == 51


@pytest.fixture
def quiet(harness: Harness) -> Iterator[Town]:
    """A poll with a counter that runs and takes votes by POST; nobody votes but the test."""
    name = f"quiet-{free_port()}"
    town = towns.counted(harness, name, towns.poll([("yes", "Yes"), ("no", "No")], id="quiet"), towns.ballots({"yes": 3, "no": 2}))
    counter = harness.start("count", "--log", f"dir:{harness.dir / name}-log", "--store", town.store)
    yield town
    counter.stop()


@pytest.mark.parametrize("query", ["", "?hz=20"])
def test_04_a_new_vote_shows_within_a_second(quiet: Town, tabs: Tabs, query: str) -> None:
    """From the answer to a `POST` to the number on the page, ten votes one after the other, each within a second. On a machine that
    others load, one of two further rounds may pass instead: a page that is late is late in each of them."""
    with tabs.open(quiet.url, query) as tab:
        tab.page.evaluate("""() => {
            window.shown = {};
            const total = document.querySelector('[data-testid=total-votes]');
            const note = () => (window.shown[total.dataset.votes] ??= Date.now());
            new MutationObserver(note).observe(total, { attributes: true, characterData: true, childList: true, subtree: true });
        }""")
        voter, rounds = 1_000, []
        for _ in range(3):
            delays = []
            for _ in range(10):
                voter += 1
                before = quiet.results()["counted"]
                quiet.api.post(towns.ballots({"yes": 1}, voter))
                answered = time.time() * 1000
                tab.until("(n) => window.shown[n] !== undefined", str(before + 1), seconds=10)
                delays.append(tab.page.evaluate("(n) => window.shown[n]", str(before + 1)) - answered)
            rounds.append(max(delays))
            if rounds[-1] <= 1_000:
                break
        assert min(rounds) <= 1_000, f"a vote took {rounds} ms at most, round by round"


@pytest.mark.parametrize("query", ["", "?hz=20"])
def test_04_a_busy_count_is_shown_within_a_second(night: Town, tabs: Tabs, query: str) -> None:
    """In the running night: what `/api/results` says stands on the page within a second. The best of three looks."""
    with tabs.open(night.url, query) as tab:
        waits = []
        for _ in range(3):
            counted = night.results()["counted"]
            asked = time.monotonic()
            tab.until("(n) => Number(document.querySelector('[data-testid=total-votes]').dataset.votes) >= n", counted, seconds=10)
            waits.append(time.monotonic() - asked)
        assert min(waits) <= 1, waits


def test_14_csv_has_51_rows_and_equals_the_api(done: Town, tabs: Tabs) -> None:
    with tabs.open(done.url) as tab:
        with tab.page.expect_download() as download:
            tab.at("csv").click()
        text = download.value.path().read_text()
        assert download.value.suggested_filename.endswith(".csv")
    rows = {row["code"]: row for row in csv.DictReader(io.StringIO(text))}
    results = done.results()
    assert len(rows) == 51 and rows.keys() == {r["code"] for r in results["regions"]}
    for region in results["regions"]:
        row = rows[region["code"]]
        assert {id: int(row[id]) for id in region["votes"]} == region["votes"]
        assert [row["name"], row["status"], row["leader"]] == [region["name"], region["status"], leader(region)]
        for number in ("seats", "counted", "expected", "margin_votes"):
            assert int(row[number]) == region[number], (number, row)


# Anything on the page that says "all of it": 100 %, a full bar.
_FULL = """
() => [...document.querySelectorAll('main *')]
  .filter((e) => e.children.length === 0 && /(^|[^0-9.,])100\\s?%/.test(e.textContent) && e.getClientRects().length > 0)
  .map((e) => e.textContent.trim())
"""


def hundreds(tab: Tab) -> list[str]:
    return tab.page.evaluate(_FULL)


def regional(expected: int, **settings: object) -> str:
    regions = "regions = [\n" + "".join(f'  {{ code = "{c}", name = "{n}", expected = {expected} }},\n' for c, n in (("N", "North"), ("S", "South"))) + "]"
    return towns.poll([("ana", "Ana Alvarez"), ("ben", "Ben Brook")], regions=regions, **settings)


def test_16_never_100_percent_before_the_end(harness: Harness, tabs: Tabs) -> None:
    """9,999 of 10,000 are in, then one, then more than were expected; only the desk's word makes it 100 %."""
    text = regional(5_000, id="almost")
    north = towns.ballots({"ana": 2_999, "ben": 2_000}, 1, "North")
    south = towns.ballots({"ana": 2_000, "ben": 3_000}, 100_000, "South")
    town = towns.counted(harness, "almost", text, north + south)
    with tabs.open(town.url) as tab:
        assert tab.attr("total-votes", "data-votes") == "9999"
        assert ">99%" in tab.text("progress") and hundreds(tab) == []
        towns.count(harness, "almost", text, towns.ballots({"ana": 1}, 500_000, "North"))
        tab.until("() => document.querySelector('[data-testid=total-votes]').dataset.votes === '10000'")
        assert town.results()["status"] == "counting" and hundreds(tab) == [] and tab.status() == "live"
        towns.count(harness, "almost", text, towns.ballots({"ana": 20}, 600_000, "North"))
        tab.until("() => document.querySelector('[data-testid=total-votes]').dataset.votes === '10020'")
        assert "20 votes more than expected" in tab.text("progress") and hundreds(tab) == []
        assert not re.search(r"10[1-9]\s?%|1[1-9]\d\s?%", tab.page.inner_text("main"))
        town.desk("close")
        tab.until("() => document.querySelector('[data-testid=status]').dataset.status === 'final'")
        assert "count complete" in tab.text("progress") and hundreds(tab) != []


def test_16_every_part_is_below_100_percent_at_every_step(done: Town, tabs: Tabs) -> None:
    """The complete count, with one vote taken away and the word "complete": nothing on the page says 100 %, no bar is full."""
    truth = done.results()
    with between(done.port) as proxy:
        short = edited(truth, status="counting", counted=truth["counted"] - 1, records=truth["records"] - 1)
        short["candidates"][0]["votes"] -= 1
        ohio = next(r for r in short["regions"] if r["code"] == "OH")
        ohio["counted"] -= 1
        ohio["votes"][short["candidates"][0]["id"]] -= 1
        proxy.lie(short)
        with tabs.open(proxy.url, ALL_ROWS) as tab:
            assert hundreds(tab) == []
            full = "() => [...document.querySelectorAll('svg.bar > .value')].filter((v) => v.getAttribute('width') === '100%').length"
            assert tab.page.evaluate(full) == 0
            proxy.lie(edited(truth, sequence=short["sequence"] + 1))
            tab.until(f"() => ({full})() > 51")
            assert hundreds(tab) != []


def test_16_ties_are_named(polls: dict[str, Town], tabs: Tabs) -> None:
    with tabs.open(polls["tie"].url) as tab:
        assert tab.text("leader-status").lower() == "tied"
        assert tab.text("leader-name") == "Ana Alvarez and Ben Brook"
        assert tab.attr("leader", "data-candidate") == ""
        assert tab.at("leader-margin").count() == 0 or tab.attr("leader-margin", "data-votes") == "0"


def test_16_a_tied_region_has_no_leader(harness: Harness, tabs: Tabs) -> None:
    votes = towns.ballots({"ana": 40, "ben": 40}, 1, "North") + towns.ballots({"ana": 41, "ben": 40}, 1_000, "South")
    town = towns.counted(harness, "level", regional(5_000, id="level"), votes)
    with tabs.open(town.url) as tab:
        regions = {r.get_attribute("data-region"): r for r in tab.at("map-region").all()}
        assert (regions["N"].get_attribute("data-state"), regions["N"].get_attribute("data-leader")) == ("tied", "")
        assert regions["S"].get_attribute("data-leader") == "ana"
        assert "tied" in regions["N"].get_attribute("aria-label").lower()
        assert "Tied" in tab.page.locator("[data-testid=region-row][data-region=N]").inner_text()
