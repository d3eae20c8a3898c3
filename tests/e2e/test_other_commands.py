"""doctor, init, init --sample, completions: what a person types besides counting."""

from __future__ import annotations

import json
import tomllib

import pytest

from tests.e2e.harness import Harness, agree
from tests.oracle.count import Candidate, Count, count_bytes, poll, us_president_2024
from tests.oracle.generate import Stream, ndjson


def test_doctor(vs: Harness) -> None:
    data = ndjson(Stream(95).records(2_000), plain=True)
    vs.ingest(data)
    vs.count()
    vs.run("doctor", "--log", vs.log, "--store", vs.store)
    for segment in (vs.dir / "log").rglob("*.log"):
        segment.write_bytes(segment.read_bytes()[: segment.stat().st_size // 3])
    outcome = vs.run("doctor", "--log", vs.log, "--store", vs.store, status=1)
    assert "✗" in outcome.text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions(vs: Harness, shell: str) -> None:
    text = vs.run("completions", shell).text
    assert "votestream" in text and "recount" in text


def definition(vs: Harness, *flags: object) -> str:
    """What `init` writes, to stdout or into a file of the directory."""
    before = set(vs.dir.rglob("*.toml"))
    outcome = vs.run("init", *flags)
    written = sorted(set(vs.dir.rglob("*.toml")) - before)
    return written[0].read_text() if written else outcome.text


@pytest.mark.parametrize("preset", ["us-president-2024", "poll"])
def test_init_writes_a_commented_example(vs: Harness, preset: str) -> None:
    text = definition(vs, "--election", preset)
    assert tomllib.loads(text)["id"] == preset
    assert sum(line.startswith("#") for line in text.splitlines()) >= 10
    vs.ingest(b"\n")
    vs.count("--election", vs.file("mine.toml", text.encode()))
    assert vs.results()["election"]["id"] == preset


def test_init_overwrites_nothing(vs: Harness) -> None:
    vs.run("init")
    files = {path: path.read_bytes() for path in vs.dir.rglob("*.toml")}
    if files:
        vs.run("init", status=2)
        assert {path: path.read_bytes() for path in vs.dir.rglob("*.toml")} == files


@pytest.mark.parametrize("flags", [("--election", "poll"), ()], ids=["said at ingest", "said at count only"])
def test_a_poll(vs: Harness, flags: tuple[str, ...]) -> None:
    described = tomllib.loads(definition(vs, "--election", "poll"))
    candidates = [Candidate(c["id"], c["name"]) for c in described["candidates"]]
    records = []
    for n in range(2_000):
        choice = candidates[n % len(candidates)]
        records.append(json.dumps({"id": n % 1_500, "decision": [choice.id, choice.name.upper()][n % 2], "age": n % 30, "gender": "?", "state": n, "time": "?"}).encode())
    records += [b"{}", b'{"id":1}', b'{"id":9999,"decision":"none of them"}', b"rubbish"]
    vs.ingest(ndjson(records), *flags)
    vs.count("--election", "poll")
    count = Count(poll(candidates))
    for record in records:
        count.add(record)
    results, right = vs.results(), count.results()
    assert {c["id"]: c["votes"] for c in results["candidates"]} == {c["id"]: c["votes"] for c in right["candidates"]}
    for key in ("records", "counted", "duplicate", "rejected"):
        assert results[key] == right[key]
    assert not results["regions"] or sum(region["counted"] for region in results["regions"]) == results["counted"]


def test_several_elections_in_one_store(vs: Harness) -> None:
    data = ndjson(Stream(96).records(2_000), plain=True)
    vs.ingest(data)
    vs.count()
    other = f"dir:{vs.dir}/other"
    vs.run("ingest", vs.file("poll.ndjson", b'{"id":1,"decision":"nobody"}\n'), "--log", other)
    vs.run("count", "--log", other, "--store", vs.store, "--until-end", "--election", "poll")
    vs.refused("results", "--store", vs.store, says=("us-president-2024", "poll", "--election"))
    agree(vs.results("--election", "us-president-2024"), count_bytes(us_president_2024(), data))
    assert vs.results("--election", "poll")["records"] == 1
    vs.recount("--election", "us-president-2024")


STRANGE = [
    {"voter": f"v-{n}", "vote": ["Anna Berg", "Carl Dahl", "Eva Falk"][n % 3], "canton": ["Zug", "Uri", "Bern"][n % 7 % 3], "sex": ["Female", "Male"][n % 2], "years": 20 + n % 60}
    for n in range(3_000)
]  # fmt: skip


def test_a_definition_drafted_from_records_counts_them(vs: Harness) -> None:
    """Fields, regions and candidates are found in the records; then `count` counts every one of them."""
    data = "\n".join(json.dumps(event) for event in STRANGE).encode()
    text = definition(vs, "--sample", vs.file("strange.ndjson", data))
    for name in ("voter", "vote", "canton", "Anna Berg", "Carl Dahl", "Eva Falk", "Zug", "Uri", "Bern"):
        assert name in text, text
    file = vs.file("drafted.toml", text.encode())
    vs.ingest(data, "--election", file)
    vs.count("--election", file)
    results = vs.results()
    assert (results["records"], results["counted"], results["rejected"]) == (3_000, 3_000, 0)
    assert sorted(c["votes"] for c in results["candidates"]) == [1_000, 1_000, 1_000]
    by_name = {r["name"]: r["counted"] for r in results["regions"]}
    for canton in ("Zug", "Uri", "Bern"):
        assert by_name[canton] == sum(event["canton"] == canton for event in STRANGE)


def test_a_definition_drafted_from_a_log_counts_that_log(vs: Harness) -> None:
    """`init --sample LOG-URL`, after which `count` counts what is in that log."""
    vs.ingest("\n".join(json.dumps(event) for event in STRANGE).encode())
    text = definition(vs, "--sample", vs.log)
    vs.count("--election", vs.file("drafted.toml", text.encode()))
    results = vs.results()
    assert (results["records"], results["counted"], results["rejected"]) == (3_000, 3_000, 0)


def test_sampling_our_own_events_gives_the_presets_counts(vs: Harness) -> None:
    data = vs.run("simulate", "--votes", 20_000).out
    text = definition(vs, "--sample", vs.file("votes.ndjson", data))
    vs.ingest(data)
    vs.count("--election", vs.file("drafted.toml", text.encode()))
    results = vs.results()
    oracle = count_bytes(us_president_2024(), data)
    assert results["counted"] == oracle["counted"] == 20_000
    by_name = {c["name"]: c["votes"] for c in results["candidates"]}
    assert {name: votes for name, votes in by_name.items() if votes} == {c["name"]: c["votes"] for c in oracle["candidates"] if c["votes"]}
