"""Kills of a count on Apache Spark: the client in every step of an epoch and at random instants, the Spark server while it counts.

A round is one topic counted to its end by one `count --engine spark` after another, through as many kills as fall into it; then the tally
must be the oracle's over the records read back, the records add up, and `recount` be identical. It starts its Spark server itself.

    SERVICES="kafka spark" scripts/with-services.sh target/venv/bin/python -m tests.chaos.spark_chaos --kills 50 [--seed 1] [--report FILE]
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import datetime
import pathlib
import random
import shutil
import signal
import time

from tests.chaos.fail_points import fail_binary, named
from tests.chaos.running import publish, scratch
from tests.e2e.harness import Harness, Process, until
from tests.e2e.kafka_votes import check, counted_records, presidential
from tests.e2e.services import Kafka, required
from tests.e2e.spark_server import SECONDS, SparkServer
from tests.oracle.count import us_president_2024

PARTITIONS = 4
# So many epochs that files of voters come to be merged.
VOTES = 100_000
EPOCH = 2_500
# An epoch takes some seconds: instants are drawn from its length, and from the start before it.
INSTANT_SECONDS_MAX = 8.0
STEP_SECONDS_MAX = 10.0
AT_RANDOM, SERVER = "client, after a random time", "Spark server, while it counts"
# Of so many kills one is the server's, three come at a random instant, the others in a step.
SHARES = 10


@dataclasses.dataclass
class Kill:
    """One kill, and how many records had been counted when it came."""

    kind: str
    counted: int


@dataclasses.dataclass
class Tally:
    """What a run has done so far."""

    kills: list[Kill] = dataclasses.field(default_factory=list)
    rounds: int = 0
    records: int = 0
    seconds: float = 0.0


class Chaos:
    """Rounds until enough kills have landed."""

    def __init__(self, directory: pathlib.Path, seed: int, kills: int, say=print) -> None:
        self.directory, self.wanted, self.say = directory, kills, say
        self.random, self.seed = random.Random(seed), seed
        self.kafka = Kafka(required("VOTESTREAM_TEST_KAFKA"))
        # Steps in which the client dies: of an epoch, of sealing leaves, of merging files of voters, of sweeping what earlier attempts left.
        self.steps = named("spark-")
        assert self.steps, f"{fail_binary()} has no fail points of Spark: build one with --features failpoints,spark"
        self.server = SparkServer(directory / "spark")
        self.tally = Tally()

    def run(self) -> Tally:
        began = time.monotonic()
        self.server.start()
        try:
            while len(self.tally.kills) < self.wanted:
                place = self.directory / f"round-{self.tally.rounds}"
                place.mkdir()
                with Harness(place) as harness:
                    self._round(harness)
                shutil.rmtree(place)
                self.tally.rounds += 1
                self.say(f"round {self.tally.rounds}: {len(self.tally.kills)} of {self.wanted} kills")
        finally:
            self.server.stop()
        self.tally.seconds = time.monotonic() - began
        return self.tally

    def _round(self, vs: Harness) -> None:
        topic = self.kafka.create(PARTITIONS)
        events = presidential(VOTES, self.random.randrange(2**32))
        self.kafka.produce(topic, ((event.voter.encode(), event.value) for event in events))
        command = (
            "count", "--engine", "spark", "--remote", self.server.url, "--log", self.kafka.url(topic), "--store", vs.store,
            "--until-end", "--epoch-records", EPOCH,
        )  # fmt: skip
        while True:
            before = counted_records(vs, vs.store)
            if len(self.tally.kills) >= self.wanted:
                assert vs.start(*command).wait(SECONDS).status == 0
                break
            if not self._killed(vs, command, before):
                break
            assert counted_records(vs, vs.store) >= before, "what was committed is gone"
        results = check(vs, self.kafka, topic, vs.store, us_president_2024())
        assert "pending" not in results["ledger"], "every leaf is hashed"
        self.tally.records += results["records"]

    def _killed(self, vs: Harness, command: tuple, before: int) -> bool:
        """Kills something; says whether the count is still to be finished."""
        draw = self.random.randrange(SHARES)
        kind, action = AT_RANDOM, None
        if draw > 3:
            kind, off = self.random.choice(self.steps), self.random.randrange(3)
            action = "return" if off == 0 else f"{off}*off->return"
        worker = vs.start(*command, env={"FAILPOINTS": f"{kind}={action}"} if action else None)
        if draw == 0 and not self._survives_the_server(vs, worker, before):
            return False
        # A step that is not come to in time is left at that instant.
        patience = STEP_SECONDS_MAX if action else self.random.uniform(0.0, INSTANT_SECONDS_MAX)
        deadline = time.monotonic() + patience
        until(lambda: not worker.running() or time.monotonic() >= deadline, "the instant", SECONDS, step=0.02)
        if worker.running():
            worker.signal(signal.SIGKILL)
        status = worker.wait(SECONDS).status
        assert status in (0, -signal.SIGKILL, -signal.SIGABRT), worker.err()
        if status != 0:
            self.tally.kills.append(Kill(AT_RANDOM if status == -signal.SIGKILL else kind, before))
        return status != 0

    def _survives_the_server(self, vs: Harness, worker: Process, before: int) -> bool:
        """Kills the server some time after the worker began and starts it again; the worker counts on by itself. Whether it goes on still."""
        deadline = time.monotonic() + self.random.uniform(0.0, INSTANT_SECONDS_MAX)
        until(lambda: time.monotonic() >= deadline or not worker.running(), "the instant", SECONDS, step=0.05)
        if not worker.running():
            assert worker.wait(SECONDS).status == 0, worker.err()
            return False
        self.server.kill()
        self.tally.kills.append(Kill(SERVER, before))
        at = counted_records(vs, vs.store)
        until(lambda: "may pass" in worker.err() or not worker.running(), "the worker to notice", SECONDS, step=0.2)
        self.server.start()
        until(lambda: counted_records(vs, vs.store) > at or not worker.running(), "the worker to count on", SECONDS, step=0.2)
        return worker.running()


def summary(tally: Tally) -> list[str]:
    """Lines of a Markdown table: kills by where they landed."""
    by = collections.Counter(kill.kind for kill in tally.kills)
    midway = collections.Counter(kill.kind for kill in tally.kills if kill.counted)
    lines = ["| killed | times | of these after something was counted |", "| --- | ---: | ---: |"]
    return [*lines, *(f"| {kind} | {count} | {midway[kind]} |" for kind, count in sorted(by.items())), f"| all | {len(tally.kills)} | {sum(midway.values())} |"]


def report(tally: Tally, seed: int) -> str:
    return "\n".join(
        [
            "# Chaos report: Apache Spark",
            "",
            "Written by `make chaos` (`tests/chaos/spark_chaos.py`): a topic is counted in small epochs by `count --engine spark`, which is killed at the fail",
            "point that is named or after a random time, and the Spark server with it.",
            "",
            f"- date: {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}, seed {seed}, {tally.seconds:,.0f} s",
            f"- rounds: {tally.rounds}; each ended with the oracle's tally, records that add up, every leaf hashed, and `recount: identical`",
            f"- kills: {len(tally.kills)}",
            f"- votes counted to the end: {tally.records:,}; lost: 0; counted twice: 0",
            "",
            *summary(tally),
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="kill a count on Spark, and Spark, at every step and at random instants")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=pathlib.Path, help="write a Markdown report here")
    arguments = parser.parse_args()
    with scratch() as directory:
        tally = Chaos(directory, arguments.seed, arguments.kills).run()
    publish(report(tally, arguments.seed), arguments.report)


if __name__ == "__main__":
    main()
