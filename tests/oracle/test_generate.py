"""The generator: same seed, same bytes; it reaches every reason; its framings hold the same records."""

from __future__ import annotations

import csv
import io

from tests.oracle.count import REASONS, Count, count_bytes, us_president_2024
from tests.oracle.generate import Stream, array, csv_rows, json_records, ndjson, sse
from tests.oracle.strict_json import parse


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert Stream(3).records(2_000) == Stream(3).records(2_000)
    assert Stream(3).records(2_000) != Stream(4).records(2_000)


def test_a_stream_reaches_every_outcome_under_both_mappings() -> None:
    for mapping in ("presidential", "votestream"):
        election = us_president_2024(mapping=mapping)
        results = count_bytes(election, ndjson(Stream(11, election, large=0.002).records(20_000), 11))
        assert results["records"] == 20_000
        assert set(results["rejects"]) == set(REASONS) - {"outside_voting_hours", "misrouted"}
        assert all(count >= 5 for count in results["rejects"].values()), results["rejects"]
        assert results["counted"] > 10_000 and results["duplicate"] > 1_000


def test_first_and_last_differ_on_a_stream() -> None:
    data = ndjson(Stream(12).records(5_000))
    first, last = (count_bytes(us_president_2024(duplicate=policy), data) for policy in ("first", "last"))
    for key in ("records", "counted", "duplicate", "rejected"):
        assert first[key] == last[key]
    assert first["regions"] != last["regions"]


def test_no_record_holds_a_line_break() -> None:
    for record in Stream(13, large=0.01).records(5_000):
        assert b"\n" not in record and b"\r" not in record and record.strip()


def test_framings_hold_the_records() -> None:
    records = Stream(14).records(3_000)
    valid = json_records(records)
    count = lambda items: [Count(us_president_2024()).add(item) for item in items]  # noqa: E731
    assert count(line.removesuffix(b"\r") for line in ndjson(records, 1).split(b"\n") if line.strip()) == count(records)
    assert len(parse(array(valid, 1).strip())) == len(valid)
    data = [line.removesuffix(b"\r")[5:] for line in sse(records, 1).split(b"\n") if line.startswith(b"data:")]
    assert [record.strip() for record in data] == [record.strip() for record in records]


def test_csv_rows_mean_the_records() -> None:
    text, records = csv_rows(15, 500)
    rows = list(csv.DictReader(io.StringIO(text.decode(), newline="")))
    assert [row["id"] for row in rows] == [parse(record)["id"] for record in records]
    outcomes = {Count(us_president_2024()).add(record) for record in records}
    assert outcomes == {"counted", "under_age", "invalid_age", "invalid_gender", "unknown_region", "unknown_candidate"}
