"""A worker stopped between every two messages that it sends to PostgreSQL, and in the middle of each, past the fence, and woken.

First a whole life of a worker is recorded: opening the store, making the election, joining, taking over, flushes, one flush whose answer
is lost, a merger of voters' rows, a release, the end. Then for each instant of it another worker lives that life up to there and is
stopped (SIGSTOP) while the proxy holds what it sent. A second worker takes the partitions over and counts everything. The first is woken,
its bytes arrive late, and it must have committed nothing past its fence, live on, and count the rest by itself. A worker that has had no
partition yet, be it the stopped one or one that finds it in its way, may end with status 2 and a sentence instead; started again, it
counts. In the end the tally is the oracle's, the records add up, and `recount` is identical, ledger included.

    scripts/with-services.sh target/venv/bin/python -m tests.chaos.steps [--sample 40] [--seed 1] [--side-by-side 4] [--report FILE]
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import contextlib
import dataclasses
import datetime
import functools
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator

import confluent_kafka
import psycopg

from tests.chaos.stepping import PLACES, Group, Place, Step, SteppingProxy, places
from tests.e2e.harness import PATIENCE_SECONDS, Harness, Process, agree, until
from tests.e2e.kafka_votes import Event, presidential
from tests.e2e.services import Broker, Kafka, Postgres, Server, cluster_id, put, unique
from tests.oracle.count import Count, us_president_2024

PARTITIONS = 2
SESSION_TIMEOUT_MS = 2_000
# Pieces of votes, each produced when those before are counted, so that each is a flush of its own. After four small ones a large one makes
# the small ones' rows worth merging.
PIECES = (14, 14, 14, 14, 14, 5_000, 14, 14)
LAST_PIECE = 20
# The answer to this one is lost, with the connection.
LOST_ANSWER = ("votestream.flush", 2)
# The statement by which a worker takes its first partitions over, and what it says then.
JOINED = "SET epoch = epoch + 1, engine"
HAD_PARTITIONS = "partitions taken over"
# The longest that others wait for a stopped worker's transaction: until the server ends it as idle, or a taker as in its way; and room.
TAKEOVER_SECONDS_MAX = 100.0
SIDE_BY_SIDE = 4


@functools.cache
def votes() -> list[list[Event]]:
    """The pieces, the last one included."""
    sizes = (*PIECES, LAST_PIECE)
    events = presidential(sum(sizes), 20_241_105)
    return [[events.pop() for _ in range(size)] for size in sizes]


@functools.cache
def right() -> dict:
    """The oracle's answer to all of them. A voter's records are on one partition, in this order."""
    count = Count(us_president_2024())
    for piece in votes():
        for event in piece:
            count.add(event.value)
    return count.results()


@dataclasses.dataclass
class Tried:
    """What came of one instant."""

    place: Place
    # The life came to its end without that instant: flushes and mergers are not the same in each life.
    reached: bool
    # From the stop until the other worker had counted everything.
    takeover_seconds: float = 0.0
    # From the wake until the woken worker had counted what came then, or had ended as it was told to.
    woken_seconds: float = 0.0
    # The woken worker, which had had no partition yet, ended with a sentence, and was started again.
    began_again: bool = False
    # It was stopped in the midst of making what others need to start, and they ended with a sentence until it was woken.
    in_the_way: bool = False


class Life:
    """One worker over a topic and a database of its own, seen through a stepping proxy."""

    def __init__(self, steps: "Steps", place: Place | None) -> None:
        self.steps, self.kafka, self.place = steps, steps.kafka, place
        self.topic = self.kafka.create(PARTITIONS, stem="steps")
        self.database = Postgres(steps.server.url, stem="steps")
        self.proxy = SteppingProxy(steps.server.port, place, LOST_ANSWER)
        self.sent = 0
        self.told_to_end = False
        self._workers: list[Process] = []
        self._sql = psycopg.connect(self.database.url, autocommit=True, application_name="steps")
        self._producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": self.kafka.address, "transactional.id": unique("pieces"), "partitioner": "murmur2_random",
                "linger.ms": 5, "log_level": 0, "transaction.timeout.ms": 60_000,
            }
        )  # fmt: skip
        self._producer.init_transactions(PATIENCE_SECONDS)

    def __enter__(self) -> "Life":
        return self

    def __exit__(self, *_: object) -> None:
        self.proxy.__exit__()
        self._sql.close()
        for worker in self._workers:
            worker.close()

    # --- what happens ---

    def start_worker(self, direct: bool = False, env: dict[str, str] | None = None) -> Process:
        url = f"kafka://{self.kafka.address}/{self.topic}?session_timeout_ms={SESSION_TIMEOUT_MS}"
        store = self.database.url if direct else self.database.through(self.proxy.port)
        self._workers.append(self.steps.harness.start("count", "--log", url, "--store", store, env=env))
        return self._workers[-1]

    def produce(self, piece: Iterable[Event]) -> None:
        """All of it comes to be seen at once."""
        self._producer.begin_transaction()
        for event in piece:
            put(self._producer, self.topic, event.voter.encode(), event.value)
            self.sent += 1
        self._producer.commit_transaction(PATIENCE_SECONDS)

    def progress(self) -> dict[int, tuple[int, int]]:
        """Partition → records counted and flushes; empty while there is no election."""
        with contextlib.suppress(psycopg.Error):
            rows = self._sql.execute("SELECT partition, counted + duplicate + rejected, flushes FROM votestream.progress").fetchall()
            return {partition: (records, flushes) for partition, records, flushes in rows}
        return {}

    def counted(self) -> bool:
        return sum(records for records, _ in self.progress().values()) == self.sent

    def all_quiet(self, worker: Process) -> bool:
        """Nothing held is on its way, and no session of the worker is at work."""
        name = f"votestream-count-{worker.pid}-%"
        busy = self._sql.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE %s AND state <> 'idle'", (name,)
        ).fetchall()
        return self.proxy.drained() and not busy

    def live(self, worker: Process) -> bool:
        """Feeds the worker until it has come to the place, or to the end of its life. Says whether to the place."""
        rest = self.feed(worker)
        if not self.proxy.reached.is_set():
            outcome = worker.wait()
            assert outcome.status == 0 and self.told_to_end, f"a worker ended with {outcome.status}:\n{outcome.err[-4000:]}"
            return False
        worker.signal(signal.SIGSTOP)
        for piece in rest:
            self.produce(piece)
        return True

    def feed(self, worker: Process) -> Iterator[list[Event]]:
        """Feeds the worker, which is told to end when it has counted and released all, until it ends or has come to the place. Answers
        what was not fed."""
        pieces = iter(votes()[: len(PIECES)])
        self.produce(next(pieces))

        def over() -> bool:
            if self.proxy.reached.is_set() or not worker.running():
                return True
            if not self.counted():
                return False
            piece = next(pieces, None)
            if piece is not None:
                self.produce(piece)
            elif not self.told_to_end and self._released():
                self.told_to_end = True
                worker.signal(signal.SIGTERM)
            return False

        until(over, f"the worker to come to {self.place}, or to its end", PATIENCE_SECONDS, step=0.02)
        return pieces

    def _released(self) -> bool:
        return bool(self._sql.execute("SELECT 1 FROM votestream.release").fetchall())

    def check_end(self) -> None:
        harness = self.steps.harness
        agree(harness.results(store=self.database.url), right())
        assert "identical" in harness.recount(log=self.kafka.url(self.topic), store=self.database.url).text

    def forget(self) -> None:
        self._sql.close()
        self.kafka.delete(self.topic)
        self.database.drop()


class Steps:
    """The servers, a recorded life, and the instants tried so far."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.harness, self.server = Harness(directory), Server()
        self.broker = Broker(directory / "broker")
        self.tried: list[Tried] = []
        self.seconds = 0.0

    def __enter__(self) -> "Steps":
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.server)
            stack.callback(self.broker.kill)
            stack.enter_context(self.harness)
            self.broker.format(cluster_id())
            self.broker.start()
            self.kafka: Kafka = self.broker.kafka()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def record(self) -> list[Step]:
        """A whole life's messages."""
        with Life(self, None) as life:
            worker = life.start_worker()
            assert not life.live(worker)
            steps = life.proxy.steps
            life.produce(votes()[-1])
            self.harness.run("count", "--log", self.kafka.url(life.topic), "--store", life.database.url, "--until-end")
            life.check_end()
            life.forget()
        return steps

    def attempt(self, place: Place) -> Tried:
        """Lives up to the place, is stopped there, overtaken and woken."""
        with Life(self, place) as life:
            worker = life.start_worker()
            tried = Tried(place, life.live(worker))
            if tried.reached:
                self._overtaken_and_woken(life, worker, tried)
                life.check_end()
            life.forget()
        return tried

    def _overtaken_and_woken(self, life: Life, worker: Process, tried: Tried) -> None:
        began = time.monotonic()
        starting = HAD_PARTITIONS not in worker.err()
        other = life.start_worker(direct=True)

        def counted() -> bool:
            assert other.running(), f"the other worker ended with {other.wait().status}:\n{other.err()[-4000:]}"
            return HAD_PARTITIONS in other.err() and life.counted()

        until(lambda: (starting and not other.running()) or counted(), f"the other worker to count everything at {tried.place}", TAKEOVER_SECONDS_MAX)
        tried.takeover_seconds = time.monotonic() - began
        if not other.running():
            tried.in_the_way = True
            _ended_with_a_sentence(other, life)
            worker.signal(signal.SIGCONT)
            life.proxy.release()
            other = life.start_worker(direct=True)
            until(counted, "the other worker to count everything, the first being awake", TAKEOVER_SECONDS_MAX)
        before = life.progress()
        began = time.monotonic()
        worker.signal(signal.SIGCONT)
        life.proxy.release()
        until(lambda: life.all_quiet(worker), "what was held to arrive")
        assert life.progress() == before, f"the woken worker committed something past its fence: {before} became {life.progress()}"
        if not life.told_to_end and HAD_PARTITIONS not in worker.err():
            worker = self._begun_again(life, worker, tried)
        if life.told_to_end:
            outcome = worker.wait()
            assert outcome.status == 0, f"the woken worker ended with {outcome.status}:\n{outcome.err[-4000:]}"
            life.produce(votes()[-1])
            until(counted, "the other worker to count the last votes")
            assert other.stop().status == 0, other.err()
        else:
            assert other.stop().status == 0, other.err()
            assert life.progress() == before, f"the woken worker committed something past its fence: {before} became {life.progress()}"
            life.produce(votes()[-1])

            def counted_alone() -> bool:
                assert worker.running(), f"the woken worker ended with {worker.wait().status}:\n{worker.err()[-4000:]}"
                return life.counted()

            until(counted_alone, f"the woken worker to count the last votes; it says\n{worker.err()[-3000:]}", TAKEOVER_SECONDS_MAX)
            outcome = worker.stop()
            assert outcome.status == 0, f"the woken worker ended with {outcome.status}:\n{outcome.err[-4000:]}"
        tried.woken_seconds = time.monotonic() - began

    def _begun_again(self, life: Life, worker: Process, tried: Tried) -> Process:
        """A worker that was still starting has come to partitions, or ended so that whoever started it knows what to do."""

        def decided() -> bool:
            return not worker.running() or HAD_PARTITIONS in worker.err()

        until(decided, f"the woken worker to have partitions, or to end; it says\n{worker.err()[-3000:]}", TAKEOVER_SECONDS_MAX)
        if worker.running():
            return worker
        _ended_with_a_sentence(worker, life)
        tried.began_again = True
        return life.start_worker()

    def attempt_all(
        self, wanted: list[Place], side_by_side: int = SIDE_BY_SIDE, again: int = 2, seconds_max: float = float("inf")
    ) -> Iterator[Tried | Failed]:
        """Tries places side by side; one that a life did not come by is tried again. After `seconds_max` no other one is begun."""
        began = time.monotonic()

        def patiently(place: Place) -> Tried | Failed | None:
            if time.monotonic() - began > seconds_max:
                return None
            try:
                tried = self.attempt(place)
                for _ in range(again):
                    if tried.reached:
                        break
                    tried = self.attempt(place)
                return tried
            except Exception as error:  # noqa: BLE001, each place is told of
                return Failed(place, "".join(traceback.format_exception(error)[-3:]).strip())

        with concurrent.futures.ThreadPoolExecutor(side_by_side) as pool:
            for done in concurrent.futures.as_completed([pool.submit(patiently, place) for place in wanted]):
                result = done.result()
                if isinstance(result, Tried):
                    self.tried.append(result)
                self.seconds = time.monotonic() - began
                if result:
                    yield result


def _ended_with_a_sentence(worker: Process, life: Life) -> None:
    outcome = worker.wait()
    assert outcome.status == 2 and len(outcome.err.splitlines()) <= 6, f"a worker that was starting ended with {outcome.status}:\n{outcome.err[-4000:]}"
    outcome.says("the results store", life.database.name)


@dataclasses.dataclass
class Failed:
    """An instant that was not survived as it must be, and why."""

    place: Place
    why: str


def sample(steps: list[Step], count: int | None, seed: int) -> list[Place]:
    """Places spread over a life, or all of them: each statement in its turn, at a seeded occurrence, message and instant."""
    rng = random.Random(seed)
    by_group: dict[Group, list[Place]] = collections.defaultdict(list)
    for place in places(steps):
        by_group[place.step.group].append(place)
    groups = list(by_group.values())
    chosen: list[Place] = []
    while any(groups) and (count is None or len(chosen) < count):
        for of_group in rng.sample(groups, len(groups)):
            if of_group and (count is None or len(chosen) < count):
                chosen.append(of_group.pop(rng.randrange(len(of_group))))
    return chosen


def report(steps: Steps, life: list[Step], failed: list[Failed], wanted: int) -> str:
    """A Markdown page: statement × before, in the middle, after."""
    tried = [one for one in steps.tried if one.reached]
    by = collections.Counter((str(one.place.step.group), one.place.when) for one in tried)
    longest: dict[str, float] = collections.defaultdict(float)
    for one in tried:
        name = str(one.place.step.group)
        longest[name] = max(longest[name], one.takeover_seconds)
    lines = [
        "# Chaos report: a worker stopped at every step",
        "",
        "Written by `make chaos` (`tests/chaos/steps.py`): a worker is stopped between every two messages that it sends to PostgreSQL in its",
        "life, and in the middle of each; another takes over and counts everything; the first is woken and its bytes arrive late. Each time the",
        "tally was the oracle's, the records added up, `recount` was identical, and the woken worker had committed nothing past its fence and",
        "counted on, or ended as it had been told to.",
        "",
        f"- date: {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}, {steps.seconds:.0f} s",
        f"- a life: {len(life)} messages in {sum(step.index == 0 for step in life)} groups, {len({step.group for step in life})} of them different",
        f"- instants: {wanted} asked for, {len(tried)} reached and survived, {len(steps.tried) - len(tried)} not come by in this run's lives, {len(failed)} failed",
        f"- longest from the stop until another worker had counted everything: {max(longest.values(), default=0.0):.1f} s (session timeout {SESSION_TIMEOUT_MS} ms)",
        f"- stopped while making what others need to start, which ended with a sentence until it was woken: {sum(one.in_the_way for one in tried)}",
        f"- woken workers that had had no partition yet, ended with status 2 and a sentence, and counted when started again: {sum(one.began_again for one in tried)}",
        f"- longest from the wake until the woken worker had counted on, or ended: {max((one.woken_seconds for one in tried), default=0.0):.1f} s",
        "",
        "| what the worker sends | " + " | ".join(PLACES) + " | longest takeover |",
        "| --- |" + " ---: |" * (len(PLACES) + 1),
    ]
    for name in dict.fromkeys(str(step.group) for step in life):
        shown = name if len(name) <= 90 else name[:89] + "…"
        lines.append(f"| `{shown}` | " + " | ".join(str(by[name, when]) for when in PLACES) + f" | {longest[name]:.1f} s |")
    lines.append("| all | " + " | ".join(str(sum(one.place.when == when for one in tried)) for when in PLACES) + f" | {max(longest.values(), default=0.0):.1f} s |")
    lines += [f"\nFAILED {one.place}: {one.why}" for one in failed]
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description="stop a worker between every two messages that it sends to PostgreSQL, and wake it")
    parser.add_argument("--sample", type=int, help="only so many instants, each statement at least once where there is room")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--part", choices=["starting", "counting"], help="only instants before the first partitions are taken over, or from there on")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no more instants after so long")
    parser.add_argument("--only", help="only instants of statements that hold this text")
    parser.add_argument("--side-by-side", type=int, default=SIDE_BY_SIDE)
    parser.add_argument("--list", action="store_true", help="only record a life and print it")
    parser.add_argument("--report", type=pathlib.Path, help="write a Markdown report here")
    arguments = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="votestream-steps-"))
    failed: list[Failed] = []
    with Steps(directory) as steps:
        life = steps.record()
        if arguments.list:
            print("\n".join(f"{step.message:10}{'.' if step.last else ' '} #{step.occurrence:<3} {str(step.group)[:140]}" for step in life))
            return
        joins = next(at for at, step in enumerate(life) if JOINED in step.group.text)
        part = {"starting": life[:joins], "counting": life[joins:]}.get(arguments.part, life)
        wanted = sample([step for step in part if not arguments.only or arguments.only in str(step.group)], arguments.sample, arguments.seed)
        for position, result in enumerate(steps.attempt_all(wanted, arguments.side_by_side, seconds_max=60 * arguments.minutes)):
            if isinstance(result, Failed):
                failed.append(result)
                print(f"{position + 1} of {len(wanted)}: FAILED {result.place}: {result.why}", flush=True)
            else:
                print(
                    f"{position + 1} of {len(wanted)}: {result.place}"[:180]
                    + (f": {result.takeover_seconds:.1f} s, {result.woken_seconds:.1f} s" if result.reached else ": not come by")
                    + (", was in the way" if result.in_the_way else "")
                    + (", begun again" if result.began_again else ""),
                    flush=True,
                )
        text = report(steps, life, failed, len(wanted))
    shutil.rmtree(directory)
    if arguments.report:
        arguments.report.write_text(text)
    print(text)
    if failed:
        sys.exit(f"{len(failed)} instants were not survived")


if __name__ == "__main__":
    main()
