"""A proxy that knows PostgreSQL's messages: it can hold one session of a worker exactly before, in the middle of, or after any of them.

What a client sends is cut into messages (a type, a length, a body; the first ones of a connection have no type) and these into groups
that the server answers together: a Query, or everything up to a Sync. A group is named by what it does and by its statement's text. A
`Place` names an instant: the n-th group of that name, one of its messages, and whether it has not arrived, by half, or whole without its
answer. Once there, nothing passes in either direction of any connection until `release`.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import re
import socket
import struct
import threading
import time

BEFORE, MIDDLE, AFTER = "before", "in the middle", "after"
PLACES = (BEFORE, MIDDLE, AFTER)
_PIECE_BYTES = 65_536
# How long the server's answer to a whole group is waited for; a statement that waits for a lock gives none.
_ANSWER_SECONDS_MAX = 1.0
# The codes of first messages without a type.
_UNTYPED = {196_608: "startup", 80_877_103: "ask for TLS", 80_877_102: "cancel"}
_NAMES = {b"P": "Parse", b"B": "Bind", b"D": "Describe", b"E": "Execute", b"S": "Sync", b"Q": "Query", b"C": "Close", b"H": "Flush", b"X": "Terminate", b"p": "Password"}
_KINDS = {b"P": "prepare", b"B": "execute", b"Q": "query", b"C": "close", b"X": "terminate", b"p": "log in"}


@dataclasses.dataclass(frozen=True)
class Group:
    """What a group does, and its statement as one line; messages that have none are named by their kind alone."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}" if self.text else self.kind


@dataclasses.dataclass(frozen=True)
class Step:
    """One message: the `occurrence`-th group of that name in the worker's life (from 0), and which message of it."""

    group: Group
    occurrence: int
    index: int
    message: str
    # The message ends its group, and the server answers.
    last: bool


@dataclasses.dataclass(frozen=True)
class Place:
    """An instant of a session."""

    step: Step
    when: str

    def __str__(self) -> str:
        return f"{self.when} {self.step.message} of [{self.step.group}] #{self.step.occurrence}"


def places(steps: list[Step]) -> list[Place]:
    """Every instant between two messages and in the middle of one. Before a message that is not its group's first is the same as after
    the one before it: the client has sent the group at once."""
    return [Place(step, when) for step in steps for when in PLACES if when != BEFORE or step.index == 0]


class SteppingProxy:
    """Listens on a loopback port of its own and forwards to `target`; writes down each message."""

    def __init__(self, target: int, place: Place | None = None, lost_answer: tuple[str, int] | None = None) -> None:
        """`lost_answer`: of the n-th execution of statements that hold this text the answer is lost, with the connection."""
        self.target, self.place, self.lost_answer = target, place, lost_answer
        self.reached, self._released = threading.Event(), threading.Event()
        self.steps: list[Step] = []
        self._seen: collections.Counter[Group] = collections.Counter()
        self._lock = threading.Lock()
        self._connections: list[_Connection] = []
        self._closed = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "SteppingProxy":
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        self.release()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            connection.reset()

    def release(self) -> None:
        """What is held goes on its way, late."""
        self._released.set()

    def drained(self) -> bool:
        """Nothing that was held waits any more."""
        return self._released.is_set() and not any(connection.holds for connection in self._connections)

    # --- how ---

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
            except OSError:
                if self._closed:
                    return
                continue
            server.settimeout(None)
            connection = _Connection(self, client, server)
            self._connections.append(connection)
            connection.start()

    def number(self, group: Group) -> int:
        """The group's occurrence."""
        with self._lock:
            self._seen[group] += 1
            return self._seen[group] - 1

    def write_down(self, step: Step) -> str | None:
        """Remembers a message; says when to hold it."""
        with self._lock:
            self.steps.append(step)
        place = self.place
        if place is None or self._released.is_set():
            return None
        mine, wanted = (step.group, step.occurrence, step.index), (place.step.group, place.step.occurrence, place.step.index)
        return place.when if mine == wanted else None

    def hold(self) -> None:
        self.reached.set()
        self._released.wait()

    def wait_while_held(self) -> bool:
        """Says whether it had to wait."""
        if not self.reached.is_set() or self._released.is_set():
            return False
        self._released.wait()
        return True


class _Connection:
    """One client's connection and ours to the server."""

    def __init__(self, proxy: SteppingProxy, client: socket.socket, server: socket.socket) -> None:
        self.proxy, self.client, self.server = proxy, client, server
        self.holds = False
        self._frames = _Frames()
        self._answers = 0
        # Answers are lost, with the connection; answers are kept until the release.
        self._losing = self._keep = False
        self._occurrence = 0
        for sock in (client, server):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        for pump in (self._up, self._down):
            threading.Thread(target=self._pumping, args=(pump,), daemon=True).start()

    def reset(self) -> None:
        for sock in (self.client, self.server):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.shutdown(socket.SHUT_RDWR)

    def _pumping(self, pump) -> None:
        try:
            pump()
        except OSError:
            pass
        finally:
            self.holds = False
            for sock in (self.client, self.server):
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def _up(self) -> None:
        while piece := self.client.recv(_PIECE_BYTES):
            for frame in self._frames.feed(piece):
                self._pass(frame)

    def _pass(self, frame: "_Frame") -> None:
        if frame.index == 0:
            self._occurrence = self.proxy.number(frame.group)
        step = Step(frame.group, self._occurrence, frame.index, frame.message, frame.last)
        when = self.proxy.write_down(step)
        self.holds = True
        self.proxy.wait_while_held()
        losing = self.proxy.lost_answer
        if frame.last and losing and frame.group.kind == "execute" and losing[0] in frame.group.text and step.occurrence == losing[1]:
            self._losing = True
        had, data = self._answers, frame.data
        if when == BEFORE:
            self.proxy.hold()
        elif when == MIDDLE:
            self.server.sendall(data[: len(data) // 2])
            data = data[len(data) // 2 :]
            self.proxy.hold()
        elif when == AFTER:
            # What is answered is not passed on.
            self._keep = True
            self.server.sendall(data)
            data = b""
            deadline = time.monotonic() + (_ANSWER_SECONDS_MAX if frame.last else 0.0)
            while self._answers == had and time.monotonic() < deadline:
                time.sleep(0.002)
            self.proxy.hold()
        self.server.sendall(data)
        self.holds = False

    def _down(self) -> None:
        while piece := self.server.recv(_PIECE_BYTES):
            if self._losing:
                self.proxy.wait_while_held()
                self.reset()
                return
            self._answers += 1
            if self._keep:
                self.proxy._released.wait()
            self.proxy.wait_while_held()
            self.client.sendall(piece)


@dataclasses.dataclass
class _Frame:
    data: bytes
    group: Group
    index: int
    message: str
    last: bool


class _Frames:
    """Cuts what a client sends into messages, and knows the statements behind the names that it gives them."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._typed = False
        self._statements: dict[bytes, str] = {}
        self._group: Group | None = None
        self._index = 0
        self._before = ""

    def feed(self, piece: bytes) -> list[_Frame]:
        self._buffer += piece
        frames = []
        while (data := self._take()) is not None:
            frames.append(self._frame(data))
        return frames

    def _take(self) -> bytes | None:
        head = 1 if self._typed else 0
        if len(self._buffer) < head + 4:
            return None
        length = head + struct.unpack_from(">I", self._buffer, head)[0]
        if len(self._buffer) < length:
            return None
        data = bytes(self._buffer[:length])
        del self._buffer[:length]
        return data

    def _frame(self, data: bytes) -> _Frame:
        if not self._typed:
            kind = _UNTYPED.get(struct.unpack_from(">I", data, 4)[0], "startup")
            self._typed = kind == "startup"
            return _Frame(data, Group(kind, ""), 0, kind, True)
        letter, body = data[:1], data[5:]
        if self._group is None:
            text = self._text(letter, body)
            # Which transaction it ends.
            text = f"{text}, after {self._before[:60]}" if text == "COMMIT" else text
            self._group, self._index = Group(_KINDS.get(letter, _NAMES.get(letter, "message")), text), 0
            self._before = text or self._before
        last = letter in (b"S", b"Q", b"X", b"p")
        frame = _Frame(data, self._group, self._index, _NAMES.get(letter, repr(letter)), last)
        self._index += 1
        if last:
            self._group = None
        return frame

    def _text(self, letter: bytes, body: bytes) -> str:
        fields = body.split(b"\0")
        if letter == b"P":
            self._statements[fields[0]] = _one_line(fields[1])
            return self._statements[fields[0]]
        if letter == b"B":
            return self._statements.get(fields[1], "")
        if letter == b"C":
            return self._statements.get(fields[0][1:], "")
        return _one_line(fields[0]) if letter == b"Q" else ""


def _one_line(sql: bytes) -> str:
    """Without comments and line ends, and without what differs from run to run."""
    lines = (line for line in sql.decode(errors="replace").splitlines() if not line.lstrip().startswith("--"))
    return re.sub(r"\s+", " ", " ".join(lines)).strip()
