"""Forty faults on real servers in `make test`; `make chaos` strikes a thousand of the same."""

from __future__ import annotations

import os
import pathlib

from tests.chaos.kafka_chaos import Chaos
from tests.chaos.kafka_report import statements, summary

FAULTS = int(os.environ.get("VOTESTREAM_TEST_FAULTS", "40"))
SEED = int(os.environ.get("VOTESTREAM_TEST_SEED", "20241105"))


def test_faults_at_random_instants_on_real_servers(tmp_path: pathlib.Path) -> None:
    tally = Chaos(tmp_path, SEED, FAULTS).run()
    print("\n".join([*summary(tally), *statements(tally)]))
    assert len(tally.faults) >= FAULTS
    assert {"worker killed", "worker stopped and woken", "leader killed", "routing killed"} <= {fault.kind for fault in tally.faults}
    assert tally.records > 10_000
    assert tally.open_share() >= 0.5, "\n".join(summary(tally))
