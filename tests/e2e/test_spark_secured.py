"""Spark reads a broker with TLS and SASL, and keeps voters in HDFS: every voter counts once, and no secret is told, by Spark neither.

Beside `SERVICES="kafka secured spark hdfs" scripts/with-services.sh`.
"""

from __future__ import annotations

import pathlib

import pytest

from tests.e2e.harness import Harness, agree
from tests.e2e.kafka_votes import counted_records, oracle, presidential
from tests.e2e.object_stores import Hdfs
from tests.e2e.secured_kafka import facts, url
from tests.e2e.services import Kafka, required, unique
from tests.e2e.spark_server import SECONDS
from tests.oracle.count import us_president_2024

pytestmark = pytest.mark.spark

VOTES = 1_000
WAYS_IN = (
    "{MTLS}/T?tls=true&ca={CA}&cert={CLIENT_CERT}&key={CLIENT_KEY}",
    "{SASL_TLS}/T?tls=true&ca={CA}&sasl=scram-sha-512&user={USER}&password_file={PASSWORD_FILE}",
)


def test_by_certificate_and_by_password_into_hdfs(vs: Harness, hdfs: Hdfs) -> None:
    found = facts()
    broker, seen = Kafka(found["PLAINTEXT"]), unique("seen")
    topic = broker.create(2, stem="secured")
    told = ""
    for number, way in enumerate(WAYS_IN, 1):
        # The second time every voter of the first comes again.
        broker.produce(topic, ((event.voter.encode(), event.value) for event in presidential(number * VOTES, 1)))
        told += vs.run(
            "-vv", "count", "--engine", "spark", "--remote", required("VOTESTREAM_TEST_SPARK"), "--log", url(way, found, topic),
            "--store", vs.store, "--seen", hdfs.url(seen), "--until-end", seconds=SECONDS,
        ).err  # fmt: skip
        assert counted_records(vs, vs.store) == number * (number + 1) // 2 * VOTES
        assert [name for name in hdfs.files(seen) if name.endswith(".parquet")], "voters lie in HDFS"
    results = vs.results()
    agree(results, oracle(broker, topic, us_president_2024()))
    assert results["duplicate"] > 0.9 * VOTES
    # What Spark tells its pages and its history server of each query, and what it logs when a session has ended.
    spark = pathlib.Path(required("VOTESTREAM_TEST_SPARK_DIR"))
    events = [path.read_text(errors="replace") for path in (spark / "events").rglob("*") if path.is_file()]
    assert any(topic in text for text in events), "the queries are told"
    told += "".join([(spark / "spark.log").read_text(errors="replace"), *events])
    password, key = pathlib.Path(found["PASSWORD_FILE"]).read_text().strip(), pathlib.Path(found["CLIENT_KEY"]).read_text()
    for secret in (password, *key.splitlines()[1:-1]):
        assert secret not in told, f"told: …{told[told.index(secret) - 500 : told.index(secret)]}"
