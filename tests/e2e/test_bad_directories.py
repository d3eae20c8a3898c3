"""Foreign, unreadable, read-only, newer, or another election's directories: refused by name, and left as they were."""

from __future__ import annotations

import json
import pathlib
import sqlite3

import pytest

from tests.e2e.harness import Harness, as_nobody, free_port

VOTE = b'{"id":1,"state":"OH","decision":"stein"}\n'


def contents(directory: pathlib.Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


def up(data: pathlib.Path) -> tuple[object, ...]:
    return ("up", "--data", data, "--votes", 100, "--exit-when-done", "--listen", f"127.0.0.1:{free_port()}", "--source-listen", f"127.0.0.1:{free_port()}")


def test_a_log_that_is_somebody_elses_directory(vs: Harness) -> None:
    (vs.dir / "log").mkdir()
    vs.file("log/holiday.jpg", b"\xff\xd8\xff")
    before = contents(vs.dir / "log")
    vs.refused("ingest", vs.file("v.ndjson", VOTE), "--log", vs.log, says=(str(vs.dir / "log"),))
    vs.refused("count", "--log", vs.log, "--store", vs.store, "--until-end", says=(str(vs.dir / "log"),))
    assert contents(vs.dir / "log") == before


def test_a_log_that_is_a_file(vs: Harness) -> None:
    vs.file("log", b"text")
    vs.refused("ingest", vs.file("v.ndjson", VOTE), "--log", vs.log, says=(str(vs.dir / "log"), "director"))
    assert (vs.dir / "log").read_bytes() == b"text"


@pytest.mark.parametrize("foreign", ["text", "another program's database", "empty file cut short"])
def test_a_store_that_is_somebody_elses_file(vs: Harness, foreign: str) -> None:
    vs.ingest(VOTE)
    path = vs.dir / "results.db"
    match foreign:
        case "text":
            path.write_text("dear diary\n" * 500)
        case "another program's database":
            connection = sqlite3.connect(path)
            connection.execute("CREATE TABLE bookmarks (url TEXT)")
            connection.execute("INSERT INTO bookmarks VALUES ('x')")
            connection.commit()
            connection.close()
        case "empty file cut short":
            path.write_bytes(b"SQLite format 3\x00" + b"\x10\x00")
    before = path.read_bytes()
    vs.refused("count", "--log", vs.log, "--store", vs.store, "--until-end", says=("results.db",))
    vs.refused("results", "--store", vs.store, says=("results.db",))
    assert path.read_bytes() == before


def test_a_log_of_a_newer_format(vs: Harness) -> None:
    vs.ingest(VOTE)
    path = vs.dir / "log" / "log.json"
    described = json.loads(path.read_text())
    key = next(key for key in described if "format" in key or "version" in key)
    path.write_text(json.dumps(described | {key: 999}))
    for command in (("ingest", vs.file("v.ndjson", VOTE), "--log", vs.log), ("count", "--log", vs.log, "--store", vs.store, "--until-end")):
        vs.refused(*command, says=("log", "999", "newer"))


def test_a_store_of_a_newer_format(vs: Harness) -> None:
    vs.ingest(VOTE)
    vs.count()
    connection = sqlite3.connect(vs.dir / "results.db")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {version + 900}")
    connection.close()
    vs.refused("count", "--log", vs.log, "--store", vs.store, "--until-end", says=("results.db", "newer"))
    vs.refused("results", "--store", vs.store, says=("results.db", "newer"))


def test_a_description_of_the_log_that_is_garbage(vs: Harness) -> None:
    vs.ingest(VOTE)
    (vs.dir / "log" / "log.json").write_bytes(b"\x00\x01")
    vs.refused("count", "--log", vs.log, "--store", vs.store, "--until-end", says=("log.json",))
    vs.refused("ingest", vs.file("v.ndjson", VOTE), "--log", vs.log, says=("log.json",))


def test_another_election_in_the_data_directory(vs: Harness) -> None:
    data = vs.dir / "data"
    vs.run(*up(data))
    before = vs.results(store=f"sqlite:{data}/results.db")
    vs.refused(*up(data), "--duplicate", "last", says=("duplicate",))
    vs.refused(*up(data)[:-4], "--seed", 99, "--listen", f"127.0.0.1:{free_port()}", "--source-listen", f"127.0.0.1:{free_port()}", says=("seed",))
    assert vs.results(store=f"sqlite:{data}/results.db") == before


def test_another_log_in_the_same_store(vs: Harness) -> None:
    vs.ingest(VOTE)
    vs.count()
    other = f"dir:{vs.dir}/other"
    vs.run("ingest", vs.file("v.ndjson", VOTE), "--log", other)
    vs.refused("count", "--log", other, "--store", vs.store, "--until-end", says=("log",))
    assert vs.results()["records"] == 1


def test_other_rules_for_the_same_election(vs: Harness) -> None:
    vs.ingest(VOTE)
    vs.count()
    vs.refused("count", "--log", vs.log, "--store", vs.store, "--until-end", "--duplicate", "last", says=("--duplicate", "first"))
    vs.refused("count", "--log", vs.log, "--store", vs.store, "--until-end", "--mapping", "votestream", says=("--mapping", "presidential"))
    vs.count()


def test_an_id_that_the_store_does_not_hold(vs: Harness) -> None:
    vs.ingest(VOTE)
    vs.count()
    vs.refused("results", "--store", vs.store, "--election", "not-here", says=("not-here", "us-president-2024"))


def test_a_read_only_directory(vs: Harness) -> None:
    with as_nobody() as nobody:
        (nobody.dir / "v.ndjson").write_bytes(VOTE)
        vs.refused("ingest", "v.ndjson", "--log", "dir:log", says=("log", "permission denied"), by=nobody)
        vs.refused(*up("data"), says=("data", "permission denied"), by=nobody)
        vs.run("ingest", nobody.dir / "v.ndjson", "--log", f"dir:{nobody.dir}/log")
        vs.refused("count", "--log", "dir:log", "--store", "sqlite:results.db", "--until-end", says=("results.db", "permission denied"), by=nobody)


def test_an_unreadable_directory(vs: Harness) -> None:
    with as_nobody() as nobody:
        vs.run("ingest", vs.file("v.ndjson", VOTE), "--log", f"dir:{nobody.dir}/log")
        vs.run("count", "--log", f"dir:{nobody.dir}/log", "--store", f"sqlite:{nobody.dir}/results.db", "--until-end")
        (nobody.dir / "log").chmod(0o700)
        (nobody.dir / "results.db").chmod(0o600)
        vs.refused("recount", "--log", "dir:log", "--store", f"sqlite:{vs.dir}/none.db", says=("log", "permission denied"), by=nobody)
        vs.refused("results", "--store", "sqlite:results.db", says=("results.db",), by=nobody)
