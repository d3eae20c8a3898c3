#!/bin/bash
# Runs a command beside real services of its own: Apache Kafka, PostgreSQL, HDFS and an S3 gateway on free ports, in a directory that is
# gone afterwards.
#
#     scripts/with-services.sh COMMAND…
#     SERVICES="hdfs s3" scripts/with-services.sh COMMAND…      only these; without SERVICES: kafka secured postgres hdfs s3; there is spark, too
#
# The command finds them by its environment: VOTESTREAM_TEST_KAFKA (host:port), VOTESTREAM_TEST_KAFKA_LIB (Kafka's jars),
# VOTESTREAM_TEST_KAFKA_SECURED (the directory of a broker with TLS and SASL, see scripts/secured-kafka.sh),
# VOTESTREAM_TEST_POSTGRES (a URL; the password in PGPASSWORD), VOTESTREAM_TEST_HDFS (hdfs://host:port), VOTESTREAM_TEST_HDFS_CONF (a
# HADOOP_CONF_DIR for it), VOTESTREAM_TEST_HDFS_LIB (Hadoop's jars), VOTESTREAM_TEST_S3 (the endpoint; credentials in AWS_ACCESS_KEY_ID and
# AWS_SECRET_ACCESS_KEY, region us-east-1), VOTESTREAM_TEST_S3_GATEWAY (its program), VOTESTREAM_TEST_SPARK (sc://host:port) and
# VOTESTREAM_TEST_SPARK_DIR (a directory that Spark may write to). Everything started is stopped in all cases; the exit status is the command's.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
. scripts/services/lib.sh
[ $# -gt 0 ] || { echo "usage: scripts/with-services.sh COMMAND…" >&2; exit 2; }
SERVICES=${SERVICES:-kafka secured postgres hdfs s3}

RUN=$(mktemp -d --suffix=-votestream-services)
chmod 755 "$RUN"

starts=()

finish() {
  status=$?
  # Each of them is stopped, whatever became of the one before.
  set +e
  trap - EXIT
  trap '' INT TERM HUP
  stop_pid "the command" "$RUN/command.pid"
  # What is still starting, because another service did not, would be started after it was stopped.
  for start in "${starts[@]}"; do kill "$start" 2>/dev/null && wait "$start"; done
  kafka_stop "$RUN/kafka" &
  kafka_stop "$RUN/secured" &
  postgres_stop "$RUN/postgres" &
  hdfs_stop "$RUN/hdfs" &
  s3_stop "$RUN/s3" &
  spark_stop "$RUN/spark" &
  wait
  postgres_forget "$RUN/postgres"
  rm -rf "$RUN"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# wants SERVICE: it was asked for.
wants() {
  [[ " $SERVICES " = *" $1 "* ]]
}

# bring SERVICE: installs what it needs and starts it; its port is in SERVICE.port.
bring() {
  case $1 in
    secured) scripts/secured-kafka.sh start "$RUN/secured" ;;
    spark)
      spark_install
      mkdir -p "$RUN/spark/events"
      local start=(spark_start)
      ! wants s3 || start=(spark_with_s3 "$RUN/s3" "$(cat "$RUN/s3.port")")
      # What Spark tells of a query beyond its log, where no secret may be.
      "${start[@]}" "$RUN/spark" "$(cat "$RUN/spark.port")" --conf spark.eventLog.enabled=true --conf spark.eventLog.compress=false \
        --conf "spark.eventLog.dir=$RUN/spark/events"
      ;;
    *)
      "$1_install"
      "$1_start" "$RUN/$1" "$(cat "$RUN/$1.port")"
      ;;
  esac
}

began=$(date +%s%N)
for service in $SERVICES; do
  free_port >"$RUN/$service.port"
done
# Spark, too, is told the way to S3.
! wants s3 || s3_secret "$RUN/s3"
for service in $SERVICES; do
  bring "$service" &
  starts+=($!)
done
for start in "${starts[@]}"; do wait "$start"; done
echo "services ready after $((($(date +%s%N) - began) / 1000000)) ms: $SERVICES, in $RUN" >&2

if wants kafka; then
  export VOTESTREAM_TEST_KAFKA="127.0.0.1:$(cat "$RUN/kafka.port")"
  export VOTESTREAM_TEST_KAFKA_LIB="$PWD/$KAFKA_LIB"
fi
if wants secured; then
  export VOTESTREAM_TEST_KAFKA_SECURED="$RUN/secured"
fi
if wants postgres; then
  export VOTESTREAM_TEST_POSTGRES="postgres://votestream@127.0.0.1:$(cat "$RUN/postgres.port")/votestream"
  PGPASSWORD=$(cat "$RUN/postgres/password")
  export PGPASSWORD
fi
if wants hdfs; then
  export VOTESTREAM_TEST_HDFS="hdfs://127.0.0.1:$(cat "$RUN/hdfs.port")"
  export VOTESTREAM_TEST_HDFS_CONF="$RUN/hdfs/conf"
  export VOTESTREAM_TEST_HDFS_LIB="$PWD/$HDFS_LIB"
fi
if wants s3; then
  export VOTESTREAM_TEST_S3="http://127.0.0.1:$(cat "$RUN/s3.port")"
  export VOTESTREAM_TEST_S3_GATEWAY="$PWD/$S3_GATEWAY"
  export AWS_ACCESS_KEY_ID=votestream
  AWS_SECRET_ACCESS_KEY=$(cat "$RUN/s3/password")
  export AWS_SECRET_ACCESS_KEY
fi
if wants spark; then
  export VOTESTREAM_TEST_SPARK="sc://127.0.0.1:$(cat "$RUN/spark.port")"
  export VOTESTREAM_TEST_SPARK_DIR="$RUN/spark"
fi

# In the background and waited for, so that a signal to this script is served at once.
"$@" <&0 &
command_pid=$!
echo "$command_pid" >"$RUN/command.pid"
status=0
wait "$command_pid" || status=$?
rm -f "$RUN/command.pid"
exit "$status"
