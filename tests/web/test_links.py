"""Point 12: an address holds what its reader saw, and the browser's own buttons work."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from tests.web.chromium import Tab, Tabs
from tests.web.states import past_minute
from tests.web.towns import Town

# What the page shows of what its address holds.
_SEEN = """
() => ({
  state: document.querySelector('[data-testid=panel]')?.dataset.region ?? null,
  map: document.querySelector('[data-testid=map]').dataset.view,
  q: document.querySelector('[data-testid=search]').value,
  sort: document.querySelector('th[aria-sort] [data-sort]').dataset.sort,
  dir: document.querySelector('th[aria-sort]').getAttribute('aria-sort'),
  rows: [...document.querySelectorAll('[data-testid=region-row]')].map((row) => row.dataset.region),
  page: document.querySelector('[data-testid=page]').textContent.trim(),
  theme: document.documentElement.dataset.theme,
  age: document.querySelector('[data-testid=filter-age]')?.value ?? null,
  at: document.querySelector('[data-testid=banner][data-kind=past]')?.dataset.at ?? null,
})
"""


def seen(tab: Tab) -> dict:
    return tab.page.evaluate(_SEEN)


def query(tab: Tab) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(tab.page.url).query).items()}


def test_12_a_link_shows_what_its_sender_saw(half: Town, tabs: Tabs) -> None:
    """Each part of the state by hand, then the address opened by somebody else: the same page, number for number."""
    with tabs.open(half.url) as tab:
        tab.shows("group-row")
        tab.at("map-view").get_by_role("radio", name="Tiles").check()
        tab.at("map").locator("[data-region=GA]").first.click()
        tab.at("search").fill("a")
        tab.page.locator("[data-sort=name]").click()
        tab.page.locator("[data-sort=name]").click()
        tab.at("page-next").click()
        tab.at("filter-age").select_option("30-44")
        mine = seen(tab)
        held = query(tab)
        assert held | {"dir": "desc"} == {"map": "tiles", "state": "GA", "q": "a", "sort": "name", "dir": "desc", "page": "2", "age": "30-44"}
        address = urlsplit(tab.page.url).query
    assert mine["state"] == "GA" and mine["map"] == "tiles" and mine["q"] == "a" and mine["dir"] == "descending" and mine["rows"]
    with tabs.open(half.url, f"?{address}", shows="panel") as tab:
        tab.shows("group-row")
        assert seen(tab) == mine
        assert query(tab) == held


def test_12_theme_and_past_minute_are_in_the_link(half: Town, tabs: Tabs) -> None:
    minute = past_minute(half)
    with tabs.open(half.url, f"?theme=dark&at={minute}&size=25&sort=margin", shows="banner") as tab:
        tab.until("(m) => document.querySelector('[data-testid=banner]').dataset.at === m", minute)
        there = seen(tab)
        assert (there["theme"], there["at"], there["sort"], len(there["rows"])) == ("dark", minute, "margin", 25)
        assert tab.attr("total-votes", "data-votes") == str(half.results(f"?at={minute}")["counted"])


def test_12_back_closes_the_panel_and_forward_opens_it(half: Town, tabs: Tabs) -> None:
    with tabs.open(half.url, "?map=tiles") as tab:
        tab.at("map").locator("[data-region=PA]").first.click()
        tab.shows("panel")
        tab.page.go_back()
        tab.gone("panel")
        assert query(tab) == {"map": "tiles"}
        tab.page.go_forward()
        tab.shows("panel")
        tab.page.reload()
        tab.shows("panel")
        assert tab.attr("panel", "data-region") == "PA"


def test_12_what_the_page_does_not_know_stays_in_the_address(half: Town, tabs: Tabs) -> None:
    with tabs.open(half.url, "?utm=x&hz=20&sort=nonsense&page=-3&size=7&theme=pink&at=yesterday&map=globe#here") as tab:
        there = seen(tab)
        assert there["sort"] == "votes" and len(there["rows"]) == 10 and there["at"] is None and there["theme"] == "light"
        tab.at("map").focus()
        tab.page.keyboard.press("Enter")
        tab.shows("panel")
        assert query(tab)["utm"] == "x" and query(tab)["hz"] == "20" and tab.page.url.endswith("#here")
