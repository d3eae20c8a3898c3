"""Kafka's own DumpLogSegments reads the segments of the embedded log: the format is Kafka's, byte for byte."""

from __future__ import annotations

import re

import pytest

from tests.e2e.harness import Harness
from tests.e2e.services import java

VOTES = 5_000


@pytest.mark.parametrize("codec", ["lz4", "zstd", "none"])
def test_kafkas_own_tool_reads_our_segments(vs: Harness, codec: str) -> None:
    log = vs.dir / "log"
    vs.run("simulate", "--votes", VOTES, "--seed", 5, "--to", f"dir:{log}?codec={codec}&partitions=2")
    files = ",".join(str(path) for path in sorted(log.glob("*/*.log")))
    text = java("kafka.tools.DumpLogSegments", "--files", files, "--print-data-log", "--deep-iteration").stdout.decode()
    assert len(re.findall(r"^\| offset: ", text, re.MULTILINE)) == VOTES
    batches = re.findall(r"^baseOffset: .* isvalid: (\w+)", text, re.MULTILINE)
    assert batches and set(batches) == {"true"}
    assert set(re.findall(r"compresscodec: (\w+)", text)) == {codec}
    for word in ("orrupt", "Mismatch", "Non-consecutive", "rror"):
        assert word not in re.sub(r"payload: .*", "", text), word
