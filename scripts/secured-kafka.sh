#!/bin/bash
# A broker with TLS and SASL listeners on free ports, its certificates and users made for the occasion, for tests on loopback.
#
#     scripts/secured-kafka.sh start DIRECTORY     prints nothing; DIRECTORY/env says how to connect (NAME=value lines)
#     scripts/secured-kafka.sh stop DIRECTORY
#
# Tests get DIRECTORY as VOTESTREAM_TEST_KAFKA_SECURED. Listeners: plaintext, TLS, TLS with client certificates, SASL over TLS,
# SASL in clear. User "anna" may do all, user "bert" nothing; both by PLAIN and SCRAM. The broker's certificate is for 127.0.0.1 only.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
. scripts/services/lib.sh

# authority NAME: a certificate authority of its own, NAME.pem and NAME.key.
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
    -keyout "$1.key" -out "$1.pem" 2>/dev/null
}

# certificate NAME EXTENSION: signed by the authority ca; NAME.pem, NAME.key, and both in NAME-with-key.pem.
certificate() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>/dev/null
  printf '%s\n' "$2" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile "$1.ext" -out "$1.pem" 2>/dev/null
  cat "$1.key" "$1.pem" ca.pem >"$1-with-key.pem"
}

# secret FILE: a random password.
secret() {
  (umask 077 && head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$1")
}

# sasl LISTENER: its users.
sasl() {
  echo "listener.name.$1.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
  echo "listener.name.$1.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required" \
    "user_anna=\"$(cat anna)\" user_bert=\"$(cat bert)\";"
  for hash in 256 512; do
    echo "listener.name.$1.scram-sha-$hash.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;"
  done
}

# properties: the broker's configuration.
properties() {
  cat <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$plaintext,TLS://127.0.0.1:$tls,MTLS://127.0.0.1:$mtls,SASL_TLS://127.0.0.1:$sasl_tls,SASL_CLEAR://127.0.0.1:$sasl_clear,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$plaintext,TLS://127.0.0.1:$tls,MTLS://127.0.0.1:$mtls,SASL_TLS://127.0.0.1:$sasl_tls,SASL_CLEAR://127.0.0.1:$sasl_clear
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,TLS:SSL,MTLS:SSL,SASL_TLS:SASL_SSL,SASL_CLEAR:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location=$PWD/broker-with-key.pem
ssl.truststore.type=PEM
ssl.truststore.location=$PWD/ca.pem
listener.name.mtls.ssl.client.auth=required
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:anna;User:CN=client
log.dirs=$PWD/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
PROPERTIES
  sasl sasl_tls
  sasl sasl_clear
}

# start: makes what is missing, then runs the broker.
start() {
  need_debian openssl openssl
  lib=${VOTESTREAM_TEST_KAFKA_LIB:-}
  [ -n "$lib" ] || { kafka_install && lib=$PWD/$KAFKA_LIB; }
  logging=$PWD/scripts/services/kafka/log4j2.properties
  plaintext=$(free_port) tls=$(free_port) mtls=$(free_port) sasl_tls=$(free_port) sasl_clear=$(free_port) controller=$(free_port)
  mkdir -p "$dir"
  cd "$dir"
  authority ca
  authority other-ca
  certificate broker "subjectAltName=IP:127.0.0.1"
  certificate client "extendedKeyUsage=clientAuth"
  secret anna
  secret bert
  secret wrong
  (umask 077 && properties >server.properties)
  # The passwords' home is this directory; StorageTool takes them as arguments only.
  users=()
  for user in anna bert; do
    for hash in 256 512; do users+=(--add-scram "SCRAM-SHA-$hash=[name=$user,password=$(cat $user)]"); done
  done
  java -Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$lib/*" kafka.tools.StorageTool format -t "$(kafka_cluster_id)" \
    -c server.properties "${users[@]}" >format.log 2>&1 || { cat format.log >&2; return 2; }
  setsid java -Xms128m -Xmx384m -XX:+UseSerialGC -Dlog4j2.configurationFile="$logging" -cp "$lib/*" kafka.Kafka server.properties \
    >kafka.log 2>&1 </dev/null &
  echo $! >kafka.pid
  until_ready "the secured Apache Kafka" "$(cat kafka.pid)" kafka.log kafka_ready "$plaintext"
  cat >env <<ENV
PLAINTEXT=127.0.0.1:$plaintext
TLS=127.0.0.1:$tls
MTLS=127.0.0.1:$mtls
SASL_TLS=127.0.0.1:$sasl_tls
SASL_CLEAR=127.0.0.1:$sasl_clear
CA=$PWD/ca.pem
OTHER_CA=$PWD/other-ca.pem
CLIENT_CERT=$PWD/client.pem
CLIENT_KEY=$PWD/client.key
USER=anna
PASSWORD_FILE=$PWD/anna
USER_WITHOUT_RIGHTS=bert
PASSWORD_FILE_WITHOUT_RIGHTS=$PWD/bert
WRONG_PASSWORD_FILE=$PWD/wrong
ENV
}

dir=${2:-}
case "${1:-} ${dir:+given}" in
  "start given") start ;;
  "stop given") kafka_stop "$dir" ;;
  *)
    echo "usage: scripts/secured-kafka.sh start|stop DIRECTORY" >&2
    exit 2
    ;;
esac
