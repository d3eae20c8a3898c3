"""`ingest --from` a server that breaks off: it connects again; a stream that ends is an end; a wrong answer is told."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator

from tests.e2e.harness import Harness, free_port

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def votes(first: int, count: int) -> bytes:
    events = [json.dumps({"id": n, "state": "OH", "decision": "stein"}) for n in range(first, first + count)]
    return "".join(f"data: {event}\n\n" for event in events).encode()


@contextlib.contextmanager
def server(port: int, answers: list[Callable[[socket.socket], None]]) -> Iterator[list[bytes]]:
    """Serves one connection after another, each by the next of `answers`; gives the requests it has read."""
    requests: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", port))

    def serve() -> None:
        for answer in answers:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with sock:
                requests.append(sock.recv(65_536))
                answer(sock)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield requests
    finally:
        listener.close()
        thread.join(5)


def reset_after(data: bytes) -> Callable[[socket.socket], None]:
    """Sends `data` in a chunk of its own and half of a next event, waits until it is read, and resets."""

    def answer(sock: socket.socket) -> None:
        sock.sendall(HEAD + chunk(data) + chunk(b'data: {"id": 99'))
        sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while sock.recv(65_536):
                pass
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return answer


def whole(data: bytes) -> Callable[[socket.socket], None]:
    return lambda sock: sock.sendall(HEAD + chunk(data) + b"0\r\n\r\n")


def test_it_connects_again_and_ends_with_the_stream(vs: Harness) -> None:
    port = free_port()
    with server(port, [reset_after(votes(1, 300)), whole(votes(301, 300))]) as requests:
        vs.run("ingest", "--from", f"http://127.0.0.1:{port}/api/stream_votes", "--log", vs.log)
        assert len(requests) == 2
    vs.count()
    results = vs.results()
    assert (results["counted"], results["duplicate"]) == (600, 0)
    assert results["rejected"] <= 1  # the half event, if it was taken for a record


def test_votes_of_a_broken_stream_are_kept(vs: Harness) -> None:
    port = free_port()
    with server(port, [reset_after(votes(1, 300)), whole(votes(1, 300))]):
        vs.run("ingest", "--from", f"http://127.0.0.1:{port}/api/stream_votes", "--log", vs.log)
    vs.count()
    results = vs.results()
    assert (results["counted"], results["duplicate"]) == (300, 300)


def test_another_answer_is_named(vs: Harness) -> None:
    port = free_port()
    not_found = b"HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\ncontent-type: text/plain\r\n\r\nnope"
    with server(port, [lambda sock: sock.sendall(not_found)] * 20):
        vs.refused("ingest", "--from", f"http://127.0.0.1:{port}/api/stream_votes", "--log", vs.log, says=("404",))


def test_a_wrong_url_is_named(vs: Harness) -> None:
    for url in ("ftp://localhost/x", "localhost:5000"):
        vs.refused("ingest", "--from", url, "--log", vs.log, says=("http://",))
