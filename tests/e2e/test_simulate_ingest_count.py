"""simulate → ingest → count → results agrees with the expected file and with the oracle."""

from __future__ import annotations

import pytest

from tests.e2e.harness import Harness, agree
from tests.oracle.count import certified_votes, count_file, us_president_2024

VOTES = 30_000
FAULTS = "duplicates=0.02,invalid=0.01,changed=0.01"


@pytest.mark.parametrize("order", ["night", "shuffled"])
@pytest.mark.parametrize("policy", ["first", "last"])
def test_three_answers_are_one(vs: Harness, policy: str, order: str) -> None:
    expected = vs.dir / "expected.json"
    stream = vs.run(
        "simulate", "--votes", VOTES, "--seed", 7, "--order", order, "--faults", FAULTS, "--duplicate", policy,
        "--expected", expected,
    ).out  # fmt: skip
    votes = vs.file("votes.ndjson", stream)
    oracle = count_file(us_president_2024(duplicate=policy), votes)
    assert oracle["counted"] == VOTES
    assert oracle["duplicate"] > VOTES * 0.02
    assert oracle["rejected"] > VOTES * 0.005

    vs.run("ingest", votes, "--log", vs.log)
    vs.count("--duplicate", policy)
    results = vs.results()
    agree(results, oracle, _json(expected))
    vs.recount()


def test_faults_hold_every_reason(vs: Harness) -> None:
    stream = vs.run("simulate", "--votes", VOTES, "--seed", 8, "--faults", "invalid=0.05").out
    rejects = count_file(us_president_2024(), vs.file("votes.ndjson", stream))["rejects"]
    reasons = {"too_large", "malformed", "missing_id", "invalid_id", "unknown_region", "unknown_candidate",
               "invalid_age", "under_age", "invalid_gender", "invalid_time"}  # fmt: skip
    assert set(rejects) == reasons


def test_straight_into_a_log_is_the_same(vs: Harness) -> None:
    options = ("--votes", VOTES, "--seed", 9, "--faults", FAULTS)
    stream = vs.run("simulate", *options).out
    vs.run("simulate", *options, "--to", vs.log)
    again = vs.run("simulate", *options, "--to", vs.log)
    again.says("0 records appended", f"{len(stream.splitlines()):,} were there from an earlier run")
    vs.count()
    agree(vs.results(), count_file(us_president_2024(), vs.file("votes.ndjson", stream)))


def test_the_same_seed_gives_the_same_bytes_another_seed_others(vs: Harness) -> None:
    one, two, other = (vs.run("simulate", "--votes", 5_000, "--seed", seed).out for seed in (1, 1, 2))
    assert one == two != other
    assert len(one.splitlines()) == 5_000


def test_a_part_of_the_election_keeps_its_proportions(vs: Harness) -> None:
    """Largest remainder: no state and candidate is a whole vote or more away from its exact share."""
    stream = vs.run("simulate", "--votes", 100_000, "--seed", 3).out
    results = count_file(us_president_2024(), vs.file("votes.ndjson", stream))
    assert results["counted"] == results["records"] == 100_000
    certified = certified_votes()
    for region in results["regions"]:
        for candidate, votes in region["votes"].items():
            exact = certified[region["code"]][candidate] * 100_000 / 155_212_715
            assert abs(votes - exact) < 1, (region["code"], candidate, votes, exact)


def test_fewer_votes_than_cells(vs: Harness) -> None:
    for votes in (1, 7, 50):
        expected = vs.dir / f"expected-{votes}.json"
        stream = vs.run("simulate", "--votes", votes, "--expected", expected).out
        agree(_json(expected), count_file(us_president_2024(), vs.file("votes.ndjson", stream)))
        assert len(stream.splitlines()) == votes


def _json(path):
    import json

    return json.loads(path.read_text())
