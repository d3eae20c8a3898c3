"""What all suites share: the harness fixture, and the time each suite took."""

from __future__ import annotations

import collections
import pathlib

import pytest

pytest.register_assert_rewrite("tests.e2e.harness", "tests.chaos.chaos")

from tests.e2e.harness import Harness  # noqa: E402

_SECONDS: dict[str, float] = collections.defaultdict(float)
_TESTS: dict[str, int] = collections.Counter()


@pytest.fixture
def vs(tmp_path: pathlib.Path):
    """A harness in a directory of its own; every process it started is ended afterwards."""
    with Harness(tmp_path) as harness:
        yield harness


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    suite = report.nodeid.split("/")[1] if report.nodeid.count("/") > 1 else "tests"
    _SECONDS[suite] += report.duration
    _TESTS[suite] += report.when == "call"


def pytest_terminal_summary(terminalreporter) -> None:
    for suite, seconds in sorted(_SECONDS.items()):
        terminalreporter.write_line(f"suite {suite}: {_TESTS[suite]} tests, {seconds:.1f} s")
