"""The engine of a running election is changed, native to Spark and back, killed in each step: the answer is the oracle's and a recount's.

Beside `SERVICES="kafka spark" scripts/with-services.sh`.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import signal
from collections.abc import Iterable

import pytest

from tests.e2e.harness import Harness, agree
from tests.e2e.kafka_votes import Event, counted_records, oracle, presidential, votestream
from tests.e2e.services import Kafka
from tests.e2e.spark_server import SECONDS
from tests.oracle.count import us_president_2024

pytestmark = pytest.mark.spark

PART = 9_000
PARTITIONS = 4
# Each step on the way out and on the way back; the store's own points stand inside the transaction that changes the engine.
OUT = ("spark-handed-over", "store-change-fenced", "store-files-named", "store-change-before-commit", "spark-moved-outside")
BACK = ("spark-voters-read", "store-change-moved", "store-change-before-commit", "spark-brought-back")


class Changing:
    """An election whose topic grows by parts, and the commands that count it."""

    def __init__(self, vs: Harness, kafka: Kafka, *flags: str) -> None:
        self.vs, self.kafka, self.topic = vs, kafka, kafka.create(PARTITIONS)
        self.count = ("count", "--log", kafka.url(self.topic), "--store", vs.store, "--until-end", *flags)
        self.remote = ("--remote", os.environ["VOTESTREAM_TEST_SPARK"], "--seen", str(vs.dir / "seen"))

    def grow(self, events: Iterable[Event]) -> None:
        self.kafka.produce(self.topic, ((event.voter.encode(), event.value) for event in events))

    def killed(self, steps: Iterable[str], *flags: str) -> None:
        for step in steps:
            outcome = self.vs.start(*self.count, *self.remote, *flags, env={"FAILPOINTS": f"{step}=return"}).wait(SECONDS)
            assert outcome.status == -signal.SIGABRT, f"{step}: {outcome.err[-2000:]}"

    def natively(self, *flags: str) -> str:
        return self.vs.run(*self.count, *flags, seconds=SECONDS).err

    def on_spark(self) -> str:
        return self.vs.run(*self.count, *self.remote, "--engine", "spark", seconds=SECONDS).err

    def files(self) -> list[pathlib.Path]:
        """Files of voters. What was swept is an empty file, which is not compressed as they are."""
        return sorted((self.vs.dir / "seen").rglob("*.zstd.parquet"))

    def check(self, election) -> dict:
        results = self.vs.results()
        agree(results, oracle(self.kafka, self.topic, election))
        assert "pending" not in results["ledger"], "every leaf is hashed"
        assert "identical" in self.vs.recount(log=self.kafka.url(self.topic)).text
        return results


def test_native_then_spark_then_native_with_kills_in_each_step(vs: Harness, kafka: Kafka) -> None:
    votes = presidential(4 * PART, 7)
    changing = Changing(vs, kafka)
    changing.grow(votes[:PART])
    changing.natively()
    changing.grow(votes[PART : 2 * PART])
    changing.killed(OUT, "--engine", "spark")
    # The last of them has given the election to Spark, and counted nothing there.
    assert counted_records(vs, vs.store) == PART
    vs.refused(*changing.count, says=("counted on Apache Spark", "count --engine native --remote sc://", "--from-scratch"))
    changing.on_spark()
    assert changing.files()
    changing.check(us_president_2024())
    changing.grow(votes[2 * PART : 3 * PART])
    changing.killed(("spark-after-flush",), "--engine", "spark")
    changing.killed(BACK)
    # The last of them has brought it back: no server is needed any more.
    changing.natively()
    changing.check(us_president_2024())
    changing.grow(votes[3 * PART :])
    # With a server named, what the kills left is swept.
    changing.natively(*changing.remote)
    results = changing.check(us_president_2024())
    assert not changing.files(), "nothing is left of Spark's voters"
    native = f"sqlite:{vs.dir / 'native.db'}"
    vs.run("count", "--log", kafka.url(changing.topic), "--store", native, "--until-end")
    assert vs.results(store=native)["ledger"] == results["ledger"]


def test_texts_whose_last_vote_counts_go_there_and_back(vs: Harness, kafka: Kafka) -> None:
    election = dataclasses.replace(us_president_2024(), mapping="votestream", duplicate="last")
    votes = votestream(3 * PART, 11)
    changing = Changing(vs, kafka, "--mapping", "votestream", "--duplicate", "last")
    changing.grow(votes[:PART])
    changing.natively()
    changing.grow(votes[PART : 2 * PART])
    changing.killed(("spark-handed-over",), "--engine", "spark")
    changing.on_spark()
    changing.check(election)
    changing.grow(votes[2 * PART :])
    changing.killed(("spark-voters-read",))
    assert "counted natively from here on" in changing.natively(*changing.remote)
    changing.check(election)
    assert not changing.files()
