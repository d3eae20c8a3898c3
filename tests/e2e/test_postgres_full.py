"""PostgreSQL on a disk that is full: counting pauses with a sentence, goes on by itself once there is room, and nothing is lost."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

import pytest

from tests.e2e.harness import Harness, Process, small_disk, until
from tests.e2e.kafka_votes import check, counted_records, presidential
from tests.e2e.services import Kafka, Server, idles
from tests.oracle.count import us_president_2024


@pytest.fixture
def disk() -> Iterator[pathlib.Path]:
    """A small disk that the server's user may reach."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="votestream-full-"))
    try:
        place.chmod(0o755)
        with small_disk(place / "disk", 112) as path:
            yield path
    finally:
        shutil.rmtree(place, ignore_errors=True)


def fill(disk: pathlib.Path) -> pathlib.Path:
    """Takes what room there is."""
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(65_536)):
            pass
    return ballast


def produce(kafka: Kafka, topic: str, votes: int, seed: int) -> None:
    kafka.produce(topic, ((event.voter.encode(), event.value) for event in presidential(votes, seed)))


def worker(vs: Harness, kafka: Kafka, topic: str, store: str) -> Process:
    """One that has counted what there is."""
    process = vs.start("count", "--log", kafka.url(topic), "--store", store)
    until(lambda: counted_records(vs, store) == 2_000, "the worker to count")
    return process


def test_no_room_for_the_tables(vs: Harness, kafka: Kafka, disk: pathlib.Path) -> None:
    topic = kafka.create(2)
    produce(kafka, topic, 2_000, 1)
    with Server() as server:
        (disk / "tables").mkdir()
        shutil.chown(disk / "tables", "postgres")
        server.query(f"CREATE TABLESPACE small LOCATION '{disk / 'tables'}'")
        database = server.database("full")
        server.query(f"ALTER DATABASE {database.name} SET TABLESPACE small")
        process = worker(vs, kafka, topic, database.url)
        ballast = fill(disk)
        produce(kafka, topic, 60_000, 2)
        until(lambda: "no space is left for the results store" in process.err(), "a word about the disk")
        assert "counting is paused" in process.err() and "free some" in process.err()
        assert idles(process), "it spins while there is no room"
        # What was shown is still shown.
        assert 2_000 <= counted_records(vs, database.url) < 62_000
        ballast.unlink()
        until(lambda: counted_records(vs, database.url) == 62_000, "counting to go on")
        assert process.stop().status == 0
        check(vs, kafka, topic, database.url, us_president_2024())


def test_no_room_for_the_server_itself(vs: Harness, kafka: Kafka, disk: pathlib.Path) -> None:
    """Where its write-ahead log has no room PostgreSQL ends itself; it is started again when there is some."""
    topic = kafka.create(2)
    produce(kafka, topic, 2_000, 3)
    (disk / "server").mkdir()
    with Server(disk / "server", {"max_wal_size": "4MB", "min_wal_size": "2MB", "shared_buffers": "1MB"}) as server:
        database = server.database("full")
        process = worker(vs, kafka, topic, database.url)
        ballast = fill(disk)
        produce(kafka, topic, 60_000, 4)
        until(lambda: "counting is paused" in process.err(), "a word about the store")
        assert any(words in process.err() for words in ("no space is left", "cannot be reached now")), process.err()
        assert database.name in process.err()
        assert idles(process), "it spins while the server has no room"
        ballast.unlink()
        if not server.running():
            server.start()
        until(lambda: counted_records(vs, database.url) == 62_000, "counting to go on", 90.0)
        assert process.stop().status == 0
        check(vs, kafka, topic, database.url, us_president_2024())
