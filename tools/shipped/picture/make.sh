#!/usr/bin/env bash
# Makes docs/picture.png: runs the demo to its end and takes a picture of its
# monitor in the Temporal UI. Needs a Chromium on PATH; `make picture` calls it.
set -euo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
temporal=$("$root/tools/temporal.sh")
log=$(mktemp)
MODELVIGIL_TEMPORAL="$temporal" "$root/bin/modelvigil" demo --keep >"$log" 2>&1 &
demo=$!
trap 'kill -INT $demo 2>/dev/null; wait $demo || true; rm -f "$log"' EXIT
until grep -q 'still running' "$log"; do
	kill -0 $demo || { cat "$log"; exit 1; }
	sleep 1
done
ui=$(grep -o 'http://[0-9.:]*' "$log" | head -1)
address=$(grep -o 'TEMPORAL_ADDRESS=[0-9.:]*' "$log" | head -1 | cut -d= -f2)
run=$("$temporal" workflow describe --address "$address" -w model-monitor/sea -o json |
	grep -o '"runId": "[^"]*"' | head -1 | cut -d'"' -f4)
cd "$root/tools/shipped/picture"
go run . -height 800 -wait 'Current Details' -out "$root/docs/picture.png" \
	-url "$ui/namespaces/default/workflows/model-monitor%2Fsea/$run/user-metadata"
