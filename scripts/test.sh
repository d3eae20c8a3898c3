#!/bin/bash
# Every suite, each with its time. Installs what it needs; ends what it starts.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}

web_suite() {
  (cd web && npm ci --no-audit --no-fund --silent && npm run --silent check)
  web/build.sh --installed
  git diff --exit-code --stat -- crates/votestream-web || {
    echo "the committed dashboard differs from what the sources build: run web/build.sh and commit crates/votestream-web" >&2
    return 1
  }
}

rust_suites() {
  cargo test --release --locked --workspace --features votestream/failpoints --no-fail-fast
}

# The binary that the outside tests drive: the one that the Rust suites were built with.
binary() {
  cargo build --release --locked --workspace --bins --features votestream/failpoints
}

outside_suites() {
  VOTESTREAM_BIN="$PWD/target/release/votestream" target/venv/bin/pytest tests -q -p no:cacheprovider --durations=10
}

# Beside real services: scripts/with-services.sh calls this script again for the suites that need them.
if [ "${1:-}" = beside-services ]; then
  step "Rust: unit, property, conformance and golden tests, and the backends on real servers" rust_suites
  step "build of the binary under test" binary
  step "outside: oracle, end to end, chaos" outside_suites
  steps_report
  exit 0
fi

step "what the tests need" python_venv
need_debian npm nodejs npm
need_debian chromium chromium
need_debian docker-compose docker-compose
need_debian ip iproute2
step "the dashboard: types, style, unit tests, same bytes" web_suite
steps_report
scripts/with-services.sh scripts/test.sh beside-services
