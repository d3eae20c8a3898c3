"""Wrong flags, names, files and definitions: exit status 2, and a message that says what, where and what next."""

from __future__ import annotations

import pytest

from tests.e2e.harness import Harness


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("frobnicate",), ("frobnicate",)),
        (("count",), ("--log",)),
        (("count", "--log", "dir:x"), ("--store",)),
        (("count", "--log", "nonsense", "--store", "sqlite:x.db"), ("nonsense", "dir:")),
        (("count", "--log", "http://x", "--store", "sqlite:x.db"), ("http://x", "dir:")),
        (("count", "--log", "dir:x?colour=red", "--store", "sqlite:x.db", "--until-end"), ("colour",)),
        (("count", "--log", "dir:x?partitions=0", "--store", "sqlite:x.db", "--until-end"), ("partitions", "0")),
        (("count", "--log", "dir:x?partitions=many", "--store", "sqlite:x.db", "--until-end"), ("partitions", "many")),
        (("count", "--log", "dir:x?codec=rar", "--store", "sqlite:x.db", "--until-end"), ("rar", "lz4")),
        (("count", "--log", "dir:x", "--store", "mysql://x"), ("mysql://x", "sqlite:")),
        (("count", "--log", "dir:nowhere", "--store", "sqlite:x.db", "--until-end"), ("nowhere",)),
        (("count", "--log", "dir:x", "--store", "sqlite:x.db", "--election", "eurovision"), ("eurovision", "us-president-2024")),
        (("count", "--log", "dir:x", "--store", "sqlite:x.db", "--duplicate", "both"), ("both", "first", "last")),
        (("count", "--log", "dir:x", "--store", "sqlite:x.db", "--mapping", "french"), ("french", "presidential", "votestream")),
        (("up", "--votes", "many"), ("votes", "many")),
        (("up", "--votes", "-1"), ("-1",)),
        (("up", "--votes", "155212716"), ("155212715",)),
        (("up", "--rate", "0"), ("rate", "0")),
        (("up", "--rate", "quick"), ("rate", "quick")),
        (("up", "--order", "random"), ("random", "night", "shuffled")),
        (("up", "--listen", "nowhere"), ("--listen", "nowhere")),
        (("up", "--listen", "127.0.0.1:99999"), ("99999",)),
        (("simulate",), ("--votes",)),
        (("simulate", "--votes", "10", "--faults", "gremlins=0.1"), ("gremlins", "duplicates")),
        (("simulate", "--votes", "10", "--faults", "duplicates=2"), ("duplicates", "2")),
        (("simulate", "--votes", "10", "--faults", "duplicates=-0.1"), ("duplicates",)),
        (("simulate", "--votes", "10", "--faults", "duplicates"), ("duplicates",)),
        (("ingest", "--log", "dir:x"), ("file",)),
        (("ingest", "missing.ndjson", "--log", "dir:x"), ("missing.ndjson",)),
        (("ingest", ".", "--log", "dir:x"), ("director",)),
        (("ingest", "-", "--log", "dir:x", "--format", "xml"), ("xml", "csv")),
        (("results", "--store", "sqlite:none.db"), ("none.db",)),
        (("results", "--store", "sqlite:none.db", "--format", "pdf"), ("pdf", "json")),
        (("serve", "--store", "sqlite:none.db"), ("none.db",)),
        (("count", "--log", "kafka://localhost:1/t", "--store", "sqlite:x.db"), ("kafka",)),
        (("results", "--store", "postgres://u@localhost:1/d"), ("postgres",)),
        (("count", "--log", "dir:x", "--store", "sqlite:x.db", "--election", "missing.toml"), ("missing.toml",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)  # fmt: skip
def test_refused(vs: Harness, arguments: tuple[str, ...], says: tuple[str, ...]) -> None:
    vs.refused(*arguments, says=says)
    assert not list(vs.dir.iterdir()), "a refused command leaves nothing behind"


def test_environment_and_help(vs: Harness) -> None:
    vs.refused("results", says=("--store",))
    vs.refused("results", env={"VOTESTREAM_STORE": "sqlite:none.db"}, says=("none.db",))
    text = vs.run("--help").text
    for command in ("up", "simulate", "source", "ingest", "count", "serve", "results", "recount", "close", "reopen", "hold", "doctor", "bench", "init", "completions"):
        assert command in text
        vs.run(command, "--help")
    assert vs.run("--version").text.startswith("votestream ")


@pytest.fixture
def definition(vs: Harness) -> str:
    """The commented example that `init` writes."""
    outcome = vs.run("init", status=None)
    files = [path for path in vs.dir.rglob("*.toml")]
    text = files[0].read_text() if files else outcome.text
    for path in files:
        path.unlink()
    assert "[[candidate" in text, outcome.err
    return text


def test_a_definition_of_ones_own(vs: Harness, definition: str) -> None:
    good = vs.file("mine.toml", definition.encode())
    vs.ingest(b"\n")
    vs.count("--election", good)
    assert vs.results()["status"] == "waiting"


@pytest.mark.parametrize("wrong", ["unknown key", "syntax", "duplicate candidate", "no candidates", "wrong type", "empty", "not utf-8"])
def test_a_wrong_definition_names_file_line_and_field(vs: Harness, definition: str, wrong: str) -> None:
    lines = definition.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("[[candidate"))
    says: tuple[str, ...] = ("wrong.toml",)
    match wrong:
        case "unknown key":
            lines.insert(first + 1, 'colr = "red"')
            says += ("colr", str(first + 2))
        case "syntax":
            lines.insert(first + 1, 'name = "unclosed')
            says += (str(first + 2),)
        case "duplicate candidate":
            end = next(n for n in range(first + 1, len(lines)) if lines[n].startswith("["))
            lines[end:end] = lines[first:end]
            says += ("id",)
        case "no candidates":
            lines = [line for line in lines[:first] if not line.startswith("[")]
            says += ("candidate",)
        case "wrong type":
            number = next(n for n, line in enumerate(lines) if line.startswith("name ="))
            lines[number] = "name = 5"
            says += ("name", str(number + 1))
        case "empty":
            lines = []
        case "not utf-8":
            lines.append("# \udcff")
    file = vs.dir / "wrong.toml"
    file.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    vs.refused("count", "--log", vs.log, "--store", vs.store, "--until-end", "--election", file, says=says)
