"""Reads an archive as a stranger would: the manifest's JSON, and the files it names through DuckDB. Shares no code with the product."""

from __future__ import annotations

import hashlib
import json
import pathlib
import sqlite3

import duckdb


def entries(archive: pathlib.Path) -> list[dict]:
    """The manifest's entries, their numbers and epochs checked."""
    files = sorted((archive / "manifest").glob("*.json"))
    found = [json.loads(file.read_text()) for file in files]
    assert [entry["number"] for entry in found] == list(range(len(found)))
    assert all(file.name == f"{n:020}.json" for n, file in enumerate(files))
    return found


def files(archive: pathlib.Path) -> list[dict]:
    """The files that are there, by partition and offset: contiguous, none named twice, each as large as it says."""
    live: dict[str, dict] = {}
    for entry in entries(archive):
        act = entry["act"]
        if "files" in act:
            for file in act["files"]["files"]:
                assert file["name"] not in live
                live[file["name"]] = file
        elif "compact" in act:
            for name in act["compact"]["replaced"]:
                del live[name]
            live[act["compact"]["file"]["name"]] = act["compact"]["file"]
        elif "prune" in act:
            for name in act["prune"]["carried"]["pruned"]:
                del live[name]
    found = sorted(live.values(), key=lambda file: (file["partition"], file["from"]))
    for before, after in zip(found, found[1:]):
        assert before["partition"] < after["partition"] or before["to"] == after["from"]
    for file in found:
        assert (archive / file["name"]).stat().st_size == file["bytes"]
    return found


def table(archive: pathlib.Path) -> duckdb.DuckDBPyConnection:
    """All rows that exist, as the view `votes`."""
    connection = duckdb.connect()
    paths = [str(archive / file["name"]) for file in files(archive)]
    connection.execute(f"CREATE VIEW votes AS SELECT * FROM read_parquet({paths!r})")
    return connection


def tally(archive: pathlib.Path) -> dict:
    """The count, in SQL: of each voter the first vote in the log's order; records, rejects by reason, votes by region and candidate."""
    rows = table(archive)
    records, distinct = rows.execute('SELECT count(*), count(DISTINCT (partition, "offset")) FROM votes').fetchone()
    assert records == distinct, f"{records - distinct} records are in the archive twice"
    first = """
        SELECT region, candidate, count(*) FROM (
            SELECT region, candidate, row_number() OVER (
                PARTITION BY voter_id, voter_key ORDER BY partition, "offset") AS n
            FROM votes WHERE outcome = 'vote')
        WHERE n = 1 GROUP BY ALL
    """
    votes = {(region, candidate): n for region, candidate, n in rows.execute(first).fetchall()}
    rejected = dict(rows.execute("SELECT outcome, count(*) FROM votes WHERE outcome <> 'vote' GROUP BY outcome").fetchall())
    return {"records": records, "counted": sum(votes.values()), "rejected": rejected, "votes": votes}


def agrees(archive: pathlib.Path, right: dict) -> dict:
    """The archive's tally is the oracle's answer."""
    mine = tally(archive)
    assert (mine["records"], mine["counted"]) == (right["records"], right["counted"])
    assert sum(mine["rejected"].values()) == right["rejected"]
    theirs = {
        (region["code"], candidate): votes
        for region in right["regions"]
        for candidate, votes in region["votes"].items()
        if votes
    }
    assert mine["votes"] == theirs
    return mine


def carried(archive: pathlib.Path) -> list[dict]:
    """What is left of pruned rows, in the order in which they were pruned."""
    return [entry["act"]["prune"]["carried"] for entry in entries(archive) if "prune" in entry["act"]]


def carried_tally(archive: pathlib.Path) -> dict:
    """The count of a pruned archive, in SQL: what is carried, and of what is left the votes of those who are not carried."""
    pruned = carried(archive)
    rows_from = {entry["partition"]: entry["to"] for entry in pruned}
    rows = table(archive)
    rows.execute("CREATE TABLE rows_from (partition INTEGER, first BIGINT)")
    rows.executemany("INSERT INTO rows_from VALUES (?, ?)", [*rows_from.items(), (-1, 0)])
    names = [str(archive / entry["voters"]["name"]) for entry in pruned]
    rows.execute(f"CREATE VIEW voters AS SELECT * FROM read_parquet({names!r})")
    left = 'FROM votes LEFT JOIN rows_from USING (partition) WHERE "offset" >= coalesce(first, 0)'
    (records,) = rows.execute(f"SELECT count(*) {left}").fetchone()
    first = f"""
        SELECT region, candidate, count(*) FROM (
            SELECT region, candidate, voter_id, voter_key, row_number() OVER (PARTITION BY voter_id, voter_key ORDER BY partition, "offset") AS n
            {left} AND outcome = 'vote') AS mine
        WHERE n = 1 AND NOT EXISTS (SELECT 1 FROM voters AS other WHERE other.voter_id IS NOT DISTINCT FROM mine.voter_id
            AND other.voter_key IS NOT DISTINCT FROM mine.voter_key) GROUP BY ALL
    """
    votes = {(region, candidate): n for region, candidate, n in rows.execute(first).fetchall()}
    for cell in (cell for entry in pruned for cell in entry["cells"]):
        key = (cell.get("region"), cell["candidate"])
        votes[key] = votes.get(key, 0) + cell["votes"]
    records += sum(leaf["records"] for entry in pruned for leaf in entry["leaves"])
    return {"records": records, "counted": sum(votes.values()), "votes": votes}


def leaves(archive: pathlib.Path) -> list[tuple[int, int, str]]:
    """Partition, number and digest of each leaf that the manifest names."""
    return [(file["partition"], leaf["number"], leaf["digest"]) for file in files(archive) for leaf in file["leaves"]]


def leaves_of_store(store: pathlib.Path) -> list[tuple[int, int, str]]:
    """The same of a results store."""
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
        rows = connection.execute("SELECT partition, number, digest FROM leaf ORDER BY partition, number").fetchall()
    return [(partition, number, digest.hex()) for partition, number, digest in rows]


def unnamed(archive: pathlib.Path) -> set[str]:
    """Files that no entry names as being there."""
    named = {file["name"] for file in files(archive)} | {entry["voters"]["name"] for entry in carried(archive)}
    return {str(path.relative_to(archive)) for path in archive.rglob("*") if path.is_file() and path.parts[-3] in ("data", "carried")} - named


def fingerprint(archive: pathlib.Path) -> dict[str, str]:
    """Every file and what is in it, to see that nothing was overwritten."""
    return {str(p.relative_to(archive)): hashlib.sha256(p.read_bytes()).hexdigest() for p in archive.rglob("*") if p.is_file()}
