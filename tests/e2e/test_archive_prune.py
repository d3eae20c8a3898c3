"""archive prune: rows go, what they came to stays, and a recount says which is which."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from tests.e2e import archived
from tests.e2e.archiving import archive, archive_url, flip_byte, recount_archive
from tests.e2e.harness import Harness, until
from tests.e2e.test_recount import copy_of, flip

# Little memory, and so several files a leaf, which are not small enough to be put together.
SMALL = ("--memory", "4MiB", "--roll-size", "300KiB")


def simulated(votes: int, seed: int = 5) -> tuple[object, ...]:
    """The command that generates votes, with duplicates all over them."""
    return ("simulate", "--votes", votes, "--seed", seed, "--order", "shuffled", "--faults", "duplicates=0.1,invalid=0.01,changed=0.02")


def simulate(vs: Harness, votes: int = 220_000, seed: int = 5) -> None:
    """A log of two partitions, each of one whole leaf and more."""
    vs.run(*simulated(votes, seed), "--to", f"{vs.log}?partitions=2")


def prune(vs: Harness, *flags: object, name: str = "archive", **options):
    return vs.run("archive", "prune", "--archive", archive_url(vs, name), *flags, **options)


@pytest.fixture(scope="module")
def _night(tmp_path_factory: pytest.TempPathFactory):
    with Harness(tmp_path_factory.mktemp("prune")) as vs:
        simulate(vs)
        vs.count()
        archive(vs, *SMALL)
        yield vs


@pytest.fixture
def night(_night: Harness, vs: Harness) -> Harness:
    """Counted and archived, in a harness of the test's own."""
    for name in ("log", "archive"):
        shutil.copytree(_night.dir / name, vs.dir / name)
    copy_of(_night.dir / "results.db", vs.dir / "results.db").close()
    return vs


def carried_records(text: str) -> int:
    found = re.search(r"([0-9,]+) records carried, not recounted", text)
    return int(found.group(1).replace(",", "")) if found else 0


def by_region(results: dict) -> dict:
    return {(r["code"], candidate): n for r in results["regions"] for candidate, n in r["votes"].items() if n}


def test_what_is_left_and_what_is_carried_come_to_the_same(night: Harness) -> None:
    vs, directory = night, night.dir / "archive"
    before, ledger = vs.results(), archived.leaves_of_store(night.dir / "results.db")
    assert "65,536 records pruned up to offset 65536" in prune(vs, "--before", "70000", "--store", vs.store, "--grace", "0s").text
    assert all(file["to"] > 65_536 for file in archived.files(directory)) and not archived.unnamed(directory)
    assert [(c["partition"], leaf["number"], leaf["digest"]) for c in archived.carried(directory) for leaf in c["leaves"]] == ledger
    # By SQL over the rows, the manifest's sums and the files of voters.
    mine = archived.carried_tally(directory)
    assert (mine["records"], mine["counted"], mine["votes"]) == (before["records"], before["counted"], by_region(before))
    outcome = recount_archive(vs)
    assert "identical" in outcome.text and carried_records(outcome.text) == 2 * 65_536
    assert before["ledger"]["digest"] in outcome.text
    alone = vs.run("recount", "--archive", archive_url(vs))
    assert str(before["counted"]) in alone.text.replace(",", "") and carried_records(alone.text) == 2 * 65_536
    # Later records of the same voters are duplicates still; archiving and counting go on.
    vs.ingest(vs.run(*simulated(220_000)).out, name="again.ndjson")
    vs.count()
    archive(vs, *SMALL)
    assert vs.results()["counted"] == before["counted"]
    assert "identical" in recount_archive(vs).text
    # And what has come since can be pruned, too.
    text = prune(vs, "--before", "2099-01-01T00:00:00Z", "--grace", "0s").text
    assert "up to offset 196608" in text, text
    assert carried_records(recount_archive(vs).text) == 2 * 196_608
    assert archived.carried_tally(directory)["votes"] == by_region(vs.results())


def test_no_choice_of_a_voter_is_left(night: Harness) -> None:
    directory = night.dir / "archive"
    prune(night, "--before", "0:70000", "--grace", "0s")
    (entry,) = archived.carried(directory)
    rows = archived.duckdb.sql(f"SELECT * FROM read_parquet('{directory / entry['voters']['name']}')")
    assert rows.columns == ["voter_id", "voter_key"]
    ids = [voter for voter, _ in rows.fetchall()]
    assert len(ids) == entry["voters"]["voters"] and ids == sorted(ids), "their order tells when they voted"
    assert {file["partition"] for file in archived.files(directory)} == {0, 1}


def test_a_difference_in_what_is_carried_is_found(night: Harness) -> None:
    vs = night
    prune(vs, "--before", "70000")
    flip(copy_of(vs.dir / "results.db", vs.dir / "flipped.db"), "tally", "cells")
    outcome = recount_archive(vs, store=f"sqlite:{vs.dir}/flipped.db", status=1)
    assert re.search(r"cell .*: store -?\d+, recount \d+", outcome.text) and carried_records(outcome.text), outcome.text
    connection = copy_of(vs.dir / "results.db", vs.dir / "leaf.db")
    assert connection.execute("UPDATE leaf SET digest = zeroblob(32) WHERE partition = 0 AND number = 0").rowcount == 1
    connection.commit()
    connection.close()
    outcome = recount_archive(vs, store=f"sqlite:{vs.dir}/leaf.db", status=1)
    assert "parts at leaf 0" in outcome.text and "carried, not recounted: the records of that leaf were pruned" in outcome.text


def test_a_leaf_that_the_store_has_otherwise_stays(night: Harness) -> None:
    connection = copy_of(night.dir / "results.db", night.dir / "leaf.db")
    connection.execute("UPDATE leaf SET digest = zeroblob(32)")
    connection.commit()
    connection.close()
    before = archived.fingerprint(night.dir / "archive")
    flags = ("--archive", archive_url(night), "--before", "70000", "--store", f"sqlite:{night.dir}/leaf.db")
    night.refused("archive", "prune", *flags, says=("partition 0 cannot be pruned", "leaf 0", "store"))
    assert archived.fingerprint(night.dir / "archive") == before


def test_what_is_carried_cannot_be_changed_unseen(night: Harness) -> None:
    vs, directory = night, night.dir / "archive"
    prune(vs, "--before", "70000")
    voters = directory / archived.carried(directory)[0]["voters"]["name"]
    flip_byte(voters, voters.stat().st_size // 2)
    recount_archive(vs, status=2).says(voters.name, "BLAKE3")
    flip_byte(voters, voters.stat().st_size // 2)
    voters.rename(voters.with_suffix(".away"))
    recount_archive(vs, status=2).says(voters.name, "missing")
    voters.with_suffix(".away").rename(voters)
    (path,) = [p for p in sorted((directory / "manifest").iterdir()) if json.loads(p.read_text())["act"] != "release" and "prune" in p.read_text()][:1]
    text = path.read_text()
    path.write_text(re.sub(r'"votes": (\d+)', lambda m: f'"votes": {int(m.group(1)) + 1}', text, count=1))
    recount_archive(vs, status=2).says("manifest", path.name)
    path.write_text(text)
    recount_archive(vs)


def test_who_reads_meanwhile_is_not_cut(night: Harness) -> None:
    vs, directory = night, night.dir / "archive"
    copied = {file["name"] for file in archived.files(directory)}
    assert "live on until their grace period is over" in prune(vs, "--before", "70000").text
    assert all((directory / name).exists() for name in copied), "a recount that has begun still finds them"
    # An archiver deletes them once their time is over.
    vs.ingest(vs.run(*simulated(1_000, seed=6)).out, name="more.ndjson")
    archive(vs, *SMALL, "--grace", "0s")
    gone = {name for entry in archived.carried(directory) for name in entry["pruned"]}
    assert gone and not any((directory / name).exists() for name in gone)


def test_beside_a_running_archiver(night: Harness) -> None:
    """It is told of, gives way, and goes on at once: the pruner says when it has finished."""
    vs, directory = night, night.dir / "archive"
    running = vs.start("archive", "--log", vs.log, "--archive", archive_url(vs), *SMALL, "--roll-age", "100ms")
    until(lambda: any(entry["act"] == "takeover" for entry in archived.entries(directory)), "the archiver to take over")
    prune(vs, "--before", "70000", "--store", vs.store)
    vs.ingest(vs.run(*simulated(20_000, seed=6)).out, name="more.ndjson")
    vs.count()
    records = vs.results()["records"]
    until(lambda: archived.carried_tally(directory)["records"] == records, "the archiver to go on", seconds=20)
    assert "another archiver" in running.err() and running.stop().status == 0
    assert carried_records(recount_archive(vs).text) == 2 * 65_536


def test_what_cannot_be_pruned_is_said(night: Harness) -> None:
    vs = night
    for before in ("65535", "2000-01-01T00:00:00Z"):
        assert "nothing was pruned" in prune(vs, "--before", before).text
    for wrong in ("yesterday", "7:70000"):
        vs.refused("archive", "prune", "--archive", archive_url(vs), "--before", wrong, says=("--before", wrong))
    vs.refused("archive", "prune", "--archive", archive_url(vs, "nowhere"), "--before", "1", says=("no archive at",))
    vs.refused("archive", "prune", "--archive", archive_url(vs), says=("--before",))
    prune(vs, "--before", "70000")
    new = f"sqlite:{vs.dir}/new.db"
    vs.refused("recount", "--archive", archive_url(vs), "--store", new, "--from-scratch", says=("pruned up to offset 65536", "no store can be built"))
    archive(vs, "--keep-bytes", *SMALL, name="whole")
    prune(vs, "--before", "70000", name="whole")
    vs.refused("ingest", "--archive", archive_url(vs, "whole"), "--log", f"dir:{vs.dir}/new", says=("pruned", "no log can be made"))


def test_where_the_last_vote_counts_nothing_is_pruned(vs: Harness) -> None:
    simulate(vs, votes=1_000)
    archive(vs, "--duplicate", "last")
    vs.refused("archive", "prune", "--archive", archive_url(vs), "--before", "70000", says=("last", "cannot be pruned"))


def test_pseudonyms_are_carried_as_pseudonyms(vs: Harness) -> None:
    simulate(vs)
    vs.count()
    key = vs.file("key", b"5a" * 32)
    archive(vs, *SMALL, "--voter-ids", "pseudonym", "--pseudonym-key", key)
    prune(vs, "--before", "70000", "--store", vs.store)
    outcome = recount_archive(vs)
    assert "identical" in outcome.text and carried_records(outcome.text) == 2 * 65_536
