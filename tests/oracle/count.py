"""The naive count: what the interface's text says about records, in the plainest Python there is.

It reads NDJSON (bytes), judges each record, keeps one vote per voter and adds up. It is slow and holds every voter in a
dictionary; that is its purpose. Left to others: framings other than lines (tests/oracle/generate.py writes them from the
same records), the ledger, partitions.

    python3 -m tests.oracle.count --election us-president-2024 [--duplicate last] [--mapping votestream] FILE|-
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import datetime
import json
import pathlib
import re
import sys
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from tests.oracle.strict_json import Int, Malformed, has_lone_surrogate, parse

LINE_BYTES_MAX = 65_536
ID_BYTES_MAX = 128
AGE_MAX = 150

# In the order in which they hold where several apply.
REASONS = (
    "too_large", "malformed", "missing_id", "invalid_id", "unknown_region", "unknown_candidate", "invalid_age",
    "under_age", "invalid_gender", "invalid_time", "outside_voting_hours", "misrouted",
)  # fmt: skip

_DATA = pathlib.Path(__file__).parent / "data"
_INTEGER = re.compile(r"0|[1-9][0-9]*")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_VOTING_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")


@dataclasses.dataclass(frozen=True)
class Candidate:
    id: str
    name: str
    party: str | None = None


@dataclasses.dataclass(frozen=True)
class Region:
    code: str
    name: str
    seats: int | None = None
    expected: int | None = None


@dataclasses.dataclass(frozen=True)
class Election:
    """What the count must know of an election. `regions` of a poll is one region that every vote belongs to."""

    id: str
    candidates: tuple[Candidate, ...]
    regions: tuple[Region, ...]
    mapping: str = "presidential"
    duplicate: str = "first"
    genders: tuple[str, ...] = ("Male", "Female", "Other", "Unknown")
    bands: tuple[str, ...] = ()
    eligible_age: int | None = None
    hours: tuple[datetime.datetime, datetime.datetime] | None = None

    def __post_init__(self) -> None:
        lookups = {
            "region_of": {_norm(text): i for i, r in enumerate(self.regions) for text in (r.code, r.name)},
            "candidate_by_id": {_norm(c.id): i for i, c in enumerate(self.candidates)},
            "candidate_by_name": {_norm(c.name): i for i, c in enumerate(self.candidates)},
            "gender_names": {_norm(g) for g in self.genders},
            "band_labels": {_norm(b) for b in self.bands},
        }
        for name, value in lookups.items():
            object.__setattr__(self, name, value)


# The preset's age bands are those of the exit poll that shapes its electorate.
US_BANDS = ("18-29", "30-44", "45-64", "65+")


def us_president_2024(**changes: object) -> Election:
    """The preset: candidates as the interface names them, regions and expected totals from the certified figures."""
    with open(_DATA / "us-president-2024-states.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    ids = ("trump", "harris", "stein", "other")
    election = Election(
        id="us-president-2024",
        candidates=(
            Candidate("trump", "Donald Trump", "REP"),
            Candidate("harris", "Kamala Harris", "DEM"),
            Candidate("stein", "Jill Stein", "GRN"),
            Candidate("other", "Other", None),
        ),
        regions=tuple(
            Region(row["state"], row["name"], int(row["electoral_votes"]), sum(int(row[c]) for c in ids))
            for row in rows
        ),
        bands=US_BANDS,
        eligible_age=18,
    )
    return dataclasses.replace(election, **changes)


def certified_votes() -> dict[str, dict[str, int]]:
    """State code → candidate id → certified votes of 2024."""
    with open(_DATA / "us-president-2024-states.csv", newline="") as file:
        return {
            row["state"]: {c: int(row[c]) for c in ("trump", "harris", "stein", "other")}
            for row in csv.DictReader(file)
        }


def poll(candidates: Iterable[Candidate], **changes: object) -> Election:
    """An association's poll: `id` and `decision` are read, all else is ignored."""
    election = Election(id="poll", candidates=tuple(candidates), regions=(Region("all", "All"),), mapping="poll")
    return dataclasses.replace(election, **changes)


# --- judging one record ---------------------------------------------------------------------------------------------


class Reject(Exception):
    """The record is rejected for this reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclasses.dataclass(frozen=True)
class Vote:
    voter: tuple[str, object]
    region: int
    candidate: int


def judge(election: Election, record: bytes, oversize: bool = False) -> Vote:
    """The vote in `record` (without its line terminator), or Reject with the first reason that applies."""
    if oversize or len(record) > LINE_BYTES_MAX:
        raise Reject("too_large")
    try:
        event = parse(record)
    except Malformed:
        raise Reject("malformed") from None
    if not isinstance(event, dict):
        raise Reject("malformed")
    if election.mapping == "poll":
        return Vote(_voter(event.get("id")), 0, _choice(election, event.get("decision")))
    if election.mapping == "votestream":
        return _judge_votestream(election, event)
    voter = _voter(event.get("id"))
    region = _region(election, event.get("state"))
    candidate = _choice(election, event.get("decision"))
    _age(election, event.get("age"))
    _gender(election, event.get("gender"))
    _time(election, event.get("time"), _rfc3339)
    return Vote(voter, region, candidate)


def _judge_votestream(election: Election, event: dict) -> Vote:
    voter = _voter(event.get("voter_id"))
    address = event.get("address")
    region = _region(election, address.get("state") if isinstance(address, dict) else None)
    candidate = None
    by_id, by_name = event.get("candidate_id"), event.get("candidate_name")
    if isinstance(by_id, str):
        candidate = election.candidate_by_id.get(_norm(by_id))
    if candidate is None and isinstance(by_name, str):
        candidate = election.candidate_by_name.get(_norm(by_name))
    if candidate is None:
        raise Reject("unknown_candidate")
    _age(election, event.get("registered_age"))
    _gender(election, event.get("gender"))
    _time(election, event.get("voting_time"), _voting_time)
    return Vote(voter, region, candidate)


def _norm(name: str) -> str:
    """Names are compared without case and surrounding space."""
    return name.strip().lower()


def _voter(value: object) -> tuple[str, object]:
    if value is None:
        raise Reject("missing_id")
    if isinstance(value, Int):
        if _INTEGER.fullmatch(value.text) and _below_2_64(value.text):
            return ("integer", int(value.text))
        raise Reject("invalid_id")
    if not isinstance(value, str):
        raise Reject("invalid_id")
    if has_lone_surrogate(value):
        raise Reject("malformed")
    if not 1 <= len(value.encode()) <= ID_BYTES_MAX:
        raise Reject("invalid_id")
    if _INTEGER.fullmatch(value) and _below_2_64(value):
        return ("integer", int(value))
    # A UUID is one voter, however its letters are written (RFC 9562, section 4).
    return ("text", value.lower() if _UUID.fullmatch(value) else value)


def _below_2_64(digits: str) -> bool:
    return len(digits) <= 20 and int(digits) < 1 << 64


def _region(election: Election, value: object) -> int:
    region = election.region_of.get(_norm(value)) if isinstance(value, str) else None
    if region is None:
        raise Reject("unknown_region")
    return region


def _choice(election: Election, value: object) -> int:
    """A candidate's name or id."""
    candidate = None
    if isinstance(value, str):
        candidate = election.candidate_by_name.get(_norm(value), election.candidate_by_id.get(_norm(value)))
    if candidate is None:
        raise Reject("unknown_candidate")
    return candidate


def _age(election: Election, value: object) -> None:
    if value is None:
        return
    if isinstance(value, str) and _norm(value) in election.band_labels:
        return
    if not isinstance(value, Int) or not _INTEGER.fullmatch(value.text) or len(value.text) > 3:
        raise Reject("invalid_age")
    if int(value.text) > AGE_MAX:
        raise Reject("invalid_age")
    if election.eligible_age is not None and int(value.text) < election.eligible_age:
        raise Reject("under_age")


def _gender(election: Election, value: object) -> None:
    if value is None:
        return
    if not isinstance(value, str) or _norm(value) not in election.gender_names:
        raise Reject("invalid_gender")


def _time(election: Election, value: object, read) -> None:
    if value is None:
        return
    moment = read(value) if isinstance(value, str) else None
    if moment is None:
        raise Reject("invalid_time")
    if election.hours is not None and not election.hours[0] <= moment <= election.hours[1]:
        raise Reject("outside_voting_hours")


def _rfc3339(text: str) -> datetime.datetime | None:
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(match.group(i)) for i in range(1, 7))
    zone = match.group(8)
    offset = datetime.timedelta()
    if zone not in "Zz":
        hours, minutes = int(zone[1:3]), int(zone[4:6])
        if hours > 23 or minutes > 59:
            return None
        offset = datetime.timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)
    try:
        return datetime.datetime(
            year, month, day, hour, minute, min(second, 59) if second == 60 else second,
            tzinfo=datetime.timezone(offset),
        )  # fmt: skip
    except ValueError:
        return None


def _voting_time(text: str) -> datetime.datetime | None:
    if _VOTING_TIME.fullmatch(text) is None:
        return None
    try:
        return datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S")
    except ValueError:
        return None


# --- counting -------------------------------------------------------------------------------------------------------


class Count:
    """One vote per voter. `duplicate = first` keeps the first, `last` lets each later vote replace the one before."""

    def __init__(self, election: Election) -> None:
        self.election = election
        self.records = 0
        self.duplicate = 0
        self.rejected = dict.fromkeys(REASONS, 0)
        self.votes: dict[tuple[str, object], tuple[int, int]] = {}

    def add(self, record: bytes, oversize: bool = False) -> str:
        """Counts one record; says what became of it: `counted`, `duplicate` or a reason."""
        self.records += 1
        try:
            vote = judge(self.election, record, oversize)
        except Reject as reject:
            self.rejected[reject.reason] += 1
            return reject.reason
        known = vote.voter in self.votes
        if not known or self.election.duplicate == "last":
            self.votes[vote.voter] = (vote.region, vote.candidate)
        if known:
            self.duplicate += 1
            return "duplicate"
        return "counted"

    def add_lines(self, file: BinaryIO) -> "Count":
        for record, oversize in lines(file):
            self.add(record, oversize)
        return self

    def results(self) -> dict:
        """The JSON shape of results, without the ledger and what depends on clocks; `rejects` by reason on top."""
        election = self.election
        cells = {(r, c): 0 for r in range(len(election.regions)) for c in range(len(election.candidates))}
        for cell in self.votes.values():
            cells[cell] += 1
        totals = [sum(cells[r, c] for r in range(len(election.regions))) for c in range(len(election.candidates))]
        counted = len(self.votes)
        candidates = [
            {
                "id": candidate.id, "name": candidate.name, "party": candidate.party, "votes": totals[c],
                "share": totals[c] / counted if counted else 0.0,
            }
            for c, candidate in enumerate(election.candidates)
        ]  # fmt: skip
        candidates.sort(key=lambda candidate: -candidate["votes"])  # stable: ties keep the definition's order
        expected = [region.expected for region in election.regions if region.expected is not None]
        return {
            "election": {"id": election.id},
            "records": self.records,
            "counted": counted,
            "duplicate": self.duplicate,
            "rejected": sum(self.rejected.values()),
            "rejects": {reason: count for reason, count in self.rejected.items() if count},
            "expected": sum(expected) if expected else None,
            "candidates": candidates,
            "regions": [self._region(r, cells) for r in range(len(election.regions))],
        }

    def _region(self, r: int, cells: dict[tuple[int, int], int]) -> dict:
        region = self.election.regions[r]
        votes = {candidate.id: cells[r, c] for c, candidate in enumerate(self.election.candidates)}
        ranked = sorted(votes.values(), reverse=True)
        return {
            "code": region.code,
            "name": region.name,
            "seats": region.seats,
            "counted": sum(ranked),
            "expected": region.expected,
            "leader": max(votes, key=votes.get) if sum(ranked) else None,
            "margin_votes": ranked[0] - (ranked[1] if len(ranked) > 1 else 0),
            "votes": votes,
        }


_BLANK = b" \t\r\x0b\x0c"


def lines(file: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """Every non-blank line without its terminator (LF or CR LF), and whether it is over the limit. Holds at most
    LINE_BYTES_MAX and a little more of a line, however long it is."""
    while True:
        piece = file.readline(LINE_BYTES_MAX + 2)
        if not piece:
            return
        if piece.endswith(b"\n") or len(piece) < LINE_BYTES_MAX + 2:
            line = piece.removesuffix(b"\n").removesuffix(b"\r") if piece.endswith(b"\n") else piece
            if line.strip(_BLANK):
                yield line, len(line) > LINE_BYTES_MAX
            continue
        # At least LINE_BYTES_MAX + 2 bytes without a line feed: over the limit, unless what follows is the LF of CR LF.
        blank, length, last = not piece.strip(_BLANK), len(piece), piece[-1:]
        while True:
            more = file.readline(1 << 20)
            body = more.removesuffix(b"\n")
            blank = blank and not body.strip(_BLANK)
            length += len(body)
            last = body[-1:] or last
            if not more or more.endswith(b"\n"):
                break
        if more.endswith(b"\n") and last == b"\r":
            length -= 1
        if not blank:
            yield piece, length > LINE_BYTES_MAX


def count_bytes(election: Election, data: bytes) -> dict:
    """The results of NDJSON held in memory."""
    import io

    return Count(election).add_lines(io.BytesIO(data)).results()


def count_file(election: Election, path: object) -> dict:
    """The results of an NDJSON file."""
    with open(path, "rb") as file:
        return Count(election).add_lines(file).results()


def main() -> None:
    parser = argparse.ArgumentParser(description="count votes naively, as the interface's text says")
    parser.add_argument("--election", default="us-president-2024", help="us-president-2024, or poll with --candidate")
    parser.add_argument("--candidate", action="append", default=[], metavar="ID=NAME", help="poll's candidates")
    parser.add_argument("--duplicate", choices=("first", "last"), default="first")
    parser.add_argument("--mapping", choices=("presidential", "votestream"), default="presidential")
    parser.add_argument("file", help="NDJSON, or - for stdin")
    arguments = parser.parse_args()
    if arguments.election == "poll":
        election = poll(
            [Candidate(*text.split("=", 1)) for text in arguments.candidate], duplicate=arguments.duplicate
        )
    elif arguments.election == "us-president-2024":
        election = us_president_2024(duplicate=arguments.duplicate, mapping=arguments.mapping)
    else:
        parser.error(f'no preset "{arguments.election}"')
    count = Count(election)
    if arguments.file == "-":
        count.add_lines(sys.stdin.buffer)
    else:
        with open(arguments.file, "rb") as file:
            count.add_lines(file)
    json.dump(count.results(), sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
