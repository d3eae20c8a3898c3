#!/bin/bash
# `votestream archive` beside Apache Flume (Kafka source, HDFS sink; memory channel and durable file channel) over the same topic to the
# same HDFS, and beside pyarrow writing the same rows. It builds the binary, fetches Flume by Maven, starts its own Kafka and HDFS and
# stops them; minutes. Flags go to tests/bench/archive.py: --votes N, --flume-votes N, --rounds N. VOTESTREAM_BIN uses a binary that is there.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
. scripts/services/lib.sh
python_venv
flume_install
if [ -z "${VOTESTREAM_BIN:-}" ]; then
  cargo build --release --locked -p votestream
  export VOTESTREAM_BIN="$PWD/target/release/votestream"
fi
SERVICES="kafka hdfs" scripts/with-services.sh target/venv/bin/python -m tests.bench.archive "$@"
