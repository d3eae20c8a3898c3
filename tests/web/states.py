"""The states that the page can be in, each brought about against the real binary, for whatever must hold in all of them."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

from tests.chaos.proxy import Proxy
from tests.web.between import between
from tests.web.chromium import Tab, Tabs
from tests.web.towns import Town

# What a state's maker is given: where tabs come from, the towns by name, and how to open the tab.
Maker = Callable[[Tabs, dict[str, Town], dict[str, Any]], contextlib.AbstractContextManager[Tab]]

STATES: dict[str, Maker] = {}


def state(maker: Callable[..., Iterator[Tab]]) -> Callable[..., Iterator[Tab]]:
    STATES[maker.__name__] = contextlib.contextmanager(maker)
    return maker


def _settled(tab: Tab, town_has_groups: bool = True) -> Tab:
    if town_has_groups:
        tab.shows("group-row")
    return tab.settled()


@state
def counting(tabs: Tabs, towns: dict[str, Town], how: dict[str, Any]) -> Iterator[Tab]:
    with tabs.open(towns["half"].url, **how) as tab:
        yield _settled(tab)


@state
def map(tabs: Tabs, towns: dict[str, Town], how: dict[str, Any]) -> Iterator[Tab]:
    with tabs.open(towns["half"].url, "?map=map", **how) as tab:
        yield _settled(tab)


@state
def tiles(tabs: Tabs, towns: dict[str, Town], how: dict[str, Any]) -> Iterator[Tab]:
    with tabs.open(towns["half"].url, "?map=tiles", **how) as tab:
        yield _settled(tab)


@state
def complete(tabs: Tabs, towns: dict[str, Town], how: dict[str, Any]) -> Iterator[Tab]:
    with tabs.open(towns["done"].url, **how) as tab:
        assert tab.status() == "final"
        yield _settled(tab)


@state
def panel(tabs: Tabs, towns: dict[str, Town], how: dict[str, Any]) -> Iterator[Tab]:
    with tabs.open(towns["half"].url, "?state=PA", shows="panel", **how) as tab:
        yield _settled(tab)


@state
def no_votes(tabs: Tabs, towns: dict[str, Town], how: dict[str, Any]) -> Iterator[Tab]:
    with tabs.open(towns["empty"].url, **how) as tab:
        assert tab.status() == "waiting"
        yield _settled(tab, False)


@state
def no_match(tabs: Tabs, towns: dict[str, Town], how: dict[str, Any]) -> Iterator[Tab]:
    with tabs.open(towns["half"].url, "?q=nowhere&state=ZZ", shows="no-match", **how) as tab:
        yield _settled(tab.shows("unknown-region"))


def past_minute(town: Town) -> str:
    """A minute of this town's count, for a past view."""
    points = town.api.json("/api/timeline")["points"]
    return points[len(points) // 2]["minute"]


@state
def past(tabs: Tabs, towns: dict[str, Town], how: dict[str, Any]) -> Iterator[Tab]:
    with tabs.open(towns["half"].url, f"?at={past_minute(towns['half'])}", shows="banner", **how) as tab:
        tab.until("() => document.querySelector('[data-testid=banner]').dataset.at !== ''")
        assert tab.status() == "past"
        yield _settled(tab, False)


@state
def paused(tabs: Tabs, towns: dict[str, Town], how: dict[str, Any]) -> Iterator[Tab]:
    with tabs.open(towns["half"].url, **how) as tab:
        _settled(tab).at("pause").click()
        yield tab.shows("banner")


@state
def stale(tabs: Tabs, towns: dict[str, Town], how: dict[str, Any]) -> Iterator[Tab]:
    """The network has stopped: nothing comes, nothing breaks."""
    with Proxy(towns["half"].port) as proxy, tabs.open(f"http://127.0.0.1:{proxy.port}/", troubled=True, **how) as tab:
        _settled(tab)
        proxy.hold()
        yield tab.shows("banner")
        proxy.release()


@state
def offline(tabs: Tabs, towns: dict[str, Town], how: dict[str, Any]) -> Iterator[Tab]:
    with tabs.open(towns["half"].url, troubled=True, **how) as tab:
        _settled(tab)
        tab.context.set_offline(True)
        tab.until("() => document.querySelector('[data-testid=banner]')?.dataset.kind === 'offline'")
        yield tab


@state
def error(tabs: Tabs, towns: dict[str, Town], how: dict[str, Any]) -> Iterator[Tab]:
    with between(towns["half"].port) as proxy:
        proxy.answers["/api/results"] = (500, {"title": "broken", "status": 500})
        with tabs.open(proxy.url, shows="failure", troubled=True, **how) as tab:
            yield tab


@state
def loading(tabs: Tabs, towns: dict[str, Town], how: dict[str, Any]) -> Iterator[Tab]:
    """The page is there and its first snapshot is not."""
    with tabs.open(towns["half"].url, query=None, **how) as tab:
        tab.page.route("**/api/results*", lambda route: None)
        tab.page.goto(tab.url)
        yield tab.shows("skeleton", state="attached")


@state
def help(tabs: Tabs, towns: dict[str, Town], how: dict[str, Any]) -> Iterator[Tab]:
    with tabs.open(towns["half"].url, **how) as tab:
        _settled(tab).page.keyboard.press("?")
        tab.until("() => document.querySelector('[data-testid=help]').open")
        yield tab


@state
def embed_code(tabs: Tabs, towns: dict[str, Town], how: dict[str, Any]) -> Iterator[Tab]:
    """The code for other pages, unfolded."""
    with tabs.open(towns["half"].url, **how) as tab:
        _settled(tab).shows("method").page.locator("details[data-testid=embed-code] summary").click()
        yield tab.shows("embed-form")


# Parts of the page for other sites. On air, where the system's theme is of no account, they are looked at in test_embeds.py.
EMBEDS = {
    "embed_map": "?embed=map",
    "embed_region": "?embed=map&state=PA",
    "embed_bar": "?embed=bar",
    "embed_table": "?embed=table&lang=es",
    "embed_card": "?embed=card",
}


def _embed(query: str, tabs: Tabs, towns: dict[str, Town], how: dict[str, Any]) -> Iterator[Tab]:
    with tabs.open(towns["half"].url, query, shows="embed", **how) as tab:
        tab.until("() => document.querySelector('[data-testid=embed] main .card')")
        yield tab.settled()


for _name, _query in EMBEDS.items():
    STATES[_name] = contextlib.contextmanager(functools.partial(_embed, _query))


@state
def poll_of_two(tabs: Tabs, towns: dict[str, Town], how: dict[str, Any]) -> Iterator[Tab]:
    with tabs.open(towns["two"].url, **how) as tab:
        yield _settled(tab, False)


@state
def poll_of_five(tabs: Tabs, towns: dict[str, Town], how: dict[str, Any]) -> Iterator[Tab]:
    """With names that are long, right to left, or markup."""
    with tabs.open(towns["five"].url, **how) as tab:
        yield _settled(tab, False)


@state
def poll_of_thirty(tabs: Tabs, towns: dict[str, Town], how: dict[str, Any]) -> Iterator[Tab]:
    with tabs.open(towns["thirty"].url, **how) as tab:
        yield _settled(tab, False)


@state
def one_candidate(tabs: Tabs, towns: dict[str, Town], how: dict[str, Any]) -> Iterator[Tab]:
    with tabs.open(towns["one"].url, **how) as tab:
        yield _settled(tab, False)


@state
def tie(tabs: Tabs, towns: dict[str, Town], how: dict[str, Any]) -> Iterator[Tab]:
    with tabs.open(towns["tie"].url, **how) as tab:
        yield _settled(tab, False)
