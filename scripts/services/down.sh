#!/bin/bash
# Stops what scripts/services/up.sh started, by pid. The data stays in target/services; `--forget` removes it.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/services/lib.sh
RUN=$PWD/target/services
kafka_stop "$RUN/kafka" &
kafka_stop "$RUN/secured" &
postgres_stop "$RUN/postgres" &
hdfs_stop "$RUN/hdfs" &
s3_stop "$RUN/s3" &
spark_stop "$RUN/spark" &
wait
if [ "${1:-}" = --forget ]; then
  postgres_forget "$RUN/postgres"
  rm -rf "$RUN/kafka" "$RUN/secured" "$RUN/postgres" "$RUN/hdfs" "$RUN/s3" "$RUN/spark"
fi
