"""An archiver dies at each of its named steps, the first time and the fourth; the next one leaves every record there once."""

from __future__ import annotations

import pytest

from tests.chaos.fail_points import named
from tests.chaos.test_fail_points import dies, with_fail_points  # noqa: F401
from tests.e2e import archived
from tests.e2e.harness import Harness
from tests.oracle.count import count_bytes, us_president_2024
from tests.oracle.generate import Stream, ndjson

DATA = ndjson(Stream(31).records(30_000), 31)


@pytest.mark.parametrize("passes", ["first", "fourth"])
@pytest.mark.parametrize("name", named("archive-"))
def test_died_at_and_gone_on(vs: Harness, name: str, passes: str) -> None:
    archive = vs.dir / "archive"
    flags = ("--until-end", "--memory", "1KiB", "--roll-size", "8MiB", "--grace", "0s")
    command = ("archive", "--log", vs.log, "--archive", f"file:{archive}", *flags)
    lines = DATA.split(b"\n")
    if name == "archive-compacted":
        # One small file a run: with the next one there are enough to be put together.
        for n in range(7):
            vs.ingest(b"\n".join(lines[n::8]), "--format", "ndjson", name=f"{n}.ndjson")
            vs.run(*command)
        vs.ingest(b"\n".join(lines[7::8]), "--format", "ndjson")
    else:
        vs.ingest(DATA)
    if name == "archive-swept-one":
        assert dies(vs, "archive-files-put", *command)
    # Each run dies once; what one leaves behind is met by the next.
    died = [dies(vs, name, *command, passes=passes) for _ in range(4)]
    vs.run(*command)
    # Cut into eighths, the records come in another order: another record of a voter may be the first.
    right = count_bytes(us_president_2024(), DATA)
    if name == "archive-compacted":
        assert archived.tally(archive)["records"] == right["records"]
    else:
        archived.agrees(archive, right)
    assert not archived.unnamed(archive)
    assert any(died) or passes == "fourth", f'archiving does not come by "{name}"'
