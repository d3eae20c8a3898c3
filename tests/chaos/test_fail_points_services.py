"""Every named step of counting that a worker comes by over Kafka and PostgreSQL is died at, those of a flush at their fourth passing, too,
and gone on from: what the real servers hold then is the oracle's tally, and `recount` is identical."""

from __future__ import annotations

import concurrent.futures
import pathlib
import signal
from collections.abc import Callable

import pytest

from tests.chaos.fail_points import fail_binary, names
from tests.chaos.steps import Life, Steps, right, votes
from tests.e2e.harness import agree

SIDE_BY_SIDE = 3
# Steps of counting that the life of one worker comes by, whatever else the names are of.
ON_THE_WAY = (
    "store-after-create", "store-before-commit", "store-after-commit", "store-takeover-before-commit", "store-takeover-after-commit",
    "store-compact-after-begin", "store-compact-after-delete", "store-compact-before-commit", "store-compact-after-commit",
    "store-release-before-commit", "count-after-seal", "count-before-flush", "count-after-flush",
)  # fmt: skip
# Those that it comes by often.
AGAIN_AND_AGAIN = ("store-before-commit", "store-after-commit", "count-after-seal", "count-before-flush", "count-after-flush")


def aborts(outcome) -> bool:
    assert outcome.status in (0, -signal.SIGABRT), f"{outcome.args} ended with {outcome.status}:\n{outcome.err[-3000:]}"
    return outcome.status == -signal.SIGABRT


def count_to_the_end(life: Life) -> None:
    life.steps.harness.run("count", "--log", life.kafka.url(life.topic), "--store", life.database.url, "--until-end", seconds=90)
    life.check_end()


def dies_on_the_way(steps: Steps, name: str, passes: str) -> None:
    with Life(steps, None) as life:
        # No answer is lost here: the fail point alone is the fault.
        life.proxy.lost_answer = None
        worker = life.start_worker(env={"FAILPOINTS": f"{name}=return" if passes == "first" else f"{name}=3*off->return"})
        rest = life.feed(worker)
        died = aborts(worker.wait())
        assert died, f'the life of a worker does not come by "{name}" ({passes})'
        for piece in (*rest, votes()[-1]):
            life.produce(piece)
        count_to_the_end(life)
        life.forget()


def dies_at_the_desk(steps: Steps, name: str) -> None:
    with Life(steps, None) as life:
        for piece in votes():
            life.produce(piece)
        count_to_the_end(life)
        before = steps.harness.results(store=life.database.url)
        for act in ("hold", "close"):
            command = (act, "--store", life.database.url, "--region", "OH")
            assert aborts(steps.harness.start(*command, env={"FAILPOINTS": f"{name}=return"}).wait()), f'{act} does not come by "{name}"'
            assert steps.harness.results(store=life.database.url) == before
        life.check_end()
        life.forget()


def dies_counting_from_scratch(steps: Steps, name: str) -> None:
    with Life(steps, None) as life:
        for piece in votes():
            life.produce(piece)
        count_to_the_end(life)
        command = ("recount", "--log", life.kafka.url(life.topic), "--store", life.database.url, "--from-scratch")
        assert aborts(steps.harness.start(*command, env={"FAILPOINTS": f"{name}=return"}).wait()), f'recount does not come by "{name}"'
        agree(steps.harness.results(store=life.database.url), right())
        steps.harness.run(*command, seconds=90)
        count_to_the_end(life)
        life.forget()


def test_dies_and_is_gone_on_from(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOTESTREAM_BIN", fail_binary())
    missing = set(ON_THE_WAY) - set(names())
    assert not missing, f"{fail_binary()} has no fail points {sorted(missing)}: build one with them and name it with VOTESTREAM_FAIL_BIN"
    with Steps(tmp_path) as steps, concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        tries: dict[str, tuple[Callable[..., None], tuple[str, ...]]] = {
            f"{name}, {passes} time": (dies_on_the_way, (name, passes))
            for passes, passed in (("first", ON_THE_WAY), ("fourth", AGAIN_AND_AGAIN))
            for name in passed
        }
        tries["store-desk-before-commit"] = (dies_at_the_desk, ("store-desk-before-commit",))
        tries["store-rebuild-before-commit"] = (dies_counting_from_scratch, ("store-rebuild-before-commit",))
        running = {what: pool.submit(try_, steps, *args) for what, (try_, args) in tries.items()}
        failed = {what: future.exception() for what, future in running.items() if future.exception()}
    assert not failed, "\n".join(f"{what}: {error}" for what, error in failed.items())
