"""The oracle's hostile stream through every way in and every framing: same records, same answer."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest

from tests.e2e.harness import Harness, agree
from tests.oracle.count import Count, Election, count_bytes, us_president_2024
from tests.oracle.generate import Stream, array, csv_rows, json_records, ndjson, sse, zstd

RECORDS = 6_000


def answer(election: Election, records: list[bytes]) -> dict:
    count = Count(election)
    for record in records:
        count.add(record)
    return count.results()


@pytest.mark.parametrize("mapping", ["presidential", "votestream"])
@pytest.mark.parametrize("policy", ["first", "last"])
def test_lines(vs: Harness, policy: str, mapping: str) -> None:
    election = us_president_2024(duplicate=policy, mapping=mapping)
    data = ndjson(Stream(21, election, large=0.002).records(20_000), 21)
    vs.ingest(data, "--mapping", mapping)
    vs.count("--duplicate", policy, "--mapping", mapping)
    oracle = count_bytes(election, data)
    agree(vs.results(), oracle)
    vs.recount()


FRAMES: dict[str, Callable[[list[bytes]], bytes]] = {
    "ndjson": lambda records: ndjson(records, 22),
    "ndjson-gzip": lambda records: gzip.compress(ndjson(records, 22)),
    "ndjson-gzip-members": lambda records: b"".join(
        gzip.compress(ndjson(records[at : at + 1000], plain=True)) for at in range(0, len(records), 1000)
    ),
    "ndjson-zstd": lambda records: zstd(ndjson(records, 22)),
    "array": lambda records: array(records, 22),
    "array-gzip": lambda records: gzip.compress(array(records, 22)),
    "sse": lambda records: sse(records, 22),
    "sse-gzip": lambda records: gzip.compress(sse(records, 22)),
}


@pytest.mark.parametrize("way", ["file", "stdin"])
@pytest.mark.parametrize("frame", FRAMES)
def test_framing(vs: Harness, frame: str, way: str) -> None:
    records = Stream(22).records(RECORDS)
    if frame.startswith("array"):
        records = json_records(records)
    data = FRAMES[frame](records)
    if way == "file":
        vs.ingest(data, name="votes")
    else:
        vs.run("ingest", "-", "--log", vs.log, stdin=data)
    vs.count()
    agree(vs.results(), answer(us_president_2024(), records))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("seed", [31, 32, 33])
def test_csv(vs: Harness, seed: int, compressed: bool) -> None:
    data, records = csv_rows(seed, 2_000)
    vs.ingest(gzip.compress(data) if compressed else data, name="votes.csv")
    vs.count()
    agree(vs.results(), answer(us_president_2024(), records))


def test_csv_cells_with_line_breaks(vs: Harness) -> None:
    """A quoted cell may hold line breaks: the row is one record all the same."""
    data = (
        b'id,state,note,decision\r\n1,OH,"two\r\nlines",stein\r\n2,OH,"three\n\n""lines""",stein\r\n'
        b'3,OH,one,stein\r\n"4",OH,"",harris\r\n'
    )
    vs.ingest(data, name="votes.csv")
    vs.count()
    results = vs.results()
    assert (results["records"], results["counted"]) == (4, 4)


def test_several_files_are_one_stream(vs: Harness) -> None:
    records = Stream(23).records(RECORDS)
    parts = [records[at : at + 2_000] for at in range(0, RECORDS, 2_000)]
    files = [
        vs.file("a.ndjson", ndjson(parts[0], 1)),
        vs.file("b.gz", gzip.compress(ndjson(parts[1], 2))),
        vs.file("c.sse", sse(parts[2], 3)),
    ]
    vs.run("ingest", *files, "--log", vs.log)
    vs.count()
    agree(vs.results(), answer(us_president_2024(), records))


def test_format_forced(vs: Harness) -> None:
    """A first line that looks like another framing, and the flag that settles it."""
    records = [b"[1,2", *Stream(24).records(100)]
    vs.ingest(ndjson(records, plain=True), "--format", "ndjson")
    vs.count()
    agree(vs.results(), answer(us_president_2024(), records))


def test_an_empty_input_is_no_error(vs: Harness) -> None:
    for number, data in enumerate([b"", b"\n\n \r\n", b"[]", b" [ ] "]):
        vs.ingest(data, name=f"empty-{number}")
    vs.count()
    assert vs.results()["records"] == 0
    assert vs.results()["status"] == "waiting"


def test_strict_changes_only_the_exit_status(vs: Harness) -> None:
    records = Stream(25).records(500)
    rejects = vs.dir / "rejects.txt"
    vs.ingest(ndjson(records, 25), "--strict", "--rejects", rejects, status=1)
    vs.count()
    oracle = answer(us_president_2024(), records)
    agree(vs.results(), oracle)
    listed = rejects.read_text(errors="replace")
    for reason in oracle["rejects"]:
        assert reason in listed
    assert vs.run("ingest", vs.file("good.ndjson", records[0] + b"\n"), "--log", vs.log, "--strict").status == 0


def test_other_partitions_and_codecs(vs: Harness) -> None:
    data = ndjson(Stream(26).records(RECORDS), 26)
    file = vs.file("votes.ndjson", data)
    oracle = count_bytes(us_president_2024(), data)
    for number, options in enumerate(["partitions=1", "partitions=7&codec=lz4", "codec=zstd&partitions=2"]):
        log, store = f"dir:{vs.dir}/log-{number}?{options}", f"sqlite:{vs.dir}/results-{number}.db"
        vs.run("ingest", file, "--log", log)
        vs.run("count", "--log", log, "--store", store, "--until-end")
        agree(vs.results(store=store), oracle)
