"""Pruning dies at each step that it goes through; nothing is missing, the next run does the rest, and who archives goes on."""

from __future__ import annotations

import shutil

import pytest

from tests.chaos.fail_points import named
from tests.chaos.test_fail_points import dies, with_fail_points  # noqa: F401
from tests.e2e import archived
from tests.e2e.archiving import archive, archive_url, recount_archive
from tests.e2e.harness import Harness
from tests.e2e.test_archive_prune import SMALL, simulate

STEPS = [*named("prune-"), "archive-probed", "archive-taken-over", "archive-entry-before-put", "archive-entry-put", "archive-swept-one"]


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory):
    with Harness(tmp_path_factory.mktemp("night")) as vs:
        simulate(vs)
        vs.count()
        archive(vs, *SMALL)
        yield vs, vs.results()


@pytest.mark.parametrize("name", STEPS)
def test_died_at_and_gone_on(vs: Harness, night: tuple[Harness, dict], name: str) -> None:
    directory, (counted, before) = vs.dir / "archive", night
    shutil.copytree(counted.dir / "archive", directory)
    command = ("archive", "prune", "--archive", archive_url(vs), "--before", "70000", "--grace", "0s")
    died = 0
    while dies(vs, name, *command) and died < 3:
        died += 1
        mine = archived.carried_tally(directory) if archived.carried(directory) else archived.tally(directory)
        assert (mine["records"], mine["counted"]) == (before["records"], before["counted"])
    assert died, f'pruning does not come by "{name}"'
    vs.run(*command)
    vs.run("archive", "--log", counted.log, "--archive", archive_url(vs), "--until-end", "--grace", "0s")
    assert [entry["to"] for entry in archived.carried(directory)] == [65_536, 65_536] and not archived.unnamed(directory)
    assert "131,072 records carried" in recount_archive(vs, store=counted.store).text
