"""`top` on a terminal: a real pty, its screen read by a terminal emulator."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from typing import Any

import pyte
import pytest

from tests.e2e.harness import PANIC, PATIENCE_SECONDS, Harness, binary, free_port, until
from tests.oracle.generate import Stream, ndjson

ENTER_SCREEN, LEAVE_SCREEN, SHOW_CURSOR = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"


class Terminal:
    """A pty of a size, the command on it, and what its screen shows."""

    def __init__(self, vs: Harness, *args: object, size: tuple[int, int] = (100, 30), env: dict[str, str | None] | None = None) -> None:
        self.raw = b""
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._master, slave = os.openpty()
        self._resize(slave, size)
        self.before = termios.tcgetattr(slave)
        wanted = vs.env | {"TERM": "xterm-256color"} | (env or {})
        self.process = subprocess.Popen(
            [binary(), "top", *map(str, args)], stdin=slave, stdout=slave, stderr=slave, cwd=vs.dir,
            env={name: value for name, value in wanted.items() if value is not None}, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        self._slave = slave

    @staticmethod
    def _resize(fd: int, size: tuple[int, int]) -> None:
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))

    def resize(self, size: tuple[int, int]) -> None:
        self._screen.resize(size[1], size[0])
        self._resize(self._master, size)

    def _read(self) -> None:
        while select.select([self._master], [], [], 0)[0]:
            try:
                data = os.read(self._master, 65_536)
            except OSError:
                return
            if not data:
                return
            self.raw += data
            self._stream.feed(data)

    def text(self) -> str:
        self._read()
        return "\n".join(line.rstrip() for line in self._screen.display)

    def shows(self, *words: str, lacks: tuple[str, ...] = ()) -> str:
        """Waits until every word is on the screen, and none of the others."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            text = self.text()
            if all(word in text for word in words) and not any(word in text for word in lacks):
                return text
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{text}"
            assert time.monotonic() < deadline, f"the screen does not come to show {words} without {lacks}:\n{text}"
            time.sleep(0.02)

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def ended(self) -> int:
        """Waits for the end; the terminal must be as it was."""
        until(lambda: (self._read(), self.process.poll() is not None)[1], "top to end")
        self._read()
        assert termios.tcgetattr(self._slave) == self.before, "the terminal's modes are not restored"
        assert self.raw.rfind(LEAVE_SCREEN) > self.raw.rfind(ENTER_SCREEN) >= 0
        assert self.raw.rfind(SHOW_CURSOR) > self.raw.rfind(b"\x1b[?25l")
        assert PANIC.encode() not in self.raw
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)
        os.close(self._slave)


@contextlib.contextmanager
def terminal(vs: Harness, *args: object, **options: Any) -> Iterator[Terminal]:
    opened = Terminal(vs, *args, **options)
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def counted(vs: Harness) -> dict:
    vs.ingest(ndjson(Stream(71).records(6_000), 71))
    vs.count()
    return vs.results()


def test_it_shows_what_results_say_and_goes_as_it_came(vs: Harness, counted: dict) -> None:
    with terminal(vs, "--store", vs.store) as screen:
        text = screen.shows(f"{counted['counted']:,} votes", "SIMULATED" if counted["election"]["simulated"] else "votes", "regions by votes")
        leader = counted["candidates"][0]
        assert leader["name"] in text and f"{leader['votes']:,}" in text and "270 of 538 win" in text
        assert counted["ledger"]["digest"][:40] in text
        for region in sorted(counted["regions"], key=lambda r: -r["counted"])[:3]:
            line = next(line for line in text.splitlines() if re.match(rf"{region['code']}\b", line))
            assert f"{region['counted']:,}" in line and region["name"] in line
        screen.press("q")
        assert screen.ended() == 0


def test_new_votes_are_shown(vs: Harness, counted: dict) -> None:
    with terminal(vs, "--store", vs.store) as screen:
        screen.shows(f"{counted['counted']:,} votes")
        vs.ingest(b'{"id":"one more","state":"OH","decision":"stein"}\n', name="more.ndjson")
        vs.count()
        screen.shows(f"{counted['counted'] + 1:,} votes")


def test_keys(vs: Harness, counted: dict) -> None:
    with terminal(vs, "--store", vs.store) as screen:
        screen.shows("regions by votes")
        screen.press("s")
        screen.shows("51 regions by margin")
        screen.press("r")
        screen.shows("by margin reversed")
        screen.press("/ohio")
        text = screen.shows("search: ohio", "1 of 51 regions")
        assert "Ohio" in text and "Texas" not in text
        screen.press("\r\x1b[B\r")
        ohio = next(region for region in counted["regions"] if region["code"] == "OH")
        text = screen.shows("Ohio · OH", f"{ohio['counted']:,} counted")
        for candidate in counted["candidates"]:
            assert f"{ohio['votes'][candidate['id']]:,}" in text
        screen.press("\r")
        screen.shows("1 of 51 regions", lacks=("Ohio · OH",))
        screen.press("?")
        screen.shows("the other way round")
        screen.press(" ")
        screen.shows("1 of 51", lacks=("the other way round",))
        screen.press("p")
        screen.shows("PAUSED, 0 waiting")
        vs.ingest(b'{"id":"one more","state":"OH","decision":"stein"}\n', name="more.ndjson")
        vs.count()
        text = screen.shows("PAUSED, 1 waiting")
        assert f"{counted['counted']:,} votes" in text, "numbers stand still"
        screen.press("p")
        screen.shows(f"{counted['counted'] + 1:,} votes", lacks=("PAUSED",))
        screen.press("\x03")
        assert screen.ended() == 0


def _terminate(screen: Terminal) -> None:
    screen.process.send_signal(signal.SIGTERM)


def _interrupt(screen: Terminal) -> None:
    screen.process.send_signal(signal.SIGINT)


def _escape(screen: Terminal) -> None:
    screen.press("\x1b")


@pytest.mark.parametrize("how", [_terminate, _interrupt, _escape])
def test_however_it_ends_the_terminal_is_as_it_was(vs: Harness, counted: dict, how: Callable[[Terminal], None]) -> None:
    with terminal(vs, "--store", vs.store) as screen:
        screen.shows("regions by votes")
        how(screen)
        assert screen.ended() == 0


def test_it_is_resized(vs: Harness, counted: dict) -> None:
    with terminal(vs, "--store", vs.store, size=(140, 40)) as screen:
        screen.shows("closest", "engine", "checked by: votestream recount")
        for size in ((40, 12), (80, 24), (39, 11), (100, 30)):
            screen.resize(size)
            if size == (39, 11):
                screen.shows("needs 40 × 12, has 39 × 11")
            else:
                screen.shows(f"{counted['counted']:,} votes", "? help", lacks=("needs",))
        screen.press("q")
        assert screen.ended() == 0


@pytest.mark.parametrize(("flags", "env", "coloured"), [((), {"NO_COLOR": None}, True), ((), {}, False), (("--no-color",), {"NO_COLOR": None}, False)])
def test_colours_are_as_wanted(vs: Harness, counted: dict, flags: tuple[str, ...], env: dict[str, str | None], coloured: bool) -> None:
    with terminal(vs, "--store", vs.store, *flags, env=env) as screen:
        text = screen.shows("270 of 538 win", "closest:")
        assert bool(re.search(rb"\x1b\[[0-9;]*[34]8;[25];", screen.raw)) == coloured
        # The second's seats are told by their own glyphs where there is no colour.
        assert ("+" * 5 in text) != coloured


def test_a_server_is_followed_and_its_absence_told(vs: Harness, counted: dict) -> None:
    port = free_port()
    flags = ("serve", "--store", vs.store, "--listen", f"127.0.0.1:{port}")
    server = vs.start(*flags)
    until(lambda: "results at" in server.err(), "the server to listen")
    with terminal(vs, "--server", f"http://127.0.0.1:{port}") as screen:
        screen.shows(f"{counted['counted']:,} votes", "viewers 1")
        server.stop()
        text = screen.shows("AWAY for")
        assert f"{counted['counted']:,} votes" in text, "what was known is kept"
        vs.ingest(b'{"id":"one more","state":"OH","decision":"stein"}\n', name="more.ndjson")
        vs.count()
        vs.start(*flags)
        screen.shows(f"{counted['counted'] + 1:,} votes", lacks=("AWAY",))
        screen.press("q")
        assert screen.ended() == 0


def test_what_cannot_be_is_refused(vs: Harness, counted: dict) -> None:
    vs.refused("top", "--store", vs.store, says=("terminal", "votestream results"))
    vs.refused("top", says=("--store", "--server"))
    for args, words in (
        (("--store", "sqlite:none.db"), "there is no results store"),
        (("--server", f"http://127.0.0.1:{free_port()}"), "is `votestream up` or `votestream serve` running"),
        (("--server", "https://127.0.0.1:1"), "https is not spoken"),
        (("--store", vs.store, "--election", "nobody"), "nobody"),
    ):
        with terminal(vs, *args, size=(200, 30)) as screen:
            until(lambda: screen.process.poll() is not None, "it to end")
            assert screen.process.returncode == 2
            assert words in screen.text() and ENTER_SCREEN not in screen.raw
