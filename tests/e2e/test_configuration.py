"""Default < file < environment < flags; an unknown key is an error that names file and key."""

from __future__ import annotations

import pytest

from tests.e2e.harness import Harness

VOTE = b'{"id":1,"state":"OH","decision":"stein"}\n'


@pytest.fixture
def counted(vs: Harness) -> None:
    vs.ingest(VOTE)
    vs.count()


def test_file_environment_flag(vs: Harness, counted: None) -> None:
    config = vs.file("votestream.toml", f'store = "{vs.store}"\n'.encode())
    assert vs.run("results", "--config", config, "--format", "json").json()["counted"] == 1
    assert vs.run("results", "--format", "json", env={"VOTESTREAM_CONFIG": str(config)}).json()["counted"] == 1
    wrong = {"VOTESTREAM_STORE": "sqlite:elsewhere.db"}
    vs.refused("results", "--config", config, env=wrong, says=("elsewhere.db",))
    assert vs.run("results", "--config", config, "--store", vs.store, "--format", "json", env=wrong).json()["counted"] == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('stoer = "sqlite:x.db"\n', ("stoer",)),
        ('store = "sqlite:x.db\n', ("1",)),
        ("\x00", ()),
    ],
)
def test_wrong_files(vs: Harness, counted: None, text: str, says: tuple[str, ...]) -> None:
    config = vs.file("wrong.toml", text.encode())
    vs.refused("results", "--store", vs.store, "--config", config, says=("wrong.toml", *says))


def test_a_missing_file_is_named(vs: Harness, counted: None) -> None:
    vs.refused("results", "--store", vs.store, "--config", "missing.toml", says=("missing.toml",))


def test_json_messages(vs: Harness) -> None:
    import json

    outcome = vs.run("ingest", vs.file("v.ndjson", VOTE), "--log", vs.log, "--log-format", "json")
    lines = outcome.err.splitlines()
    assert lines and all(isinstance(json.loads(line), dict) for line in lines), outcome.err


def test_quiet_says_nothing(vs: Harness) -> None:
    assert vs.run("ingest", vs.file("v.ndjson", VOTE), "--log", vs.log, "-q").err == ""
    assert vs.run("count", "--log", vs.log, "--store", vs.store, "--until-end", "-q").err == ""
