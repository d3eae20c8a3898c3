"""recount: 0 identical; 1 different, and where; 2 could not run. A recount never changes the store, --from-scratch does."""

from __future__ import annotations

import pathlib
import re
import shutil
import sqlite3

import pytest

from tests.e2e.harness import Harness, agree
from tests.oracle.count import count_bytes, us_president_2024
from tests.oracle.generate import Stream, ndjson


@pytest.fixture
def counted(vs: Harness) -> dict:
    data = ndjson(Stream(71).records(20_000), 71)
    vs.ingest(data)
    vs.count()
    return count_bytes(us_president_2024(), data)


def copy_of(store: pathlib.Path, to: pathlib.Path) -> sqlite3.Connection:
    """A whole copy of a SQLite store, what is still in its write-ahead log included."""
    source, target = sqlite3.connect(f"file:{store}?mode=ro", uri=True), sqlite3.connect(to)
    source.backup(target)
    source.close()
    return target


def flip(connection: sqlite3.Connection, table: str, column: str, at: int = 0) -> None:
    """Flips the lowest bit of one byte of the longest blob of a column."""
    (value,) = connection.execute(f"SELECT {column} FROM {table} ORDER BY length({column}) DESC LIMIT 1").fetchone()
    flipped = value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]
    changed = connection.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (flipped, value)).rowcount
    assert changed == 1
    connection.commit()
    connection.close()


def test_identical(vs: Harness, counted: dict) -> None:
    outcome = vs.recount()
    assert re.search(r"recount: identical, ledger [0-9a-f]{8,64}", outcome.text), outcome.text
    digest = vs.results()["ledger"]["digest"]
    assert re.search(r"ledger ([0-9a-f]+)", outcome.text).group(1) == digest[: len(re.search(r"ledger ([0-9a-f]+)", outcome.text).group(1))]


def test_one_flipped_tally_is_named(vs: Harness, counted: dict) -> None:
    flip(copy_of(vs.dir / "results.db", vs.dir / "flipped.db"), "tally", "cells")
    outcome = vs.recount(store=f"sqlite:{vs.dir}/flipped.db", status=1)
    said = outcome.text + outcome.err
    assert "identical" not in outcome.text
    candidates = [c["name"] for c in counted["candidates"]] + [c["id"] for c in counted["candidates"]]
    regions = [r["code"] for r in counted["regions"]] + [r["name"] for r in counted["regions"]]
    assert any(re.search(rf"\b{re.escape(name)}\b", said) for name in candidates), said
    assert any(re.search(rf"\b{re.escape(name)}\b", said) for name in regions), said
    agree(vs.results(), counted)


def test_a_missing_reject_is_a_difference(vs: Harness, counted: dict) -> None:
    connection = copy_of(vs.dir / "results.db", vs.dir / "less.db")
    connection.execute("DELETE FROM rejected WHERE rowid = (SELECT min(rowid) FROM rejected)")
    connection.commit()
    connection.close()
    vs.recount(store=f"sqlite:{vs.dir}/less.db", status=1)


def test_a_changed_digest_is_a_difference(vs: Harness) -> None:
    vs.run("simulate", "--votes", 300_000, "--to", vs.log)
    vs.count()
    vs.recount()
    flip(copy_of(vs.dir / "results.db", vs.dir / "leaf.db"), "leaf", "digest", 7)
    outcome = vs.recount(store=f"sqlite:{vs.dir}/leaf.db", status=1)
    assert "leaf" in (outcome.text + outcome.err).lower()


def test_a_log_with_one_vote_changed_is_a_difference_or_refused(vs: Harness, counted: dict) -> None:
    """Another log of as many records: not the one that was counted."""
    shutil.move(vs.dir / "log", vs.dir / "log-before")
    vs.ingest(ndjson(Stream(72).records(20_000), 72), name="other.ndjson")
    outcome = vs.recount(status=2)
    outcome.says("log")


def test_it_writes_nothing(vs: Harness, counted: dict) -> None:
    before = vs.results()
    vs.recount()
    vs.recount()
    after = vs.results()
    assert (after["sequence"], after["as_of"]) == (before["sequence"], before["as_of"])


def test_without_a_store_it_says_what_the_log_holds(vs: Harness, counted: dict) -> None:
    outcome = vs.run("recount", "--log", vs.log)
    digits = outcome.text.replace(",", "")
    assert str(counted["counted"]) in digits and vs.results()["ledger"]["digest"][:8] in outcome.text


def test_from_scratch_counts_again(vs: Harness, counted: dict) -> None:
    before = vs.results()
    vs.recount("--from-scratch")
    after = vs.results()
    agree(after, counted)
    assert after["ledger"] == before["ledger"]
    vs.recount()
    vs.count()
    agree(vs.results(), counted)


def test_partitions_without_a_record(vs: Harness) -> None:
    vs.ingest(b'{"id":1,"state":"OH","decision":"stein"}\n')
    vs.count()
    vs.recount()


def test_what_cannot_run_is_2(vs: Harness, counted: dict) -> None:
    vs.refused("recount", "--log", f"dir:{vs.dir}/nowhere", "--store", vs.store, says=("nowhere",))
    vs.refused("recount", "--log", vs.log, "--store", f"sqlite:{vs.dir}/nowhere.db", says=("nowhere.db",))
    assert not (vs.dir / "nowhere").exists() and not (vs.dir / "nowhere.db").exists()
    vs.refused("recount", "--store", vs.store, says=("--log",))
