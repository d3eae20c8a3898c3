"""Lines and values of a gigabyte, deep nesting, garbage: counted as rejected, in bounded memory."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import threading
from collections.abc import Iterable

import pytest

from tests.e2e.harness import Harness, Process, agree, until
from tests.oracle.count import Count, count_bytes, us_president_2024

HUGE_BYTES = 1_500_000_000
MEMORY_BYTES_MAX = 256 * 1024 * 1024
VOTE = b'{"id":%d,"state":"OH","decision":"stein"}'
BLOCK = b"x" * (1 << 20)


def feed(process: Process, blocks: Iterable[bytes]) -> None:
    with process.stdin as pipe:
        for block in blocks:
            pipe.write(block)


def huge(head: bytes, tail: bytes) -> Iterable[bytes]:
    yield head
    for _ in range(HUGE_BYTES // len(BLOCK)):
        yield BLOCK
    yield tail


@pytest.mark.parametrize(
    ("frame", "head", "tail"),
    [
        ("a line", VOTE % 1 + b"\n", b"\n" + VOTE % 2 + b"\n"),
        ("a line that never ends", VOTE % 1 + b"\n" + VOTE % 2 + b"\n", b""),
        ("a line within JSON", VOTE % 1 + b'\n{"id":3,"note":"', b'"}\n' + VOTE % 2 + b"\n"),
        ("an element of an array", b"[" + VOTE % 1 + b',{"id":3,"note":"', b'"},' + VOTE % 2 + b"]"),
        ("an event", b"data: " + VOTE % 1 + b"\n\ndata: ", b"\n\ndata: " + VOTE % 2 + b"\n\n"),
        ("a cell of CSV", b"id,state,decision,note\n1,OH,stein,a\n3,OH,stein,", b"\n2,OH,stein,b\n"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_one_gigabyte_and_a_half(vs: Harness, frame: str, head: bytes, tail: bytes) -> None:
    process = vs.start("ingest", "-", "--log", vs.log, stdin=subprocess.PIPE)
    thread = threading.Thread(target=feed, args=(process, huge(head, tail)))
    peak = 0
    thread.start()
    while thread.is_alive():
        thread.join(0.02)
        if process.running():
            peak = max(peak, process.peak_bytes())
    assert process.wait().status == 0
    assert 0 < peak < MEMORY_BYTES_MAX, f"{peak / 1e6:.0f} MB"
    vs.count()
    results = vs.results()
    assert (results["records"], results["counted"], results["rejected"]) == (3, 2, 1)
    log_bytes = sum(p.stat().st_size for p in (vs.dir / "log").rglob("*.log"))
    assert log_bytes < 64 * 1024 * 1024, "a line over the limit is a stub"


def test_a_small_gzip_that_is_huge(vs: Harness) -> None:
    member = gzip.compress(b"x" * 64_000_000, 9)
    data = gzip.compress(VOTE % 1 + b"\n") + member * 20 + gzip.compress(b"\n" + VOTE % 2 + b"\n")
    process = vs.start("ingest", vs.file("bomb.gz", data), "--log", vs.log)
    peak = 0

    def ended() -> bool:
        nonlocal peak
        if process.running():
            try:
                peak = max(peak, process.peak_bytes())
            except (AssertionError, FileNotFoundError):
                pass
        return not process.running()

    until(ended, "the end of ingest")
    assert process.wait().status == 0
    assert peak < MEMORY_BYTES_MAX
    vs.count()
    results = vs.results()
    assert (results["records"], results["counted"], results["rejected"]) == (3, 2, 1)


def test_deep_nesting(vs: Harness) -> None:
    """Nested as deep as a record can be. What is nested stands in a field that is ignored: a vote is a vote."""
    depths = [10, 100, 127, 128, 129, 200, 1_000, 10_000, 32_000]
    records = [b"[" * 65_000, b"{" * 65_000, b'{"a":' * 13_000, b"[{" * 32_000]
    for number, depth in enumerate(depths):
        records.append(b'{"id":%d,"state":"OH","decision":"stein","x":%s%s}' % (number, b"[" * depth, b"]" * depth))
        records.append(b'{"id":%d,"x":%s1%s,"state":"OH","decision":"stein"}' % (100 + number, b'{"y":' * (depth // 4), b"}" * (depth // 4)))
        records.append(b'{"id":%s%s,"state":"OH","decision":"stein"}' % (b"[" * depth, b"]" * depth))
    data = VOTE % 7_777 + b"\n" + b"\n".join(records)
    vs.ingest(data)
    vs.count()
    agree(vs.results(), count_bytes(us_president_2024(), data))
    vs.recount()


def test_garbage(vs: Harness) -> None:
    """Noise of all bytes, cut at its line feeds as every input is."""
    noise = random.Random(5).randbytes(3_000_000)
    data = VOTE % 1 + b"\n" + noise + b"\n" + VOTE % 2
    vs.ingest(data)
    vs.count()
    oracle = count_bytes(us_president_2024(), data)
    assert oracle["counted"] == 2 and oracle["rejects"]["malformed"] > 10_000
    agree(vs.results(), oracle)


@pytest.mark.parametrize("seed", range(4))
def test_files_of_noise_do_no_harm(vs: Harness, seed: int) -> None:
    """Whatever the first bytes make of it: it is rejected or refused, and a vote after it counts."""
    noise = random.Random(seed).randbytes(300_000)
    for number, head in enumerate([b"", b"\x1f\x8b", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"[", b"data:", b"id,state\n", b"\xef\xbb\xbf", b"\xff\xfe"]):
        vs.ingest(head + noise, name=f"noise-{number}", status=None)
    vs.ingest(VOTE % 1 + b"\n")
    vs.count()
    results = vs.results()
    assert results["counted"] == 1 and results["rejected"] == results["records"] - 1


def test_compressed_files_that_break_off(vs: Harness) -> None:
    lines = b"\n".join(VOTE % n for n in range(1, 5_001)) + b"\n"
    whole = gzip.compress(lines)
    for data in (whole[: len(whole) // 2], whole[:-4], whole[:11], whole[:-8] + bytes(8)):
        vs.refused("ingest", vs.file("broken.gz", data), "--log", vs.log, says=("broken.gz",))
    vs.run("ingest", vs.file("whole.gz", whole), "--log", vs.log)
    vs.count()
    assert vs.results()["counted"] == 5_000


def test_an_array_that_breaks_off(vs: Harness) -> None:
    elements = [json.loads(VOTE % n) for n in range(1, 1_001)]
    text = json.dumps(elements).encode()
    outcome = vs.ingest(text[: len(text) // 2], name="half.json", status=None)
    vs.count()
    results = vs.results()
    assert results["counted"] >= 490, outcome.err
    assert results["rejected"] <= 1


def test_a_mark_at_the_start_of_a_file(vs: Harness) -> None:
    """A byte order mark is no part of JSON: the first line is rejected, or the mark is taken off; never more."""
    count = Count(us_president_2024())
    for n in range(1, 101):
        count.add(VOTE % n)
    vs.ingest(b"\xef\xbb\xbf" + b"\n".join(VOTE % n for n in range(1, 101)))
    vs.count()
    results = vs.results()
    assert results["records"] == 100 and results["counted"] in (99, 100)


def test_stdin_closed(vs: Harness) -> None:
    with open(os.devnull, "rb") as nothing:
        process = vs.start("ingest", "-", "--log", vs.log, stdin=nothing)
        assert process.wait().status == 0
