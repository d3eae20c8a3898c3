"""`count --until-end` reports the open transaction that holds back what follows.

A draft: it joins tests/e2e/test_kafka_topics.py with the binary that reports it.
"""

from __future__ import annotations

import confluent_kafka

from tests.e2e.harness import PATIENCE_SECONDS, Harness
from tests.e2e.kafka_votes import count, presidential
from tests.e2e.services import Kafka, put, unique


def test_an_open_transaction_is_reported(vs: Harness, kafka: Kafka) -> None:
    topic = kafka.create(1)
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.address, "transactional.id": unique("open")})
    producer.init_transactions(PATIENCE_SECONDS)
    producer.begin_transaction()
    put(producer, topic, b"1", presidential(1, 4)[0].value)
    producer.flush(PATIENCE_SECONDS)
    count(vs, kafka, topic, vs.store).says("transaction")
    producer.abort_transaction(PATIENCE_SECONDS)
