"""What may go wrong between page and server, and what an election may hold: shown as text, said in words, and nothing is ever blank.

Every tab's account (tests/web/chromium.py) fails its test where the page was empty in any frame or broke its own policy.
"""

from __future__ import annotations


import json
import re

import pytest

from tests.chaos.proxy import Proxy
from tests.e2e.harness import Harness
from tests.web import towns
from tests.web.between import between, edited
from tests.web.chromium import Tab, Tabs
from tests.web.reading import adds_up, read, should_read
from tests.web.towns import Town

PROBLEM = {"type": "about:blank", "title": "no"}


def total(tab: Tab, votes: int, seconds: float = 20) -> None:
    tab.until("(n) => document.querySelector('[data-testid=total-votes]')?.dataset.votes === String(n)", votes, seconds)


# --- the server -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503])
def test_an_error_at_load_is_said_and_healed(half: Town, tabs: Tabs, status: int) -> None:
    """The status is named, with what to do next; there is a button; once the server answers, the results come by themselves."""
    with between(half.port) as proxy:
        proxy.answers["/api/results"] = (status, PROBLEM | {"status": status})
        with tabs.open(proxy.url, shows="failure", troubled=True) as tab:
            if status in (400, 404):
                # It may be the election that was not named, or is not there: the page offers those that are.
                tab.shows("election-choice")
            else:
                assert str(status) in tab.shows("retry").text("failure")
                assert tab.status() == "error"
            proxy.answers.clear()
            tab.shows("leader")
            assert tab.at("failure").count() == 0


def test_the_server_is_down_at_load_and_comes(half: Town, tabs: Tabs) -> None:
    """The document is there, the API is not. "Try again now" asks at once."""
    with between(half.port) as proxy, tabs.open(proxy.url, query=None, troubled=True) as tab:
        tab.page.route("**/api/**", lambda route: route.abort("connectionrefused"))
        tab.page.goto(tab.url)
        tab.shows("failure")
        assert "does not answer" in tab.text("failure")
        tab.page.unroute_all()
        tab.at("retry").click()
        tab.shows("leader")


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_an_error_later_keeps_the_last_numbers(half: Town, tabs: Tabs, status: int) -> None:
    """The stream ends and is answered by an error from then on, as is everything else: the numbers stay, and the page says that they are old."""
    with between(half.port) as proxy:
        truth = proxy.lie(proxy.truth())
        with tabs.open(proxy.url, troubled=True) as tab:
            for path in ("/api/live", "/api/results", "/api/timeline", "/api/demographics", "/api/engine", "/api/rejects", "/api/desk"):
                proxy.answers[path] = (status, PROBLEM | {"status": status})
            proxy.drop()
            tab.shows("banner", timeout=15_000)
            assert tab.attr("total-votes", "data-votes") == str(truth["counted"])
            proxy.answers.clear()
            tab.gone("banner")


@pytest.mark.parametrize("path", ["/api/timeline", "/api/demographics", "/api/engine", "/api/rejects", "/api/elections", "/api/desk", "/api/ledger"])
@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'{"nation": 3, "points": "x", "acts": {}, "engine": 7, "reasons": null, "elections": null}'], ids=["empty", "null", "list", "wrong"])
def test_a_malformed_answer_beside_the_results_costs_its_section_at_most(half: Town, tabs: Tabs, path: str, body: bytes) -> None:
    """Whatever the other parts of the API say: leader, cards, map and table stand there with the right numbers."""
    with between(half.port) as proxy:
        proxy.answers[path] = (200, body)
        with tabs.open(proxy.url, troubled=True) as tab:
            tab.shows("candidates").shows("map-section").shows("regions").shows("method")
            said = read(tab)
            assert said["total"] == half.results()["counted"]
            uncaught = [fault for fault in tab.faults if fault.startswith("uncaught")]
            assert not uncaught, uncaught


def test_everything_beside_the_results_is_malformed_at_once(half: Town, tabs: Tabs) -> None:
    with between(half.port) as proxy:
        for path in ("/api/timeline", "/api/demographics", "/api/engine", "/api/rejects", "/api/elections", "/api/desk", "/api/ledger"):
            proxy.answers[path] = (200, b'{"points": [null, {"minute": 3}], "nation": [{}], "genders": null, "acts": [null], "engine": {}, "elections": [null]}')
        with tabs.open(proxy.url, troubled=True) as tab:
            tab.shows("candidates").shows("map-section").shows("regions").shows("method")
            assert not [fault for fault in tab.faults if fault.startswith("uncaught")], tab.faults


MALFORMED = {
    "no JSON": "<html>proxy error</html>",
    "torn": '{"election": {"id": "us',
    "null": "null",
    "a list": "[]",
    "an error": json.dumps(PROBLEM),
    "empty": "",
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_snapshot_at_load(half: Town, tabs: Tabs, what: str) -> None:
    with between(half.port) as proxy:
        proxy.answers["/api/results"] = (200, MALFORMED[what].encode())
        with tabs.open(proxy.url, shows="failure", troubled=True) as tab:
            assert "not a result" in tab.text("failure")
            proxy.answers.clear()
            tab.shows("leader")


def wrongs(truth: dict) -> dict[str, dict]:
    """Snapshots that are wrong in one place each, all of them newer than the truth."""
    candidates, regions = truth["candidates"], truth["regions"]
    return {
        "no candidates": edited(truth, candidates=None),
        "candidates that are none": edited(truth, candidates=[None, *candidates]),
        "a candidate without votes": edited(truth, candidates=[{"id": "x", "name": "X"}, *candidates]),
        "votes below nothing": edited(truth, candidates=[candidates[0] | {"votes": -1}, *candidates[1:]]),
        "votes as text": edited(truth, candidates=[candidates[0] | {"votes": "12"}, *candidates[1:]]),
        "regions that are none": edited(truth, regions=[None, *regions]),
        "a region without a code": edited(truth, regions=[regions[0] | {"code": None}, *regions[1:]]),
        "a region's votes are a text": edited(truth, regions=[regions[0] | {"votes": "none"}, *regions[1:]]),
        "a region's votes are texts": edited(truth, regions=[regions[0] | {"votes": {"trump": "many", "harris": None}}, *regions[1:]]),
        "a region without a name": edited(truth, regions=[{k: v for k, v in regions[0].items() if k != "name"}, *regions[1:]]),
        "no election": edited(truth, election=None),
        "a candidate twice": edited(truth, candidates=[candidates[0], *candidates]),
        "a region twice": edited(truth, regions=[regions[0], *regions]),
        "counted is no number": edited(truth, counted="a lot"),
        "no time": edited(truth, as_of="yesterday"),
        "a time zone that is none": edited(truth, election=truth["election"] | {"time_zone": "Mars/Olympus"}),
        "a colour that is none": edited(truth, candidates=[candidates[0] | {"colour": "url(#x)"}, *candidates[1:]]),
        "records that are no number": edited(truth, records=None, duplicate=None, rejected=None),
        "a ledger that is none": edited(truth, ledger={"digest": None}),
        "seats that are none": edited(truth, candidates=[c | {"seats": None} for c in candidates]),
        "a winner that is nobody": edited(truth, winner="nobody", leader="nobody"),
    }


def test_malformed_snapshots_over_the_stream(half: Town, tabs: Tabs) -> None:
    """Between good ones: each is dropped, or shown as far as it makes sense, and the next good one is shown, whole."""
    with between(half.port) as proxy:
        truth = proxy.lie(proxy.truth())
        with tabs.open(proxy.url, troubled=True) as tab:
            total(tab, truth["counted"])
            wrong_ones = [*wrongs(truth).items(), *((name, text) for name, text in MALFORMED.items())]
            failed = []
            for step, (name, wrong) in enumerate(wrong_ones, 1):
                sequence = truth["sequence"] + step * 2
                proxy.say(wrong | {"sequence": sequence} if isinstance(wrong, dict) else wrong, sequence)
                good = edited(truth, sequence=sequence + 1, counted=truth["counted"] + step)
                good["candidates"][0]["votes"] += step
                proxy.lie(good)
                try:
                    total(tab, good["counted"], 5)
                except AssertionError:
                    failed.append((name, tab.faults[-1:]))
                    tab.go("")
                if uncaught := [fault for fault in tab.faults if fault.startswith("uncaught")]:
                    failed.append((name, uncaught))
                    tab.faults.clear()
            assert not failed, failed


def test_a_malformed_snapshot_that_stays_is_not_the_end(half: Town, tabs: Tabs) -> None:
    """Wrong ones for some seconds, looked at one by one: the page still says something about the election, and its keys work."""
    with between(half.port) as proxy:
        truth = proxy.lie(proxy.truth())
        with tabs.open(proxy.url, troubled=True) as tab:
            for step, (name, wrong) in enumerate(wrongs(truth).items(), 1):
                proxy.say(wrong | {"sequence": truth["sequence"] + step})
                tab.page.wait_for_timeout(250)
                assert tab.at("total-votes").is_visible(), name
                assert not [fault for fault in tab.faults if fault.startswith("uncaught")], (name, tab.faults)


def test_a_sequence_that_goes_backwards(half: Town, tabs: Tabs) -> None:
    """A straggler is not shown. Lower ones for long, and nothing else, are a count that began anew: then the page follows."""
    with between(half.port) as proxy:
        truth = proxy.truth()
        new = proxy.lie(edited(truth, sequence=1_000))
        with tabs.open(proxy.url) as tab:
            total(tab, new["counted"])
            old = edited(truth, sequence=900, counted=truth["counted"] - 5)
            for sequence in (900, 10, 999):
                proxy.say(old | {"sequence": sequence})
            tab.page.wait_for_timeout(600)
            assert tab.attr("sequence", "data-sequence") == "1000"
            proxy.lie(edited(truth, sequence=1_001, counted=truth["counted"] + 7))
            total(tab, truth["counted"] + 7)
            tab.page.evaluate("() => (window.__counts = [])")
            for sequence in range(1, 30):
                proxy.lie(old | {"sequence": sequence})
                tab.page.wait_for_timeout(500)
                if tab.attr("total-votes", "data-votes") == str(old["counted"]):
                    break
            total(tab, old["counted"], 1)


def test_another_election_under_the_same_address(half: Town, polls: dict[str, Town], tabs: Tabs) -> None:
    """The server was started anew over another store: the page shows that election, regions and all gone."""
    with between(half.port) as proxy:
        with tabs.open(proxy.url, troubled=True) as tab:
            tab.shows("map-section")
            proxy.target = polls["two"].port
            proxy.lie(edited(polls["two"].results(), sequence=10_000))
            proxy.drop()
            tab.page.reload()
            tab.gone("map-section")
            tab.until("() => document.querySelector('[data-testid=election-name]')?.textContent.includes('Poll of two')")


# --- the election ---------------------------------------------------------------------------------------------------


def test_counts_above_what_was_expected(half: Town, tabs: Tabs) -> None:
    """In the whole and in one region: said in words, no bar over its end, no percentage over 100."""
    with between(half.port) as proxy:
        truth = proxy.truth()
        ohio = next(r for r in truth["regions"] if r["code"] == "OH")
        over = edited(truth, expected=truth["counted"] - 1_000)
        next(r for r in over["regions"] if r["code"] == "OH")["expected"] = max(1, ohio["counted"] - 50)
        proxy.lie(over)
        with tabs.open(proxy.url, "?state=OH&size=51", shows="panel") as tab:
            assert "1,000 votes more than expected" in tab.text("progress")
            numbers = [float(n) for n in re.findall(r"([0-9.]+)\s?%", tab.page.inner_text("main"))]
            assert numbers and max(numbers) < 100
            assert tab.page.evaluate("() => [...document.querySelectorAll('svg.bar .value')].every((v) => v.getBoundingClientRect().right <= v.ownerSVGElement.getBoundingClientRect().right + 0.5)")


def test_no_votes(empty: Town, tabs: Tabs) -> None:
    with tabs.open(empty.url, "?size=51&state=PA") as tab:
        said = read(tab)
        assert said == should_read(empty.results()) and said["total"] == 0
        assert tab.status() == "waiting" and "no votes yet" in tab.text("leader-status").lower()
        assert "NaN" not in tab.page.inner_text("body") and "Infinity" not in tab.page.inner_text("body")
        assert all(r.get_attribute("data-state") == "none" for r in tab.at("map-region").all())


@pytest.mark.parametrize(("key", "cards"), [("one", 1), ("two", 2), ("five", 5), ("thirty", 30)])
def test_any_number_of_candidates(polls: dict[str, Town], tabs: Tabs, key: str, cards: int) -> None:
    """Without regions there is no map and no table; every candidate stands there."""
    with tabs.open(polls[key].url) as tab:
        assert tab.at("candidate-card").count() == cards
        assert tab.at("map").count() == tab.at("regions").count() == 0
        said = tab.page.evaluate("() => Object.fromEntries([...document.querySelectorAll('[data-testid=candidate-card]')].map((c) => [c.dataset.candidate, Number(c.querySelector('[data-testid=candidate-votes]').dataset.votes)]))")
        assert said == {c["id"]: c["votes"] for c in polls[key].results()["candidates"]}
        assert "NaN" not in tab.page.inner_text("body") and "undefined" not in tab.page.inner_text("body")


def test_hostile_names_are_text(polls: dict[str, Town], tabs: Tabs) -> None:
    """Markup in names is shown as it was typed, everywhere; no element comes of it, no script runs, nothing is asked for."""
    with tabs.open(polls["five"].url, query=None) as tab:
        tab.page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
        tab.go("")
        text = tab.page.inner_text("body")
        for candidate in polls["five"].results()["candidates"]:
            assert candidate["name"] in text
        assert "<script>alert(1)</script>" in tab.text("election-name")
        assert tab.page.evaluate("() => document.querySelectorAll('main img[src=x], main b b, main script, [onerror]').length") == 0
        assert "<script>" in tab.page.title()
        assert not [url for url in tab.requests if url.endswith("/x")]


def test_hostile_regions_are_text(harness: Harness, tabs: Tabs) -> None:
    names = {"A": '"><svg onload=alert(1)>', "B": "javascript:alert(1)", "C": "=cmd|' /C calc'!A0", "D": "שלום\u200fabc"}
    regions = "regions = [\n" + "".join(f"  {{ code = {json.dumps(c)}, name = {json.dumps(n)}, seats = 2 }},\n" for c, n in names.items()) + "]"
    text = towns.poll([("ana", "Ana"), ("evil", "'\"/><iframe src=//x>")], regions=regions, id="hostile", name="&lt;b&gt; & <b>")
    votes = b"".join(towns.ballots({"ana": 20 + i, "evil": 10}, i * 1_000 + 1, name) for i, name in enumerate(names.values()))
    town = towns.counted(harness, "hostile", text, votes)
    with tabs.open(town.url, "?state=A", shows="panel") as tab:
        assert {r["name"] for r in town.results()["regions"]} == set(names.values())
        assert tab.page.locator("#panel-title").inner_text() == names["A"]
        assert tab.text("election-name") == "&lt;b&gt; & <b>"
        body = tab.page.inner_text("[data-testid=regions]")
        assert all(name in body for key, name in names.items() if key != "D")
        assert tab.page.evaluate("() => document.querySelectorAll('iframe, [onload], [onerror]').length") == 0
        with tab.page.expect_download() as download:
            tab.at("csv").click()
        # A spreadsheet must not take a name for a formula.
        assert "\"'=cmd" in download.value.path().read_text() or "'=cmd" in download.value.path().read_text()


@pytest.mark.parametrize("query", ["?state=ZZ", "?state=%3Cimg%20src=x%20onerror=alert(1)%3E", "?state=" + "x" * 3_000, "?state=__proto__", "?state=constructor"])
def test_an_unknown_region_in_the_address(half: Town, tabs: Tabs, query: str) -> None:
    """Said in words, with a way out; the closest regions stay."""
    with tabs.open(half.url, query, shows="unknown-region") as tab:
        assert tab.at("closest").is_visible() and tab.at("panel").count() == 0
        tab.page.keyboard.press("Escape")
        tab.gone("unknown-region")
        assert "state=" not in tab.page.url


@pytest.mark.parametrize("query", ["?at=1999-01-01T00:00:00Z", "?at=2999-01-01T00:00:00Z"])
def test_a_minute_that_never_was(half: Town, tabs: Tabs, query: str) -> None:
    """Before the first vote, or in the future: something is said, and "back to now" works."""
    with tabs.open(half.url, query, shows="banner", troubled=True) as tab:
        tab.shows("leader")
        tab.at("past-back").click()
        tab.gone("banner")
        total(tab, half.results()["counted"])


# --- the page's own rules -------------------------------------------------------------------------------------------


def test_the_policy_forbids_what_is_inline(half: Town, tabs: Tabs) -> None:
    """No `unsafe-` anything, nothing from elsewhere; and the browser enforces it: an inline script does not run, an inline style does not hold."""
    policy = half.api.get("/").headers["content-security-policy"]
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";") if rule.strip()}
    assert "unsafe" not in policy and "*" not in policy.replace("'self'", "")
    for directive in ("script-src", "style-src", "connect-src", "default-src"):
        assert set(rules[directive]) <= {"'self'", "'none'"}, policy
    assert set(rules["object-src"]) == {"'none'"} and set(rules["base-uri"]) == {"'none'"} and rules["frame-ancestors"]
    with tabs.open(half.url, troubled=True) as tab:
        ran = tab.page.evaluate("""() => {
            const script = document.createElement('script');
            script.textContent = 'window.__ran = true';
            document.body.append(script);
            const image = document.createElement('div');
            image.innerHTML = '<img src="data:," onerror="window.__ran = true"><p style="color: rgb(1, 2, 3)">x</p>';
            document.body.append(image);
            return [window.__ran ?? false, getComputedStyle(image.querySelector('p')).color];
        }""")
        assert ran[0] is False and ran[1] != "rgb(1, 2, 3)"
        tab.until("() => window.__account.violations.length >= 3")
        tab.page.evaluate("() => { window.__account.violations.length = 0; }")


def test_no_part_of_the_page_breaks_the_policy(half: Town, tabs: Tabs) -> None:
    """Every view and every control is used once; the account of the tab would name each violation."""
    with tabs.open(half.url) as tab:
        tab.shows("group-row")
        for group in ("map-view", "trend-view"):
            for radio in tab.at(group).get_by_role("radio").all():
                radio.check()
        tab.at("theme").click()
        tab.at("map").hover(position={"x": 300, "y": 200})
        tab.page.locator("[data-testid=trend-chart]").hover()
        for testid in ("filter-age", "filter-gender", "filter-region"):
            tab.at(testid).select_option(index=1)
        tab.page.locator("summary").first.click() if tab.page.locator("summary").count() else None
        tab.page.keyboard.press("?")
        assert tab.account()["violations"] == []


def test_a_network_that_tears_and_stutters(half: Town, tabs: Tabs) -> None:
    """Answers that come in pieces, late, or by half: the page says that it waits, and shows everything once it can."""
    with Proxy(half.port) as proxy:
        proxy.delay(0.05)
        with tabs.open(f"http://127.0.0.1:{proxy.port}/", troubled=True) as tab:
            proxy.delay(0)
            proxy.tear("down")
            tab.shows("banner", timeout=30_000)
            proxy.release()
            proxy.cut()
            tab.gone("banner", timeout=30_000)
            assert tab.attr("total-votes", "data-votes") == str(half.results()["counted"])


def test_the_foot_of_the_page_cannot_be_had(half: Town, tabs: Tabs) -> None:
    """Health and method are a file of their own: where it does not come its place says so, the rest stands, and a button brings it."""
    with tabs.open(half.url, query=None, troubled=True) as tab:
        tab.page.route("**/assets/Behind-*", lambda route: route.abort())
        tab.go("")
        tab.until("() => document.querySelector('[data-testid=foot]')?.textContent.trim()")
        assert tab.at("foot").get_by_role("heading").is_visible() and tab.at("regions").is_visible()
        assert tab.axe() == []
        tab.page.unroute("**/assets/Behind-*")
        # Where the stream came back meanwhile the part was asked for again by itself.
        tab.page.evaluate("() => document.querySelector('[data-testid=foot] button')?.click()")
        tab.shows("method").shows("health")
