#!/bin/sh
# Builds the dashboard into crates/votestream-web: installs the locked packages, builds, packs. The same sources give the
# same bytes; CI runs this and fails when `git diff` finds a change. A build of the Rust crates does not need it.
set -eu
cd "$(dirname "$0")"
command -v npm >/dev/null || { echo "npm is missing; install Node 20.19 or newer (Debian: apt-get install nodejs npm)" >&2; exit 2; }
[ "${1:-}" = "--installed" ] || npm ci --no-audit --no-fund --silent
npx --no-install vite build --logLevel warn
node tools/pack.mjs
node tools/standalone.mjs
