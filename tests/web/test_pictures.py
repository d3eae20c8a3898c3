"""What the page looks like: pictures at 390 and 1280 px, light and dark, of its main states, against those in tests/web/pictures.

After a change that is meant: `BLESS_PICTURES=1 pytest tests/web/test_pictures.py` writes them anew (`-k NAME`: some of them); look at each
before it is committed. What differs from those is left in target/web-pictures. The counts are the same on every run; what is of the clock or of
the machine (times, sequence, digest, health, the timeline's minutes) is given a fixed value on its way to the page. The font is DejaVu alone
(fonts.conf), nothing moves, and the browser's clock stands.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image, ImageDraw

from tests.e2e.harness import ROOT
from tests.web import compare
from tests.web.between import Between, between
from tests.web.chromium import Tab, Tabs
from tests.web.states import past_minute
from tests.web.towns import Town

NOW = datetime.datetime(2026, 11, 24, 2, 14, 30, tzinfo=datetime.UTC)
MINUTES = 96
REPORT = ROOT / "target/web-pictures"
# The page's other clock stands as well: nothing is ever late.
STAND_STILL = "performance.now = () => 1000;"


def stamp(at: datetime.datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def fixed_results(results: dict) -> dict:
    """A snapshot without what differs from run to run."""
    ledger = {"leaves": 8, "records": results["records"], "digest": "9f2c4be1" * 8}
    return results | {"sequence": 4_096, "as_of": stamp(NOW - datetime.timedelta(seconds=1)), "ledger": ledger}


def fixed_timeline(results: dict) -> dict:
    """A night of 96 minutes that ends in these results; the second leads for the first third."""
    ids = sorted(c["id"] for c in results["candidates"])
    votes = {c["id"]: c["votes"] for c in results["candidates"]}
    first, second = (c["id"] for c in results["candidates"][:2])
    begin = NOW.replace(second=0) - datetime.timedelta(minutes=MINUTES)
    points, led, changes = [], None, []
    for i in range(1, MINUTES + 1):
        part = (i / MINUTES) ** 1.4
        bent = {first: 1 - 0.06 * (1 - i / MINUTES) ** 2, second: 1 + 0.08 * (1 - i / MINUTES)}
        now = {id: int(votes[id] * part * bent.get(id, 1.0)) for id in ids}
        minute = stamp(begin + datetime.timedelta(minutes=i))
        seats = {c["id"]: int(part * sum((c.get("seats") or {}).values())) for c in results["candidates"]}
        points.append({"minute": minute, "counted": sum(now.values()), "votes": [now[id] for id in ids], "seats": [seats[id] for id in ids]})
        leader = max(ids, key=now.__getitem__)
        if led and leader != led:
            changes.append({"minute": minute, "region": None, "from": led, "to": leader, "margin_votes": now[leader] - now[led]})
        led = leader
    changes += [
        {"minute": stamp(begin + datetime.timedelta(minutes=70 + 5 * i)), "region": region["code"], "from": second, "to": first, "margin_votes": 5 + i}
        for i, region in enumerate(r for r in results["regions"] if r["code"] in ("GA", "MI", "PA", "WI"))
    ]
    return {"sequence": 4_096, "region": None, "candidates": ids, "bucket_minutes": 1, "points": points, "lead_changes": changes}


@contextlib.contextmanager
def fixed(town: Town) -> Iterator[Between]:
    """A proxy whose answers are the same on every run."""
    with between(town.port) as proxy:
        truth = proxy.truth()
        proxy.edits["/api/results"] = fixed_results
        proxy.lie(fixed_results(truth))
        proxy.edits["/api/demographics"] = lambda groups: groups | {"sequence": 4_096, "as_of": stamp(NOW)}
        if truth["counted"] and len(truth["candidates"]) > 1:
            proxy.answers["/api/timeline"] = (200, fixed_timeline(truth))
        engine = {"records_per_s": 243_870.0, "commit_p50_ms": 21.4, "commit_p99_ms": 48.9, "backlog": 1_204, "workers": 2}
        proxy.edits["/api/engine"] = lambda _: engine | {"engine": engine | {"paused": None}, "viewers": 17}
        yield proxy


# --- what is looked at ---


def whole_page(tab: Tab, _: Between) -> None:
    """Every section has been near the screen, so that its part was asked for, and has it."""
    tab.shows("method").page.wait_for_load_state("load")
    tab.page.evaluate("""async () => {
        for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight / 2) {
            scrollTo(0, y);
            await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        }
        document.querySelector('[data-testid=health]')?.scrollIntoView();
    }""")
    # Two reports of the engine make its line.
    tab.until("() => !document.querySelector('[data-testid=health]') || document.querySelector('[data-testid=health] path[d*=L]')")
    tab.page.evaluate("() => scrollTo(0, 0)")


def part_of_page(tab: Tab, _: Between) -> None:
    tab.page.wait_for_load_state("load")


def with_groups(tab: Tab, proxy: Between) -> None:
    whole_page(tab, proxy)
    tab.shows("group-row")


def paused(tab: Tab, proxy: Between) -> None:
    tab.at("pause").click()
    tab.shows("banner")
    for more in range(1, 4):
        proxy.say(fixed_results(proxy.truth()) | {"sequence": 4_096 + more})
    tab.until("() => document.querySelector('[data-testid=banner]').dataset.waiting === '3'")
    tab.page.evaluate("() => document.activeElement.blur()")


def failed(tab: Tab, _: Between) -> None:
    """Without how long it is until the next try, which is drawn by lot."""
    part_of_page(tab, _)
    tab.at("retry-in").evaluate("(line) => { line.style.visibility = 'hidden'; }")


def offline(tab: Tab, _: Between) -> None:
    tab.context.set_offline(True)
    tab.until("() => document.querySelector('[data-testid=banner]')?.dataset.kind === 'offline'")


def past(tab: Tab, _: Between) -> None:
    tab.until("() => document.querySelector('[data-testid=banner]').dataset.at !== ''")


@dataclasses.dataclass(frozen=True)
class Scene:
    """A town, an address, what must be there before `ready`, and how much is taken."""

    town: str
    query: str = ""
    shows: str = "leader"
    ready: Callable[[Tab, Between], None] = whole_page
    widths: tuple[int, ...] = (390, 1280)
    # Pixels of the window; the whole page where None.
    height: int | None = None
    troubled: bool = False
    answers: dict[str, tuple[int, Any]] = dataclasses.field(default_factory=dict)


SCENES = {
    "counting": Scene("half", "?map=map", ready=with_groups),
    "complete": Scene("done", "?state=PA&map=tiles&sort=margin&dir=asc&trend=shares", "panel", ready=with_groups),
    "no-votes": Scene("empty", height=1000, ready=part_of_page),
    "poll": Scene("five"),
    "poll-of-thirty": Scene("thirty", height=1000, ready=part_of_page),
    "tie": Scene("tie", height=1000, ready=part_of_page),
    "paused": Scene("half", ready=paused, height=500),
    "past": Scene("half", "?at={minute}", "banner", past, height=500),
    "offline": Scene("half", ready=offline, height=500, troubled=True),
    "error": Scene("half", "", "failure", failed, height=700, troubled=True, answers={"/api/results": (503, {"title": "no", "status": 503})}),
    "spanish": Scene("half", "?lang=es", height=1000, ready=part_of_page),
    "embed-map": Scene("half", "?embed=map&map=map", "map", part_of_page, (390, 640)),
    "embed-bar": Scene("half", "?embed=bar", "bar", part_of_page, (390, 640)),
    "embed-table": Scene("half", "?embed=table", "region-table", part_of_page, (390, 640)),
    "embed-card": Scene("half", "?embed=card", "leader", part_of_page, (390, 640)),
    "overlay-map": Scene("half", "?embed=map&transparent=1&size=1920x1080", "overlay", part_of_page, (1920,), height=1080),
    "overlay-bar": Scene("half", "?embed=bar&transparent=1&size=1920x1080", "overlay", part_of_page, (1920,), height=1080),
    "overlay-table": Scene("half", "?embed=table&transparent=1&size=1920x1080", "overlay", part_of_page, (1920,), height=1080),
    "overlay-card": Scene("half", "?embed=card&transparent=1&size=1920x1080", "overlay", part_of_page, (1920,), height=1080),
}


def names(scene: str) -> list[str]:
    return [f"{scene}-{width}-{theme}" for width in SCENES[scene].widths for theme in ("light", "dark")]


@pytest.mark.parametrize("scene", SCENES)
def test_pictures(scene: str, everywhere: dict[str, Town], tabs: Tabs) -> None:
    it = SCENES[scene]
    wrong = []
    with fixed(everywhere[it.town]) as proxy:
        proxy.answers |= it.answers
        with tabs.open(proxy.url, query=None, width=it.widths[0], height=it.height or 900, reduced_motion="reduce", troubled=it.troubled) as tab:
            tab.page.clock.set_fixed_time(NOW)
            tab.page.add_init_script(STAND_STILL)
            query = it.query.replace("{minute}", past_minute(everywhere[it.town])) if "{minute}" in it.query else it.query
            tab.go(query, shows=it.shows)
            it.ready(tab, proxy)
            for name in names(scene):
                _, width, theme = name.rsplit("-", 2)
                if it.shows == "overlay":
                    # On air the system's theme is of no account.
                    tab.go(f"{it.query}&theme={theme}", shows=it.shows)
                else:
                    tab.look(int(width), theme, it.height or 900)
                picture = compare.opened(steady(tab, whole=it.height is None))
                if compare.BLESS:
                    compare.bless(name, picture)
                elif problem := compare.compare(name, picture, REPORT):
                    wrong.append(problem)
    assert not wrong, "\n".join(wrong)


def steady(tab: Tab, whole: bool) -> bytes:
    """The page, once two pictures in a row are the same: all its parts have come."""
    tab.page.mouse.move(0, 0)
    last = b""
    for _ in range(12):
        png = tab.page.screenshot(full_page=whole, animations="disabled", caret="hide", omit_background=not whole)
        if png == last:
            return png
        last = png
    raise AssertionError("the page does not come to rest")


def test_pictures_are_few_enough_and_all_known() -> None:
    files = {file.stem: file.stat().st_size for file in compare.FOLDER.glob("*")}
    assert files.keys() == {name for scene in SCENES for name in names(scene)}
    assert sum(files.values()) <= compare.BYTES_MAX, files


def test_a_change_is_seen(tmp_path: pathlib.Path) -> None:
    """The comparison is no rubber stamp: another word, another bar and another size are found; other smoothing of every edge is not."""
    name = "counting-1280-light"
    then = Image.open(compare.stored(name)).convert("RGB")

    def told(change: Callable[[Image.Image], Image.Image | None]) -> str | None:
        picture = then.copy()
        return compare.compare(name, change(picture) or picture, tmp_path)

    assert told(lambda picture: None) is None
    assert told(lambda picture: Image.blend(picture, picture.filter(compare.ImageFilter.GaussianBlur(0.5)), 0.6)) is None
    assert "differs" in told(lambda picture: ImageDraw.Draw(picture).text((600, 400), "leads", fill=(0, 0, 0)))
    assert "differs" in told(lambda picture: ImageDraw.Draw(picture).rectangle((200, 300, 206, 330), fill=(255, 0, 255)))
    assert "was" in told(lambda picture: picture.crop((0, 0, picture.width, picture.height - 1)))
