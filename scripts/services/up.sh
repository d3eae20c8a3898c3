#!/bin/bash
# Real services on loopback, for trying things by hand: Apache Kafka and PostgreSQL. Data, logs and pids in target/services; ended by
# scripts/services/down.sh. Running it again starts what is not running and prints the same lines.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh
. scripts/services/lib.sh

RUN=$PWD/target/services
mkdir -p "$RUN"

# running NAME: its recorded process lives.
running() {
  [ -s "$RUN/$1/$1.pid" ] && kill -0 "$(cat "$RUN/$1/$1.pid")" 2>/dev/null
}

# bring NAME PORT: starts it there or on the next free port, unless it runs already. The port is kept in NAME/port.
bring() {
  running "$1" && return 0
  mkdir -p "$RUN/$1"
  port_or_next "$1" "$2" >"$RUN/$1/port"
  "$1_start" "$RUN/$1" "$(cat "$RUN/$1/port")"
}

kafka_install
postgres_install
bring kafka 9092
bring postgres 54320
# HDFS, S3 and Spark: `bring` them here.

cat <<LINES
Apache Kafka  127.0.0.1:$(cat "$RUN/kafka/port")    --log kafka://127.0.0.1:$(cat "$RUN/kafka/port")/voter_data
PostgreSQL    127.0.0.1:$(cat "$RUN/postgres/port")   --store postgres://votestream@127.0.0.1:$(cat "$RUN/postgres/port")/votestream
              export PGPASSWORD=\$(cat ${RUN#"$PWD/"}/postgres/password)
a topic       java -cp '$KAFKA_LIB/*' org.apache.kafka.tools.TopicCommand --bootstrap-server 127.0.0.1:$(cat "$RUN/kafka/port") --create --topic voter_data --partitions 4
TLS and SASL  scripts/secured-kafka.sh start target/services/secured: one more broker; how to reach it is in target/services/secured/env
logs          ${RUN#"$PWD/"}/kafka/kafka.log, ${RUN#"$PWD/"}/postgres/postgres.log
stop          make services-down
LINES
