"""A worker stopped at a spread of the instants between two messages to PostgreSQL, and in the middle of one; `make chaos` tries all."""

from __future__ import annotations

import os
import pathlib

from tests.chaos.stepping import PLACES
from tests.chaos.steps import JOINED, Failed, Steps, sample

INSTANTS = int(os.environ.get("VOTESTREAM_TEST_INSTANTS", "14"))
SEED = int(os.environ.get("VOTESTREAM_TEST_SEED", "20241105"))
# What a life must have in it for the instants to be worth something.
STATEMENTS = ("votestream.flush", JOINED, "DELETE FROM votestream.seen", "SET releases = releases + 1", "AND epoch = $3 AND engine = $4", "COMMIT, after")


def test_a_worker_stopped_between_two_statements_or_in_a_message_and_woken(tmp_path: pathlib.Path) -> None:
    with Steps(tmp_path) as steps:
        life = steps.record()
        for text in STATEMENTS:
            assert any(text in step.group.text for step in life), f"no message of a life holds {text!r}"
        joins = next(at for at, step in enumerate(life) if JOINED in step.group.text)
        # Others wait a minute for what a starting worker holds: those instants are for `make chaos`.
        wanted = sample(life[joins:], INSTANTS, SEED)
        results = list(steps.attempt_all(wanted))
    assert len(results) == len(wanted)
    failed = [result for result in results if isinstance(result, Failed)]
    assert not failed, "\n".join(f"{one.place}: {one.why}" for one in failed)
    reached = [tried for tried in steps.tried if tried.reached]
    assert len(reached) >= 0.75 * len(wanted), [str(tried.place) for tried in steps.tried if not tried.reached]
    assert {tried.place.when for tried in reached} == set(PLACES)
