#!/usr/bin/env bash
# Runs a command against a Temporal dev server of its own, which ends with it:
#
#   tools/with-server.sh bin/modelvigil bench
set -euo pipefail

temporal=$("$(dirname "${BASH_SOURCE[0]}")/temporal.sh")
scratch=$(mktemp -d)
export TEMPORAL_ADDRESS=127.0.0.1:$((20000 + RANDOM % 10000))

"$temporal" server start-dev --headless --ip 127.0.0.1 --port "${TEMPORAL_ADDRESS##*:}" \
  --db-filename "$scratch/temporal.db" --log-level error >"$scratch/server.log" 2>&1 &
server=$!
export SERVER_PIDS=$server SERVER_DATABASE=$scratch/temporal.db # for tools/sizing.sh
trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true; rm -rf "$scratch"' EXIT

until "$temporal" operator cluster health --address "$TEMPORAL_ADDRESS" >/dev/null 2>&1; do
  kill -0 $server 2>/dev/null || { cat "$scratch/server.log" >&2; exit 1; }
  sleep 0.2
done
"$@"
