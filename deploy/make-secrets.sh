#!/bin/sh
# Makes the secrets that compose.yaml mounts, where there are none yet. The directory is the owner's alone; the files in it are
# readable so that a container's own user can read the one that is mounted for it.
set -eu
cd "$(dirname "$0")/secrets"
chmod 700 .
for name in postgres_password ingest_token; do
  [ -s "$name" ] && continue
  (umask 022 && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$name")
  echo "made deploy/secrets/$name"
done
