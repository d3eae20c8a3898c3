"""What a chaos run on real servers has done: faults, where they landed, how long recovery took; and the report of it."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import json
import pathlib

COMMIT, TRANSACTION, OPEN_FLUSH, IDLE, STARTING = "inside a commit", "inside a transaction", "open flush", "nothing open", "starting"
PLACES = (COMMIT, TRANSACTION, OPEN_FLUSH, STARTING, IDLE)
OPEN_WORK = (COMMIT, TRANSACTION, OPEN_FLUSH)


@dataclasses.dataclass
class Fault:
    """One fault: its kind, where it landed, and how long after its end what was then in the log was counted."""

    kind: str
    landed: str
    recovery_seconds: float | None = None
    # The last statement of the session that it landed in.
    statement: str | None = None


@dataclasses.dataclass
class Tally:
    """What a run has done so far."""

    faults: list[Fault] = dataclasses.field(default_factory=list)
    rounds: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    records: int = 0
    seconds: float = 0.0
    seeds: list[int] = dataclasses.field(default_factory=list)

    @classmethod
    def load(cls, path: pathlib.Path) -> "Tally":
        """What an earlier run has written, so that a long one can be made in parts; nothing where there is none."""
        if not path.exists():
            return cls()
        said = json.loads(path.read_text())
        return cls(**said | {"faults": [Fault(**fault) for fault in said["faults"]], "rounds": collections.Counter(said["rounds"])})

    def save(self, path: pathlib.Path) -> None:
        faults = [dataclasses.asdict(fault) for fault in self.faults]
        path.write_text(json.dumps(vars(self) | {"faults": faults, "rounds": dict(self.rounds)}))

    def open_share(self) -> float:
        return sum(fault.landed in OPEN_WORK for fault in self.faults) / max(1, len(self.faults))

    def longest_recovery(self) -> float:
        return max((fault.recovery_seconds or 0.0 for fault in self.faults), default=0.0)


def summary(tally: Tally) -> list[str]:
    """Lines of a Markdown table: faults by kind, where they landed, and the longest recovery."""
    lines = ["| fault | struck | " + " | ".join(PLACES) + " | longest recovery |", "| --- |" + " ---: |" * (len(PLACES) + 2)]
    by = collections.Counter((fault.kind, fault.landed) for fault in tally.faults)
    for kind in sorted({fault.kind for fault in tally.faults}):
        row = [by[kind, place] for place in PLACES]
        longest = max((fault.recovery_seconds or 0.0 for fault in tally.faults if fault.kind == kind), default=0.0)
        lines.append(f"| {kind} | {sum(row)} | " + " | ".join(map(str, row)) + f" | {longest:.1f} s |")
    totals = [sum(fault.landed == place for fault in tally.faults) for place in PLACES]
    lines.append(f"| all | {len(tally.faults)} | " + " | ".join(map(str, totals)) + f" | {tally.longest_recovery():.1f} s |")
    return lines


def statements(tally: Tally) -> list[str]:
    """Lines of a Markdown table: after which statement of a transaction faults landed."""
    by = collections.Counter(fault.statement for fault in tally.faults if fault.statement)
    return ["| last statement of the transaction | faults |", "| --- | ---: |", *(f"| `{text}` | {count} |" for text, count in by.most_common())]


def report(tally: Tally) -> str:
    rounds = ", ".join(f"{count} {kind}" for kind, count in sorted(tally.rounds.items()))
    return "\n".join(
        [
            "# Chaos report: Kafka and PostgreSQL",
            "",
            "Written by `make chaos` (`tests/chaos/kafka_chaos.py`): three workers share a topic into PostgreSQL while a producer writes on and",
            "faults strike at random instants. Where one landed is what PostgreSQL said of the workers' sessions at that instant (a worker that is",
            "killed is stopped first and looked at), and for routing whether Kafka held records of an open transaction.",
            "",
            f"- date: {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}, {'seed' if len(tally.seeds) == 1 else 'seeds'} {', '.join(map(str, tally.seeds))}, {tally.seconds:,.0f} s",
            f"- rounds: {rounds}; each ended with the oracle's tally, records that add up, and `recount: identical`",
            f"- faults: {len(tally.faults)}; {tally.open_share():.0%} hit a transaction, a commit or an open flush",
            f"- votes counted to the end: {tally.records:,}; lost: 0; counted twice: 0",
            f"- longest recovery, from the fault's end until all that was in the topic at its beginning is counted: {tally.longest_recovery():.1f} s",
            "",
            *summary(tally),
            "",
            *statements(tally),
            "",
        ]
    )
