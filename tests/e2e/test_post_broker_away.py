"""POST /api/votes while the topic's broker is away: 503 with Retry-After in time, even when no more can be queued; taken again when it is back."""

from __future__ import annotations

import concurrent.futures
import os
import time

from tests.e2e.harness import Harness, Response, until
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


def test_a_broker_that_is_away(vs: Harness, broker: Broker) -> None:
    topic = broker.kafka().create(2)
    log = f"kafka://127.0.0.1:{broker.port}/{topic}"
    vote = next(iter(presidential(1, 1))).value
    vs.run("count", "--log", log, "--store", vs.store, "--until-end")
    server, api = vs.serve("--log", log)
    # Made beforehand: a server that has had no votes for a while closes its log, and one that cannot be opened has no queue to fill.
    bodies = [body() for _ in range(AT_ONCE)]
    assert api.post(vote).status == 202
    broker.kill()

    def post(records: bytes) -> tuple[Response, float]:
        began = time.monotonic()
        return api.post(records, seconds=60), time.monotonic() - began

    full = False
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
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
