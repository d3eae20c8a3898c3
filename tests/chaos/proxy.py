"""A TCP proxy between the product and a server, whose connections can be cut, delayed, held and played again.

Each connection has two pumps, one a direction: `up` to the server, `down` to the client. Faults are set on the proxy and hold for
every connection, old and new, until they are taken back. What clients have sent is remembered (bounded), so that a connection's
bytes can be sent to the server once more on a connection of their own, as a network that duplicates would.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time

UP, DOWN = "up", "down"
_PIECE_BYTES = 65_536
# What is remembered of a connection, at most; a longer one cannot be played again.
_REMEMBERED_BYTES_MAX = 64 << 20
# How often a pump that waits looks whether it still must.
_LOOK_SECONDS = 0.01


class Proxy:
    """Listens on a loopback port of its own and forwards to `target`."""

    def __init__(self, target: int, port: int = 0) -> None:
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._connections: list[_Connection] = []
        self._closed = False
        self.refusing = False
        self.delay_seconds = {UP: 0.0, DOWN: 0.0}
        self.held: set[str] = set()
        self.torn: set[str] = set()
        self.accepted = self.refused = self.replayed = 0
        # New connections are refused once so many were accepted.
        self.refuse_after: int | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    # --- faults ---

    def cut(self) -> int:
        """Resets every connection, in both directions; says how many there were."""
        with self._lock:
            connections, self._connections = self._connections, []
        for connection in connections:
            connection.reset()
        return len(connections)

    def refuse(self, refusing: bool) -> None:
        """New connections are reset as soon as they come."""
        self.refusing = refusing

    def delay(self, seconds: float, *directions: str) -> None:
        """Each piece waits so long before it is passed on. 0 takes it back."""
        for direction in directions or (UP, DOWN):
            self.delay_seconds[direction] = seconds

    def hold(self, *directions: str) -> None:
        """Nothing is passed on, and nothing is lost: as a network that has stopped. `release` goes on."""
        self.held |= set(directions or (UP, DOWN))

    def release(self) -> None:
        self.torn.clear()
        self.held.clear()

    def tear(self, direction: str) -> None:
        """The next piece in this direction of each connection is passed on by half, and then nothing until `release` or `cut`: the
        other side sees the beginning of a message."""
        self.torn.add(direction)

    def replay(self, cut: bool = False) -> int:
        """Sends what each open connection's client has sent so far once more, on new connections whose answers are thrown away;
        with `cut`, after the connections themselves are broken: late copies. Says how many were played."""
        with self._lock:
            remembered = [bytes(connection.sent) for connection in self._connections if connection.whole and connection.sent]
        if cut:
            self.cut()
        for data in remembered:
            threading.Thread(target=self._play, args=(data,), daemon=True).start()
        self.replayed += len(remembered)
        return len(remembered)

    def open_connections(self) -> int:
        with self._lock:
            return len(self._connections)

    # --- how ---

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            if self.refusing or (self.refuse_after is not None and self.accepted > self.refuse_after):
                self.refused += 1
                _reset(client)
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
            except OSError:
                _reset(client)
                continue
            server.settimeout(None)
            connection = _Connection(self, client, server)
            with self._lock:
                self._connections.append(connection)
            connection.start()

    def _forget(self, connection: "_Connection") -> None:
        with self._lock, contextlib.suppress(ValueError):
            self._connections.remove(connection)

    def _play(self, data: bytes) -> None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.target), timeout=5) as server:
            reader = threading.Thread(target=_drain, args=(server,), daemon=True)
            reader.start()
            server.sendall(data)
            reader.join(5)


class _Connection:
    """One client's connection and ours to the server."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self.proxy, self.client, self.server = proxy, client, server
        self.sent = bytearray()
        self.whole = True
        self.over = False
        for sock in (client, server):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        threading.Thread(target=self._pump, args=(self.client, self.server, UP), daemon=True).start()
        threading.Thread(target=self._pump, args=(self.server, self.client, DOWN), daemon=True).start()

    def reset(self) -> None:
        self.over = True
        for sock in (self.client, self.server):
            _reset(sock)

    def _pump(self, source: socket.socket, sink: socket.socket, direction: str) -> None:
        try:
            while piece := source.recv(_PIECE_BYTES):
                if direction == UP:
                    self._remember(piece)
                if pause := self.proxy.delay_seconds[direction]:
                    time.sleep(pause)
                if direction in self.proxy.torn and len(piece) > 1:
                    sink.sendall(piece[: len(piece) // 2])
                    piece = piece[len(piece) // 2 :]
                while (direction in self.proxy.held or direction in self.proxy.torn) and not self.over:
                    time.sleep(_LOOK_SECONDS)
                sink.sendall(piece)
        except OSError:
            pass
        finally:
            # An end is passed on as an end, a break as a break; either way both directions are over.
            for sock in (source, sink):
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            if direction == DOWN:
                self.over = True
                self.proxy._forget(self)
                for sock in (source, sink):
                    sock.close()

    def _remember(self, piece: bytes) -> None:
        if self.whole and len(self.sent) + len(piece) <= _REMEMBERED_BYTES_MAX:
            self.sent += piece
        else:
            self.whole, self.sent = False, bytearray()


def _reset(sock: socket.socket) -> None:
    """Closes with RST, so that the other side sees a broken connection and no orderly end."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        sock.close()


def _drain(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while sock.recv(_PIECE_BYTES):
            pass
