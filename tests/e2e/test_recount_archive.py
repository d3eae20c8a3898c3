"""The archive is a second record of the count: a recount from it alone agrees, or names what differs; a store is built from it alone."""

from __future__ import annotations

import re
import shutil
import sqlite3

import pytest

from tests.e2e.archiving import archive, archive_url, files, flip_byte, recount_archive
from tests.e2e.harness import Harness, agree
from tests.e2e.test_recount import copy_of, flip
from tests.oracle.count import count_bytes, us_president_2024
from tests.oracle.generate import Stream, ndjson


@pytest.fixture
def counted(vs: Harness) -> dict:
    """Counted and archived; the oracle's answer."""
    data = ndjson(Stream(73).records(20_000), 73)
    vs.ingest(data)
    vs.count()
    archive(vs)
    return count_bytes(us_president_2024(), data)


def test_the_archive_gives_what_the_log_gives(vs: Harness, counted: dict) -> None:
    agree(vs.results(), counted)
    from_log, from_archive = vs.recount(), recount_archive(vs)
    digest = re.compile(r"recount: identical, ledger ([0-9a-f]{64})")
    assert digest.search(from_log.text).group(1) == digest.search(from_archive.text).group(1) == vs.results()["ledger"]["digest"]


def test_without_a_log_or_a_store(vs: Harness, counted: dict) -> None:
    shutil.move(vs.dir / "log", vs.dir / "log-away")
    ledger = vs.results()["ledger"]
    outcome = vs.run("recount", "--archive", archive_url(vs))
    assert str(counted["counted"]) in outcome.text.replace(",", "") and ledger["digest"] in outcome.text
    # The store is lost; the archive alone gives it back, and counting goes on where it stopped once the log is there again.
    for name in ("results.db", "results.db-wal", "results.db-shm"):
        (vs.dir / name).unlink(missing_ok=True)
    recount_archive(vs, "--from-scratch")
    after = vs.results()
    agree(after, counted)
    assert after["ledger"] == ledger
    # What may be published of the demographics is released again.
    _, api = vs.serve()
    assert api.json("/api/demographics")["nation"]
    recount_archive(vs)
    shutil.move(vs.dir / "log-away", vs.dir / "log")
    vs.recount()
    more = ndjson(Stream(74).records(1_000), 74)
    vs.ingest(more, name="more.ndjson")
    vs.count()
    vs.recount()
    recount_archive(vs, status=2).says("archive", "catch up")
    archive(vs)
    recount_archive(vs)


def test_under_last_and_in_many_passes(vs: Harness) -> None:
    data = ndjson(Stream(75).records(30_000), 75)
    vs.ingest(data)
    vs.count("--duplicate", "last")
    archive(vs, "--store", vs.store)
    vs.recount("--memory", "60M")
    recount_archive(vs)


def test_a_flipped_tally_is_named(vs: Harness, counted: dict) -> None:
    flip(copy_of(vs.dir / "results.db", vs.dir / "flipped.db"), "tally", "cells")
    outcome = recount_archive(vs, store=f"sqlite:{vs.dir}/flipped.db", status=1)
    assert re.search(r"cell .*: store -?\d+, recount \d+", outcome.text), outcome.text


def test_a_flipped_byte_of_a_file_is_named(vs: Harness, counted: dict) -> None:
    file = files(vs.dir / "archive")[0]
    flip_byte(file, file.stat().st_size // 2)
    recount_archive(vs, status=2).says(file.name, "BLAKE3")
    flip_byte(file, file.stat().st_size // 2)
    recount_archive(vs)
    file.rename(file.with_suffix(".away"))
    recount_archive(vs, status=2).says(file.name, "missing")


def test_a_flipped_digest_of_the_manifest_breaks_the_chain(vs: Harness, counted: dict) -> None:
    entry = sorted((vs.dir / "archive" / "manifest").iterdir())[0]
    text = entry.read_text()
    entry.write_text(text.replace('"epoch": 1', '"epoch": 2', 1))
    assert entry.read_text() != text
    recount_archive(vs, status=2).says("manifest")


def test_where_log_and_archive_part_the_record_is_named(vs: Harness, counted: dict) -> None:
    """A store whose open leaf was changed: from the log alone the leaf is named, with the archive that no record differs."""
    connection = copy_of(vs.dir / "results.db", vs.dir / "leaf.db")
    assert connection.execute("UPDATE progress SET open_digest = zeroblob(32) WHERE partition = 0").rowcount == 1
    connection.commit()
    connection.close()
    store = f"sqlite:{vs.dir}/leaf.db"
    alone = vs.recount(store=store, status=1)
    assert re.search(r"parts at leaf 0 \(offsets 0\.\.\d+\)", alone.text) and "--archive" in alone.text, alone.text
    both = vs.recount("--archive", archive_url(vs), store=store, status=1)
    assert "it is the store that differs" in both.text, both.text


def test_a_missing_reject_is_the_first_record(vs: Harness, counted: dict) -> None:
    """A list of rejects without its first row: the store then says another record than the log does."""
    connection = copy_of(vs.dir / "results.db", vs.dir / "less.db")
    connection.execute("DELETE FROM rejected WHERE partition = 0")
    connection.execute("UPDATE progress SET open_digest = zeroblob(32) WHERE partition = 0")
    connection.commit()
    connection.close()
    outcome = vs.recount(store=f"sqlite:{vs.dir}/less.db", status=1)
    assert re.search(r"first record: offset \d+: store not rejected, recount rejected as \w+", outcome.text), outcome.text


def test_another_archive_is_refused(vs: Harness, counted: dict) -> None:
    other = f"dir:{vs.dir}/other-log"
    vs.run("ingest", vs.file("other.ndjson", ndjson(Stream(76).records(500), 76)), "--log", other)
    vs.run("archive", "--log", other, "--archive", archive_url(vs, "other"), "--until-end")
    recount_archive(vs, name="other", status=2).says("log")
    vs.refused("recount", "--archive", f"file:{vs.dir}/nowhere", "--store", vs.store, says=("nowhere",))
    vs.refused("recount", "--archive", archive_url(vs), "--from-scratch", says=("--store",))


def test_pseudonyms_give_every_cell_and_no_store(vs: Harness, counted: dict) -> None:
    key = vs.file("key", b"5a" * 32)
    archive(vs, "--voter-ids", "pseudonym", "--pseudonym-key", key, name="private")
    outcome = recount_archive(vs, name="private")
    assert "identical" in outcome.text and "pseudonyms" in outcome.err
    flip(copy_of(vs.dir / "results.db", vs.dir / "flipped.db"), "tally", "cells")
    recount_archive(vs, name="private", store=f"sqlite:{vs.dir}/flipped.db", status=1)
    new = f"sqlite:{vs.dir}/new.db"
    vs.refused("recount", "--archive", archive_url(vs, "private"), "--store", new, "--from-scratch", says=("pseudonyms",))


def test_a_log_made_from_an_archive(vs: Harness) -> None:
    data = ndjson(Stream(77).records(20_000), 77) + b"\xff not utf-8\n" + b'{"id":1,"x":"' + b"y" * 70_000 + b'"}\n'
    vs.ingest(data)
    vs.count()
    before = vs.results()
    archive(vs)
    new_log, new_store = f"dir:{vs.dir}/new-log?partitions=3", f"sqlite:{vs.dir}/new.db"
    vs.refused("ingest", "--archive", archive_url(vs), "--log", new_log, says=("--keep-bytes", "--from-scratch"))
    assert not (vs.dir / "new-log").exists()
    archive(vs, "--keep-bytes", name="whole")
    for _ in range(2):
        # A second time appends nothing.
        vs.run("ingest", "--archive", archive_url(vs, "whole"), "--log", new_log)
    vs.run("count", "--log", new_log, "--store", new_store, "--until-end")
    after = vs.results(store=new_store)
    agree(after, before)


def test_seen_voters_of_a_store_are_checked(vs: Harness, counted: dict) -> None:
    """A store that has forgotten whom it counted would count them again."""
    connection = copy_of(vs.dir / "results.db", vs.dir / "seen.db")
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert "seen" in tables
    swapped = connection.execute("SELECT rowid, ids FROM seen ORDER BY length(ids) LIMIT 2").fetchall()
    assert len(swapped) == 2 and isinstance(connection, sqlite3.Connection)
    connection.execute("UPDATE seen SET ids = ? WHERE rowid = ?", (swapped[0][1], swapped[1][0]))
    connection.commit()
    connection.close()
    outcome = vs.recount(store=f"sqlite:{vs.dir}/seen.db", status=1)
    assert "other voters" in outcome.text, outcome.text


def with_time(number: int, candidate: str) -> bytes:
    """A record whose ledger row is the same whenever it is ingested."""
    return b'{"id":%d,"state":"OH","decision":"%s","gender":"Male","age":40,"time":"2024-11-05T20:00:00Z"}\n' % (number, candidate.encode())


def test_one_flipped_record_of_the_log_is_named(vs: Harness) -> None:
    """Another log under the counted log's identity, one candidate changed: cells, leaf, and with the archive the record."""
    numbers = range(1_000_000, 1_003_000)
    vs.ingest(b"".join(with_time(n, "trump") for n in numbers))
    vs.count()
    archive(vs)
    shutil.move(vs.dir / "log", vs.dir / "log-before")
    vs.ingest(b"".join(with_time(n, "stein" if n == 1_001_234 else "trump") for n in numbers), name="changed.ndjson")
    for path in (vs.dir / "log-before").iterdir():
        if path.is_file() and path.suffix == ".json":
            shutil.copy(path, vs.dir / "log" / path.name)
    outcome = vs.recount(status=1)
    # By what can be told from the age, both cells are named with both numbers.
    assert "cell OH · trump · Male · 30-44: store 3000, recount 2999" in outcome.text, outcome.text
    assert "cell OH · stein · Male · 30-44: store 0, recount 1" in outcome.text
    assert "parts at leaf 0" in outcome.text and "--archive" in outcome.text
    outcome = vs.recount("--archive", archive_url(vs), status=1)
    named = re.search(r"first record: offset \d+: counted here as voter 1001234 in OH for stein.*, archived as voter 1001234 in OH for trump", outcome.text)
    assert named, outcome.text
    # The archive alone still agrees with the store.
    recount_archive(vs)


def test_a_voter_whom_the_store_never_saw_is_named(vs: Harness) -> None:
    numbers = range(1_000_000, 1_003_000)
    vs.ingest(b"".join(with_time(n, "trump") for n in numbers))
    vs.count()
    shutil.move(vs.dir / "log", vs.dir / "log-before")
    # 1,001,234 and the new one lie on one partition, so that all offsets stay.
    for other in range(2_000_000, 2_000_100):
        shutil.rmtree(vs.dir / "log", ignore_errors=True)
        vs.ingest(b"".join(with_time(other if n == 1_001_234 else n, "trump") for n in numbers), name=f"{other}.ndjson")
        for path in (vs.dir / "log-before").iterdir():
            if path.is_file() and path.suffix == ".json":
                shutil.copy(path, vs.dir / "log" / path.name)
        outcome = vs.recount(status=None)
        if outcome.status == 1:
            assert f"a vote of voter {other}, whom the store has never seen" in outcome.text, outcome.text
            return
        assert "truncated" in outcome.err or "history" in outcome.err, outcome.err
    raise AssertionError("no voter of a hundred lies on the same partition")
