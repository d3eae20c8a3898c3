"""What tests of archives share: an archive of the harness's log, and bytes of it changed."""

from __future__ import annotations

import pathlib

from tests.e2e.harness import Harness, Outcome


def archive_url(vs: Harness, name: str = "archive") -> str:
    return f"file:{vs.dir / name}"


def archive(vs: Harness, *flags: object, name: str = "archive") -> pathlib.Path:
    """Archives the log as it is now; the archive's directory."""
    vs.run("archive", "--log", vs.log, "--archive", archive_url(vs, name), "--until-end", *flags)
    return vs.dir / name


def recount_archive(vs: Harness, *flags: object, name: str = "archive", store: str | None = None, status: int = 0) -> Outcome:
    return vs.run("recount", "--archive", archive_url(vs, name), "--store", store or vs.store, *flags, status=status)


def files(directory: pathlib.Path) -> list[pathlib.Path]:
    """The archive's Parquet files, largest first."""
    return sorted(directory.rglob("*.parquet"), key=lambda path: -path.stat().st_size)


def flip_byte(path: pathlib.Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))
