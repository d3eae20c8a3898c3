"""Measures the page beside a Streamlit and Plotly page that shows the same numbers from the same server, in one browser on one machine, in
turn: what loading costs, how soon it can be read, how steady it stands, and what watching costs while twenty snapshots a second come.

    VOTESTREAM_BIN=… python -m tests.web.bench.measure --streamlit target/venv-streamlit/bin/streamlit [--minutes 10]

Prints a table; `make bench-web` prepares all it needs.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

from playwright.sync_api import Browser, TimeoutError, sync_playwright

from tests.e2e.harness import Harness, free_port, until
from tests.web import towns
from tests.web.chromium import Tab, launch

PAGE = pathlib.Path(__file__).with_name("streamlit_page.py")
# Each page is loaded so often, from an empty cache; times are medians.
LOADS = 5
# So long after the load began, shifts of the layout are summed and requests counted.
SETTLED_MS = 12_000
# Let the first parts come and the code be compiled before the window opens.
WARM_UP_MS = 5_000
LONG_TASK_MS = 50


@dataclasses.dataclass(frozen=True)
class Subject:
    """A page, and by what is seen that its first number, its first picture and a state of its map stand there."""

    name: str
    url: str
    number: str
    picture: str
    state: str


@dataclasses.dataclass
class Load:
    """What one load cost. Times from the navigation on, in milliseconds; None: did not come within the time."""

    requests: int
    elsewhere: int
    bytes: int
    script_bytes: int
    paint_ms: float | None
    number_ms: float | None
    picture_ms: float | None
    shifts: float
    states: int


@dataclasses.dataclass
class Watch:
    """What watching cost. Processor time is that of the page's own thread."""

    seconds: float
    commits: int
    core_share: float
    long_tasks: int
    longest_ms: float
    heap_start: float
    heap_end: float
    shifts: float
    bytes: int


class Wire:
    """Requests, and bytes as the browser itself accounts for them: headers and compressed bodies, streams and sockets as they come."""

    def __init__(self, tab: Tab) -> None:
        self.requests, self.elsewhere, self.bytes, self.script_bytes = 0, 0, 0, 0
        self._scripts: set[str] = set()
        self._origin = tab.origin
        tab.cdp.send("Network.enable")
        tab.cdp.on("Network.requestWillBeSent", self._asked)
        tab.cdp.on("Network.webSocketCreated", lambda _: setattr(self, "requests", self.requests + 1))
        tab.cdp.on("Network.dataReceived", self._came)
        tab.cdp.on("Network.webSocketFrameReceived", lambda e: self._add(len(e["response"]["payloadData"]) * 3 // 4))

    def _asked(self, event: dict) -> None:
        url = event["request"]["url"]
        if url.startswith(("data:", "blob:")):
            return
        self.requests += 1
        self.elsewhere += not url.startswith(self._origin)
        if event.get("type") in ("Script", "Stylesheet"):
            self._scripts.add(event["requestId"])

    def _came(self, event: dict) -> None:
        self._add(event["encodedDataLength"])
        if event["requestId"] in self._scripts:
            self.script_bytes += event["encodedDataLength"]

    def _add(self, size: int) -> None:
        self.bytes += size


# When what a selector finds was first on the screen: the frame after it came into the document.
_NOTE = """
window.__at = {};
const wanted = %s;
new MutationObserver(() => {
  for (const [name, selector] of Object.entries(wanted)) {
    if (name in window.__at || !document.querySelector(selector)) continue;
    window.__at[name] = null;
    requestAnimationFrame(() => setTimeout(() => (window.__at[name] = performance.now())));
  }
}).observe(document, { childList: true, subtree: true });
"""
# States that can be seen on the map.
_STATES = """
(selector) => [...document.querySelectorAll(selector)].filter((s) => { const box = s.getBoundingClientRect(); return box.width * box.height > 0; }).length
"""
# How often the first number was changed while the page was watched.
_COMMITS = """
(selector) => {
  window.__commits = 0;
  let last = document.querySelector(selector)?.textContent;
  new MutationObserver(() => {
    const now = document.querySelector(selector)?.textContent;
    if (now !== undefined && now !== last) window.__commits += 1;
    last = now;
  }).observe(document.body, { childList: true, characterData: true, subtree: true });
}
"""


def loaded(browser: Browser, subject: Subject) -> Load:
    """One load from an empty cache, watched until it stands."""
    tab = Tab(browser, subject.url, troubled=True)
    try:
        wire = Wire(tab)
        selectors = {"number": subject.number, "picture": subject.picture}
        tab.page.add_init_script(_NOTE % selectors)
        tab.page.goto(subject.url)
        try:
            tab.page.wait_for_function("() => window.__at.number && window.__at.picture", timeout=60_000)
        except TimeoutError:
            print(f"{subject.name}: no picture within a minute", file=sys.stderr)
        tab.page.wait_for_function(f"() => performance.now() > {SETTLED_MS}", timeout=60_000)
        at = tab.page.evaluate("() => window.__at")
        paint = tab.page.evaluate("() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null")
        return Load(
            requests=wire.requests, elsewhere=wire.elsewhere, bytes=wire.bytes, script_bytes=wire.script_bytes,
            paint_ms=paint, number_ms=at.get("number"), picture_ms=at.get("picture"), shifts=tab.account()["cls"],
            states=tab.page.evaluate(_STATES, subject.state),
        )  # fmt: skip
    finally:
        tab.context.close()


def watched(browser: Browser, subject: Subject, seconds: float) -> Watch:
    """The page left open for so long, while votes are counted."""
    tab = Tab(browser, subject.url, troubled=True)
    try:
        wire = Wire(tab)
        tab.page.goto(subject.url)
        tab.page.wait_for_selector(subject.picture, state="attached", timeout=60_000)
        tab.page.wait_for_timeout(WARM_UP_MS)
        tab.page.evaluate(_COMMITS, subject.number)
        before, account, received = tab.metrics(collect=True), tab.account(), wire.bytes
        began = tab.page.evaluate("() => performance.now()")
        tab.page.wait_for_timeout(seconds * 1_000)
        ended, commits = tab.page.evaluate("() => [performance.now(), window.__commits]")
        later = tab.account()
        after = tab.metrics(collect=True)
        busy = sum(after[name] - before[name] for name in ("ScriptDuration", "RecalcStyleDuration", "LayoutDuration"))
        long = [task["ms"] for task in later["long"] if task["at"] >= began]
        passed = (ended - began) / 1_000
        return Watch(
            seconds=passed, commits=commits, core_share=busy / passed, long_tasks=len(long), longest_ms=max(long, default=0.0),
            heap_start=before["JSHeapUsedSize"], heap_end=after["JSHeapUsedSize"],
            shifts=later["cls"] - account["cls"], bytes=wire.bytes - received,
        )  # fmt: skip
    finally:
        tab.context.close()


class Streamlit:
    """`streamlit run` over the server, once it answers."""

    def __init__(self, program: str, source: str, directory: pathlib.Path) -> None:
        port = free_port()
        flags = {
            "port": port, "address": "127.0.0.1", "headless": "true", "fileWatcherType": "none",
        }  # fmt: skip
        arguments = [f"--server.{name}={value}" for name, value in flags.items()] + ["--browser.gatherUsageStats=false"]
        self._log = (directory / "streamlit.log").open("wb")
        self._process = subprocess.Popen(
            [program, "run", str(PAGE), *arguments], cwd=directory, env=dict(os.environ) | {"SOURCE": source, "HOME": str(directory)},
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.url = f"http://127.0.0.1:{port}/"
        until(self._answers, "Streamlit", 60)

    def _answers(self) -> bool:
        assert self._process.poll() is None, f"streamlit ended: see {self._log.name}"
        try:
            with urllib.request.urlopen(self.url + "_stcore/health", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def __enter__(self) -> "Streamlit":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


def median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if len(known) == len(values) else None


def row(what: str, cells: list[str]) -> str:
    return f"| {what} | " + " | ".join(cells) + " |"


def table(subjects: list[Subject], loads: list[list[Load]], watches: list[Watch]) -> str:
    """The figures as Markdown."""

    def kilobytes(size: float) -> str:
        return f"{size / 1_000:,.0f} kB"

    def milliseconds(value: float | None) -> str:
        return "not within a minute" if value is None else f"{value:,.0f} ms"

    def each(take: object) -> list[str]:
        return [take(one) for one in loads]

    minutes = watches[0].seconds / 60
    lines = [
        row("", [subject.name for subject in subjects]),
        "| --- |" + " --: |" * len(subjects),
        row("requests", each(lambda one: f"{median([l.requests for l in one]):,.0f}")),
        row("of these to other origins", each(lambda one: f"{median([l.elsewhere for l in one]):,.0f}")),
        row(f"bytes received, first {SETTLED_MS // 1_000} s", each(lambda one: kilobytes(median([l.bytes for l in one])))),
        row("of these script and style", each(lambda one: kilobytes(median([l.script_bytes for l in one])))),
        row("first contentful paint", each(lambda one: milliseconds(median([l.paint_ms for l in one])))),
        row("first number on the screen", each(lambda one: milliseconds(median([l.number_ms for l in one])))),
        row("first picture on the screen", each(lambda one: milliseconds(median([l.picture_ms for l in one])))),
        row("states drawn on the map", each(lambda one: f"{median([l.states for l in one]):,.0f}")),
        row(f"layout shifts (CLS), first {SETTLED_MS // 1_000} s", each(lambda one: f"{max(l.shifts for l in one):.4f}")),
        row(f"**watched for {minutes:.1f} min**: total changed, times a second", [f"{w.commits / w.seconds:.2f}" for w in watches]),
        row("script, style and layout, of a core", [f"{w.core_share:.1%}" for w in watches]),
        row(f"tasks over {LONG_TASK_MS} ms", [f"{w.long_tasks:,}" for w in watches]),
        row("longest task", [f"{w.longest_ms:,.0f} ms" if w.long_tasks else f"under {LONG_TASK_MS} ms" for w in watches]),
        row("heap, before → after", [f"{w.heap_start / 1e6:.1f} → {w.heap_end / 1e6:.1f} MB" for w in watches]),
        row("layout shifts meanwhile", [f"{w.shifts:.4f}" for w in watches]),
        row("bytes received a second", [kilobytes(w.bytes / w.seconds) for w in watches]),
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.web.bench.measure", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--streamlit", required=True, help="the program `streamlit`")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long each page is watched (10)")
    options = parser.parse_args()
    streamlit = os.path.abspath(options.streamlit)
    with tempfile.TemporaryDirectory(suffix="-bench-web") as name, sync_playwright() as playwright:
        directory = pathlib.Path(name)
        with Harness(directory) as harness:
            night = towns.night(harness)
            with Streamlit(streamlit, re.sub("/$", "", night.url), directory) as other:
                subjects = [
                    Subject("votestream", night.url + "?hz=20", "[data-testid=total-votes]", "[data-testid=map-region]", "[data-testid=map-region]"),
                    Subject("Streamlit + Plotly", other.url, "[data-testid=stMetricValue]", ".js-plotly-plot .barlayer path", ".choroplethlayer path"),
                ]
                browser = launch(playwright)
                loads: list[list[Load]] = [[] for _ in subjects]
                for number in range(LOADS):
                    for subject, kept in zip(subjects, loads, strict=True):
                        print(f"loading {subject.name}, {number + 1} of {LOADS}", file=sys.stderr)
                        kept.append(loaded(browser, subject))
                watches = []
                for subject in subjects:
                    print(f"watching {subject.name} for {options.minutes:g} minutes", file=sys.stderr)
                    watches.append(watched(browser, subject, options.minutes * 60))
                browser.close()
                print(table(subjects, loads, watches))


if __name__ == "__main__":
    main()
