"""Records that the interface leaves open: each has a small set of outcomes that a careful reader may give it, one of
them must hold, and none may stop the count or lose its neighbours."""

from __future__ import annotations

import json

import pytest

from tests.e2e.harness import Harness

OPEN = {
    "an id that is null": (b'{"id":null,"state":"OH","decision":"stein"}', {"missing_id", "invalid_id"}),
    "an id of minus zero": (b'{"id":-0,"state":"OH","decision":"stein"}', {"counted", "invalid_id"}),
    "an id with half a pair": (b'{"id":"\\ud800x","state":"OH","decision":"stein"}', {"malformed", "invalid_id"}),
    "half a pair in an ignored field": (b'{"id":1,"state":"OH","decision":"stein","x":"\\udc00"}', {"malformed", "counted"}),
    "half a pair in a name": (b'{"id":1,"state":"\\ud800","decision":"stein"}', {"malformed", "unknown_region"}),
    "an age in text": (b'{"id":1,"age":"41","state":"OH","decision":"stein"}', {"counted", "invalid_age"}),
    "an age of minus zero": (b'{"id":1,"age":-0,"state":"OH","decision":"stein"}', {"invalid_age", "under_age"}),
    "no-break space around a name": ('{"id":1,"state":"\u00a0OH\u00a0","decision":"stein"}'.encode(), {"counted", "unknown_region"}),
    "a Kelvin sign for a k": ('{"id":1,"state":"OH","decision":"\u212aamala Harris"}'.encode(), {"counted", "unknown_candidate"}),
    "a leap second": (b'{"id":1,"time":"2016-12-31T23:59:60Z","state":"OH","decision":"stein"}', {"counted", "invalid_time"}),
    "a space for the T": (b'{"id":1,"time":"2024-11-05 20:15:00Z","state":"OH","decision":"stein"}', {"counted", "invalid_time"}),
    "an unknown local offset": (b'{"id":1,"time":"2024-11-05T20:15:00-00:00","state":"OH","decision":"stein"}', {"counted", "invalid_time"}),
    "the year 9999": (b'{"id":1,"time":"9999-12-31T23:59:59Z","state":"OH","decision":"stein"}', {"counted", "invalid_time"}),
    "the year 0000": (b'{"id":1,"time":"0000-01-01T00:00:00Z","state":"OH","decision":"stein"}', {"counted", "invalid_time"}),
    "space around a time": (b'{"id":1,"time":" 2024-11-05T20:15:00Z","state":"OH","decision":"stein"}', {"counted", "invalid_time"}),
    "a vertical tab as a line": (b"\x0b", {"malformed", "blank"}),
    "a no-break space as a line": ("\u00a0".encode(), {"malformed", "blank"}),
    "a NUL as a line": (b"\x00", {"malformed"}),
}  # fmt: skip


@pytest.mark.parametrize("name", OPEN)
def test_one_of_the_careful_readings(vs: Harness, name: str) -> None:
    record, allowed = OPEN[name]
    good = [b'{"id":%d,"state":"TX","decision":"trump"}' % n for n in range(101, 121)]
    rejects = vs.dir / "rejects.txt"
    vs.ingest(b"\n".join([*good[:10], record, *good[10:]]), "--rejects", rejects)
    vs.count()
    results = vs.results()
    votes = {c["id"]: c["votes"] for c in results["candidates"]}
    assert votes["trump"] == 20
    if results["records"] == 20:
        outcome = "blank"
    elif results["rejected"] == 0:
        outcome = "counted"
    else:
        outcome = next((reason for reason in allowed if reason in rejects.read_text()), rejects.read_text())
    print(json.dumps({name: outcome}))
    assert outcome in allowed
    vs.recount()


def test_one_voter_under_two_spellings_of_a_uuid(vs: Harness) -> None:
    upper, lower = (b'{"id":"%s","state":"TX","decision":"trump"}' % text for text in (b"0F8FAD5B-D9CB-469F-A165-70867728950E", b"0f8fad5b-d9cb-469f-a165-70867728950e"))
    others = [b'{"id":%d,"state":"TX","decision":"trump"}' % n for n in range(101, 121)]
    vs.ingest(b"\n".join([upper, lower, *others]))
    vs.count()
    results = vs.results()
    assert (results["counted"], results["duplicate"]) in ((21, 1), (22, 0))
    vs.recount()
