#!/bin/bash
# Every suite, each with its time. Installs what it needs; ends what it starts.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
. scripts/services/lib.sh
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}

web_suite() {
  (cd web && npm ci --no-audit --no-fund --silent && npm run --silent check)
  web/build.sh --installed
  git diff --exit-code --stat -- crates/votestream-web || {
    echo "the committed dashboard differs from what the sources build: run web/build.sh and commit crates/votestream-web" >&2
    return 1
  }
}

# Compiled before the services are there: none is needed for it, and the S3 gateway may still be on its way (scripts/services/lib.sh).
build_suites() {
  cargo test --release --locked --workspace --features "$FEATURES" --no-run
  # The binary that the outside tests drive, with the suites' own features of libraries (--tests), or half of all would be built twice.
  cargo build --release --locked --workspace --bins --tests --test real_server --features "$FEATURES"
}

# rust_suites kafka|rest: the suites that talk to brokers of their own, which they mostly wait for, or all others.
rust_suites() {
  local suites
  suites=$(cargo metadata --no-deps --format-version 1 --locked | target/venv/bin/python -c "
import json, sys
targets = [target for package in json.load(sys.stdin)['packages'] for target in package['targets'] if target['kind'] == ['test'] and target['test']]
print(*sorted({f\"--test={target['name']}\" for target in targets if target['name'].startswith('kafka_') == (sys.argv[1] == 'kafka')}))" "$1")
  [ "$1" = kafka ] || suites="--lib --bins --examples $suites"
  # shellcheck disable=SC2086 # one word a suite
  cargo test --release --locked --workspace --features "$FEATURES" --no-fail-fast $suites
  [ "$1" = kafka ] || cargo test --release --locked --workspace --features "$FEATURES" --no-fail-fast --doc
}

# Epochs on a Spark server, and the binary that has its votes counted there.
spark_suites() {
  cargo test --release --locked --workspace --features "$FEATURES" --test real_server
  outside tests/e2e -m spark
}

# outside PYTEST-ARGUMENT…
outside() {
  VOTESTREAM_BIN="$PWD/target/release/votestream" target/venv/bin/pytest -q -p no:cacheprovider --durations=10 "$@"
}

# Beside real services: scripts/with-services.sh calls this script again for the suites that need them. Most of their time they wait for
# servers, so they run in three lanes side by side; what two of them say is printed when they have ended, or all would be mixed. What is
# measured in time has the machine for itself afterwards.
case ${1:-} in
  beside-services)
    began=$(date +%s)
    lanes=()
    for lane in page-and-chaos kafka-and-spark; do
      # A process group of its own, so that all of it can be ended.
      set -m
      scripts/test.sh "$lane" >"target/$lane.log" 2>&1 &
      set +m
      lanes+=($!)
    done
    trap 'for lane in "${lanes[@]}"; do kill -- "-$lane" 2>/dev/null || true; done' EXIT
    trap 'exit 143' INT TERM
    status=0
    scripts/test.sh rust-and-end-to-end || status=$?
    for lane in "${lanes[@]}"; do wait "$lane" || status=$?; done
    trap - EXIT
    cat target/page-and-chaos.log target/kafka-and-spark.log
    echo "── the three lanes: $(($(date +%s) - began)) s"
    step "outside: what is measured in time" outside tests -m alone || status=$?
    steps_report
    exit "$status"
    ;;
  rust-and-end-to-end)
    step "Rust: unit, property, conformance and golden tests, and the store on a real server" rust_suites rest
    step "outside: end to end" outside tests/e2e -m "not alone and not spark"
    steps_report
    exit 0
    ;;
  beside-spark)
    spark_suites
    exit 0
    ;;
  page-and-chaos)
    step "outside: the page" outside tests/web -m "not alone"
    step "outside: oracle, chaos" outside tests/oracle tests/chaos -m "not alone"
    steps_report
    exit 0
    ;;
  kafka-and-spark)
    step "Rust: the log on real brokers" rust_suites kafka
    # Servers of their own, for no longer than that: a Spark server takes what memory and time there is.
    step "epochs on Apache Spark" env SERVICES="kafka secured hdfs s3 spark" scripts/with-services.sh scripts/test.sh beside-spark
    steps_report
    exit 0
    ;;
esac

step "what the tests need" python_venv
need_debian npm nodejs npm
need_debian chromium chromium
need_file /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf fonts-dejavu-core
need_debian docker-compose docker-compose
need_debian ip iproute2
# Kafka's own hash is asked by a few lines of Java.
need_debian javac default-jdk-headless
need_protoc
installs=()
# Servers that take minutes to build or to fetch where they are missing, meanwhile.
for service in hdfs s3 spark; do
  "${service}_install" &
  installs+=($!)
done
step "the dashboard: types, style, unit tests, same bytes" web_suite
step "build of the Rust suites" build_suites
for install in "${installs[@]}"; do wait "$install"; done
steps_report
scripts/with-services.sh scripts/test.sh beside-services
