#!/bin/bash
# Format, lints, docs and licences. No services, no Node.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
need_protoc
# The same profile and features as the tests, so that build scripts and macros are built once.
export RUSTFLAGS="${RUSTFLAGS:-}"
step "format" cargo fmt --all --check
step "lints" cargo clippy --release --locked --workspace --all-targets --features "$FEATURES" -- -D warnings
step "lints of what is tested beside Spark" cargo clippy --release --locked --workspace --test real_server --features "$FEATURES" -- -D warnings
step "lints of the small build" cargo clippy --release --locked -p votestream --no-default-features -- -D warnings
step "docs" env RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --workspace --no-deps --quiet
step "licences and house rules" cargo run --release --locked --quiet -p xtask -- check
steps_report
