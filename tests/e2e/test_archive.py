"""archive: every record once, whoever is killed, and what each record was, readable without us."""

from __future__ import annotations

import contextlib
import pathlib
import random
import signal
import time

import pytest

from tests.e2e import archived
from tests.e2e.harness import Harness, Process, as_nobody, small_disk, until
from tests.oracle.count import count_bytes, us_president_2024
from tests.oracle.generate import Stream, ndjson


@pytest.fixture
def data(vs: Harness) -> bytes:
    """Records with every fault that the generator knows, in a log."""
    data = ndjson(Stream(23).records(40_000), 23)
    vs.ingest(data)
    return data


def command(vs: Harness, *flags: object, archive: str = "archive") -> tuple[object, ...]:
    return ("archive", "--log", vs.log, "--archive", f"file:{vs.dir / archive}", *flags)


def test_every_record_is_there_once_and_is_what_it_was(vs: Harness, data: bytes) -> None:
    archive = vs.dir / "archive"
    vs.run(*command(vs, "--until-end")).says("records archived")
    right = count_bytes(us_president_2024(), data)
    mine = archived.agrees(archive, right)
    assert len(mine["rejected"]) > 5, "the stream has too few kinds of rejects to prove anything"
    rows = archived.table(archive)
    assert rows.execute("SELECT count(*) FROM votes WHERE outcome <> 'vote' AND value_blake3 IS NULL").fetchone() == (0,)
    assert rows.execute("SELECT count(*) FROM votes WHERE outcome = 'vote' AND value IS NOT NULL").fetchone() == (0,)
    # A rejected record's value is that of the input, byte for byte.
    lines = {line.strip() for line in data.split(b"\n")}
    values = [value for (value,) in rows.execute("SELECT value FROM votes WHERE outcome = 'unknown_candidate'").fetchall()]
    assert values and all(value.strip() in lines for value in values)
    before = archived.fingerprint(archive)
    vs.run(*command(vs, "--until-end")).says("0 records archived")
    after = archived.fingerprint(archive)
    assert before.items() <= after.items()


def test_the_ledger_is_that_of_the_count(vs: Harness) -> None:
    vs.run("simulate", "--votes", 400_000, "--order", "shuffled", "--faults", "duplicates=0.01,invalid=0.001", "--to", vs.log)
    vs.run(*command(vs, "--until-end", "--roll-size", "256KiB"))
    vs.count()
    mine = archived.leaves(vs.dir / "archive")
    assert len(mine) >= 4
    assert mine == archived.leaves_of_store(vs.dir / "results.db")


def test_sixteen_bytes_a_vote_at_most(vs: Harness) -> None:
    vs.run("simulate", "--votes", 300_000, "--order", "shuffled", "--to", vs.log)
    vs.run(*command(vs, "--until-end"))
    found = archived.files(vs.dir / "archive")
    assert sum(file["bytes"] for file in found) <= 16 * sum(file["rows"] for file in found)


def test_with_keep_bytes_every_value_is_there(vs: Harness, data: bytes) -> None:
    vs.run(*command(vs, "--until-end", "--keep-bytes"))
    rows = archived.table(vs.dir / "archive")
    kept = sorted(value for (value,) in rows.execute("SELECT value FROM votes WHERE outcome <> 'too_large'").fetchall())
    lines = sorted(line.strip() for line in data.split(b"\n") if line.strip() and len(line.strip()) <= 65_536)
    assert sorted(value.strip() for value in kept) == lines
    vs.refused(*command(vs, "--until-end"), says=("keep-bytes = true", "another place"))


def test_pseudonyms(vs: Harness, data: bytes) -> None:
    key = vs.file("key", b"11" * 32 + b"\n")
    flags = ("--until-end", "--voter-ids", "pseudonym")
    vs.refused(*command(vs, *flags), says=("needs a key", "--pseudonym-key"))
    vs.run(*command(vs, *flags, "--pseudonym-key", key))
    archive = vs.dir / "archive"
    right = count_bytes(us_president_2024(), data)
    archived.agrees(archive, right)
    rows = archived.table(archive)
    assert rows.execute("SELECT count(*) FROM votes WHERE voter_id IS NOT NULL OR value IS NOT NULL").fetchone() == (0,)
    other = vs.file("other", b"22" * 32)
    vs.refused(*command(vs, *flags, "--pseudonym-key", other), says=("another key",))


def test_killed_at_random_nothing_is_missing_or_twice(vs: Harness) -> None:
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    print(f"seed {seed}")
    parts: list[bytes] = []

    def feed(count: int) -> None:
        # In small batches: an archiver makes a file of a few, where it has little memory. (A part may begin with anything: its format is said.)
        for _ in range(count):
            n = len(parts)
            parts.append(ndjson(Stream(seed + n).records(2_000), seed + n))
            vs.ingest(parts[n], "--format", "ndjson", name=f"{n}.ndjson")

    small = ("--roll-size", "40KiB", "--roll-age", "20ms", "--memory", "256KiB")
    archive = vs.dir / "archive"
    feed(15)
    killed, longest = 0, 0.4
    # Where a machine is so quick that it finishes before its kill, it gets more to do and less time.
    while killed < 10:
        process = vs.start(*command(vs, "--until-end", *small))
        time.sleep(chance.uniform(0.02, longest))
        if process.running():
            killed += 1
        else:
            longest = max(0.05, longest * 0.8)
            feed(3)
        process.kill()
        assert len(parts) < 200, f"{killed} kills landed while archiving"
    # Half of the files of the killed are older than the takeover, and swept with it.
    vs.run(*command(vs, "--until-end", "--grace", "0s"))
    archived.agrees(archive, count_bytes(us_president_2024(), b"\n".join(parts)))
    assert not [name for name in archived.unnamed(archive) if ".unfinished" in name]


def test_two_at_once_one_wins_and_the_other_waits(vs: Harness, data: bytes) -> None:
    quick = ("--roll-age", "50ms")
    first = vs.start(*command(vs, *quick))
    archive = vs.dir / "archive"
    until(lambda: archive.exists() and len(archived.entries(archive)) >= 2, "the first to archive")
    second = vs.start(*command(vs, *quick))
    until(lambda: len([e for e in archived.entries(archive) if e["act"] == "takeover"]) >= 1, "the second to take over")
    more = ndjson(Stream(24).records(5_000), 24)
    vs.ingest(more, name="more.ndjson")
    until(lambda: "another archiver" in first.err(), "the first to learn of it")
    until(lambda: sum(f["rows"] for f in archived.files(archive)) == count_bytes(us_president_2024(), data + b"\n" + more)["records"], "all")
    assert first.running() and second.running(), "the one that lost waits"
    for process in (first, second):
        assert process.stop().status == 0
    archived.agrees(archive, count_bytes(us_president_2024(), data + b"\n" + more))


def test_it_follows_and_finishes_when_told_to(vs: Harness, data: bytes) -> None:
    process = vs.start(*command(vs))
    archive = vs.dir / "archive"
    until(lambda: archive.exists() and archived.entries(archive), "the archive to be made")
    more = ndjson(Stream(25).records(3_000), 25)
    vs.ingest(more, name="more.ndjson")
    time.sleep(0.5)
    # What is open is sealed and committed, though no file is full or old.
    assert process.stop().status == 0
    vs.run(*command(vs, "--until-end"))
    archived.agrees(archive, count_bytes(us_president_2024(), data + b"\n" + more))


def test_small_files_are_put_together_and_kept_for_a_while(vs: Harness) -> None:
    data = ndjson(Stream(99).records(300), 99)
    vs.ingest(data)
    process = vs.start(*command(vs, "--roll-age", "20ms", "--grace", "1h"))
    archive = vs.dir / "archive"
    for n in range(60):
        more = ndjson(Stream(100 + n).records(300), 100 + n)
        vs.ingest(more, name=f"{n}.ndjson")
        data += b"\n" + more
        if archive.exists() and any("compact" in e["act"] for e in archived.entries(archive) if e["act"] != "takeover"):
            break
    until(lambda: any("compact" in e["act"] for e in archived.entries(archive) if e["act"] != "takeover"), "a compaction")
    assert process.stop().status == 0
    vs.run(*command(vs, "--until-end"))
    replaced = [name for e in archived.entries(archive) if "compact" in e["act"] for name in e["act"]["compact"]["replaced"]]
    assert replaced and all((archive / name).exists() for name in replaced), "readers that began before still find them"
    archived.agrees(archive, count_bytes(us_president_2024(), data))
    vs.run(*command(vs, "--until-end", "--grace", "0s"))
    assert not [name for name in replaced if (archive / name).exists()]
    archived.agrees(archive, count_bytes(us_president_2024(), data))


def flip(path: pathlib.Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_what_does_not_belong_together_is_refused(vs: Harness, data: bytes) -> None:
    vs.run(*command(vs, "--until-end"))
    archive = vs.dir / "archive"
    before = archived.fingerprint(archive)
    vs.ingest(b'{"id":1,"decision":"yes"}\n', name="other.ndjson")
    other = f"dir:{vs.dir / 'other-log'}"
    vs.run("ingest", vs.dir / "other.ndjson", "--log", other)
    vs.refused("archive", "--log", other, "--archive", f"file:{archive}", "--until-end", says=("is of log", "another place"))
    vs.refused(*command(vs, "--until-end", "--election", "poll"), says=("us-president-2024", "poll", "another place"))
    vs.refused(*command(vs, "--until-end", "--duplicate", "last"), says=("another definition",))
    assert archived.fingerprint(archive) == before


def test_a_broken_manifest_or_a_strangers_directory_is_named_and_left(vs: Harness, data: bytes) -> None:
    vs.run(*command(vs, "--until-end"))
    archive = vs.dir / "archive"
    entry = archive / "manifest" / f"{1:020}.json"
    original = entry.read_bytes()
    entry.write_bytes(original.replace(b'"format": 1', b'"format": 2'))
    vs.refused(*command(vs, "--until-end"), says=(entry.name, "format 2", "newer votestream"))
    entry.write_bytes(original.replace(b'"rows": ', b'"rows": 1'))
    vs.refused(*command(vs, "--until-end"), says=("manifest", entry.name))
    entry.unlink()
    vs.refused(*command(vs, "--until-end"), says=(entry.name, "missing"))
    entry.write_bytes(original)
    last = archived.files(archive)[0]["name"]
    flip(archive / last)
    vs.ingest(ndjson(Stream(26).records(10), 26), name="more.ndjson")
    vs.refused(*command(vs, "--until-end"), says=(last, "BLAKE3", "changed"))
    (vs.dir / "photos").mkdir()
    (vs.dir / "photos" / "cat.jpg").write_bytes(b"cat")
    vs.refused(*command(vs, "--until-end", archive="photos"), says=("not an archive", "cat.jpg"))
    assert archived.fingerprint(vs.dir / "photos").keys() == {"cat.jpg"}


def test_urls_that_are_none(vs: Harness, data: bytes) -> None:
    for url, word in (("ftp://x/y", "not understood"), ("s3://", "bucket"), ("hdfs://namenode", "directory"), ("file:", "path")):
        vs.refused("archive", "--log", vs.log, "--archive", url, "--until-end", says=(word,))


def trouble(process: Process, *words: str) -> None:
    until(lambda: all(word in process.err().lower() for word in words), f"it to say {words}")
    assert process.running()


def fill(path: pathlib.Path) -> None:
    """Takes all the room that is left."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)


def test_a_full_disk_is_said_and_waited_for(vs: Harness, data: bytes, tmp_path: pathlib.Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        ballast, archive = disk / "ballast", disk / "archive"
        fill(ballast)
        process = vs.start("archive", "--log", vs.log, "--archive", f"file:{archive}", "--until-end")
        trouble(process, "no space", "make room")
        ballast.unlink()
        assert process.wait().status == 0
        archived.agrees(archive, count_bytes(us_president_2024(), data))


def test_no_right_to_write_is_refused(vs: Harness) -> None:
    with as_nobody() as nobody:
        log = f"dir:{nobody.dir / 'log'}"
        vs.run("ingest", vs.file("votes.ndjson", ndjson(Stream(27).records(100), 27)), "--log", log)
        archive = nobody.dir / "archive"
        vs.refused("archive", "--log", log, "--archive", f"file:{archive}", "--until-end", by=nobody, says=("denied", "right to write"))
        assert not archive.exists()


def test_stopped_by_ctrl_c_while_the_storage_refuses(vs: Harness, data: bytes, tmp_path: pathlib.Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        fill(disk / "ballast")
        process = vs.start("archive", "--log", vs.log, "--archive", f"file:{disk / 'archive'}")
        trouble(process, "no space")
        process.signal(signal.SIGINT)
        assert process.wait().status == 0
