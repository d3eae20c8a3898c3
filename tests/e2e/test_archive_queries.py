"""The queries of docs/archive.md, as they stand there, on a real archive: they say what `results` says."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.e2e.archiving import archive
from tests.e2e.harness import ROOT, Harness
from tests.oracle.generate import Stream, ndjson

DOCUMENT = ROOT / "docs" / "archive.md"


def queries(kind: str) -> list[str]:
    """The blocks of the document whose fence says this language and engine."""
    found = re.findall(rf"^```{kind}\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"no query for {kind} in {DOCUMENT}"
    return found


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Harness(tmp_path_factory.mktemp("queries")) as vs:
        vs.ingest(ndjson(Stream(91).records(20_000), 91))
        vs.count()
        yield archive(vs), vs.results(), vs


def votes(results: dict) -> dict[tuple[str, str], int]:
    every = {(region["code"], candidate): n for region in results["regions"] for candidate, n in region["votes"].items()}
    return {key: n for key, n in every.items() if n}


def run(kind: str, night: Any) -> dict[str, Any]:
    """Runs the document's Python of this kind, after that which finds the files, on this archive; what it has named."""
    names: dict[str, Any] = {}
    for query in [*queries("python duckdb"), *(queries(kind) if kind != "python duckdb" else [])]:
        assert '"data/archive"' in query, query
        exec(query.replace('"data/archive"', repr(str(night[0]))), names)
    return names


def by_region(rows: list) -> dict[tuple[str, str], int]:
    return {(region, candidate): n for region, candidate, n in rows}


def test_duckdb(night: Any) -> None:
    duckdb = run("python duckdb", night)["duckdb"]
    try:
        (by_candidate,), (by_outcome,) = queries("sql votes"), queries("sql outcomes")
        assert by_region(duckdb.sql(by_candidate).fetchall()) == votes(night[1])
        outcomes = dict(duckdb.sql(by_outcome).fetchall())
        assert outcomes.pop("vote") == night[1]["counted"] + night[1]["duplicate"]
        assert sum(outcomes.values()) == night[1]["rejected"] > 0
        (spark,) = queries("sql spark")
        assert by_region(duckdb.sql(spark.replace("`", '"')).fetchall()) == votes(night[1])
    finally:
        duckdb.execute("DROP VIEW votes")


def test_pandas(night: Any) -> None:
    names = run("python pandas", night)
    names["duckdb"].execute("DROP VIEW votes")
    assert {key: int(n) for key, n in names["result"].items()} == votes(night[1])


def test_pyarrow(night: Any) -> None:
    names = run("python pyarrow", night)
    names["duckdb"].execute("DROP VIEW votes")
    rows = names["result"].to_pylist()
    assert {(row["region_first"], row["candidate_first"]): row["count_all"] for row in rows} == votes(night[1])


def test_types_and_order_are_as_other_engines_see_them(night: Any) -> None:
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    directory, results, _ = night
    dataset = ds.dataset(directory / "data", format="parquet")
    types = {field.name: str(field.type) for field in dataset.schema}
    assert types["offset"] == "int64" and types["voter_id"] == "uint64" and types["moment"] == "timestamp[ms, tz=UTC]"
    assert types["region"] == "string" and types["voter_key"] == "fixed_size_binary[16]"
    rows = 0
    for path in directory.rglob("*.parquet"):
        file = pq.ParquetFile(path)
        offsets = file.read(columns=["offset"])["offset"].to_pylist()
        assert offsets == sorted(offsets)
        statistics = file.metadata.row_group(0).column(1).statistics
        assert statistics.min == offsets[0]
        rows += len(offsets)
    assert rows == results["records"]


def test_released_results_as_parquet(night: Any) -> None:
    import duckdb

    _, results, vs = night
    (query,) = queries("sql duckdb-results")
    process, api = vs.serve()
    answer = api.get("/api/export.parquet")
    assert answer.status == 200 and answer.headers["content-type"] == "application/vnd.apache.parquet"
    path = vs.file("results.parquet", answer.body)
    rows = duckdb.sql(query.replace("results.parquet", str(path))).fetchall()
    assert rows == [(c["id"], c["votes"]) for c in results["candidates"]]
    # A region that is held is in no row, and its votes are in no sum.
    vs.run("hold", "--store", vs.store, "--region", "OH")
    held = vs.results()
    path.write_bytes(api.get("/api/export.parquet").body)
    rows = duckdb.sql(f"SELECT region, sum(votes) FROM read_parquet('{path}') GROUP BY region").fetchall()
    assert {region: int(n) for region, n in rows} == {r["code"]: r["counted"] for r in held["regions"]}
    assert "OH" not in dict(rows)
    vs.run("reopen", "--store", vs.store, "--region", "OH")
    process.stop()
