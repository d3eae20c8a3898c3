"""Debian's Chromium, driven by Playwright: launching it, and a tab that keeps account of what the page in it does.

A `Tab` is a page in a context of its own. From the first byte on it notes every request, everything said on the console, every violation
of the page's policy, every moment in which nothing at all could be read on the page, layout shifts and long tasks. `Tab.close` fails the
test where the page complained or went blank; a test that makes trouble on purpose says so with `troubled=True`.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
from collections.abc import Callable, Iterator
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, TimeoutError

from tests.e2e.harness import ROOT, until

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run",
    "--font-render-hinting=none", "--disable-lcd-text", "--force-color-profile=srgb", "--hide-scrollbars",
    # Parts of the browser's own window that are pages themselves: two more processes a window, and a second of processor time.
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup,WebUIReloadButton,WebUIToolbar,WebUITabStrip,InitialWebUI,"
    "OptimizationGuideOnDeviceModel,OptimizationGuideModelDownloading,Translate",
]  # fmt: skip
# How long the page may take for what it does at once. Points with a limit of their own measure it.
PATIENCE_MS = 20_000
WIDTHS = (320, 390, 768, 1280)

AXE = ROOT / "web/node_modules/axe-core/axe.min.js"
AUDIT = ROOT / "web/dev/audit.mjs"

# Runs before the page's own script. `blank` counts the moments after the first text in which the page had none.
_ACCOUNT = """
(() => {
  const account = (window.__account = { cls: 0, shifts: [], long: [], blank: 0, blankAt: [], violations: [] });
  addEventListener('securitypolicyviolation', (e) => account.violations.push(`${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`));
  const observe = (type, take) => new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true });
  observe('layout-shift', (e) => {
    if (e.hadRecentInput) return;
    account.cls += e.value;
    account.shifts.push(`${e.value.toFixed(4)} ${e.sources.map((s) => s.node?.className || s.node?.nodeName).join('+')}`);
  });
  observe('longtask', (e) => account.long.push({ at: e.startTime, ms: e.duration }));
  let seen = false;
  const look = () => {
    const text = (document.getElementById('app')?.textContent ?? '').trim();
    if (text !== '') seen = true;
    else if (seen) {
      account.blank += 1;
      account.blankAt.push(performance.now());
    }
  };
  const frame = () => {
    look();
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})();
"""


def launch(playwright: Playwright) -> Browser:
    """Chromium, headless. That it is missing is a failure: the page's acceptance is not optional."""
    assert pathlib.Path(CHROMIUM).exists(), f"no Chromium at {CHROMIUM}: apt-get install chromium, or say where it is with CHROMIUM"
    env = dict(os.environ) | {"FONTCONFIG_FILE": str(pathlib.Path(__file__).with_name("fonts.conf")), "TZ": "UTC"}
    return playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, env=env)


class Tab:
    """One page in a context of its own, and the account of what it did."""

    def __init__(
        self, browser: Browser, url: str, *, width: int = 1280, height: int = 900, theme: str = "light", troubled: bool = False,
        **context: Any,
    ) -> None:  # fmt: skip
        self.origin = re.match(r"https?://[^/]+|file:/", url)[0]
        self.troubled = troubled
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, locale="en-US", timezone_id="UTC", **context
        )
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.faults: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.faults.append(f"uncaught: {error}"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.add_init_script(_ACCOUNT)
        self.cdp = self.context.new_cdp_session(self.page)
        self.url = url

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.type}: {message.text}")

    # --- going there ---

    def go(self, query: str = "", shows: str = "leader") -> "Tab":
        """Loads the page and waits until what has this `data-testid` is there."""
        self.page.goto(self.url + query)
        self.shows(shows)
        return self

    def shows(self, testid: str, **options: Any) -> "Tab":
        self.page.locator(f"[data-testid={testid}]").first.wait_for(**options)
        return self

    def gone(self, testid: str, **options: Any) -> "Tab":
        self.page.locator(f"[data-testid={testid}]").first.wait_for(state="detached", **options)
        return self

    def settled(self) -> "Tab":
        """The parts that are asked for after the first snapshot are there, and nothing moves any more."""
        self.page.wait_for_load_state("load")
        self.page.wait_for_function("() => document.getAnimations().every((a) => a.effect.getTiming().iterations === Infinity)")
        return self

    # --- reading ---

    def at(self, testid: str):
        return self.page.get_by_test_id(testid)

    def text(self, testid: str) -> str:
        return self.at(testid).first.inner_text()

    def attr(self, testid: str, name: str) -> str | None:
        return self.at(testid).first.get_attribute(name)

    def status(self) -> str | None:
        return self.attr("status", "data-status")

    def account(self) -> dict[str, Any]:
        return self.page.evaluate("() => window.__account")

    def until(self, condition: str, argument: Any = None, seconds: float = PATIENCE_MS / 1000) -> None:
        """Waits for a JavaScript condition, looked at in every frame."""
        try:
            self.page.wait_for_function(condition, arg=argument, timeout=seconds * 1000)
        except TimeoutError:
            raise AssertionError(f"waited {seconds:.1f} s in vain for {condition} with {argument!r}") from None

    def awaits(self, condition: Callable[[], Any], what: str, seconds: float = PATIENCE_MS / 1000) -> Any:
        """Waits for a condition outside of the page, while the browser's messages are served."""

        def look() -> Any:
            self.page.evaluate("1")
            return condition()

        return until(look, what, seconds, step=0.02)

    # --- auditing ---

    def axe(self) -> list[str]:
        """What axe finds wrong, in all its rules."""
        assert AXE.exists(), f"no {AXE.relative_to(ROOT)}: run `npm ci` in web/"
        self.page.evaluate(AXE.read_text())
        # Of what it finds right, axe need not say where it is: that takes longer than finding it.
        return self.page.evaluate("""async () => (await axe.run({ resultTypes: ['violations'] })).violations
            .map((v) => `${v.id} (${v.nodes.length}): ${v.nodes[0].html.slice(0, 200)}`)""")

    def audit(self, which: str) -> list[str]:
        """One of the functions of web/dev/audit.mjs: `labels`, `targets`."""
        source = re.sub(r"^export ", "", AUDIT.read_text(), flags=re.MULTILINE)
        return self.page.evaluate(f"() => {{ {source}; return {which}(); }}")

    def sideways(self) -> int:
        """By how many pixels the page is wider than the window."""
        return self.page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def metrics(self, collect: bool = False) -> dict[str, float]:
        """Chromium's own counters; durations in seconds of processor time of the page's thread. `collect`: after garbage is gone."""
        self.cdp.send("Performance.enable", {"timeDomain": "threadTicks"})
        if collect:
            self.cdp.send("HeapProfiler.enable")
            for _ in range(2):
                self.cdp.send("HeapProfiler.collectGarbage")
        return {m["name"]: m["value"] for m in self.cdp.send("Performance.getMetrics")["metrics"]}

    def look(self, width: int, theme: str = "light", height: int = 900) -> None:
        """Another window and another system theme, on the same page."""
        self.page.emulate_media(color_scheme=theme)
        self.page.set_viewport_size({"width": width, "height": height})
        self.until("([w, t]) => innerWidth === w && document.documentElement.dataset.theme === t", [width, theme])
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")

    # --- the end ---

    def complaints(self) -> list[str]:
        """All that a page in good order never does."""
        account = self.account()
        said = [] if self.troubled else list(self.faults)
        said += [f"policy: {v}" for v in account["violations"]]
        said += [f"elsewhere: {r}" for r in self.requests if not r.startswith((self.origin, "blob:" + self.origin, "data:"))]
        if account["blank"]:
            said.append(f"nothing to be read in {account['blank']} frames, first {account['blankAt'][0]:.0f} ms after the start")
        return said

    def close(self) -> None:
        try:
            complaints = self.complaints()
        finally:
            self.context.close()
        assert not complaints, complaints[:8]


class Tabs:
    """Opens tabs in one browser."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    @contextlib.contextmanager
    def open(self, url: str, query: str | None = "", *, shows: str = "leader", **options: Any) -> Iterator[Tab]:
        """A tab on `url`, loaded unless `query` is None. Closed afterwards, with its account looked at where the test did not fail."""
        tab = Tab(self.browser, url, **options)
        try:
            if query is not None:
                tab.go(query, shows)
            yield tab
        except BaseException:
            tab.context.close()
            raise
        tab.close()
