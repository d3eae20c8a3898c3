#!/bin/bash
# Runs a command beside real services of its own: Apache Kafka and PostgreSQL on free ports, in a directory that is gone afterwards.
#
#     scripts/with-services.sh COMMAND…
#
# The command finds them by its environment: VOTESTREAM_TEST_KAFKA (host:port), VOTESTREAM_TEST_KAFKA_LIB (Kafka's jars),
# VOTESTREAM_TEST_KAFKA_SECURED (the directory of a broker with TLS and SASL, see scripts/secured-kafka.sh) and
# VOTESTREAM_TEST_POSTGRES (a URL; the password in PGPASSWORD). Everything started is stopped in all cases; the exit status is the command's.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
. scripts/services/lib.sh
[ $# -gt 0 ] || { echo "usage: scripts/with-services.sh COMMAND…" >&2; exit 2; }

RUN=$(mktemp -d --suffix=-votestream-services)
chmod 755 "$RUN"

finish() {
  status=$?
  trap - EXIT
  trap '' INT TERM HUP
  stop_pid "the command" "$RUN/command.pid"
  kafka_stop "$RUN/kafka" &
  kafka_stop "$RUN/secured" &
  postgres_stop "$RUN/postgres" &
  wait
  postgres_forget "$RUN/postgres"
  rm -rf "$RUN"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

began=$(date +%s%N)
kafka_install
postgres_install
kafka_port=$(free_port)
postgres_port=$(free_port)
kafka_start "$RUN/kafka" "$kafka_port" &
kafka_starts=$!
postgres_start "$RUN/postgres" "$postgres_port" &
postgres_starts=$!
scripts/secured-kafka.sh start "$RUN/secured" &
secured_starts=$!
wait "$kafka_starts"
wait "$postgres_starts"
wait "$secured_starts"
echo "services ready after $((($(date +%s%N) - began) / 1000000)) ms: Apache Kafka on $kafka_port, another with TLS and SASL, PostgreSQL on $postgres_port" >&2

export VOTESTREAM_TEST_KAFKA="127.0.0.1:$kafka_port"
VOTESTREAM_TEST_KAFKA_LIB="$(cd "$KAFKA_LIB" && pwd)"
export VOTESTREAM_TEST_KAFKA_LIB
export VOTESTREAM_TEST_KAFKA_SECURED="$RUN/secured"
export VOTESTREAM_TEST_POSTGRES="postgres://votestream@127.0.0.1:$postgres_port/votestream"
PGPASSWORD=$(cat "$RUN/postgres/password")
export PGPASSWORD

# In the background and waited for, so that a signal to this script is served at once.
"$@" <&0 &
command_pid=$!
echo "$command_pid" >"$RUN/command.pid"
status=0
wait "$command_pid" || status=$?
rm -f "$RUN/command.pid"
exit "$status"
