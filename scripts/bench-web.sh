#!/bin/bash
# Measures the page beside a Streamlit and Plotly page that shows the same numbers; installs what both need. About half an hour.
#
#     scripts/bench-web.sh [--minutes N]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
need_debian chromium chromium
need_file /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf fonts-dejavu-core
python_venv
python_venv target/venv-streamlit streamlit tests/web/bench/requirements.txt
VOTESTREAM_BIN="$PWD/target/release/votestream" exec target/venv/bin/python -m tests.web.bench.measure \
  --streamlit target/venv-streamlit/bin/streamlit "$@"
