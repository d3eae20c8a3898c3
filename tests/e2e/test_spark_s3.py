"""Spark keeps voters in S3, and reads them there for the next epoch: every voter counts once, also after a kill that left files behind.

Beside `SERVICES="kafka s3 spark" scripts/with-services.sh`.
"""

from __future__ import annotations

import pathlib
import re
import signal

import pytest

from tests.e2e.harness import Harness, agree
from tests.e2e.kafka_votes import counted_records, oracle, presidential
from tests.e2e.object_stores import S3
from tests.e2e.services import Kafka, required
from tests.e2e.spark_server import SECONDS
from tests.oracle.count import us_president_2024

pytestmark = pytest.mark.spark

VOTES = 1_000


def written(s3: S3, bucket: str) -> list[str]:
    """Files of voters. What was swept is an empty file, which is not compressed as they are."""
    return [name for name in s3.files(bucket) if name.endswith(".zstd.parquet")]


def test_voters_in_a_bucket(vs: Harness, kafka: Kafka, s3: S3) -> None:
    bucket = s3.bucket("seen")
    topic = kafka.create(2, stem="bucket")
    remote = ("--remote", required("VOTESTREAM_TEST_SPARK"), "--log", kafka.url(topic), "--store", vs.store, "--seen", f"s3://{bucket}/of/voters")
    count = ("count", "--engine", "spark", *remote, "--until-end")
    # There is no store yet, which doctor says, too.
    told = vs.run("doctor", *remote, status=None, seconds=SECONDS).text
    assert re.search(r"✓ Apache Spark, seen directory: .*of/voters", told), told
    for number in (1, 2):
        # The second time every voter of the first comes again.
        kafka.produce(topic, ((event.voter.encode(), event.value) for event in presidential(number * VOTES, 1)))
        killed = vs.start(*count, env={"FAILPOINTS": "spark-epoch-answered=return"}).wait(SECONDS)
        assert killed.status == -signal.SIGABRT, killed.err
        assert len(written(s3, bucket)) == number, "the killed one had written"
        vs.run(*count, seconds=SECONDS)
        assert counted_records(vs, vs.store) == number * (number + 1) // 2 * VOTES
        assert len(written(s3, bucket)) == number, "what the killed one had written is swept"
    results = vs.results()
    agree(results, oracle(kafka, topic, us_president_2024()))
    assert results["duplicate"] > 0.9 * VOTES
    secret, log = s3.secret, pathlib.Path(required("VOTESTREAM_TEST_SPARK_DIR")) / "spark.log"
    assert secret not in log.read_text(errors="replace"), "Spark's log tells the key"
