"""What an archiver tells of itself, and what doctor says of an archive."""

from __future__ import annotations

import urllib.request

from tests.e2e import archived
from tests.e2e.archiving import archive, archive_url, flip_byte
from tests.e2e.harness import Harness, free_port, until
from tests.oracle.generate import Stream, ndjson


def scraped(port: int) -> dict[str, float]:
    """The metrics of an archiver; none where it does not answer yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
            lines = answer.read().decode().splitlines()
    except OSError:
        return {}
    found = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name.removeprefix("votestream_archive_"): float(value) for name, value in found.items()}


def test_metrics_of_one_that_writes_and_of_one_that_waits(vs: Harness) -> None:
    vs.ingest(ndjson(Stream(41).records(3_000), 41))
    ports = [free_port(), free_port()]
    command = ("archive", "--log", vs.log, "--archive", archive_url(vs), "--roll-age", "50ms")
    first = vs.start(*command, "--metrics", f"127.0.0.1:{ports[0]}")
    until(lambda: scraped(ports[0]).get("records_total"), "the first to archive")
    told = until(lambda: (told := scraped(ports[0])) and told["backlog_records"] == 0 and told, "all to be archived")
    assert told["records_total"] == sum(file["rows"] for file in archived.files(vs.dir / "archive"))
    assert told["writing"] == 1 and told["last_commit_seconds"] > 1_700_000_000 and told["bytes_total"] > 0 < told["files_total"]
    second = vs.start(*command, "--metrics", f"127.0.0.1:{ports[1]}")
    until(lambda: scraped(ports[1]).get("writing") == 1, "the second to take over")
    vs.ingest(ndjson(Stream(42).records(500), 42), name="more.ndjson")
    until(lambda: scraped(ports[0])["writing"] == 0, "the first to wait")
    vs.refused(*command, "--metrics", f"127.0.0.1:{ports[0]}", says=("in use", "--metrics"))
    assert first.stop().status == 0 and second.stop().status == 0


def test_doctor_looks_at_an_archive(vs: Harness) -> None:
    vs.ingest(ndjson(Stream(43).records(3_000), 43))
    directory = archive(vs)
    doctor = ("doctor", "--archive", archive_url(vs))
    well = vs.run(*doctor, "--log", vs.log).text
    assert "their chain holds" in well and "every file is there" in well and "archived to the log's end" in well, well
    assert "answers" in vs.run(*doctor, "--quick").text
    vs.ingest(ndjson(Stream(44).records(100), 44), name="more.ndjson")
    assert "not archived yet" in vs.run(*doctor, "--log", vs.log).text
    file = directory / archived.files(directory)[0]["name"]
    file.rename(file.with_suffix(".away"))
    missing = vs.run(*doctor, status=1).text
    assert file.name in missing and "bring them back" in missing, missing
    file.with_suffix(".away").rename(file)
    entry = sorted((directory / "manifest").iterdir())[0]
    flip_byte(entry, entry.stat().st_size // 2)
    assert "manifest" in vs.run(*doctor, status=1).text
    assert "no archive at" in vs.run("doctor", "--archive", archive_url(vs, "nowhere"), status=1).text
