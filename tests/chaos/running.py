"""Chaos from the command line: a directory that stays where a run fails, and a report that is printed and kept."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def scratch() -> Iterator[pathlib.Path]:
    """A new directory, gone afterwards; of a run that fails it is left, and said where."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="votestream-chaos-"))
    try:
        yield directory
    except BaseException:
        print(f"what is left of the run is in {directory}", file=sys.stderr)
        raise
    shutil.rmtree(directory)


def publish(text: str, report: pathlib.Path | None) -> None:
    """Prints a report, and writes it where it is asked for."""
    if report:
        report.write_text(text)
    print(text)
