"""What the browser tests share: one browser, and servers over a few elections, started when first asked for."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("tests.web.chromium", "tests.web.between", "tests.web.towns", "tests.web.reading", "tests.web.compare")

from playwright.sync_api import Browser, sync_playwright  # noqa: E402

from tests.e2e.harness import Harness  # noqa: E402
from tests.web import towns  # noqa: E402
from tests.web.chromium import Tabs, launch  # noqa: E402
from tests.web.towns import Town  # noqa: E402


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def tabs(browser: Browser) -> Tabs:
    return Tabs(browser)


@pytest.fixture(scope="package")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    """A directory and processes that outlive a test; all are ended with the last browser test."""
    directory: pathlib.Path = tmp_path_factory.mktemp("web")
    with Harness(directory) as shared:
        yield shared


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A count that is going on; it ends with the module, so that others have the machine for themselves."""
    with Harness(tmp_path_factory.mktemp("night")) as own:
        yield towns.night(own)


@pytest.fixture(scope="package")
def done(harness: Harness) -> Town:
    return towns.done(harness)


@pytest.fixture(scope="package")
def half(harness: Harness) -> Town:
    return towns.half(harness)


@pytest.fixture(scope="package")
def empty(harness: Harness) -> Town:
    return towns.empty(harness)


@pytest.fixture(scope="package")
def polls(harness: Harness) -> dict[str, Town]:
    """Polls without regions: one, two, five and thirty candidates, and a tie."""
    names = {
        "one": [("only", "The only one")],
        "two": [("yes", "Yes"), ("no", "No")],
        "five": [
            ("markup", "<img src=x onerror=alert(1)>"), ("long", "Supercalifragilisticexpialidociousunbreakablenameofacandidate"),
            ("arabic", "حزب المستقبل الديمقراطي"), ("hebrew", "שלום עליכם"), ("amp", "O’Brien & <b>Sons</b> “quoted”"),
        ],
        "thirty": [(f"c{i}", f"Candidate number {i + 1}") for i in range(30)],
        "tie": [("ana", "Ana Alvarez"), ("ben", "Ben Brook"), ("cyd", "Cyd Cole")],
    }  # fmt: skip
    made = {}
    for key, candidates in names.items():
        votes = {id: 400 if key == "tie" and id != "cyd" else 300 - 7 * place for place, (id, _) in enumerate(candidates)}
        title = "Shall the <script>alert(1)</script> statutes be amended?" if key == "five" else f"Poll of {key}"
        made[key] = towns.counted(harness, key, towns.poll(candidates, id=key, name=title), towns.ballots(votes))
    return made


@pytest.fixture(scope="package")
def everywhere(half: Town, done: Town, empty: Town, polls: dict[str, Town]) -> dict[str, Town]:
    """The towns that tests/web/states.py chooses from."""
    return {"half": half, "done": done, "empty": empty, **polls}
