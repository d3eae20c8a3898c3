"""close, hold and reopen: what the public may see of a region, in every answer."""

from __future__ import annotations

import json

import pytest

from tests.e2e.harness import Api, Harness, Response, adds_up, free_port, until
from tests.oracle.count import count_bytes, us_president_2024
from tests.oracle.generate import Stream, ndjson


@pytest.fixture
def counted(vs: Harness) -> dict:
    data = ndjson(Stream(61).records(8_000), 61)
    vs.ingest(data)
    vs.count()
    return count_bytes(us_president_2024(), data)


def codes(results: dict) -> set[str]:
    return {region["code"] for region in results["regions"]}


def desk(vs: Harness, act: str, *flags: str) -> None:
    vs.run(act, "--store", vs.store, *flags)


def test_hold_takes_a_region_out_of_every_answer(vs: Harness, counted: dict) -> None:
    _, api = vs.serve("--log", vs.log)
    before = api.json("/api/results")
    assert codes(before) == {region["code"] for region in counted["regions"]}
    desk(vs, "hold", "--region", "OH")
    held = until(lambda: "OH" not in codes(r := api.json("/api/results")) and r, "Ohio to be held")
    adds_up_in_public(held)
    assert held["sequence"] > before["sequence"]
    ohio = next(region for region in counted["regions"] if region["code"] == "OH")
    assert held["counted"] == counted["counted"] - ohio["counted"]
    for path in PUBLIC:
        assert "Ohio" not in api.get(path).body.decode(), path
    assert "OH" not in codes(vs.results())
    assert "Ohio" not in vs.run("results", "--store", vs.store).text
    assert "Ohio" not in vs.run("results", "--store", vs.store, "--format", "csv").text
    assert api.get("/api/regions/OH").status == 404
    with api.events("/api/live?hz=20") as events:
        assert '"OH"' not in next(events)["data"]

    desk(vs, "reopen", "--region", "OH")
    back = until(lambda: "OH" in codes(r := api.json("/api/results")) and r, "Ohio to be back")
    adds_up(back)
    assert back["counted"] == counted["counted"] and back["sequence"] > held["sequence"]


PUBLIC = ("/api/results", "/api/regions", "/api/timeline", "/api/demographics", "/api/export.csv", "/api/export.json", "/api/ledger", "/api/live.csv")


def adds_up_in_public(results: dict) -> None:
    """While a region is held, what is shown still adds up."""
    assert sum(c["votes"] for c in results["candidates"]) == results["counted"]
    assert sum(region["counted"] for region in results["regions"]) == results["counted"]


def test_close_declares_final(vs: Harness, counted: dict) -> None:
    _, api = vs.serve("--log", vs.log)
    before = api.json("/api/results")
    assert before["status"] == "counting"
    desk(vs, "close", "--region", "TX")
    after = until(lambda: (r := api.json("/api/results"))["sequence"] > before["sequence"] and r, "the close to show")
    status = {region["code"]: region["status"] for region in after["regions"]}
    assert status["TX"] != status["OH"]
    desk(vs, "close")
    closed = until(lambda: (r := api.json("/api/results"))["status"] == "complete" and r, "complete")
    adds_up(closed)


def test_votes_after_the_close_are_counted(vs: Harness, counted: dict) -> None:
    desk(vs, "close")
    vs.ingest(b'{"id":"after the close","state":"OH","decision":"stein"}\n', name="late.ndjson")
    vs.count()
    late = vs.results()
    adds_up(late)
    assert late["counted"] == counted["counted"] + 1
    vs.recount()
    desk(vs, "reopen")
    assert vs.results()["status"] == "counting"


def test_an_act_done_twice_is_done_once(vs: Harness, counted: dict) -> None:
    desk(vs, "hold", "--region", "OH")
    one = vs.results()
    desk(vs, "hold", "--region", "OH")
    assert codes(vs.results()) == codes(one)
    desk(vs, "reopen", "--region", "OH")
    assert "OH" in codes(vs.results())


def test_an_act_that_changes_nothing_is_said_and_not_recorded(vs: Harness, counted: dict) -> None:
    """Otherwise the public log would tell of a region that was reopened and had never been closed."""
    before = vs.results()["sequence"]
    vs.run("reopen", "--store", vs.store, "--region", "TX").says("TX", "neither closed nor on hold")
    vs.run("reopen", "--store", vs.store).says("neither closed nor on hold")
    assert vs.results()["sequence"] == before
    for act, says in (("hold", "on hold already"), ("close", "closed already")):
        desk(vs, act, "--region", "OH")
        once = vs.results()["sequence"]
        vs.run(act, "--store", vs.store, "--region", "oh").says(says)
        assert vs.results()["sequence"] == once


def test_wrong_regions_and_stores(vs: Harness, counted: dict) -> None:
    for act in ("close", "hold", "reopen"):
        vs.refused(act, "--store", vs.store, "--region", "ZZ", says=("ZZ",))
        vs.refused(act, "--store", f"sqlite:{vs.dir}/none.db", says=("none.db",))
        assert not (vs.dir / "none.db").exists()


def test_desk_acts_while_counting(vs: Harness) -> None:
    up = vs.up("--votes", 100_000, "--rate", 20_000).ready()
    until(lambda: up.api.json("/api/results")["counted"] > 1_000, "votes")
    vs.run("hold", "--store", up.store, "--region", "CA")
    until(lambda: "CA" not in codes(up.api.json("/api/results")), "California to be held")
    vs.run("reopen", "--store", up.store, "--region", "CA")
    until(lambda: "CA" in codes(up.api.json("/api/results")), "California to be back")
    assert Api(up.port).json("/api/results")["sequence"] > 2


# --- an embargo in force -----------------------------------------------------------------------------------------------

EMBARGO = """
id = "town"
name = "Town vote"
mapping = "presidential"
genders = ["Male", "Female"]
bands = ["18-44", "45+"]
# Which blocks may be released depends on all votes, lest small cells are given away later (docs/adr/0017): here no cell is too small.
min_cell = 1
candidates = [{ id = "ada", name = "Ada" }, { id = "bo", name = "Bo" }]
regions = [
  { code = "NO", name = "North", expected = 40 },
  { code = "SO", name = "South", expected = 40 },
  { code = "HI", name = "Hidden Valley", expected = 40, publish = "at_close" },
  { code = "LO", name = "Lost Coast", expected = 40, publish = "at_close" },
]
"""
ASKED = (
    "/api/results", "/api/results?at=0", "/api/results?at={now}", "/api/regions", "/api/regions?at={now}", "/api/regions/NO", "/api/regions/HI",
    "/api/regions/HI?at={now}", "/api/timeline", "/api/timeline?region=SO", "/api/timeline?region=HI", "/api/demographics", "/api/demographics?at={now}",
    "/api/demographics?region=HI", "/api/ledger", "/api/ledger?partition=0", "/api/rejects", "/api/desk", "/api/desk?at={now}", "/api/elections",
    "/api/engine", "/api/export.csv", "/api/export.csv?at={now}", "/api/export.json", "/api/export.json?at={now}", "/api/live.csv", "/metrics",
)  # fmt: skip
# What tells that something happened, and when this test's own acts and requests were.
PASSING = {"sequence", "as_of", "last_commit", "digest", "viewers", "created", "time", "records_per_s", "minute"}


def ballots(first: int, votes: list[tuple[str, str, int]]) -> bytes:
    lines, voter = [], first
    for region, candidate, many in votes:
        for _ in range(many):
            lines.append(json.dumps({"id": voter, "state": region, "decision": candidate, "gender": "Female" if voter % 2 else "Male", "age": 20 + voter % 50}))
            voter += 1
    return ("\n".join(lines) + "\n").encode()


class Town:
    """A store under embargo and a server over it."""

    def __init__(self, vs: Harness, name: str) -> None:
        self.vs, self.dir, self.voters = vs, vs.dir / name, 0
        self.dir.mkdir()
        self.file = self.dir / "town.toml"
        self.file.write_text(EMBARGO)
        self.log, self.store = f"dir:{self.dir / 'log'}", f"sqlite:{self.dir / 'results.db'}"

    def votes(self, *votes: tuple[str, str, int]) -> "Town":
        data = ballots(self.voters, list(votes))
        self.voters += data.count(b"\n")
        name = self.dir / f"votes-{self.voters}.ndjson"
        name.write_bytes(data)
        self.vs.run("ingest", name, "--log", self.log, "--election", self.file)
        self.vs.run("count", "--log", self.log, "--store", self.store, "--election", self.file, "--until-end")
        return self

    def serve(self) -> "Town":
        port = free_port()
        process = self.vs.start("serve", "--store", self.store, "--log", self.log, "--listen", f"127.0.0.1:{port}")
        self.api = Api(port)
        self.api.await_health(process, 60)
        return self

    def desk(self, act: str, *flags: str) -> None:
        before = self.api.json("/api/results")["sequence"]
        self.vs.run(act, "--store", self.store, *flags)
        until(lambda: self.api.json("/api/results")["sequence"] > before, f"{act} to show")

    def says(self) -> dict[str, str]:
        """Every public answer, without what is passing."""
        now = self.api.json("/api/results")["as_of"]
        answers = {path: self._masked(self.api.get(path.format(now=now))) for path in ASKED}
        for path in ("/api/live", "/api/live?format=csv"):
            with self.api.events(path) as events:
                answers[path] = masked(next(events)["data"])
        for form in ("json", "csv", "table"):
            answers[form] = masked(self.vs.run("results", "--store", self.store, "--format", form).text)
        return answers

    def _masked(self, answer: Response) -> str:
        return f"{answer.status} {masked(answer.body.decode())}"


def masked(text: str) -> str:
    try:
        return json.dumps(without_passing(json.loads(text)))
    except json.JSONDecodeError:
        pass
    if text.startswith("sequence,as_of,"):
        return "\n".join(line.split(",", 2)[2] for line in text.splitlines())
    passing = ("votestream_http_", "votestream_live_", "votestream_sequence")
    lines = [line for line in text.splitlines() if not line.startswith(passing)]
    # The table for people names the moment.
    return "\n".join(line for line in lines if "as of" not in line.lower() and "digest" not in line.lower() and "ledger" not in line.lower())


def without_passing(value: object) -> object:
    if isinstance(value, dict):
        return {key: without_passing(inner) for key, inner in value.items() if key not in PASSING and key != "at"}
    if isinstance(value, list):
        return [without_passing(inner) for inner in value]
    return value


def test_withheld_votes_cannot_be_worked_out(vs: Harness) -> None:
    """Two towns that differ in withheld votes only say the same at every step: no answer tells, nor any difference of two."""
    public = (("North", "Ada", 9), ("North", "Bo", 5), ("South", "Bo", 8))
    one = Town(vs, "one").votes(*public, ("Hidden Valley", "Ada", 3), ("Lost Coast", "Bo", 12)).serve()
    other = Town(vs, "other").votes(*public, ("Hidden Valley", "Bo", 11), ("Lost Coast", "Ada", 2)).serve()

    def act(*words: str) -> None:
        one.desk(*words)
        other.desk(*words)

    def same(when: str) -> None:
        for (path, told), (_, too) in zip(one.says().items(), other.says().items(), strict=True):
            assert told == too, f"{when}: {path} tells two towns apart"
            if path not in ("/api/desk", "/api/desk?at={now}", "/api/export.json", "/api/export.json?at={now}"):
                assert "Hidden" not in told and "Lost" not in told, f"{when}: {path}"

    same("under embargo")
    assert one.api.json("/api/results")["counted"] == 22 and one.api.json("/api/results")["withheld"] == 2
    act("hold", "--region", "NO")
    same("with North held too")
    act("reopen", "--region", "NO")
    act("close", "--region", "LO")
    assert one.api.json("/api/regions/LO")["region"]["counted"] == 12 and other.api.json("/api/regions/LO")["region"]["counted"] == 2
    act("hold", "--region", "LO")
    same("closed, then held")
    acts = one.api.json("/api/desk")["acts"]
    told = [(a["number"], a["action"], a["region"], a["counted"]) for a in acts]
    assert told == [(1, "hold", "NO", 14), (2, "reopen", "NO", 14), (3, "close", "LO", None), (4, "hold", "LO", None)]
    assert one.api.json("/api/desk?at=0")["acts"] == [] and one.api.json("/api/export.json")["desk"] == acts
    act("close", "--region", "SO")
    same("with South closed")
    act("reopen", "--region", "LO")
    assert [town.api.json("/api/results")["counted"] for town in (one, other)] == [34, 24]
    act("close")
    open_again = one.api.json("/api/results")
    adds_up(open_again)
    assert open_again["withheld"] == 0 and open_again["counted"] == 37 and other.api.json("/api/results")["counted"] == 35
    assert [a["counted"] for a in one.api.json("/api/desk")["acts"]] == [14, 14, 12, 12, 8, 12, 37]
