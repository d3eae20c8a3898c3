#!/bin/bash
# A thousand random kills of the real binary; the report is committed.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
python_venv
cargo build --release --locked -p votestream --features failpoints
VOTESTREAM_BIN="$PWD/target/release/votestream" target/venv/bin/python -m tests.chaos.chaos --kills "${KILLS:-1000}" --report docs/chaos-report.md
