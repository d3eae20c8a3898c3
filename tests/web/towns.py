"""Elections for the page to show: each is a store that the binary counted, and a server over it.

All but the running night are the same on every run: the same voters by seed, the same definition, nothing of the clock in the counts.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re

from tests.e2e.harness import Api, Harness, Process, free_port, until

# Enough voters for every state to have some of each age and gender, few enough to count in a second.
VOTES = 300_000
SEED = 7
# Enough for a night that outlasts the tests, at a rate that commits far more often than 20 times a second.
NIGHT_VOTES = 15_000_000
NIGHT_RATE = 8_000


@dataclasses.dataclass
class Town:
    """A server over one store."""

    api: Api
    harness: Harness
    process: Process
    store: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.api.port}/"

    @property
    def port(self) -> int:
        return self.api.port

    def results(self, query: str = "") -> dict:
        return self.api.json(f"/api/results{query}")

    def desk(self, act: str, *flags: str) -> None:
        self.harness.run(act, "--store", self.store, *flags)


def serve(harness: Harness, store: str, *flags: object, port: int | None = None) -> Town:
    """A server over a store, once it answers."""
    port = port or free_port()
    process = harness.start("serve", "--store", store, "--listen", f"127.0.0.1:{port}", *flags)
    api = Api(port)
    api.await_health(process, 60)
    return Town(api, harness, process, store)


def night(harness: Harness) -> Town:
    """A count that is going on, in all states at once, until the harness ends it."""
    up = harness.up("--votes", NIGHT_VOTES, "--order", "shuffled", "--rate", NIGHT_RATE).ready()
    town = Town(up.api, harness, up.process, up.store)
    until(lambda: town.results()["counted"] > 20_000, "the first votes of the night")
    return town


def done(harness: Harness) -> Town:
    """A count that is complete."""
    data = harness.dir / "done"
    harness.run("up", "--data", data, "--votes", VOTES, "--seed", SEED, "--rate", "max", "--exit-when-done", "--listen", f"127.0.0.1:{free_port()}",
                "--source-listen", f"127.0.0.1:{free_port()}")  # fmt: skip
    return serve(harness, f"sqlite:{data / 'results.db'}", "--log", f"dir:{data / 'log'}")


def half(harness: Harness, share: float = 0.62) -> Town:
    """A count that stands still in the middle of the night: some states in, some decided, some not begun."""
    whole = harness.dir / "whole.ndjson"
    expected = harness.dir / "expected.json"
    votes = harness.run("simulate", "--votes", VOTES, "--seed", SEED, "--order", "night", "--expected", expected).out
    whole.write_bytes(b"".join(votes.splitlines(keepends=True)[: int(VOTES * share)]))
    totals = {region["code"]: region["counted"] for region in json.loads(expected.read_text())["regions"]}
    text = harness.run("init", "--election", "us-president-2024").text
    text = re.sub(r"^expected = \d+$", f"expected = {VOTES}", text, flags=re.MULTILINE)
    text = re.sub(r'(code = "(\w\w)".*?expected = )\d+', lambda m: f"{m[1]}{totals[m[2]]}", text)
    return counted(harness, "half", text, whole.read_bytes())


def counted(harness: Harness, name: str, definition: str, votes: bytes, *flags: object) -> Town:
    """A definition and records, counted to their end and served."""
    log, store = f"dir:{harness.dir / name}-log", f"sqlite:{harness.dir / name}.db"
    count(harness, name, definition, votes)
    return serve(harness, store, "--log", log, *flags)


def count(harness: Harness, name: str, definition: str, votes: bytes) -> None:
    """Appends records and counts them into the store of that name, made where it is not there."""
    log, store = f"dir:{harness.dir / name}-log", f"sqlite:{harness.dir / name}.db"
    harness.run("ingest", harness.file(f"{name}.ndjson", votes), "--log", log)
    toml = harness.file(f"{name}.toml", definition.encode())
    harness.run("count", "--log", log, "--store", store, "--election", toml, "--until-end")


def empty(harness: Harness) -> Town:
    """Polls are open, and nobody has voted."""
    text = harness.run("init", "--election", "us-president-2024").text
    return counted(harness, "empty", text, b"")


def poll(candidates: list[tuple[str, str]], *, id: str = "poll", name: str = "Poll", regions: str = "", **settings: object) -> str:
    """A definition of a poll: (id, name) of each candidate; `regions` as TOML."""
    lines = {"id": id, "name": name, "mapping": "presidential" if regions else "poll"} | settings
    head = "\n".join(f"{key} = {json.dumps(value)}" for key, value in lines.items())
    listed = "\n".join(f"[[candidates]]\nid = {json.dumps(key)}\nname = {json.dumps(said)}" for key, said in candidates)
    return f"{head}\n{regions}\n{listed}\n"


def ballots(votes: dict[str, int], first: int = 1, region: str | None = None) -> bytes:
    """That many votes for each candidate, every one from another voter."""
    lines, voter = [], first
    for candidate, many in votes.items():
        for _ in range(many):
            lines.append(json.dumps({"id": voter, "decision": candidate} | ({"state": region} if region else {})))
            voter += 1
    return ("\n".join(lines) + "\n").encode()


def file_of(town: Town, name: str) -> pathlib.Path:
    return town.harness.dir / name
