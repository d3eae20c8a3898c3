"""The steps that a binary built with fail points can be made to die at.

`votestream fail-points` prints the names, one a line. `FAILPOINTS="name=3*off->return"` makes the binary abort at that step the fourth time
it comes by. It is `VOTESTREAM_FAIL_BIN`, else the binary under test.
"""

from __future__ import annotations

import functools
import os
import subprocess

from tests.e2e.harness import binary


def fail_binary() -> str:
    return os.environ.get("VOTESTREAM_FAIL_BIN") or binary()


@functools.cache
def names() -> tuple[str, ...]:
    """All names; none where there is no such binary."""
    try:
        outcome = subprocess.run([fail_binary(), "fail-points"], capture_output=True, text=True, timeout=60)
    except (AssertionError, OSError):
        return ()
    return tuple(outcome.stdout.split()) if outcome.returncode == 0 else ()


def named(*prefixes: str, but: tuple[str, ...] = ()) -> list[str]:
    """Those that begin so, save those that begin as `but` says."""
    return [name for name in names() if name.startswith(prefixes) and not (but and name.startswith(but))]
