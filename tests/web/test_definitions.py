"""Any election definition: other regions than the states of the US, none at all, no ages, many candidates, names from right to left; the page in
Spanish; on paper; as one file from the disk; and the API's own page. Each with axe, as every state of the page."""

from __future__ import annotations

import json
import pathlib
import re

import pytest

from tests.e2e.harness import Harness
from tests.web import towns
from tests.web.chromium import Tabs
from tests.web.reading import ALL_ROWS, adds_up, read, should_read
from tests.web.test_accessibility import faults
from tests.web.towns import Town


def regions(names: dict[str, str], seats: int = 0) -> str:
    many = f", seats = {seats}" if seats else ""
    return "regions = [\n" + "".join(f'  {{ code = "{code}", name = "{name}", expected = 100{many} }},\n' for code, name in names.items()) + "]"


def town_of(harness: Harness, id: str, names: dict[str, str], **settings: object) -> Town:
    text = towns.poll([("ada", "Ada"), ("bo", "Bo"), ("cy", "Cy")], regions=regions(names, 3), id=id, name=id, **settings)
    votes = b"".join(towns.ballots({"ada": 20 + 3 * i, "bo": 30, "cy": 5}, i * 1_000 + 1, name) for i, name in enumerate(names.values()))
    return towns.counted(harness, id, text, votes)


# --- regions ---


def test_other_regions_are_equal_tiles(harness: Harness, tabs: Tabs) -> None:
    """Without shapes there are tiles of one size, and no map to choose; the keyboard reaches each."""
    names = {f"W{i}": f"Ward {i}" for i in range(1, 12)}
    town = town_of(harness, "wards", names)
    for width in (1280, 390):
        with tabs.open(town.url, ALL_ROWS, width=width) as tab:
            assert tab.attr("map", "data-view") == "tiles" and tab.at("map-view").count() == 0
            sizes = tab.page.evaluate("() => [...document.querySelectorAll('[data-testid=map-region]')].map((g) => g.getBoundingClientRect()).map((b) => [Math.round(b.width), Math.round(b.height)])")
            assert len(sizes) == 11 and max(w for w, _ in sizes) - min(w for w, _ in sizes) <= 1 and min(map(min, sizes)) >= 24
            said = read(tab)
            adds_up(said)
            assert said == should_read(town.results())
            tab.at("map").focus()
            tab.page.keyboard.press("End")
            tab.page.keyboard.press("Enter")
            tab.shows("panel")
            assert tab.attr("panel", "data-region") == "W11"
            assert faults(tab) == [] and tab.sideways() <= 0


def test_regions_with_long_codes_are_a_table_alone(harness: Harness, tabs: Tabs) -> None:
    names = {"north-east": "The North-Eastern Riding of Somewhere with a Very Long Name Indeed", "south": "South"}
    town = town_of(harness, "ridings", names)
    with tabs.open(town.url, ALL_ROWS) as tab:
        assert tab.at("map").count() == 0 and tab.at("closest").is_visible()
        assert tab.at("region-row").count() == 2
        tab.at("region-row").get_by_role("button").first.click()
        tab.shows("panel")
        for width in (1280, 390, 320):
            tab.look(width)
            assert tab.sideways() <= 0 and faults(tab) == [], width


def test_a_poll_has_neither_regions_nor_groups(polls: dict[str, Town], tabs: Tabs) -> None:
    """No empty section stands for what the definition does not have."""
    with tabs.open(polls["two"].url) as tab:
        tab.shows("method")
        tab.gone("demographics")
        for absent in ("map-section", "regions", "group-row", "seat-bar", "filter-age"):
            assert tab.at(absent).count() == 0, absent
        assert tab.at("trend").is_visible()


@pytest.mark.parametrize(("extra", "kinds"), [({"genders": ["Female", "Male"]}, "genders"), ({"bands": ["18-44", "45+"]}, "bands")])
def test_groups_without_ages_or_without_genders(harness: Harness, tabs: Tabs, extra: dict, kinds: str) -> None:
    lines = []
    for voter in range(1, 401):
        person = {"gender": "Female" if voter % 2 else "Male"} if kinds == "genders" else {"age": 20 + voter % 50}
        lines.append({"id": voter, "state": "North", "decision": "ada" if voter % 3 else "bo"} | person)
    text = towns.poll([("ada", "Ada"), ("bo", "Bo")], regions=regions({"N": "North"}), id=f"only-{kinds}", min_cell=5, **extra)
    town = towns.counted(harness, f"only-{kinds}", text, ("\n".join(json.dumps(line) for line in lines) + "\n").encode())
    with tabs.open(town.url) as tab:
        tab.at("demographics").scroll_into_view_if_needed()
        tab.shows("group-row")
        keys = [row.get_attribute("data-group") for row in tab.at("group-row").all()]
        assert len(keys) == 2, keys
        assert tab.axe() == []


# --- names ---


def test_names_from_right_to_left_keep_to_themselves(polls: dict[str, Town], tabs: Tabs) -> None:
    """An Arabic or Hebrew name is set from right to left and turns nothing beside it around: share and votes stand where they stand for others."""
    with tabs.open(polls["five"].url) as tab:
        found = tab.page.evaluate("""() => Object.fromEntries([...document.querySelectorAll('[data-testid=candidate-card]')].map((card) => {
            const at = (testid) => Math.round(card.querySelector(`[data-testid=${testid}]`).getBoundingClientRect().left - card.getBoundingClientRect().left);
            return [card.dataset.candidate, {
                direction: getComputedStyle(card.querySelector('bdi')).direction, share: at('candidate-share'),
                text: card.querySelector('[data-testid=candidate-share]').textContent.trim(),
                lines: card.querySelector('[data-testid=candidate-share]').getClientRects().length,
                high: card.querySelector('[data-testid=candidate-share]').getBoundingClientRect().height,
            }];
        }))""")
        assert {id: one["direction"] for id, one in found.items()} == {"markup": "ltr", "long": "ltr", "arabic": "rtl", "hebrew": "rtl", "amp": "ltr"}
        assert len({one["share"] for one in found.values()}) == 1, found
        assert all(re.fullmatch(r"\d\d\.\d%", one["text"]) for one in found.values())
        # A share stands on one line, however narrow its card is.
        for width in (1280, 1000, 768, 390, 320):
            tab.look(width)
            high = tab.page.evaluate("() => [...document.querySelectorAll('[data-testid=candidate-share]')].map((e) => e.getBoundingClientRect().height / parseFloat(getComputedStyle(e).fontSize))")
            assert max(high) < 1.9, (width, high)


# --- languages ---

ENGLISH = re.compile(r"\b(votes|Leading|leading|Counted|Search|Download|Pause|Live|updated|States|margin|expected|Page|of the|Closest)\b")


def test_spanish_is_spanish_throughout(half: Town, tabs: Tabs) -> None:
    """Every word of the page's own, its title, its labels for screen readers, numbers as Spain writes them; and the way back to English."""
    with tabs.open(half.url, "?lang=es-ES&state=PA", shows="panel") as tab:
        tab.shows("group-row").shows("method")
        assert tab.page.evaluate("() => document.documentElement.lang") == "es-ES"
        # What the election's own definition says is in its own language: names, notes.
        results = half.results()
        text = tab.page.evaluate("""() => [
            ...[...document.querySelectorAll('body *')].filter((e) => !e.closest('bdi, pre, code, script')).flatMap((e) => [
                ...['aria-label', 'title', 'placeholder', 'aria-valuetext'].map((name) => e.getAttribute(name) ?? ''),
                ...[...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.nodeValue),
            ])].join('\\n')""").replace(results["election"]["name"], "")
        assert not ENGLISH.findall(text), ENGLISH.findall(text)
        assert "186.000" in tab.text("total-votes")
        assert re.search(r"\d\d,\d\s?%", tab.text("leader")), tab.text("leader")
        assert faults(tab) == []
        tab.look(320)
        assert tab.sideways() <= 0
        tab.at("languages").get_by_role("link", name="English").click()
        tab.shows("panel")
        assert tab.page.evaluate("() => document.documentElement.lang").startswith("en") and "state=PA" in tab.page.url


def test_the_browsers_language_is_taken(half: Town, tabs: Tabs) -> None:
    context = tabs.browser.new_context(locale="es-MX")
    try:
        page = context.new_page()
        page.goto(half.url)
        page.wait_for_selector("[data-testid=leader]")
        assert page.evaluate("() => document.documentElement.lang") == "es-MX"
        assert "186,000" in page.get_by_test_id("total-votes").first.inner_text()
    finally:
        context.close()


# --- paper ---


def test_on_paper_the_numbers_stand_on_one_page(half: Town, tabs: Tabs) -> None:
    """Dark on white whatever the theme, one page, nothing to press, with what it is and of when."""
    with tabs.open(half.url, "?theme=dark") as tab:
        tab.shows("group-row")
        paper = tab.page.pdf(format="A4")
        assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 1
        tab.page.emulate_media(media="print")
        ground, ink = tab.page.evaluate("() => { const s = getComputedStyle(document.querySelector('[data-testid=leader]')); return [s.backgroundColor, s.color]; }")
        assert ground == "rgb(255, 255, 255)" and ink == "rgb(0, 0, 0)"
        # What is pressed on the screen is gone, but for the rows of the closest states, which are read.
        for testid in ("simulated", "leader", "candidates", "seat-bar", "map", "closest", "total-votes", "sequence"):
            assert tab.at(testid).first.is_visible(), testid
        assert "Michigan" in tab.text("closest")
        assert tab.page.evaluate("() => [...document.querySelectorAll('button:not([data-region]), select, input, textarea')].filter((e) => e.checkVisibility()).length") == 0


# --- the page as a file, and the API's page ---


@pytest.fixture(scope="module")
def file(half: Town, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """`votestream results --format html`; what it must hold is in tests/e2e/test_html_snapshot.py."""
    path = tmp_path_factory.mktemp("file") / "page.html"
    path.write_bytes(half.harness.run("results", "--store", half.store, "--format", "html").out)
    return path


def test_the_page_as_a_file_is_as_accessible(half: Town, file: pathlib.Path, tabs: Tabs) -> None:
    """From the disk and without a network: the same numbers, and axe, contrast, targets and widths as on the page that is served."""
    with tabs.open(file.as_uri(), ALL_ROWS, offline=True) as tab:
        assert tab.status() == "snapshot"
        said = read(tab)
        adds_up(said)
        assert said == should_read(half.results())
        for width, theme in ((1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")):
            tab.look(width, theme)
            assert faults(tab) == [], (width, theme)
        for width in (320, 768):
            tab.look(width)
            assert tab.sideways() <= 0, width


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_of_the_api_are_accessible(half: Town, tabs: Tabs, theme: str) -> None:
    with tabs.open(half.url, query=None, theme=theme) as tab:
        tab.page.goto(half.url + "docs")
        assert tab.page.locator("h1").count() == 1
        for width in (1280, 390, 320):
            tab.page.set_viewport_size({"width": width, "height": 900})
            assert tab.axe() == [], width
            assert tab.sideways() <= 0, width
