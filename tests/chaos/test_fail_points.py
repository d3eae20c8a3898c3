"""Every named step of a flush, of a segment roll and of all else that is durable is died at, at least once, and resumed
from."""

from __future__ import annotations

import json
import pathlib
import random
import shutil
import signal

import pytest

from tests.chaos.evidence import log_state, store_state
from tests.chaos.fail_points import fail_binary, named, names
from tests.e2e.harness import Harness, agree, free_port
from tests.oracle.count import count_file, us_president_2024

VOTES = 60_000
# A segment rolls at 512 MiB: votes of 60 kB that do not compress, on one partition.
BULKY_VOTES = 9_500


# Archiving is in test_archive_fail_points.py, pruning in test_prune_fail_points.py, a head in a store in test_archive_s3.py. A topic is
# written in votestream-log/tests/kafka_writer/kill.rs; Spark's steps are in spark_chaos.py, what they do to a store in votestream-store/tests/crash.rs, those of changing the engine in
# test_spark_change.py.
BY_HAND = (
    "archive-", "head-", "prune-", "kafka-", "spark-", "log-recover", "log-roll",
    "store-compact", "store-release", "store-desk", "store-rebuild", "store-files", "store-swap", "store-seal", "store-change",
)  # fmt: skip


def test_there_are_fail_points() -> None:
    assert names(), f"{fail_binary()} names no fail points: build one with them and name it with VOTESTREAM_FAIL_BIN"
    assert all(named(prefix) for prefix in ("log-roll", "store-", "count-", "kafka-", "archive-"))
    assert len(set(names())) == len(names())


def test_those_of_spark_are_among_them_where_it_is_built(vs: Harness) -> None:
    refusal = vs.run("count", "--engine", "spark", "--log", vs.log, "--store", vs.store, status=2).err
    assert bool(named("spark-")) == ("left out of this build" not in refusal), refusal


@pytest.fixture(scope="session")
def votes(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, dict, dict]:
    """A file of votes with faults, the oracle's answer to it, and the right answer of `up`."""
    directory = tmp_path_factory.mktemp("votes")
    file, expected = directory / "votes.ndjson", directory / "expected.json"
    with Harness(directory) as harness:
        file.write_bytes(harness.run("simulate", "--votes", VOTES, "--faults", "duplicates=0.02,invalid=0.01").out)
        harness.run("simulate", "--votes", VOTES, "--expected", expected)
    return file, count_file(us_president_2024(), file), json.loads(expected.read_text())


@pytest.fixture(autouse=True)
def with_fail_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOTESTREAM_BIN", fail_binary())


def dies(vs: Harness, name: str, *command: object, passes: str = "first") -> bool:
    """Runs a command that is to abort at `name`. True: it did. False: it came to its end, as it may."""
    fail = f"{name}=return" if passes == "first" else f"{name}=3*off->return"
    outcome = vs.start(*command, env={"FAILPOINTS": fail}).wait()
    if outcome.status == -signal.SIGABRT:
        return True
    # Where an earlier command died before there was a log, there is nothing to count.
    assert outcome.status == 0 or (outcome.status == 2 and "no vote log" in outcome.err), outcome.err
    return False


def up(data: pathlib.Path, rate: object) -> tuple[object, ...]:
    return (
        "up", "--data", data, "--votes", VOTES, "--rate", rate, "--exit-when-done",
        "--listen", f"127.0.0.1:{free_port()}", "--source-listen", f"127.0.0.1:{free_port()}",
    )  # fmt: skip


def ends_right(vs: Harness, right: dict, log: pathlib.Path, store: pathlib.Path) -> None:
    agree(vs.results(store=f"sqlite:{store}"), right)
    vs.recount(log=f"dir:{log}", store=f"sqlite:{store}")
    assert store_state(store).passed == right["records"] == log_state(log).records


@pytest.mark.parametrize("passes", ["first", "fourth"])
@pytest.mark.parametrize("name", named("", but=BY_HAND))
def test_on_the_way_of_a_vote(vs: Harness, votes, name: str, passes: str) -> None:
    file, right, right_of_up = votes
    ingest = ("ingest", file, "--log", vs.log)
    count = ("count", "--log", vs.log, "--store", vs.store, "--until-end")
    data = vs.dir / "data"
    # The ones after the first to die meet what it has left behind.
    died = [dies(vs, name, *command, passes=passes) for command in (ingest, count, up(data, "max"))]
    vs.run(*ingest)
    vs.run(*count)
    ends_right(vs, right, vs.dir / "log", vs.dir / "results.db")
    assert "recount: identical" in vs.run(*up(data, "max")).text
    ends_right(vs, right_of_up, data / "log", data / "results.db")
    assert any(died) or passes == "fourth", f'no command of this test comes by "{name}"'


@pytest.mark.parametrize("name", named("store-compact", "store-release"))
def test_while_votes_trickle_in(vs: Harness, votes, name: str) -> None:
    data = vs.dir / "data"
    assert dies(vs, name, *up(data, 20_000)), f'up does not come by "{name}"'
    assert "recount: identical" in vs.run(*up(data, "max")).text
    ends_right(vs, votes[2], data / "log", data / "results.db")


@pytest.mark.parametrize("name", named("log-recover"))
def test_while_a_torn_tail_is_cut(vs: Harness, votes, name: str) -> None:
    file, right, _ = votes
    vs.run("ingest", file, "--log", vs.log)
    for segment in (vs.dir / "log").rglob("*.log"):
        with segment.open("ab") as tail:
            tail.write(b"\x9d\x07\xf3" * 500)
    more = vs.file("more.ndjson", b'{"id":"one more","state":"OH","decision":"stein"}\n')
    assert dies(vs, name, "ingest", more, "--log", vs.log), f'recovery does not come by "{name}"'
    vs.run("ingest", more, "--log", vs.log)
    vs.count()
    results = vs.results()
    assert (results["records"], results["counted"]) == (right["records"] + 1, right["counted"] + 1)
    vs.recount()


@pytest.mark.parametrize("name", named("store-desk"))
def test_at_the_desk(vs: Harness, votes, name: str) -> None:
    file, right, _ = votes
    vs.run("ingest", file, "--log", vs.log)
    vs.count()
    before = vs.results()
    for act in ("hold", "close"):
        assert dies(vs, name, act, "--store", vs.store, "--region", "OH"), f'{act} does not come by "{name}"'
        assert vs.results() == before
    ends_right(vs, right, vs.dir / "log", vs.dir / "results.db")


@pytest.mark.parametrize("name", named("store-rebuild"))
def test_while_all_is_counted_from_scratch(vs: Harness, votes, name: str) -> None:
    file, right, _ = votes
    vs.run("ingest", file, "--log", vs.log)
    vs.count()
    again = ("recount", "--log", vs.log, "--store", vs.store, "--from-scratch")
    assert dies(vs, name, *again), f'recount --from-scratch does not come by "{name}"'
    vs.count()
    ends_right(vs, right, vs.dir / "log", vs.dir / "results.db")
    vs.run(*again)
    ends_right(vs, right, vs.dir / "log", vs.dir / "results.db")


@pytest.fixture(scope="session")
def bulky(tmp_path_factory: pytest.TempPathFactory):
    """More than a segment holds, and the oracle's answer. Four paddings in turn are too far apart to be compressed."""
    file = tmp_path_factory.mktemp("bulky") / "bulky.ndjson"
    paddings = [random.Random(n).randbytes(30_000).hex().encode() for n in range(4)]
    with file.open("wb") as out:
        for n in range(BULKY_VOTES):
            out.write(b'{"id":%d,"state":"OH","decision":"stein","note":"%s"}\n' % (n, paddings[n % 4]))
    yield file, count_file(us_president_2024(), file)
    shutil.rmtree(file.parent)


@pytest.mark.parametrize("name", named("log-roll"))
def test_while_a_segment_rolls(vs: Harness, bulky, name: str) -> None:
    file, right = bulky
    log = vs.log + "?partitions=1"
    try:
        assert dies(vs, name, "ingest", file, "--log", log), f'a roll does not come by "{name}"'
        vs.run("ingest", file, "--log", log)
        assert log_state(vs.dir / "log").segments >= 2
        vs.count()
        ends_right(vs, right, vs.dir / "log", vs.dir / "results.db")
    finally:
        shutil.rmtree(vs.dir / "log")
