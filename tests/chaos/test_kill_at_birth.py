"""Kills in the first moments of a command on a fresh directory, when log and store come into being: the same command,
started again, must find its way."""

from __future__ import annotations

import pathlib
import random
import time

import pytest

from tests.chaos.evidence import log_state, store_state
from tests.e2e.harness import Harness, free_port

KILLS = 40
VOTES = 2_000


@pytest.fixture(scope="module")
def votes(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    directory = tmp_path_factory.mktemp("votes")
    with Harness(directory) as harness:
        harness.run("simulate", "--votes", VOTES, "--to", f"dir:{directory / 'log'}")
        (directory / "votes.ndjson").write_bytes(harness.run("simulate", "--votes", VOTES).out)
    return directory


@pytest.mark.parametrize("command", ["ingest", "count", "up"])
def test_killed_at_birth(vs: Harness, votes: pathlib.Path, command: str) -> None:
    random_ = random.Random(command)
    usual_seconds = 0.2
    failures = []
    for number in range(KILLS):
        place = vs.dir / str(number)
        place.mkdir()
        log, store = (votes / "log" if command == "count" else place / "log"), place / "results.db"
        ports = ("--listen", f"127.0.0.1:{free_port()}", "--source-listen", f"127.0.0.1:{free_port()}")
        arguments = {
            "ingest": ("ingest", votes / "votes.ndjson", "--log", f"dir:{log}"),
            "count": ("count", "--log", f"dir:{log}", "--store", f"sqlite:{store}", "--until-end"),
            "up": ("up", "--data", place, "--votes", VOTES, "--rate", "max", "--exit-when-done", *ports),
        }[command]
        process = vs.start(*arguments)
        began = time.monotonic()
        deadline = began + random_.uniform(0.0, usual_seconds)
        while process.running() and time.monotonic() < deadline:
            time.sleep(0.0005)
        if process.running():
            process.kill()
        else:
            usual_seconds = 0.5 * (usual_seconds + time.monotonic() - began)
        outcome = vs.start(*arguments).wait()
        if outcome.status != 0:
            failures.append(f"after {deadline - began:.3f} s: {outcome.err.splitlines()[-1]}")
            continue
        assert log_state(log).records == VOTES
        if command != "ingest":
            assert store_state(store).passed == VOTES
            vs.recount(log=f"dir:{log}", store=f"sqlite:{store}")
    assert not failures, f"{len(failures)} of {KILLS} could not be resumed:\n" + "\n".join(failures)
