# Real services on loopback, started by hand-written configuration and stopped by pid. Source it after scripts/lib.sh, from the
# project's root. Each service has three functions: NAME_start DIRECTORY PORT, NAME_ready PORT (asks the service), NAME_stop DIRECTORY.
# Kafka, PostgreSQL, HDFS, S3 and Spark are here.

KAFKA_LIB=target/services/kafka-lib
HDFS_LIB=target/services/hdfs-lib
FLUME_LIB=target/services/flume-lib
SPARK_VERSION=4.2.0
SPARK_DIST=target/services/spark-$SPARK_VERSION
SPARK_LIB=target/services/spark-lib
SPARK_S3_LIB=target/services/spark-s3-lib
S3_GATEWAY_VERSION=v1.8.0
S3_GATEWAY=target/services/s3-gateway-$S3_GATEWAY_VERSION
READY_SECONDS_MAX=180
STOP_SECONDS_MAX=20

# free_port: a loopback port that nobody listens on, below the range that the kernel hands to clients, so that a service which is
# restarted finds its port again.
free_port() {
  local port
  for _ in $(seq 200); do
    port=$((15000 + (RANDOM * 32768 + RANDOM) % 17000))
    port_is_free "$port" && { echo "$port"; return 0; }
  done
  echo "no free port between 15000 and 32000" >&2
  return 2
}

# port_is_free PORT: nobody answers there.
port_is_free() {
  ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# port_or_next NAME PORT: the port, or the next free one, which is then said.
port_or_next() {
  local port=$2
  while ! port_is_free "$port"; do port=$((port + 1)); done
  [ "$port" = "$2" ] || echo "port $2 is in use: $1 takes $port" >&2
  echo "$port"
}

# until_ready WHAT PID LOG COMMAND…: polls the command; gives up when the process is gone or after READY_SECONDS_MAX.
until_ready() {
  local what=$1 pid=$2 log=$3
  shift 3
  local deadline=$((SECONDS + READY_SECONDS_MAX))
  while ! "$@" 2>/dev/null; do
    if ! kill -0 "$pid" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
      echo "$what did not come up; the end of $log:" >&2
      tail -n 30 "$log" >&2
      return 2
    fi
    sleep 0.1
  done
}

# stop_pid NAME PIDFILE: TERM, then KILL after STOP_SECONDS_MAX. The process named by the file, no other.
stop_pid() {
  local pid deadline=$((SECONDS + STOP_SECONDS_MAX))
  [ -s "$2" ] || return 0
  pid=$(head -n 1 "$2")
  kill "$pid" 2>/dev/null || true
  while kill -0 "$pid" 2>/dev/null && [ "$(ps -o stat= -p "$pid" | cut -c1)" != Z ]; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      echo "$1 (pid $pid) does not end: killed" >&2
      kill -9 "$pid" 2>/dev/null || true
    fi
    sleep 0.05
  done
  rm -f "$2"
}

# jars_install WHAT POM DIRECTORY [GOAL]: the jars that the file pins, in the directory; nothing to do where they are there already. One
# process at a time, so that two scripts do not fetch into one directory.
jars_install() (
  what=$1 pom=$2 lib=$3 goal=${4:-dependency:copy-dependencies}
  need_debian java default-jre-headless
  mkdir -p "$(dirname "$lib")"
  exec 9>"$lib.lock"
  flock 9
  [ ! -f "$lib/.made" ] || [ "$pom" -nt "$lib/.made" ] || return 0
  need_debian mvn maven
  rm -rf "$lib"
  mkdir -p "$lib"
  mvn -q -B -C -f "$pom" "$goal" -DincludeScope=runtime -DoutputDirectory="$PWD/$lib" >"$lib/.mvn.log" 2>&1 9>&- || {
    cat "$lib/.mvn.log" >&2
    echo "Maven could not fetch $what; is a Maven repository reachable from here?" >&2
    return 2
  }
  touch "$lib/.made"
)

# --- Apache Kafka ----------------------------------------------------------------------------------------------------------------

# kafka_install: a Java runtime, Maven, and the jars that scripts/services/kafka/pom.xml pins.
kafka_install() {
  jars_install "Apache Kafka" scripts/services/kafka/pom.xml "$KAFKA_LIB"
}

# kafka_start DIRECTORY PORT: one node that is broker and controller; the controller listens on a free port.
kafka_start() {
  local dir=$1 port=$2 controller
  mkdir -p "$dir"
  if [ ! -f "$dir/server.properties" ] || ! grep -q "^listeners=PLAINTEXT://127.0.0.1:$port," "$dir/server.properties"; then
    controller=$(free_port)
    cat >"$dir/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=$dir/data
num.partitions=4
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.retention.hours=-1
auto.create.topics.enable=false
PROPERTIES
  fi
  if [ ! -f "$dir/data/meta.properties" ]; then
    java -Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$KAFKA_LIB/*" kafka.tools.StorageTool format -t "$(kafka_cluster_id)" \
      -c "$dir/server.properties" >"$dir/format.log" 2>&1 || { cat "$dir/format.log" >&2; return 2; }
  fi
  setsid java -Xms256m -Xmx512m -XX:+UseSerialGC -Dlog4j2.configurationFile=scripts/services/kafka/log4j2.properties \
    -cp "$KAFKA_LIB/*" kafka.Kafka "$dir/server.properties" >"$dir/kafka.log" 2>&1 </dev/null &
  echo $! >"$dir/kafka.pid"
  until_ready "Apache Kafka on port $port" "$(cat "$dir/kafka.pid")" "$dir/kafka.log" kafka_ready "$port"
}

# kafka_cluster_id: 16 random bytes in URL-safe base64, not beginning with a dash.
kafka_cluster_id() {
  echo "v$(head -c 16 /dev/urandom | base64 | tr '+/' 'AA' | head -c 21)"
}

# kafka_ready PORT: the broker answers a Metadata request (key 3, version 1, no topics) with one broker at least, itself.
kafka_ready() {
  local answer
  exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf '\0\0\0\016\0\003\0\001\0\0\0\001\377\377\0\0\0\0' >&3
  # Size, correlation id, number of brokers: the last byte of twelve.
  answer=$(timeout 2 head -c 12 <&3 | od -An -tu1 | awk '{ print $12 }')
  exec 3<&- 3>&-
  [ "${answer:-0}" -ge 1 ]
}

kafka_stop() {
  stop_pid "Apache Kafka" "$1/kafka.pid"
}

# --- PostgreSQL ------------------------------------------------------------------------------------------------------------------

# postgres_bin: where Debian keeps the newest server's programs, or where they are in the path.
postgres_bin() {
  local bin
  bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
  [ -x "$bin/initdb" ] || bin=$(dirname "$(command -v initdb)" 2>/dev/null)
  echo "$bin"
}

postgres_install() {
  [ -x "$(postgres_bin)/initdb" ] && return 0
  need_debian pg_ctlcluster postgresql
}

# as_postgres COMMAND…: the server refuses to run as root; anybody else runs it as himself.
as_postgres() {
  if [ "$(id -u)" = 0 ]; then (cd / && exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"); else "$@"; fi
}

# postgres_start DIRECTORY PORT: user votestream, its password in DIRECTORY/password, database votestream.
# The server's files lie in DIRECTORY/data, or, where the user postgres may not go there, in a directory that DIRECTORY/place names.
postgres_start() {
  local dir=$1 port=$2 bin place
  bin=$(postgres_bin)
  mkdir -p "$dir"
  if [ ! -f "$dir/place" ]; then
    place=$dir/data
    if [ "$(id -u)" = 0 ]; then
      as_postgres test -x "$dir" || place=$(mktemp -d --suffix=-votestream-postgres)/data
      mkdir -p "$place"
      chown postgres "$(dirname "$place")" "$place"
    fi
    (umask 077 && head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$dir/password" && cp "$dir/password" "$place.password")
    [ "$(id -u)" != 0 ] || chown postgres "$place.password"
    as_postgres "$bin/initdb" -D "$place" --no-sync -A scram-sha-256 -U votestream --pwfile="$place.password" -E UTF8 --locale=C.UTF-8 \
      >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2; return 2; }
    rm -f "$place.password"
    echo "$place" >"$dir/place"
  fi
  place=$(cat "$dir/place")
  as_postgres setsid "$bin/postgres" -D "$place" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300 \
    >"$dir/postgres.log" 2>&1 </dev/null &
  until_ready "PostgreSQL on port $port" $! "$dir/postgres.log" postgres_ready "$port" "$dir"
  head -n 1 "$place/postmaster.pid" >"$dir/postgres.pid"
  PGPASSWORD=$(cat "$dir/password") "$bin/psql" -q -h 127.0.0.1 -p "$port" -U votestream -d postgres -v ON_ERROR_STOP=1 -tA \
    -c "SELECT 1 FROM pg_database WHERE datname = 'votestream'" | grep -q 1 ||
    PGPASSWORD=$(cat "$dir/password") "$bin/psql" -q -h 127.0.0.1 -p "$port" -U votestream -d postgres -c "CREATE DATABASE votestream"
}

# postgres_ready PORT DIRECTORY: a query is answered.
postgres_ready() {
  PGCONNECT_TIMEOUT=2 PGPASSWORD=$(cat "$2/password") "$(postgres_bin)/psql" -q -h 127.0.0.1 -p "$1" -U votestream -d postgres -tAc 'SELECT 1' >/dev/null
}

# postgres_stop DIRECTORY: SIGINT to the postmaster is a fast shutdown.
postgres_stop() {
  local pid
  [ -s "$1/postgres.pid" ] || return 0
  pid=$(cat "$1/postgres.pid")
  kill -INT "$pid" 2>/dev/null || true
  stop_pid PostgreSQL "$1/postgres.pid"
}

# postgres_forget DIRECTORY: after a stop, the files that lie elsewhere.
postgres_forget() {
  local place
  [ -s "$1/place" ] || return 0
  place=$(cat "$1/place")
  case $place in
    "$1"/*) ;;
    *-votestream-postgres/data) rm -rf "$(dirname "$place")" ;;
  esac
}

# --- HDFS ------------------------------------------------------------------------------------------------------------------------

# hdfs_install: a Java runtime, Maven, and the jars that scripts/services/hdfs/pom.xml pins.
hdfs_install() {
  jars_install "Apache Hadoop" scripts/services/hdfs/pom.xml "$HDFS_LIB"
}

# hdfs_start DIRECTORY PORT: a NameNode on the port and one DataNode, permissions on; whoever starts them is the superuser.
# DIRECTORY/conf is also a client's HADOOP_CONF_DIR; DIRECTORY/http says where the NameNode's page is.
hdfs_start() {
  local dir=$1 port=$2
  hdfs_conf "$dir" "$port"
  if [ ! -d "$dir/data/dfs/name/current" ]; then
    hdfs_java "$dir" namenode.NameNode -format -nonInteractive >"$dir/format.log" 2>&1 || { cat "$dir/format.log" >&2; return 2; }
  fi
  setsid "${HDFS_JAVA[@]}" -cp "$dir/conf:$HDFS_LIB/*" org.apache.hadoop.hdfs.server.namenode.NameNode >"$dir/namenode.log" 2>&1 </dev/null &
  echo $! >"$dir/hdfs.pid"
  # A DataNode that finds no NameNode asks again much later only.
  until_ready "the NameNode on port $port" "$(cat "$dir/hdfs.pid")" "$dir/namenode.log" answers_at "$port"
  setsid "${HDFS_JAVA[@]}" -cp "$dir/conf:$HDFS_LIB/*" org.apache.hadoop.hdfs.server.datanode.DataNode >"$dir/datanode.log" 2>&1 </dev/null &
  echo $! >"$dir/datanode.pid"
  until_ready "the DataNode beside port $port" "$(cat "$dir/datanode.pid")" "$dir/datanode.log" hdfs_ready "$(cat "$dir/http")"
}

HDFS_JAVA=(java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1)

# hdfs_java DIRECTORY MAIN ARGUMENT…: a program of Hadoop's HDFS server to its end, by the directory's configuration.
hdfs_java() {
  local conf=$1/conf main=$2
  shift 2
  "${HDFS_JAVA[@]}" -cp "$conf:$HDFS_LIB/*" "org.apache.hadoop.hdfs.server.$main" "$@"
}

# hdfs_conf DIRECTORY PORT: what both daemons and clients read.
hdfs_conf() {
  local dir=$1 port=$2 http
  http=$(free_port)
  # The jars bring no pages, and both daemons refuse to start without their directories.
  mkdir -p "$dir/conf/webapps/hdfs" "$dir/conf/webapps/datanode"
  echo "$http" >"$dir/http"
  cp scripts/services/hdfs/log4j.properties "$dir/conf/"
  { echo "fs.defaultFS=hdfs://127.0.0.1:$port" && echo "hadoop.tmp.dir=$dir/data"; } | hadoop_xml >"$dir/conf/core-site.xml"
  hadoop_xml >"$dir/conf/hdfs-site.xml" <<SETTINGS
dfs.replication=1
dfs.namenode.rpc-address=127.0.0.1:$port
dfs.namenode.http-address=127.0.0.1:$http
dfs.datanode.address=127.0.0.1:$(free_port)
dfs.datanode.http.address=127.0.0.1:$(free_port)
dfs.datanode.ipc.address=127.0.0.1:$(free_port)
dfs.datanode.hostname=127.0.0.1
dfs.permissions.enabled=true
dfs.namenode.safemode.extension=0
dfs.namenode.heartbeat.recheck-interval=1000
dfs.heartbeat.interval=1
SETTINGS
}

# hadoop_xml: lines NAME=VALUE as Hadoop's configuration.
hadoop_xml() {
  echo '<?xml version="1.0"?>'
  echo '<configuration>'
  sed -E 's|^([^=]+)=(.*)$|  <property><name>\1</name><value>\2</value></property>|'
  echo '</configuration>'
}

# answers_at PORT: somebody listens there.
answers_at() {
  ! port_is_free "$1"
}

# hdfs_ready HTTP-PORT: the NameNode says that it has left safe mode and has room, which a DataNode brings.
hdfs_ready() {
  local answer
  exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf 'GET /jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState HTTP/1.0\r\n\r\n' >&3
  answer=$(timeout 5 cat <&3)
  exec 3<&- 3>&-
  grep -q '"FSState" : "Operational"' <<<"$answer" && grep -Eq '"CapacityRemaining" : [1-9]' <<<"$answer"
}

hdfs_stop() {
  stop_pid "the DataNode" "$1/datanode.pid"
  stop_pid "the NameNode" "$1/hdfs.pid"
}

# --- S3: the Versity gateway over a directory --------------------------------------------------------------------------------------

# s3_install: the gateway, built by Go from the module proxy: some minutes, once.
s3_install() (
  need_debian curl curl
  mkdir -p "$(dirname "$S3_GATEWAY")"
  exec 9>"$S3_GATEWAY.lock"
  flock 9
  [ ! -x "$S3_GATEWAY" ] || return 0
  need_debian go golang-go
  # Modules and what is compiled on the way lie beside it and go with it: nothing in the user's own Go folders.
  build=$PWD/$S3_GATEWAY.build
  mkdir -p "$build"
  GOPATH=$build/go GOCACHE=$build/cache GOBIN=$build/bin GOFLAGS=-modcacherw CGO_ENABLED=0 nice \
    go install "github.com/versity/versitygw/cmd/versitygw@$S3_GATEWAY_VERSION" >"$build/log" 2>&1 9>&- || {
    tail -n 20 "$build/log" >&2
    echo "the S3 gateway was not built: it needs Go 1.21 or newer (https://go.dev/dl/; Debian 13's golang-go) and a Go module proxy" >&2
    return 2
  }
  mv "$build/bin/versitygw" "$S3_GATEWAY"
  rm -rf "$build"
)

# s3_secret DIRECTORY: the secret key in DIRECTORY/password, made where there is none.
s3_secret() {
  mkdir -p "$1"
  [ -f "$1/password" ] || (umask 077 && head -c 20 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$1/password")
}

# s3_start DIRECTORY PORT: user votestream, the secret key in DIRECTORY/password, region us-east-1, one bucket: votestream.
s3_start() {
  local dir=$1 port=$2
  # A directory is a bucket.
  mkdir -p "$dir/objects/votestream"
  s3_secret "$dir"
  ROOT_ACCESS_KEY=votestream ROOT_SECRET_KEY=$(cat "$dir/password") setsid "$S3_GATEWAY" --port "127.0.0.1:$port" --health /health --quiet \
    posix "$dir/objects" >"$dir/s3.log" 2>&1 </dev/null &
  echo $! >"$dir/s3.pid"
  until_ready "the S3 gateway on port $port" "$(cat "$dir/s3.pid")" "$dir/s3.log" s3_ready "$port"
}

# s3_ready PORT: the gateway's own answer about its health.
s3_ready() {
  curl -sf --max-time 2 -o /dev/null "http://127.0.0.1:$1/health"
}

s3_stop() {
  stop_pid "the S3 gateway" "$1/s3.pid"
}

# --- Apache Flume, the peer of scripts/bench-archive.sh ----------------------------------------------------------------------------

# flume_install: the jars that scripts/services/flume/pom.xml pins; it needs HDFS's beside them.
flume_install() {
  jars_install "Apache Flume" scripts/services/flume/pom.xml "$FLUME_LIB"
}

# --- Apache Spark with Spark Connect ------------------------------------------------------------------------------------------------

# spark_install: a Java runtime, Spark as PyPI has it (its package of Python sources holds the whole of Spark), the jars of its Kafka connector
# that scripts/services/spark/pom.xml pins, and those for S3 of scripts/services/spark/s3/pom.xml.
spark_install() (
  need_debian java default-jre-headless
  need_debian python3 python3 python3-venv
  mkdir -p "$(dirname "$SPARK_DIST")"
  exec 9>"$SPARK_DIST.lock"
  flock 9
  if [ ! -f "$SPARK_DIST/.made" ]; then
    rm -rf "$SPARK_DIST" "$SPARK_DIST.fetch"
    mkdir -p "$SPARK_DIST" "$SPARK_DIST.fetch"
    python3 -m venv "$SPARK_DIST.fetch/venv"
    "$SPARK_DIST.fetch/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary :all: -d "$SPARK_DIST.fetch" \
      "pyspark==$SPARK_VERSION" >"$SPARK_DIST.fetch/log" 2>&1 9>&- || {
      tail -n 20 "$SPARK_DIST.fetch/log" >&2
      echo "pip could not fetch pyspark $SPARK_VERSION (450 MB); is a Python package index reachable from here?" >&2
      return 2
    }
    tar -xzf "$SPARK_DIST.fetch/pyspark-$SPARK_VERSION.tar.gz" -C "$SPARK_DIST" --strip-components=2 "pyspark-$SPARK_VERSION/deps"
    rm -rf "$SPARK_DIST.fetch"
    touch "$SPARK_DIST/.made"
  fi
  # Each jar alone: Spark's parent POM need not resolve.
  jars_install "Spark's Kafka connector" scripts/services/spark/pom.xml "$SPARK_LIB" dependency:copy
  jars_install "Hadoop's S3A" scripts/services/spark/s3/pom.xml "$SPARK_S3_LIB"
)

# spark_start DIRECTORY PORT [ARGUMENT…]: a Connect server with two local cores; what it logs is in DIRECTORY/spark.log. Arguments are
# spark-submit's, and go before those that are here.
spark_start() {
  local dir=$1 port=$2 home=$PWD/$SPARK_DIST conf=$PWD/scripts/services/spark/conf jars
  shift 2
  mkdir -p "$dir/local" "$dir/warehouse"
  jars=$(printf '%s,' "$PWD/$SPARK_LIB"/*.jar "$PWD/$SPARK_S3_LIB"/*.jar)
  (
    # Derby's files and the like are left where it runs.
    cd "$dir"
    # shellcheck disable=SC2030
    export SPARK_HOME=$home SPARK_CONF_DIR=$conf SPARK_LOCAL_IP=127.0.0.1 SPARK_NO_DAEMONIZE=1
    exec setsid "$home/bin/spark-submit" --master "local[2]" --driver-memory 2g --name votestream-connect \
      --class org.apache.spark.sql.connect.service.SparkConnectServer --jars "${jars%,}" \
      --conf spark.connect.grpc.binding.address=127.0.0.1 --conf "spark.connect.grpc.binding.port=$port" \
      --conf spark.driver.host=127.0.0.1 --conf spark.driver.bindAddress=127.0.0.1 --conf spark.ui.enabled=false \
      --conf "spark.local.dir=$dir/local" --conf "spark.sql.warehouse.dir=$dir/warehouse" --conf spark.sql.shuffle.partitions=2 \
      --conf spark.sql.codegen.cache.maxEntries=1000 \
      --conf spark.sql.streaming.stateStore.providerClass=org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider \
      "$@" spark-internal
  ) >"$dir/spark.log" 2>&1 </dev/null &
  echo $! >"$dir/spark.pid"
  until_ready "Apache Spark on port $port" "$(cat "$dir/spark.pid")" "$dir/spark.log" spark_ready "$port"
}

# spark_with_s3 S3-DIRECTORY S3-PORT DIRECTORY PORT [ARGUMENT…]: the same, and `s3a://` lies in the gateway there. Its key is in Spark's environment:
# of settings Spark tells in its log.
spark_with_s3() (
  local s3=$1 s3_port=$2
  shift 2
  AWS_SECRET_ACCESS_KEY=$(cat "$s3/password")
  export AWS_ACCESS_KEY_ID=votestream AWS_SECRET_ACCESS_KEY
  spark_start "$@" --conf "spark.hadoop.fs.s3a.endpoint=http://127.0.0.1:$s3_port" --conf spark.hadoop.fs.s3a.endpoint.region=us-east-1 \
    --conf spark.hadoop.fs.s3a.path.style.access=true
)

# spark_ready PORT: the server answers HTTP/2's preface and an empty SETTINGS frame with a SETTINGS frame (type 4) of its own.
spark_ready() {
  local answer
  exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\004\0\0\0\0\0' >&3
  answer=$(timeout 5 head -c 4 <&3 | od -An -tu1 | awk '{ print $4 }')
  exec 3<&- 3>&-
  [ "${answer:-0}" = 4 ]
}

spark_stop() {
  stop_pid "Apache Spark" "$1/spark.pid"
}
