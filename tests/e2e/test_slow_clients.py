"""Clients that never read hold up nobody, and cost bounded memory."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket

from tests.e2e.harness import Harness, until

SLOW_CLIENTS = 40


def silent(stack: contextlib.ExitStack, port: int, path: str) -> socket.socket:
    """A client that asks, and then never reads."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    sock.connect(("127.0.0.1", port))
    stack.enter_context(sock)
    sock.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
    return sock


def test_live(vs: Harness) -> None:
    up = vs.up("--votes", 200_000, "--rate", 10_000).ready()
    before = up.process.peak_bytes()
    with contextlib.ExitStack() as stack:
        for _ in range(SLOW_CLIENTS):
            silent(stack, up.port, "/api/live?hz=20")
        with up.api.events("/api/live?hz=20") as events:
            seen = [json.loads(event["data"])["records"] for event in itertools.islice(events, 60)]
        assert seen == sorted(seen) and seen[-1] > seen[0]
        assert up.api.json("/api/results")["records"] >= seen[-1]
    assert up.process.peak_bytes() - before < 100 * 1024 * 1024


def test_source(vs: Harness) -> None:
    up = vs.up("--votes", 1_000).ready()
    before = up.process.peak_bytes()
    with contextlib.ExitStack() as stack:
        for _ in range(SLOW_CLIENTS):
            silent(stack, up.source_port, "/api/stream_votes?rate=100000")
        from tests.e2e.harness import Api

        with Api(up.source_port).events("/api/stream_votes?rate=20000") as events:
            assert len(list(itertools.islice(events, 20_000))) == 20_000
    assert up.process.peak_bytes() - before < 100 * 1024 * 1024


def test_requests_that_never_end(vs: Harness) -> None:
    """Half a request line, half the headers, half a body: others are served, and in the end these are hung up on."""
    up = vs.up("--votes", 1_000).ready()
    with contextlib.ExitStack() as stack:
        halves = [b"GET /api/res", b"GET /api/results HTTP/1.1\r\nhost: lo", b"POST /api/votes HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{"]
        socks = []
        for half in halves * 30:
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", up.port)))
            sock.sendall(half)
            sock.setblocking(False)
            socks.append(sock)
        assert up.api.json("/api/results")["election"]["id"] == "us-president-2024"

        def hung_up() -> bool:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                return all(_ended(sock) for sock in socks)
            return False

        until(hung_up, "half requests to be hung up on", 90)


def _ended(sock: socket.socket) -> bool:
    """True once the peer has closed, whatever it said before."""
    try:
        while sock.recv(65_536):
            pass
        return True
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
