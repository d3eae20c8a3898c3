"""A full disk, on a small file system of its own: told, nothing lost, and once there is room again it goes on."""

from __future__ import annotations

import contextlib
import pathlib
import subprocess

from tests.e2e.harness import Harness, agree, free_port, small_disk, until
from tests.oracle.count import count_bytes, us_president_2024
from tests.oracle.generate import Stream, ndjson


FULL = ("is full", "no room left", "no space")


def grow(path: pathlib.Path, megabytes: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={megabytes}m", str(path)], check=True)


def test_the_log_does_not_fit(vs: Harness) -> None:
    data = ndjson(Stream(91).records(100_000), plain=True)
    file = vs.file("votes.ndjson", data)
    oracle = count_bytes(us_president_2024(), data)
    with small_disk(vs.dir / "small", 3) as disk:
        log = f"dir:{disk}/log"
        vs.refused("ingest", file, "--log", log, says=("no room left on the disk", str(disk)))
        # What is in the log can be counted as it is.
        vs.run("count", "--log", log, "--store", f"sqlite:{vs.dir}/part.db", "--until-end")
        part = vs.results(store=f"sqlite:{vs.dir}/part.db")
        assert part["records"] < 100_000
        grow(disk, 200)
        vs.run("ingest", file, "--log", log)
        vs.run("count", "--log", log, "--store", f"sqlite:{vs.dir}/part.db", "--until-end")
        agree(vs.results(store=f"sqlite:{vs.dir}/part.db"), oracle)
        vs.recount(log=log, store=f"sqlite:{vs.dir}/part.db")


def test_the_store_does_not_fit(vs: Harness) -> None:
    vs.run("simulate", "--votes", 300_000, "--to", vs.log)
    with small_disk(vs.dir / "small", 1) as disk:
        store = f"sqlite:{disk}/results.db"
        command = ("count", "--log", vs.log, "--store", store, "--until-end")
        process = vs.start(*command)
        until(lambda: not process.running() or any(word in process.err().lower() for word in FULL), "a word about the disk")
        assert any(word in process.err().lower() for word in FULL), process.err()
        assert "results.db" in process.err(), process.err()
        grow(disk, 200)
        # It pauses and goes on by itself, or it has given up with status 2 and is started again.
        if process.running():
            assert process.wait().status == 0
        else:
            assert process.wait().status == 2
            vs.run(*command)
        results = vs.results(store=store)
        assert results["records"] == results["counted"] == 300_000
        vs.recount(store=store)


def test_up_names_the_disk_it_needs(vs: Harness) -> None:
    with small_disk(vs.dir / "small", 8) as disk:
        vs.refused(
            "up", "--data", disk / "data", "--listen", f"127.0.0.1:{free_port()}", "--source-listen", f"127.0.0.1:{free_port()}",
            says=(str(disk), "free"),
        )  # fmt: skip
        assert not (disk / "data" / "results.db").exists()


def test_up_on_a_disk_that_fills(vs: Harness) -> None:
    """Whatever it has shown stays counted: after there is room it ends with the expected answer."""
    options = ("--votes", 100_000, "--rate", 20_000, "--exit-when-done")
    with small_disk(vs.dir / "small", 96) as disk:
        up = vs.up(*options, data=disk / "data").ready()
        until(lambda: up.api.json("/api/results")["counted"] > 1_000, "votes")
        ballast = disk / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:  # until there is no room
            while file.write(bytes(65_536)):
                pass
        shown = 0

        def told() -> bool:
            nonlocal shown
            if not up.process.running():
                return True
            with contextlib.suppress(ConnectionError):  # it may end at any moment
                shown = max(shown, up.api.json("/api/results")["counted"]) if up.api.healthy() else shown
            return any(word in up.process.err().lower() for word in FULL)

        until(told, "a word about the disk")
        ballast.unlink()
        if up.process.running():
            up.process.stop()
        assert vs.results(store=up.store)["counted"] >= shown
        outcome = vs.up(*options[:2], "--rate", "max", "--exit-when-done", data=disk / "data").process.wait()
        assert outcome.status == 0 and "recount: identical" in outcome.text, outcome.err
