"""One writer a log, one a store: the second is refused with the directory's name, and harms nothing."""

from __future__ import annotations

from tests.e2e.harness import Harness, until


def test_a_second_up_on_the_same_directory(vs: Harness) -> None:
    up = vs.up("--votes", 200_000, "--rate", 20_000).ready()
    vs.refused("up", "--data", up.data, "--votes", 200_000, "--listen", "127.0.0.1:0", "--source-listen", "127.0.0.1:0", says=(str(up.data),))
    vs.refused("ingest", vs.file("v.ndjson", b"{}\n"), "--log", up.log, says=("log",))
    vs.refused("count", "--log", up.log, "--store", up.store, "--until-end", says=("store",))
    before = up.api.json("/api/results")["records"]
    until(lambda: up.api.json("/api/results")["records"] > before, "the first to go on")
    assert up.process.stop().status == 0
    vs.recount(log=up.log, store=up.store)


def test_readers_are_welcome(vs: Harness) -> None:
    up = vs.up("--votes", 100_000, "--rate", 20_000).ready()
    until(lambda: up.api.json("/api/results")["records"] > 1_000, "votes")
    assert vs.results(store=up.store)["counted"] > 1_000
    assert "Trump" in vs.run("results", "--store", up.store).text
    assert up.process.running()


def test_a_lock_of_a_killed_process_is_no_lock(vs: Harness) -> None:
    up = vs.up("--votes", 200_000, "--rate", 20_000).ready()
    until(lambda: up.api.json("/api/results")["records"] > 1_000, "votes")
    up.process.kill()
    vs.ingest(b'{"id":1,"state":"OH","decision":"stein"}\n')
    vs.run("count", "--log", up.log, "--store", up.store, "--until-end")
    vs.recount(log=up.log, store=up.store)
