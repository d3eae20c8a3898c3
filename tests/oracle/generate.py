"""A seeded generator of hostile streams: everything that the interface decides, in every framing.

Records that the interface leaves open (see tests/e2e/test_open_readings.py) are not generated, so that the oracle's
answer is the only right one. The same seed gives the same bytes.

    python3 -m tests.oracle.generate --seed 1 --records 100000 [--format ndjson|array|sse|csv] [--gzip] > FILE
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import random
import re
import sys
import uuid
from collections.abc import Callable, Iterable

from tests.oracle.count import LINE_BYTES_MAX, Election, us_president_2024
from tests.oracle.strict_json import Malformed, parse

GENDERS = ("Male", "Female", "Other", "Unknown")
DECOYS = ("null", "1", '"Mars"', "[]", "{}", "-1", "true", '"never"')
NAMES = ("Zoë", "Владимир", "李小龙", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "O'Brien", 'a"b', "back\\slash", "tab\there", "e\u0301", "🗳️", "\u202edlrow", "")


class Stream:
    """Records one by one. Voters that have voted come back as duplicates, with the same choice or another."""

    def __init__(self, seed: int, election: Election | None = None, large: float = 0.0005) -> None:
        self.random = random.Random(seed)
        self.election = election or us_president_2024()
        self.large = large
        self.voters: list[object] = []
        self.events: list[dict] = []

    def records(self, count: int) -> list[bytes]:
        """`count` records; the first is a plain valid one, so that no framing is mistaken for another."""
        first = self._shape(self._valid())
        rest = [self.record() for _ in range(count - 1)]
        return [json.dumps(first).encode(), *rest]

    def record(self) -> bytes:
        dice = self.random.random()
        if dice < self.large:
            return self._boundary()
        if dice < 0.70:
            return self._write(self._valid())
        if dice < 0.78 and self.events:
            return self._write(dict(self.random.choice(self.events)))
        if dice < 0.86 and self.voters:
            event = self._event(self._same_voter(self.random.choice(self.voters)))
            return self._write(event)
        return self._invalid()

    # --- valid ones ---

    def _valid(self) -> dict:
        voter = self._new_voter()
        event = self._event(voter)
        self.voters.append(voter)
        self.events.append(event)
        return event

    def _new_voter(self) -> object:
        r = self.random
        dice = r.random()
        if dice < 0.70:
            return r.randint(10**15, 10**16 - 1)
        if dice < 0.78:
            return r.randint(0, 1 << 64)  # 2^64 itself is as good as impossible
        if dice < 0.80:
            return r.choice([0, 1, (1 << 64) - 1, (1 << 63), (1 << 53) + 1])
        if dice < 0.84:
            return str(r.randint(10**5, 10**9))
        if dice < 0.87:
            return "0" + str(r.randint(10**5, 10**9))
        if dice < 0.93:
            return str(uuid.UUID(int=r.getrandbits(128), version=4))
        if dice < 0.97:
            return r.choice(NAMES) + " " + str(r.randint(0, 10**6))
        return r.choice(["x" * 128, "ü" * 64, "🗳" * 32, "-5", "18446744073709551616", "12.0", "a"]) if dice < 0.975 else (
            "".join(r.choice("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ-_.:/@ ") for _ in range(r.randint(1, 120))) + "z"
        )  # fmt: skip

    def _same_voter(self, voter: object) -> object:
        """The same voter, perhaps written the other way (`12` and `"12"`)."""
        if self.random.random() < 0.5:
            if isinstance(voter, int):
                return str(voter)
            if voter.isascii() and voter.isdigit() and (voter == "0" or voter[0] != "0") and int(voter) < 1 << 64:
                return int(voter)
        return voter

    def _event(self, voter: object) -> dict:
        r = self.random
        region = r.choice(self.election.regions)
        candidate = r.choice(self.election.candidates)
        event: dict = {
            "id": voter,
            "gender": self._cased(r.choice(GENDERS)),
            "age": r.choice([18, 19, 34, 41, 65, 99, 150, r.randint(18, 110)]),
            "state": self._cased(r.choice([region.name, region.name, region.code])),
            "decision": self._cased(r.choice([candidate.name, candidate.name, candidate.id])),
        }
        dice = r.random()
        if dice < 0.04:
            event["gender"] = None
        elif dice < 0.08:
            del event["gender"]
        elif dice < 0.12:
            event["age"] = None
        elif dice < 0.16:
            del event["age"]
        elif dice < 0.20:
            event["age"] = self._cased(r.choice(self.election.bands))
        if r.random() < 0.2:
            event["time"] = r.choice(
                [None, "2024-11-05T20:15:00Z", "2024-11-06T01:02:03.456-05:00", "2024-11-05T23:59:59.999999999+00:00"]
            )
        if r.random() < 0.15:
            event[r.choice(["name", "note", "ID", "état", "a b"])] = self._odd_value(0)
        if r.random() < 0.2:
            items = list(event.items())
            r.shuffle(items)
            event = dict(items)
        return event

    def _cased(self, name: str) -> str:
        dice = self.random.random()
        if dice < 0.80:
            return name
        if dice < 0.87:
            return name.upper()
        if dice < 0.94:
            return name.lower()
        return self.random.choice([" ", "  ", "\t", "\n"]) + name + self.random.choice(["", " ", "   "])

    def _odd_value(self, depth: int) -> object:
        r = self.random
        kind = r.randint(0, 8 if depth < 4 else 5)
        if kind < 2:
            return r.choice(NAMES)
        if kind < 4:
            return r.choice([0, -1, 10**30, 1.5, 1e300, True, False, None])
        if kind < 6:
            return "".join(chr(r.choice([r.randint(32, 126), r.randint(0xA0, 0x2FF), r.randint(0x1F300, 0x1F5FF)])) for _ in range(9))
        if kind < 8:
            return [self._odd_value(depth + 1) for _ in range(r.randint(0, 3))]
        return {"id": self._odd_value(depth + 1), "state": "Mars"}

    def _write(self, event: dict) -> bytes:
        """JSON in one of the many ways that mean the same."""
        r = self.random
        event = self._shape(event)
        dice = r.random()
        if dice < 0.6:
            return _dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
        if dice < 0.75:
            return _dumps(event, ensure_ascii=True).encode()
        if dice < 0.85:
            return _dumps(event, separators=(" ,\t", " : "), ensure_ascii=False).encode() + b"  "
        if dice < 0.93:
            # Every key and every string escaped, character by character.
            parts = [f"{_escaped(key)}:{_escaped_value(value)}" for key, value in event.items()]
            return ("{" + ",".join(parts) + "}").encode()
        # Keys repeated: what stood first is overridden.
        head = [f"{json.dumps(k)}:{r.choice(DECOYS)}" for k in event if r.random() < 0.5]
        body = [f"{json.dumps(k)}:{_dumps(v, ensure_ascii=False)}" for k, v in event.items()]
        return ("{" + ", ".join(head + body) + "}").encode()

    def _shape(self, event: dict) -> dict:
        """The event under the names of the election's mapping."""
        if self.election.mapping != "votestream":
            return event
        shaped = {}
        for key, value in event.items():
            match key:
                case "id":
                    shaped["voter_id"] = value
                case "decision":
                    is_id = isinstance(value, str) and value.strip().lower() in self.election.candidate_by_id
                    shaped["candidate_id" if is_id else "candidate_name"] = value
                case "age":
                    shaped["registered_age"] = value
                case "state":
                    shaped["address"] = {"street": "1 Main St", "state": value, "zip": 43004}
                case "time":
                    valid = isinstance(value, str) and re.match(r"2024-11-0\dT\d\d:\d\d:\d\d[.Z]", value)
                    shaped["voting_time"] = "2024-11-05 20:15:00" if valid else value
                case _:
                    shaped[key] = value
        return shaped

    # --- hostile ones ---

    def _invalid(self) -> bytes:
        r = self.random
        make: Callable[[], bytes] = r.choice(
            [self._torn, self._garbage, self._not_an_object, self._bad_field, self._bad_field, self._bad_field, self._two_faults, self._bad_text]
        )
        return make()

    def _fresh(self) -> dict:
        """A valid event, its voter sometimes one that comes again later (and may then vote)."""
        voter = self._new_voter()
        if self.random.random() < 0.3:
            self.voters.append(voter)
        return self._event(voter)

    def _torn(self) -> bytes:
        record = _dumps(self._shape(self._fresh()), ensure_ascii=False).encode()
        return record[: self.random.randint(1, len(record) - 1)]

    def _garbage(self) -> bytes:
        length = self.random.randint(1, 200)
        data = bytes(self.random.randint(0, 255) for _ in range(length)).replace(b"\n", b"?").replace(b"\r", b"?")
        return b"\x80" + data

    def _not_an_object(self) -> bytes:
        return self.random.choice(
            [b"null", b"true", b"0", b"-1.5e7", b'""', b'"vote"', b"[]", b"[{}]", b'[{"id":1}]', b"undefined", b"NaN",
             b"{}{}", b"{'id':1}", b"{,}", b"<vote/>", b"id,state", b"[" * 30_000, b'{"a":' * 5_000 + b"1" + b"}" * 4_999]
        )  # fmt: skip

    def _bad_field(self) -> bytes:
        return self._write(self._spoil(self._fresh()))

    def _two_faults(self) -> bytes:
        return self._write(self._spoil(self._spoil(self._fresh())))

    def _spoil(self, event: dict) -> dict:
        r = self.random
        field = r.choice(["id", "id", "state", "decision", "age", "age", "gender", "time"])
        bad: dict[str, list[object]] = {
            "id": [None, ..., "", "x" * 129, "ü" * 65, -1, 1 << 64, 10**40, True, [], {}, [7], _Raw("12.0"), _Raw("1e3"), _Raw("1.5")],
            "state": [None, ..., "", "Mars", "Puerto Rico", 17, ["OH"], {"code": "OH"}, "Ohio, USA", "New  York", "O H"],
            "decision": [None, ..., "", "Joe Biden", 0, ["trump"], "Trump Donald", "trump harris", True],
            "age": ["25-34", "17-99", 17, 0, 5, -1, 151, 10**20, "old", "", True, [41], {}, _Raw("41.0"), _Raw("4e1"), _Raw("1E2")],
            "gender": ["x", "", 1, True, [], {"gender": "Male"}, "Male Female", "malefemale"],
            "time": ["never", "", "2024-11-05", "2024-02-30T00:00:00Z", "2024-11-05T25:00:00Z", 1730837700, True, [], "2024-11-05T10:00:00"],
        }  # fmt: skip
        value = r.choice(bad[field])
        event = dict(event)
        event.pop(field, None)
        if value is not ...:
            event[field] = value
        return event

    def _bad_text(self) -> bytes:
        """Valid but for one thing in a field that is ignored."""
        bad = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"\x01", b"\x1f", b"\\q", b"\\u12", b"\\u00zz", b"\\"]
        record = _dumps(self._shape(self._fresh()), ensure_ascii=False).encode()
        whole = [b"NaN", b"Infinity", b"-Infinity", b"01", b"+1", b".5", b"1.", b"1e", b"0x1", b"[1,]", b"{\"a\"}", b"'a'", b"TRUE", b""]
        value = b'"' + self.random.choice(bad) + b'"' if self.random.random() < 0.5 else self.random.choice(whole)
        return record[:-1] + b',"note":' + value + b"}"

    def _boundary(self) -> bytes:
        """One byte below the limit, at it, and above it."""
        length = LINE_BYTES_MAX + self.random.choice([-1, 0, 0, 1, 1, 5_000])
        event = self._shape(self._fresh()) | {"note": ""}
        record = _dumps(event, ensure_ascii=False).encode()
        at = record.rindex(b'"note": ""') + len(b'"note": "')
        return record[:at] + b"n" * (length - len(record)) + record[at:]


class _Raw(str):
    """A number that is written exactly as given: a text that `_dumps` takes the quotes off."""

    def __new__(cls, number: str) -> "_Raw":
        return super().__new__(cls, f"@raw:{number}@")


_RAW = re.compile('"@raw:([^@]*)@"')


def _dumps(value: object, **options: object) -> str:
    return _RAW.sub(r"\1", json.dumps(value, **options))


def _escaped(text: str) -> str:
    parts = []
    for unit in text.encode("utf-16-be", "surrogatepass").hex(" ", 2).split():
        parts.append("\\u" + (unit.upper() if len(parts) % 2 else unit))
    return '"' + "".join(parts) + '"'


def _escaped_value(value: object) -> str:
    return _escaped(value) if isinstance(value, str) and not isinstance(value, _Raw) else _dumps(value)


# --- framings -------------------------------------------------------------------------------------------------------


def ndjson(records: Iterable[bytes], seed: int = 0, plain: bool = False) -> bytes:
    """Lines; unless `plain`, blank lines between them, CR LF here and there, and no terminator after the last."""
    if plain:
        return b"".join(record + b"\n" for record in records)
    r = random.Random(seed)
    parts = []
    for record in records:
        if r.random() < 0.05:
            parts.append(r.choice([b"\n", b"\r\n", b"   \n", b" \t \r\n"]))
        parts.append(record)
        parts.append(b"\r\n" if r.random() < 0.1 else b"\n")
    return b"".join(parts)[:-1].removesuffix(b"\r") if parts else b""


def json_records(records: Iterable[bytes]) -> list[bytes]:
    """Those that are JSON values at all: what can stand in a JSON array."""
    kept = []
    for record in records:
        try:
            parse(record)
        except Malformed:
            continue
        kept.append(record.strip())
    return kept


def array(records: Iterable[bytes], seed: int = 0) -> bytes:
    """A JSON array of the records (see `json_records`) with white space where it may stand."""
    r = random.Random(seed)
    spaces = [b"", b"", b" ", b"\n", b"\r\n\t", b"    "]
    parts = []
    for record in records:
        parts.append(r.choice(spaces) + record + r.choice(spaces))
    return b" [" + b",".join(parts) + b"]\n"


def sse(records: Iterable[bytes], seed: int = 0) -> bytes:
    """Server-sent events: one `data:` a record, with a space or without, comments and other fields between them."""
    r = random.Random(seed)
    parts = []
    for number, record in enumerate(records):
        end = b"\r\n" if r.random() < 0.1 else b"\n"
        dice = r.random()
        if dice < 0.05:
            parts.append(b": keep-alive" + end + end)
        elif dice < 0.10:
            parts.append(b"id: %d" % number + end)
        elif dice < 0.15:
            parts.append(b"event: message" + end)
        elif dice < 0.18:
            parts.append(b"retry: 1000" + end + end)
        # A record that begins with a space needs the space that the framing takes away.
        space = b" " if record[:1] == b" " or r.random() < 0.5 else b""
        parts.append(b"data:" + space + record + end + end)
    return b"".join(parts)


def csv_rows(seed: int, count: int) -> tuple[bytes, list[bytes]]:
    """A CSV file with a header, and the JSON records that mean the same."""
    r = random.Random(seed)
    election = us_president_2024()
    columns = ["id", "gender", "age", "state", "decision", "note"]
    r.shuffle(columns)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator=r.choice(["\n", "\r\n"]))
    writer.writeheader()
    records, ids = [], []
    for _ in range(count):
        voter = r.choice(ids) if ids and r.random() < 0.1 else r.choice([str(r.randint(10**15, 10**16)), str(uuid.UUID(int=r.getrandbits(128))), f'Smith, "{r.randint(0, 10**6)}"', "0" + str(r.randint(1, 10**6))])
        ids.append(voter)
        region, candidate = r.choice(election.regions), r.choice(election.candidates)
        row = {
            "id": voter,
            "gender": r.choice(GENDERS) if r.random() < 0.97 else "x",
            "age": str(r.randint(18, 100)) if r.random() < 0.94 else r.choice(["17", "151", "old", "41.0", "-1"]),
            "state": r.choice([region.name, region.code]) if r.random() < 0.97 else "Mars",
            "decision": r.choice([candidate.name, candidate.id]) if r.random() < 0.97 else "nobody, really",
            "note": r.choice(["", "plain", "a, b", 'say "no"', "semi;colon", "ünï"]),
        }
        writer.writerow(row)
        age = row["age"]
        records.append(json.dumps(row | {"age": int(age) if age.lstrip("-").isdigit() else age}).encode())
    return text.getvalue().encode(), records


def zstd(data: bytes) -> bytes:
    """A zstd frame (RFC 8878) of raw blocks: valid, only not smaller. It needs no library."""
    frame = b"\x28\xb5\x2f\xfd\xa0" + len(data).to_bytes(4, "little")
    blocks = [data[at : at + 100_000] for at in range(0, len(data), 100_000)] or [b""]
    for number, block in enumerate(blocks):
        frame += (len(block) << 3 | (number == len(blocks) - 1)).to_bytes(3, "little") + block
    return frame


FRAMINGS: dict[str, Callable[[list[bytes], int], bytes]] = {
    "ndjson": lambda records, seed: ndjson(records, seed),
    "array": lambda records, seed: array(json_records(records), seed),
    "sse": lambda records, seed: sse(records, seed),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="write a hostile stream of votes to stdout")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--format", choices=(*FRAMINGS, "csv"), default="ndjson")
    parser.add_argument("--gzip", action="store_true")
    arguments = parser.parse_args()
    if arguments.format == "csv":
        data, _ = csv_rows(arguments.seed, arguments.records)
    else:
        data = FRAMINGS[arguments.format](Stream(arguments.seed).records(arguments.records), arguments.seed)
    sys.stdout.buffer.write(gzip.compress(data, 1, mtime=0) if arguments.gzip else data)


if __name__ == "__main__":
    main()
