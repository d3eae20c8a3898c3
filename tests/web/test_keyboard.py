"""Point 8: everything by keyboard alone, and focus that stays where it is while snapshots come."""

from __future__ import annotations

from tests.web.chromium import Tab, Tabs
from tests.web.towns import Town


def focused(tab: Tab) -> str | None:
    return tab.page.evaluate("() => document.activeElement?.dataset.testid ?? document.activeElement?.id ?? document.activeElement?.tagName")


def tab_to(tab: Tab, testid: str, most: int = 150) -> int:
    """Presses Tab until this has the focus; says how often. Whatever has the focus can be seen to have it."""
    for pressed in range(1, most + 1):
        tab.page.keyboard.press("Tab")
        if focused(tab) == testid:
            outline = tab.page.evaluate("() => { const s = getComputedStyle(document.activeElement); return [s.outlineStyle, parseFloat(s.outlineWidth)]; }")
            assert outline[0] != "none" and outline[1] >= 2, (testid, outline)
            return pressed
    raise AssertionError(f"{testid} is not reached by {most} presses of Tab; the focus is on {focused(tab)}")


def updates(tab: Tab, many: int) -> None:
    """Waits until so many more snapshots were shown."""
    tab.page.evaluate("""() => {
        window.__updates = 0;
        new MutationObserver(() => (window.__updates += 1)).observe(document.querySelector('[data-testid=sequence]'), { attributes: true });
    }""")
    tab.until("(n) => window.__updates >= n", many)


def test_08_choose_close_sort_page_pause(night: Town, tabs: Tabs) -> None:
    """No mouse: the map is one tab stop where arrows move, Enter chooses and Escape closes; sorting, paging and pausing are buttons."""
    with tabs.open(night.url) as tab:
        keys = tab.page.keyboard
        tab.shows("group-row")
        keys.press("Tab")
        assert tab.page.evaluate("() => document.activeElement.getAttribute('href')") == "#results", "the first stop skips to the results"
        tab_to(tab, "pause")
        tab_to(tab, "map")
        # To Pennsylvania, wherever the map begins: Ohio lies to its left.
        active = "() => document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))?.dataset.region"
        if tab.page.evaluate(active) == "PA":
            keys.press("ArrowLeft")
            assert tab.page.evaluate(active) == "OH"
            keys.press("ArrowRight")
        assert tab.page.evaluate(active) == "PA"
        keys.press("Enter")
        assert tab.attr("panel", "data-region") == "PA" and "state=PA" in tab.page.url
        assert tab.at("map-region").and_(tab.page.locator("[data-region=PA]")).get_attribute("aria-selected") == "true"
        keys.press("ArrowLeft")
        keys.press("Enter")
        neighbour = tab.attr("panel", "data-region")
        assert neighbour != "PA"
        tab_to(tab, "panel-close", 5)
        keys.press("Enter")
        tab.gone("panel")
        for _ in range(150):
            keys.press("Shift+Tab")
            if focused(tab) == "map":
                break
        keys.press("Enter")
        tab.shows("panel")
        keys.press("Escape")
        tab.gone("panel")
        assert "state=" not in tab.page.url

        keys.press("/")
        assert focused(tab) in ("search", "region-search")
        keys.type("new")
        tab.until("() => document.querySelectorAll('[data-testid=region-row]').length === 4")
        keys.press("Escape")
        tab.until("() => document.querySelectorAll('[data-testid=region-row]').length === 10")
        tab_to(tab, "csv", 2)
        keys.press("Tab")
        keys.press("Enter")
        assert tab.page.locator("th[aria-sort] [data-sort=name]").count() == 1
        assert tab.page.locator("[data-testid=region-row]").first.get_attribute("data-region") == "AL"
        tab_to(tab, "page-next")
        keys.press("Enter")
        assert "page=2" in tab.page.url and "Page 2" in tab.text("page")

        keys.press("p")
        assert tab.status() == "paused"
        keys.press("p")
        tab.until("() => document.querySelector('[data-testid=status]').dataset.status === 'live'")
        keys.press("?")
        assert tab.page.evaluate("() => document.querySelector('[data-testid=help]').open")
        keys.press("Escape")
        assert not tab.page.evaluate("() => document.querySelector('[data-testid=help]').open")


def test_08_focus_survives_ten_updates(night: Town, tabs: Tabs) -> None:
    """On the map with a chosen state, on a button of the table that is being sorted anew, on a card's neighbour: the same element, focused."""
    with tabs.open(night.url, "?hz=20&state=PA", shows="panel") as tab:
        tab.shows("group-row")
        for target in ("[data-testid=map]", "[data-testid=region-row] .open", "[data-testid=panel-close]", "[data-testid=past-slider]", "[data-sort=margin]"):
            tab.page.locator(target).first.focus()
            tab.page.evaluate("() => (window.__focused = document.activeElement)")
            updates(tab, 10)
            assert tab.page.evaluate("() => document.activeElement === window.__focused && document.contains(window.__focused)"), target


def test_08_map_is_one_tab_stop(half: Town, tabs: Tabs) -> None:
    with tabs.open(half.url) as tab:
        assert tab.page.locator("[data-testid=map-region]").count() == 51
        assert tab.page.evaluate("() => [...document.querySelectorAll('[data-testid=map], [data-testid=map] *')].filter((e) => e.tabIndex >= 0).length") == 1
        # From each state, where each arrow leads.
        leads = tab.page.evaluate("""async () => {
            const map = document.querySelector('[data-testid=map]'), leads = {};
            const settle = () => new Promise((done) => setTimeout(done));
            const active = () => document.getElementById(map.getAttribute('aria-activedescendant')).dataset.region;
            map.focus();
            for (const region of [...map.querySelectorAll('[data-testid=map-region]')].map((r) => r.dataset.region)) {
                leads[region] = new Set();
                for (const key of ['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight']) {
                    map.querySelector(`[data-region=${region}]`).dispatchEvent(new MouseEvent('click', { bubbles: true }));
                    await settle();
                    map.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
                    await settle();
                    leads[region].add(active());
                }
                leads[region] = [...leads[region]];
            }
            return leads;
        }""")
        reached, frontier = {"PA"}, ["PA"]
        while frontier:
            new = set(leads[frontier.pop()]) - reached
            reached |= new
            frontier += new
        assert reached == set(leads) and len(reached) == 51, set(leads) - reached
