"""Sixty kills in `make test`; `make chaos` does a thousand of the same."""

from __future__ import annotations

import os
import pathlib

from tests.chaos.chaos import Chaos, summary

KILLS = int(os.environ.get("VOTESTREAM_TEST_KILLS", "60"))
SEED = int(os.environ.get("VOTESTREAM_TEST_SEED", "20241105"))


def test_kills_at_random_instants(tmp_path: pathlib.Path) -> None:
    tally = Chaos(tmp_path, SEED, KILLS).run()
    print("\n".join(summary(tally)))
    assert len(tally.kills) >= KILLS
    assert {"up", "ingest", "count"} <= {kill.command for kill in tally.kills}
    assert tally.open_share() >= 0.5, "\n".join(summary(tally))
