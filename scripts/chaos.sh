#!/bin/bash
# A thousand random kills of the real binary on its own log and store, and a thousand faults on real Kafka and PostgreSQL servers,
# which it starts itself; and a worker stopped at every step of its life. The reports are committed. KILLS and FAULTS change the numbers;
# INSTANTS tries only so many steps; 0 leaves that part out.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
. scripts/services/lib.sh
python_venv
cargo build --release --locked -p votestream --features failpoints
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
