"""A server process of a test's own: started, stopped, killed, frozen and started again, ended by its pid alone."""

from __future__ import annotations

import pathlib
import signal
import subprocess


class Daemon:
    """A server process of a test's own. Its output is added to one file, however often it is started."""

    def __init__(self, name: str, command: list[str], log: pathlib.Path) -> None:
        self.name, self.command, self.log_file = name, command, log
        self.env: dict[str, str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def lives(self) -> None:
        assert self.running(), f"{self.name} ended by itself:\n{self.log()[-3000:]}"

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def stop(self) -> None:
        """An orderly end; killed where it does not come."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _end(self, number: int) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(20)
