"""doctor where the results store cannot be written: a fault with what to do, and none where it is only to be read."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.e2e.harness import Harness, Nobody, as_nobody, small_disk
from tests.e2e.services import Server

VOTE = b'{"id":1,"state":"Ohio","decision":"Jill Stein"}\n'
BARRED = "✗ the store cannot be written: "


def doctor(vs: Harness, store: str, *flags: object, status: int = 1, by: Nobody | None = None) -> str:
    return vs.run("doctor", "--store", store, *flags, status=status, by=by).text


def is_barred(text: str, *words: str) -> None:
    missing = [word for word in (BARRED, "\n  → to count, ", *words) if word not in text]
    assert not missing, f"lacks {missing}:\n{text}"
    assert "✓ this login may count" not in text and "counting can go on" not in text, text


def test_postgresql_that_takes_no_writes(vs: Harness) -> None:
    vs.ingest(VOTE)
    with Server() as server:
        database = server.database("frozen")
        vs.run("count", "--log", vs.log, "--store", database.url, "--until-end")
        assert "✓ this login may count" in doctor(vs, database.url, status=0)
        server.query(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
        is_barred(doctor(vs, database.url), "default_transaction_read_only is on", "RESET default_transaction_read_only", "--read-only")
        assert BARRED not in doctor(vs, database.url, "--read-only", status=0)
        server.query(f"ALTER DATABASE {database.name} RESET default_transaction_read_only")

        # A login that may read what `serve` reads, one that may read all, and one that may read nothing.
        server.query("CREATE ROLE reads LOGIN")
        server.query("CREATE ROLE sees LOGIN")
        server.query("CREATE ROLE stranger LOGIN")
        database.query("GRANT USAGE ON SCHEMA votestream TO reads, sees")
        database.query("GRANT SELECT ON ALL TABLES IN SCHEMA votestream TO reads, sees")
        database.query("REVOKE SELECT ON votestream.tally, votestream.seen FROM reads")
        login = {name: database.url.replace("votestream@", f"{name}@") for name in ("reads", "sees", "stranger")}
        is_barred(doctor(vs, login["sees"]), "GRANT votestream_writer TO sees", "✗ this login, which may not count, may read seen voters")
        is_barred(doctor(vs, login["reads"]), "GRANT votestream_writer TO reads", "docs/operating.md")
        assert "its rows are not checked" in doctor(vs, login["reads"], "--read-only", status=0)
        assert "has not the rights" in doctor(vs, login["stranger"])


def test_a_file_that_this_user_may_not_write(vs: Harness) -> None:
    with as_nobody() as nobody:
        store = f"sqlite:{nobody.dir}/results.db"
        vs.ingest(VOTE)
        vs.run("count", "--log", vs.log, "--store", store, "--until-end")
        if os.geteuid() == 0:
            text = doctor(vs, store, by=nobody)
            assert "✗" in text and "directory" in text and "counting can go on" not in text, text
            for name in ("results.db", "results.db.lock"):
                (nobody.dir / name).chmod(0o666)
            text = doctor(vs, store, by=nobody)
            assert "✗" in text and "directory" in text and "counting can go on" not in text, text
            nobody.dir.chmod(0o777)
            assert "counting can go on" in doctor(vs, store, status=0, by=nobody)
            (nobody.dir / "results.db").chmod(0o444)
            is_barred(doctor(vs, store, by=nobody), "may not write the file", "mount them writable")
            (nobody.dir / "results.db").chmod(0o666)
            (nobody.dir / "results.db.lock").chmod(0o444)
            is_barred(doctor(vs, store, by=nobody), "files beside it")
            assert BARRED not in doctor(vs, store, "--read-only", status=0, by=nobody)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_disk_that_is_mounted_read_only(vs: Harness) -> None:
    vs.ingest(VOTE)
    with small_disk(vs.dir / "disk", 16) as disk:
        store = f"sqlite:{disk}/results.db"
        vs.run("count", "--log", vs.log, "--store", store, "--until-end")
        assert "counting can go on" in doctor(vs, store, status=0)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        text = doctor(vs, store)
        assert "✗" in text and "counting can go on" not in text, text
