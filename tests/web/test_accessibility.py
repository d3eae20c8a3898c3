"""Points 6, 7, 9 and 13: axe, contrast, sideways scroll, targets, sorting said aloud, reduced motion, forced colours; in every state.

The live region's pace (point 9) is watched in test_load.py, while snapshots pour in.
"""

from __future__ import annotations

import io

import pytest
from PIL import Image

from tests.web.chromium import WIDTHS, Tab, Tabs
from tests.web.states import STATES
from tests.web.towns import Town

LOOKS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
# The states that are looked at in every way; the others, whose parts are the same, wide and light, and narrow and dark.
MAIN = {"counting", "panel", "poll_of_five"}


def faults(tab: Tab) -> list[str]:
    """What is wrong with what is on the screen, whatever it is."""
    return [*tab.axe(), *(f"label {text}" for text in tab.audit("labels")), *(f"target {text}" for text in tab.audit("targets"))]


@pytest.mark.parametrize("state", STATES)
def test_06_axe_contrast_targets(state: str, everywhere: dict[str, Town], tabs: Tabs) -> None:
    """axe with all of its rules, 4.5 : 1 for every label of a drawing, 24 px for every target; and no scrolling sideways at any width."""
    wrong: dict[str, list[str]] = {}
    with STATES[state](tabs, everywhere, {}) as tab:
        for width, theme in LOOKS if state in MAIN else [LOOKS[0], LOOKS[3]]:
            tab.look(width, theme)
            if found := faults(tab):
                wrong[f"{width} {theme}"] = found
        for width in WIDTHS:
            tab.look(width)
            if (over := tab.sideways()) > 0:
                wrong[f"{width}"] = [f"scrolls sideways by {over} px"]
    assert not wrong, wrong


def test_06_the_label_audit_finds_what_is_wrong(half: Town, tabs: Tabs) -> None:
    """The script that asserts contrast is no rubber stamp: a pale label, a tiny one and a small button are found."""
    with tabs.open(half.url, "?map=tiles") as tab:
        assert tab.audit("labels") == [] and tab.audit("targets") == []
        tab.page.evaluate("""() => {
            const [pale, tiny] = document.querySelectorAll('[data-testid=map] svg text');
            pale.setAttribute('fill', '#888888');
            tiny.style.fontSize = '9px';
            document.querySelector('[data-testid=csv]').style.cssText = 'min-height:0;height:20px';
        }""")
        assert len(tab.audit("labels")) == 2 and len(tab.audit("targets")) == 1


def test_07_no_sideways_scroll_while_counting(night: Town, tabs: Tabs) -> None:
    with tabs.open(night.url) as tab:
        tab.shows("group-row")
        for width in WIDTHS:
            tab.look(width)
            assert tab.sideways() <= 0, width


def test_09_the_sorted_column_says_so(half: Town, tabs: Tabs) -> None:
    """`aria-sort` stands on the sorted column and on no other, and the rows are in that order."""
    with tabs.open(half.url, "?size=51") as tab:
        table = tab.at("region-table")
        for column in ("name", "margin", "votes", "progress", "leader"):
            header = table.locator(f"th:has([data-sort={column}])")
            for _ in range(2):
                header.locator("button").click()
                said = table.locator("th[aria-sort]")
                assert said.count() == 1
                direction = header.get_attribute("aria-sort")
                assert direction in ("ascending", "descending")
                if column in ("name", "votes"):
                    rows = tab.page.evaluate("""(key) => [...document.querySelectorAll('[data-testid=region-row]')].map((row) => key === 'name'
                        ? row.querySelector('th button').textContent.trim() : Number(row.querySelector('[data-testid=region-votes]').dataset.votes))""", column)
                    assert len(rows) == 51
                    assert rows == sorted(rows, reverse=direction == "descending"), (column, direction)


def test_13_nothing_moves_under_reduced_motion(night: Town, tabs: Tabs) -> None:
    """No animation at any moment: at the start, while snapshots come, while the panel opens and the theme changes."""
    with tabs.open(night.url, query=None, reduced_motion="reduce") as tab:
        tab.page.add_init_script("""
            window.__moved = [];
            const look = () => {
              for (const a of document.getAnimations()) window.__moved.push(`${a.animationName ?? a.transitionProperty ?? 'script'} of ${a.effect?.target?.className}`);
              requestAnimationFrame(look);
            };
            requestAnimationFrame(look);
        """)
        tab.go("").shows("group-row")
        tab.at("map-view").get_by_role("radio", name="Tiles").check()
        tab.page.keyboard.press("?")
        tab.page.keyboard.press("Escape")
        tab.at("theme").click()
        tab.at("closest").locator("button[data-region]").first.click()
        tab.shows("panel")
        sequence = int(tab.attr("sequence", "data-sequence"))
        tab.until("(n) => Number(document.querySelector('[data-testid=sequence]').dataset.sequence) > n + 4", sequence)
        assert tab.page.evaluate("() => [...new Set(window.__moved)]") == []


BARS = {"seat-bar": 1, "candidate-card": 1, "group-row": 1, "region-row": 1, "map": 1}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_13_bars_are_visible_in_forced_colours(half: Town, tabs: Tabs, theme: str) -> None:
    """With the system's colours forced, each kind of bar is still drawn: its picture is not of one colour from end to end."""
    with tabs.open(half.url, "?map=tiles", theme=theme, forced_colors="active") as tab:
        tab.shows("group-row").settled()
        for testid in BARS:
            drawing = tab.at(testid).first.locator("svg:visible").last
            picture = Image.open(io.BytesIO(drawing.screenshot())).convert("L")
            low, high = picture.getextrema()
            assert high - low >= 100, f"{testid} is one colour: {low} to {high}"
        # A share is to be seen as well: the bar of the first candidate is longer than that of the last.
        lengths = tab.page.evaluate("""() => [...document.querySelectorAll('[data-testid=candidate-card] svg .value')].map((v) => {
            const style = getComputedStyle(v), track = getComputedStyle(v.previousElementSibling);
            return [v.getBoundingClientRect().width, style.fill !== track.fill];
        })""")
        assert len(lengths) >= 2 and lengths[0][0] > lengths[-1][0] and all(differs for _, differs in lengths), lengths
