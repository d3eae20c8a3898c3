"""How a Spark Connect server is got into: by token and TLS; and what is said where a way is shut, at once, with no token told.

Beside `SERVICES="kafka spark" scripts/with-services.sh`. The server is one of the tests' own: it wants a token, and lacks the Kafka connector.
"""

from __future__ import annotations

import pathlib
import time
from collections.abc import Iterator

import pytest

from tests.e2e.harness import Harness, Outcome
from tests.e2e.kafka_votes import presidential
from tests.e2e.services import Kafka, required
from tests.e2e.spark_server import SECONDS, SparkServer
from tests.e2e.tls_front import TlsFront

pytestmark = pytest.mark.spark

# Of characters that end a setting, a parameter or a path in a URL.
TOKEN = "t0p/secret;of+the=tests%2Cmade-up"
VARIABLE = "SPARK_CONNECT_AUTHENTICATE_TOKEN"
# Nothing that is refused may be tried again for minutes.
AT_ONCE_SECONDS = 30.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkServer]:
    server = SparkServer(tmp_path_factory.mktemp("ways-in") / "spark", "--jars", "", env={VARIABLE: TOKEN})
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def front(server: SparkServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsFront]:
    with TlsFront(server.port, tmp_path_factory.mktemp("front")) as front:
        yield front


def doctor(vs: Harness, remote: str, *flags: object, **env: str) -> Outcome:
    """What doctor says of it, everything said; in no case the token."""
    began = time.monotonic()
    outcome = vs.run("-vv", "doctor", "--remote", remote, *flags, status=None, seconds=SECONDS, env=env)
    assert time.monotonic() - began < AT_ONCE_SECONDS
    assert TOKEN not in outcome.text + outcome.err, outcome.text + outcome.err
    return outcome


def test_the_right_token_lets_in_and_no_other(vs: Harness, server: SparkServer, front: TlsFront) -> None:
    files = {name: vs.file(name, text.encode() + b"\n") for name, text in (("right", TOKEN), ("wrong", TOKEN[:-1]))}
    secure, trust = f"sc://127.0.0.1:{front.port}/;use_ssl=true", {"SSL_CERT_FILE": str(front.certificate)}
    for remote, env in (
        (server.url, {VARIABLE: TOKEN}),
        (f"{server.url}/;token_file={files['right']}", {}),
        (f"{secure};token_file={files['right']}", trust),
        (secure, trust | {VARIABLE: TOKEN}),
    ):
        assert "✓ Apache Spark, version: Spark 4." in doctor(vs, remote, **env).text, remote
    for remote, env in (
        (server.url, {}),
        (server.url, {VARIABLE: TOKEN + "x"}),
        (f"{server.url}/;token_file={files['wrong']}", {VARIABLE: TOKEN}),
        (secure, trust),
    ):
        outcome = doctor(vs, remote, **env)
        assert outcome.status == 1 and "does not let us in" in outcome.text and "token_file=FILE" in outcome.text, outcome.text
    text = doctor(vs, f"{server.url}/;token_file={vs.dir}/none").text
    assert f"cannot be read from '{vs.dir}/none'" in text, text
    # To another machine it goes encrypted, or not at all.
    for env in ({}, {VARIABLE: TOKEN}):
        remote = "sc://192.0.2.1:15002" + ("" if env else f"/;token_file={files['right']}")
        assert "only sent over TLS" in doctor(vs, remote, **env).text


def test_a_wrong_address_is_told_by_what_answers(vs: Harness, server: SparkServer, front: TlsFront) -> None:
    broker = required("VOTESTREAM_TEST_KAFKA")
    for remote, words in (
        (f"sc://127.0.0.1:{front.port}/;use_ssl=true", ("is not secure", "UnknownIssuer", "SSL_CERT_FILE")),
        (f"sc://localhost:{front.port}/;use_ssl=true", ("is not secure", "SSL_CERT_FILE")),
        (f"sc://127.0.0.1:{front.port}", ("use_ssl=true",)),
        (f"{server.url}/;use_ssl=true", ("does not speak TLS", "leave out use_ssl=true")),
        (f"sc://{broker}", (broker, "closes connections without an answer")),
        ("sc://127.0.0.1:1", ("sc://127.0.0.1:1", "is it running")),
    ):
        outcome = doctor(vs, remote, **{VARIABLE: TOKEN})
        assert outcome.status == 1 and not [word for word in words if word not in outcome.text], f"{remote}: {outcome.text}"


def test_a_count_that_cannot_be_ends_at_once_and_commits_nothing(vs: Harness, kafka: Kafka, server: SparkServer) -> None:
    topic = kafka.create(1)
    kafka.produce(topic, ((event.voter.encode(), event.value) for event in presidential(100, 1)))
    count = ("-vv", "count", "--engine", "spark", "--log", kafka.url(topic), "--store", vs.store, "--until-end", "--remote")
    began = time.monotonic()
    for env, words in (
        ({}, ("does not let us in", "token_file=FILE")),
        ({VARIABLE: TOKEN}, ("no Kafka connector", "--packages org.apache.spark:spark-sql-kafka")),
    ):
        outcome = vs.run(*count, server.url, status=2, env=env).says(*words)
        assert TOKEN not in outcome.err
    assert time.monotonic() - began < AT_ONCE_SECONDS
    results = vs.results()
    assert results["records"] == 0 and not list(pathlib.Path(vs.dir).glob("results.db.seen/**/*.parquet"))
