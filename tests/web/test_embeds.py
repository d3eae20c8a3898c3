"""Parts of the page in another site's frame, and over a broadcast picture: the snippet as it is copied, the height that is told, who may frame,
what is on air. That axe finds nothing wrong with any of them is in test_accessibility.py, what they look like in test_pictures.py."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page

from tests.chaos.proxy import Proxy
from tests.e2e.harness import Harness, free_port
from tests.web import towns
from tests.web.chromium import PATIENCE_MS, Tab, Tabs
from tests.web.towns import Town

PARTS = {"map": "map", "bar": "bar", "table": "region-table", "card": "leader"}
# The least part of a picture that a graphic leaves free on each side.
SAFE_SHARE = 0.05


@dataclasses.dataclass
class News:
    """Another site, with the code in its page that somebody pasted there."""

    url: str
    code: str = ""


@contextlib.contextmanager
def news(port: int) -> Iterator[News]:
    site = News(f"http://127.0.0.1:{port}")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"<!doctype html><title>News</title><h1>News</h1><div style='width:640px'>{site.code}</div>".encode()
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield site
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def friend() -> Iterator[News]:
    with news(free_port()) as site:
        yield site


@pytest.fixture(scope="module")
def framed(harness: Harness, half: Town, friend: News) -> Town:
    """A server that lets one other site frame it."""
    return towns.serve(harness, half.store, "--allow-origin", friend.url)


@contextlib.contextmanager
def visitor(browser: Browser, url: str) -> Iterator[tuple[Page, list[str]]]:
    """A reader of the other site, and what the browser complained of."""
    context = browser.new_context(viewport={"width": 900, "height": 900}, locale="en-US", timezone_id="UTC")
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    said: list[str] = []
    page.on("console", lambda message: message.type in ("error", "warning") and said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    try:
        page.goto(url)
        yield page, said
    finally:
        context.close()


def snippet(tab: Tab, part: str) -> str:
    """The code for a part, as the page offers it."""
    tab.at("embed-part").locator(f"input[value={part}]").check()
    return tab.page.locator("textarea[data-testid=embed-code]").input_value()


@pytest.fixture(scope="module")
def codes(framed: Town, tabs: Tabs) -> dict[str, str]:
    """What the page offers to be copied, by part, read off it once."""
    with tabs.open(framed.url) as tab:
        tab.shows("method").page.locator("details[data-testid=embed-code] summary").click()
        tab.shows("embed-form")
        found = {part: snippet(tab, part) for part in PARTS}
        assert len(set(found.values())) == 4
        overlay = tab.page.locator("textarea[data-testid=embed-overlay]").input_value()
        assert overlay == f"{framed.url}?embed=card&lang=en&transparent=1&size=1920x1080"
        return found


@pytest.mark.parametrize("part", PARTS)
def test_the_snippet_works_where_it_is_pasted(framed: Town, friend: News, codes: dict[str, str], browser: Browser, part: str) -> None:
    """The other site shows the part, as high as it is and without a scroll bar, follows its height when it grows, and nothing is complained of."""
    friend.code = codes[part]
    with visitor(browser, friend.url) as (page, said):
        frame = page.frame_locator("iframe")
        frame.get_by_test_id(PARTS[part]).first.wait_for()
        inner = frame.get_by_test_id("embed")
        told = """() => new Promise((done) => { const look = () => {
            const frame = document.querySelector('iframe');
            if (frame.style.height) done(parseFloat(frame.style.height)); else requestAnimationFrame(look); }; look(); })"""
        assert page.evaluate(told) > 100
        # The height that was told is the height that is.
        high = inner.evaluate("(e) => new Promise((done) => setTimeout(() => done(e.getBoundingClientRect().height), 250))")
        page.wait_for_function("(n) => Math.abs(parseFloat(document.querySelector('iframe').style.height) - n) <= 1", arg=high)
        assert frame.locator("html").evaluate("(e) => e.scrollHeight <= e.clientHeight && e.scrollWidth <= e.clientWidth")
        assert inner.get_attribute("data-part") == part
        assert frame.get_by_test_id("simulated").is_visible()
        link = frame.get_by_test_id("whole")
        assert link.evaluate("(a) => a.href").startswith(framed.url) and link.get_attribute("rel") == "noopener"
        if part == "table":
            frame.get_by_test_id("page-size").select_option("25")
            page.wait_for_function("(n) => parseFloat(document.querySelector('iframe').style.height) > n + 300", arg=high)
        assert not said, said


def test_a_site_that_is_not_allowed_is_refused(framed: Town, codes: dict[str, str], browser: Browser) -> None:
    """`frame-ancestors`: the browser shows nothing of the part in another site's page, and says why."""
    with news(free_port()) as stranger:
        stranger.code = codes["card"]
        with visitor(browser, stranger.url) as (page, said):
            page.wait_for_load_state("networkidle")
            assert any("frame-ancestors" in text for text in said), said
            assert page.frame_locator("iframe").get_by_test_id("leader").count() == 0


def test_a_height_is_taken_from_the_frame_alone(framed: Town, friend: News, codes: dict[str, str], browser: Browser) -> None:
    """Another window's message, or one that is no height, changes nothing."""
    friend.code = codes["bar"]
    with visitor(browser, friend.url) as (page, _):
        page.wait_for_function("() => document.querySelector('iframe').style.height !== ''")
        page.frame_locator("iframe").get_by_test_id("bar").wait_for()
        before = page.evaluate("() => new Promise((done) => setTimeout(() => done(document.querySelector('iframe').style.height), 300))")
        after = page.evaluate("""() => new Promise((done) => {
            for (const height of [5000, 'x', null, Infinity, -1]) postMessage({ type: 'votestream:height', height }, '*');
            postMessage('votestream:height', '*');
            addEventListener('message', (event) => event.data === 'end' && done(document.querySelector('iframe').style.height));
            postMessage('end', '*');
        })""")
        assert after == before


def test_the_snippet_is_copied_or_selected(half: Town, tabs: Tabs) -> None:
    with tabs.open(half.url) as tab:
        tab.page.locator("details[data-testid=embed-code] summary").click()
        tab.shows("embed-form")
        code = tab.page.locator("textarea[data-testid=embed-code]").input_value()
        tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
        tab.at("copy-code").click()
        tab.until("() => document.querySelector('[data-testid=copied-code]').textContent !== ''")
        assert tab.page.evaluate("() => navigator.clipboard.readText()").replace("\r\n", "\n") == code
        # Where a browser refuses, the text is selected, and the reader's own keys do it.
        tab.page.evaluate("() => (navigator.clipboard.writeText = () => Promise.reject(new Error('no')))")
        said = tab.text("copied-code")
        tab.at("copy-code").click()
        tab.until("(said) => document.querySelector('[data-testid=copied-code]').textContent !== said", said)
        assert tab.page.evaluate("() => getSelection().toString()").replace("\r\n", "\n") == code


@pytest.mark.parametrize("part", PARTS)
def test_a_part_follows_the_count(night: Town, tabs: Tabs, part: str) -> None:
    """Numbers of a part go on by themselves, and a stream that stops is said in the part as well; the last numbers stay."""
    shown = f"() => document.querySelector('[data-testid=embed]').innerText.replace(/updated[^\\n]*/, '')"
    with Proxy(night.port) as proxy, tabs.open(f"http://127.0.0.1:{proxy.port}/", f"?embed={part}", shows=PARTS[part], troubled=True) as tab:
        before = tab.page.evaluate("() => document.querySelector('[data-testid=embed] main').innerHTML")
        tab.until("(was) => document.querySelector('[data-testid=embed] main').innerHTML !== was", before)
        proxy.hold()
        tab.shows("banner", timeout=15_000)
        assert tab.at(PARTS[part]).first.is_visible() and any(c.isdigit() for c in tab.page.evaluate(shown))
        proxy.release()
        tab.gone("banner", timeout=15_000)


def test_what_has_no_regions_is_a_card(polls: dict[str, Town], tabs: Tabs) -> None:
    """A map of a poll that has no regions says so, and shows the rest."""
    for part in ("map", "table"):
        with tabs.open(polls["two"].url, f"?embed={part}") as tab:
            assert tab.attr("embed", "data-part") == "card"
            assert tab.at("candidate-card").count() == 2
    with tabs.open(polls["two"].url, "?embed=everything") as tab:
        assert tab.at("embed").count() == 0, "an unknown part is the whole page"


# --- on air ---

# Texts and drawings that reach into the border that must stay free, and type that is too small to be read across a room.
_ON_AIR = """
(safe) => {
  const stage = document.querySelector('[data-testid=overlay]').getBoundingClientRect();
  const [x, y] = [stage.width * safe - 1, stage.height * safe - 1];
  const seen = [...document.querySelectorAll('[data-testid=overlay] main *')].filter((e) => !e.closest('.visually-hidden') && e.getClientRects().length > 0);
  const outside = seen
    .filter((e) => (e.tagName === 'svg' && !e.parentElement.closest('svg')) || (e.children.length === 0 && e.textContent.trim() && !e.closest('svg')))
    .map((e) => [e.tagName + ' ' + e.textContent.trim().slice(0, 20), e.getBoundingClientRect()])
    .filter(([, b]) => b.left < x || b.top < y || b.right > stage.width - x || b.bottom > stage.height - y)
    .map(([name]) => name);
  const type = seen.filter((e) => e.children.length === 0 && e.textContent.trim() && !e.closest('svg')).map((e) => parseFloat(getComputedStyle(e).fontSize));
  const cut = seen.filter((e) => e.children.length === 0 && e.textContent.trim() && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflow === 'hidden').map((e) => e.textContent);
  return {
    outside, cut, smallest: Math.min(...type), moving: document.getAnimations().length,
    ground: [document.documentElement, document.body].map((e) => getComputedStyle(e).backgroundColor),
    pressed: document.querySelectorAll('main button, main a, main input, main select').length,
    stage: [stage.width, stage.height],
  };
}
"""
CLEAR = "rgba(0, 0, 0, 0)"


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1280, 720), (1080, 1920)])
def test_a_graphic_on_air(half: Town, tabs: Tabs, part: str, width: int, height: int) -> None:
    """Nothing under it but the picture; large type, inside the safe area; nothing to press, nothing that moves; "simulated" is said."""
    with tabs.open(half.url, f"?embed={part}&transparent=1&size={width}x{height}", shows="overlay", width=width, height=height) as tab:
        tab.until("() => document.querySelector('[data-testid=progress]').textContent !== ''")
        found = tab.page.evaluate(_ON_AIR, SAFE_SHARE)
        assert found["stage"] == [width, height] and found["ground"] == [CLEAR, CLEAR]
        assert found["outside"] == found["cut"] == []
        assert found["smallest"] >= 24 * min(width, height) / 1080 * 0.99, found["smallest"]
        assert found["moving"] == found["pressed"] == 0
        assert tab.at("simulated").is_visible() and "62%" in tab.text("progress")
        assert tab.sideways() <= 0
        assert tab.axe() == [] and tab.audit("labels") == []
        assert half.results()["candidates"][0]["name"] in tab.page.inner_text("main") or part == "table"


def test_a_graphic_of_any_poll(polls: dict[str, Town], tabs: Tabs) -> None:
    """Thirty candidates, long names, names from right to left and a single candidate: inside the safe area, too."""
    for key in ("thirty", "five", "one", "tie"):
        for part in ("card", "bar"):
            with tabs.open(polls[key].url, f"?embed={part}&transparent=1&size=1920x1080", shows="overlay", width=1920, height=1080) as tab:
                tab.until("() => document.querySelector('[data-testid=progress]').textContent !== ''")
                found = tab.page.evaluate(_ON_AIR, SAFE_SHARE)
                assert found["outside"] == [], (key, part)
                assert found["smallest"] >= 23.9, (key, part, found["smallest"])


def test_a_graphic_says_when_it_is_not_live(night: Town, tabs: Tabs) -> None:
    """On air nobody can press "try again": the graphic itself says of when it is, and stops saying so by itself."""
    query = "?embed=bar&transparent=1&size=1920x1080"
    with Proxy(night.port) as proxy, tabs.open(f"http://127.0.0.1:{proxy.port}/", query, shows="overlay", width=1920, height=1080, troubled=True) as tab:
        tab.until("() => document.querySelector('[data-testid=status]').dataset.status === 'live'")
        assert tab.at("warning").count() == 0
        proxy.hold()
        tab.shows("warning", timeout=15_000)
        assert tab.page.evaluate(_ON_AIR, SAFE_SHARE)["outside"] == []
        proxy.release()
        tab.gone("warning", timeout=15_000)


def test_sizes_that_are_none_fall_back_to_the_window(half: Town, tabs: Tabs) -> None:
    for size in ("banana", "0x0", "1e9x2", "99999x99999"):
        with tabs.open(half.url, f"?embed=bar&transparent=1&size={size}", shows="overlay", width=800, height=600) as tab:
            assert tab.attr("overlay", "data-size") == "800x600", size
