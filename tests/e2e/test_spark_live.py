"""Counted live on Apache Spark, the next epoch read while one is still being written, and killed meanwhile: the answer is the oracle's.

Beside `SERVICES="kafka spark" scripts/with-services.sh`.
"""

from __future__ import annotations

import os

import pytest

from tests.e2e.harness import Harness, agree, until
from tests.e2e.kafka_votes import counted_records, oracle
from tests.e2e.services import Kafka
from tests.e2e.spark_server import SECONDS
from tests.oracle.count import us_president_2024

pytestmark = pytest.mark.spark

# More than come in while the test runs.
VOTES = 2_000_000
RATE = 1_000
PARTITIONS = 4
KILLS = 4


def test_killed_while_the_next_epoch_is_read(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(PARTITIONS)
    count = (
        "-vv", "count", "--engine", "spark", "--remote", os.environ["VOTESTREAM_TEST_SPARK"], "--seen", vs.dir / "seen",
        "--log", kafka.url(topic), "--store", vs.store,
    )  # fmt: skip
    voting = vs.start(
        "simulate", "--votes", VOTES, "--rate", RATE, "--order", "night", "--faults", "duplicates=0.05,changed=0.03,invalid=0.02",
        "--to", kafka.url(topic),
    )  # fmt: skip
    for kill in range(KILLS):
        counted = counted_records(vs, vs.store) if kill else 0
        worker = vs.start(*count)
        until(lambda: "epoch is read ahead" in worker.err(), "an epoch to be read ahead", SECONDS, step=0.05)
        if kill % 2:
            # An epoch that was read ahead is counted, too.
            until(lambda: counted_records(vs, vs.store) > counted, "an epoch to be committed", SECONDS, step=0.05)
            until(lambda: worker.err().count("epoch is read ahead") > 2, "epochs to be read ahead", SECONDS, step=0.05)
        assert worker.running(), worker.err()
        worker.kill()
    assert voting.running(), voting.err()
    voting.stop()
    assert vs.start(*count, "--until-end").wait(SECONDS).status == 0
    results = vs.results()
    agree(results, oracle(kafka, topic, us_president_2024()))
    assert "pending" not in results["ledger"], "every leaf is hashed"
    assert "identical" in vs.recount(log=kafka.url(topic)).text
