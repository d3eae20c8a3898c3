"""`up` stopped, and killed, goes on where it stopped: at the end the answer is the expected one."""

from __future__ import annotations

import json
import signal

import pytest

from tests.e2e.harness import Harness, Up, agree, until

VOTES = 60_000
OPTIONS = ("--votes", VOTES, "--seed", 6)


def run_until(vs: Harness, records: int) -> Up:
    up = vs.up(*OPTIONS, "--rate", 30_000).ready()
    until(lambda: up.api.json("/api/results")["records"] >= records, f"{records} records")
    return up


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_resume(vs: Harness, ending: int) -> None:
    records = 0
    for _ in range(2):
        up = run_until(vs, records + 5_000)
        up.process.signal(ending)
        outcome = up.process.wait()
        assert outcome.status == (0 if ending != signal.SIGKILL else -signal.SIGKILL), outcome.err
        stopped = vs.results(store=up.store)
        assert stopped["records"] >= records + 5_000
        assert stopped["records"] < VOTES
        if ending != signal.SIGKILL:
            vs.recount(log=up.log, store=up.store)
        records = stopped["records"]
    last = vs.up(*OPTIONS, "--rate", "max", "--exit-when-done")
    outcome = last.process.wait()
    assert outcome.status == 0 and "recount: identical" in outcome.text, outcome.err
    expected = vs.dir / "expected.json"
    vs.run("simulate", *OPTIONS, "--expected", expected)
    agree(vs.results(store=last.store), json.loads(expected.read_text()))


def test_a_second_signal_ends_at_once(vs: Harness) -> None:
    up = run_until(vs, 5_000)
    up.process.signal(signal.SIGINT)
    up.process.signal(signal.SIGINT)
    up.process.wait(5)
    outcome = vs.up(*OPTIONS, "--rate", "max", "--exit-when-done").process.wait()
    assert outcome.status == 0 and "recount: identical" in outcome.text


def test_done_stays_done(vs: Harness) -> None:
    for _ in range(2):
        up = vs.up(*OPTIONS, "--rate", "max", "--exit-when-done")
        outcome = up.process.wait()
        assert outcome.status == 0 and "recount: identical" in outcome.text, outcome.err
        results = vs.results(store=up.store)
        assert (results["records"], results["counted"], results["status"]) == (VOTES, VOTES, "complete")


def test_a_plan_cut_off_while_it_was_written_is_nothing(vs: Harness) -> None:
    data = vs.dir / "data"
    data.mkdir()
    (data / "up.json.new").write_text('{"format": 1, "vo')
    outcome = vs.up("--votes", 1_000, "--rate", "max", "--exit-when-done").process.wait()
    assert outcome.status == 0 and "recount: identical" in outcome.text, outcome.err
    assert sorted(file.name for file in data.iterdir() if file.name.startswith("up.json")) == ["up.json"]
