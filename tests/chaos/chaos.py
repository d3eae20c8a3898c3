"""Seeded kill -9 of the real binary at random instants, each followed by a resume.

A round is one election counted to its end through as many kills as fall into it. Three kinds: `up`; `ingest FILE` and
then `count --until-end`; `ingest FILE` while `count` follows. After each kill the files say where it landed; at the end of
each round the tally is the oracle's, the records add up, and `recount` is identical. The run fails where fewer than half
of the kills hit an open flush or an unacknowledged batch.

    python3 -m tests.chaos.chaos --kills 1000 [--seed 1] [--report docs/chaos-report.md]
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import datetime
import os
import pathlib
import random
import shutil
import signal
import sys
import time

from tests.chaos.evidence import LogState, StoreState, log_state, store_state
from tests.chaos.running import publish, scratch
from tests.e2e.harness import Harness, Process, agree, counts
from tests.oracle.count import count_file, us_president_2024

OPEN_FLUSH = "open flush"
COMMIT = "inside a commit"
OPEN_BATCH = "unacknowledged batch"
TORN_BATCH = "half-written batch"
STARTING = "starting"
IDLE = "nothing open"
OPEN_WORK = (OPEN_FLUSH, COMMIT, OPEN_BATCH, TORN_BATCH)

KINDS = ("up", "ingest_then_count", "both_at_once")
# Votes of `up`, and of a file that is ingested (its faults come on top).
UP_VOTES = 400_000
FILE_VOTES = 200_000
KILLS_A_ROUND_MAX = 15
STEP_SECONDS_MAX = 120.0


@dataclasses.dataclass
class Kill:
    """One kill: which command, after how long, and where it landed."""

    command: str
    after_ms: float
    landed: str


@dataclasses.dataclass
class Tally:
    """What a run has done so far."""

    kills: list[Kill] = dataclasses.field(default_factory=list)
    rounds: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    records: int = 0
    seconds: float = 0.0

    def open_share(self) -> float:
        return sum(kill.landed in OPEN_WORK for kill in self.kills) / max(1, len(self.kills))


class Inputs:
    """Streams and right answers, made once and used by many rounds."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self._answers: dict[tuple, tuple[pathlib.Path, dict]] = {}

    def of_up(self, seed: int) -> dict:
        """The oracle's answer to what `up` simulates: nobody votes twice, so first and last are one."""
        return self._answer(seed, UP_VOTES, "first", ())[1]

    def file(self, seed: int, policy: str) -> tuple[pathlib.Path, dict]:
        """NDJSON of the simulator with faults, and the oracle's answer to it."""
        return self._answer(seed, FILE_VOTES, policy, ("--faults", "duplicates=0.05,invalid=0.02,changed=0.02"))

    def _answer(self, seed: int, votes: int, policy: str, flags: tuple[str, ...]) -> tuple[pathlib.Path, dict]:
        key = (seed, votes, policy)
        if key not in self._answers:
            file = self.harness.dir / f"votes-{seed}-{votes}.ndjson"
            if not file.exists():
                file.write_bytes(self.harness.run("simulate", "--votes", votes, "--seed", seed, *flags).out)
            self._answers[key] = file, count_file(us_president_2024(duplicate=policy), file)
        return self._answers[key]


class Chaos:
    """Rounds until enough kills have landed."""

    def __init__(self, directory: pathlib.Path, seed: int, kills: int, kinds: tuple[str, ...] = (), say=print) -> None:
        self.random = random.Random(seed)
        self.seed, self.wanted, self.say = seed, kills, say
        self.directory = directory
        self.harness = Harness(directory)
        self.inputs = Inputs(self.harness)
        self.tally = Tally()
        self.kinds = [getattr(self, f"round_of_{kind}") for kind in kinds or KINDS]
        # For how long a command works: seven kills in eight are drawn from that time, counted from the first sign of
        # work (the log or the store changes); one in eight from the time since its start. Learnt as it goes.
        self.busy_seconds = {"up": 0.4, "ingest": 0.1, "count": 0.2}

    def run(self) -> Tally:
        started = time.monotonic()
        number = 0
        with self.harness:
            while len(self.tally.kills) < self.wanted:
                place = self.directory / f"round-{number}"
                place.mkdir()
                before = len(self.tally.kills)
                kind = self.kinds[number % len(self.kinds)]
                kind(place)
                self.tally.rounds[kind.__name__.removeprefix("round_of_")] += 1
                shutil.rmtree(place)
                number += 1
                fresh = collections.Counter(kill.landed for kill in self.tally.kills[before:])
                self.say(f"round {number} ({kind.__name__.removeprefix('round_of_')}): {dict(fresh)}; {len(self.tally.kills)} of {self.wanted}")
        self.tally.seconds = time.monotonic() - started
        return self.tally

    # --- the three kinds of round ---

    def round_of_up(self, place: pathlib.Path) -> None:
        seed, policy = 1, self.random.choice(["first", "last"])
        right = self.inputs.of_up(seed)
        rate = self.random.choice(["max", "max", "800000", "300000"])

        def start() -> Process:
            return self.harness.up(
                "--votes", UP_VOTES, "--seed", seed, "--duplicate", policy, "--rate", rate, "--exit-when-done", data=place / "data"
            ).process

        self._to_its_end("up", start, place / "data" / "log", place / "data" / "results.db", right["records"])
        self._check_end(place / "data" / "log", place / "data" / "results.db", right)

    def round_of_ingest_then_count(self, place: pathlib.Path) -> None:
        policy = self.random.choice(["first", "last"])
        file, right = self.inputs.file(self.random.choice([3, 4]), policy)
        log, store = place / "log", place / "results.db"
        url = f"dir:{log}?partitions={self.random.choice([1, 3, 4])}"
        ingest = lambda: self.harness.start("ingest", file, "--log", url)  # noqa: E731
        self._to_its_end("ingest", ingest, log, store, right["records"], file)
        count = ("count", "--log", url, "--store", f"sqlite:{store}", "--until-end", "--duplicate", policy)
        self._to_its_end("count", lambda: self.harness.start(*count), log, store, right["records"])
        self._check_end(log, store, right)

    def round_of_both_at_once(self, place: pathlib.Path) -> None:
        """`count` follows the log that `ingest` fills; one or the other, or both at once, are killed."""
        policy = self.random.choice(["first", "last"])
        file, right = self.inputs.file(self.random.choice([3, 4]), policy)
        log, store = place / "log", place / "results.db"
        follow = ("count", "--log", f"dir:{log}", "--store", f"sqlite:{store}", "--duplicate", policy)
        self.harness.run("ingest", os.devnull, "--log", f"dir:{log}")
        for _ in range(KILLS_A_ROUND_MAX):
            before = log_state(log), store_state(store)
            if before[0].records == right["records"]:
                break
            instant = self._instant("ingest", log, store, True)
            count = self.harness.start(*follow)
            ingest = self.harness.start("ingest", file, "--log", f"dir:{log}")
            if not instant.comes(ingest):
                assert ingest.wait().status == 0, ingest.err()
                self._learn("ingest", None, instant.worked())
                if self.random.random() < 0.5:
                    self._kill("count", [count], instant, before, log, store, None)
                else:
                    assert count.stop().status in (0, -signal.SIGTERM), count.err()
                break
            victims = self.random.choice([[ingest], [count], [ingest, count]])
            name = "+".join(process.args[0] for process in victims)
            for process in (ingest, count):
                if process not in victims:
                    # The one that is spared is stopped where it is, so that the files are those of the kill's instant.
                    process.signal(signal.SIGSTOP)
            self._kill(name, victims, instant, before, log, store, file)
            for process in (ingest, count):
                if process not in victims:
                    process.signal(signal.SIGCONT)
                    # Told to end in its first instant, it may not have learnt yet what SIGTERM means.
                    assert process.stop(STEP_SECONDS_MAX).status in (0, -signal.SIGTERM), process.err()
        self.harness.run("ingest", file, "--log", f"dir:{log}", seconds=STEP_SECONDS_MAX)
        self.harness.run(*follow, "--until-end", seconds=STEP_SECONDS_MAX)
        self._check_end(log, store, right)

    # --- kills ---

    def _instant(self, command: str, log: pathlib.Path, store: pathlib.Path, log_grows: bool) -> "Instant":
        """A random instant at which a step is to be killed. `log_grows`: the log still has votes to come."""
        pause = self.random.uniform(0.0, self.busy_seconds[command])
        place = None if command == "count" or not log_grows else log
        return Instant(pause, None if self.random.random() < 0.125 else Traces(place, store))

    def _learn(self, command: str, landed: str | None, seconds: float | None) -> None:
        """After `seconds` of work a kill landed there, or (None) the command came to its end by itself."""
        if seconds is None:
            return
        busy = self.busy_seconds[command]
        if landed is None or landed == IDLE:
            busy = max(0.02, 0.7 * busy + 0.3 * min(seconds, busy))
        else:
            # Too early, or in the midst of it: it works for longer than that.
            busy = max(busy, min(1.3 * seconds + (0.05 if landed == STARTING else 0.0), 2.0))
        self.busy_seconds[command] = busy

    def _to_its_end(self, command: str, start, log: pathlib.Path, store: pathlib.Path, total: int, file: pathlib.Path | None = None) -> None:
        """Starts, kills and starts again until all is done, or the command has come to its end by itself; then once
        more, to its end."""
        for _ in range(KILLS_A_ROUND_MAX):
            before = log_state(log), store_state(store)
            if (before[0].records if command == "ingest" else before[1].passed) == total:
                break
            instant = self._instant(command, log, store, before[0].records < total)
            process = start()
            if not instant.comes(process):
                outcome = process.wait(STEP_SECONDS_MAX)
                assert outcome.status == 0, outcome.err
                self._learn(command, None, instant.worked())
                return
            if not self._kill(command, [process], instant, before, log, store, file):
                return
        outcome = start().wait(STEP_SECONDS_MAX)
        assert outcome.status == 0, outcome.err

    def _kill(self, name: str, victims: list[Process], instant: "Instant", before, log, store, file) -> bool:
        """Kills, and says where. False: all of them had come to their end in the same instant."""
        worked = instant.worked()
        position = max(_position(process.pid, file) for process in victims) if file else 0
        for process in victims:
            process.signal(signal.SIGKILL)
        statuses = []
        for process in victims:
            outcome = process.wait()
            assert outcome.status in (0, -signal.SIGKILL), f"{outcome.args} ended by itself with {outcome.status}: {outcome.err}"
            statuses.append(outcome.status)
        if -signal.SIGKILL not in statuses:
            return False
        after = log_state(log), store_state(store)
        assert after[0].records >= before[0].records and after[1].passed >= before[1].passed, f"lost: {before} {after}"
        landed = classify(before, after, name, (file, position) if file else None)
        self.tally.kills.append(Kill(name, (time.monotonic() - instant.started) * 1000, landed))
        self._learn(victims[0].args[0], landed, worked)
        return True

    def _check_end(self, log: pathlib.Path, store: pathlib.Path, right: dict) -> None:
        results = self.harness.results(store=f"sqlite:{store}")
        agree(results, right)
        recount = self.harness.recount(log=f"dir:{log}", store=f"sqlite:{store}")
        assert "recount: identical" in recount.text, recount.text
        assert store_state(store).passed == right["records"] == log_state(log).records
        self.tally.records += counts(results)["records"]


class Traces:
    """What a command at work changes: the size of the log, or else the store's write-ahead log. Cheap enough to be
    looked at a thousand times a second."""

    def __init__(self, log: pathlib.Path | None, store: pathlib.Path) -> None:
        self.log, self.wal = log, store.with_name(store.name + "-wal")
        self.before = self._look()

    def changed(self) -> bool:
        return self._look() != self.before

    def _look(self) -> tuple[int, int]:
        with contextlib.suppress(OSError):
            if self.log is not None:
                return sum(segment.stat().st_size for segment in self.log.glob("*/*.log")), 0
            wal = self.wal.stat()
            return wal.st_size, wal.st_mtime_ns
        return 0, 0


class Instant:
    """The instant of a kill: `pause` after the first trace of work, or after the start where no traces are looked for."""

    def __init__(self, pause: float, traces: Traces | None) -> None:
        self.pause, self.traces = pause, traces
        self.started = time.monotonic()
        self.began: float | None = None

    def comes(self, process: Process) -> bool:
        """Waits for it. False: the process came to its end before."""
        if self.traces is None:
            self.began = self.started
        while process.running():
            now = time.monotonic()
            if self.began is None and self.traces.changed():
                self.began = now
            if self.began is not None and now >= self.began + self.pause:
                return True
            assert now < self.started + STEP_SECONDS_MAX, f"{process.args} neither works nor ends:\n{process.err()}"
            time.sleep(0.001)
        return False

    def worked(self) -> float | None:
        """Seconds of work so far, where its beginning has been seen."""
        return time.monotonic() - self.began if self.traces is not None and self.began is not None else None


def _position(pid: int, file: pathlib.Path) -> int:
    """How far `pid` has read `file`, as the kernel says."""
    with contextlib.suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            if os.readlink(f"/proc/{pid}/fd/{fd}") == str(file):
                info = pathlib.Path(f"/proc/{pid}/fdinfo/{fd}").read_text()
                return int(info.split("pos:")[1].split()[0])
    return 0


def classify(before: tuple[LogState, StoreState], after: tuple[LogState, StoreState], name: str, reading) -> str:
    """Where a kill landed, from what it left behind. `reading`: the input file and how far it had been read."""
    log, store = after
    if "count" in name or name == "up":
        if store.uncommitted_frames:
            return COMMIT
        if log.torn_bytes and name == "up":
            return TORN_BATCH
        # Taken over, and the log holds votes that are not committed: the flush that would hold them is open.
        if store.epochs > before[1].epochs and log.records > store.passed:
            return OPEN_FLUSH
    if "ingest" in name and reading is not None:
        if log.torn_bytes:
            return TORN_BATCH
        file, position = reading
        # More has been read than the log holds: those votes were in a batch that nobody had acknowledged.
        if position > _bytes_of(file, log.records):
            return OPEN_BATCH
    if log.records == before[0].records and store.passed == before[1].passed:
        return STARTING
    return IDLE


_LINE_ENDS: dict[pathlib.Path, list[int]] = {}


def _bytes_of(file: pathlib.Path, records: int) -> int:
    """Bytes of the first `records` lines, and one more line's: what the log holds may not be a prefix across
    partitions, but by number it cannot be more than has been read."""
    if file not in _LINE_ENDS:
        ends, at = [0], 0
        for line in file.read_bytes().splitlines(keepends=True):
            at += len(line)
            if line.strip():
                ends.append(at)
        _LINE_ENDS[file] = ends
    ends = _LINE_ENDS[file]
    return ends[min(records + 1, len(ends) - 1)]


# --- the report -----------------------------------------------------------------------------------------------------


def summary(tally: Tally) -> list[str]:
    """Lines of a Markdown table: kills by command and by where they landed."""
    places = [OPEN_FLUSH, COMMIT, OPEN_BATCH, TORN_BATCH, STARTING, IDLE]
    by = collections.Counter((kill.command, kill.landed) for kill in tally.kills)
    commands = sorted({kill.command for kill in tally.kills})
    lines = ["| killed | kills | " + " | ".join(places) + " |", "| --- |" + " ---: |" * (len(places) + 1)]
    for command in commands:
        row = [by[command, place] for place in places]
        lines.append(f"| `{command}` | {sum(row)} | " + " | ".join(str(n) for n in row) + " |")
    total = [sum(by[command, place] for command in commands) for place in places]
    lines.append(f"| all | {len(tally.kills)} | " + " | ".join(str(n) for n in total) + " |")
    return lines


def report(tally: Tally, seed: int) -> str:
    rounds = ", ".join(f"{count} of {kind.replace('_', ' ')}" for kind, count in sorted(tally.rounds.items()))
    return "\n".join(
        [
            "# Chaos report",
            "",
            "Written by `make chaos` (`tests/chaos/chaos.py`): kill -9 of the release binary at random instants, each",
            "followed by a resume. Where a kill landed is read from the files it left: batch headers of the log,",
            "offsets and the write-ahead log of the store, how far an input had been read.",
            "",
            f"- date: {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}, seed {seed}, {tally.seconds:.0f} s",
            f"- rounds: {rounds}; each ended with the oracle's tally, records that add up, and `recount: identical`",
            f"- kills: {len(tally.kills)}; {tally.open_share():.0%} hit an open flush or an unacknowledged batch",
            f"- records counted to the end: {tally.records:,}; lost: 0; counted twice: 0",
            "",
            *summary(tally),
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="kill votestream at random instants and resume it")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=pathlib.Path, help="write a Markdown report here")
    parser.add_argument("--kind", action="append", choices=KINDS, help="only rounds of this kind; repeatable")
    arguments = parser.parse_args()
    with scratch() as directory:
        tally = Chaos(directory, arguments.seed, arguments.kills, tuple(arguments.kind or ())).run()
    publish(report(tally, arguments.seed), arguments.report)
    if tally.open_share() < 0.5:
        sys.exit("fewer than half of the kills hit an open flush or an unacknowledged batch")


if __name__ == "__main__":
    main()
