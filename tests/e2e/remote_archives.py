"""Archives on real servers: votes to archive, archivers at work, and waiting until the archive holds them or the archiver says something.

What is in an archive is read by archived.py, from a copy on this machine's disk.
"""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
from collections.abc import Callable

from tests.e2e import archived
from tests.e2e.harness import Harness, Process, until
from tests.e2e.object_stores import S3, Hdfs
from tests.oracle.count import count_bytes, us_president_2024

# Little memory and so many small files, which are put together again and again.
SMALL = ("--memory", "256KiB", "--roll-size", "64KiB", "--roll-age", "1s")


@dataclasses.dataclass
class Place:
    """Where an archive is: its URL, what a program needs in its environment to reach it, and a way to copy it to this disk."""

    url: str
    env: dict[str, str]
    fetch: Callable[[pathlib.Path], pathlib.Path]
    files: Callable[[], dict[str, int]]


def on_hdfs(hdfs: Hdfs, path: str) -> Place:
    return Place(hdfs.url(path), {}, lambda to: hdfs.fetch(path, to), lambda: hdfs.files(path))


def on_s3(s3: S3, bucket: str, prefix: str = "votes") -> Place:
    place = f"{bucket}/{prefix}"
    return Place(f"s3://{place}", s3.env, lambda to: s3.fetch(place, to), lambda: s3.files(place))


class Votes:
    """Simulated votes with faults, ingested into the harness's log in as many parts as a test likes."""

    def __init__(self, vs: Harness, votes: int = 20_000, seed: int = 1) -> None:
        self.vs = vs
        faults = "duplicates=0.02,invalid=0.01,changed=0.02"
        self.lines = vs.run("simulate", "--votes", votes, "--seed", seed, "--order", "shuffled", "--faults", faults).out.splitlines(keepends=True)
        self.ingested = 0

    def ingest(self, share: float = 1.0, parts: int = 1) -> int:
        """The next share of all lines, into the log; how many are there now. In so many parts: an archiver takes several batches a turn, and
        with little memory makes a file of each turn."""
        first, end = self.ingested, min(len(self.lines), self.ingested + round(len(self.lines) * share))
        for part in range(1, parts + 1):
            to = first + (end - first) * part // parts
            self.vs.ingest(b"".join(self.lines[self.ingested : to]), "--format", "ndjson", name=f"votes-{self.ingested}.ndjson")
            self.ingested = to
        return end

    def oracle(self) -> dict:
        return count_bytes(us_president_2024(), b"".join(self.lines[: self.ingested]))


def archive(vs: Harness, place: Place, *flags: object, **options: object):
    """`archive` to the log's end."""
    env = place.env | options.pop("env", {})
    return vs.run("archive", "--log", vs.log, "--archive", place.url, "--until-end", *SMALL, *flags, env=env, **options)


def archiver(vs: Harness, place: Place, *flags: object, env: dict[str, str] | None = None) -> Process:
    """`archive` that goes on."""
    return vs.start("archive", "--log", vs.log, "--archive", place.url, *SMALL, *flags, env=place.env | (env or {}))


# --- waiting and checking --------------------------------------------------------------------------------------------------------


def archived_records(place: Place, directory: pathlib.Path) -> int:
    """How many records the manifest's files hold; 0 before there is one."""
    copy = directory / "look"
    shutil.rmtree(copy, ignore_errors=True)
    try:
        place.fetch(copy)
        return sum(file["rows"] for file in archived.files(copy))
    except (AssertionError, OSError):
        # Nothing is there yet, or something was added or deleted while it was copied.
        return 0


def until_archived(vs: Harness, place: Place, process: Process, records: int, seconds: float = 90) -> None:
    """A running archiver has archived so many."""

    def there() -> bool:
        assert process.running(), f"the archiver ended:\n{process.err()}"
        return archived_records(place, vs.dir) >= records

    until(there, f"{records} records in {place.url}", seconds, step=0.1)


def until_says(process: Process, *words: str, seconds: float = 60) -> None:
    """A running archiver has said all these words, in any case of letters."""

    def said() -> bool:
        assert process.running(), f"the archiver ended:\n{process.err()}"
        text = process.err().lower()
        return all(word.lower() in text for word in words)

    try:
        until(said, f"the archiver to say {words}", seconds)
    except AssertionError as late:
        raise AssertionError(f"{late}; it says:\n{process.err()}") from None


def check(vs: Harness, place: Place, votes: Votes) -> pathlib.Path:
    """The archive holds what was ingested, each record once, and counts to the oracle's answer."""
    copy = vs.dir / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    place.fetch(copy)
    archived.agrees(copy, votes.oracle())
    return copy
