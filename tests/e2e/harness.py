"""Runs the real binary: short commands to their end, long ones with a handle, both in a directory of the test's own.

Nothing here knows the product's insides. Waiting is always for a condition, with a deadline (`until`). Processes are
ended by their own pid. The binary is `VOTESTREAM_BIN`, or target/release/votestream.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

ROOT = pathlib.Path(__file__).resolve().parents[2]
# How long anything is waited for. A slow machine may need more: VOTESTREAM_TEST_PATIENCE, in seconds.
PATIENCE_SECONDS = float(os.environ.get("VOTESTREAM_TEST_PATIENCE", "60"))
# Rust's way to say that an assertion of the program itself failed: never acceptable, whatever was done to it.
PANIC = "panicked at"
# Not a generator that a test may seed: two runs side by side would take the same ports.
_RANDOM = random.SystemRandom()


def binary() -> str:
    """The binary under test."""
    path = pathlib.Path(os.environ.get("VOTESTREAM_BIN") or ROOT / "target/release/votestream")
    assert path.exists(), f"no binary at {path}: build it first, or name it with VOTESTREAM_BIN"
    return str(path.resolve())


def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS, step: float = 0.01) -> Any:
    """Polls until `condition()` is true and returns its value; fails with `what` at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s in vain for: {what}")
        time.sleep(step)


def free_port() -> int:
    """A loopback port that nobody listens on, below those that the kernel hands to clients: a server that is restarted finds it again."""
    while True:
        port = _RANDOM.randrange(10_000, 32_000)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


@dataclasses.dataclass
class Outcome:
    """What a command said: exit status, stdout as bytes, stderr as text."""

    args: tuple[str, ...]
    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    def json(self) -> Any:
        return json.loads(self.out)

    def says(self, *words: str) -> "Outcome":
        """Every word stands in stderr, without regard to case."""
        missing = [word for word in words if word.lower() not in self.err.lower()]
        assert not missing, f"{self.args}: stderr lacks {missing}:\n{self.err}"
        return self


class Process:
    """A started command. stdout and stderr go to files, so that nothing blocks on a full pipe."""

    def __init__(self, command: list[str], args: tuple[str, ...], cwd: pathlib.Path, env: dict[str, str], stdin: Any) -> None:
        self.args = args
        self._out = tempfile.TemporaryFile()
        self._err = tempfile.TemporaryFile()
        self._popen = subprocess.Popen(
            [*command, *args], cwd=cwd, env=env, stdin=stdin or subprocess.DEVNULL, stdout=self._out, stderr=self._err
        )
        self.pid = self._popen.pid

    @property
    def stdin(self) -> BinaryIO:
        return self._popen.stdin

    def running(self) -> bool:
        return self._popen.poll() is None

    def out(self) -> bytes:
        return _all_of(self._out)

    def err(self) -> str:
        return _all_of(self._err).decode(errors="replace")

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._popen.send_signal(number)

    def wait(self, seconds: float = PATIENCE_SECONDS) -> Outcome:
        """Waits for the end. A panic fails the test, however the command ended."""
        try:
            status = self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.args} still runs after {seconds:.0f} s:\n{self.err()[-4000:]}") from None
        outcome = Outcome(self.args, status, self.out(), self.err())
        assert PANIC not in outcome.err, f"{self.args} panicked:\n{outcome.err}"
        return outcome

    def stop(self, seconds: float = PATIENCE_SECONDS) -> Outcome:
        """SIGTERM, and the end."""
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self) -> Outcome:
        """SIGKILL, and the end."""
        self.signal(signal.SIGKILL)
        return self.wait()

    def peak_bytes(self) -> int:
        """The process's peak of resident memory (VmHWM)."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no VmHWM of {self.pid}")

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        if self.running():
            self._popen.kill()
            self._popen.wait()
        if self._popen.stdin:
            with contextlib.suppress(OSError):
                self._popen.stdin.close()
        self._out.close()
        self._err.close()


def _all_of(file: BinaryIO) -> bytes:
    size = os.fstat(file.fileno()).st_size
    return os.pread(file.fileno(), size, 0)


@dataclasses.dataclass
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Harness:
    """One test's directory, processes and ports."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.dir = directory
        self._processes: list[Process] = []
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("VOTESTREAM_") and k not in ("FAILPOINTS", "RUST_LOG")}
        self.env |= {"TZ": "UTC", "NO_COLOR": "1"}

    def __enter__(self) -> "Harness":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.close()

    # --- commands ---

    def start(self, *args: object, stdin: Any = None, env: dict[str, str] | None = None, by: "Nobody | None" = None) -> Process:
        command, directory = (by.command, by.dir) if by else ([binary()], self.dir)
        process = Process(command, tuple(str(a) for a in args), directory, self.env | (env or {}), stdin)
        self._processes.append(process)
        return process

    def run(
        self, *args: object, stdin: bytes | None = None, status: int | None = 0, seconds: float = PATIENCE_SECONDS,
        env: dict[str, str] | None = None, by: "Nobody | None" = None,
    ) -> Outcome:  # fmt: skip
        """Runs a command to its end. `status` is the exit status it must have (None: any but a signal's)."""
        with tempfile.TemporaryFile() as file:
            if stdin is not None:
                file.write(stdin)
                file.seek(0)
            process = self.start(*args, stdin=file if stdin is not None else None, env=env, by=by)
            outcome = process.wait(seconds)
            process.close()
            self._processes.remove(process)
        if status is None:
            assert outcome.status in (0, 1, 2), f"{outcome.args} ended with {outcome.status}:\n{outcome.err}"
        else:
            assert outcome.status == status, f"{outcome.args} ended with {outcome.status}:\n{outcome.err}\n{outcome.out[-2000:]!r}"
        return outcome

    def refused(self, *args: object, says: tuple[str, ...], status: int = 2, **options: Any) -> Outcome:
        """A command that must not run: its status, and words that its message must hold. Nothing goes to stdout."""
        outcome = self.run(*args, status=status, **options).says(*says)
        assert outcome.out == b"", f"{outcome.args} wrote to stdout: {outcome.out[:500]!r}"
        assert 0 < len(outcome.err.splitlines()) <= 12, f"not a message but a page:\n{outcome.err}"
        return outcome

    # --- names ---

    @property
    def log(self) -> str:
        return f"dir:{self.dir / 'log'}"

    @property
    def store(self) -> str:
        return f"sqlite:{self.dir / 'results.db'}"

    def file(self, name: str, data: bytes) -> pathlib.Path:
        path = self.dir / name
        path.write_bytes(data)
        return path

    # --- the usual steps ---

    def ingest(self, data: bytes, *flags: object, name: str = "votes.ndjson", **options: Any) -> Outcome:
        return self.run("ingest", self.file(name, data), "--log", self.log, *flags, **options)

    def count(self, *flags: object, **options: Any) -> Outcome:
        return self.run("count", "--log", self.log, "--store", self.store, "--until-end", *flags, **options)

    def results(self, *flags: object, store: str | None = None) -> dict:
        return self.run("results", "--store", store or self.store, "--format", "json", *flags).json()

    def recount(self, *flags: object, status: int = 0, log: str | None = None, store: str | None = None, **options: Any) -> Outcome:
        return self.run("recount", "--log", log or self.log, "--store", store or self.store, *flags, status=status, **options)

    def up(self, *flags: object, data: pathlib.Path | None = None, **options: Any) -> "Up":
        """`up` on free ports, once it answers."""
        return Up(self, data or self.dir / "data", flags, options)

    def serve(self, *flags: object, seconds: float = PATIENCE_SECONDS) -> tuple[Process, "Api"]:
        """`serve` over the harness's store, once it answers."""
        port = free_port()
        process = self.start("serve", "--store", self.store, "--listen", f"127.0.0.1:{port}", *flags)
        api = Api(port)
        api.await_health(process, seconds)
        return process, api


class Up:
    """A running `up`: its process, its API, its source, its log and store."""

    def __init__(self, harness: Harness, data: pathlib.Path, flags: tuple[object, ...], options: dict[str, Any]) -> None:
        self.data, self.port, self.source_port = data, free_port(), free_port()
        self.log, self.store = f"dir:{data / 'log'}", f"sqlite:{data / 'results.db'}"
        self.process = harness.start(
            "up", "--data", data, "--listen", f"127.0.0.1:{self.port}", "--source-listen", f"127.0.0.1:{self.source_port}",
            *flags, **options,
        )  # fmt: skip
        self.api = Api(self.port)

    def ready(self, seconds: float = PATIENCE_SECONDS) -> "Up":
        self.api.await_health(self.process, seconds)
        return self


class Api:
    """HTTP on loopback, a connection a request."""

    def __init__(self, port: int) -> None:
        self.port = port

    def request(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None, seconds: float = 30) -> Response:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **options: Any) -> Response:
        return self.request("GET", path, **options)

    def json(self, path: str) -> Any:
        answer = self.get(path)
        assert answer.status == 200, f"GET {path}: {answer.status} {answer.body[:500]!r}"
        assert answer.headers["content-type"].startswith("application/json"), answer.headers
        return answer.json()

    def post(self, body: bytes, content_type: str = "application/x-ndjson", **options: Any) -> Response:
        headers = {"content-type": content_type} | options.pop("headers", {})
        return self.request("POST", "/api/votes", body, headers=headers, **options)

    def problem(self, status: int, method: str, path: str, **options: Any) -> dict:
        """A wrong request: RFC 9457 problem details with this status."""
        answer = self.request(method, path, **options)
        assert answer.status == status, f"{method} {path}: {answer.status}, not {status}: {answer.body[:500]!r}"
        assert answer.headers.get("content-type", "").startswith("application/problem+json"), f"{method} {path}: {answer.headers}"
        problem = answer.json()
        assert problem["status"] == status and problem["title"], problem
        return problem

    def healthy(self) -> bool:
        try:
            return self.get("/healthz", seconds=2).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def await_health(self, process: Process, seconds: float) -> None:
        def check() -> bool:
            assert process.running(), f"{process.args} ended before it answered:\n{process.err()}"
            return self.healthy()

        until(check, f"{process.args} to answer on port {self.port}", seconds)

    @contextlib.contextmanager
    def events(self, path: str, seconds: float = 30, headers: dict[str, str] | None = None) -> Iterator[Iterator[dict[str, str]]]:
        """A server-sent event stream: an iterator of {event fields}; it ends where the server ends it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            assert answer.status == 200, f"GET {path}: {answer.status} {answer.read(500)!r}"
            assert answer.headers["content-type"].startswith("text/event-stream"), answer.headers["content-type"]
            yield _events_of(answer)
        finally:
            connection.close()


def _events_of(answer: http.client.HTTPResponse) -> Iterator[dict[str, str]]:
    event: dict[str, str] = {}
    while line := answer.readline():
        text = line.decode().rstrip("\r\n")
        if text == "" and event:
            yield event
            event = {}
        elif text and not text.startswith(":"):
            field, _, value = text.partition(":")
            value = value.removeprefix(" ")
            event[field] = event[field] + "\n" + value if field == "data" and "data" in event else value


# --- comparing ------------------------------------------------------------------------------------------------------


def counts(results: dict) -> dict:
    """What two counts of the same records must agree in."""
    return {
        "records": results["records"],
        "counted": results["counted"],
        "duplicate": results["duplicate"],
        "rejected": results["rejected"],
        "candidates": {c["id"]: c["votes"] for c in results["candidates"]},
        "regions": {r["code"]: dict(r["votes"]) for r in results["regions"]},
    }


def toml_text(text: str) -> str:
    """A TOML string: JSON's, but for what JSON would write as two halves of a character."""
    return json.dumps(text, ensure_ascii=False)


def agree(*answers: dict) -> None:
    """All of them say the same, each of them adds up."""
    for answer in answers:
        adds_up(answer)
    first = counts(answers[0])
    for answer in answers[1:]:
        assert counts(answer) == first


def adds_up(results: dict) -> None:
    """The law's own sums over one answer."""
    assert results["counted"] + results["duplicate"] + results["rejected"] == results["records"]
    assert sum(c["votes"] for c in results["candidates"]) == results["counted"]
    # A poll has no regions.
    assert not results["regions"] or sum(r["counted"] for r in results["regions"]) == results["counted"]
    for region in results["regions"]:
        assert sum(region["votes"].values()) == region["counted"], region
    votes = [c["votes"] for c in results["candidates"]]
    assert votes == sorted(votes, reverse=True)
    for candidate in results["candidates"]:
        share = candidate["votes"] / results["counted"] if results["counted"] else 0.0
        assert abs(candidate["share"] - share) < 1e-12, candidate


# --- what the machine offers ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def small_disk(path: pathlib.Path, megabytes: float) -> Iterator[pathlib.Path]:
    """A file system of its own of that size; gone afterwards in any case. It needs root, as a mount does."""
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={int(megabytes * 1024)}k,mode=755", "tmpfs", str(path)], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@dataclasses.dataclass
class Nobody:
    """A user without privileges: the command that runs the binary as that user, and a directory that this user may
    enter and read but not write."""

    command: list[str]
    dir: pathlib.Path


@contextlib.contextmanager
def as_nobody() -> Iterator[Nobody]:
    """A user without privileges (root ignores file modes). Where the tests run without privileges, it is theirs."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="votestream-nobody-"))
    try:
        directory.chmod(0o755)
        if os.geteuid() != 0:
            yield Nobody([binary()], directory)
            return
        copy = directory / "votestream"
        shutil.copy(binary(), copy)
        copy.chmod(0o755)
        yield Nobody(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "--", str(copy)], directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
