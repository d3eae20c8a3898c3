"""`ingest -` from a pipe whose other end is silent: it ends when it is asked to, with the whole records that came and no half one."""

from __future__ import annotations

import subprocess

from tests.e2e.harness import Harness, until

VOTE = b'{"id":%d,"state":"Ohio","decision":"Jill Stein"}\n'


def test_a_silent_pipe_does_not_hold_up_the_end(vs: Harness) -> None:
    process = vs.start("ingest", "-", "--log", vs.log, stdin=subprocess.PIPE)
    process.stdin.write(VOTE % 1 + VOTE % 2 + b'{"id":3,"sta')
    process.stdin.flush()

    def both_are_there() -> bool:
        outcome = vs.run("count", "--log", vs.log, "--store", vs.store, "--until-end", status=None)
        return outcome.status == 0 and vs.results()["records"] == 2

    until(both_are_there, "two whole lines to be in the log")
    assert process.stop(10).says("2 records appended").status == 0
    vs.count()
    assert vs.results()["records"] == 2


def test_a_pipe_that_never_said_anything(vs: Harness) -> None:
    process = vs.start("ingest", "-", "--log", vs.log, stdin=subprocess.PIPE)
    until(lambda: "open" in process.err(), "the log to be open")
    assert process.stop(10).status == 0
