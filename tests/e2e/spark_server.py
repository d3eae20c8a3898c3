"""A Spark Connect server of a test's own, to be killed and started again."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess

from tests.e2e.harness import free_port

_ROOT = pathlib.Path(__file__).parents[2]
# A query on two cores that are also the test's; a server that starts.
SECONDS = 300.0


class SparkServer:
    """In a directory that must be new; `stop` it in all cases. `arguments` are spark-submit's own."""

    def __init__(self, directory: pathlib.Path, *arguments: str, env: dict[str, str] | None = None) -> None:
        self.directory, self.port = directory, free_port()
        self.arguments, self.env = arguments, os.environ | (env or {})
        directory.mkdir()

    def _run(self, call: str, *more: str) -> None:
        script = f'. scripts/lib.sh; . scripts/services/lib.sh; {call} "$@"'
        command = ["bash", "-c", script, "-", str(self.directory), str(self.port), *more]
        subprocess.run(command, cwd=_ROOT, check=True, timeout=SECONDS, env=self.env)

    def start(self) -> None:
        self._run("spark_start", *self.arguments)

    def kill(self) -> None:
        os.kill(int((self.directory / "spark.pid").read_text()), signal.SIGKILL)

    def stop(self) -> None:
        self._run("spark_stop")

    @property
    def url(self) -> str:
        return f"sc://127.0.0.1:{self.port}"
