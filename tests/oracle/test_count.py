"""The oracle's own tests: hostile records with the outcome that the interface's text gives them."""

from __future__ import annotations

import io
import json
import random

import pytest

from tests.oracle import strict_json
from tests.oracle.count import (
    LINE_BYTES_MAX,
    REASONS,
    Candidate,
    Count,
    certified_votes,
    count_bytes,
    lines,
    poll,
    us_president_2024,
)

GOOD = '"id":1234567890123456,"gender":"Female","age":41,"state":"Ohio","decision":"Kamala Harris"'


def vote(**changes: object) -> bytes:
    """A valid vote with keys replaced; `...` leaves a key out. A value given as bytes is written as it is."""
    event = {"id": 7, "gender": "Male", "age": 50, "state": "Ohio", "decision": "Donald Trump"} | changes
    parts = []
    for key, value in event.items():
        if value is not ...:
            parts.append(json.dumps(key).encode() + b":" + (value if isinstance(value, bytes) else json.dumps(value).encode()))
    return b"{" + b",".join(parts) + b"}"


COUNTED = "counted"
DEEP = b"[" * 30_000 + b"]" * 30_000

# fmt: off
PRESIDENTIAL = [
    # as the interface writes it
    (b"{%s}" % GOOD.encode(), COUNTED),
    (b"  \t{%s}  \r" % GOOD.encode(), COUNTED),
    (vote(extra={"id": 9, "deep": [1, 2, {"x": None}]}), COUNTED),
    (vote(gender=None, age=None, time=None), COUNTED),
    (vote(gender=..., age=..., time=...), COUNTED),
    # the document
    (b"", "malformed"),
    (b"null", "malformed"),
    (b"true", "malformed"),
    (b"12", "malformed"),
    (b'"text"', "malformed"),
    (b"[]", "malformed"),
    (b"[" + vote() + b"]", "malformed"),
    (b"{", "malformed"),
    (vote()[:-1], "malformed"),
    (vote()[:20], "malformed"),
    (vote() + b"}", "malformed"),
    (vote() + vote(), "malformed"),
    (vote() + b",", "malformed"),
    (vote()[:-1] + b",}", "malformed"),
    (b"{'id':7}", "malformed"),
    (b"{id:7}", "malformed"),
    (vote()[:-1] + b',"x":NaN}', "malformed"),
    (vote()[:-1] + b',"x":Infinity}', "malformed"),
    (vote()[:-1] + b',"x":-Infinity}', "malformed"),
    (vote()[:-1] + b',"x":01}', "malformed"),
    (vote()[:-1] + b',"x":+1}', "malformed"),
    (vote()[:-1] + b',"x":.5}', "malformed"),
    (vote()[:-1] + b',"x":5.}', "malformed"),
    (vote()[:-1] + b',"x":1e}', "malformed"),
    (vote()[:-1] + b',"x":0x10}', "malformed"),
    (vote()[:-1] + b',"x":TRUE}', "malformed"),
    (vote()[:-1] + b',"x":"\x01"}', "malformed"),
    (vote()[:-1] + b',"x":"a\tb"}', "malformed"),
    (vote()[:-1] + b',"x":"\\q"}', "malformed"),
    (vote()[:-1] + b',"x":"\\u12"}', "malformed"),
    (vote()[:-1] + b',"x":"\\u12g4"}', "malformed"),
    (vote()[:-1] + b',"x":[1,]}', "malformed"),
    (vote()[:-1] + b',"x" 1}', "malformed"),
    (vote()[:-1] + b',"x":}', "malformed"),
    (vote()[:-1] + b',7:1}', "malformed"),
    (vote() + b" // note", "malformed"),
    (b"/* note */" + vote(), "malformed"),
    (b"\xef\xbb\xbf" + vote(), "malformed"),
    (b"\xc2\xa0" + vote(), "malformed"),
    (b"\x00" + vote(), "malformed"),
    (vote() + b"\x00", "malformed"),
    (b"\xff\xfe{\x00}\x00", "malformed"),
    (vote()[:-1] + b',"x":"\xff"}', "malformed"),
    (vote()[:-1] + b',"x":"\xc0\xaf"}', "malformed"),
    (vote()[:-1] + b',"x":"\xed\xa0\x80"}', "malformed"),
    (vote()[:-1] + b',"x":"\xf4\x90\x80\x80"}', "malformed"),
    (vote()[:-1] + b',"x":"\xe2\x82"}', "malformed"),
    (vote()[:-1] + b',"x":1e400,"y":-0,"z":1E-999}', COUNTED),
    (vote()[:-1] + b',"x":' + b"9" * 5_000 + b"}", COUNTED),
    (vote()[:-1] + b',"x":' + DEEP + b"}", COUNTED),
    (vote()[:-1] + b',"x":' + b"[" * 60_000 + b"}", "malformed"),
    (vote()[:-1] + b',"x":' + b'{"x":' * 10_000 + b"1" + b"}" * 10_000 + b"}", COUNTED),
    (b"[" * 60_000, "malformed"),
    (vote()[:-1] + b',"\\u00ff":"\\ud83d\\ude00 \\/\\b\\f"}', COUNTED),
    # id
    (vote(id=...), "missing_id"),
    (vote(id=None), "missing_id"),
    (b"{}", "missing_id"),
    (vote(id=0), COUNTED),
    (vote(id=18446744073709551615), COUNTED),
    (vote(id=18446744073709551616), "invalid_id"),
    (vote(id=b"9" * 40), "invalid_id"),
    (vote(id=-1), "invalid_id"),
    (vote(id=b"12.0"), "invalid_id"),
    (vote(id=b"12.5"), "invalid_id"),
    (vote(id=b"1e3"), "invalid_id"),
    (vote(id=b"1E0"), "invalid_id"),
    (vote(id=b"007"), "malformed"),
    (vote(id=""), "invalid_id"),
    (vote(id="x"), COUNTED),
    (vote(id="x" * 128), COUNTED),
    (vote(id="x" * 129), "invalid_id"),
    (vote(id="ü" * 64), COUNTED),
    (vote(id="ü" * 65), "invalid_id"),
    (vote(id="ü" * 65, state="Nowhere"), "invalid_id"),
    (vote(id="🗳" * 32), COUNTED),
    (vote(id=b'"' + "ü".encode() * 64 + b'"'), COUNTED),
    (vote(id="18446744073709551616"), COUNTED),
    (vote(id="-5"), COUNTED),
    (vote(id="12.0"), COUNTED),
    (vote(id="0f8fad5b-d9cb-469f-a165-70867728950e"), COUNTED),
    (vote(id=True), "invalid_id"),
    (vote(id=[7]), "invalid_id"),
    (vote(id={"id": 7}), "invalid_id"),
    (vote()[:-1] + b',"id":null}', "missing_id"),
    (vote()[:-1] + b',"id":""}', "invalid_id"),
    (vote(id=None)[:-1] + b',"id":7}', COUNTED),
    (vote(id=...)[:-1] + b',"\\u0069\\u0064":7}', COUNTED),
    (vote(id=...)[:-1] + b',"ID":7}', "missing_id"),
    # region
    (vote(state=...), "unknown_region"),
    (vote(state=None), "unknown_region"),
    (vote(state=""), "unknown_region"),
    (vote(state="Ohioo"), "unknown_region"),
    (vote(state="oh"), COUNTED),
    (vote(state="OH"), COUNTED),
    (vote(state="  oHiO "), COUNTED),
    (vote(state="O\\u0048"), "unknown_region"),
    (vote(state=b'"\\u004fh"'), COUNTED),
    (vote(state="New  York"), "unknown_region"),
    (vote(state="district of columbia"), COUNTED),
    (vote(state=17), "unknown_region"),
    (vote(state=["OH"]), "unknown_region"),
    (vote(state="PR"), "unknown_region"),
    (vote(state="O\u0000H"), "unknown_region"),
    # candidate
    (vote(decision=...), "unknown_candidate"),
    (vote(decision=None), "unknown_candidate"),
    (vote(decision=1), "unknown_candidate"),
    (vote(decision="Joe Biden"), "unknown_candidate"),
    (vote(decision="harris"), COUNTED),
    (vote(decision=" KAMALA harris\t"), COUNTED),
    (vote(decision="STEIN"), COUNTED),
    (vote(decision="other"), COUNTED),
    (vote(decision="Other", state="Nowhere"), "unknown_region"),
    (vote()[:-1] + b',"decision":"nobody"}', "unknown_candidate"),
    # age
    (vote(age=18), COUNTED),
    (vote(age=17), "under_age"),
    (vote(age=0), "under_age"),
    (vote(age=150), COUNTED),
    (vote(age=151), "invalid_age"),
    (vote(age=b"99999999999999999999999"), "invalid_age"),
    (vote(age=-1), "invalid_age"),
    (vote(age=b"41.0"), "invalid_age"),
    (vote(age=b"4e1"), "invalid_age"),
    (vote(age=True), "invalid_age"),
    (vote(age=[41]), "invalid_age"),
    (vote(age="30-44"), COUNTED),
    (vote(age=" 65+ "), COUNTED),
    (vote(age="25-34"), "invalid_age"),
    (vote(age="old"), "invalid_age"),
    (vote(age=""), "invalid_age"),
    (vote(age=-1, gender="x"), "invalid_age"),
    (vote(age=17, gender="x"), "under_age"),
    # gender
    (vote(gender="female"), COUNTED),
    (vote(gender=" OTHER "), COUNTED),
    (vote(gender="Unknown"), COUNTED),
    (vote(gender="x"), "invalid_gender"),
    (vote(gender=""), "invalid_gender"),
    (vote(gender=1), "invalid_gender"),
    (vote(gender="x", time="never"), "invalid_gender"),
    # time
    (vote(time="2024-11-05T20:15:00Z"), COUNTED),
    (vote(time="2024-11-05T20:15:00.123456789+05:30"), COUNTED),
    (vote(time="2024-11-05t20:15:00z"), COUNTED),
    (vote(time="2024-11-05T20:15:00"), "invalid_time"),
    (vote(time="2024-02-30T20:15:00Z"), "invalid_time"),
    (vote(time="2023-02-29T20:15:00Z"), "invalid_time"),
    (vote(time="2024-02-29T20:15:00Z"), COUNTED),
    (vote(time="2024-11-05T24:15:00Z"), "invalid_time"),
    (vote(time="2024-11-05T20:60:00Z"), "invalid_time"),
    (vote(time="2024-13-05T20:15:00Z"), "invalid_time"),
    (vote(time="2024-11-05"), "invalid_time"),
    (vote(time="05.11.2024 20:15"), "invalid_time"),
    (vote(time=""), "invalid_time"),
    (vote(time=1730837700), "invalid_time"),
    # size
    (vote(pad="x" * (LINE_BYTES_MAX - len(vote(pad="")))), COUNTED),
    (vote(pad="x" * (LINE_BYTES_MAX + 1 - len(vote(pad="")))), "too_large"),
    (b"x" * (LINE_BYTES_MAX + 1), "too_large"),
    (b"x" * LINE_BYTES_MAX, "malformed"),
]
# fmt: on


def short(record: object) -> str:
    return (record[:60].decode("ascii", "backslashreplace") + f"…{len(record)}") if isinstance(record, bytes) else str(record)


@pytest.mark.parametrize(("record", "outcome"), PRESIDENTIAL, ids=short)
def test_presidential(record: bytes, outcome: str) -> None:
    assert Count(us_president_2024()).add(record) == outcome


def test_the_table_is_large_and_holds_every_reason_without_hours_and_routing() -> None:
    assert len(PRESIDENTIAL) >= 80
    assert {outcome for _, outcome in PRESIDENTIAL} >= set(REASONS) - {"outside_voting_hours", "misrouted"}


VOTESTREAM = {
    "voter_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "candidate_id": "harris",
    "gender": "female",
    "registered_age": 33,
    "address": {"street": "1 Main St", "state": "Texas"},
    "voting_time": "2024-11-05 20:15:00",
}


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, COUNTED),
        ({"candidate_id": ..., "candidate_name": "Jill Stein"}, COUNTED),
        ({"candidate_id": ...}, "unknown_candidate"),
        ({"candidate_id": "nobody"}, "unknown_candidate"),
        ({"voter_id": ...}, "missing_id"),
        ({"voter_id": ..., "id": 5}, "missing_id"),
        ({"voter_id": 5}, COUNTED),
        ({"voter_id": []}, "invalid_id"),
        ({"address": ...}, "unknown_region"),
        ({"address": None}, "unknown_region"),
        ({"address": "Texas"}, "unknown_region"),
        ({"address": {}}, "unknown_region"),
        ({"address": ..., "address.state": "Texas"}, "unknown_region"),
        ({"address": ..., "state": "Texas"}, "unknown_region"),
        ({"address": {"state": "tx"}}, COUNTED),
        ({"registered_age": 17}, "under_age"),
        ({"registered_age": "many"}, "invalid_age"),
        ({"registered_age": ..., "age": 3}, COUNTED),
        ({"gender": "none"}, "invalid_gender"),
        ({"voting_time": "2024-11-05T20:15:00Z"}, "invalid_time"),
        ({"voting_time": "2024-11-31 20:15:00"}, "invalid_time"),
        ({"voting_time": "soon"}, "invalid_time"),
        ({"voting_time": 5}, "invalid_time"),
        ({"voting_time": None}, COUNTED),
    ],
    ids=str,
)
def test_votestream(changes: dict, outcome: str) -> None:
    event = {key: value for key, value in (VOTESTREAM | changes).items() if value is not ...}
    assert Count(us_president_2024(mapping="votestream")).add(json.dumps(event).encode()) == outcome


@pytest.mark.parametrize(
    ("record", "outcome"),
    [
        (b'{"id":1,"decision":"Yes"}', COUNTED),
        (b'{"id":1,"decision":"no","age":3,"gender":"?","state":5,"time":"never"}', COUNTED),
        (b'{"id":1}', "unknown_candidate"),
        (b'{"decision":"Yes"}', "missing_id"),
        (b"[]", "malformed"),
    ],
)
def test_poll(record: bytes, outcome: str) -> None:
    assert Count(poll([Candidate("yes", "Yes"), Candidate("no", "No")])).add(record) == outcome


@pytest.mark.parametrize(
    ("ids", "counted"),
    [
        ([b"12", b'"12"'], 1),
        ([b"12", b'"012"'], 2),
        ([b'"012"', b'"012"'], 1),
        ([b'"A"', b'"a"'], 2),
        ([b'" 12"', b"12"], 2),
        ([b'"\\u0031\\u0032"', b"12"], 1),
        ([b'"18446744073709551615"', b"18446744073709551615"], 1),
        ([b'"18446744073709551616"', b'"18446744073709551616"'], 1),
        ([b"0", b'"0"'], 1),
        ([b'"-0"', b'"0"'], 2),
        ([b'"12.0"', b"12"], 2),
        ([b'"\xc3\xbc"', b'"\\u00fc"'], 1),
        ([b'"\xc3\xbc"', b'"u\\u0308"'], 2),
        ([b'"3f2504e0-4f89-11d3-9a0c-0305e82c3301"', b'"3F2504E0-4F89-11D3-9A0C-0305E82C3301"'], 1),
        ([b'"3f2504e04f8911d39a0c0305e82c3301"', b'"3F2504E04F8911D39A0C0305E82C3301"'], 2),
    ],
    ids=str,
)
def test_who_is_the_same_voter(ids: list[bytes], counted: int) -> None:
    results = count_bytes(us_president_2024(), b"\n".join(vote(id=voter) for voter in ids))
    assert (results["counted"], results["duplicate"]) == (counted, len(ids) - counted)


def test_first_keeps_the_first_and_last_the_last() -> None:
    stream = b"\n".join(
        [
            vote(id=1, decision="nobody"),
            vote(id=1, decision="Donald Trump", state="OH"),
            vote(id=1, decision="Kamala Harris", state="TX"),
            vote(id=1, age=3),
            vote(id=2, decision="Jill Stein"),
            vote(id=2, decision="Jill Stein"),
        ]
    )
    for policy, votes, ohio in (("first", "trump", 2), ("last", "harris", 1)):
        results = count_bytes(us_president_2024(duplicate=policy), stream)
        assert (results["records"], results["counted"], results["duplicate"], results["rejected"]) == (6, 2, 2, 2)
        assert {c["id"]: c["votes"] for c in results["candidates"] if c["votes"]} == {votes: 1, "stein": 1}
        assert {r["code"]: r["counted"] for r in results["regions"]}["OH"] == ohio
        assert results["rejects"] == {"unknown_candidate": 1, "under_age": 1}


def test_lines() -> None:
    at_limit = b"a" * LINE_BYTES_MAX
    data = b"\n".join(
        [
            b"one",
            b"",
            b" \t ",
            b"two\r",
            b"\r",
            at_limit,
            at_limit + b"\r",
            at_limit + b"b",
            at_limit + b"b\r",
            at_limit + b"\rb",
            b" " * 200_000,
            b"c" * 3_000_000,
            b"in\rside",
            b"last",
        ]
    )
    found = [(line[:10], oversize) for line, oversize in lines(io.BytesIO(data))]
    assert found == [
        (b"one", False),
        (b"two", False),
        (b"a" * 10, False),
        (b"a" * 10, False),
        (b"a" * 10, True),
        (b"a" * 10, True),
        (b"a" * 10, True),
        (b"c" * 10, True),
        (b"in\rside", False),
        (b"last", False),
    ]


def test_the_preset_holds_the_certified_figures() -> None:
    election = us_president_2024()
    assert len(election.regions) == 51
    assert sum(region.seats for region in election.regions) == 538
    assert sum(region.expected for region in election.regions) == 155_212_715
    assert {r.code: r.expected for r in election.regions}["OH"] == 5_767_788
    assert sum(certified_votes()["PA"].values()) == 7_034_206


def test_both_scanners_agree() -> None:
    """Mutations of real records: the standard decoder made strict and our iterative one give the same answer."""
    random_ = random.Random(5)
    pieces = [b'{"a":', b"[", b"]", b"}", b",", b":", b'"x"', b"1", b"-0", b"1.5e3", b"null", b"tru", b" ", b'"\\ud83d\\ude00"', b"\\", b'"\\u00e', b"NaN", b"01", "é".encode(), b"\xff"]
    documents = [record for record, _ in PRESIDENTIAL if len(record) < 5_000]
    for _ in range(20_000):
        data = bytearray(random_.choice(documents))
        for _ in range(random_.randint(1, 3)):
            at = random_.randint(0, len(data))
            match random_.randint(0, 2):
                case 0:
                    data[at : at + random_.randint(1, 4)] = b""
                case 1:
                    data[at:at] = random_.choice(pieces)
                case 2:
                    data[at : at + 1] = bytes([random_.randint(0, 255)])
        answers = []
        for parse in (strict_json.parse, strict_json.parse_iteratively):
            try:
                answers.append(parse(bytes(data)))
            except strict_json.Malformed:
                answers.append("malformed")
        assert answers[0] == answers[1], bytes(data)
