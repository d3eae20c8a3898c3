"""An HTTP proxy between page and binary that can lie: other statuses, edited answers, snapshots of the test's own, a stream that is silent.

Everything that no rule names goes through unchanged, so the page, its policy and all other numbers are the binary's. (For connections that
break, freeze or are refused there is tests/chaos/proxy.py, which knows only TCP.)
"""

from __future__ import annotations

import contextlib
import copy
import http.client
import json
import queue
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# What a stream says when it has nothing to say, and how often: a comment, as the server itself does.
_BEAT = b": up to date\n\n"
_BEAT_SECONDS = 2.0
_NOT_PASSED_ON = {"connection", "transfer-encoding", "content-length", "accept-encoding", "host"}


class Between:
    """Listens on a loopback port of its own and forwards to `target`."""

    def __init__(self, target: int) -> None:
        self.target = target
        # Path → (status, body): answered instead of the server. A bytes body goes out as it is, anything else as JSON.
        self.answers: dict[str, tuple[int, Any]] = {}
        # Path → what makes another answer of the server's JSON.
        self.edits: dict[str, Callable[[Any], Any]] = {}
        # Snapshots of the test's own: what /api/results says and what streams send, instead of the server's.
        self._lie: Any = None
        self._streams: list[queue.Queue[bytes | None]] = []
        self._lock = threading.Lock()
        self.silent = False
        between = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with contextlib.suppress(ConnectionError, TimeoutError):
                    between._serve(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def __enter__(self) -> "Between":
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()
        self._server.shutdown()
        self._server.server_close()

    # --- lies ---

    def lie(self, snapshot: Any, sequence: int | None = None) -> Any:
        """From now on this is the present snapshot, and every open stream is told. Text is sent as it is, whatever it is."""
        self._lie = snapshot
        self.say(snapshot, sequence)
        return snapshot

    def say(self, snapshot: Any, sequence: int | None = None) -> None:
        """Every open stream gets this message; `/api/results` goes on saying what it said."""
        event = _event(snapshot, sequence)
        with self._lock:
            for stream in self._streams:
                stream.put(event)

    def drop(self) -> None:
        """Ends every open stream, in good order."""
        with self._lock:
            streams, self._streams = self._streams, []
        for stream in streams:
            stream.put(None)

    def streams(self) -> int:
        return len(self._streams)

    def truth(self, path: str = "/api/results") -> Any:
        """What the server says."""
        status, _, body = self._ask(path, {})
        assert status == 200, (path, status, body[:300])
        return json.loads(body)

    # --- how ---

    def _ask(self, path: str, headers: dict[str, str]) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.target, timeout=20)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.partition("?")[0]
        if path in self.answers:
            status, body = self.answers[path]
            _answer(handler, status, body if isinstance(body, bytes) else json.dumps(body).encode())
        elif path == "/api/live" and (self._lie is not None or self.silent):
            self._stream(handler)
        elif path == "/api/live":
            self._pass_stream(handler)
        elif path == "/api/results" and self._lie is not None and "at=" not in handler.path:
            _answer(handler, 200, _text(self._lie).encode())
        else:
            headers = {k: v for k, v in handler.headers.items() if k.lower() not in _NOT_PASSED_ON and path not in self.edits}
            status, given, body = self._ask(handler.path, headers)
            if path in self.edits and status == 200:
                body = json.dumps(self.edits[path](json.loads(body))).encode()
            handler.send_response(status)
            for name, value in given:
                if name.lower() not in _NOT_PASSED_ON | {"date"}:
                    handler.send_header(name, value)
            handler.send_header("content-length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

    def _stream(self, handler: BaseHTTPRequestHandler) -> None:
        """A stream of the test's own: the present lie at once, then what is said, with a beat in between unless it is silent."""
        told: queue.Queue[bytes | None] = queue.Queue()
        with self._lock:
            self._streams.append(told)
        _stream_head(handler)
        try:
            if self._lie is not None:
                handler.wfile.write(_event(self._lie, None))
            while True:
                try:
                    event = told.get(timeout=_BEAT_SECONDS)
                except queue.Empty:
                    event = b"" if self.silent else _BEAT
                if event is None:
                    return
                handler.wfile.write(event)
                handler.wfile.flush()
        finally:
            with self._lock, contextlib.suppress(ValueError):
                self._streams.remove(told)

    def _pass_stream(self, handler: BaseHTTPRequestHandler) -> None:
        """The server's own stream, its snapshots edited as `/api/results` is."""
        edit = self.edits.get("/api/results", lambda snapshot: snapshot)
        connection = http.client.HTTPConnection("127.0.0.1", self.target, timeout=20)
        try:
            connection.request("GET", handler.path)
            answer = connection.getresponse()
            if answer.status != 200:
                return _answer(handler, answer.status, answer.read())
            _stream_head(handler)
            for line in answer:
                if line.startswith(b"data: {"):
                    line = b"data: " + json.dumps(edit(json.loads(line[6:]))).encode() + b"\n"
                handler.wfile.write(line)
                if line == b"\n":
                    handler.wfile.flush()
        except OSError:
            pass
        finally:
            connection.close()


def edited(snapshot: dict, **changes: Any) -> dict:
    """A copy with other values; the sequence is the next unless it is given."""
    return copy.deepcopy(snapshot) | {"sequence": snapshot["sequence"] + 1} | changes


def _text(snapshot: Any) -> str:
    return snapshot if isinstance(snapshot, str) else json.dumps(snapshot)


def _event(snapshot: Any, sequence: int | None) -> bytes:
    number = snapshot["sequence"] if sequence is None and isinstance(snapshot, dict) else sequence
    head = "" if number is None else f"id: {number}\n"
    return f"{head}data: {_text(snapshot)}\n\n".encode()


def _stream_head(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("content-type", "text/event-stream")
    handler.send_header("cache-control", "no-cache")
    handler.send_header("connection", "close")
    handler.end_headers()
    handler.wfile.flush()
    handler.close_connection = True


def _answer(handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    handler.send_response(status)
    handler.send_header("content-type", "application/json")
    handler.send_header("cache-control", "no-cache")
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@contextlib.contextmanager
def between(target: int) -> Iterator[Between]:
    with Between(target) as proxy:
        yield proxy
