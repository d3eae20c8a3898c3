"""Results in the form of NIST SP 1500-100 version 2: valid by the published schema, every reference to the right thing, every total that of
`results --format json`."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from tests.e2e.harness import Harness, adds_up, free_port, toml_text
from tests.oracle.generate import Stream, ndjson

SCHEMA = json.loads((pathlib.Path(__file__).parent / "nist/nist-1500-100-v2.json").read_text())
VALIDATOR = jsonschema.Draft4Validator(SCHEMA, format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER)
DEFINITIONS = SCHEMA["definitions"]

HOSTILE = ("<img src=x onerror=alert(1)>", "\u200fعبد الله", '"quoted" & \'so\' </script>', "]]> -- 名前", "=HYPERLINK(1)", "Ὀδυσσεύς 🗳️")
BOARD = """
id = "board"
name = "Board of </script> & sons"
time_zone = "Pacific/Auckland"
"""


def elements(value: Any) -> Iterator[dict]:
    """Every element of a report."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from elements(inner)


def valid(report: dict) -> dict:
    """The report, once the schema and its `refTypes` find nothing wrong."""
    errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in VALIDATOR.iter_errors(report)]
    assert not errors, errors[:10]
    identified = [(element["@id"], element["@type"]) for element in elements(report) if "@id" in element]
    kinds = dict(identified)
    assert len(kinds) == len(identified), "an @id is given twice"
    for element in elements(report):
        for name, field in DEFINITIONS[element["@type"]]["properties"].items():
            allowed = field.get("refTypes") or field.get("items", {}).get("refTypes")
            if allowed and name in element:
                named = element[name] if isinstance(element[name], list) else [element[name]]
                assert all(kinds.get(one) in allowed for one in named), (element["@type"], name, named)
    return report


def votes(report: dict, kind: str = "total") -> dict[tuple[str, str], int]:
    """Counts by candidate and unit."""
    [contest] = report["Election"][0]["Contest"]
    found = [
        ((selection["CandidateIds"][0].removeprefix("candidate-"), count["GpUnitId"]), count["Count"])
        for selection in contest["ContestSelection"] for count in selection["VoteCounts"] if count["Type"] == kind
    ]  # fmt: skip
    assert len(dict(found)) == len(found)
    return dict(found)


def says_the_same(report: dict, results: dict) -> None:
    """Every number of the results is in the report, and no other."""
    adds_up(results)
    expected = {(c["id"], "electorate"): c["votes"] for c in results["candidates"]}
    for region in results["regions"]:
        expected |= {(id, f"region-{region['code']}"): many for id, many in region["votes"].items()}
    assert votes(report) == expected
    cast = {b["GpUnitId"]: b["BallotsCast"] for b in report["Election"][0]["BallotCounts"]}
    assert cast == {"electorate": results["counted"]} | {f"region-{r['code']}": r["counted"] for r in results["regions"]}
    seats = votes(report, "seats")
    assert {id: many for (id, unit), many in seats.items() if unit == "electorate"} == (
        {c["id"]: c["seats"]["decided"] for c in results["candidates"]} if results["election"]["seats_to_win"] else {}
    )
    codes = {e["Value"] for e in report["ExternalIdentifier"]}
    assert codes == {str(results["sequence"]), results["ledger"]["digest"]}


def nist(vs: Harness, *flags: str, store: str | None = None) -> dict:
    return valid(vs.run("results", "--store", store or vs.store, "--format", "nist", *flags).json())


def test_a_running_count_and_its_past(vs: Harness) -> None:
    vs.ingest(ndjson(Stream(71).records(6_000), 71))
    vs.count()
    report, results = nist(vs), vs.results()
    says_the_same(report, results)
    assert report["Status"] == "unofficial-partial" and report["Election"][0]["StartDate"] == "2024-11-05"
    assert report["Election"][0]["Type"] == "general"
    units = {unit["@id"]: unit for unit in report["GpUnit"]}
    assert units["electorate"]["Type"] == "country" and len(units["electorate"]["ComposingGpUnitIds"]) == 51
    assert units["region-OH"]["ExternalIdentifier"][0]["Value"] == "ocd-division/country:us/state:oh"
    for at in ("2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z"):
        past = nist(vs, "--at", at)
        says_the_same(past, vs.results("--at", at))
        assert at[:4] in past["Notes"]
    ohio = nist(vs, "--region", "oh")
    region = next(r for r in results["regions"] if r["code"] == "OH")
    assert votes(ohio) == {(id, "region-OH"): many for id, many in region["votes"].items()}
    assert [unit["@id"] for unit in ohio["GpUnit"]] == ["region-OH"]
    vs.refused("results", "--store", vs.store, "--format", "nist", "--region", "ZZ", says=("region", "ZZ"))


def test_the_server_says_what_the_command_says(vs: Harness) -> None:
    vs.ingest(ndjson(Stream(72).records(3_000), 72))
    vs.count()
    _, api = vs.serve()
    answer = api.get("/api/export/nist.json")
    assert answer.status == 200 and answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"].endswith('-nist.json"')
    assert valid(answer.json()) == nist(vs)
    again = api.get("/api/export/nist.json", headers={"if-none-match": answer.headers["etag"]})
    assert again.status == 304 and again.body == b""
    at = "2100-01-01T00:00:00Z"
    assert valid(api.json(f"/api/export/nist.json?at={at}")) == nist(vs, "--at", at)
    assert api.problem(400, "GET", "/api/export/nist.json?at=never")["parameter"] == "at"
    assert api.problem(400, "GET", "/api/export/nist.json?format=xml")["parameter"] == "format"
    assert "/api/export/nist.json" in api.json("/openapi.json")["paths"]


def test_what_the_desk_withholds_is_nowhere(vs: Harness) -> None:
    vs.ingest(ndjson(Stream(73).records(6_000), 73))
    vs.count()
    _, api = vs.serve()
    vs.run("hold", "--store", vs.store, "--region", "OH")
    vs.run("close", "--store", vs.store, "--region", "PA")
    report = nist(vs)
    says_the_same(report, vs.results())
    for text in (json.dumps(report), json.dumps(valid(api.json("/api/export/nist.json")))):
        assert "Ohio" not in text and "region-OH" not in text and "state:oh" not in text
    status = {unit["@id"]: unit["CountStatus"][0]["Status"] for unit in report["GpUnit"]}
    assert status["region-PA"] == "completed" and status["region-TX"] == "in-process" and status["electorate"] == "in-process"
    vs.refused("results", "--store", vs.store, "--format", "nist", "--region", "OH", says=("region", "OH"))
    # Closed as a whole, with Ohio still held: what is left out keeps the report from being complete.
    vs.run("close", "--store", vs.store)
    assert nist(vs)["Status"] == "unofficial-partial"
    vs.run("reopen", "--store", vs.store, "--region", "OH")
    vs.run("close", "--store", vs.store)
    whole = nist(vs)
    says_the_same(whole, vs.results())
    assert whole["Status"] == "unofficial-complete"


def test_a_simulated_night_is_a_test_report_and_ends(vs: Harness) -> None:
    data = vs.dir / "night"
    ports = ("--listen", f"127.0.0.1:{free_port()}", "--source-listen", f"127.0.0.1:{free_port()}")
    vs.run("up", "--data", data, "--votes", 60_000, "--rate", "max", "--exit-when-done", *ports)
    store = f"sqlite:{data / 'results.db'}"
    report, results = nist(vs, store=store), vs.results(store=store)
    says_the_same(report, results)
    assert results["status"] == "complete" and report["Status"] == "unofficial-complete"
    assert report["IsTest"] is True and report["TestType"]
    election = report["Election"][0]
    assert all(b["BallotsOutstanding"] == 0 for b in election["BallotCounts"])
    won = {c["@id"]: c.get("PostElectionStatus") for c in election["Candidate"]}
    assert won == {f"candidate-{c['id']}": "projected-winner" if c["id"] == results["winner"] else None for c in results["candidates"]}
    assert election["Contest"][0]["SubUnitsReported"] == 51
    assert sum(votes(report, "seats")[c["id"], "electorate"] for c in results["candidates"]) == 538


def test_a_poll_without_regions_or_a_date(vs: Harness) -> None:
    vs.file("none.ndjson", b"")
    vs.run("ingest", "none.ndjson", "--log", vs.log, "--format", "ndjson")
    vs.count("--election", "poll")
    empty = nist(vs)
    says_the_same(empty, vs.results())
    election = empty["Election"][0]
    assert empty["Status"] == "unofficial-partial" and election["CountStatus"][0]["Status"] == "not-processed"
    assert election["StartDate"] == election["EndDate"] == empty["GeneratedDate"][:10]
    vs.ingest(b"".join(b'{"id":%d,"decision":"%s"}\n' % (n, (b"yes", b"no")[n % 3 == 0]) for n in range(100)))
    vs.count("--election", "poll")
    report = nist(vs)
    says_the_same(report, vs.results())
    assert [unit["@id"] for unit in report["GpUnit"]] == ["electorate"] and "Party" not in report


@pytest.mark.parametrize("candidates", [1, 30])
def test_any_names(vs: Harness, candidates: int) -> None:
    rows = "".join(
        f"[[candidates]]\nid = \"c.{i}\"\nname = {toml_text(f'{HOSTILE[i % len(HOSTILE)]} {i}')}\nparty = {toml_text(('', 'Бюро', '<b>')[i % 3])}\n"
        for i in range(candidates)
    )
    regions = "".join(f"[[regions]]\ncode = \"R{i}\"\nname = {toml_text(f'{HOSTILE[-i]} land {i}')}\nregistered = 900\n" for i in range(3))
    vs.file("board.toml", (BOARD + rows + regions).encode())
    vs.ingest(b"".join(b'{"id":%d,"state":"r%d","decision":"c.%d"}\n' % (n, n % 3, n * n % candidates) for n in range(200)))
    vs.count("--election", "board.toml")
    report = nist(vs)
    says_the_same(report, vs.results())
    names = [c["BallotName"]["Text"][0]["Content"] for c in report["Election"][0]["Candidate"]]
    assert names == [f"{HOSTILE[i % len(HOSTILE)]} {i}" for i in range(candidates)]
    assert report["GpUnit"][0]["VotersRegistered"] == 2_700 and report["GpUnit"][1]["Type"] == "other"
