#!/bin/bash
# A thousand random kills of the real binary on its own log and store, and a thousand faults on real Kafka and PostgreSQL servers,
# which it starts itself; a worker stopped at every step of its life; and fifty kills of a count on Apache Spark. The reports are committed.
# KILLS, FAULTS and SPARK_KILLS change the numbers; INSTANTS tries only so many steps; 0 leaves that part out.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
. scripts/services/lib.sh
python_venv
need_protoc
cargo build --release --locked -p votestream --features "$FEATURES"
export VOTESTREAM_BIN="$PWD/target/release/votestream"
if [ "${KILLS:-1000}" != 0 ]; then
  target/venv/bin/python -m tests.chaos.chaos --kills "${KILLS:-1000}" --report docs/chaos-report.md
fi
kafka_install
postgres_install
export VOTESTREAM_TEST_KAFKA_LIB="$PWD/$KAFKA_LIB"
if [ "${FAULTS:-1000}" != 0 ]; then
  target/venv/bin/python -m tests.chaos.kafka_chaos --faults "${FAULTS:-1000}" --seed "${SEED:-1}" --report docs/chaos-kafka-report.md
fi
if [ "${INSTANTS:-all}" != 0 ]; then
  sample=()
  [ "${INSTANTS:-all}" = all ] || sample=(--sample "$INSTANTS")
  target/venv/bin/python -m tests.chaos.steps "${sample[@]}" --side-by-side "${SIDE_BY_SIDE:-12}" --seed "${SEED:-1}" --report docs/chaos-steps-report.md
fi
if [ "${SPARK_KILLS:-50}" != 0 ]; then
  SERVICES="kafka spark" scripts/with-services.sh target/venv/bin/python -m tests.chaos.spark_chaos --kills "${SPARK_KILLS:-50}" --seed "${SEED:-1}" --report docs/chaos-spark-report.md
fi
