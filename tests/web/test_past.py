"""The past: a slider that moves the whole page to any minute, says loudly that it has, and back; and what the desk keeps from it."""

from __future__ import annotations

import pytest

from tests.e2e.harness import Harness
from tests.web import towns
from tests.web.chromium import Tab, Tabs
from tests.web.reading import ALL_ROWS, adds_up, read, should_read
from tests.web.states import past_minute
from tests.web.towns import Town


def groups(tab: Tab) -> dict[str, int]:
    return tab.page.evaluate("() => Object.fromEntries([...document.querySelectorAll('[data-testid=group-row]')].map((r) => [r.dataset.group, Number(r.querySelector('[data-votes]').dataset.votes)]))")


def arrived(tab: Tab, minute: str) -> None:
    tab.until("(m) => document.querySelector('[data-testid=banner][data-kind=past]')?.dataset.at === m", minute)


def test_the_slider_moves_the_whole_page(half: Town, tabs: Tabs) -> None:
    """Every number is that minute's: total, candidates, regions, map and groups; health is gone; the banner names the minute. Back to live by
    a button, and the browser's own buttons know both."""
    points = half.api.json("/api/timeline")["points"]
    with tabs.open(half.url, ALL_ROWS) as tab:
        tab.shows("group-row").shows("health")
        now, groups_now = read(tab), groups(tab)
        slider = tab.at("past-slider")
        slider.focus()
        tab.page.keyboard.press("PageDown")
        tab.shows("banner")
        tab.until("() => document.querySelector('[data-testid=banner]').dataset.at !== ''")
        minute = tab.attr("banner", "data-at")
        assert minute in {p["minute"] for p in points} and minute < points[-1]["minute"]
        then = half.results(f"?at={minute}")
        said = read(tab)
        adds_up(said)
        assert said == should_read(then) and 0 < said["total"] < now["total"]
        assert tab.status() == "past" and tab.at("health").count() == 0
        assert minute[:4] in tab.text("banner") and tab.page.evaluate("() => document.documentElement.hasAttribute('data-past')")
        assert slider.get_attribute("aria-valuetext")
        # Demographics are the release of that time.
        released = released_votes(half.api.json(f"/api/demographics?at={minute}"))
        tab.until("(n) => [...document.querySelectorAll('[data-testid=group-row] [data-votes]')].reduce((sum, e) => sum + Number(e.dataset.votes), 0) === n", released)
        assert sum(groups(tab).values()) == released < sum(groups_now.values())
        tab.at("past-back").click()
        tab.gone("banner")
        tab.shows("health")
        assert read(tab) == now
        tab.page.go_back()
        arrived(tab, minute)
        assert read(tab)["total"] == said["total"]


def released_votes(demographics: dict) -> int:
    """Votes in the nation's cells of age and gender."""
    return sum(sum(block["cells"]) for block in demographics["nation"] if block["kind"] == "age_gender")


def test_a_change_of_the_lead_is_a_way_to_its_minute(half: Town, tabs: Tabs) -> None:
    changes = half.api.json("/api/timeline")["lead_changes"]
    assert changes, "the night has changes of the lead"
    with tabs.open(half.url, ALL_ROWS) as tab:
        tab.at("trend").scroll_into_view_if_needed()
        first = tab.at("lead-change").first
        minute = first.get_attribute("data-at")
        assert f"at={minute.replace(':', '%3A')}" in first.get_attribute("href")
        first.click()
        arrived(tab, minute)
        assert read(tab) == should_read(half.results(f"?at={minute}"))


def test_the_past_stays_while_the_count_goes_on(night: Town, tabs: Tabs) -> None:
    """Snapshots of now do not come through; demographics are what was released by then."""
    minute = past_minute(night)
    released = released_votes(night.api.json(f"/api/demographics?at={minute}"))
    with tabs.open(night.url, f"{ALL_ROWS}&at={minute}&hz=20", shows="banner") as tab:
        arrived(tab, minute)
        frozen = read(tab)
        adds_up(frozen)
        tab.at("demographics").scroll_into_view_if_needed()
        tab.shows("group-row")
        assert 0 < sum(groups(tab).values()) == released <= frozen["total"]
        counted = night.results()["counted"]
        tab.awaits(lambda: night.results()["counted"] > counted + 20_000, "the count to go on")
        assert {**read(tab), "sequence": 0} == {**frozen, "sequence": 0}


# --- the desk ---

REGIONS = """regions = [
  { code = "NO", name = "North", expected = 100 },
  { code = "SO", name = "South", expected = 100 },
  { code = "HI", name = "Hidden Valley", expected = 100, publish = "at_close" },
]"""


@pytest.fixture
def embargoed(harness: Harness, tmp_path: object) -> Town:
    name = f"embargo-{abs(hash(str(tmp_path))) % 100_000}"
    text = towns.poll([("ada", "Ada"), ("bo", "Bo")], regions=REGIONS, id=name, min_cell=1)
    votes = towns.ballots({"ada": 30, "bo": 21}, 1, "North") + towns.ballots({"ada": 20, "bo": 29}, 1_000, "South")
    votes += towns.ballots({"ada": 4, "bo": 57}, 2_000, "Hidden Valley")
    return towns.counted(harness, name, text, votes)


def test_what_is_withheld_is_nowhere_on_the_page_until_it_is_closed(embargoed: Town, tabs: Tabs) -> None:
    """A region under embargo: not in the total, the table, the map, the panel, the CSV or the past; that it is withheld is said. With the desk's
    `close` it comes, without a reload, and the act stands in the list."""
    with tabs.open(embargoed.url) as tab:
        tab.page.evaluate("() => (window.__same = true)")
        assert tab.attr("total-votes", "data-votes") == "100"
        said = read(tab)
        adds_up(said)
        assert said["regions"] == {"NO": 51, "SO": 49}
        assert tab.at("withheld").first.is_visible()
        assert tab.at("map-region").count() == 2
        with tab.page.expect_download() as download:
            tab.at("csv").click()
        csv = download.value.path().read_text()
        assert "Hidden" not in csv and "HI" not in csv
        # None of its numbers, nor any that tells them.
        text = tab.page.evaluate("() => document.body.innerText")
        assert not {"61", "57", "161"} & set(text.replace(",", " ").split())
        embargoed.desk("close", "--region", "HI")
        tab.until("() => document.querySelector('[data-testid=total-votes]').dataset.votes === '161'")
        said = read(tab)
        adds_up(said)
        assert said == should_read(embargoed.results()) and said["regions"]["HI"] == 61
        tab.gone("withheld")
        tab.at("lead-changes").scroll_into_view_if_needed()
        tab.at("events-kind").get_by_role("radio").last.check()
        act = tab.at("desk-act").first
        assert (act.get_attribute("data-action"), act.get_attribute("data-region")) == ("close", "HI")
        assert tab.page.evaluate("() => window.__same === true")


def test_a_region_is_held_and_reopened_before_the_readers_eyes(embargoed: Town, tabs: Tabs) -> None:
    with tabs.open(embargoed.url, "?state=SO", shows="panel") as tab:
        embargoed.desk("hold", "--region", "SO")
        tab.until("() => document.querySelector('[data-testid=total-votes]').dataset.votes === '51'")
        tab.gone("panel").shows("unknown-region")
        adds_up(read(tab))
        assert tab.page.locator("[data-region=SO][data-testid=region-row]").count() == 0
        # Which it is the page learns from the desk's acts.
        tab.until("() => document.querySelector('[data-testid=withheld]').dataset.held.split(' ').includes('SO')")
        embargoed.desk("reopen", "--region", "SO")
        tab.until("() => document.querySelector('[data-testid=total-votes]').dataset.votes === '100'")
        tab.shows("panel")
        assert tab.attr("panel-counted", "data-votes") == "49"
        embargoed.desk("close")
        tab.until("() => document.querySelector('[data-testid=status]').dataset.status === 'final'")
        embargoed.desk("reopen")
        tab.until("() => document.querySelector('[data-testid=status]').dataset.status === 'live'")
        acts = tab.page.evaluate("() => fetch('/api/desk').then((r) => r.json()).then((d) => d.acts.map((a) => a.action))")
        assert acts == ["hold", "reopen", "close", "reopen"]
