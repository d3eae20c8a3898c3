"""Signed webhooks, seen by a receiver: what is told, how it is signed, and what happens to a receiver that fails."""

from __future__ import annotations

import collections
import contextlib
import hashlib
import hmac
import http.server
import json
import pathlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.harness import Api, Harness, Process, free_port, until
from tests.e2e.tls_front import self_signed

SECRET = "a-secret-of-the-tests-made-up"
ENV = {"VOTESTREAM_WEBHOOK_SECRET": SECRET}


class Receiver:
    """A server on loopback that keeps every POST. `answers` are given first, one a request; then 204.

    An answer is a status, a status with headers, "drop" (the connection is closed without one) or "hang" (nothing is
    said until the client leaves)."""

    def __init__(self, *answers: Any, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.posts: list[dict[str, Any]] = []
        self.gets: list[str] = []
        self._answers = collections.deque(answers)
        self._lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer._post(self)

            def do_GET(self) -> None:
                outer.gets.append(self.path)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._server.server_address[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}/hooks/s3cret-path"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def _post(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"]))
        with self._lock:
            answer = self._answers.popleft() if self._answers else 204
            self.posts.append(
                {
                    "at": time.monotonic(), "wall": time.time(), "path": handler.path, "body": body, "answer": answer,
                    "headers": {name.lower(): value for name, value in handler.headers.items()}, "json": json.loads(body),
                }  # fmt: skip
            )
        if answer == "drop":
            handler.connection.shutdown(socket.SHUT_RDWR)
        elif answer == "hang":
            with contextlib.suppress(OSError):
                handler.connection.recv(1)
        else:
            status, headers = answer if isinstance(answer, tuple) else (answer, {})
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name, value)
            handler.end_headers()
        handler.close_connection = True

    def taken(self) -> list[dict[str, Any]]:
        """Events that were answered with 204, as their bodies."""
        return [post["json"] for post in list(self.posts) if post["answer"] == 204]

    def await_event(self, fits: Callable[[dict], bool], what: str) -> dict:
        return until(lambda: next((event for event in self.taken() if fits(event)), None), what)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def receiver(*answers: Any, **options: Any) -> Iterator[Receiver]:
    server = Receiver(*answers, **options)
    try:
        yield server
    finally:
        server.close()


def check_signature(post: dict[str, Any], secret: str = SECRET) -> None:
    """As a receiver would: HMAC-SHA256 of "t.body", compared whole, and not too old."""
    parts = dict(part.split("=", 1) for part in post["headers"]["x-votestream-signature"].split(","))
    signed = parts["t"].encode() + b"." + post["body"]
    expect = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(parts["v1"], expect), post["headers"]
    assert abs(post["wall"] - int(parts["t"])) < 60


class Town:
    """Votes of the US preset, added by and by."""

    def __init__(self, vs: Harness) -> None:
        self.vs, self.voters, self.files = vs, 0, 0

    def vote(self, state: str, decision: str, votes: int = 1, bad: int = 0) -> None:
        """Appends and counts votes, and records that are none."""
        self.files += 1
        lines = [json.dumps({"id": self.voters + n, "state": state, "decision": decision}) for n in range(1, votes + 1)]
        lines += [json.dumps({"id": f"bad {self.files} {n}", "state": "Nowhere", "decision": decision}) for n in range(bad)]
        self.voters += votes
        self.vs.ingest(("\n".join(lines) + "\n").encode(), name=f"votes-{self.files}.ndjson")
        self.vs.count()

    def desk(self, act: str, *flags: str) -> None:
        self.vs.run(act, "--store", self.vs.store, *flags)

    def serve(self, *hooks: Receiver | str, flags: tuple[object, ...] = (), env: dict[str, str] | None = None) -> tuple[Process, Api]:
        """`serve` with webhooks, once it answers and has taken its first look."""
        port = free_port()
        named = [flag for hook in hooks for flag in ("--webhook", hook if isinstance(hook, str) else hook.url)]
        # Votes are always expected here; that nothing comes for a while is told only where a test wants it.
        patient = () if "--webhook-stale-seconds" in flags else ("--webhook-stale-seconds", "86400")
        process = self.vs.start(
            "serve", "--store", self.vs.store, "--listen", f"127.0.0.1:{port}", *named, *patient, *flags, env=ENV | (env or {})
        )  # fmt: skip
        api = Api(port)
        api.await_health(process, 60)
        until(lambda: "webhooks tell what happens from here on" in process.err(), "the first look")
        return process, api

    def marker(self, hook: Receiver, region: str) -> list[dict]:
        """Closes a region and answers all events up to the one that tells of it: what is not among them was not told."""
        self.desk("close", "--region", region)
        event = hook.await_event(lambda e: e["event"] == "decided" and e.get("region") == region, f"the close of {region} to be told")
        told = hook.taken()
        return told[: told.index(event)]


@pytest.fixture
def town(vs: Harness) -> Town:
    """Harris leads Ohio and the nation, Trump leads Texas."""
    town = Town(vs)
    town.vote("OH", "harris", 3)
    town.vote("TX", "trump", 1)
    town.vote("WY", "trump", 1)
    return town


def metric(api: Api, name: str, labels: str) -> int:
    line = next(line for line in api.get("/metrics").body.decode().splitlines() if line.startswith(f"{name}{{{labels}}} "))
    return int(line.rpartition(" ")[2])


def short(event: dict) -> str:
    who = (event.get("leader") or event.get("winner") or {}).get("id", "-")
    return f"{event['event']} {event.get('region') or 'all'} {who}"


def test_what_happens_is_told_signed_and_in_order(town: Town) -> None:
    with receiver() as hook:
        process, api = town.serve(hook)
        # That the first look raised nothing is seen from what comes first.
        assert town.marker(hook, "WY") == []
        town.vote("OH", "trump", 9)
        hook.await_event(lambda e: e["event"] == "lead_change" and e.get("region") is None, "the nation's lead to change")
        town.desk("close")
        hook.await_event(lambda e: e["event"] == "complete", "the count to be complete")
        told = hook.taken()
        assert [short(event) for event in told][:3] == ["decided WY trump", "lead_change OH trump", "lead_change all trump"]
        assert sorted(short(event) for event in told[3:]) == ["complete all -", "decided OH trump", "decided TX trump"]
        lead = told[1]
        assert lead["previous"]["name"] == "Kamala Harris" and lead["leader"]["party"] and lead["margin_votes"] == 6
        assert lead["election"] == "us-president-2024" and lead["region_name"] == "Ohio" and lead["counted"] == 12
        results = api.json("/api/results")
        assert told[-1]["event"] == "complete" and told[-1]["sequence"] == results["sequence"]
        assert told[-1]["as_of"] == results["as_of"] and told[-1]["counted"] == results["counted"]
        sequences = [event["sequence"] for event in told]
        assert sequences == sorted(sequences)
        ids = [post["headers"]["x-votestream-delivery"] for post in hook.posts]
        assert len(set(ids)) == len(ids)
        for post in hook.posts:
            check_signature(post)
            assert post["headers"]["x-votestream-event"] == post["json"]["event"]
            assert post["headers"]["content-type"] == "application/json" and post["path"] == "/hooks/s3cret-path"
        with pytest.raises(AssertionError):
            check_signature(hook.posts[0], SECRET + "x")
        assert metric(api, "votestream_webhook_deliveries_total", 'hook="1",outcome="delivered"') == len(told)
        ended = process.stop()
        assert ended.status == 0
        assert "s3cret-path" not in ended.err and SECRET not in ended.err


def test_a_restart_tells_nothing_again(town: Town) -> None:
    with receiver() as hook:
        process, _ = town.serve(hook)
        town.marker(hook, "WY")
        process.stop()
        before = len(hook.posts)
        town.vote("OH", "trump", 9)
        town.serve(hook)
        # What changed in between is where telling begins; what was told stays told.
        town.desk("close", "--region", "TX")
        hook.await_event(lambda e: e.get("region") == "TX", "the close of TX to be told")
        assert [short(post["json"]) for post in hook.posts[before:]] == ["decided TX trump"]


def test_a_receiver_that_fails_gets_the_same_event_again_and_the_next_after_it(town: Town) -> None:
    with receiver(500, "drop", 503, 408) as hook:
        _, api = town.serve(hook)
        town.desk("close", "--region", "WY")
        until(lambda: hook.posts, "the first attempt")
        town.desk("close", "--region", "TX")
        until(lambda: len(hook.taken()) == 2, "both events to be taken")
        assert [short(event) for event in hook.taken()] == ["decided WY trump", "decided TX trump"]
        first = hook.posts[:5]
        assert [post["answer"] for post in first] == [500, "drop", 503, 408, 204]
        assert len({post["headers"]["x-votestream-delivery"] for post in first}) == 1
        assert len({post["body"] for post in first}) == 1
        pauses = [later["at"] - earlier["at"] for earlier, later in zip(first, first[1:], strict=False)]
        assert pauses[0] >= 0.45 and pauses[2] >= 1.9, pauses
        for post in hook.posts:
            check_signature(post)
        assert len({post["headers"]["x-votestream-signature"] for post in first}) > 1, "signed anew as time goes on"
        assert metric(api, "votestream_webhook_attempts_total", 'hook="1"') == 6


def test_a_receiver_that_starts_later_gets_what_waited(town: Town) -> None:
    port = free_port()
    _, api = town.serve(f"http://127.0.0.1:{port}/hooks/s3cret-path")
    town.desk("close", "--region", "WY")
    until(lambda: metric(api, "votestream_webhook_attempts_total", 'hook="1"') >= 1, "an attempt in vain")
    town.desk("close", "--region", "TX")
    until(lambda: metric(api, "votestream_webhook_waiting", 'hook="1"') == 2, "both to wait")
    with receiver(port=port) as hook:
        until(lambda: len(hook.taken()) == 2, "both to be taken")
        assert [short(event) for event in hook.taken()] == ["decided WY trump", "decided TX trump"]


def test_one_that_hangs_slows_neither_the_server_nor_others(town: Town) -> None:
    with receiver("hang") as slow, receiver() as quick:
        _, api = town.serve(slow, quick)
        town.desk("close", "--region", "WY")
        until(lambda: slow.posts, "the slow one to be asked")
        quick.await_event(lambda e: e.get("region") == "WY", "the quick one to have it")
        assert slow.taken() == []
        assert api.get("/api/results", seconds=5).status == 200
        # Given up on after ten seconds, and asked again.
        until(lambda: slow.taken(), "the slow one to be asked again")
        assert slow.posts[1]["at"] - slow.posts[0]["at"] >= 10
        assert len({post["headers"]["x-votestream-delivery"] for post in slow.posts + quick.posts}) == 1


@pytest.mark.parametrize("answer", [400, 404, 410, (301, {"Location": "/elsewhere"}), (308, {"Location": "/elsewhere"})])
def test_who_refuses_is_not_asked_again(town: Town, answer: Any) -> None:
    with receiver(answer) as hook:
        process, api = town.serve(hook)
        town.desk("close", "--region", "WY")
        until(lambda: hook.posts, "the event")
        town.desk("close", "--region", "TX")
        hook.await_event(lambda e: e.get("region") == "TX", "the next event")
        assert [short(post["json"]) for post in hook.posts] == ["decided WY trump", "decided TX trump"]
        assert hook.gets == []
        assert metric(api, "votestream_webhook_deliveries_total", 'hook="1",outcome="refused"') == 1
        assert "refused" in process.err() and "s3cret" not in process.err()


def test_retry_after_is_honoured(town: Town) -> None:
    with receiver((429, {"Retry-After": "4"})) as hook:
        town.serve(hook)
        town.desk("close", "--region", "WY")
        until(lambda: hook.taken(), "the event")
        assert hook.posts[1]["at"] - hook.posts[0]["at"] >= 4


def test_nothing_is_told_of_a_region_that_is_held(town: Town) -> None:
    with receiver() as hook:
        town.serve(hook)
        town.desk("hold", "--region", "OH")
        town.vote("OH", "trump", 50)
        told = town.marker(hook, "TX")
        assert all(event.get("region") != "OH" for event in told), told
        assert all(b'"OH"' not in post["body"] and b"Ohio" not in post["body"] for post in hook.posts)
        assert all(post["json"].get("counted", 0) <= 5 for post in hook.posts), "the held votes are in no number"


def test_a_count_that_stands_still_is_stale_and_then_fresh(town: Town) -> None:
    with receiver() as hook:
        town.serve(hook, flags=("--webhook-stale-seconds", "1"))
        stale = hook.await_event(lambda e: e["event"] == "stale", "the count to be stale")
        assert stale["seconds"] >= 1 and stale["reason"] == "no_commit"
        town.vote("TX", "trump", 2)
        fresh = hook.await_event(lambda e: e["event"] == "fresh", "the count to be fresh")
        assert fresh["sequence"] > stale["sequence"]
        names = [event["event"] for event in hook.taken() if event["event"] in ("stale", "fresh")]
        assert names == [("stale", "fresh")[n % 2] for n in range(len(names))]


def test_records_that_nobody_counts_are_stale(vs: Harness) -> None:
    """A poll without an expected number, whose counting has died: the log alone tells that votes wait."""
    vs.ingest(b'{"id": 1, "decision": "yes"}\n', "--election", "poll")
    vs.count("--election", "poll")
    town = Town(vs)
    with receiver() as hook:
        town.serve(hook, flags=("--webhook-stale-seconds", "1", "--log", vs.log))
        vs.ingest(b'{"id": 2, "decision": "no"}\n{"id": 3, "decision": "no"}\n', "--election", "poll", name="more.ndjson")
        stale = hook.await_event(lambda e: e["event"] == "stale", "the waiting votes to be told")
        assert (stale["backlog"], stale["reason"]) == (2, "no_commit")
        vs.count("--election", "poll")
        hook.await_event(lambda e: e["event"] == "fresh", "the count to be fresh")


def test_many_rejects_are_told_and_that_they_are_over(town: Town) -> None:
    with receiver() as hook:
        town.serve(hook, flags=("--webhook-reject-window", "100", "--webhook-reject-rate", "0.1"))
        town.vote("TX", "trump", 100, bad=100)
        above = hook.await_event(lambda e: e["event"] == "reject_rate", "the rejects to be told")
        assert above["above"] is True and above["threshold"] == 0.1
        assert above["window"] == {"records": 200, "rejected": 100, "rate": 0.5}
        town.vote("TX", "trump", 300)
        back = hook.await_event(lambda e: e["event"] == "reject_rate" and not e["above"], "the rejects to be over")
        assert back["window"]["rejected"] == 0


def test_up_tells_of_the_end_before_it_ends(vs: Harness) -> None:
    with receiver() as hook:
        up = vs.up("--votes", "200000", "--rate", "max", "--exit-when-done", "--webhook", hook.url, env=ENV)
        outcome = up.process.wait(240)
        assert outcome.status == 0, outcome.err
        told = hook.taken()
        assert "complete" in [event["event"] for event in told]
        complete = next(event for event in told if event["event"] == "complete")
        assert complete["counted"] == 200_000 and complete["simulated"] is True
        decided = [event["region"] for event in told if event["event"] == "decided" and event["region"]]
        assert len(set(decided)) == len(decided) == 51


def test_https_is_spoken_and_certificates_are_checked(town: Town, tmp_path: pathlib.Path) -> None:
    key, certificate = self_signed(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with receiver(tls=tls) as hook:
        trusting, api = town.serve(hook, env={"SSL_CERT_FILE": str(certificate)})
        doubting, other = town.serve(hook)
        town.desk("close", "--region", "WY")
        hook.await_event(lambda e: e.get("region") == "WY", "the event over TLS")
        until(lambda: metric(other, "votestream_webhook_attempts_total", 'hook="1"') >= 2, "attempts in vain")
        assert len(hook.posts) == 1, "an unknown certificate is not trusted"
        check_signature(hook.posts[0])
        assert "TLS failed" in doubting.err() and "TLS failed" not in trusting.err()
        assert metric(api, "votestream_webhook_deliveries_total", 'hook="1",outcome="delivered"') == 1


def test_what_cannot_be_is_refused_at_start(town: Town) -> None:
    vs, url = town.vs, "http://127.0.0.1:9/s3cret-path"
    serve = ("serve", "--store", vs.store, "--listen", f"127.0.0.1:{free_port()}", "--webhook")
    vs.refused(*serve, url, says=("VOTESTREAM_WEBHOOK_SECRET", "--webhook-secret-file"))
    vs.refused(*serve, url, env={"VOTESTREAM_WEBHOOK_SECRET": "short"}, says=("16 to 256",))
    vs.refused(*serve, url, "--webhook-secret-file", vs.dir / "none", says=("cannot read", "none"))
    vs.refused(*serve, url, "--webhook-reject-rate", "7", env=ENV, says=("--webhook-reject-rate",))
    for bad in ("ftp://127.0.0.1/s3cret-path", "127.0.0.1/s3cret-path", "http://me:s3cret-path@127.0.0.1/", "http://"):
        outcome = vs.refused(*serve, bad, env=ENV, says=("webhook number 1",))
        assert "s3cret-path" not in outcome.err
    file = vs.file("secret", (SECRET + "\n").encode())
    with receiver() as hook:
        town.serve(hook, flags=("--webhook-secret-file", file), env={"VOTESTREAM_WEBHOOK_SECRET": "not-this-one-but-the-file"})
        town.desk("close", "--region", "WY")
        hook.await_event(lambda e: e.get("region") == "WY", "the event")
        check_signature(hook.posts[0])
