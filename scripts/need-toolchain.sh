#!/bin/bash
# Names what is missing before a long build finds out. `full` is for the whole binary: its Kafka client library is C and C++, with
# OpenSSL and zlib from the system; on Debian, as root, these are installed. The small binary (`make up`) needs none of them. With features
# behind it (`full spark`), also what those need.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
missing=0
command -v cargo >/dev/null || { echo "cargo is missing: install Rust from https://rustup.rs" >&2; missing=1; }
command -v cc >/dev/null || { echo "a C compiler is missing (Debian: apt-get install build-essential)" >&2; missing=1; }
if [ "${1:-}" = full ]; then
  need_debian c++ g++
  need_debian pkg-config pkg-config
  need_library openssl libssl-dev
  need_library zlib zlib1g-dev
fi
if [[ ${2:-} == *spark* ]]; then need_protoc; fi
exit $missing
