"""Several elections in one store: counted one after the other into SQLite, at the same time into PostgreSQL; each asked for by name. And
candidates' photos, which are kept with their election."""

from __future__ import annotations

import json
import struct
import zlib

import pytest

from tests.e2e.harness import Api, Harness, Process, adds_up, free_port, until

ELECTIONS = {"board": ("Ada", "Bo", "Cy"), "budget": ("Yes", "No")}
EACH = (
    "/api/results", "/api/results?at=0", "/api/live.csv", "/api/regions", "/api/demographics", "/api/timeline", "/api/ledger", "/api/rejects",
    "/api/engine", "/api/desk", "/api/export.csv", "/api/export.json",
)  # fmt: skip


def picture() -> bytes:
    """A red pixel as PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b"")


def define(vs: Harness, name: str, photo: str = "") -> str:
    """A poll's definition in a directory of its own."""
    directory = vs.dir / name
    directory.mkdir(exist_ok=True)
    text = f'id = "{name}"\nname = "The {name}"\nsimulated = {str(name == "budget").lower()}\n'
    for candidate in ELECTIONS[name]:
        text += f'[[candidates]]\nid = "{candidate.lower()}"\nname = "{candidate}"\n{photo}'
        photo = ""
    file = directory / "election.toml"
    file.write_text(text)
    return str(file)


def ingest(vs: Harness, name: str, votes: int) -> str:
    """A log of the election with that many votes, all for its first candidate."""
    lines = "".join(json.dumps({"id": voter, "decision": ELECTIONS[name][0]}) + "\n" for voter in range(votes))
    file = vs.file(f"{name}.ndjson", lines.encode())
    log = f"dir:{vs.dir / name / 'log'}"
    vs.run("ingest", file, "--log", log, "--election", define(vs, name))
    return log


def check_server(vs: Harness, store: str, expect: dict[str, int]) -> tuple[Process, Api]:
    port = free_port()
    process = vs.start("serve", "--store", store, "--listen", f"127.0.0.1:{port}")
    api = Api(port)
    api.await_health(process, 60)
    listed = {entry["id"]: entry for entry in api.json("/api/elections")["elections"]}
    assert list(listed) == list(expect)
    for path in EACH:
        problem = api.problem(400, "GET", path)
        assert problem["type"].endswith("#several-elections") and problem["allowed"] == ", ".join(expect), problem
    api.problem(400, "GET", "/api/live")
    for name, votes in expect.items():
        for path in EACH:
            answer = api.get(f"{path}{'&' if '?' in path else '?'}election={name}")
            assert answer.status == 200, (path, answer.body)
        results = api.json(f"/api/results?election={name}")
        assert results["counted"] == votes and sum(c["votes"] for c in results["candidates"]) == votes
        entry = listed[name]
        assert entry["simulated"] == (name == "budget") and entry["status"] == results["status"] == "counting"
        assert entry["sequence"] == results["sequence"]
        with api.events(f"/api/live?election={name}") as events:
            assert json.loads(next(events)["data"])["election"]["id"] == name
    assert api.get("/readyz").status == 200 and b"votestream_ready 1" in api.get("/metrics").body
    return process, api


def test_one_after_the_other_into_sqlite(vs: Harness) -> None:
    logs = {name: ingest(vs, name, votes) for name, votes in {"board": 30, "budget": 12}.items()}
    for name, log in logs.items():
        vs.run("count", "--log", log, "--store", vs.store, "--election", define(vs, name), "--until-end")
    process, api = check_server(vs, vs.store, {"board": 30, "budget": 12})
    # The desk and the other readers ask which one, too.
    vs.refused("results", "--store", vs.store, says=("board", "budget", "--election"))
    vs.run("close", "--store", vs.store, "--election", "budget")
    until(lambda: api.json("/api/results?election=budget")["closed"], "the close to show")
    assert api.json("/api/results?election=board")["closed"] is False
    assert [len(api.json(f"/api/desk?election={name}")["acts"]) for name in ELECTIONS] == [0, 1]
    process.stop()
    # Of several, a log that is given says which election it is of: posted votes and rejected records are that one's.
    process, api = check_server_with_log(vs, logs["budget"])
    assert api.post(b'{"id":"by post","decision":"No"}\n').status == 202
    process.stop()
    vs.run("count", "--log", logs["budget"], "--store", vs.store, "--election", "budget-is-no-file", "--until-end", status=2)
    vs.run("count", "--log", logs["budget"], "--store", vs.store, "--election", define(vs, "budget"), "--until-end")
    assert vs.results("--election", "budget")["counted"] == 13 and vs.results("--election", "board")["counted"] == 30
    other = f"dir:{vs.dir / 'other'}"
    vs.run("ingest", vs.file("one.ndjson", b"{}\n"), "--log", other, "--election", define(vs, "board"))
    vs.refused("serve", "--store", vs.store, "--log", other, "--listen", "127.0.0.1:0", says=("several elections", "--election"))


def check_server_with_log(vs: Harness, log: str) -> tuple[Process, Api]:
    port = free_port()
    process = vs.start("serve", "--store", vs.store, "--log", log, "--listen", f"127.0.0.1:{port}")
    api = Api(port)
    api.await_health(process, 60)
    return process, api


def test_at_the_same_time_into_postgresql(vs: Harness, postgres) -> None:
    store = postgres.url
    logs = {name: ingest(vs, name, votes) for name, votes in {"board": 30, "budget": 12}.items()}
    counting = [vs.start("count", "--log", log, "--store", store, "--election", define(vs, name)) for name, log in logs.items()]
    votes = {"board": 30, "budget": 12}

    def counted(name: str) -> bool:
        answer = vs.run("results", "--store", store, "--election", name, "--format", "json", status=None)
        return answer.status == 0 and answer.json()["counted"] == votes[name]

    for name in logs:
        until(lambda name=name: counted(name), f"{name} to be counted")
    order = [row[0] for row in postgres.query("SELECT id FROM votestream.election ORDER BY number")]
    check_server(vs, store, {name: votes[name] for name in order})
    for process in counting:
        assert process.stop().status == 0


def test_backlog_and_speed_of_a_count_elsewhere(vs: Harness) -> None:
    log = ingest(vs, "board", 500)
    vs.run("count", "--log", log, "--store", vs.store, "--election", define(vs, "board"), "--until-end")
    process, api = check_server_with_log(vs, log)
    engine = api.json("/api/engine")
    assert engine["engine"] is None and engine["backlog"] == 0 and engine["last_commit"] == api.json("/api/results")["as_of"]
    assert api.post(b"".join(b'{"id":"late %d","decision":"Bo"}\n' % n for n in range(250))).status == 202
    until(lambda: api.json("/api/engine")["backlog"] == 250, "the log's end to be noticed")
    vs.run("count", "--log", log, "--store", vs.store, "--until-end")
    until(lambda: (e := api.json("/api/engine"))["backlog"] == 0 and (e["records_per_s"] or 0) > 0, "the count to be noticed")
    process.stop()


def test_photos_are_kept_with_the_election(vs: Harness) -> None:
    file = define(vs, "board", 'photo = "faces/ada.png"\n')
    log = f"dir:{vs.dir / 'log'}"
    vs.refused("ingest", vs.file("none.ndjson", b"{}\n"), "--log", log, "--election", file, says=("election.toml", "candidates[0].photo", "faces/ada.png"))
    faces = vs.dir / "board" / "faces"
    faces.mkdir()
    for wrong, says in ((b"<svg onload='alert(1)'/>", "PNG, JPEG, WebP or AVIF"), (picture() + bytes(70_000), "65536 bytes")):
        (faces / "ada.png").write_bytes(wrong)
        vs.refused("ingest", vs.file("none.ndjson", b"{}\n"), "--log", log, "--election", file, says=(says,))
    (faces / "ada.png").write_bytes(picture())
    vs.run("ingest", vs.file("votes.ndjson", b'{"id":1,"decision":"Ada"}\n'), "--log", log, "--election", file)
    vs.run("count", "--log", log, "--store", vs.store, "--election", file, "--until-end")
    # The store has the picture: its file may go.
    (faces / "ada.png").unlink()
    vs.run("count", "--log", log, "--store", vs.store, "--until-end")
    _, api = vs.serve()
    results = api.json("/api/results")
    adds_up_as_poll(results)
    photos = {candidate["id"]: candidate.get("photo") for candidate in results["candidates"]}
    assert photos["bo"] is None and photos["cy"] is None
    answer = api.get(photos["ada"])
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "image/png", picture())
    assert "immutable" in answer.headers["cache-control"] and answer.headers["x-content-type-options"] == "nosniff"
    assert api.get(photos["ada"], headers={"if-none-match": answer.headers["etag"]}).status == 304
    vs.recount(log=log)


@pytest.mark.parametrize("address", ["https://example.org/ada.png", "//example.org/ada.png", "../ada.png", "/etc/hostname"])
def test_photos_are_never_fetched_from_elsewhere(vs: Harness, address: str) -> None:
    file = define(vs, "board", f'photo = "{address}"\n')
    log = f"dir:{vs.dir / 'log'}"
    vs.refused("ingest", vs.file("none.ndjson", b"{}\n"), "--log", log, "--election", file, says=("never fetched", "candidates[0].photo"))


def adds_up_as_poll(results: dict) -> None:
    """A poll has no regions to sum over."""
    if results["regions"]:
        adds_up(results)
    assert sum(candidate["votes"] for candidate in results["candidates"]) == results["counted"] == 1
