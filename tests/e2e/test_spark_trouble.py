"""What goes wrong while a count runs on Apache Spark: a directory that cannot be written, a full disk, records that are gone.

Beside `SERVICES="kafka spark" scripts/with-services.sh`.
"""

from __future__ import annotations

import subprocess

import pytest

from tests.e2e.harness import Harness, agree, small_disk, until
from tests.e2e.kafka_votes import counted_records, oracle, presidential
from tests.e2e.services import Kafka, required
from tests.e2e.spark_server import SECONDS
from tests.oracle.count import us_president_2024

pytestmark = pytest.mark.spark

VOTES = 20_000


def test_trouble_with_the_directory_and_the_topic_is_told_and_nothing_half_done(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(2)
    kafka.produce(topic, ((event.voter.encode(), event.value) for event in presidential(VOTES, 3)))
    # Voters take 8 bytes each at least, more than there is room for.
    with small_disk(vs.dir / "seen", 0.06) as disk:
        remount = lambda options: subprocess.run(["mount", "-o", f"remount,{options}", str(disk)], check=True)  # noqa: E731
        command = (
            "count", "--engine", "spark", "--remote", required("VOTESTREAM_TEST_SPARK"), "--log", kafka.url(topic), "--store", vs.store,
            "--seen", f"file:{disk}", "--until-end",
        )  # fmt: skip
        remount("ro")
        vs.refused(*command, says=(f"cannot use the seen directory 'file://{disk}'", "needs to read and write there"), seconds=SECONDS)
        assert counted_records(vs, vs.store) == 0
        remount("rw")
        worker = vs.start(*command)
        until(lambda: "may pass" in worker.err() or not worker.running(), "a word about the disk", SECONDS, step=0.1)
        assert worker.running() and f"could not write to the seen directory 'file://{disk}'" in worker.err(), worker.err()
        assert counted_records(vs, vs.store) == 0
        remount("size=50m")
        outcome = worker.wait(SECONDS)
        assert outcome.status == 0, outcome.err
        agree(vs.results(), oracle(kafka, topic, us_president_2024()))
        # Records that go before they are counted.
        ends = kafka.ends(topic)
        kafka.produce(topic, ((event.voter.encode(), event.value) for event in presidential(1_000, 4)))
        kafka.delete_records(topic, 1, ends[1] + 10)
        vs.refused(*command, says=("--from-scratch",), seconds=SECONDS)
        assert counted_records(vs, vs.store) == VOTES
