"""`up --votes N --exit-when-done` counts exactly the expected votes, prints the final table and the proof line."""

from __future__ import annotations

import json
import re

import pytest

from tests.e2e.harness import Harness, agree
from tests.oracle.count import count_bytes, us_president_2024


@pytest.mark.parametrize(("votes", "flags"), [(100_000, ()), (30_000, ("--order", "shuffled")), (20_000, ("--duplicate", "last")), (1, ())])
def test_up_to_its_end(vs: Harness, votes: int, flags: tuple[str, ...]) -> None:
    up = vs.up("--votes", votes, "--seed", 5, "--rate", "max", "--exit-when-done", *flags)
    outcome = up.process.wait()
    assert outcome.status == 0, outcome.err + outcome.text
    proof = re.search(r"recount: identical, ledger ([0-9a-f]{8,64})", outcome.text)
    assert proof, outcome.text
    assert "Donald Trump" in outcome.text and "Kamala Harris" in outcome.text

    expected = vs.dir / "expected.json"
    stream = vs.run("simulate", "--votes", votes, "--seed", 5, "--expected", expected, *flags).out
    results = vs.results(store=up.store)
    agree(results, json.loads(expected.read_text()), count_bytes(us_president_2024(), stream))
    assert results["status"] == "complete" and results["election"]["simulated"] is True
    assert results["expected"] == votes == results["counted"]
    assert results["ledger"]["digest"].startswith(proof.group(1))
    assert results["ledger"]["records"] == votes
    vs.recount(log=up.log, store=up.store)


def test_the_winner_is_decided_region_by_region(vs: Harness) -> None:
    """A simulation's total is exact: at its end every seat is decided, 312 to 226 as in 2024."""
    up = vs.up("--votes", 300_000, "--rate", "max", "--exit-when-done")
    assert up.process.wait().status == 0
    seats = {c["id"]: c["seats"] for c in vs.results(store=up.store)["candidates"]}
    assert seats["trump"] == {"leading": 0, "decided": 312}
    assert seats["harris"] == {"leading": 0, "decided": 226}
