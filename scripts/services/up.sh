#!/bin/bash
# Real services on loopback, for trying things by hand: Apache Kafka, PostgreSQL, HDFS, an S3 gateway and Apache Spark. Data, logs and pids in
# target/services; ended by scripts/services/down.sh. Running it again starts what is not running and prints the same lines.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh
. scripts/services/lib.sh

RUN=$PWD/target/services
mkdir -p "$RUN"

# running NAME: each of its recorded processes lives.
running() {
  local file
  [ -s "$RUN/$1/$1.pid" ] || return 1
  for file in "$RUN/$1"/*.pid; do kill -0 "$(cat "$file")" 2>/dev/null || return 1; done
}

# bring NAME PORT [COMMAND…]: starts it (by that command) there or on the next free port, unless it runs already. The port is kept in NAME/port.
bring() {
  local start=("${@:3}")
  [ "$#" -gt 2 ] || start=("$1_start")
  running "$1" && return 0
  "$1_stop" "$RUN/$1"
  mkdir -p "$RUN/$1"
  port_or_next "$1" "$2" >"$RUN/$1/port"
  "${start[@]}" "$RUN/$1" "$(cat "$RUN/$1/port")"
}

for service in kafka postgres hdfs s3 spark; do "${service}_install"; done
bring kafka 9092
bring postgres 54320
bring hdfs 8020
bring s3 9000
bring spark 15002 spark_with_s3 "$RUN/s3" "$(cat "$RUN/s3/port")"

cat <<LINES
Apache Kafka  127.0.0.1:$(cat "$RUN/kafka/port")    --log kafka://127.0.0.1:$(cat "$RUN/kafka/port")/voter_data
PostgreSQL    127.0.0.1:$(cat "$RUN/postgres/port")   --store postgres://votestream@127.0.0.1:$(cat "$RUN/postgres/port")/votestream
              export PGPASSWORD=\$(cat ${RUN#"$PWD/"}/postgres/password)
a topic       java -cp '$KAFKA_LIB/*' org.apache.kafka.tools.TopicCommand --bootstrap-server 127.0.0.1:$(cat "$RUN/kafka/port") --create --topic voter_data --partitions 4
HDFS          127.0.0.1:$(cat "$RUN/hdfs/port")    --archive hdfs://127.0.0.1:$(cat "$RUN/hdfs/port")/votes
              java -cp '${RUN#"$PWD/"}/hdfs/conf:$HDFS_LIB/*' org.apache.hadoop.fs.FsShell -ls -R /
S3            127.0.0.1:$(cat "$RUN/s3/port")    --archive s3://votestream/votes
              export AWS_ENDPOINT_URL=http://127.0.0.1:$(cat "$RUN/s3/port") AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=votestream AWS_SECRET_ACCESS_KEY=\$(cat ${RUN#"$PWD/"}/s3/password)
Spark         127.0.0.1:$(cat "$RUN/spark/port")   sc://127.0.0.1:$(cat "$RUN/spark/port")
TLS and SASL  scripts/secured-kafka.sh start target/services/secured: one more broker; how to reach it is in target/services/secured/env
logs          ${RUN#"$PWD/"}/kafka/kafka.log, postgres/postgres.log, hdfs/namenode.log, hdfs/datanode.log, s3/s3.log, spark/spark.log
stop          make services-down
LINES
