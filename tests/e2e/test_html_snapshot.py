"""`results --format html`: the dashboard in one file, opened from the disk by a real browser that has no network."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import pathlib
import pty
import re
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.harness import Api, Harness, adds_up, binary, free_port, toml_text, until
from tests.oracle.generate import Stream, ndjson

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
# Said by the page's own script, which a policy must let run; by nothing else.
DATA = re.compile(r'<script type="application/json" id="votestream-static">(.*?)</script>', re.DOTALL)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        with playwright.chromium.launch(executable_path=CHROMIUM, args=["--disable-gpu", "--no-first-run"]) as browser:
            yield browser


@contextlib.contextmanager
def opened(browser: Browser, path: pathlib.Path, query: str = "", width: int = 1280) -> Iterator[Page]:
    """The file in a tab without a network. Afterwards: nothing was asked for, nothing complained of, nothing against the policy."""
    context = browser.new_context(offline=True, viewport={"width": width, "height": 900}, locale="en-US", timezone_id="UTC")
    page = context.new_page()
    asked: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: message.type in ("error", "warning") and faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: (faults.append(f"a dialog: {dialog.message}"), dialog.dismiss()))
    page.add_init_script(
        "window.__violations = []; addEventListener('securitypolicyviolation', (e) => __violations.push(`${e.violatedDirective} ${e.blockedURI}`));"
    )
    try:
        page.goto(f"{path.as_uri()}{query}")
        page.wait_for_selector("[data-testid=leader]")
        yield page
        faults += page.evaluate("() => window.__violations")
        elsewhere = [url for url in asked[1:] if not url.startswith(("data:", "blob:"))]
        assert not faults and not elsewhere, (faults, elsewhere)
    finally:
        context.close()


def written(vs: Harness, *flags: str, store: str | None = None, name: str = "page.html") -> tuple[pathlib.Path, dict]:
    """The page as a file, and what is written in it; the command said how large it is."""
    outcome = vs.run("results", "--store", store or vs.store, "--format", "html", *flags).says("page of", "kB", "sequence")
    path = vs.file(name, outcome.out)
    [data] = DATA.findall(outcome.text)
    answers = json.loads(data)
    adds_up(answers["/api/results"])
    return path, answers


def number(page: Page, testid: str) -> int:
    return int(page.get_by_test_id(testid).first.get_attribute("data-votes"))


@pytest.fixture
def night(vs: Harness) -> str:
    """A complete simulated night."""
    data = vs.dir / "night"
    ports = ("--listen", f"127.0.0.1:{free_port()}", "--source-listen", f"127.0.0.1:{free_port()}")
    vs.run("up", "--data", data, "--votes", 60_000, "--rate", "max", "--exit-when-done", *ports)
    return f"sqlite:{data / 'results.db'}"


def test_the_file_holds_everything_and_allows_nothing_else(vs: Harness, night: str) -> None:
    path, answers = written(vs, store=night)
    html = path.read_text()
    assert answers["/api/results"] == vs.results(store=night)
    assert len(html) < 1_500_000, len(html)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)[1]
    [script] = re.findall(r'<script type="module">(.*?)</script>', html, re.DOTALL)
    [styles] = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    for kind, text in (("script-src", script), ("style-src", styles)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert "connect-src 'none'" in policy and "default-src 'none'" in policy and "unsafe" not in policy
    assert not re.search(r'(src|href)="(?!data:)', html.replace(script, "").replace(styles, ""))
    # Readers without scripts have the table.
    [table] = re.findall(r"<noscript><pre>(.*?)</pre></noscript>", html, re.DOTALL)
    assert all(c["name"] in table for c in answers["/api/results"]["candidates"])


def test_it_says_what_the_server_says(vs: Harness, night: str) -> None:
    _, answers = written(vs, store=night)
    port = free_port()
    vs.start("serve", "--store", night, "--listen", f"127.0.0.1:{port}")
    api = Api(port)
    until(api.healthy, "the server to answer")
    paths = {key for key in answers if key.startswith("/")}
    assert paths == {"/api/results", "/api/timeline", "/api/demographics", "/api/desk", "/api/ledger", "/api/rejects", "/api/elections"}
    for path in paths:
        assert answers[path] == api.json(path), path


@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_it_without_a_server(vs: Harness, night: str, browser: Browser, width: int) -> None:
    path, answers = written(vs, store=night)
    results = answers["/api/results"]
    with opened(browser, path, width=width) as page:
        assert page.get_by_test_id("status").get_attribute("data-status") == "snapshot"
        assert page.get_by_test_id("banner").get_attribute("data-kind") == "snapshot"
        assert number(page, "total-votes") == results["counted"]
        shown = {
            card.get_attribute("data-candidate"): int(card.get_by_test_id("candidate-votes").get_attribute("data-votes"))
            for card in page.get_by_test_id("candidate-card").all()
        }
        assert shown == {c["id"]: c["votes"] for c in results["candidates"]}
        for gone in ("pause", "updated", "health", "past-slider", "past-now"):
            assert page.get_by_test_id(gone).count() == 0, gone
        assert page.locator('a[href^="/"]').count() == 0, "a link to a server that is not there"
        # A region, chosen in the table; its panel says what the results say.
        page.get_by_test_id("search").fill("Pennsylvania")
        page.get_by_test_id("region-row").get_by_role("button").first.click()
        pennsylvania = next(r for r in results["regions"] if r["code"] == "PA")
        page.wait_for_selector("[data-testid=panel][data-region=PA]")
        assert number(page, "panel-counted") == pennsylvania["counted"]
        # What is drawn when it comes into sight is there without being asked for.
        page.get_by_test_id("trend").scroll_into_view_if_needed()
        page.get_by_test_id("demographics").scroll_into_view_if_needed()
        page.wait_for_selector("[data-testid=group-row]")
        page.get_by_test_id("filter-region").select_option("PA")
        page.wait_for_selector("[data-testid=group-row]")
        page.get_by_test_id("method").scroll_into_view_if_needed()
        assert page.get_by_test_id("digest").inner_text() == results["ledger"]["digest"]
        # The table as a file, made by the page itself.
        with page.expect_download() as download:
            page.get_by_test_id("csv").click()
        assert len(pathlib.Path(download.value.path()).read_text().splitlines()) == 1 + len(results["regions"])
        assert page.evaluate("() => document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_link_into_it_chooses_a_region_and_knows_no_other_minute(vs: Harness, night: str, browser: Browser) -> None:
    path, answers = written(vs, store=night)
    with opened(browser, path, "?state=OH&at=2024-11-06T01:00:00Z&election=other") as page:
        page.wait_for_selector("[data-testid=panel][data-region=OH]")
        assert number(page, "total-votes") == answers["/api/results"]["counted"]
        assert page.get_by_test_id("status").get_attribute("data-status") == "snapshot"
        page.keyboard.press("p")
        page.get_by_test_id("panel-close").click()
        page.wait_for_selector("[data-testid=closest]")
        assert "state=" not in page.url


def test_a_past_minute_says_that_it_is_past(vs: Harness, night: str, browser: Browser) -> None:
    _, answers = written(vs, store=night)
    points = answers["/api/timeline"]["points"]
    at = points[len(points) // 2]["minute"]
    path, past = written(vs, "--at", at, store=night, name="past.html")
    assert past["/api/results"] == vs.results("--at", at, store=night)
    assert past["/api/results"]["counted"] == points[len(points) // 2]["counted"] < answers["/api/results"]["counted"]
    assert past["/api/timeline"]["points"][-1]["minute"] == at
    with opened(browser, path) as page:
        assert page.get_by_test_id("banner").get_attribute("data-at") == at
        assert number(page, "total-votes") == past["/api/results"]["counted"]


def test_a_withheld_region_is_not_in_the_file(vs: Harness, browser: Browser) -> None:
    vs.ingest(ndjson(Stream(81).records(5_000), 81))
    vs.count()
    vs.run("hold", "--store", vs.store, "--region", "OH")
    path, answers = written(vs)
    assert "OH" not in {r["code"] for r in answers["/api/results"]["regions"]} and "Ohio" not in json.dumps(answers)
    assert answers["/api/desk"]["acts"][0]["counted"] is None
    with opened(browser, path, "?state=OH") as page:
        page.wait_for_selector("[data-testid=unknown-region]")
        assert number(page, "total-votes") == answers["/api/results"]["counted"]


def test_hostile_names_are_text_and_a_poll_needs_no_regions(vs: Harness, browser: Browser) -> None:
    candidates = "".join(f'[[candidates]]\nid = "c{i}"\nname = {toml_text(f"{HOSTILE} {i} שלום")}\nparty = "<b>"\n' for i in range(30))
    vs.file("board.toml", f'id = "board"\nname = {toml_text(HOSTILE)}\n{candidates}'.encode())
    vs.ingest(b"".join(b'{"id":%d,"decision":"c%d"}\n' % (n, n % 7) for n in range(100)))
    vs.count("--election", "board.toml")
    path, answers = written(vs)
    assert path.read_text().count("alert(1)") == path.read_text().count("alert(2)")
    with opened(browser, path) as page:
        assert page.get_by_test_id("election-name").inner_text() == HOSTILE
        assert HOSTILE in page.title()
        assert HOSTILE in page.get_by_test_id("leader-name").inner_text()
        assert page.get_by_test_id("candidates").inner_text().count(HOSTILE) >= 30
        assert page.locator("img[src=x]").count() == 0
        assert number(page, "total-votes") == answers["/api/results"]["counted"] == 100


def test_before_the_first_vote(vs: Harness, browser: Browser) -> None:
    vs.file("none.ndjson", b"")
    vs.run("ingest", "none.ndjson", "--log", vs.log, "--format", "ndjson")
    vs.count("--election", "poll")
    path, _ = written(vs)
    with opened(browser, path) as page:
        assert number(page, "total-votes") == 0


def test_a_damaged_file_says_so(vs: Harness, night: str, browser: Browser) -> None:
    path, _ = written(vs, store=night)
    html = path.read_text()
    damaged = vs.file("damaged.html", html.replace('"/api/results":', '"/api/result_":', 1).encode())
    context = browser.new_context(offline=True)
    try:
        page = context.new_page()
        page.goto(damaged.as_uri())
        page.wait_for_selector("[data-testid=failure][data-trouble=malformed]")
    finally:
        context.close()


def test_refusals(vs: Harness, night: str) -> None:
    vs.refused("results", "--store", night, "--format", "html", "--region", "OH", says=("--region", "html"))
    vs.refused("results", "--store", night, "--format", "html", "--at", "soon", says=("soon",))
    # A terminal gets a sentence, not a page.
    ours, theirs = pty.openpty()
    try:
        command = [binary(), "results", "--store", night, "--format", "html"]
        ended = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, text=True, env=vs.env, timeout=60)
        os.set_blocking(ours, False)
        with pytest.raises(BlockingIOError):
            os.read(ours, 1)
    finally:
        os.close(ours)
        os.close(theirs)
    assert ended.returncode == 2 and "> page.html" in ended.stderr, ended.stderr
