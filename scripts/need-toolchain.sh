#!/bin/sh
# Names what is missing before a long build finds out.
set -eu
missing=0
command -v cargo >/dev/null || { echo "cargo is missing: install Rust from https://rustup.rs" >&2; missing=1; }
command -v cc >/dev/null || { echo "a C compiler is missing (Debian: apt-get install build-essential)" >&2; missing=1; }
exit $missing
