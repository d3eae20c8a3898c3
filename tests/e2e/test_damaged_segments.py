"""A torn tail is cut; damage below it is refused by file and position; what was counted stays counted."""

from __future__ import annotations

import pathlib
import shutil

import pytest

from tests.e2e.harness import Harness, agree
from tests.oracle.count import count_bytes, us_president_2024
from tests.oracle.generate import Stream, ndjson

DATA = ndjson(Stream(81).records(20_000), 81)
MORE = ndjson(Stream(82).records(2_000), 82)


def segments(vs: Harness) -> list[pathlib.Path]:
    """The newest segment of each partition."""
    return [max(partition.glob("*.log")) for partition in sorted((vs.dir / "log").iterdir()) if partition.is_dir()]


def whole(vs: Harness) -> dict:
    return count_bytes(us_president_2024(), DATA)


@pytest.mark.parametrize("tail", ["zeros", "noise", "half a batch", "one byte"])
def test_a_torn_tail_is_cut(vs: Harness, tail: str) -> None:
    vs.ingest(DATA)
    for path in segments(vs):
        data = path.read_bytes()
        torn = {"zeros": bytes(5_000), "noise": b"\x9d\x07\xf3" * 700, "half a batch": data[: len(data) // 3], "one byte": b"\x00"}[tail]
        path.write_bytes(data + torn)
    vs.count()
    agree(vs.results(), whole(vs))
    vs.ingest(MORE, name="more.ndjson")
    vs.count()
    agree(vs.results(), count_bytes(us_president_2024(), DATA + b"\n" + MORE))
    vs.recount()


@pytest.mark.parametrize("byte", [0.1, 0.5, 0.9])
def test_a_flipped_byte_is_refused_by_file_and_position(vs: Harness, byte: float) -> None:
    for part in range(6):
        vs.ingest(ndjson(Stream(83 + part).records(5_000), plain=True), name=f"{part}.ndjson")
    vs.count()
    before = vs.results()
    path = max(segments(vs), key=lambda p: p.stat().st_size)
    data = bytearray(path.read_bytes())
    data[int(len(data) * byte)] ^= 0x10
    path.write_bytes(data)
    vs.refused("recount", "--log", vs.log, "--store", vs.store, says=(path.name,))
    vs.refused("count", "--log", vs.log, "--store", f"sqlite:{vs.dir}/again.db", "--until-end", says=(path.name,))
    assert vs.results() == before


def test_a_log_cut_below_what_is_counted(vs: Harness) -> None:
    vs.ingest(DATA)
    vs.count()
    before = vs.results()
    for path in segments(vs):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    vs.refused("count", "--log", vs.log, "--store", vs.store, "--until-end", says=("--from-scratch",))
    assert vs.results() == before


def test_a_log_replaced_by_another(vs: Harness) -> None:
    vs.ingest(DATA)
    vs.count()
    before = vs.results()
    shutil.rmtree(vs.dir / "log")
    vs.ingest(DATA, name="again.ndjson")
    vs.refused("count", "--log", vs.log, "--store", vs.store, "--until-end", says=("log",))
    assert vs.results() == before


def test_a_partition_that_is_gone(vs: Harness) -> None:
    vs.ingest(DATA)
    vs.count()
    before = vs.results()
    shutil.rmtree(segments(vs)[0].parent)
    vs.refused("count", "--log", vs.log, "--store", vs.store, "--until-end", says=("log",))
    assert vs.results() == before
