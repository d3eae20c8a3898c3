"""TLS and SASL on a real broker, from outside: every way in counts, every wrong way is told in a sentence, secrets never."""

from __future__ import annotations

import pathlib

import pytest

from tests.e2e.harness import Harness, agree
from tests.e2e.kafka_votes import oracle, presidential
from tests.e2e.secured_kafka import facts, url
from tests.e2e.services import Kafka, Postgres, unique
from tests.oracle.count import us_president_2024


@pytest.fixture(scope="module", name="facts")
def facts_of_the_broker() -> dict[str, str]:
    return facts()


@pytest.fixture(scope="module")
def open_side(facts: dict[str, str]) -> Kafka:
    return Kafka(facts["PLAINTEXT"])


@pytest.fixture(scope="module")
def topic(open_side: Kafka) -> str:
    name = open_side.create(2, stem="secured")
    open_side.produce(name, ((event.voter.encode(), event.value) for event in presidential(1_000, 1)))
    return name


WAYS_IN = (
    "{TLS}/T?tls=true&ca={CA}",
    "{MTLS}/T?tls=true&ca={CA}&cert={CLIENT_CERT}&key={CLIENT_KEY}",
    "{SASL_TLS}/T?tls=true&ca={CA}&sasl=plain&user={USER}&password_file={PASSWORD_FILE}",
    "{SASL_TLS}/T?tls=true&ca={CA}&sasl=scram-sha-256&user={USER}&password_file={PASSWORD_FILE}",
    "{SASL_TLS}/T?tls=true&ca={CA}&sasl=scram-sha-512&user={USER}&password_file={PASSWORD_FILE}",
    "{SASL_CLEAR}/T?sasl=scram-sha-512&user={USER}&password_file={PASSWORD_FILE}",
)


@pytest.mark.parametrize("way", WAYS_IN)
def test_every_way_in_counts(vs: Harness, facts: dict[str, str], open_side: Kafka, topic: str, way: str) -> None:
    vs.run("count", "--log", url(way, facts, topic), "--store", vs.store, "--until-end")
    agree(vs.results(), oracle(open_side, topic, us_president_2024()))


def test_user_and_password_by_the_environment(vs: Harness, facts: dict[str, str], open_side: Kafka, topic: str) -> None:
    password = pathlib.Path(facts["PASSWORD_FILE"]).read_text()
    env = {"VOTESTREAM_KAFKA_USER": facts["USER"], "VOTESTREAM_KAFKA_PASSWORD": password}
    log = url("{SASL_CLEAR}/T?sasl=scram-sha-256", facts, topic)
    outcome = vs.run("count", "--log", log, "--store", vs.store, "--until-end", env=env)
    assert password not in outcome.err
    agree(vs.results(), oracle(open_side, topic, us_president_2024()))


@pytest.mark.parametrize("way", [WAYS_IN[1], WAYS_IN[4]])
def test_all_that_speaks_to_brokers_and_no_secret_told(
    vs: Harness, facts: dict[str, str], open_side: Kafka, topic: str, postgres: Postgres, way: str
) -> None:
    """Groups, routing, publishing, sampling, producing; the passwords are in no message, however much is told, and on no command line
    but the one where somebody wrote it there."""
    passwords = [pathlib.Path(facts["PASSWORD_FILE"]).read_text().strip(), vs.env["PGPASSWORD"]]
    before, _, after = postgres.url.partition("@")
    store, env = f"{before}:{passwords[1]}@{after}", {"PGPASSWORD": ""}
    scattered, published = open_side.create(2, stem="scattered"), unique("results")
    open_side.produce(scattered, ((None, event.value) for event in presidential(1_000, 1)))
    secured = lambda name, more="": url(way + more, facts, name)  # noqa: E731
    runs = (
        (2, "count", "--log", secured(scattered), "--store", store, "--until-end"),
        (0, "count", "--log", secured(scattered), "--store", f"sqlite:{vs.dir / 'routed.db'}", "--until-end", "--route", "--publish", secured(published)),
        (0, "recount", "--from-scratch", "--log", secured(topic), "--store", store),
        (0, "count", "--log", secured(topic, "&reader=librdkafka"), "--store", vs.store, "--until-end"),
        (0, "count", "--log", secured(topic), "--store", store, "--until-end"),
        (0, "recount", "--log", secured(topic), "--store", store),
        (1, "doctor", "--log", secured(topic), "--store", store),
        (0, "init", "--sample", secured(topic), vs.dir / "drafted.toml"),
        (0, "simulate", "--votes", 500, "--to", secured(unique("made")), "--create-topic", "partitions=2"),
        (2, "results", "--store", f"{store}_nowhere"),
    )
    for status, *command in runs:
        outcome = vs.run("-vv", *command, status=None, env=env)
        assert outcome.status == status, f"{outcome.args}: {outcome.status}\n{outcome.err}\n{outcome.text}"
        assert not [secret for secret in passwords if secret in outcome.err + outcome.text], f"{outcome.args} told a secret"
    agree(vs.results(store=postgres.url), oracle(open_side, topic, us_president_2024()))
    assert len(open_side.records(published)) >= 4


WRONG_WAYS = (
    ("{SASL_TLS}/T?tls=true&ca={CA}&sasl=plain&user={USER}&password_file={WRONG_PASSWORD_FILE}", "password"),
    ("{SASL_TLS}/T?tls=true&ca={CA}&sasl=scram-sha-512&user={USER}&password_file={WRONG_PASSWORD_FILE}", "password"),
    ("{SASL_TLS}/T?tls=true&ca={CA}&sasl=scram-sha-512&user=nobody&password_file={PASSWORD_FILE}", "user"),
    ("{SASL_TLS}/T?tls=true&ca={CA}&sasl=plain&user={USER_WITHOUT_RIGHTS}&password_file={PASSWORD_FILE_WITHOUT_RIGHTS}", "kafka-acls"),
    ("{TLS}/T?tls=true&ca={OTHER_CA}", "certificate"),
    ("{TLS}/T?tls=true", "certificate"),
    ("{PLAINTEXT}/T?tls=true&ca={CA}", "TLS"),
    ("{MTLS}/T?tls=true&ca={CA}", "certificate"),
    ("{TLS}/T?tls=true&ca={CA}/missing.pem", "missing.pem"),
)


@pytest.mark.parametrize(("way", "word"), WRONG_WAYS)
def test_every_wrong_way_is_told(vs: Harness, facts: dict[str, str], topic: str, way: str, word: str) -> None:
    outcome = vs.refused("count", "--log", url(way, facts, topic), "--store", vs.store, "--until-end", says=(word,))
    for secret in ("PASSWORD_FILE", "WRONG_PASSWORD_FILE", "PASSWORD_FILE_WITHOUT_RIGHTS"):
        assert pathlib.Path(facts[secret]).read_text() not in outcome.err
