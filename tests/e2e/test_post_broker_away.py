"""POST /api/votes while the topic's broker is away: 503 with Retry-After in time, even when no more can be queued; taken again when it is back."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import threading
import time
from collections.abc import Iterator

from tests.e2e.harness import Api, Harness, Response, until
from tests.e2e.kafka_votes import presidential
from tests.e2e.services import Broker

# A POST is answered within 10 s of its body; the rest is the test's own machine.
ANSWER_SECONDS_MAX = 15.0
# Each body is a line less than a POST may have; together they are more than a writer's queue takes.
BODY_BYTES = 7_800_000
LINE_BYTES = 60_000
AT_ONCE = 8
ROUNDS_MAX = 6


def body() -> bytes:
    """Lines that no codec makes shorter than half."""
    return b"\n".join(os.urandom(LINE_BYTES // 2).hex().encode() for _ in range(BODY_BYTES // LINE_BYTES))


@contextlib.contextmanager
def always_one_on_its_way(api: Api, vote: bytes) -> Iterator[None]:
    """Posts one vote after the other: a server that has had none for a while closes its log, and one that cannot be opened has no queue to fill."""
    enough = threading.Event()

    def go_on() -> None:
        while not enough.is_set():
            assert api.post(vote, seconds=60).status in (202, 503)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        poster = pool.submit(go_on)
        try:
            yield
        finally:
            enough.set()
            poster.result()


def test_a_broker_that_is_away(vs: Harness, broker: Broker) -> None:
    topic = broker.kafka().create(2)
    log = f"kafka://127.0.0.1:{broker.port}/{topic}"
    vote = next(iter(presidential(1, 1))).value
    vs.run("count", "--log", log, "--store", vs.store, "--until-end")
    server, api = vs.serve("--log", log)
    bodies = [body() for _ in range(AT_ONCE)]
    assert api.post(vote).status == 202

    def post(records: bytes) -> tuple[Response, float]:
        began = time.monotonic()
        return api.post(records, seconds=60), time.monotonic() - began

    full = False
    with always_one_on_its_way(api, vote), concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        broker.kill()
        for _ in range(ROUNDS_MAX):
            for answer, seconds in pool.map(post, bodies):
                assert answer.status == 503 and int(answer.headers["retry-after"]) >= 1, answer.body
                assert seconds < ANSWER_SECONDS_MAX, f"answered after {seconds:.1f} s: {answer.body!r}"
                full = full or b"more waits to be written" in answer.body
            if full:
                break
    assert full, "the queue is bounded"
    broker.start()
    until(lambda: post(vote)[0].status == 202, "votes to be taken again", 90)
    assert server.stop().status == 0, server.err()
